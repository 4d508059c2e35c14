//! A node that stands still holds nobody up for long, and does no harm when it goes on.

use std::time::Duration;

use qualify::domain::verdict::VerdictState;
use qualify::store::Statement;
use qualify::store::leases::{Stage, enter};

use crate::fill::{connect, default_of, live, nothing_is_lost, refer, site, verdicts, worked_off};
use crate::size;
use crate::support::node::{Load, customer, payment, post, wait_until};
use crate::support::postgres::fresh_database;

const PATIENCE: Duration = Duration::from_secs(90);

/// The server ends transactions that stand still for this long, instead of 30 s.
pub async fn soon_ended(url: &str) {
    default_of(url, "idle_in_transaction_session_timeout = '2s'").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_stands_still_in_a_transaction_loses_it() {
    let url = fresh_database().await;
    soon_ended(&url).await;
    let folder = tempfile::tempdir().unwrap();
    let site = site(folder.path(), &url);
    let node = site.start();
    node.ready(PATIENCE);
    let db = connect(&url).await;
    let mut still = db.begin().await.unwrap();
    enter(&mut still, &live(), Stage::Fold).await.unwrap();
    assert_eq!(post(node.address, &customer("held")), Some(200));
    worked_off(&db, PATIENCE).await;
    assert!(
        still.commit().await.is_err(),
        "the transaction was ended by the server"
    );
    node.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn transactions_are_bounded_by_default() {
    let db = connect(&fresh_database().await).await;
    let mut tx = db.begin().await.unwrap();
    let (bound,): (String,) =
        Statement::new("SELECT current_setting('idle_in_transaction_session_timeout') AS bound")
            .fetch_one(&mut tx)
            .await
            .unwrap();
    assert_eq!(bound, "30s");
}

#[tokio::test(flavor = "multi_thread")]
async fn frozen_under_load_and_thawed() {
    let url = fresh_database().await;
    soon_ended(&url).await;
    let folder = tempfile::tempdir().unwrap();
    let site = site(folder.path(), &url);
    let (frozen, other) = (site.start(), site.start());
    frozen.ready(PATIENCE);
    other.ready(PATIENCE);
    let people: Vec<String> = (0..size(200, 2_000)).map(|n| format!("f{n}")).collect();
    let db = connect(&url).await;
    refer(&db, &people).await;
    let told = people.clone();
    let body = move |n: usize| match told.get(n) {
        Some(who) => Some(customer(who)),
        None => told.get(n - told.len()).map(|who| payment(who)),
    };
    // Only the other one is sent to; the frozen one works beside it until it is stopped.
    let load = Load::start(8, &[other.address], body);
    wait_until(PATIENCE, "events to be taken", || load.answered() > 50);
    frozen.signal("STOP");
    let seen = load.end();
    worked_off(&db, PATIENCE).await;
    assert_eq!(verdicts(&db, VerdictState::Qualified).await, people.len());
    frozen.signal("CONT");
    frozen.ready(PATIENCE);
    let acknowledged = seen.acknowledged.lock().unwrap().clone();
    nothing_is_lost(&db, &acknowledged).await;
    site.verify();
    frozen.end();
    other.end();
}
