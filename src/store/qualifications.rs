//! The queue: positive verdicts waiting to be settled, and what became of them.
//! Which transition follows from which verdict is decided in `queue` and `settle`.

mod lists;
mod settling;
mod whole;

use sqlx::FromRow;

use super::db::Tx;
use super::error::StoreError;
use super::json::{from_json, instant, name, stored_names, to_json};
use super::statement::Statement;
use crate::domain::ids::{
    CampaignId, ConnectionId, PromoterId, QualificationId, ReferralId, RevisionId,
};
use crate::domain::time::Timestamp;
use crate::domain::verdict::Reward;

pub use lists::{QualificationFilter, RewardFilter, list_qualifications, list_rewards};
pub use settling::{
    Due, due_qualifications, due_to_settle, qualifications_to_adjust, settle_qualifications,
    settled_counts,
};
pub use whole::persons_with_several;

const TABLE: &str = "qualifications";

stored_names! {
    /// Where a qualification has got to.
    QualificationState {
        /// Waiting for a batch.
        Queued => "queued",
        /// Taken back before it was settled.
        Withdrawn => "withdrawn",
        /// In the ledger.
        Settled => "settled",
        /// In the ledger, and countered.
        Reversed => "reversed",
    }
}

impl QualificationState {
    /// Whether it holds the place of its person and its referral: one reward each in a campaign.
    pub const fn is_active(self) -> bool {
        matches!(self, Self::Queued | Self::Settled)
    }
}

/// A qualification as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Qualification {
    /// Its id.
    pub id: QualificationId,
    /// The campaign.
    pub campaign: CampaignId,
    /// The referral.
    pub referral: ReferralId,
    /// The referred person: one reward a person in a campaign.
    pub person: String,
    /// Whose reward it is.
    pub promoter: PromoterId,
    /// The campaign's revision that judged.
    pub revision: RevisionId,
    /// Where it has got to.
    pub state: QualificationState,
    /// Why it is there: a stable code.
    pub reason: String,
    /// When the payment happened that completed every condition.
    pub qualified_at: Timestamp,
    /// The earliest instant at which it may settle.
    pub settle_after: Timestamp,
    /// What it would owe, or owed when it was settled.
    pub rewards: Vec<Reward>,
    /// What the ledger has given for it in all, reversals taken off.
    pub given: Vec<Reward>,
    /// Whether the next batch has to look at what was given.
    pub adjust_due: bool,
    /// How many ledger transactions it has.
    pub sequence: i64,
    /// When it was queued.
    pub created_at: Timestamp,
    /// When it changed last.
    pub changed_at: Timestamp,
}

#[derive(FromRow)]
struct Row {
    qualification_id: String,
    campaign_id: String,
    referral_id: String,
    person: String,
    promoter_id: String,
    revision: String,
    state: String,
    reason: String,
    qualified_at: i64,
    settle_after: i64,
    rewards: String,
    given: String,
    adjust_due: i64,
    sequence: i64,
    created_at: i64,
    changed_at: i64,
}

fn read(rows: Vec<Row>) -> Result<Vec<Qualification>, StoreError> {
    let read = |row: Row| {
        Ok(Qualification {
            id: row.qualification_id.into(),
            campaign: row.campaign_id.into(),
            referral: row.referral_id.into(),
            person: row.person,
            promoter: row.promoter_id.into(),
            revision: row.revision.into(),
            state: name(TABLE, &row.state, QualificationState::parse)?,
            reason: row.reason,
            qualified_at: instant(TABLE, row.qualified_at)?,
            settle_after: instant(TABLE, row.settle_after)?,
            rewards: from_json(TABLE, &row.rewards)?,
            given: from_json(TABLE, &row.given)?,
            adjust_due: row.adjust_due != 0,
            sequence: row.sequence,
            created_at: instant(TABLE, row.created_at)?,
            changed_at: instant(TABLE, row.changed_at)?,
        })
    };
    rows.into_iter().map(read).collect()
}

/// Queues qualifications; those whose person or referral has an active one already are left
/// out, quietly. How many were queued.
pub async fn insert_qualifications(
    tx: &mut Tx,
    connection: &ConnectionId,
    qualifications: &[Qualification],
) -> Result<u64, StoreError> {
    let mut sorted: Vec<&Qualification> = qualifications.iter().collect();
    sorted.sort_by(|a, b| a.id.cmp(&b.id));
    let json = sorted
        .iter()
        .map(|q| Ok((to_json(TABLE, &q.rewards)?, to_json(TABLE, &q.given)?)))
        .collect::<Result<Vec<_>, StoreError>>()?;
    Statement::new(
        "INSERT INTO qualifications (connection_id, qualification_id, campaign_id, referral_id,
                                     person, promoter_id, revision, state, reason, qualified_at,
                                     settle_after, rewards, given, adjust_due, sequence,
                                     created_at, changed_at, active)
         {rows}
         ON CONFLICT DO NOTHING",
    )
    .rows(sorted.into_iter().zip(json).map(|(q, (rewards, given))| {
        [
            connection.into(),
            (&q.id).into(),
            (&q.campaign).into(),
            (&q.referral).into(),
            (&q.person).into(),
            (&q.promoter).into(),
            (&q.revision).into(),
            q.state.name().into(),
            (&q.reason).into(),
            q.qualified_at.into(),
            q.settle_after.into(),
            rewards.into(),
            given.into(),
            q.adjust_due.into(),
            q.sequence.into(),
            q.created_at.into(),
            q.changed_at.into(),
            q.state.is_active().into(),
        ]
    }))
    .execute(tx)
    .await
}

/// A change to a qualification that is in the state and at the sequence in which it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    /// As it was read: the row must still have this `state` and `sequence`.
    pub from: (QualificationState, i64),
    /// As it shall be. Campaign, referral, person and `created_at` never change.
    pub to: Qualification,
}

/// Carries out transitions, each qualification at most once; [`StoreError::Stale`] if any of
/// them has changed since it was read, [`StoreError::Taken`] if its person has another by now.
pub async fn change_qualifications(
    tx: &mut Tx,
    connection: &ConnectionId,
    transitions: &[Transition],
) -> Result<(), StoreError> {
    let expected = u64::try_from(transitions.len()).unwrap_or(u64::MAX);
    let json = transitions
        .iter()
        .map(|t| Ok((to_json(TABLE, &t.to.rewards)?, to_json(TABLE, &t.to.given)?)))
        .collect::<Result<Vec<_>, StoreError>>()?;
    Statement::new(
        "WITH change (qualification_id, from_state, from_sequence, promoter_id, revision, state,
                      reason, qualified_at, settle_after, rewards, given, adjust_due, sequence,
                      changed_at, active) AS ({rows})
         UPDATE qualifications
         SET promoter_id = change.promoter_id, revision = change.revision, state = change.state,
             reason = change.reason, qualified_at = change.qualified_at,
             settle_after = change.settle_after, rewards = change.rewards, given = change.given,
             adjust_due = change.adjust_due, sequence = change.sequence,
             changed_at = change.changed_at, active = change.active
         FROM change
         WHERE qualifications.connection_id = $1
           AND qualifications.qualification_id = change.qualification_id
           AND qualifications.state = change.from_state
           AND qualifications.sequence = change.from_sequence",
    )
    .bind(connection)
    .rows(transitions.iter().zip(json).map(|(t, (rewards, given))| {
        let (state, sequence) = t.from;
        [
            (&t.to.id).into(),
            state.name().into(),
            sequence.into(),
            (&t.to.promoter).into(),
            (&t.to.revision).into(),
            t.to.state.name().into(),
            (&t.to.reason).into(),
            t.to.qualified_at.into(),
            t.to.settle_after.into(),
            rewards.into(),
            given.into(),
            t.to.adjust_due.into(),
            t.to.sequence.into(),
            t.to.changed_at.into(),
            t.to.state.is_active().into(),
        ]
    }))
    .execute_exactly("changing qualifications", expected, tx)
    .await
}

const SELECT: &str =
    "SELECT qualification_id, campaign_id, referral_id, person, promoter_id, revision, state,
            reason, qualified_at, settle_after, rewards, given, adjust_due, sequence, created_at,
            changed_at
     FROM qualifications WHERE connection_id = $1";

/// Qualifications by id, in order of id; the ones that are not there are left out.
pub async fn load_qualifications(
    tx: &mut Tx,
    connection: &ConnectionId,
    ids: &[QualificationId],
) -> Result<Vec<Qualification>, StoreError> {
    let rows = Statement::new(SELECT)
        .bind(connection)
        .text(" AND qualification_id IN ({rows})")
        .list(ids)
        .fetch_all(tx)
        .await?;
    let mut found = read(rows)?;
    found.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(found)
}

/// Every qualification of some referrals, in order of (`created_at`, id).
pub async fn qualifications_of_referrals(
    tx: &mut Tx,
    connection: &ConnectionId,
    referrals: &[ReferralId],
) -> Result<Vec<Qualification>, StoreError> {
    let rows = Statement::new(SELECT)
        .bind(connection)
        .text(" AND referral_id IN ({rows})")
        .list(referrals)
        .fetch_all(tx)
        .await?;
    let mut found = read(rows)?;
    found.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
    Ok(found)
}

/// The active qualifications (queued or settled) of some persons in one campaign, by person.
pub async fn active_of_persons(
    tx: &mut Tx,
    connection: &ConnectionId,
    campaign: &CampaignId,
    persons: &[String],
) -> Result<Vec<Qualification>, StoreError> {
    let rows = Statement::new(SELECT)
        .bind(connection)
        .push(" AND campaign_id = $#", campaign)
        .text(" AND active = 1 AND person IN ({rows})")
        .list(persons)
        .fetch_all(tx)
        .await?;
    let mut found = read(rows)?;
    found.sort_by(|a, b| a.person.cmp(&b.person));
    Ok(found)
}
