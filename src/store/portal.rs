//! What one promoter is shown of their own, page by page. Pages are counted, not named by the
//! last row: a referral's id is made from the person's address, and never leaves for a portal.

use super::db::Tx;
use super::error::StoreError;
use super::qualifications::{Qualification, load_qualifications};
use super::statement::Statement;
use super::verdicts::{StoredVerdict, load_verdicts};
use crate::domain::ids::{ConnectionId, PromoterId, QualificationId};

/// Verdicts on a promoter's referrals, those referred last in front; `skip` rows are passed over.
pub async fn verdicts_of_promoter(
    tx: &mut Tx,
    connection: &ConnectionId,
    promoter: &PromoterId,
    skip: u32,
    limit: u32,
) -> Result<Vec<StoredVerdict>, StoreError> {
    let keys: Vec<(String, String)> = Statement::new(
        "SELECT v.campaign_id, v.referral_id FROM verdicts AS v
         LEFT JOIN referrals AS r
           ON r.connection_id = v.connection_id AND r.referral_id = v.referral_id
         WHERE v.connection_id = $1 AND v.promoter_id = $2
         ORDER BY COALESCE(r.referred_at, v.qualified_at, 0) DESC, v.campaign_id, v.referral_id
         LIMIT $3 OFFSET $4",
    )
    .bind(connection)
    .bind(promoter)
    .bind(limit)
    .bind(skip)
    .fetch_all(tx)
    .await?;
    let keys: Vec<_> = keys
        .into_iter()
        .map(|(campaign, referral)| (campaign.into(), referral.into()))
        .collect();
    let mut found = load_verdicts(tx, connection, &keys).await?;
    found.sort_by_cached_key(|stored| {
        let verdict = &stored.verdict;
        let same = |(c, r): &(_, _)| *c == verdict.campaign && *r == verdict.referral;
        keys.iter().position(same)
    });
    Ok(found)
}

/// A promoter's rewards, queued, settled and reversed, those that were queued last in front.
pub async fn rewards_of_promoter(
    tx: &mut Tx,
    connection: &ConnectionId,
    promoter: &PromoterId,
    skip: u32,
    limit: u32,
) -> Result<Vec<Qualification>, StoreError> {
    let ids: Vec<(String,)> = Statement::new(
        "SELECT qualification_id FROM qualifications
         WHERE connection_id = $1 AND promoter_id = $2 AND state <> 'withdrawn'
         ORDER BY created_at DESC, qualification_id LIMIT $3 OFFSET $4",
    )
    .bind(connection)
    .bind(promoter)
    .bind(limit)
    .bind(skip)
    .fetch_all(tx)
    .await?;
    let ids: Vec<QualificationId> = ids.into_iter().map(|(id,)| id.into()).collect();
    let mut found = load_qualifications(tx, connection, &ids).await?;
    found.sort_by_cached_key(|one| ids.iter().position(|id| *id == one.id));
    Ok(found)
}
