//! Statements: which transactions there are, newest first, for people who ask.

use super::{SELECT, Transaction, read};
use crate::domain::ids::{BatchId, CampaignId, ConnectionId, PromoterId};
use crate::domain::time::Timestamp;
use crate::store::Tx;
use crate::store::error::StoreError;
use crate::store::statement::Statement;

/// The same of a promoter: what is booked for one is booked for its qualifications. In two steps,
/// and the first from an index alone, because SQLite would rather read the whole ledger than do
/// either in another order; that of a CROSS JOIN it keeps.
const SELECT_OF_PROMOTER: &str = "WITH mine AS MATERIALIZED (
         SELECT k.batch_id, k.item
         FROM qualifications AS q CROSS JOIN ledger_transactions AS k
         WHERE q.connection_id = $1 AND q.promoter_id = $2
           AND k.connection_id = $1 AND k.qualification_id = q.qualification_id)
     SELECT t.batch_id, t.item, t.qualification_id, t.sequence, t.kind, t.cause, t.campaign_id,
            t.promoter_id, t.referral_id, t.revision, t.booked_at
     FROM mine AS m CROSS JOIN ledger_transactions AS t
     WHERE t.connection_id = $1 AND t.batch_id = m.batch_id AND t.item = m.item";

/// Which transactions a statement shows. Everything left out means any.
#[derive(Debug, Clone, Default)]
pub struct StatementFilter {
    /// Of this promoter.
    pub promoter: Option<PromoterId>,
    /// Of this campaign.
    pub campaign: Option<CampaignId>,
    /// Booked by this batch.
    pub batch: Option<BatchId>,
    /// Booked at or after.
    pub from: Option<Timestamp>,
    /// Booked before.
    pub until: Option<Timestamp>,
}

/// Transactions, newest first, those of one instant from the end of their plan; `after` is the
/// last one seen.
pub async fn list_transactions(
    tx: &mut Tx,
    connection: &ConnectionId,
    filter: &StatementFilter,
    after: Option<&Transaction>,
    limit: u32,
) -> Result<Vec<Transaction>, StoreError> {
    let mut statement = match &filter.promoter {
        None => Statement::new(SELECT).bind(connection),
        Some(promoter) => Statement::new(SELECT_OF_PROMOTER)
            .bind(connection)
            .bind(promoter),
    };
    statement = statement
        .push_some(" AND t.campaign_id = $#", filter.campaign.as_ref())
        .push_some(" AND t.batch_id = $#", filter.batch.as_ref())
        .push_some(" AND t.booked_at >= $#", filter.from)
        .push_some(" AND t.booked_at < $#", filter.until);
    if let Some(last) = after {
        statement = statement.push_all(
            " AND (t.booked_at, t.batch_id, t.item) < ($#, $#, $#)",
            [
                last.booked_at.into(),
                (&last.batch).into(),
                last.item.into(),
            ],
        );
    }
    let rows = statement
        .push(
            " ORDER BY t.booked_at DESC, t.batch_id DESC, t.item DESC LIMIT $#",
            limit,
        )
        .fetch_all(tx)
        .await?;
    read(tx, connection, rows).await
}
