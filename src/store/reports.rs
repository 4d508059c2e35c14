//! Sums and counts for pages and reports: each one statement over many rows, none of them read
//! by anything that decides.

use std::collections::BTreeMap;

use sqlx::FromRow;

use super::db::Tx;
use super::error::StoreError;
use super::json::name;
use super::statement::Statement;
use crate::domain::currency::Currency;
use crate::domain::ids::{CampaignId, ConnectionId, PromoterId};
use crate::domain::time::{DAY_SECONDS, Timestamp};
use crate::domain::verdict::RewardTo;

/// Seconds of a week.
const WEEK_SECONDS: i64 = 7 * DAY_SECONDS;

/// How many verdicts of each campaign name a customer.
pub async fn matched_by_campaign(
    tx: &mut Tx,
    connection: &ConnectionId,
) -> Result<BTreeMap<CampaignId, i64>, StoreError> {
    let rows: Vec<(String, i64)> = Statement::new(
        "SELECT campaign_id, COUNT(*)
         FROM (SELECT DISTINCT campaign_id, referral_id FROM verdict_customers
               WHERE connection_id = $1) AS matched
         GROUP BY campaign_id",
    )
    .bind(connection)
    .fetch_all(tx)
    .await?;
    Ok(rows.into_iter().map(|(id, n)| (id.into(), n)).collect())
}

/// How many qualifications each campaign has in each state: (campaign, name of state, count),
/// sorted.
pub async fn qualifications_by_campaign(
    tx: &mut Tx,
    connection: &ConnectionId,
) -> Result<Vec<(String, String, i64)>, StoreError> {
    Statement::new(
        "SELECT campaign_id, state, COUNT(*) FROM qualifications WHERE connection_id = $1
         GROUP BY campaign_id, state ORDER BY campaign_id, state",
    )
    .bind(connection)
    .fetch_all(tx)
    .await
}

/// How many queued qualifications may settle by an instant.
pub async fn queued_until(
    tx: &mut Tx,
    connection: &ConnectionId,
    until: Timestamp,
) -> Result<i64, StoreError> {
    let (count,) = Statement::new(
        "SELECT COUNT(*) FROM qualifications
         WHERE connection_id = $1 AND state = 'queued' AND settle_after <= $2",
    )
    .bind(connection)
    .bind(until)
    .fetch_one(tx)
    .await?;
    Ok(count)
}

/// How many open cases there are of each kind (the reason's code), sorted.
pub async fn open_cases_by_kind(
    tx: &mut Tx,
    connection: &ConnectionId,
) -> Result<Vec<(String, i64)>, StoreError> {
    Statement::new(
        "SELECT kind, COUNT(*) FROM cases WHERE connection_id = $1 AND state = 'open'
         GROUP BY kind ORDER BY kind",
    )
    .bind(connection)
    .fetch_all(tx)
    .await
}

/// Verdicts of some promoters by state: (promoter, name of state, count), sorted.
pub async fn verdicts_of_promoters(
    tx: &mut Tx,
    connection: &ConnectionId,
    promoters: &[PromoterId],
) -> Result<Vec<(String, String, i64)>, StoreError> {
    let mut rows: Vec<(String, String, i64)> = Statement::new(
        "SELECT promoter_id, state, COUNT(*) FROM verdicts
         WHERE connection_id = $1 AND promoter_id IN ({rows})
         GROUP BY promoter_id, state",
    )
    .bind(connection)
    .list(promoters)
    .fetch_all(tx)
    .await?;
    rows.sort();
    Ok(rows)
}

/// One week's counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Week {
    /// Referrals registered for an instant in it.
    pub referred: i64,
    /// Verdicts that qualified at an instant in it, as things stand.
    pub qualified: i64,
}

/// Counts of `weeks` weeks from `from` on, the first first; `campaign` narrows them down.
pub async fn weeks(
    tx: &mut Tx,
    connection: &ConnectionId,
    campaign: Option<&CampaignId>,
    from: Timestamp,
    weeks: u32,
) -> Result<Vec<Week>, StoreError> {
    let until = from.plus_days(weeks.saturating_mul(7));
    let referred: Vec<(i64, i64)> = Statement::new(
        "SELECT (referred_at - $2) / $4 AS week, COUNT(*) FROM referrals
         WHERE connection_id = $1 AND referred_at >= $2 AND referred_at < $3",
    )
    .bind(connection)
    .bind(from)
    .bind(until)
    .bind(WEEK_SECONDS)
    .push_some(" AND campaign_id = $#", campaign)
    .text(" GROUP BY week")
    .fetch_all(tx)
    .await?;
    let qualified: Vec<(i64, i64)> = Statement::new(
        "SELECT (qualified_at - $2) / $4 AS week, COUNT(*) FROM verdicts
         WHERE connection_id = $1 AND qualified_at >= $2 AND qualified_at < $3
           AND state = 'qualified'",
    )
    .bind(connection)
    .bind(from)
    .bind(until)
    .bind(WEEK_SECONDS)
    .push_some(" AND campaign_id = $#", campaign)
    .text(" GROUP BY week")
    .fetch_all(tx)
    .await?;
    let mut counts = vec![Week::default(); usize::try_from(weeks).unwrap_or(0)];
    let mut put = |rows: Vec<(i64, i64)>, set: fn(&mut Week, i64)| {
        for (week, count) in rows {
            let place = usize::try_from(week).ok();
            if let Some(week) = place.and_then(|place| counts.get_mut(place)) {
                set(week, count);
            }
        }
    };
    put(referred, |week, count| week.referred = count);
    put(qualified, |week, count| week.qualified = count);
    Ok(counts)
}

/// Which rewards to sum up. Everything left out means any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RewardFilter {
    /// Of this promoter's referrals.
    pub promoter: Option<PromoterId>,
    /// Of this campaign.
    pub campaign: Option<CampaignId>,
    /// Booked at or after.
    pub from: Option<Timestamp>,
    /// Booked before.
    pub until: Option<Timestamp>,
}

/// What people were given in one currency, minor units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RewardSum {
    /// To whom.
    pub to: RewardTo,
    /// The currency.
    pub currency: Currency,
    /// Given.
    pub accrued: i64,
    /// Taken back: zero or negative.
    pub taken_back: i64,
    /// Given again.
    pub given_again: i64,
    /// How many rewards were given.
    pub rewards: i64,
}

impl RewardSum {
    /// What is owed of it.
    pub fn owed(&self) -> i64 {
        self.accrued
            .saturating_add(self.taken_back)
            .saturating_add(self.given_again)
    }
}

#[derive(FromRow)]
struct Row {
    promoter_id: String,
    campaign_id: String,
    receiver: String,
    currency: String,
    accrued: i64,
    taken_back: i64,
    given_again: i64,
    rewards: i64,
}

impl Row {
    fn read(self) -> Result<((PromoterId, CampaignId), RewardSum), StoreError> {
        const TABLE: &str = "ledger_entries";
        let to = |text: &str| match text {
            "promoter" => Some(RewardTo::Promoter),
            "invited" => Some(RewardTo::Invited),
            _ => None,
        };
        let sum = RewardSum {
            to: name(TABLE, &self.receiver, to)?,
            currency: name(TABLE, &self.currency, Currency::parse)?,
            accrued: self.accrued,
            taken_back: self.taken_back,
            given_again: self.given_again,
            rewards: self.rewards,
        };
        Ok(((self.promoter_id.into(), self.campaign_id.into()), sum))
    }
}

// The account says who is owed; a campaign's budget and the clearing account are nobody.
const SUMS: &str = "
    CASE WHEN e.account LIKE 'promoter:%' THEN 'promoter' ELSE 'invited' END AS receiver,
    e.currency,
    CAST(SUM(CASE WHEN t.kind = 'accrual' THEN e.amount_minor ELSE 0 END) AS BIGINT) AS accrued,
    CAST(SUM(CASE WHEN t.kind = 'reversal' THEN e.amount_minor ELSE 0 END) AS BIGINT) AS taken_back,
    CAST(SUM(CASE WHEN t.kind = 'reinstatement' THEN e.amount_minor ELSE 0 END) AS BIGINT)
        AS given_again,
    CAST(SUM(CASE WHEN t.kind = 'accrual' THEN 1 ELSE 0 END) AS BIGINT) AS rewards";
const OF_ALL: &str = "
  FROM ledger_transactions AS t
  JOIN ledger_entries AS e
    ON e.connection_id = t.connection_id AND e.batch_id = t.batch_id AND e.item = t.item
  WHERE t.connection_id = $1
    AND (e.account LIKE 'promoter:%' OR e.account LIKE 'invited:%')";
// What is booked for promoters is found by their qualifications, and these rows by `mine`; see
// `ledger::list_transactions`.
const OF_MINE: &str = "
  FROM mine AS m CROSS JOIN ledger_transactions AS t CROSS JOIN ledger_entries AS e
  WHERE t.connection_id = $1 AND t.batch_id = m.batch_id AND t.item = m.item
    AND e.connection_id = $1 AND e.batch_id = m.batch_id AND e.item = m.item
    AND (e.account LIKE 'promoter:%' OR e.account LIKE 'invited:%')";
const MINE_OF_PROMOTER: &str = "
  WITH mine AS MATERIALIZED (
    SELECT k.batch_id, k.item
    FROM qualifications AS q CROSS JOIN ledger_transactions AS k
    WHERE q.connection_id = $1 AND q.promoter_id = $2
      AND k.connection_id = $1 AND k.qualification_id = q.qualification_id)
  SELECT ";
const MINE_OF_PAIRS: &str = "
  WITH mine AS MATERIALIZED (
    SELECT k.batch_id, k.item
    FROM qualifications AS q CROSS JOIN ledger_transactions AS k
    WHERE q.connection_id = $1 AND (q.promoter_id, q.campaign_id) IN ({rows})
      AND k.connection_id = $1 AND k.qualification_id = q.qualification_id)
  SELECT t.promoter_id, t.campaign_id,";

fn summed<'v>(
    keys: &'static str,
    connection: &'v ConnectionId,
    filter: &'v RewardFilter,
) -> Statement<'v> {
    let statement = match &filter.promoter {
        None => Statement::new("SELECT ")
            .bind(connection)
            .text(keys)
            .text(SUMS)
            .text(OF_ALL),
        Some(promoter) => Statement::new(MINE_OF_PROMOTER)
            .bind(connection)
            .bind(promoter)
            .text(keys)
            .text(SUMS)
            .text(OF_MINE),
    };
    filtered(statement, filter)
}

fn filtered<'v>(statement: Statement<'v>, filter: &'v RewardFilter) -> Statement<'v> {
    statement
        .push_some(" AND t.campaign_id = $#", filter.campaign.as_ref())
        .push_some(" AND t.booked_at >= $#", filter.from)
        .push_some(" AND t.booked_at < $#", filter.until)
}

/// Rewards in all, by receiver and currency.
pub async fn reward_totals(
    tx: &mut Tx,
    connection: &ConnectionId,
    filter: &RewardFilter,
) -> Result<Vec<RewardSum>, StoreError> {
    let keys = "'' AS promoter_id, '' AS campaign_id,";
    let rows: Vec<Row> = summed(keys, connection, filter)
        .text(" GROUP BY receiver, e.currency ORDER BY e.currency, receiver")
        .fetch_all(tx)
        .await?;
    let read = rows.into_iter().map(|row| row.read().map(|(_, sum)| sum));
    read.collect()
}

/// Rewards by campaign, receiver and currency.
pub async fn rewards_by_campaign(
    tx: &mut Tx,
    connection: &ConnectionId,
    filter: &RewardFilter,
) -> Result<Vec<(CampaignId, RewardSum)>, StoreError> {
    let keys = "'' AS promoter_id, t.campaign_id,";
    let rows: Vec<Row> = summed(keys, connection, filter)
        .text(" GROUP BY t.campaign_id, receiver, e.currency ORDER BY t.campaign_id, e.currency, receiver")
        .fetch_all(tx)
        .await?;
    let one = |row: Row| row.read().map(|((_, campaign), sum)| (campaign, sum));
    rows.into_iter().map(one).collect()
}

/// What a line of the rewards report is about.
pub type RewardKey = (PromoterId, CampaignId);

/// Rewards by (promoter, campaign), and within these by receiver and currency; after the last
/// pair seen. A pair's lines are always on one page: `limit` counts pairs.
pub async fn rewards_by_promoter(
    tx: &mut Tx,
    connection: &ConnectionId,
    filter: &RewardFilter,
    after: Option<&RewardKey>,
    limit: u32,
) -> Result<Vec<(RewardKey, RewardSum)>, StoreError> {
    // A span of time is read from the ledger; without one, qualifications tell in order.
    let pairs = if filter.from.is_some() || filter.until.is_some() {
        "SELECT t.promoter_id, t.campaign_id FROM ledger_transactions AS t
         WHERE t.connection_id = $1"
    } else {
        "SELECT t.promoter_id, t.campaign_id FROM qualifications AS t
         WHERE t.connection_id = $1 AND EXISTS (
             SELECT 1 FROM ledger_transactions AS k
             WHERE k.connection_id = $1 AND k.qualification_id = t.qualification_id)"
    };
    let pairs = Statement::new(pairs)
        .bind(connection)
        .push_some(" AND t.promoter_id = $#", filter.promoter.as_ref());
    let mut pairs = filtered(pairs, filter);
    if let Some((promoter, campaign)) = after {
        pairs = pairs.push_all(
            " AND (t.promoter_id, t.campaign_id) > ($#, $#)",
            [promoter.into(), campaign.into()],
        );
    }
    let keys: Vec<(String, String)> = pairs
        .text(" GROUP BY t.promoter_id, t.campaign_id ORDER BY t.promoter_id, t.campaign_id")
        .push(" LIMIT $#", limit)
        .fetch_all(tx)
        .await?;
    let statement = Statement::new(MINE_OF_PAIRS)
        .bind(connection)
        .text(SUMS)
        .text(OF_MINE);
    let rows: Vec<Row> = filtered(statement, filter)
        .text(" GROUP BY t.promoter_id, t.campaign_id, receiver, e.currency")
        .set(keys.iter().map(|(p, c)| [p.into(), c.into()]))
        .fetch_all(tx)
        .await?;
    let read = rows.into_iter().map(Row::read);
    let mut found = read.collect::<Result<Vec<_>, _>>()?;
    found.sort_by(|(a, x), (b, y)| (a, x.currency, x.to).cmp(&(b, y.currency, y.to)));
    Ok(found)
}
