//! Batches that several nodes want to run at the same instant: every qualification is settled
//! once, although one node is killed and another stands still in the middle of it.

use std::time::Duration;

use qualify::clock::SystemClock;
use qualify::config::Secret;
use qualify::domain::campaign::Mode;
use qualify::domain::verdict::VerdictState;
use qualify::ingest::read::Scope;
use qualify::ingest::worker::ingest_batch;
use qualify::intake::{Endpoint, admit};
use qualify::queue::worker::judge_batch;
use qualify::store::events::insert_events;
use qualify::store::{Db, Statement};

use crate::fill::{RULES, connect, default_of, live, number, refer, site, verdicts};
use crate::size;
use crate::support::node::{Node, Starting, customer, payment, wait_until};
use crate::support::postgres::fresh_database;

const PATIENCE: Duration = Duration::from_secs(300);

/// Everybody has paid and is judged; nothing is settled yet.
async fn fill(db: &Db, people: &[String]) {
    let by = qualify::domain::access::By::command_line();
    let author = qualify::registry::campaigns::Author {
        by: &by,
        why: "test",
    };
    qualify::registry::campaigns::save(db, &live(), &SystemClock, RULES, None, author)
        .await
        .unwrap();
    refer(db, people).await;
    let endpoint = Endpoint {
        connection: live(),
        mode: Mode::Live,
        account: None,
        secrets: Vec::<Secret>::new(),
    };
    let bodies = people.iter().flat_map(|who| [customer(who), payment(who)]);
    let events: Vec<_> = bodies
        .zip(1..)
        .map(|(body, at_us)| admit(&endpoint, body.into_bytes(), None, at_us).unwrap())
        .collect();
    for group in events.chunks(500) {
        insert_events(db, &live(), group).await.unwrap();
    }
    let scope = Scope {
        account: None,
        mode: Mode::Live,
    };
    while ingest_batch(db, &live(), &scope, &SystemClock)
        .await
        .unwrap()
        > 0
    {}
    while judge_batch(db, &live(), &SystemClock).await.unwrap() > 0 {}
    assert_eq!(verdicts(db, VerdictState::Qualified).await, people.len());
}

async fn booked(db: &Db) -> usize {
    let booked = number(db, "SELECT COUNT(*) FROM ledger_transactions").await;
    usize::try_from(booked).unwrap()
}

/// Has the time pass after which another node may take the duty of one that is not heard of.
async fn pass(db: &Db) {
    let mut tx = db.begin().await.unwrap();
    Statement::new("UPDATE leases SET expires_at_us = 0 WHERE name LIKE 'settle:%'")
        .execute(&mut tx)
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

async fn race(count: usize, nodes: usize) {
    let url = fresh_database().await;
    crate::frozen::soon_ended(&url).await;
    let folder = tempfile::tempdir().unwrap();
    let quiet = site(folder.path(), &url);
    let db = connect(&url).await;
    db.migrate().await.unwrap();
    let people: Vec<String> = (0..count).map(|n| format!("s{n}")).collect();
    fill(&db, &people).await;

    // The same instant for all of them: the schedule has one every two seconds.
    let site = quiet.clone().with("SETTLE_CRON", "*/2 * * * * *");
    let starting: Vec<Starting> = (0..nodes)
        .map(|_| site.spawn("127.0.0.1:0".parse().unwrap()))
        .collect();
    let mut nodes: Vec<Node> = starting.into_iter().map(Starting::greeted).collect();
    let handle = tokio::runtime::Handle::current();
    let settled = || tokio::task::block_in_place(|| handle.block_on(booked(&db)));
    wait_until(PATIENCE, "the first chunk to be settled", || settled() > 0);
    let at_work = settled();
    // Of two nodes one is killed and started again; of more, one is killed and one frozen.
    let frozen = if nodes.len() > 2 {
        let frozen = nodes.remove(0);
        frozen.signal("STOP");
        Some(frozen)
    } else {
        None
    };
    nodes.remove(0).kill();
    if !crate::is_long() {
        pass(&db).await;
    }
    wait_until(PATIENCE, "everybody to be settled", || settled() >= count);
    println!("{at_work} of {count} were settled when one was killed");
    if let Some(frozen) = frozen {
        frozen.signal("CONT");
        frozen.ready(PATIENCE);
        nodes.push(frozen);
    }
    // Two more instants, in which nobody finds anything to do.
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(booked(&db).await, count, "an accrual each, and none twice");
    let (sum, open) = (
        number(
            &db,
            "SELECT CAST(COALESCE(SUM(amount_minor), 0) AS BIGINT) FROM ledger_entries",
        ),
        number(&db, "SELECT COUNT(*) FROM batches WHERE state <> 'done'"),
    );
    assert_eq!(sum.await, 0, "entries and counter-entries");
    // No other one can be counted than that of this very instant.
    assert!(open.await <= 1, "every batch is finished");
    let owed = number(
        &db,
        "SELECT CAST(SUM(amount_minor) AS BIGINT) FROM ledger_entries WHERE account = 'promoter:ana'",
    );
    assert_eq!(usize::try_from(owed.await).unwrap(), 2_000 * count);
    // It looks at everything in one transaction, and thinks for longer than two seconds.
    default_of(&url, "idle_in_transaction_session_timeout = 0").await;
    quiet.verify();
    for node in nodes {
        node.end();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn by_two_nodes() {
    race(size(300, 10_000), 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn by_three_nodes() {
    race(size(1_000, 10_000), 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn by_five_nodes() {
    race(size(300, 10_000), 5).await;
}
