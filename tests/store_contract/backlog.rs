//! Work lists that were long empty and are long now: a batch takes as long as with little behind it.
//! PostgreSQL counts what is in them when they are empty, and plans for that.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use qualify::domain::ids::ConnectionId;
use qualify::store::dialect::Engine;
use qualify::store::dirty::{DirtyKind, Weight, claim_dirty, clear_dirty, mark_dirty, set_aside};
use qualify::store::events::{EventMark, EventState, mark_events};
use qualify::store::{Db, Statement, Tx};

use crate::support::both::on_both;

/// What one batch takes off a list.
const BATCH: i64 = 512;
/// What comes up after a quiet time.
const BACKLOG: i64 = 60_000;

on_both!(events_are_read, what_is_judged_leaves_the_list);

fn conn() -> ConnectionId {
    ConnectionId::new("main")
}

/// A transaction in which PostgreSQL plans as it does for whoever asks the same again and again.
async fn begin(db: &Db) -> Tx {
    let mut tx = db.begin().await.unwrap();
    if db.engine() == Engine::Postgres {
        Statement::new("SET LOCAL plan_cache_mode = force_generic_plan")
            .execute(&mut tx)
            .await
            .unwrap();
    }
    tx
}

/// Has the lists counted as they are now.
async fn count(db: &Db) {
    let mut tx = db.begin().await.unwrap();
    for text in ["ANALYZE event_queue", "ANALYZE dirty"] {
        Statement::new(text).execute(&mut tx).await.unwrap();
    }
    tx.commit().await.unwrap();
}

fn compare(few: Duration, many: Duration) {
    let most = few * 20 + Duration::from_millis(150);
    assert!(many < most, "{few:?} alone, {many:?} before a backlog");
}

async fn events_are_read(db: Db) {
    take_events(&db, 0, 1).await;
    count(&db).await;
    let few = take_events(&db, 1, BATCH).await;
    enqueue(&db, 10_000, BACKLOG).await;
    let many = take_events(&db, 5_000, BATCH).await;
    compare(few, many);
}

async fn enqueue(db: &Db, from: i64, events: i64) {
    let mut tx = db.begin().await.unwrap();
    Statement::new("INSERT INTO event_queue (connection_id, received_at_us, event_id) {rows}")
        .rows(
            (from..from + events).map(|n| ["main".into(), n.into(), format!("evt_{n:020}").into()]),
        )
        .execute(&mut tx)
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

/// Puts events at the head of the queue and has them read; how long reading took.
async fn take_events(db: &Db, from: i64, events: i64) -> Duration {
    enqueue(db, from, events).await;
    let mark = |n: i64| EventMark {
        event_id: format!("evt_{n:020}").into(),
        received_at_us: n,
        state: EventState::Done,
        reason: None,
    };
    let marks: Vec<EventMark> = (from..from + events).map(mark).collect();
    let mut tx = begin(db).await;
    let began = Instant::now();
    mark_events(&mut tx, &conn(), &marks).await.unwrap();
    let took = began.elapsed();
    tx.commit().await.unwrap();
    took
}

async fn what_is_judged_leaves_the_list(db: Db) {
    take_dirty(&db, 0, 1).await;
    count(&db).await;
    let few = take_dirty(&db, 1, BATCH).await;
    mark(&db, 10_000, BACKLOG).await;
    let many = take_dirty(&db, 5_000, BATCH).await;
    compare(few, many);
}

async fn mark(db: &Db, from: i64, customers: i64) {
    let ids: BTreeSet<String> = (from..from + customers)
        .map(|n| format!("cus_{n:020}"))
        .collect();
    let mut tx = db.begin().await.unwrap();
    mark_dirty(&mut tx, &conn(), DirtyKind::Customer, &ids, from)
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

/// Marks customers who come first in the line, sets one of them aside and clears the others; how
/// long that took.
async fn take_dirty(db: &Db, from: i64, customers: i64) -> Duration {
    mark(db, from, customers).await;
    let mut tx = begin(db).await;
    let limit = u32::try_from(customers).unwrap();
    let claimed = claim_dirty(&mut tx, &conn(), Weight::Light, limit)
        .await
        .unwrap();
    assert!(claimed.iter().all(|dirty| dirty.marked_at_us == from));
    let (heavy, light) = claimed.split_at(1);
    let began = Instant::now();
    let aside = set_aside(&mut tx, &conn(), heavy).await.unwrap();
    let cleared = clear_dirty(&mut tx, &conn(), Weight::Light, light)
        .await
        .unwrap();
    let took = began.elapsed();
    assert_eq!(i64::try_from(aside + cleared).unwrap(), customers);
    tx.commit().await.unwrap();
    took
}
