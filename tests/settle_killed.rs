//! A process that settles is killed while it plans, and another one while it books; a third one
//! settles on. Everything is settled once, on both engines.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::zombie_processes,
    reason = "a test fails by panicking"
)]

mod support;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use qualify::clock::{Clock, ManualClock, SystemClock};
use qualify::domain::campaign::Mode;
use qualify::domain::ids::{ConnectionId, NodeId};
use qualify::domain::time::Timestamp;
use qualify::ingest::read::Scope;
use qualify::settle::duty::LEASE_SECONDS;
use qualify::settle::schedule::run_now;
use qualify::store::{ConnectOptions, Db, Statement};
use qualify::verify::verify;
use support::due::Due;

/// Enough that a process is still at it when it is killed; `DUE=100000` is the long run.
const DUE: usize = 4_000;
/// Between two looks at how far it has got.
const LOOK: Duration = Duration::from_millis(2);
/// How often it is looked before the test gives up: two minutes.
const LOOKS_MAX: u32 = 60_000;

fn start(url: &str, folder: &Path) -> Child {
    Command::new(env!("CARGO_BIN_EXE_qualify"))
        .args(["settle", "--now"])
        .current_dir(folder)
        .env_clear()
        .env("DATABASE_URL", url)
        .env("STRIPE_MODE", "live")
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

async fn count(db: &Db, text: &'static str) -> i64 {
    let mut tx = db.read().await.unwrap();
    let (count,) = Statement::new(text).fetch_one(&mut tx).await.unwrap();
    count
}

/// Kills the process as soon as the count is past a thousand; what state the batch was left in.
async fn killed_at(db: &Db, mut child: Child, text: &'static str) -> String {
    for _ in 0..LOOKS_MAX {
        if count(db, text).await >= 1_000 {
            break;
        }
        let ended = child.try_wait().unwrap();
        assert_eq!(ended, None, "it was too fast, or failed");
        tokio::time::sleep(LOOK).await;
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let mut tx = db.read().await.unwrap();
    let text = "SELECT state FROM batches WHERE state <> 'done'";
    let (state,) = Statement::new(text).fetch_one(&mut tx).await.unwrap();
    state
}

async fn nothing_is_lost_or_doubled(url: &str) {
    let folder = tempfile::tempdir().unwrap();
    let db = Db::connect(url, &ConnectOptions::default()).await.unwrap();
    db.migrate().await.unwrap();
    let count_due = std::env::var("DUE").map_or(DUE, |text| text.parse().unwrap());
    let due = Due {
        count: count_due,
        promoters: 100,
        campaign: ("gone".to_owned(), "sha256:0".to_owned()),
        since: Timestamp::parse("2026-01-01T00:00:00Z").unwrap(),
    };
    let live = ConnectionId::from("live");
    due.store(&db, &live).await;

    let planning = start(url, folder.path());
    let state = killed_at(&db, planning, "SELECT COUNT(*) FROM batch_items").await;
    assert_eq!(state, "planning");
    assert_eq!(
        count(&db, "SELECT COUNT(*) FROM ledger_transactions").await,
        0
    );

    // Nobody waits for the end of the lease of the one that was killed: it is taken back here.
    free(&db).await;
    let booking = start(url, folder.path());
    let state = killed_at(&db, booking, "SELECT COUNT(*) FROM ledger_transactions").await;
    assert_eq!(state, "executing");
    let all = i64::try_from(count_due).unwrap();
    let booked = count(&db, "SELECT COUNT(*) FROM ledger_transactions").await;
    assert!(booked < all, "it was killed in the middle");

    let clock = ManualClock::at(SystemClock.now());
    clock.advance(2 * LEASE_SECONDS);
    let node = NodeId::from("node_b");
    let ran = run_now(&db, &live, &node, &clock).await.unwrap();
    let settled = ran.map(|ran| ran.totals.settled);
    assert_eq!(settled, Some(all), "what was open is all there was");
    let again = run_now(&db, &live, &node, &clock).await.unwrap();
    assert_eq!(again, None);
    for text in [
        "SELECT COUNT(*) FROM qualifications WHERE state = 'settled'",
        "SELECT COUNT(*) FROM ledger_transactions",
        "SELECT COUNT(*) FROM outbox",
        "SELECT COUNT(*) FROM batch_items WHERE state = 'done'",
        "SELECT plan_items FROM batches WHERE state = 'done'",
    ] {
        assert_eq!(count(&db, text).await, all, "{text}");
    }
    let scope = Scope {
        account: None,
        mode: Mode::Live,
    };
    let report = verify(&db, &live, &scope, clock.now()).await.unwrap();
    for check in &report.checks {
        // Verdicts without events cannot be recomputed; everything else can.
        let first = check.differences.first();
        assert!(
            check.is_ok() || check.name == "verdicts",
            "{}: {first:?}",
            check.name
        );
    }
}

async fn free(db: &Db) {
    let mut tx = db.begin().await.unwrap();
    let text = "UPDATE leases SET expires_at_us = 0 WHERE name = 'settle:live'";
    assert_eq!(Statement::new(text).execute(&mut tx).await.unwrap(), 1);
    tx.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/killed.db", folder.path().display());
    nothing_is_lost_or_doubled(&url).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_postgres() {
    let url = support::postgres::fresh_database().await;
    nothing_is_lost_or_doubled(&url).await;
}
