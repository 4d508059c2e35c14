//! The machine's own limit for a settlement: as many rows of the same width, written through the
//! same driver in groups of 512 items with the same durability, into one plain table whose key
//! is their order.

use std::time::Instant;

use qualify::settle::CHUNK_ITEMS;
use qualify::store::{Db, Statement};

/// What is written of an item: its place in the plan, its qualification, a transaction with four
/// entries, a message.
pub const ROWS_AN_ITEM: usize = 8;

pub struct Limit {
    pub items_a_second: f64,
    pub width: usize,
}

pub async fn run(db: &Db, items: usize) -> Limit {
    let width = width(db).await;
    let mut tx = db.begin().await.unwrap();
    for text in [
        "DROP TABLE IF EXISTS plain",
        "CREATE TABLE plain (number BIGINT NOT NULL PRIMARY KEY, filler TEXT NOT NULL)",
    ] {
        Statement::new(text).execute(&mut tx).await.unwrap();
    }
    tx.commit().await.unwrap();
    let filler = "x".repeat(width);
    let started = Instant::now();
    let mut number = 0_i64;
    for _ in (0..items).step_by(CHUNK_ITEMS as usize) {
        let mut tx = db.begin().await.unwrap();
        let rows = CHUNK_ITEMS as usize * ROWS_AN_ITEM;
        Statement::new("INSERT INTO plain (number, filler) {rows}")
            .rows((0..rows).map(|_| {
                number += 1;
                [number.into(), (&filler).into()]
            }))
            .execute(&mut tx)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }
    let took = started.elapsed();
    let mut tx = db.begin().await.unwrap();
    Statement::new("DROP TABLE plain")
        .execute(&mut tx)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    Limit {
        items_a_second: items as f64 / took.as_secs_f64(),
        width,
    }
}

/// Bytes of text and numbers in the rows of an item, over the number of its rows.
async fn width(db: &Db) -> usize {
    let mut tx = db.read().await.unwrap();
    let mut sum = 0;
    for text in [
        "SELECT CAST(length(connection_id) + length(batch_id) + 8 + length(qualification_id)
                + length(action) + length(amounts) + length(reason) + length(state)
                + COALESCE(length(outcome), 0) AS BIGINT) FROM batch_items",
        "SELECT CAST(length(connection_id) + length(qualification_id) + length(campaign_id)
                + length(referral_id) + length(person) + length(promoter_id) + length(revision)
                + length(state) + length(reason) + length(rewards) + length(given) + 48 AS BIGINT)
         FROM qualifications",
        "SELECT CAST(length(connection_id) + length(batch_id) + length(qualification_id) + length(kind)
                + length(cause) + length(campaign_id) + length(promoter_id) + length(referral_id)
                + length(revision) + 24 AS BIGINT) FROM ledger_transactions",
        "SELECT CAST(2 * (length(connection_id) + length(batch_id) + length(account) + 27) AS BIGINT)
         FROM ledger_entries WHERE account <> 'clearing'",
        "SELECT CAST(2 * (length(connection_id) + length(batch_id) + length(account) + 27) AS BIGINT)
         FROM ledger_entries WHERE account = 'clearing'",
        "SELECT CAST(length(connection_id) + length(outbox_id) + length(topic) + length(subject_id)
                + length(payload) + 24 AS BIGINT) FROM outbox",
    ] {
        // Rows of one kind are alike: the first thousand stand for all.
        let rows: Vec<(i64,)> = Statement::new(text)
            .text(" LIMIT 1000")
            .fetch_all(&mut tx)
            .await
            .unwrap();
        sum += rows.iter().map(|row| row.0).sum::<i64>() / i64::try_from(rows.len()).unwrap();
    }
    usize::try_from(sum).unwrap() / ROWS_AN_ITEM
}
