//! What batches have booked for people, summed by the database.

use std::collections::BTreeMap;

use super::ENTRIES;
use crate::domain::currency::Currency;
use crate::domain::ids::{BatchId, ConnectionId};
use crate::store::Tx;
use crate::store::error::StoreError;
use crate::store::json::name;
use crate::store::statement::Statement;

/// What a batch has booked for people in one currency, in minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchSum {
    /// The currency.
    pub currency: Currency,
    /// Given for the first time.
    pub accrued: i64,
    /// Taken back, as a negative amount.
    pub taken_back: i64,
    /// Given again.
    pub given_again: i64,
}

/// What some batches have booked for promoters and invited people, by batch and currency, in
/// order of currency. It reads every entry of those batches.
pub async fn sums_of_batches(
    tx: &mut Tx,
    connection: &ConnectionId,
    batches: &[BatchId],
) -> Result<BTreeMap<BatchId, Vec<BatchSum>>, StoreError> {
    let rows: Vec<(String, String, i64, i64, i64)> = Statement::new(
        "SELECT t.batch_id, e.currency,
                CAST(SUM(CASE WHEN t.kind = 'accrual' THEN e.amount_minor ELSE 0 END) AS BIGINT),
                CAST(SUM(CASE WHEN t.kind = 'reversal' THEN e.amount_minor ELSE 0 END) AS BIGINT),
                CAST(SUM(CASE WHEN t.kind = 'reinstatement' THEN e.amount_minor ELSE 0 END)
                     AS BIGINT)
         FROM ledger_transactions AS t
         JOIN ledger_entries AS e
           ON e.connection_id = t.connection_id AND e.batch_id = t.batch_id AND e.item = t.item
         WHERE t.connection_id = $1
           AND (e.account LIKE 'promoter:%' OR e.account LIKE 'invited:%')
           AND t.batch_id IN ({rows})
         GROUP BY t.batch_id, e.currency ORDER BY t.batch_id, e.currency",
    )
    .bind(connection)
    .list(batches)
    .fetch_all(tx)
    .await?;
    let mut sums: BTreeMap<BatchId, Vec<BatchSum>> = BTreeMap::new();
    for (batch, currency, accrued, taken_back, given_again) in rows {
        sums.entry(batch.into()).or_default().push(BatchSum {
            currency: name(ENTRIES, &currency, Currency::parse)?,
            accrued,
            taken_back,
            given_again,
        });
    }
    Ok(sums)
}
