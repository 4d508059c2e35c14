//! The last verdict on each referral in each campaign, and when to look again.
//! How a verdict comes about is known to `evaluate`.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::FromRow;

use super::db::Tx;
use super::error::StoreError;
use super::json::{from_json, instant, instant_or_none, to_json};
use super::statement::Statement;
use crate::domain::ids::{CampaignId, ConnectionId, CustomerId, PromoterId, ReferralId};
use crate::domain::reason::ReasonCode;
use crate::domain::time::Timestamp;
use crate::domain::verdict::{Verdict, VerdictState};

const TABLE: &str = "verdicts";

/// What one verdict is about.
pub type VerdictKey = (CampaignId, ReferralId);

/// A verdict as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredVerdict {
    /// The verdict.
    pub verdict: Verdict,
    /// The instant it was decided for.
    pub evaluated_at: Timestamp,
    /// When time alone may change it.
    pub next_check_at: Option<Timestamp>,
}

impl StoredVerdict {
    fn key(&self) -> VerdictKey {
        (self.verdict.campaign.clone(), self.verdict.referral.clone())
    }
}

#[derive(FromRow)]
struct Row {
    verdict: String,
    evaluated_at: i64,
    next_check_at: Option<i64>,
}

fn read(rows: Vec<Row>) -> Result<Vec<StoredVerdict>, StoreError> {
    let read = |row: Row| {
        Ok(StoredVerdict {
            verdict: from_json(TABLE, &row.verdict)?,
            evaluated_at: instant(TABLE, row.evaluated_at)?,
            next_check_at: instant_or_none(TABLE, row.next_check_at)?,
        })
    };
    rows.into_iter().map(read).collect()
}

/// Writes verdicts as given, over what was there, with the customers they are about;
/// each (campaign, referral) at most once.
pub async fn upsert_verdicts(
    tx: &mut Tx,
    connection: &ConnectionId,
    verdicts: &[StoredVerdict],
) -> Result<(), StoreError> {
    let sorted: BTreeMap<VerdictKey, &StoredVerdict> =
        verdicts.iter().map(|v| (v.key(), v)).collect();
    let texts = sorted
        .values()
        .map(|stored| to_json(TABLE, &stored.verdict))
        .collect::<Result<Vec<_>, _>>()?;
    Statement::new(
        "INSERT INTO verdicts (connection_id, campaign_id, referral_id, promoter_id, revision,
                               state, code, qualified_at, settle_after, next_check_at, verdict,
                               evaluated_at)
         {rows}
         ON CONFLICT (connection_id, campaign_id, referral_id) DO UPDATE
         SET promoter_id = excluded.promoter_id, revision = excluded.revision,
             state = excluded.state, code = excluded.code, qualified_at = excluded.qualified_at,
             settle_after = excluded.settle_after, next_check_at = excluded.next_check_at,
             verdict = excluded.verdict, evaluated_at = excluded.evaluated_at",
    )
    .rows(sorted.values().zip(texts).map(|(stored, text)| {
        let verdict = &stored.verdict;
        [
            connection.into(),
            (&verdict.campaign).into(),
            (&verdict.referral).into(),
            (&verdict.promoter).into(),
            (&verdict.revision).into(),
            verdict.state.name().into(),
            verdict.code().map_or("", ReasonCode::code).into(),
            verdict.qualified_at.into(),
            verdict.settle_after.into(),
            stored.next_check_at.into(),
            text.into(),
            stored.evaluated_at.into(),
        ]
    }))
    .execute(tx)
    .await?;
    let keys: Vec<VerdictKey> = sorted.keys().cloned().collect();
    let wanted = sorted.values().flat_map(|stored| {
        let customers = stored.verdict.customers.iter();
        customers.map(|customer| (stored.key(), customer.id.clone()))
    });
    replace_customers(tx, connection, &keys, wanted.collect()).await
}

/// Removes verdicts on referrals that are no more; how many were there.
pub async fn delete_verdicts(
    tx: &mut Tx,
    connection: &ConnectionId,
    keys: &[VerdictKey],
) -> Result<u64, StoreError> {
    replace_customers(tx, connection, keys, BTreeSet::new()).await?;
    Statement::new(
        "DELETE FROM verdicts
         WHERE connection_id = $1 AND (campaign_id, referral_id) IN ({rows})",
    )
    .bind(connection)
    .set(keys.iter().map(|(c, r)| [c.into(), r.into()]))
    .execute(tx)
    .await
}

/// Makes the customers of some verdicts exactly these; only differences are written.
async fn replace_customers(
    tx: &mut Tx,
    connection: &ConnectionId,
    keys: &[VerdictKey],
    wanted: BTreeSet<(VerdictKey, CustomerId)>,
) -> Result<(), StoreError> {
    let rows: Vec<(String, String, String)> = Statement::new(
        "SELECT campaign_id, referral_id, customer_id FROM verdict_customers
         WHERE connection_id = $1 AND (campaign_id, referral_id) IN ({rows})",
    )
    .bind(connection)
    .set(keys.iter().map(|(c, r)| [c.into(), r.into()]))
    .fetch_all(tx)
    .await?;
    let there: BTreeSet<(VerdictKey, CustomerId)> = rows
        .into_iter()
        .map(|(c, r, customer)| ((c.into(), r.into()), customer.into()))
        .collect();
    Statement::new(
        "DELETE FROM verdict_customers
         WHERE connection_id = $1 AND (customer_id, campaign_id, referral_id) IN ({rows})",
    )
    .bind(connection)
    .set(
        there
            .difference(&wanted)
            .map(|((c, r), customer)| [customer.into(), c.into(), r.into()]),
    )
    .execute(tx)
    .await?;
    Statement::new(
        "INSERT INTO verdict_customers (connection_id, customer_id, campaign_id, referral_id)
         {rows}
         ON CONFLICT (connection_id, customer_id, campaign_id, referral_id) DO NOTHING",
    )
    .rows(
        wanted
            .difference(&there)
            .map(|((c, r), customer)| [connection.into(), customer.into(), c.into(), r.into()]),
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Verdicts by key, in order of (campaign, referral); the ones that are not there are left out.
pub async fn load_verdicts(
    tx: &mut Tx,
    connection: &ConnectionId,
    keys: &[VerdictKey],
) -> Result<Vec<StoredVerdict>, StoreError> {
    let rows = Statement::new(
        "SELECT verdict, evaluated_at, next_check_at FROM verdicts
         WHERE connection_id = $1 AND (campaign_id, referral_id) IN ({rows})",
    )
    .bind(connection)
    .set(keys.iter().map(|(c, r)| [c.into(), r.into()]))
    .fetch_all(tx)
    .await?;
    let mut found = read(rows)?;
    found.sort_by_key(StoredVerdict::key);
    Ok(found)
}

/// Which of these there is a verdict on.
pub async fn keys_with_verdict(
    tx: &mut Tx,
    connection: &ConnectionId,
    keys: &[VerdictKey],
) -> Result<BTreeSet<VerdictKey>, StoreError> {
    let rows: Vec<(String, String)> = Statement::new(
        "SELECT campaign_id, referral_id FROM verdicts
         WHERE connection_id = $1 AND (campaign_id, referral_id) IN ({rows})",
    )
    .bind(connection)
    .set(keys.iter().map(|(c, r)| [c.into(), r.into()]))
    .fetch_all(tx)
    .await?;
    let keys = rows.into_iter();
    Ok(keys.map(|(c, r)| (c.into(), r.into())).collect())
}

/// One verdict.
pub async fn get_verdict(
    tx: &mut Tx,
    connection: &ConnectionId,
    campaign: &CampaignId,
    referral: &ReferralId,
) -> Result<Option<StoredVerdict>, StoreError> {
    let key = (campaign.clone(), referral.clone());
    let found = load_verdicts(tx, connection, &[key]).await?;
    Ok(found.into_iter().next())
}

/// Which verdicts name one of these customers, sorted.
pub async fn verdicts_of_customers(
    tx: &mut Tx,
    connection: &ConnectionId,
    customers: &[CustomerId],
) -> Result<Vec<VerdictKey>, StoreError> {
    let rows: Vec<(String, String)> = Statement::new(
        "SELECT campaign_id, referral_id FROM verdict_customers
         WHERE connection_id = $1 AND customer_id IN ({rows})",
    )
    .bind(connection)
    .list(customers)
    .fetch_all(tx)
    .await?;
    let keys: BTreeSet<VerdictKey> = rows
        .into_iter()
        .map(|(c, r)| (c.into(), r.into()))
        .collect();
    Ok(keys.into_iter().collect())
}

/// Verdicts that time alone may have changed by `now`: those that waited longest first.
pub async fn due_for_recheck(
    tx: &mut Tx,
    connection: &ConnectionId,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<VerdictKey>, StoreError> {
    let rows: Vec<(String, String)> = Statement::new(
        "SELECT campaign_id, referral_id FROM verdicts
         WHERE connection_id = $1 AND next_check_at IS NOT NULL AND next_check_at <= $2
         ORDER BY next_check_at LIMIT $3",
    )
    .bind(connection)
    .bind(now)
    .bind(limit)
    .fetch_all(tx)
    .await?;
    Ok(rows
        .into_iter()
        .map(|(c, r)| (c.into(), r.into()))
        .collect())
}

/// Which verdicts to list. Everything left out means any.
#[derive(Debug, Clone, Default)]
pub struct VerdictFilter {
    /// In this campaign.
    pub campaign: Option<CampaignId>,
    /// Whose reward it would be.
    pub promoter: Option<PromoterId>,
    /// On this referral.
    pub referral: Option<ReferralId>,
    /// In this state.
    pub state: Option<VerdictState>,
    /// With this deciding reason.
    pub code: Option<ReasonCode>,
}

/// Verdicts in order of (campaign, referral), after the last one seen.
pub async fn list_verdicts(
    tx: &mut Tx,
    connection: &ConnectionId,
    filter: &VerdictFilter,
    after: Option<&VerdictKey>,
    limit: u32,
) -> Result<Vec<StoredVerdict>, StoreError> {
    let mut statement = Statement::new(
        "SELECT verdict, evaluated_at, next_check_at FROM verdicts WHERE connection_id = $1",
    )
    .bind(connection)
    .push_some(" AND campaign_id = $#", filter.campaign.as_ref())
    .push_some(" AND promoter_id = $#", filter.promoter.as_ref())
    .push_some(" AND referral_id = $#", filter.referral.as_ref())
    .push_some(" AND state = $#", filter.state.map(VerdictState::name))
    .push_some(" AND code = $#", filter.code.map(ReasonCode::code));
    if let Some((campaign, referral)) = after {
        statement = statement.push_all(
            " AND (campaign_id, referral_id) > ($#, $#)",
            [campaign.into(), referral.into()],
        );
    }
    let rows = statement
        .push(" ORDER BY campaign_id, referral_id LIMIT $#", limit)
        .fetch_all(tx)
        .await?;
    read(rows)
}

/// Verdicts on these referrals in any campaign, in order of (campaign, referral).
pub async fn verdicts_on_referrals(
    tx: &mut Tx,
    connection: &ConnectionId,
    referrals: &[ReferralId],
) -> Result<Vec<StoredVerdict>, StoreError> {
    let rows = Statement::new(
        "SELECT verdict, evaluated_at, next_check_at FROM verdicts
         WHERE connection_id = $1 AND referral_id IN ({rows})",
    )
    .bind(connection)
    .list(referrals)
    .fetch_all(tx)
    .await?;
    let mut found = read(rows)?;
    found.sort_by_key(StoredVerdict::key);
    Ok(found)
}

/// How many verdicts there are by (campaign, name of state, deciding reason's code), sorted.
pub async fn count_verdicts(
    tx: &mut Tx,
    connection: &ConnectionId,
    promoter: Option<&PromoterId>,
) -> Result<Vec<(String, String, String, i64)>, StoreError> {
    Statement::new(
        "SELECT campaign_id, state, code, COUNT(*) FROM verdicts WHERE connection_id = $1",
    )
    .bind(connection)
    // The second condition holds for all, and has SQLite look into the index by promoter: without
    // it every promoter's verdicts are read in the order of their states.
    .push_some(" AND promoter_id = $# AND campaign_id >= ''", promoter)
    .text(" GROUP BY campaign_id, state, code ORDER BY campaign_id, state, code")
    .fetch_all(tx)
    .await
}
