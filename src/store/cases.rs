//! Conflicts that an admin has to resolve. A case's id follows from what it is about, so the
//! same conflict is one case however often it is found. Decisions are kept elsewhere.

use sqlx::FromRow;

use super::db::Tx;
use super::error::StoreError;
use super::json::{instant, name, stored_names};
use super::statement::Statement;
use crate::domain::decision::CaseKind;
use crate::domain::ids::{CampaignId, CaseId, ConnectionId, ReferralId};
use crate::domain::time::Timestamp;

const TABLE: &str = "cases";

stored_names! {
    /// What became of a case.
    CaseState {
        /// It waits for a decision.
        Open => "open",
        /// A decision is in force.
        Resolved => "resolved",
        /// The facts have changed so that there is nothing to decide.
        Gone => "gone",
    }
}

/// A case as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCase {
    /// Its id.
    pub id: CaseId,
    /// What it is about.
    pub kind: CaseKind,
    /// In which campaign.
    pub campaign: CampaignId,
    /// On which referral.
    pub referral: ReferralId,
    /// What became of it.
    pub state: CaseState,
    /// When it was found first.
    pub opened_at: Timestamp,
    /// When its state changed last.
    pub changed_at: Timestamp,
}

#[derive(FromRow)]
struct Row {
    case_id: String,
    kind: String,
    campaign_id: String,
    referral_id: String,
    state: String,
    opened_at: i64,
    changed_at: i64,
}

fn read(rows: Vec<Row>) -> Result<Vec<StoredCase>, StoreError> {
    let read = |row: Row| {
        Ok(StoredCase {
            id: row.case_id.into(),
            kind: name(TABLE, &row.kind, CaseKind::parse)?,
            campaign: row.campaign_id.into(),
            referral: row.referral_id.into(),
            state: name(TABLE, &row.state, CaseState::parse)?,
            opened_at: instant(TABLE, row.opened_at)?,
            changed_at: instant(TABLE, row.changed_at)?,
        })
    };
    rows.into_iter().map(read).collect()
}

/// Writes cases as given. Of one that is there, only the state changes, and `changed_at` with it;
/// the same state again changes nothing.
pub async fn upsert_cases(
    tx: &mut Tx,
    connection: &ConnectionId,
    cases: &[StoredCase],
) -> Result<(), StoreError> {
    let mut sorted: Vec<&StoredCase> = cases.iter().collect();
    sorted.sort_by(|a, b| a.id.cmp(&b.id));
    Statement::new(
        "INSERT INTO cases (connection_id, case_id, kind, campaign_id, referral_id, state,
                            opened_at, changed_at)
         {rows}
         ON CONFLICT (connection_id, case_id) DO UPDATE
         SET state = excluded.state, changed_at = excluded.changed_at
         WHERE cases.state <> excluded.state",
    )
    .rows(sorted.into_iter().map(|case| {
        [
            connection.into(),
            (&case.id).into(),
            case.kind.reason().code().into(),
            (&case.campaign).into(),
            (&case.referral).into(),
            case.state.name().into(),
            case.opened_at.into(),
            case.changed_at.into(),
        ]
    }))
    .execute(tx)
    .await?;
    Ok(())
}

/// Moves a case from one state to another; [`StoreError::Stale`] if it is not in `from`.
pub async fn change_case(
    tx: &mut Tx,
    connection: &ConnectionId,
    case: &CaseId,
    from: CaseState,
    to: CaseState,
    changed_at: Timestamp,
) -> Result<(), StoreError> {
    Statement::new(
        "UPDATE cases SET state = $4, changed_at = $5
         WHERE connection_id = $1 AND case_id = $2 AND state = $3",
    )
    .bind(connection)
    .bind(case)
    .bind(from.name())
    .bind(to.name())
    .bind(changed_at)
    .execute_exactly("changing a case", 1, tx)
    .await
}

/// One case.
pub async fn get_case(
    tx: &mut Tx,
    connection: &ConnectionId,
    case: &CaseId,
) -> Result<Option<StoredCase>, StoreError> {
    let rows = Statement::new(
        "SELECT case_id, kind, campaign_id, referral_id, state, opened_at, changed_at FROM cases
         WHERE connection_id = $1 AND case_id = $2",
    )
    .bind(connection)
    .bind(case)
    .fetch_all(tx)
    .await?;
    Ok(read(rows)?.into_iter().next())
}

/// The cases on some referrals, in order of id.
pub async fn cases_of_referrals(
    tx: &mut Tx,
    connection: &ConnectionId,
    referrals: &[ReferralId],
) -> Result<Vec<StoredCase>, StoreError> {
    let rows = Statement::new(
        "SELECT case_id, kind, campaign_id, referral_id, state, opened_at, changed_at FROM cases
         WHERE connection_id = $1 AND referral_id IN ({rows})",
    )
    .bind(connection)
    .list(referrals)
    .fetch_all(tx)
    .await?;
    let mut found = read(rows)?;
    found.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(found)
}

/// Which cases to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CaseFilter {
    /// In this state.
    pub state: CaseState,
    /// About this; any if left out.
    pub kind: Option<CaseKind>,
    /// The newest first, instead of the oldest.
    pub newest_first: bool,
}

impl CaseFilter {
    /// Every case in a state, the oldest first.
    pub const fn of(state: CaseState) -> Self {
        Self {
            state,
            kind: None,
            newest_first: false,
        }
    }
}

/// The cases in one state, in order of (`opened_at`, id); `after` is that of the last one seen.
pub async fn list_cases(
    tx: &mut Tx,
    connection: &ConnectionId,
    filter: CaseFilter,
    after: Option<(Timestamp, &CaseId)>,
    limit: u32,
) -> Result<Vec<StoredCase>, StoreError> {
    let (beyond, order) = if filter.newest_first {
        (
            " AND (opened_at, case_id) < ($#, $#)",
            " ORDER BY opened_at DESC, case_id DESC LIMIT $#",
        )
    } else {
        (
            " AND (opened_at, case_id) > ($#, $#)",
            " ORDER BY opened_at, case_id LIMIT $#",
        )
    };
    let kind = filter.kind.map(|kind| kind.reason().code());
    let mut statement = Statement::new(
        "SELECT case_id, kind, campaign_id, referral_id, state, opened_at, changed_at FROM cases
         WHERE connection_id = $1 AND state = $2",
    )
    .bind(connection)
    .bind(filter.state.name())
    .push_some(" AND kind = $#", kind);
    if let Some((at, id)) = after {
        statement = statement.push_all(beyond, [at.into(), id.into()]);
    }
    read(statement.push(order, limit).fetch_all(tx).await?)
}

/// How many cases are in one state.
pub async fn count_cases(
    tx: &mut Tx,
    connection: &ConnectionId,
    state: CaseState,
) -> Result<i64, StoreError> {
    let (count,) =
        Statement::new("SELECT COUNT(*) FROM cases WHERE connection_id = $1 AND state = $2")
            .bind(connection)
            .bind(state.name())
            .fetch_one(tx)
            .await?;
    Ok(count)
}
