//! `evaluate(campaign, claim, as_of) → Verdict`, pure: no clock, no database, no randomness.
//! The worker, the backtest, `explain` and the batch's re-check all call [`judge`].
//!
//! One condition a file: [`standing`] (is the claim itself in doubt), [`campaign_time`],
//! [`new_customer`], [`spend`] (payments, thresholds, windows), [`shortfall`] (what is missing,
//! and whether it still can come), [`reward`]. [`evidence`] collects what a verdict reports
//! and costs nothing when nobody asks; [`words`] are the sentences; [`explain`] the page.

pub mod backtest;
mod campaign_time;
mod evidence;
pub mod explain;
pub mod limits;
mod new_customer;
mod reward;
mod shortfall;
mod spend;
mod standing;
mod words;

pub use evidence::{Evidence, Silent};
pub use reward::{Rewards, at_most, supported};

use crate::domain::campaign::Campaign;
use crate::domain::decision::CaseKind;
use crate::domain::ids::CaseId;
use crate::domain::reason::ReasonCode;
use crate::domain::time::{Timestamp, Window};
use crate::domain::verdict::{
    MatchedCustomer, Missing, PaymentEvidence, Reason, Verdict, VerdictState,
};
use crate::matching::{Claim, Standing};

use evidence::{Full, Reasons};
use spend::Tallies;

/// What was decided, without the evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// The answer.
    pub state: VerdictState,
    /// The deciding reason.
    pub code: ReasonCode,
    /// The window in which payments count.
    pub window: Window,
    /// When the completing payment happened.
    pub qualified_at: Option<Timestamp>,
    /// What would be owed.
    pub rewards: Rewards,
    /// What is missing, when pending.
    pub missing: Option<Missing>,
    tallies: Tallies,
}

/// Judges one claim at one instant, reporting to `evidence` as it goes.
///
/// The ladder: an admin's word, the campaign's time, a better claim, an open case, no
/// customer, an old customer, and then the money.
pub fn judge<E: Evidence>(
    campaign: &Campaign,
    claim: &Claim<'_>,
    as_of: Timestamp,
    evidence: &mut E,
) -> Judgement {
    let customers = claim.customers.iter().map(|(customer, _)| *customer);
    let window = crate::domain::counting::window(campaign, &claim.referral, customers);
    let tallies = spend::tally(campaign, claim, &window, evidence);
    let decided = standing::refused(claim, evidence)
        .or_else(|| campaign_time::outside(campaign, claim, evidence))
        .or_else(|| standing::claimed_by_other(claim, evidence))
        .or_else(|| standing::in_review(claim, evidence))
        .or_else(|| new_customer::too_old(campaign, claim, evidence));
    let mut judgement = Judgement {
        state: VerdictState::Rejected,
        code: ReasonCode::RejectedByAdmin,
        window,
        qualified_at: None,
        rewards: Rewards::default(),
        missing: None,
        tallies,
    };
    if let Some((state, code)) = decided {
        (judgement.state, judgement.code) = (state, code);
    } else if let Some(qualified_at) = judgement.tallies.qualified_at {
        judgement.state = VerdictState::Qualified;
        judgement.code = ReasonCode::ThresholdMet;
        judgement.qualified_at = Some(qualified_at);
        judgement.rewards = reward::of(campaign, &judgement.tallies);
        evidence.reason(ReasonCode::ThresholdMet, || {
            words::met(campaign, &judgement.tallies)
        });
    } else {
        let short = shortfall::of(
            campaign,
            claim,
            &window,
            &judgement.tallies,
            as_of,
            evidence,
        );
        (judgement.state, judgement.code) = (short.state, short.code);
        judgement.missing = short.missing;
    }
    judgement
}

/// Judges one claim at one instant, with all evidence.
pub fn evaluate(campaign: &Campaign, claim: &Claim<'_>, as_of: Timestamp) -> Verdict {
    let mut full = Full::default();
    let judgement = judge(campaign, claim, as_of, &mut full);
    told(campaign, claim, judgement, full.reasons, full.payments)
}

/// The same verdict without its payments, for lists that show a sentence each.
pub fn evaluate_briefly(campaign: &Campaign, claim: &Claim<'_>, as_of: Timestamp) -> Verdict {
    let mut reasons = Reasons::default();
    let judgement = judge(campaign, claim, as_of, &mut reasons);
    told(campaign, claim, judgement, reasons.0, Vec::new())
}

fn told(
    campaign: &Campaign,
    claim: &Claim<'_>,
    judgement: Judgement,
    reasons: Vec<Reason>,
    payments: Vec<PaymentEvidence>,
) -> Verdict {
    let settle_after = judgement
        .qualified_at
        .map(|at| at.plus_days(campaign.qualify.hold_days));
    let customers = claim.customers.iter();
    Verdict {
        campaign: campaign.id.clone(),
        revision: campaign.revision.clone(),
        referral: claim.referral.id.clone(),
        promoter: claim.referral.promoter.clone(),
        state: judgement.state,
        reasons,
        customers: customers
            .map(|(customer, by)| MatchedCustomer {
                id: customer.id.clone(),
                matched_by: *by,
            })
            .collect(),
        spend: judgement.tallies.spend(campaign),
        payments,
        window: Some(judgement.window),
        qualified_at: judgement.qualified_at,
        settle_after,
        rewards: judgement.rewards.into_vec(),
        missing: judgement.missing,
        case: open_case(claim).map(|(_, case)| case),
    }
}

/// The case that has to be decided before a claim can be judged.
pub fn open_case(claim: &Claim<'_>) -> Option<(CaseKind, CaseId)> {
    match &claim.standing {
        Standing::Review { kind, case, .. } => Some((*kind, case.clone())),
        _ => None,
    }
}

/// The next instant at which a verdict changes without any new fact: its window closes.
pub fn next_change(verdict: &Verdict, as_of: Timestamp) -> Option<Timestamp> {
    let closes_at = verdict.window.and_then(|window| window.closes_at)?;
    (verdict.state == VerdictState::Pending && as_of < closes_at).then_some(closes_at)
}
