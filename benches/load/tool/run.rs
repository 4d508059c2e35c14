//! One round: a fresh database, a server, the load, and what is found afterwards.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use qualify::clock::{Clock as _, SystemClock};
use qualify::domain::ids::ConnectionId;
use qualify::domain::time::{DAY_SECONDS, Timestamp};
use qualify::store::{ConnectOptions, Db, Statement};

use super::args::{Args, Play, Stages};
use super::client::{Load, Posted, post};
use super::database::{Found, Fresh, check};
use super::events::Events;
use super::server::{Server, product, program};

/// How often the backlog is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// The stages are given up after this time without any progress.
const STUCK_AFTER: Duration = Duration::from_secs(60);
/// Events that no machine of this kind takes in a second: so many customers may be referred.
const PER_SECOND_MAX: u64 = 12_000;

const CAMPAIGN: &str = r#"
schema = 1
id     = "load"
name   = "Load: 20 dollars in a year"
starts = 2020-01-01T00:00:00Z

[qualify]
spend = [{ at_least = "20.00", currency = "usd" }]
within_days = 365
hold_days   = 14

[reward.promoter]
fixed = { amount = "5.00", currency = "usd" }
"#;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Measured {
    Limit,
    Qualify,
}

/// What waited at a moment.
#[derive(Debug, Clone, Copy)]
pub struct Backlog {
    /// Since the first request.
    pub seconds: f64,
    /// Events to be read.
    pub events: i64,
    /// Customers and referrals to be judged.
    pub judgements: i64,
}

/// What the stages behind intake made of it.
#[derive(Debug, Clone)]
pub struct Worked {
    /// From the first request until nothing waited.
    pub seconds: f64,
    /// Verdicts that are stored.
    pub verdicts: i64,
    pub backlog: Vec<Backlog>,
}

/// What one round came to.
#[derive(Debug, Clone)]
pub struct Run {
    pub posted: Posted,
    pub found: Found,
    /// Mean length of a body, in bytes.
    pub body_bytes: usize,
    /// The most that a server has used.
    pub memory_kib: u64,
    pub worked: Option<Worked>,
}

impl Run {
    /// Whether every acknowledged event is stored once, as it was posted, and every repeat is
    /// counted.
    pub fn adds_up(&self) -> bool {
        let Found {
            rows,
            lost,
            foreign,
            changed,
            repeats,
        } = self.found;
        let mut distinct = self.posted.acknowledged.clone();
        distinct.sort_unstable();
        distinct.dedup();
        let clean = self.posted.errors.is_empty();
        let acknowledged = self.posted.acknowledged.len();
        lost + foreign + changed == 0
            && (!clean || rows == distinct.len())
            && repeats.is_none_or(|seen| {
                !clean || usize::try_from(seen) == Ok(acknowledged - distinct.len())
            })
    }
}

/// Runs one round against one server.
pub async fn measure(args: &Args, what: Measured, number: usize) -> Run {
    let now = SystemClock.now();
    // Some days ago, so that nothing of the story lies ahead of the clock.
    let start = now.plus_seconds(-3 * DAY_SECONDS);
    let events = Events::new(args.seed, args.event, start.unix().unsigned_abs());
    let fresh = Fresh::make(&args.database, number).await;
    let (folder, url) = (fresh.folder.path(), fresh.url.as_str());
    let nodes = 0..args.nodes;
    let servers = match (what, args.stages) {
        (Measured::Limit, _) => vec![Server::play(Play::Limit, folder, url, args.limit_writers)],
        (Measured::Qualify, Stages::Off) => nodes
            .map(|_| Server::play(Play::Intake, folder, url, 1))
            .collect(),
        (Measured::Qualify, Stages::On) => {
            prepare(args, &events, folder, url, start);
            nodes
                .map(|_| Server::qualify(&program(), folder, url))
                .collect()
        }
    };
    let run = against(args, what, &events, servers, url).await;
    fresh.remove().await;
    run
}

/// Shoots at servers that run on one database.
pub async fn against(
    args: &Args,
    what: Measured,
    events: &Events,
    servers: Vec<Server>,
    url: &str,
) -> Run {
    let to: Vec<_> = servers.iter().map(|server| server.address).collect();
    let load = Load {
        connections: args.connections,
        seconds: args.seconds,
        events: args.events,
        rate: args.rate,
        duplicates: args.duplicates,
        seed: args.seed,
    };
    let is_limit = what == Measured::Limit;
    let (posted, worked) = if is_limit || args.stages == Stages::Off {
        (post(to, load, events).await, None)
    } else {
        let db = Db::connect(url, &ConnectOptions::default()).await.unwrap();
        let done = std::cell::Cell::new(false);
        let began = Instant::now();
        let posting = async {
            let posted = post(to, load, events).await;
            done.set(true);
            posted
        };
        let (posted, worked) = tokio::join!(posting, work(&db, began, &done));
        db.close().await;
        (posted, Some(worked))
    };
    let memory_kib = servers.iter().map(Server::memory_kib).max().unwrap_or(0);
    drop(servers);
    let found = check(url, events, &posted.acknowledged, is_limit).await;
    Run {
        body_bytes: mean_length(events),
        posted,
        found,
        memory_kib,
        worked,
    }
}

fn mean_length(events: &Events) -> usize {
    let mut bodies = String::new();
    for event in 0..100 {
        events.body(event, &mut bodies);
    }
    bodies.len() / 100
}

/// Looks at the backlog until the load has ended and nothing waits any more.
async fn work(db: &Db, began: Instant, done: &std::cell::Cell<bool>) -> Worked {
    let mut backlog: Vec<Backlog> = Vec::new();
    let mut moved = Instant::now();
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let posted = done.get();
        let (events, judgements): (i64, i64) = count(
            db,
            "SELECT (SELECT COUNT(*) FROM event_queue WHERE connection_id = $1),
                    (SELECT COUNT(*) FROM dirty WHERE connection_id = $1)",
        )
        .await;
        let seconds = began.elapsed().as_secs_f64();
        let waited = backlog.last().map(|last| (last.events, last.judgements));
        if waited != Some((events, judgements)) {
            moved = Instant::now();
        }
        assert!(
            moved.elapsed() < STUCK_AFTER,
            "{events} + {judgements} wait and nothing moves"
        );
        backlog.push(Backlog {
            seconds,
            events,
            judgements,
        });
        if posted && events == 0 && judgements == 0 {
            let (verdicts,): (i64,) =
                count(db, "SELECT COUNT(*) FROM verdicts WHERE connection_id = $1").await;
            return Worked {
                seconds,
                verdicts,
                backlog,
            };
        }
    }
}

async fn count<R: qualify::store::Record>(db: &Db, text: &'static str) -> R {
    let mut tx = db.read().await.unwrap();
    let live = ConnectionId::from("live");
    let row = Statement::new(text).bind(&live).fetch_one(&mut tx).await;
    let row = row.unwrap();
    tx.rollback().await.unwrap();
    row
}

/// A campaign, a promoter, and referrals of some of the customers to come.
fn prepare(args: &Args, events: &Events, folder: &Path, url: &str, start: Timestamp) {
    std::fs::create_dir(folder.join("rules")).unwrap();
    std::fs::write(folder.join("rules/load.toml"), CAMPAIGN).unwrap();
    let promoters = "id,name,email,code,coupons\nprom_1,Ana,ana@example.com,,\n";
    std::fs::write(folder.join("promoters.csv"), promoters).unwrap();
    let referred_at = start.plus_seconds(-DAY_SECONDS);
    let mut referrals =
        String::from("id,campaign,promoter,email,uid,stripe_customer_id,referred_at\n");
    let most = args
        .events
        .unwrap_or(args.seconds * args.rate.unwrap_or(PER_SECOND_MAX));
    for customer in (0..events.customers(most)).filter(|n| n * 37 % 100 < args.referred) {
        let email = Events::email(customer);
        writeln!(
            referrals,
            "ref_{customer},load,prom_1,{email},,,{referred_at}"
        )
        .unwrap();
    }
    std::fs::write(folder.join("referrals.csv"), referrals).unwrap();
    for (what, file) in [
        ("promoters", "promoters.csv"),
        ("referrals", "referrals.csv"),
    ] {
        let mut import = product(&program(), folder, url, &["import", what, file]);
        let status = import.stdout(Stdio::null()).status().unwrap();
        assert!(status.success(), "import {what}: {status}");
    }
}
