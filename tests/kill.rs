//! Nothing that was answered 2xx is lost, whenever the program is killed: signed events under
//! load, `kill -9` at some moment, and again on the same database. On both engines.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod support;

use std::collections::BTreeSet;
use std::time::Duration;

use qualify::domain::ids::ConnectionId;
use qualify::store::events::{EventFilter, list_events};
use qualify::store::{ConnectOptions, Db};
use support::node::{Load, Site, customer};

/// How often it is killed; `KILLS=50` is the long run.
const KILLS: usize = 4;
const SENDERS: usize = 16;
/// After a kill it serves again within this time; the goal of 2 s is for a machine at rest.
const READY_WITHIN: Duration = Duration::from_secs(20);

fn kills() -> usize {
    std::env::var("KILLS").map_or(KILLS, |text| text.parse().expect("KILLS is a number"))
}

async fn stored(url: &str) -> Vec<String> {
    let db = Db::connect(url, &ConnectOptions::default()).await.unwrap();
    let mut tx = db.read().await.unwrap();
    let live = ConnectionId::from("live");
    let all = list_events(&mut tx, &live, &EventFilter::default(), None, 10_000_000).await;
    let ids = all.unwrap().into_iter().map(|event| event.event_id);
    ids.collect()
}

async fn survives(url: &str) {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::new(folder.path(), url);
    let mut acknowledged = BTreeSet::new();
    let mut slowest = Duration::ZERO;
    for round in 0..kills() {
        let begun = std::time::Instant::now();
        let node = site.start();
        node.ready(READY_WITHIN);
        slowest = slowest.max(begun.elapsed());
        // One customer each, so that the stages behind intake have work as well.
        let body = move |n| Some(customer(&format!("{round}_{n}")));
        let load = Load::start(SENDERS, &[node.address], body);
        // Moments spread over the first second and a half, the same on every run.
        let moment = Duration::from_millis(50 + (round as u64 * 397) % 1450);
        std::thread::park_timeout(moment);
        node.kill();
        load.stop();
        let seen = load.end();
        acknowledged.extend(seen.acknowledged.lock().unwrap().iter().cloned());
    }
    let there = stored(url).await;
    let distinct: BTreeSet<&String> = there.iter().collect();
    assert_eq!(distinct.len(), there.len(), "no event is stored twice");
    let lost: Vec<&String> = acknowledged
        .iter()
        .filter(|id| !distinct.contains(id))
        .collect();
    assert!(
        lost.is_empty(),
        "{} of {} are lost: {lost:?}",
        lost.len(),
        acknowledged.len()
    );
    assert!(
        acknowledged.len() > 30 * kills(),
        "only {} were sent",
        acknowledged.len()
    );
    site.verify();
    println!(
        "{} acknowledged, {} stored, {} kills, ready again in {slowest:?} at most",
        acknowledged.len(),
        there.len(),
        kills()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_kill_9_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    survives(&format!("sqlite://{}/kill.db", folder.path().display())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_kill_9_on_postgres() {
    survives(&support::postgres::fresh_database().await).await;
}
