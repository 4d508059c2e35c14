//! A fresh database for each round, and what is found in it afterwards.

use std::collections::HashMap;

use qualify::domain::ids::{ConnectionId, EventId};
use qualify::store::events::{EventCursor, event_page};
use qualify::store::{ConnectOptions, Db, Statement};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tempfile::TempDir;

use super::events::Events;
use super::postgres;

/// Rows read at a time.
const PAGE: u32 = 1_000;

/// A database to be used once, and the folder of everything that belongs to its round.
#[derive(Debug)]
pub struct Fresh {
    pub url: String,
    pub folder: TempDir,
    /// The server to drop it from.
    made_on: Option<String>,
}

impl Fresh {
    /// An empty database of that kind; `number` tells it from those of other rounds.
    pub async fn make(kind: &str, number: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (url, made_on) = match kind {
            "sqlite" => (
                format!("sqlite://{}/load.db", folder.path().display()),
                None,
            ),
            "postgres" => (postgres::fresh_database().await, None),
            server => {
                let (base, _) = server
                    .rsplit_once('/')
                    .expect("a URL that ends in /<database>");
                let name = format!("qualify_load_{}_{number}", std::process::id());
                run(server, format!("CREATE DATABASE {name}")).await;
                (format!("{base}/{name}"), Some(server.to_owned()))
            }
        };
        Self {
            url,
            folder,
            made_on,
        }
    }

    /// Removes what was made on somebody else's server.
    pub async fn remove(self) {
        if let (Some(server), Some((_, name))) = (&self.made_on, self.url.rsplit_once('/')) {
            run(server, format!("DROP DATABASE {name} WITH (FORCE)")).await;
        }
    }
}

async fn run(server: &str, command: String) {
    let mut admin = PgConnection::connect(server)
        .await
        .expect("the server answers");
    sqlx::query(AssertSqlSafe(command))
        .execute(&mut admin)
        .await
        .unwrap();
}

/// What was found in a database after the load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Found {
    /// Stored events.
    pub rows: usize,
    /// Acknowledged events that are not there.
    pub lost: usize,
    /// Rows that nobody posted, or stored under an id twice.
    pub foreign: usize,
    /// Rows whose body is not the one that was posted.
    pub changed: usize,
    /// Deliveries counted beyond the first of each event; the limit server counts none.
    pub repeats: Option<i64>,
}

/// Compares what is stored with what was acknowledged.
pub async fn check(url: &str, events: &Events, acknowledged: &[u64], is_limit: bool) -> Found {
    let mut left: HashMap<String, u64> = HashMap::new();
    for event in acknowledged {
        left.insert(events.id(*event), *event);
    }
    let posted = acknowledged.iter().max().map_or(0, |last| last + 10_000);
    let mut found = Found::default();
    let mut body = String::new();
    let mut unacknowledged: Option<HashMap<String, u64>> = None;
    let db = Db::connect(url, &ConnectOptions::default()).await.unwrap();
    let live = ConnectionId::from("live");
    let mut after: Option<EventCursor> = None;
    let mut last = String::new();
    loop {
        let mut tx = db.read().await.unwrap();
        let page: Vec<(String, Vec<u8>)> = if is_limit {
            let statement = Statement::new(
                "SELECT id, body FROM limit_events WHERE id > $1 ORDER BY id LIMIT $2",
            );
            let statement = statement.bind(&last).bind(PAGE);
            statement.fetch_all(&mut tx).await.unwrap()
        } else {
            let page = event_page(&mut tx, &live, after.as_ref(), PAGE)
                .await
                .unwrap();
            after = page.last().map(|event| EventCursor {
                received_at_us: event.received_at_us,
                event_id: EventId::from(event.event_id.as_str()),
            });
            page.into_iter()
                .map(|event| (event.event_id, event.body))
                .collect()
        };
        tx.rollback().await.unwrap();
        let Some((id, _)) = page.last() else { break };
        last.clone_from(id);
        found.rows += page.len();
        for (id, stored) in page {
            // Stored but not acknowledged: the answer was lost, and the event is not.
            let event = left.remove(&id).or_else(|| {
                let all = unacknowledged.get_or_insert_with(|| {
                    let known = acknowledged
                        .iter()
                        .collect::<std::collections::HashSet<_>>();
                    let others = (0..posted).filter(|event| !known.contains(event));
                    others.map(|event| (events.id(event), event)).collect()
                });
                all.remove(&id)
            });
            let Some(event) = event else {
                found.foreign += 1;
                continue;
            };
            body.clear();
            events.body(event, &mut body);
            found.changed += usize::from(body.as_bytes() != stored);
        }
    }
    found.lost = left.len();
    if !is_limit {
        let mut tx = db.read().await.unwrap();
        let (repeats,): (i64,) = Statement::new(
            "SELECT CAST(COALESCE(SUM(deliveries - 1), 0) AS BIGINT) FROM event_repeats
             WHERE connection_id = $1",
        )
        .bind(&live)
        .fetch_one(&mut tx)
        .await
        .unwrap();
        tx.rollback().await.unwrap();
        found.repeats = Some(repeats);
    }
    db.close().await;
    found
}
