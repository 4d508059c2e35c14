//! PostgreSQL stops as in a crash, or its postmaster is killed, while events come in.

use std::time::{Duration, Instant};

use crate::fill::{connect, nothing_is_lost, site, worked_off};
use crate::size;
use crate::support::cluster::Cluster;
use crate::support::node::{Load, customer, wait_until};

const PATIENCE: Duration = Duration::from_secs(60);
/// After the database is back, events have to be taken again within this time.
const RECOVERED_WITHIN: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_answered_200_while_it_is_gone_and_nothing_is_lost() {
    let mut cluster = Cluster::start(&[]);
    cluster.sql("CREATE DATABASE q").await;
    let folder = tempfile::tempdir().unwrap();
    let site = site(folder.path(), &cluster.url("q"));
    let (a, b) = (site.start(), site.start());
    a.ready(PATIENCE);
    b.ready(PATIENCE);
    let load = Load::start(4, &[a.address, b.address], |n| {
        Some(customer(&format!("d{n}")))
    });
    let taken = |since: usize| {
        let more = || load.answered() > since + 20;
        wait_until(PATIENCE, "events to be taken", more);
    };
    taken(0);
    for round in 0..2 * size(1, 5) {
        if round % 2 == 0 {
            cluster.stop();
        } else {
            cluster.kill();
        }
        // Answers to what was stored before are still under way.
        std::thread::park_timeout(Duration::from_millis(500));
        let before = load.answered();
        std::thread::park_timeout(Duration::from_secs(1));
        assert_eq!(
            load.answered(),
            before,
            "200 was answered without a database"
        );
        cluster.start_again();
        let back = Instant::now();
        wait_until(RECOVERED_WITHIN, "events to be taken again", || {
            load.answered() > before
        });
        println!(
            "taken again {:?} after the database was back",
            back.elapsed()
        );
        taken(load.answered());
    }
    load.stop();
    let seen = load.end();
    let refusals = seen.refusals.lock().unwrap().clone();
    assert!(!refusals.is_empty() && refusals.iter().all(|(_, status)| *status == 503));
    let db = connect(&site.url).await;
    let acknowledged = seen.acknowledged.lock().unwrap().clone();
    nothing_is_lost(&db, &acknowledged).await;
    worked_off(&db, PATIENCE).await;
    db.close().await;
    site.verify();
    a.end();
    b.end();
}
