//! Many verdicts at once, on facts in memory: what `backtest` prints, and what a campaign
//! would cost. The same matching, evaluation and limits as the running service.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Serialize;

use super::limits::Used;
use super::{evaluate, evaluate_briefly};
use crate::domain::campaign::Campaign;
use crate::domain::currency::Currency;
use crate::domain::decision::Decisions;
use crate::domain::ids::{CampaignId, PromoterId, ReferralId};
use crate::domain::payment::{Customer, Outcome};
use crate::domain::people::Referral;
use crate::domain::reason::LeftOut;
use crate::domain::time::Timestamp;
use crate::domain::verdict::{PaymentEvidence, Reward, Verdict, VerdictState};
use crate::matching::{self, Claim, Promoters, World};

/// What one campaign is tried on.
#[derive(Debug, Clone, Copy)]
pub struct Trial<'a> {
    /// Customers of the campaign's account and mode.
    pub customers: &'a [Customer],
    /// Customers of the same account in the other mode: named in the evidence, never counted.
    pub other_mode: &'a [Customer],
    /// Referrals of any campaign; those of others are passed over.
    pub referrals: &'a [Referral],
    /// Promoters.
    pub promoters: &'a Promoters,
    /// Decisions in force.
    pub decisions: &'a Decisions,
    /// The instant to decide for.
    pub as_of: Timestamp,
}

/// How much a verdict tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// Everything.
    Full,
    /// Everything but its payments.
    Brief,
}

/// Judges every referral of a campaign, and every customer that only a coupon brought.
///
/// Sorted by referral id. Limits and budget are applied as settling all of it would.
pub fn backtest(campaign: &Campaign, trial: &Trial<'_>) -> Vec<Verdict> {
    let mut verdicts = judge_part(campaign, trial, Detail::Full);
    apply_limits(campaign, &mut verdicts);
    verdicts
}

/// Judges a closed part of the world (see [`World`]), without limits, which take the whole.
///
/// Sorted by referral id.
pub fn judge_part(campaign: &Campaign, trial: &Trial<'_>, detail: Detail) -> Vec<Verdict> {
    let is_mine = |r: &&Referral| r.campaign == campaign.id;
    let referrals = if trial.referrals.iter().all(|r| is_mine(&r)) {
        Cow::Borrowed(trial.referrals)
    } else {
        Cow::Owned(trial.referrals.iter().filter(is_mine).cloned().collect())
    };
    let world = World {
        referrals: &referrals,
        customers: trial.customers,
        promoters: trial.promoters,
        decisions: trial.decisions,
    };
    let claims = matching::resolve(campaign, &world);
    let judge = |claim: &Claim<'_>| match detail {
        Detail::Full => evaluate(campaign, claim, trial.as_of),
        Detail::Brief => evaluate_briefly(campaign, claim, trial.as_of),
    };
    let mut verdicts: Vec<Verdict> = claims.iter().map(judge).collect();
    if detail == Detail::Full && !trial.other_mode.is_empty() {
        name_other_mode(
            campaign,
            &World {
                customers: trial.other_mode,
                ..world
            },
            &mut verdicts,
        );
    }
    verdicts
}

/// Adds what matching customers paid in the other mode, left out as `other_mode`.
fn name_other_mode(campaign: &Campaign, world: &World<'_>, verdicts: &mut [Verdict]) {
    let claims = matching::resolve(campaign, world);
    let by_referral: BTreeMap<&ReferralId, &Claim<'_>> = claims
        .iter()
        .map(|claim| (&claim.referral.id, claim))
        .collect();
    for verdict in verdicts {
        let Some(claim) = by_referral.get(&verdict.referral) else {
            continue;
        };
        let payments = claim
            .customers
            .iter()
            .flat_map(|(customer, _)| &customer.payments);
        for payment in payments.filter(|payment| payment.outcome == Outcome::Paid) {
            verdict.payments.push(PaymentEvidence {
                id: payment.id.clone(),
                amount_minor: payment.amount,
                refunded_minor: payment.refunded,
                currency: payment.currency,
                occurred_at: payment.occurred_at,
                counted: false,
                why: Some(LeftOut::OtherMode),
                presumed_link: false,
            });
        }
        verdict
            .payments
            .sort_by(|a, b| (a.occurred_at, &a.id).cmp(&(b.occurred_at, &b.id)));
    }
}

fn apply_limits(campaign: &Campaign, verdicts: &mut [Verdict]) {
    let mut qualified: Vec<&mut Verdict> = verdicts
        .iter_mut()
        .filter(|v| v.state == VerdictState::Qualified)
        .collect();
    qualified.sort_by(|a, b| (a.qualified_at, &a.referral).cmp(&(b.qualified_at, &b.referral)));
    let mut used = Used::default();
    for verdict in qualified {
        let Some(promoter) = &verdict.promoter else {
            continue;
        };
        if let Err(reason) = used.admit(campaign, promoter, &verdict.rewards) {
            verdict.reasons.push(reason);
            verdict.rewards.clear();
        }
    }
}

/// Counts and money of a set of verdicts.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Summary {
    /// Verdicts by state.
    pub states: BTreeMap<&'static str, u64>,
    /// Rewards of qualified referrals, minor units by currency.
    pub rewards: BTreeMap<Currency, i64>,
}

impl Summary {
    /// Counts one verdict.
    pub fn add(&mut self, state: VerdictState, rewards: &[Reward]) {
        *self.states.entry(state.name()).or_default() += 1;
        for reward in rewards {
            let sum = self.rewards.entry(reward.currency).or_default();
            *sum = sum.saturating_add(reward.amount_minor);
        }
    }
}

/// One referral whose qualification differs between two rule sets.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Changed {
    /// The campaign.
    pub campaign: CampaignId,
    /// The referral.
    pub referral: ReferralId,
    /// Its promoter.
    pub promoter: Option<PromoterId>,
}

/// What another rule set would change.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Difference {
    /// Qualified by the other rules only.
    pub newly_qualified: Vec<Changed>,
    /// Qualified by these rules only.
    pub dropped_out: Vec<Changed>,
    /// Rewards by the other rules less rewards by these, minor units by currency.
    pub rewards_change: BTreeMap<Currency, i64>,
}
