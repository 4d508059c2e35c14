//! Payments and customers in the order of customer ids, a range at a time: for backtests, which
//! read all of them on several connections. Ranges are `(after, until]`.

use super::db::Tx;
use super::error::StoreError;
use super::statement::Statement;
use crate::domain::ids::ConnectionId;

/// What stands between two records of one customer; JSON on one line cannot contain it.
pub const BETWEEN_RECORDS: char = '\n';

/// A part of all customer ids, in order; open where there is no bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range<'r> {
    /// Ids greater than this one.
    pub after: Option<&'r str>,
    /// Up to and with this one.
    pub until: Option<&'r str>,
}

/// Every so many-th id of Stripe's customers, in order: bounds of ranges of about equal work.
pub async fn customer_bounds(
    tx: &mut Tx,
    connection: &ConnectionId,
    every: u32,
) -> Result<Vec<String>, StoreError> {
    let bounds: Vec<(String,)> = Statement::new(
        "SELECT object_id FROM (
             SELECT object_id, ROW_NUMBER() OVER (ORDER BY object_id) AS number FROM objects
             WHERE connection_id = $1 AND kind = 'customer'
         ) AS numbered
         WHERE number % $2 = 0
         ORDER BY object_id",
    )
    .bind(connection)
    .bind(every)
    .fetch_all(tx)
    .await?;
    Ok(bounds.into_iter().map(|(id,)| id).collect())
}

/// The same for payments of guests, who are no objects: the customer of every so many-th one.
/// A guest of many payments may be there several times.
pub async fn guest_bounds(
    tx: &mut Tx,
    connection: &ConnectionId,
    every: u32,
) -> Result<Vec<String>, StoreError> {
    let bounds: Vec<(String,)> = Statement::new(
        "SELECT customer_id FROM (
             SELECT customer_id, ROW_NUMBER() OVER (ORDER BY customer_id) AS number FROM payments
             WHERE connection_id = $1 AND customer_id >= 'guest:' AND customer_id < 'guest;'
         ) AS numbered
         WHERE number % $2 = 0
         ORDER BY customer_id",
    )
    .bind(connection)
    .bind(every)
    .fetch_all(tx)
    .await?;
    Ok(bounds.into_iter().map(|(id,)| id).collect())
}

/// Each customer of a range with its payment records, one behind the other with
/// [`BETWEEN_RECORDS`] between them, in no order. One row a customer: handing over a row costs
/// more than reading a record.
pub async fn records_between(
    tx: &mut Tx,
    connection: &ConnectionId,
    range: Range<'_>,
) -> Result<Vec<(String, String)>, StoreError> {
    Statement::new(
        "SELECT customer_id, string_agg(record, $2) FROM payments
         WHERE connection_id = $1 AND customer_id > $3",
    )
    .bind(connection)
    .bind(BETWEEN_RECORDS.to_string())
    .bind(range.after.unwrap_or_default())
    .push_some(" AND customer_id <= $#", range.until)
    .text(" GROUP BY customer_id ORDER BY customer_id")
    .fetch_all(tx)
    .await
}

/// Stripe's customers of a range with their states as JSON, in order of id.
pub async fn customers_between(
    tx: &mut Tx,
    connection: &ConnectionId,
    range: Range<'_>,
) -> Result<Vec<(String, String)>, StoreError> {
    Statement::new(
        "SELECT object_id, state FROM objects
         WHERE connection_id = $1 AND kind = 'customer' AND object_id > $2",
    )
    .bind(connection)
    .bind(range.after.unwrap_or_default())
    .push_some(" AND object_id <= $#", range.until)
    .text(" ORDER BY object_id")
    .fetch_all(tx)
    .await
}
