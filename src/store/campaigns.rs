//! Campaigns as stored: every save is a new revision, and revisions never change.
//! The source is text here; what it means is known to `rules`.

use sqlx::FromRow;

use super::db::Tx;
use super::error::StoreError;
use super::statement::Statement;
use crate::domain::ids::{CampaignId, ConnectionId, RevisionId};
use crate::domain::time::Timestamp;

/// A revision to save.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRevision {
    /// The campaign.
    pub campaign: CampaignId,
    /// Hash of its canonical form.
    pub revision: RevisionId,
    /// The campaign file.
    pub source: String,
    /// When it is saved.
    pub created_at: Timestamp,
    /// Who saves it.
    pub created_by: String,
    /// Why.
    pub reason: String,
}

/// A revision as stored.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct StoredRevision {
    /// The campaign.
    pub campaign_id: String,
    /// 1 for the first, then one more each time.
    pub number: i64,
    /// Hash of its canonical form.
    pub revision: String,
    /// The campaign file.
    pub source: String,
    /// When it was saved, unix seconds.
    pub created_at: i64,
    /// Who saved it.
    pub created_by: String,
    /// Why.
    pub reason: String,
}

/// Saves a revision and makes it the current one; its number.
///
/// `expected` is the number of the revision that was edited (`None`: the campaign is new).
/// [`StoreError::Stale`] if it is not the current one any more, [`StoreError::Taken`] if a new
/// campaign's id exists already.
pub async fn put_revision(
    tx: &mut Tx,
    connection: &ConnectionId,
    new: &NewRevision,
    expected: Option<i64>,
) -> Result<i64, StoreError> {
    let number = expected.unwrap_or(0).saturating_add(1);
    let head = match expected {
        None => Statement::new(
            "INSERT INTO campaigns (connection_id, campaign_id, revision, number, updated_at)
             VALUES ($1, $2, $3, $4, $5)",
        ),
        Some(_) => Statement::new(
            "UPDATE campaigns SET revision = $3, number = $4, updated_at = $5
             WHERE connection_id = $1 AND campaign_id = $2 AND number = $4 - 1",
        ),
    };
    head.bind(connection)
        .bind(&new.campaign)
        .bind(&new.revision)
        .bind(number)
        .bind(new.created_at)
        .execute_exactly("saving a campaign's revision", 1, tx)
        .await?;
    Statement::new(
        "INSERT INTO campaign_revisions (connection_id, campaign_id, number, revision, source,
                                         created_at, created_by, reason)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(connection)
    .bind(&new.campaign)
    .bind(number)
    .bind(&new.revision)
    .bind(&new.source)
    .bind(new.created_at)
    .bind(&new.created_by)
    .bind(&new.reason)
    .execute(tx)
    .await?;
    Ok(number)
}

/// The current revision of every campaign, in order of id.
pub async fn current_campaigns(
    tx: &mut Tx,
    connection: &ConnectionId,
) -> Result<Vec<StoredRevision>, StoreError> {
    Statement::new(
        "SELECT r.campaign_id, r.number, r.revision, r.source, r.created_at, r.created_by, r.reason
         FROM campaigns AS c
         JOIN campaign_revisions AS r
           ON r.connection_id = c.connection_id AND r.campaign_id = c.campaign_id
          AND r.number = c.number
         WHERE c.connection_id = $1
         ORDER BY r.campaign_id",
    )
    .bind(connection)
    .fetch_all(tx)
    .await
}

/// The current revision of one campaign.
pub async fn current_campaign(
    tx: &mut Tx,
    connection: &ConnectionId,
    campaign: &CampaignId,
) -> Result<Option<StoredRevision>, StoreError> {
    Statement::new(
        "SELECT r.campaign_id, r.number, r.revision, r.source, r.created_at, r.created_by, r.reason
         FROM campaigns AS c
         JOIN campaign_revisions AS r
           ON r.connection_id = c.connection_id AND r.campaign_id = c.campaign_id
          AND r.number = c.number
         WHERE c.connection_id = $1 AND c.campaign_id = $2",
    )
    .bind(connection)
    .bind(campaign)
    .fetch_optional(tx)
    .await
}

/// The revision of that hash; the newest, if one was saved again later.
pub async fn revision_by_hash(
    tx: &mut Tx,
    connection: &ConnectionId,
    campaign: &CampaignId,
    revision: &RevisionId,
) -> Result<Option<StoredRevision>, StoreError> {
    Statement::new(
        "SELECT campaign_id, number, revision, source, created_at, created_by, reason
         FROM campaign_revisions
         WHERE connection_id = $1 AND campaign_id = $2 AND revision = $3
         ORDER BY number DESC LIMIT 1",
    )
    .bind(connection)
    .bind(campaign)
    .bind(revision)
    .fetch_optional(tx)
    .await
}

/// Revisions of one campaign, newest first; `before` is the last number seen.
pub async fn list_revisions(
    tx: &mut Tx,
    connection: &ConnectionId,
    campaign: &CampaignId,
    before: Option<i64>,
    limit: u32,
) -> Result<Vec<StoredRevision>, StoreError> {
    Statement::new(
        "SELECT campaign_id, number, revision, source, created_at, created_by, reason
         FROM campaign_revisions
         WHERE connection_id = $1 AND campaign_id = $2 AND number < $3
         ORDER BY number DESC LIMIT $4",
    )
    .bind(connection)
    .bind(campaign)
    .bind(before.unwrap_or(i64::MAX))
    .bind(limit)
    .fetch_all(tx)
    .await
}
