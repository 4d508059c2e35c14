//! Everything through a real PgBouncer in transaction mode, where no session outlives its
//! transaction: start, events, verdicts, the API, a batch, verify.

use std::time::Duration;

use qualify::domain::verdict::VerdictState;

use crate::fill::{connect, nothing_is_lost, number, refer, site, verdicts, worked_off};
use crate::size;
use crate::support::cluster::Cluster;
use crate::support::node::{Load, Starting, customer, payment};

const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn in_transaction_mode_without_prepared_statements() {
    let mut cluster = Cluster::start(&[]);
    cluster.sql("CREATE DATABASE q").await;
    let pooled = format!("{}&statement-cache-capacity=0", cluster.pooler("q"));
    let folder = tempfile::tempdir().unwrap();
    let site = site(folder.path(), &pooled);
    // Three nodes with eight connections each on five of the server's.
    let nodes: Vec<_> = (0..3)
        .map(|_| site.spawn("127.0.0.1:0".parse().unwrap()))
        .collect();
    let nodes: Vec<_> = nodes.into_iter().map(Starting::greeted).collect();
    let db = connect(&pooled).await;
    let people: Vec<String> = (0..size(100, 2_000)).map(|n| format!("b{n}")).collect();
    refer(&db, &people).await;
    let addresses: Vec<_> = nodes.iter().map(|node| node.address).collect();
    let told = people.clone();
    let load = Load::start(12, &addresses, move |n: usize| match told.get(n) {
        Some(who) => Some(customer(who)),
        None => told.get(n - told.len()).map(|who| payment(who)),
    });
    let seen = load.end();
    assert!(seen.refusals.lock().unwrap().is_empty(), "{seen:?}");
    let acknowledged = seen.acknowledged.lock().unwrap().clone();
    nothing_is_lost(&db, &acknowledged).await;
    worked_off(&db, PATIENCE).await;
    assert_eq!(verdicts(&db, VerdictState::Qualified).await, people.len());

    let settled = site.run(&["settle", "--now"]);
    let said = String::from_utf8_lossy(&settled.stdout).into_owned();
    assert!(
        said.contains(&format!("{} settled", people.len())),
        "{settled:?}"
    );
    let booked = number(&db, "SELECT COUNT(*) FROM ledger_transactions").await;
    assert_eq!(usize::try_from(booked).unwrap(), people.len());
    site.verify();
    for node in nodes {
        let logged = node.end();
        assert!(!logged.contains("ERROR"), "{logged}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_prepared_statements_it_is_said_what_is_wrong() {
    let mut cluster = Cluster::start(&[]);
    cluster.sql("CREATE DATABASE q").await;
    let pooled = cluster.pooler("q");
    let folder = tempfile::tempdir().unwrap();
    let site = site(folder.path(), &pooled);
    let mut said = String::new();
    // The first to come may find every server connection fresh.
    for _ in 0..5 {
        let output = site.run(&["migrate"]);
        said = String::from_utf8_lossy(&output.stderr).into_owned();
        if !output.status.success() {
            break;
        }
    }
    assert!(said.contains("add ?statement-cache-capacity=0"), "{said}");
}
