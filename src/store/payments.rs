//! Derived payments: one row per group of linked objects.
//! What a record holds is the business of whoever derives it.

use std::collections::HashMap;

use sqlx::FromRow;

use super::db::Tx;
use super::error::StoreError;
use super::statement::Statement;
use crate::domain::ids::{ConnectionId, CustomerId};

/// One payment as stored.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct StoredPayment {
    /// The group of linked objects.
    pub group_id: String,
    /// Whose payment it is.
    pub customer_id: Option<String>,
    /// JSON.
    pub record: String,
}

/// Writes payments as given, over what was there; each group at most once.
pub async fn upsert_payments(
    tx: &mut Tx,
    connection: &ConnectionId,
    payments: &[StoredPayment],
) -> Result<(), StoreError> {
    let mut sorted: Vec<&StoredPayment> = payments.iter().collect();
    sorted.sort_by(|a, b| a.group_id.cmp(&b.group_id));
    Statement::new(
        "INSERT INTO payments (connection_id, group_id, customer_id, record)
         {rows}
         ON CONFLICT (connection_id, group_id) DO UPDATE
         SET customer_id = excluded.customer_id, record = excluded.record",
    )
    .rows(sorted.into_iter().map(|payment| {
        [
            connection.into(),
            (&payment.group_id).into(),
            (&payment.customer_id).into(),
            (&payment.record).into(),
        ]
    }))
    .execute(tx)
    .await?;
    Ok(())
}

/// Removes the payments of groups that are no more; how many were there.
pub async fn delete_payments(
    tx: &mut Tx,
    connection: &ConnectionId,
    groups: &[String],
) -> Result<u64, StoreError> {
    Statement::new("DELETE FROM payments WHERE connection_id = $1 AND group_id IN ({rows})")
        .bind(connection)
        .list(groups)
        .execute(tx)
        .await
}

/// Every payment of some customers, in any order.
pub async fn load_payments(
    tx: &mut Tx,
    connection: &ConnectionId,
    customers: &[CustomerId],
) -> Result<Vec<StoredPayment>, StoreError> {
    Statement::new(
        "SELECT group_id, customer_id, record FROM payments
         WHERE connection_id = $1 AND customer_id IN ({rows})",
    )
    .bind(connection)
    .list(customers)
    .fetch_all(tx)
    .await
}

/// How many payments each of some customers has; those without any are left out.
pub async fn count_payments(
    tx: &mut Tx,
    connection: &ConnectionId,
    customers: &[CustomerId],
) -> Result<HashMap<CustomerId, u64>, StoreError> {
    let rows: Vec<(String, i64)> = Statement::new(
        "SELECT customer_id, COUNT(*) FROM payments
         WHERE connection_id = $1 AND customer_id IN ({rows})
         GROUP BY customer_id",
    )
    .bind(connection)
    .list(customers)
    .fetch_all(tx)
    .await?;
    let counted = rows.into_iter().map(|(customer, count)| {
        let count = u64::try_from(count).unwrap_or_default();
        (CustomerId::new(customer), count)
    });
    Ok(counted.collect())
}

/// The payments of some groups, in any order.
pub async fn load_payment_groups(
    tx: &mut Tx,
    connection: &ConnectionId,
    groups: &[String],
) -> Result<Vec<StoredPayment>, StoreError> {
    Statement::new(
        "SELECT group_id, customer_id, record FROM payments
         WHERE connection_id = $1 AND group_id IN ({rows})",
    )
    .bind(connection)
    .list(groups)
    .fetch_all(tx)
    .await
}

/// One page of all payments in order of group: for `verify`.
pub async fn payment_page(
    tx: &mut Tx,
    connection: &ConnectionId,
    after: Option<&str>,
    limit: u32,
) -> Result<Vec<StoredPayment>, StoreError> {
    Statement::new(
        "SELECT group_id, customer_id, record FROM payments
         WHERE connection_id = $1 AND group_id > $2
         ORDER BY group_id
         LIMIT $3",
    )
    .bind(connection)
    .bind(after.unwrap_or_default())
    .bind(limit)
    .fetch_all(tx)
    .await
}

/// One page of a customer's payments in order of group, after the last one seen.
pub async fn payment_page_of(
    tx: &mut Tx,
    connection: &ConnectionId,
    customer: &CustomerId,
    after: Option<&str>,
    limit: u32,
) -> Result<Vec<StoredPayment>, StoreError> {
    Statement::new(
        "SELECT group_id, customer_id, record FROM payments
         WHERE connection_id = $1 AND customer_id = $2 AND group_id > $3
         ORDER BY group_id
         LIMIT $4",
    )
    .bind(connection)
    .bind(customer)
    .bind(after.unwrap_or_default())
    .bind(limit)
    .fetch_all(tx)
    .await
}
