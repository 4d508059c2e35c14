//! What admins decided: only ever added to. Which decision is in force is folded in `domain`.

use sqlx::FromRow;

use super::db::Tx;
use super::error::StoreError;
use super::json::{from_json, instant, to_json};
use super::statement::Statement;
use crate::domain::decision::{Choice, Decision, Subject};
use crate::domain::ids::{CampaignId, CaseId, ConnectionId, DecisionId, ReferralId};

const TABLE: &str = "decisions";

#[derive(FromRow)]
struct Row {
    decision_id: String,
    subject: String,
    choice: Option<String>,
    actor: String,
    reason: String,
    decided_at: i64,
}

fn read(rows: Vec<Row>) -> Result<Vec<Decision>, StoreError> {
    let read = |row: Row| {
        let choice = row.choice.as_deref();
        Ok(Decision {
            id: row.decision_id.into(),
            subject: from_json::<Subject>(TABLE, &row.subject)?,
            choice: choice
                .map(|choice| from_json::<Choice>(TABLE, choice))
                .transpose()?,
            actor: row.actor,
            reason: row.reason,
            decided_at: instant(TABLE, row.decided_at)?,
        })
    };
    rows.into_iter().map(read).collect()
}

/// Adds a decision. `campaign` and `referral` say where it matters: a case's id alone does not.
pub async fn insert_decision(
    tx: &mut Tx,
    connection: &ConnectionId,
    decision: &Decision,
    campaign: Option<&CampaignId>,
    referral: Option<&ReferralId>,
) -> Result<(), StoreError> {
    let (case, named) = match &decision.subject {
        Subject::Case { case } => (Some(case), None),
        Subject::Referral { referral } | Subject::Match { referral, .. } => (None, Some(referral)),
    };
    let choice = decision.choice.as_ref();
    Statement::new(
        "INSERT INTO decisions (connection_id, decision_id, subject, campaign_id, referral_id,
                                case_id, choice, actor, reason, decided_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(connection)
    .bind(&decision.id)
    .bind(to_json(TABLE, &decision.subject)?)
    .bind(campaign)
    .bind(named.or(referral))
    .bind(case)
    .bind(choice.map(|choice| to_json(TABLE, choice)).transpose()?)
    .bind(&decision.actor)
    .bind(&decision.reason)
    .bind(decision.decided_at)
    .execute(tx)
    .await?;
    Ok(())
}

/// Every decision that matters to some referrals, in order of (`decided_at`, id).
pub async fn decisions_of_referrals(
    tx: &mut Tx,
    connection: &ConnectionId,
    referrals: &[ReferralId],
) -> Result<Vec<Decision>, StoreError> {
    let mut rows: Vec<Row> = Statement::new(
        "SELECT decision_id, subject, choice, actor, reason, decided_at FROM decisions
         WHERE connection_id = $1 AND referral_id IN ({rows})",
    )
    .bind(connection)
    .list(referrals)
    .fetch_all(tx)
    .await?;
    rows.sort_by(|a, b| (a.decided_at, &a.decision_id).cmp(&(b.decided_at, &b.decision_id)));
    read(rows)
}

/// Every decision on some cases, in order of (`decided_at`, id).
pub async fn decisions_on_cases(
    tx: &mut Tx,
    connection: &ConnectionId,
    cases: &[CaseId],
) -> Result<Vec<Decision>, StoreError> {
    let mut rows: Vec<Row> = Statement::new(
        "SELECT decision_id, subject, choice, actor, reason, decided_at FROM decisions
         WHERE connection_id = $1 AND case_id IN ({rows})",
    )
    .bind(connection)
    .list(cases)
    .fetch_all(tx)
    .await?;
    rows.sort_by(|a, b| (a.decided_at, &a.decision_id).cmp(&(b.decided_at, &b.decision_id)));
    read(rows)
}

/// One page of all decisions in order of id: for `verify` and backtests, which fold them.
pub async fn decision_page(
    tx: &mut Tx,
    connection: &ConnectionId,
    after: Option<&DecisionId>,
    limit: u32,
) -> Result<Vec<Decision>, StoreError> {
    let rows = Statement::new(
        "SELECT decision_id, subject, choice, actor, reason, decided_at FROM decisions
         WHERE connection_id = $1 AND decision_id > $2
         ORDER BY decision_id LIMIT $3",
    )
    .bind(connection)
    .bind(after.map_or("", DecisionId::as_str))
    .bind(limit)
    .fetch_all(tx)
    .await?;
    read(rows)
}

/// Every decision that links a customer to a referral or refuses a referral outright, in order
/// of (`decided_at`, id). Each took a person, so they are few.
pub async fn linking_decisions(
    tx: &mut Tx,
    connection: &ConnectionId,
) -> Result<Vec<Decision>, StoreError> {
    let rows = Statement::new(
        "SELECT decision_id, subject, choice, actor, reason, decided_at FROM decisions
         WHERE connection_id = $1 AND case_id IS NULL
         ORDER BY decided_at, decision_id",
    )
    .bind(connection)
    .fetch_all(tx)
    .await?;
    read(rows)
}
