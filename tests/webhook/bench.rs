//! A server to shoot at: a fresh database in a temporary folder, a clock that stands still,
//! and sinks that fail, wait or panic.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use qualify::app::{App, Bounds, Running};
use qualify::clock::ManualClock;
use qualify::config::Config;
use qualify::domain::campaign::Mode;
use qualify::domain::ids::ConnectionId;
use qualify::domain::time::Timestamp;
use qualify::intake::{EventSink, SinkError, Stored, Storing};
use qualify::store::events::{EventFilter, EventSummary, NewEvent, list_events};
use qualify::store::{ConnectOptions, Db};
use qualify::stripe::signature;
use tempfile::TempDir;
use tokio::sync::Semaphore;

use crate::client::Request;

pub const SECRET: &str = "whsec_SENTINEL_one";

pub fn now() -> Timestamp {
    Timestamp::parse("2026-03-01T12:00:00Z").unwrap()
}

/// How the database behaves.
#[derive(Debug, Clone)]
pub enum Database {
    /// As it should.
    Works,
    /// Every commit fails.
    Fails,
    /// The task that stores events dies at the first one.
    Panics,
    /// A commit waits for a permit.
    Gated(Arc<Semaphore>),
}

pub struct Bench {
    pub server: Running,
    pub folder: TempDir,
}

pub struct Settings {
    pub secrets: Vec<String>,
    pub account: Option<String>,
    pub mode: Mode,
    pub database: Database,
    pub bounds: Bounds,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            secrets: vec![SECRET.to_owned()],
            account: None,
            mode: Mode::Live,
            database: Database::Works,
            bounds: Bounds::default(),
        }
    }
}

impl Bench {
    pub async fn start(settings: Settings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = database_url(folder.path());
        let mut env = BTreeMap::from([
            ("DATABASE_URL".to_owned(), url.clone()),
            ("LISTEN_ADDR".to_owned(), "127.0.0.1:0".to_owned()),
            ("STRIPE_MODE".to_owned(), settings.mode.name().to_owned()),
        ]);
        if !settings.secrets.is_empty() {
            let secrets = settings.secrets.join(",");
            env.insert("STRIPE_WEBHOOK_SECRET".to_owned(), secrets);
        }
        if let Some(account) = settings.account {
            env.insert("STRIPE_ACCOUNT".to_owned(), account);
        }
        let none = |_: &Path| Ok(String::new());
        let config = Config::resolve(&BTreeMap::new(), &env, None, &none).unwrap();
        let clock = Arc::new(ManualClock::at(now()));
        let db = Db::connect(&url, &ConnectOptions::default()).await.unwrap();
        db.migrate().await.unwrap();
        let sink: Arc<dyn EventSink> = match settings.database {
            Database::Works => Arc::new(Stored::new(db.clone())),
            other => Arc::new(Sink(Stored::new(db.clone()), other)),
        };
        let bounds = settings.bounds;
        let server = App::start_with(config, clock, bounds, db, sink).await;
        Self {
            server: server.unwrap(),
            folder,
        }
    }

    /// Every stored event of the connection.
    pub async fn stored(&self) -> Vec<EventSummary> {
        rows(&self.server.app.db, &self.server.app.connection).await
    }

    /// What is stored once every event has been read by the stage behind intake.
    pub async fn read(&self) -> Vec<EventSummary> {
        let patience = std::time::Duration::from_secs(20);
        let all_read = async {
            loop {
                let rows = self.stored().await;
                if rows.iter().all(|row| row.state != "received") {
                    return rows;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(patience, all_read)
            .await
            .expect("every event is read in time")
    }
}

pub fn database_url(folder: &Path) -> String {
    format!("sqlite://{}/qualify.db", folder.display())
}

pub async fn rows(db: &Db, connection: &ConnectionId) -> Vec<EventSummary> {
    let mut tx = db.read().await.unwrap();
    let rows = list_events(&mut tx, connection, &EventFilter::default(), None, 10_000).await;
    rows.unwrap()
}

/// A signed delivery of a small live event.
pub fn delivery(id: &str) -> Request {
    delivery_in(Mode::Live, id)
}

/// A signed delivery of a small event.
pub fn delivery_in(mode: Mode, id: &str) -> Request {
    let live = mode == Mode::Live;
    let body = format!(
        r#"{{"id":"{id}","object":"event","type":"x.y","created":1772366400,"livemode":{live}}}"#
    );
    let signature = signature::sign(SECRET, body.as_bytes(), now());
    Request {
        method: "POST".to_owned(),
        path: "/webhooks/stripe".to_owned(),
        headers: vec![("stripe-signature".to_owned(), signature)],
        body: body.into_bytes(),
        ..Request::default()
    }
}

#[derive(Debug)]
struct Sink(Stored, Database);

impl EventSink for Sink {
    fn insert<'a>(&'a self, connection: &'a ConnectionId, events: &'a [NewEvent]) -> Storing<'a> {
        Box::pin(async move {
            match &self.1 {
                Database::Works => {}
                Database::Fails => {
                    let secret = "disk I/O error near INSERT INTO events".to_owned();
                    return Err(SinkError::Unavailable(secret));
                }
                Database::Panics => panic!("the sink panics"),
                Database::Gated(gate) => gate.acquire().await.unwrap().forget(),
            }
            self.0.insert(connection, events).await
        })
    }
}
