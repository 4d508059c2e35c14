//! Nodes that are ended, started again and killed while events come in.

use std::path::Path;
use std::time::Duration;

use qualify::domain::verdict::VerdictState;
use qualify::store::Db;

use crate::fill::{connect, nothing_is_lost, refer, site, verdicts, worked_off};
use crate::size;
use crate::support::node::{Load, Node, Seen, Site, customer, payment, wait_until};
use crate::support::postgres::fresh_database;

const SENDERS: usize = 12;
const PATIENCE: Duration = Duration::from_secs(90);

fn people(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("p{n}")).collect()
}

/// Every customer first, then every payment.
fn bodies(people: &[String]) -> impl Fn(usize) -> Option<String> + Send + Sync + 'static {
    let people = people.to_vec();
    move |n| match people.get(n) {
        Some(who) => Some(customer(who)),
        None => people.get(n - people.len()).map(|who| payment(who)),
    }
}

async fn three_nodes(folder: &Path, people: &[String]) -> (Site, Db, Vec<Node>) {
    let site = site(folder, &fresh_database().await);
    let nodes: Vec<Node> = (0..3).map(|_| site.start()).collect();
    for node in &nodes {
        node.ready(PATIENCE);
    }
    let db = connect(&site.url).await;
    refer(&db, people).await;
    (site, db, nodes)
}

/// Nothing acknowledged is lost, nothing but 503 was answered, everybody is judged once.
async fn all_is_well(site: &Site, db: &Db, people: &[String], seen: &Seen) {
    let refusals = seen.refusals.lock().unwrap().clone();
    assert!(
        refusals.iter().all(|(_, status)| *status == 503),
        "{refusals:?}"
    );
    let acknowledged = seen.acknowledged.lock().unwrap().clone();
    assert_eq!(acknowledged.len(), 2 * people.len());
    nothing_is_lost(db, &acknowledged).await;
    worked_off(db, PATIENCE).await;
    assert_eq!(verdicts(db, VerdictState::Qualified).await, people.len());
    site.verify();
}

#[tokio::test(flavor = "multi_thread")]
async fn restarted_one_after_the_other() {
    let people = people(size(300, 3_000));
    let folder = tempfile::tempdir().unwrap();
    let (site, db, mut nodes) = three_nodes(folder.path(), &people).await;
    let addresses: Vec<_> = nodes.iter().map(|node| node.address).collect();
    let load = Load::start(SENDERS, &addresses, bodies(&people));
    for round in 1..=3 {
        let enough = || load.answered() >= round * people.len() / 2;
        wait_until(PATIENCE, "events to be taken", enough);
        let node = nodes.remove(0);
        let address = node.address;
        let logged = node.end();
        assert!(!logged.contains("ERROR"), "{logged}");
        let again = site.start_at(address);
        again.ready(PATIENCE);
        nodes.push(again);
    }
    let seen = load.end();
    all_is_well(&site, &db, &people, &seen).await;
    for node in nodes {
        node.end();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_killed_and_the_others_go_on() {
    let people = people(size(300, 3_000));
    let folder = tempfile::tempdir().unwrap();
    let (site, db, mut nodes) = three_nodes(folder.path(), &people).await;
    let addresses: Vec<_> = nodes.iter().map(|node| node.address).collect();
    let load = Load::start(SENDERS, &addresses, bodies(&people));
    let enough = || load.answered() >= people.len() / 2;
    wait_until(PATIENCE, "events to be taken", enough);
    nodes.remove(0).kill();
    let seen = load.end();
    // Whatever it had begun is worked off by the two that are left.
    all_is_well(&site, &db, &people, &seen).await;
    for node in nodes {
        node.end();
    }
}
