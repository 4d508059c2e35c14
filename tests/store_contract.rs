//! One contract for the database room, kept by both engines: every function of `store` is
//! called here, by the same code, on SQLite and on PostgreSQL. A missing engine is a failure.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a story that cannot go on has failed"
)]
#![allow(
    clippy::cloned_ref_to_slice_refs,
    reason = "`[a.clone()]` reads as the list that is expected"
)]

mod support;

use qualify::domain::ids::ConnectionId;
use qualify::store::copy::content;
use qualify::store::events::event_page;
use qualify::store::schema::tables;
use qualify::store::{Db, Statement, Tx};
use sha2::{Digest as _, Sha256};

/// How many messages of the outbox nobody has been told of.
async fn waiting(tx: &mut Tx, connection: &ConnectionId) -> i64 {
    let text = "SELECT COUNT(*) FROM outbox WHERE connection_id = $1 AND delivered_at IS NULL";
    let count = Statement::new(text).bind(connection).fetch_one(tx).await;
    let (count,): (i64,) = count.unwrap();
    count
}

/// Makes a test of each story in a file: told on SQLite and on PostgreSQL, each database closed
/// and opened again, and both hold the same rows at the end.
macro_rules! contract {
    ($($story:ident),* $(,)?) => {
        mod on_both {
            $(#[tokio::test]
            async fn $story() {
                crate::scans::collect();
                let folder = tempfile::tempdir().unwrap();
                let sqlite = format!("sqlite://{}/contract.db", folder.path().display());
                let postgres = crate::support::postgres::fresh_database().await;
                let mut kept = Vec::new();
                for url in [sqlite, postgres] {
                    let db = crate::support::open(&url).await;
                    db.migrate().await.unwrap();
                    // Shown if the story fails.
                    println!("on {:?}", db.engine());
                    super::$story(&db).await;
                    kept.push(crate::reopened(db, &url).await);
                }
                assert_eq!(kept[0], kept[1], "both engines keep the same rows");
                crate::scans::check().await;
            })*
        }
    };
}

/// What every table holds: rows, and the sum of their content.
async fn held(db: &Db) -> Vec<(String, u64, String)> {
    let mut tx = db.read().await.unwrap();
    let mut held = Vec::new();
    for mut table in tables(&mut tx).await.unwrap() {
        if table.name == "events" {
            // Packed on one of them: what counts is what is read.
            let packed = ["body", "unpacked_bytes"];
            table
                .columns
                .retain(|column| !packed.contains(&column.name.as_str()));
            held.push(bodies(&mut tx).await);
        }
        let content = content(&mut tx, &table, |_| {}).await.unwrap();
        held.push((table.name, content.rows, content.to_string()));
    }
    tx.rollback().await.unwrap();
    held
}

/// The bodies of all events as they are read: how many, and the sum of them.
async fn bodies(tx: &mut Tx) -> (String, u64, String) {
    let connections = "SELECT DISTINCT connection_id FROM events ORDER BY connection_id";
    let connections: Vec<(String,)> = Statement::new(connections).fetch_all(tx).await.unwrap();
    let (mut count, mut sum) = (0, Sha256::new());
    for (connection,) in connections {
        let connection = ConnectionId::new(connection);
        let events = event_page(tx, &connection, None, 10_000).await.unwrap();
        for event in events {
            count += 1;
            sum.update(Sha256::digest(&event.body));
        }
    }
    ("bodies".to_owned(), count, format!("{:x?}", sum.finalize()))
}

/// Closes a database and opens it again: what was there is there, and is read back.
async fn reopened(db: Db, url: &str) -> Vec<(String, u64, String)> {
    let before = held(&db).await;
    db.close().await;
    let again = support::open(url).await;
    let after = held(&again).await;
    assert_eq!(before, after, "what was committed is still there");
    again.close().await;
    after
}

#[path = "store_contract/access.rs"]
mod access;
#[path = "store_contract/backlog.rs"]
mod backlog;
#[path = "store_contract/by_customer.rs"]
mod by_customer;
#[path = "store_contract/doctor.rs"]
mod doctor;
#[path = "store_contract/events.rs"]
mod events;
#[path = "store_contract/events_apart.rs"]
mod events_apart;
#[path = "store_contract/facts.rs"]
mod facts;
#[path = "store_contract/guard.rs"]
mod guard;
#[path = "store_contract/hooks.rs"]
mod hooks;
#[path = "store_contract/looking.rs"]
mod looking;
#[path = "store_contract/marking.rs"]
mod marking;
#[path = "store_contract/migration.rs"]
mod migration;
#[path = "store_contract/moving.rs"]
mod moving;
#[path = "store_contract/office.rs"]
mod office;
#[path = "store_contract/parity.rs"]
mod parity;
#[path = "store_contract/people.rs"]
mod people;
#[path = "store_contract/plans.rs"]
mod plans;
#[path = "store_contract/reports.rs"]
mod reports;
#[path = "store_contract/scans.rs"]
mod scans;
#[path = "store_contract/settlement.rs"]
mod settlement;
#[path = "store_contract/tracking.rs"]
mod tracking;
#[path = "store_contract/users.rs"]
mod users;
#[path = "store_contract/verdicts.rs"]
mod verdicts;
