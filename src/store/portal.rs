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

/// A promoter's rewards, those that were queued last in front: queued, settled and reversed,
/// and those that were taken off the queue and are back on it once something is decided, such as
/// a refund that is on its way. What came to nothing is left out.
pub async fn rewards_of_promoter(
    tx: &mut Tx,
    connection: &ConnectionId,
    promoter: &PromoterId,
    skip: u32,
    limit: u32,
) -> Result<Vec<Qualification>, StoreError> {
    let ids: Vec<(String,)> = Statement::new(
        "SELECT q.qualification_id FROM qualifications AS q
         WHERE q.connection_id = $1 AND q.promoter_id = $2
           AND (q.state <> 'withdrawn'
                OR (EXISTS (SELECT 1 FROM verdicts AS v
                            WHERE v.connection_id = q.connection_id
                              AND v.campaign_id = q.campaign_id
                              AND v.referral_id = q.referral_id
                              AND v.promoter_id = q.promoter_id
                              AND v.code IN ('refund_hold', 'dispute_open', 'awaiting_invoice',
                                             'promoter_suspended', 'duplicate_customers',
                                             'link_against_coupon', 'two_coupons',
                                             'self_referral'))
                    AND NOT EXISTS (SELECT 1 FROM qualifications AS n
                                    WHERE n.connection_id = q.connection_id
                                      AND n.referral_id = q.referral_id
                                      AND n.campaign_id = q.campaign_id
                                      AND (n.created_at > q.created_at
                                           OR (n.created_at = q.created_at
                                               AND (n.state <> 'withdrawn'
                                                    OR n.qualification_id > q.qualification_id))))))
         ORDER BY q.created_at DESC, q.qualification_id LIMIT $3 OFFSET $4",
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
