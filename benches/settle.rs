//! Settles many due qualifications at once: how fast a plan is made and carried out, how long
//! one page holds the database, and how far that is from the machine's own limit. See README.md.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    missing_docs,
    reason = "a bench that cannot go on has failed"
)]

#[path = "../tests/support/due.rs"]
mod due;
#[path = "settle/limit.rs"]
mod limit;
#[path = "settle/pages.rs"]
mod pages;
#[path = "../tests/support/postgres.rs"]
mod postgres;
#[path = "../tests/support/verdicts.rs"]
#[allow(dead_code, reason = "tests use the rest of it")]
mod verdicts;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use due::Due;
use pages::{Death, Pages};
use qualify::clock::{Clock, ManualClock};
use qualify::domain::access::By;
use qualify::domain::campaign::Mode;
use qualify::domain::ids::ConnectionId;
use qualify::domain::time::Timestamp;
use qualify::ingest::read::Scope;
use qualify::random::node_id;
use qualify::registry::campaigns;
use qualify::settle::duty::LEASE_SECONDS;
use qualify::settle::schedule::{Ran, run_now};
use qualify::store::{ConnectOptions, Db, Statement};
use qualify::verify::verify;

const CAMPAIGN: &str = r#"
schema = 1
id     = "bench"
name   = "Bench"

[qualify]
spend = [ { at_least = "20.00", currency = "usd" } ]

[reward.promoter]
fixed = { amount = "20.00", currency = "usd" }
"#;

struct Asked {
    due: usize,
    promoters: usize,
    database: String,
    crash_at: Option<usize>,
    verify: bool,
    /// The database was settled by an earlier run: it is verified, and nothing else.
    settled: bool,
    /// Only for the child that dies: the database's address and the stage it dies in.
    child: Option<String>,
}

impl Asked {
    fn read() -> Self {
        let args: Vec<String> = std::env::args().skip(1).collect();
        let value = |name: &str| {
            let at = args.iter().position(|arg| arg == name)?;
            Some(args.get(at + 1).expect("a value").clone())
        };
        let number = |name| value(name).map(|text| text.parse::<usize>().expect("a number"));
        Self {
            due: number("--due").unwrap_or(100_000),
            promoters: number("--promoters").unwrap_or(1_000),
            database: value("--database").unwrap_or_else(|| "sqlite".to_owned()),
            crash_at: number("--crash-at"),
            verify: args.iter().any(|arg| arg == "--verify"),
            settled: args.iter().any(|arg| arg == "--settled"),
            child: value("--child"),
        }
    }

    fn filling(&self, revision: &str) -> Due {
        Due {
            count: self.due,
            promoters: self.promoters,
            campaign: ("bench".to_owned(), revision.to_owned()),
            since: Timestamp::parse("2026-01-01T00:00:00Z").unwrap(),
        }
    }
}

async fn open(url: &str) -> Db {
    Db::connect(url, &ConnectOptions::default()).await.unwrap()
}

fn main() {
    let asked = Asked::read();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        match &asked.child {
            Some(stage) => die(&asked, stage).await,
            None => bench(&asked).await,
        }
    });
}

async fn bench(asked: &Asked) {
    let folder = tempfile::tempdir().unwrap();
    let url = match asked.database.as_str() {
        "sqlite" => format!("sqlite://{}/settle.db", folder.path().display()),
        "postgres" => postgres::fresh_database().await,
        url => url.to_owned(),
    };
    let connection = ConnectionId::from("live");
    let db = open(&url).await;
    db.migrate().await.unwrap();
    if asked.settled {
        verify_alone(&db, &connection, asked.filling("").until()).await;
        db.close().await;
        return;
    }
    let clock = ManualClock::at(Timestamp::parse("2026-01-01T00:00:00Z").unwrap());
    let by = By::command_line();
    let author = campaigns::Author {
        by: &by,
        why: "bench",
    };
    let saved = campaigns::save(&db, &connection, &clock, CAMPAIGN, None, author)
        .await
        .unwrap();
    let filling = asked.filling(saved.campaign.revision.as_str());
    let started = Instant::now();
    filling.store(&db, &connection).await;
    println!(
        "{} due qualifications of {} promoters stored in {:.1} s",
        asked.due,
        asked.promoters,
        started.elapsed().as_secs_f64()
    );
    clock.set(filling.until());
    let before = size(&db, &url).await;

    if let Some(at) = asked.crash_at {
        for stage in ["plan", "book"] {
            crash(asked, &url, stage, at);
            clock.advance(LEASE_SECONDS + 1);
            println!("killed in `{stage}` after {at} items; settled on");
        }
    }
    let pages = Pages::install(None);
    let node = node_id().unwrap();
    let written = Written::now(&db).await;
    let started = Instant::now();
    let ran = run_now(&db, &connection, &node, &clock).await.unwrap();
    let took = started.elapsed();
    let written = Written::now(&db).await.since(written);
    let again = run_now(&db, &connection, &node, &clock).await.unwrap();
    assert_eq!(again, None, "settled twice");
    totals(&db, asked, ran.as_ref()).await;
    told(asked, pages, took);
    println!("peak memory of settling {} MB", memory_kib() / 1024);
    println!(
        "written: {} bytes an item, plan and all, {}",
        written.bytes / asked.due as u64,
        written.to
    );
    let after = size(&db, &url).await;
    println!(
        "database: {} bytes an item before it is due to be settled, {} more once it is",
        before / asked.due as u64,
        after.saturating_sub(before) / asked.due as u64
    );
    if asked.verify || asked.crash_at.is_some() {
        verify_alone(&db, &connection, clock.now()).await;
    }
    let limit = limit::run(&db, asked.due.min(200_000)).await;
    println!(
        "limit: {:.0} items/s of {} rows of {} bytes in one plain table",
        limit.items_a_second,
        limit::ROWS_AN_ITEM,
        limit.width
    );
    // Of a run that was killed, this process did only the rest.
    if asked.crash_at.is_none() {
        let rate = asked.due as f64 / took.as_secs_f64();
        println!("settling is {:.2} of it", rate / limit.items_a_second);
    }
    db.close().await;
}

fn told(asked: &Asked, pages: &Pages, took: Duration) {
    let rate = |took: Duration| asked.due as f64 / took.as_secs_f64();
    if asked.crash_at.is_none() {
        let planned = pages.span("plan");
        let booked = took.saturating_sub(planned);
        println!(
            "planned {:.0} items/s, carried out {:.0} items/s, over all {:.0} items/s",
            rate(planned),
            rate(booked),
            rate(took)
        );
    }
    for stage in ["plan", "book"] {
        if let Some((p50, p99, most)) = pages.quantiles(stage) {
            println!(
                "a page of `{stage}` holds the database p50 {p50:?}, p99 {p99:?}, at most {most:?}"
            );
        }
    }
}

/// Starts another process that settles, and is killed with SIGKILL in the middle.
fn crash(asked: &Asked, url: &str, stage: &str, at: usize) {
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--child", stage, "--database", url])
        .args(["--due", &asked.due.to_string()])
        .args(["--crash-at", &at.to_string()])
        .status()
        .unwrap();
    assert!(!status.success(), "it was to be killed in `{stage}`");
}

async fn die(asked: &Asked, stage: &str) {
    let stage = ["plan", "book"].into_iter().find(|s| *s == stage).unwrap();
    let items = asked.crash_at.unwrap();
    Pages::install(Some(Death { stage, items }));
    let db = open(&asked.database).await;
    let clock = ManualClock::at(asked.filling("").until());
    // The one that is killed later comes after the lease of the first.
    let later = if stage == "book" {
        LEASE_SECONDS + 1
    } else {
        0
    };
    clock.advance(later);
    let node = node_id().unwrap();
    let connection = ConnectionId::from("live");
    run_now(&db, &connection, &node, &clock).await.unwrap();
    panic!("it should have been killed");
}

/// Whatever happened on the way: one accrual each, and four entries that sum to zero.
async fn totals(db: &Db, asked: &Asked, ran: Option<&Ran>) {
    if asked.crash_at.is_none() {
        let settled = ran.unwrap().totals.settled;
        assert_eq!(usize::try_from(settled).unwrap(), asked.due);
    }
    let mut tx = db.read().await.unwrap();
    let mut counts = Vec::new();
    for text in [
        "SELECT COUNT(*) FROM qualifications WHERE state = 'settled'",
        "SELECT COUNT(*) FROM ledger_transactions",
        "SELECT COUNT(*) FROM outbox",
        "SELECT COUNT(*) FROM batch_items WHERE state = 'done'",
        "SELECT COUNT(*) / 4 FROM ledger_entries",
    ] {
        let (count,): (i64,) = Statement::new(text).fetch_one(&mut tx).await.unwrap();
        counts.push(usize::try_from(count).unwrap());
    }
    assert_eq!(counts, [asked.due; 5], "each exactly once");
}

async fn verify_alone(db: &Db, connection: &ConnectionId, now: Timestamp) {
    let started = Instant::now();
    forget_peak();
    verified(db, connection, now).await;
    println!(
        "verified in {:.1} s, peak memory {} MB: qualifications, uniqueness, ledger, batches",
        started.elapsed().as_secs_f64(),
        memory_kib() / 1024
    );
}

/// What can be recomputed of a settlement without events: the queue against its verdicts,
/// uniqueness, the ledger and the batches. Facts, and verdicts from facts, need events.
async fn verified(db: &Db, connection: &ConnectionId, now: Timestamp) {
    let scope = Scope {
        account: None,
        mode: Mode::Live,
    };
    let report = verify(db, connection, &scope, now).await.unwrap();
    let mut seen = 0;
    for check in &report.checks {
        if ["qualifications", "uniqueness", "ledger", "batches"].contains(&check.name) {
            let first = check.differences.first();
            assert!(check.is_ok(), "{}: {first:?}", check.name);
            seen += 1;
        }
    }
    assert_eq!(seen, 4);
}

/// Bytes that were written so far: what a batch costs, whoever else works on the machine.
#[derive(Clone, Copy)]
struct Written {
    bytes: u64,
    to: &'static str,
}

impl Written {
    async fn now(db: &Db) -> Self {
        match db {
            Db::Sqlite { .. } => {
                let io = std::fs::read_to_string("/proc/self/io").unwrap();
                let line = io.lines().find_map(|line| line.strip_prefix("wchar: "));
                Self {
                    bytes: line.unwrap().parse().unwrap(),
                    to: "to files",
                }
            }
            Db::Postgres(server) => {
                let text = "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint";
                let bytes: i64 = sqlx::query_scalar(text)
                    .fetch_one(server.pool())
                    .await
                    .unwrap();
                Self {
                    bytes: bytes.unsigned_abs(),
                    to: "to the log",
                }
            }
        }
    }

    fn since(self, before: Self) -> Self {
        Self {
            bytes: self.bytes - before.bytes,
            ..self
        }
    }
}

/// Has the kernel count the peak of memory from here.
fn forget_peak() {
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
}

/// Bytes of the database; on SQLite once everything is written back into its file.
async fn size(db: &Db, url: &str) -> u64 {
    match db {
        Db::Sqlite { write, .. } => {
            sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
                .execute(write)
                .await
                .unwrap();
            let path = url.trim_start_matches("sqlite://");
            std::fs::metadata(Path::new(path)).unwrap().len()
        }
        Db::Postgres(server) => {
            let size: i64 = sqlx::query_scalar("SELECT pg_database_size(current_database())")
                .fetch_one(server.pool())
                .await
                .unwrap();
            size.unsigned_abs()
        }
    }
}

fn memory_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let number = line.unwrap().split_whitespace().nth(1);
    number.unwrap().parse().unwrap()
}
