//! `qualify migrate --from … --to …`: a whole installation moved to the other engine and back
//! is the same, verified, answers the same bytes, and goes on working; and whatever is half
//! copied is as empty as before.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "support/acts.rs"]
mod acts;
mod support;
#[path = "support/world.rs"]
mod world;

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use acts::Acts;
use qualify::clock::Clock as _;
use qualify::domain::time::Timestamp;
use qualify::store::{ConnectOptions, Db, Statement};
use serde_json::{Value, json};
use support::postgres::fresh_database;
use world::World;

/// Acts before the move, and the days they last: enough for batches, refunds and decisions.
const ACTS: usize = 20;
const DAYS: i64 = 100;
/// Rows of each list whose details are compared.
const DETAILS: usize = 8;

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_qualify"));
    command.arg("migrate").args(arguments).env_clear();
    command
}

fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    ended(&command(arguments).output().unwrap())
}

fn ended(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

fn sqlite_in(folder: &Path, name: &str) -> String {
    format!("sqlite://{}/{name}.db", folder.display())
}

async fn lived(url: &str) -> Timestamp {
    let world = World::new(url).await;
    let mut acts = Acts::new(7, ACTS, DAYS);
    for _ in 0..ACTS {
        acts.act(&world).await;
    }
    let now = world.clock.now();
    world.verified().await;
    world.db.close().await;
    now
}

async fn answers(url: &str, now: Timestamp) -> Vec<(String, world::Answer)> {
    let world = World::open(url, now).await;
    let answers = world.answers(DETAILS).await;
    world.db.close().await;
    answers
}

/// How many rows all tables hold.
async fn rows(url: &str) -> i64 {
    let db = Db::connect(url, &ConnectOptions::default()).await.unwrap();
    let mut tx = db.read().await.unwrap();
    let mut all = 0;
    for text in [
        "SELECT COUNT(*) FROM connections",
        "SELECT COUNT(*) FROM events",
        "SELECT COUNT(*) FROM verdicts",
        "SELECT COUNT(*) FROM ledger_entries",
    ] {
        let (count,): (i64,) = Statement::new(text).fetch_one(&mut tx).await.unwrap();
        all += count;
    }
    drop(tx);
    db.close().await;
    all
}

/// Copies, and holds what is said of it.
fn moved(from: &str, to: &str) -> Value {
    let (code, said, logged) = run(&["--from", from, "--to", to, "--json"]);
    assert_eq!(code, Some(0), "{said}{logged}");
    assert_eq!(logged, "", "a pipe is told nothing");
    serde_json::from_str(&said).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn to_postgres_and_back_it_is_the_same_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let first = sqlite_in(folder.path(), "first");
    let second = fresh_database().await;
    let third = sqlite_in(folder.path(), "third");
    let now = lived(&first).await;
    let before = answers(&first, now).await;

    let there = moved(&first, &second);
    let back = moved(&second, &third);
    assert_eq!(there["tables"], back["tables"]);
    assert!(there["rows"].as_u64().unwrap() > 3_000, "{}", there["rows"]);
    let verified = there["verified"].as_array().unwrap();
    assert_eq!(verified[0]["connection"], "live");
    assert!(verified[0]["checks"].as_array().unwrap().len() > 8);
    assert!(
        !there.to_string().contains("postgres@"),
        "addresses are redacted"
    );

    for url in [&second, &third] {
        assert_eq!(answers(url, now).await, before);
        goes_on(url, now).await;
    }
    // The source is as it was.
    assert_eq!(answers(&first, now).await, before);
}

/// A payment that comes after the move changes a verdict, and a batch runs.
async fn goes_on(url: &str, now: Timestamp) {
    let world = World::open(url, now).await;
    let pending = world.get("/referrals?state=pending&limit=100").await.json();
    let rows = pending["data"].as_array().unwrap();
    let row = rows
        .iter()
        .find(|row| row["reason"]["code"] == "below_threshold");
    let row = row.expect("somebody has paid too little");
    let path = format!("/referrals/{}", row["id"].as_str().unwrap());
    let told = world.get(&format!("{path}/explanation")).await.json();
    let verdict = &told["verdict"];
    let customer = verdict["customers"][0]["id"].as_str();
    let customer = customer.or(verdict["customers"][0].as_str());
    let customer = customer.unwrap_or_else(|| panic!("{verdict:#}"));
    let at = row_opens(verdict).unwrap_or_else(|| panic!("{verdict:#}"));
    let currency = verdict["spend"][0]["currency"].as_str();
    let charge = json!({
        "id": "evt_after", "object": "event", "type": "charge.succeeded", "created": at,
        "livemode": true, "api_version": "2022-11-15", "data": { "object": {
            "id": "ch_after", "object": "charge", "customer": customer, "amount": 900_000,
            "amount_captured": 900_000, "amount_refunded": 0, "captured": true, "paid": true,
            "status": "succeeded", "currency": currency.unwrap_or("usd"), "created": at,
            "livemode": true, "refunded": false, "invoice": null, "payment_intent": null,
        } },
    });
    world.deliver(&[charge.to_string()]).await;
    world.catch_up().await;
    let after = world.get(&path).await.json();
    assert_ne!(after["reason"]["code"], "below_threshold", "{after:#}");
    world.post("/batches/run", json!({})).await;
    world.catch_up().await;
    world.verified().await;
    world.db.close().await;
}

/// A moment within the window of a verdict.
fn row_opens(verdict: &Value) -> Option<i64> {
    let opens = verdict["window"]["opens_at"].as_str()?;
    Some(Timestamp::parse(opens)?.unix() + 60)
}

#[tokio::test]
async fn what_cannot_be_copied_is_refused_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let source = sqlite_in(folder.path(), "source");
    let world = World::new(&source).await;
    let refused = |from: &str, to: &str, expected: i32, words: &str| {
        let (code, said, logged) = run(&["--from", from, "--to", to]);
        assert_eq!(code, Some(expected), "{said}{logged}");
        assert!(logged.contains(words), "{logged}");
        assert_eq!(said, "");
    };

    // Somebody has it open.
    let target = fresh_database().await;
    refused(&source, &target, 75, "in use");
    world.db.close().await;

    // It is not there; and looking for it makes none.
    let none = sqlite_in(folder.path(), "none");
    refused(&none, &target, 3, "no database file");
    assert!(!folder.path().join("none.db").exists());
    // It is the same one.
    refused(&source, &source, 2, "the same");
    // It has no tables, or those of another version.
    let bare = fresh_database().await;
    refused(&bare, &target, 1, "not those of this version");
    let other = sqlite_in(folder.path(), "other");
    let db = Db::connect(&other, &ConnectOptions::default())
        .await
        .unwrap();
    let mut tx = db.begin().await.unwrap();
    let made = Statement::new("CREATE TABLE events (a TEXT) STRICT");
    made.execute(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
    db.close().await;
    refused(&source, &other, 1, "not those of this version");

    // The target holds something. What is not named is copied from the settings' database.
    let full = fresh_database().await;
    let mut by_settings = command(&["--to", &full]);
    let by_settings = by_settings.env("DATABASE_URL", &source).output().unwrap();
    let (code, said, logged) = ended(&by_settings);
    assert_eq!((code, logged.as_str()), (Some(0), ""), "{said}");
    for words in [
        "CONTENT, THE SAME IN BOTH",
        "Recomputed in the copy, connection live:",
        "rows copied from sqlite://",
        "The source is as it was.",
    ] {
        assert!(said.contains(words), "{said}");
    }
    refused(&source, &full, 1, "holds rows in");
    // Somebody is connected to a PostgreSQL source.
    let open = Db::connect(&full, &ConnectOptions::default())
        .await
        .unwrap();
    refused(&full, &target, 75, "in use");
    // Somebody writes to the target.
    open.close().await;
    let busy = sqlite_in(folder.path(), "busy");
    let open = Db::connect(&busy, &ConnectOptions::default())
        .await
        .unwrap();
    open.migrate().await.unwrap();
    let writing = open.begin().await.unwrap();
    refused(&source, &busy, 75, "being written to");
    drop(writing);
    open.close().await;
    let target = Db::connect(&target, &ConnectOptions::default())
        .await
        .unwrap();
    assert!(!target.is_migrated().await.unwrap(), "nothing was written");
}

/// Whether a copy is in the middle of writing to this database.
async fn is_being_written(target: &Db) -> bool {
    match target {
        // Asks for the lock that a writer has.
        Db::Sqlite { .. } => target.begin().await.is_err(),
        Db::Postgres(_) => {
            let mut tx = target.read().await.unwrap();
            let (writing,): (i64,) = Statement::new(
                "SELECT COUNT(*) FROM pg_stat_activity
                 WHERE datname = current_database() AND application_name = 'qualify'
                   AND pid <> pg_backend_pid() AND backend_xid IS NOT NULL",
            )
            .fetch_one(&mut tx)
            .await
            .unwrap();
            tx.rollback().await.unwrap();
            writing > 0
        }
    }
}

/// Killed in the middle, a target is as empty as before; nothing has to be cleaned up for the
/// next copy, which is whole.
async fn killed(from: &str, to: &str, to_kill: u32) {
    let options = ConnectOptions {
        busy_timeout: Duration::ZERO,
        ..ConnectOptions::default()
    };
    let target = Db::connect(to, &options).await.unwrap();
    target.migrate().await.unwrap();
    for round in 0..to_kill {
        let mut child = command(&["--from", from, "--to", to, "--no-verify"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        while !is_being_written(&target).await {
            assert_eq!(child.try_wait().unwrap(), None, "it was over too soon");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        tokio::time::sleep(Duration::from_millis(u64::from(round * 30))).await;
        child.kill().unwrap();
        let how = child.wait().unwrap();
        assert_eq!(how.code(), None, "it was not killed in the middle");
        assert_eq!(rows(to).await, 0);
    }
    target.close().await;
    moved(from, to);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_that_is_killed_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let source = sqlite_in(folder.path(), "source");
    lived(&source).await;
    killed(&source, &fresh_database().await, 3).await;
    killed(&source, &sqlite_in(folder.path(), "target"), 3).await;
}
