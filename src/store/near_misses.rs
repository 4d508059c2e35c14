//! What almost matched: hints for admins, never facts.

use sqlx::FromRow;

use super::db::Tx;
use super::error::StoreError;
use super::statement::Statement;
use crate::domain::ids::{CampaignId, ConnectionId, CustomerId, NearMissId, ReferralId};

/// A near miss. Its id follows from what it is about, so that it is recorded once.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct NearMiss {
    /// Its id.
    pub near_miss_id: NearMissId,
    /// What kind it is: a stable code.
    pub kind: String,
    /// In which campaign.
    pub campaign_id: Option<CampaignId>,
    /// Of which referral.
    pub referral_id: Option<ReferralId>,
    /// Of which customer.
    pub customer_id: Option<CustomerId>,
    /// In words.
    pub detail: String,
    /// When it was found first, unix seconds.
    pub found_at: i64,
}

/// Records near misses; what is there already stays as it is. How many are new.
pub async fn insert_near_misses(
    tx: &mut Tx,
    connection: &ConnectionId,
    near_misses: &[NearMiss],
) -> Result<u64, StoreError> {
    let mut sorted: Vec<&NearMiss> = near_misses.iter().collect();
    sorted.sort_by(|a, b| a.near_miss_id.cmp(&b.near_miss_id));
    Statement::new(
        "INSERT INTO near_misses (connection_id, near_miss_id, kind, campaign_id, referral_id,
                                  customer_id, detail, found_at)
         {rows}
         ON CONFLICT (connection_id, near_miss_id) DO NOTHING",
    )
    .rows(sorted.into_iter().map(|near| {
        [
            connection.into(),
            (&near.near_miss_id).into(),
            (&near.kind).into(),
            (&near.campaign_id).into(),
            (&near.referral_id).into(),
            (&near.customer_id).into(),
            (&near.detail).into(),
            near.found_at.into(),
        ]
    }))
    .execute(tx)
    .await
}

/// Near misses, newest first; `after` is (`found_at`, id) of the last one seen.
pub async fn list_near_misses(
    tx: &mut Tx,
    connection: &ConnectionId,
    after: Option<(i64, &NearMissId)>,
    limit: u32,
) -> Result<Vec<NearMiss>, StoreError> {
    let statement = Statement::new(
        "SELECT near_miss_id, kind, campaign_id, referral_id, customer_id, detail, found_at
         FROM near_misses WHERE connection_id = $1",
    )
    .bind(connection);
    let statement = match after {
        Some((at, id)) => statement.push_all(
            " AND (found_at, near_miss_id) < ($#, $#)",
            [at.into(), id.into()],
        ),
        None => statement,
    };
    statement
        .push(" ORDER BY found_at DESC, near_miss_id DESC LIMIT $#", limit)
        .fetch_all(tx)
        .await
}

/// The ids of what is recorded of these referrals, and of these customers where no referral is
/// concerned.
pub async fn near_misses_about(
    tx: &mut Tx,
    connection: &ConnectionId,
    referrals: &[ReferralId],
    customers: &[CustomerId],
) -> Result<Vec<NearMissId>, StoreError> {
    let mut found: Vec<(NearMissId,)> = Statement::new(
        "SELECT near_miss_id FROM near_misses
         WHERE connection_id = $1 AND referral_id IN ({rows})",
    )
    .bind(connection)
    .list(referrals)
    .fetch_all(tx)
    .await?;
    let alone: Vec<(NearMissId,)> = Statement::new(
        "SELECT near_miss_id FROM near_misses
         WHERE connection_id = $1 AND referral_id IS NULL AND customer_id IN ({rows})",
    )
    .bind(connection)
    .list(customers)
    .fetch_all(tx)
    .await?;
    found.extend(alone);
    let mut ids: Vec<NearMissId> = found.into_iter().map(|(id,)| id).collect();
    ids.sort_unstable();
    Ok(ids)
}

/// Removes near misses that are dealt with or no longer true; how many were there.
pub async fn delete_near_misses(
    tx: &mut Tx,
    connection: &ConnectionId,
    ids: &[NearMissId],
) -> Result<u64, StoreError> {
    Statement::new("DELETE FROM near_misses WHERE connection_id = $1 AND near_miss_id IN ({rows})")
        .bind(connection)
        .list(ids)
        .execute(tx)
        .await
}

/// One near miss.
pub async fn get_near_miss(
    tx: &mut Tx,
    connection: &ConnectionId,
    id: &NearMissId,
) -> Result<Option<NearMiss>, StoreError> {
    Statement::new(
        "SELECT near_miss_id, kind, campaign_id, referral_id, customer_id, detail, found_at
         FROM near_misses WHERE connection_id = $1 AND near_miss_id = $2",
    )
    .bind(connection)
    .bind(id)
    .fetch_optional(tx)
    .await
}
