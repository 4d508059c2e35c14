//! The ledger as a whole, for `verify`: what is booked by which item, and what belongs to nothing.

use super::{ENTRIES, TRANSACTIONS, TransactionKind, parse_account};
use crate::domain::ids::{BatchId, ConnectionId, QualificationId};
use crate::domain::ledger::Account;
use crate::store::Tx;
use crate::store::error::StoreError;
use crate::store::json::name;
use crate::store::statement::Statement;

/// A booking of a batch: item, qualification and kind.
pub type Booking = (i64, QualificationId, TransactionKind);

/// One page of what a batch has booked, in the order of its items, after the last one seen.
pub async fn bookings_of_batch(
    tx: &mut Tx,
    connection: &ConnectionId,
    batch: &BatchId,
    after: Option<i64>,
    limit: u32,
) -> Result<Vec<Booking>, StoreError> {
    let rows: Vec<(i64, String, String)> = Statement::new(
        "SELECT item, qualification_id, kind FROM ledger_transactions
         WHERE connection_id = $1 AND batch_id = $2 AND item > $3 ORDER BY item LIMIT $4",
    )
    .bind(connection)
    .bind(batch)
    .bind(after.unwrap_or(-1))
    .bind(limit)
    .fetch_all(tx)
    .await?;
    let read = |(item, qualification, kind): (i64, String, String)| {
        let kind = name(TRANSACTIONS, &kind, TransactionKind::parse)?;
        Ok((item, qualification.into(), kind))
    };
    rows.into_iter().map(read).collect()
}

/// How many transactions there are.
pub async fn count_transactions(tx: &mut Tx, connection: &ConnectionId) -> Result<u64, StoreError> {
    let (count,): (i64,) =
        Statement::new("SELECT COUNT(*) FROM ledger_transactions WHERE connection_id = $1")
            .bind(connection)
            .fetch_one(tx)
            .await?;
    Ok(count.unsigned_abs())
}

/// Qualifications that have transactions and do not exist, in order of id. It reads the whole
/// ledger.
pub async fn qualifications_that_are_gone(
    tx: &mut Tx,
    connection: &ConnectionId,
) -> Result<Vec<QualificationId>, StoreError> {
    let rows: Vec<(String,)> = Statement::new(
        "SELECT DISTINCT t.qualification_id FROM ledger_transactions AS t
         WHERE t.connection_id = $1 AND NOT EXISTS (
             SELECT 1 FROM qualifications AS q
             WHERE q.connection_id = t.connection_id
               AND q.qualification_id = t.qualification_id)
         ORDER BY t.qualification_id",
    )
    .bind(connection)
    .fetch_all(tx)
    .await?;
    Ok(rows.into_iter().map(|(id,)| id.into()).collect())
}

/// Accounts that have entries in a currency and no balance in it, in order of name. It reads the
/// whole ledger.
pub async fn accounts_without_balance(
    tx: &mut Tx,
    connection: &ConnectionId,
    limit: u32,
) -> Result<Vec<Account>, StoreError> {
    let rows: Vec<(String,)> = Statement::new(
        "SELECT DISTINCT e.account FROM ledger_entries AS e
         WHERE e.connection_id = $1 AND NOT EXISTS (
             SELECT 1 FROM ledger_balances AS b
             WHERE b.connection_id = e.connection_id AND b.account = e.account
               AND b.currency = e.currency)
         ORDER BY e.account LIMIT $2",
    )
    .bind(connection)
    .bind(limit)
    .fetch_all(tx)
    .await?;
    let read = |(account,): (String,)| name(ENTRIES, &account, parse_account);
    rows.into_iter().map(read).collect()
}
