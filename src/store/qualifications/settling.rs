//! What batches read and write of qualifications.

use std::collections::BTreeMap;

use sqlx::FromRow;

use super::{Qualification, SELECT, TABLE, read};
use crate::domain::ids::{
    CampaignId, ConnectionId, PromoterId, QualificationId, ReferralId, RevisionId,
};
use crate::domain::time::Timestamp;
use crate::domain::verdict::Reward;
use crate::store::Tx;
use crate::store::error::StoreError;
use crate::store::json::{from_json, instant};
use crate::store::statement::Statement;

/// Settles queued qualifications: each is given what it owes, by its first transaction.
/// [`StoreError::Stale`] if any of them is not queued.
///
/// A statement of its own because of what it leaves alone: of seven indexes SQLite has to write
/// only the one on what is due. PostgreSQL writes all of them for a row that leaves one.
///
/// It is written so that PostgreSQL thinks of no way to the rows but their primary key, whatever
/// it has counted of the table: with the state or the connection as a condition of its own it reads
/// all that is queued, or all there is, for every page, until it has counted what was just queued.
pub async fn settle_qualifications(
    tx: &mut Tx,
    connection: &ConnectionId,
    ids: &[QualificationId],
    now: Timestamp,
) -> Result<(), StoreError> {
    let expected = u64::try_from(ids.len()).unwrap_or(u64::MAX);
    Statement::new(
        "UPDATE qualifications
         SET state = 'settled', given = rewards, sequence = 1, changed_at = $1
         WHERE state || '' = 'queued' AND (connection_id, qualification_id) IN ({rows})",
    )
    .bind(now)
    .set(ids.iter().map(|id| [connection.into(), id.into()]))
    .execute_exactly("settling qualifications", expected, tx)
    .await
}

/// What settling has to know of a qualification that is queued. Nothing is given for it yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// Its id.
    pub id: QualificationId,
    /// The campaign.
    pub campaign: CampaignId,
    /// The referral.
    pub referral: ReferralId,
    /// Whose reward it is.
    pub promoter: PromoterId,
    /// The campaign's revision that judged.
    pub revision: RevisionId,
    /// When the payment happened that completed every condition.
    pub qualified_at: Timestamp,
    /// What it owes.
    pub rewards: Vec<Reward>,
}

#[derive(FromRow)]
struct DueRow {
    qualification_id: String,
    campaign_id: String,
    referral_id: String,
    promoter_id: String,
    revision: String,
    qualified_at: i64,
    rewards: String,
}

/// The same page as that of [`due_qualifications`], without what only plans show: every column
/// of a row costs about as much as finding it.
pub async fn due_to_settle(
    tx: &mut Tx,
    connection: &ConnectionId,
    cut_off: Timestamp,
    after: Option<&(Timestamp, QualificationId)>,
    limit: u32,
) -> Result<Vec<Due>, StoreError> {
    let statement = Statement::new(
        "SELECT qualification_id, campaign_id, referral_id, promoter_id, revision, qualified_at,
                rewards
         FROM qualifications WHERE connection_id = $1",
    );
    let rows: Vec<DueRow> = due(statement, connection, cut_off, after, limit)
        .fetch_all(tx)
        .await?;
    let read = |row: DueRow| {
        Ok(Due {
            id: row.qualification_id.into(),
            campaign: row.campaign_id.into(),
            referral: row.referral_id.into(),
            promoter: row.promoter_id.into(),
            revision: row.revision.into(),
            qualified_at: instant(TABLE, row.qualified_at)?,
            rewards: from_json(TABLE, &row.rewards)?,
        })
    };
    rows.into_iter().map(read).collect()
}

/// Narrows a list of a connection's qualifications down to a page of what is due.
fn due<'v>(
    statement: Statement<'v>,
    connection: &'v ConnectionId,
    cut_off: Timestamp,
    after: Option<&'v (Timestamp, QualificationId)>,
    limit: u32,
) -> Statement<'v> {
    let mut statement = statement
        .bind(connection)
        .push(" AND state = 'queued' AND settle_after <= $#", cut_off)
        // Nothing settles before it qualifies: where the index need not be read any further.
        .push(" AND qualified_at <= $#", cut_off);
    if let Some((at, id)) = after {
        statement = statement.push_all(
            " AND (qualified_at, qualification_id) > ($#, $#)",
            [(*at).into(), id.into()],
        );
    }
    statement.push(" ORDER BY qualified_at, qualification_id LIMIT $#", limit)
}

/// One page of what is due for settlement by `cut_off`, in the order in which limits go to them,
/// (`qualified_at`, id); `after` is that of the last one seen.
pub async fn due_qualifications(
    tx: &mut Tx,
    connection: &ConnectionId,
    cut_off: Timestamp,
    after: Option<&(Timestamp, QualificationId)>,
    limit: u32,
) -> Result<Vec<Qualification>, StoreError> {
    let rows = due(Statement::new(SELECT), connection, cut_off, after, limit)
        .fetch_all(tx)
        .await?;
    read(rows)
}

/// One page of the settled or reversed ones whose verdict has changed since, those that changed
/// first in front; `after` is (`changed_at`, id) of the last one seen.
pub async fn qualifications_to_adjust(
    tx: &mut Tx,
    connection: &ConnectionId,
    after: Option<&(Timestamp, QualificationId)>,
    limit: u32,
) -> Result<Vec<Qualification>, StoreError> {
    let mut statement = Statement::new(SELECT)
        .bind(connection)
        .text(" AND adjust_due = 1");
    if let Some((at, id)) = after {
        statement = statement.push_all(
            " AND (changed_at, qualification_id) > ($#, $#)",
            [(*at).into(), id.into()],
        );
    }
    let rows = statement
        .push(" ORDER BY changed_at, qualification_id LIMIT $#", limit)
        .fetch_all(tx)
        .await?;
    read(rows)
}

/// How many settlements stand of some promoters in one campaign, by promoter: what a limit is held
/// against. A promoter without any is absent.
pub async fn settled_counts(
    tx: &mut Tx,
    connection: &ConnectionId,
    campaign: &CampaignId,
    promoters: &[PromoterId],
) -> Result<BTreeMap<PromoterId, i64>, StoreError> {
    let rows: Vec<(String, i64)> = Statement::new(
        "SELECT promoter_id, COUNT(*) FROM qualifications
         WHERE connection_id = $1 AND campaign_id = $2 AND state = 'settled'
           AND promoter_id IN ({rows})
         GROUP BY promoter_id",
    )
    .bind(connection)
    .bind(campaign)
    .list(promoters)
    .fetch_all(tx)
    .await?;
    Ok(rows
        .into_iter()
        .map(|(promoter, count)| (promoter.into(), count))
        .collect())
}
