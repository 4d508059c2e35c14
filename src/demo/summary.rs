//! What came of it, read from the database: the funnel, the money, what waits. Numbers and
//! names; how they look is `words.rs`'s business.

use std::collections::BTreeMap;

use serde::Serialize;

use super::run::{Demo, Played};
use crate::domain::ids::{BatchId, CampaignId, ConnectionId, ReferralId};
use crate::domain::ledger::Account;
use crate::domain::money::Money;
use crate::domain::verdict::{Spend, Verdict, VerdictState};
use crate::registry::promoters::PromoterInput;
use crate::store::batch_items::{ItemAction, batch_items};
use crate::store::batches::list_batches;
use crate::store::campaigns::current_campaigns;
use crate::store::cases::{CaseFilter, CaseState, list_cases};
use crate::store::ledger::{TransactionKind, grand_total, transaction_page};
use crate::store::near_misses::list_near_misses;
use crate::store::qualifications::{QualificationFilter, QualificationState, list_qualifications};
use crate::store::verdicts::{VerdictFilter, list_verdicts};
use crate::store::{StoreError, Tx, events};

/// More rows than any half year has, of anything.
const ROWS_MAX: u32 = 10_000;
/// How many pending referrals are told.
const NEAREST: usize = 5;

/// What came of a half year.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Always true: none of it is real.
    pub demo: bool,
    /// Which half year.
    pub seed: u64,
    /// How many promoters there are.
    pub promoters: usize,
    /// Referral → customer → qualified → settled, by campaign.
    pub funnel: Vec<Funnel>,
    /// Rewards, by currency.
    pub money: Vec<Rewards>,
    /// Who is owed most, by currency and then amount.
    pub owed: Vec<Owed>,
    /// Pending referrals that are nearest to their threshold.
    pub nearest: Vec<Nearest>,
    /// Cases that wait for a person.
    pub cases: Vec<Waiting>,
    /// Verdicts by (state, deciding reason).
    pub verdicts: BTreeMap<String, BTreeMap<String, usize>>,
    /// Stored events by state.
    pub events: BTreeMap<&'static str, i64>,
    /// Events posted, duplicates included.
    pub posted: usize,
    /// Referrals refused because the person had been referred before.
    pub refused: usize,
    /// Batches, oldest first.
    pub batches: Vec<BatchLine>,
    /// Near misses by kind.
    pub near_misses: BTreeMap<String, usize>,
    /// Whether all entries of the ledger sum to zero in every currency.
    pub ledger_balanced: bool,
}

/// One campaign's funnel.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Funnel {
    /// The campaign.
    pub campaign: String,
    /// What people call it.
    pub name: String,
    /// Referrals, by link and by coupon.
    pub referrals: usize,
    /// With a customer.
    pub matched: usize,
    /// Qualified as things stand.
    pub qualified: usize,
    /// With the reward in the ledger.
    pub settled: usize,
    /// Still possible.
    pub pending: usize,
    /// Waiting for a person.
    pub review: usize,
    /// Not possible any more.
    pub rejected: usize,
}

/// Rewards in one currency, minor units.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rewards {
    /// The currency.
    pub currency: String,
    /// Given.
    pub accrued_minor: i64,
    /// Taken back.
    pub reversed_minor: i64,
    /// Given again.
    pub reinstated_minor: i64,
    /// What is owed now.
    pub balance_minor: i64,
    /// The same four for people: accrued, reversed, reinstated, balance.
    #[serde(skip)]
    pub shown: [String; 4],
}

/// What one promoter is owed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Owed {
    /// The promoter's name.
    pub promoter: String,
    /// The currency.
    pub currency: String,
    /// How much, minor units.
    pub balance_minor: i64,
    /// The same for people.
    #[serde(skip)]
    pub shown: String,
}

/// A pending referral and what it lacks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Nearest {
    /// The campaign.
    pub campaign: String,
    /// The referral.
    pub referral: String,
    /// In words: what is there, what is missing and until when.
    pub detail: String,
}

/// A case that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Waiting {
    /// The case.
    pub id: String,
    /// What it is about: a stable code.
    pub kind: &'static str,
    /// The campaign.
    pub campaign: String,
    /// The referral.
    pub referral: String,
    /// In words.
    pub detail: String,
}

/// One batch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct BatchLine {
    /// The instant it belongs to.
    pub slot: String,
    /// Rewards given.
    pub settled: i64,
    /// Rewards taken back, in whole or in part.
    pub reversed: i64,
    /// Rewards given again.
    pub reinstated: i64,
    /// Left for later.
    pub skipped: i64,
    /// Why, if any were: stable codes.
    pub why_skipped: Vec<String>,
}

/// Reads what came of a story.
pub async fn read(
    demo: &Demo,
    seed: u64,
    promoters: &[PromoterInput],
    played: Played,
) -> Result<Summary, StoreError> {
    let connection = &demo.running.app.connection;
    let mut tx = demo.running.app.db.read().await?;
    let all = VerdictFilter::default();
    let verdicts: Vec<Verdict> = list_verdicts(&mut tx, connection, &all, None, ROWS_MAX)
        .await?
        .into_iter()
        .map(|stored| stored.verdict)
        .collect();
    let (money, owed) = ledger(&mut tx, connection, promoters).await?;
    let counts = events::count_by_state(&mut tx, connection).await?;
    let mut near_misses = BTreeMap::new();
    for near in list_near_misses(&mut tx, connection, None, ROWS_MAX).await? {
        *near_misses.entry(near.kind).or_default() += 1;
    }
    let totals = grand_total(&mut tx, connection).await?;
    let summary = Summary {
        demo: true,
        seed,
        promoters: promoters.len(),
        funnel: funnel(&mut tx, connection, &verdicts).await?,
        money,
        owed,
        nearest: nearest(&verdicts),
        cases: cases(&mut tx, connection, &verdicts).await?,
        verdicts: by_reason(&verdicts),
        events: counts.into_iter().map(|(s, n)| (s.name(), n)).collect(),
        posted: played.posted,
        refused: played.refused,
        batches: batches(&mut tx, connection).await?,
        near_misses,
        ledger_balanced: totals.values().all(|sum| *sum == 0),
    };
    tx.rollback().await?;
    Ok(summary)
}

async fn funnel(
    tx: &mut Tx,
    connection: &ConnectionId,
    verdicts: &[Verdict],
) -> Result<Vec<Funnel>, StoreError> {
    let mut lines: BTreeMap<String, Funnel> = BTreeMap::new();
    for stored in current_campaigns(tx, connection).await? {
        let name = crate::rules::parse(&stored.campaign_id, &stored.source)
            .map_or_else(|_| stored.campaign_id.clone(), |campaign| campaign.name);
        let line = Funnel {
            campaign: stored.campaign_id.clone(),
            name,
            ..Funnel::default()
        };
        lines.insert(stored.campaign_id, line);
    }
    for verdict in verdicts {
        let line = lines.entry(verdict.campaign.to_string()).or_default();
        line.referrals += 1;
        line.matched += usize::from(!verdict.customers.is_empty());
        match verdict.state {
            VerdictState::Qualified => line.qualified += 1,
            VerdictState::Pending => line.pending += 1,
            VerdictState::Review => line.review += 1,
            VerdictState::Rejected => line.rejected += 1,
        }
    }
    let settled = QualificationFilter {
        state: Some(QualificationState::Settled),
        ..QualificationFilter::default()
    };
    for qualification in list_qualifications(tx, connection, &settled, None, ROWS_MAX).await? {
        let line = lines.entry(qualification.campaign.to_string()).or_default();
        line.settled += 1;
    }
    Ok(lines.into_values().collect())
}

fn by_reason(verdicts: &[Verdict]) -> BTreeMap<String, BTreeMap<String, usize>> {
    let mut counts: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
    for verdict in verdicts {
        let code = verdict.code().map_or("", |code| code.code()).to_owned();
        let of_state = counts.entry(verdict.state.name().to_owned()).or_default();
        *of_state.entry(code).or_default() += 1;
    }
    counts
}

/// What people are owed: rewards by currency, and who has earned most.
async fn ledger(
    tx: &mut Tx,
    connection: &ConnectionId,
    promoters: &[PromoterInput],
) -> Result<(Vec<Rewards>, Vec<Owed>), StoreError> {
    let mut by_currency: BTreeMap<_, BTreeMap<TransactionKind, i64>> = BTreeMap::new();
    let mut by_promoter: BTreeMap<_, i64> = BTreeMap::new();
    let mut after: Option<(BatchId, i64)> = None;
    loop {
        let page = transaction_page(tx, connection, None, after.as_ref(), ROWS_MAX).await?;
        for transaction in &page {
            for entry in &transaction.entries {
                let (minor, currency) = (entry.amount.minor, entry.amount.currency);
                match &entry.account {
                    Account::Promoter(id) => {
                        *by_promoter.entry((currency, id.clone())).or_default() += minor;
                    }
                    Account::Invited(_) => {}
                    Account::Budget(_) | Account::Clearing => continue,
                }
                let sums = by_currency.entry(currency).or_default();
                *sums.entry(transaction.kind).or_default() += minor;
            }
        }
        match page.last() {
            Some(last) if page.len() >= ROWS_MAX as usize => {
                after = Some((last.batch.clone(), last.item));
            }
            _ => break,
        }
    }
    let money = by_currency.into_iter().map(|(currency, sums)| {
        let sum = |kind| sums.get(&kind).copied().unwrap_or(0);
        let accrued = sum(TransactionKind::Accrual);
        let reversed = sum(TransactionKind::Reversal);
        let reinstated = sum(TransactionKind::Reinstatement);
        let balance = accrued + reversed + reinstated;
        Rewards {
            currency: currency.code().to_owned(),
            accrued_minor: accrued,
            reversed_minor: reversed,
            reinstated_minor: reinstated,
            balance_minor: balance,
            shown: [accrued, reversed, reinstated, balance]
                .map(|minor| Money::new(minor, currency).major()),
        }
    });
    let mut owed: Vec<Owed> = by_promoter
        .into_iter()
        .map(|((currency, id), minor)| Owed {
            promoter: promoters
                .iter()
                .find(|p| p.id == id.as_str())
                .map_or_else(|| id.to_string(), |p| p.name.clone()),
            currency: currency.code().to_owned(),
            balance_minor: minor,
            shown: Money::new(minor, currency).to_string(),
        })
        .collect();
    owed.sort_by(|a, b| {
        let key = |o: &Owed| (std::cmp::Reverse(o.currency.clone()), -o.balance_minor);
        key(a).cmp(&key(b)).then(a.promoter.cmp(&b.promoter))
    });
    Ok((money.collect(), owed))
}

/// Pending referrals with some spend, by the share that is missing.
fn nearest(verdicts: &[Verdict]) -> Vec<Nearest> {
    let mut near: Vec<(&Spend, &Verdict)> = verdicts
        .iter()
        .filter(|verdict| verdict.state == VerdictState::Pending)
        .filter_map(|verdict| {
            let with_spend = verdict.spend.iter();
            let best = with_spend
                .filter(|spend| spend.counted_minor > 0 && spend.missing_minor > 0)
                .min_by(|a, b| missing_share(a).cmp(&missing_share(b)))?;
            Some((best, verdict))
        })
        .collect();
    near.sort_by(|(a, x), (b, y)| {
        let share = missing_share(a).cmp(&missing_share(b));
        share.then_with(|| x.referral.cmp(&y.referral))
    });
    near.into_iter()
        .take(NEAREST)
        .map(|(_, verdict)| Nearest {
            campaign: verdict.campaign.to_string(),
            referral: verdict.referral.to_string(),
            detail: first_detail(verdict),
        })
        .collect()
}

/// What is missing, in thousandths of what is needed.
fn missing_share(spend: &Spend) -> i64 {
    let share = spend.missing_minor.saturating_mul(1_000);
    share.checked_div(spend.needed_minor).unwrap_or(i64::MAX)
}

fn first_detail(verdict: &Verdict) -> String {
    let first = verdict.reasons.first();
    first
        .map(|reason| reason.detail.clone())
        .unwrap_or_default()
}

async fn cases(
    tx: &mut Tx,
    connection: &ConnectionId,
    verdicts: &[Verdict],
) -> Result<Vec<Waiting>, StoreError> {
    let by_key: BTreeMap<(&CampaignId, &ReferralId), &Verdict> = verdicts
        .iter()
        .map(|verdict| ((&verdict.campaign, &verdict.referral), verdict))
        .collect();
    let open = list_cases(
        tx,
        connection,
        CaseFilter::of(CaseState::Open),
        None,
        ROWS_MAX,
    )
    .await?;
    let mut waiting: Vec<Waiting> = open
        .iter()
        .map(|case| Waiting {
            id: case.id.to_string(),
            kind: case.kind.reason().code(),
            campaign: case.campaign.to_string(),
            referral: case.referral.to_string(),
            detail: by_key
                .get(&(&case.campaign, &case.referral))
                .map(|verdict| first_detail(verdict))
                .unwrap_or_default(),
        })
        .collect();
    waiting.sort_by(|a, b| (a.kind, &a.referral).cmp(&(b.kind, &b.referral)));
    Ok(waiting)
}

async fn batches(tx: &mut Tx, connection: &ConnectionId) -> Result<Vec<BatchLine>, StoreError> {
    let mut lines = Vec::new();
    for batch in list_batches(tx, connection, None, ROWS_MAX).await? {
        // A dozen batches, each small.
        let items = batch_items(tx, connection, &batch.id, None, None, ROWS_MAX).await?;
        let mut why: Vec<String> = items
            .into_iter()
            .filter(|item| item.action == ItemAction::Skip)
            .map(|item| item.reason)
            .collect();
        why.sort_unstable();
        why.dedup();
        lines.push(BatchLine {
            slot: batch.slot_at.words(),
            settled: batch.totals.settled,
            reversed: batch.totals.reversed,
            reinstated: batch.totals.reinstated,
            skipped: batch.totals.skipped,
            why_skipped: why,
        });
    }
    lines.reverse();
    Ok(lines)
}
