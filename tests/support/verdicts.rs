//! Verdicts as the judging stage would store them, for tests that start at the queue.

use qualify::domain::reason::ReasonCode;
use qualify::domain::time::Timestamp;
use qualify::domain::verdict::{MatchedBy, MatchedCustomer, Reason, Reward, Verdict, VerdictState};
use qualify::store::qualifications::Qualification;
use qualify::store::verdicts::StoredVerdict;

/// A qualified verdict that owes these rewards.
pub fn qualified(
    campaign: &str,
    referral: &str,
    customer: &str,
    rewards: Vec<Reward>,
    at: Timestamp,
) -> StoredVerdict {
    StoredVerdict {
        verdict: Verdict {
            campaign: campaign.into(),
            revision: "sha256:0".into(),
            referral: referral.into(),
            promoter: Some("prom_ana".into()),
            state: VerdictState::Qualified,
            reasons: vec![Reason::new(ReasonCode::ThresholdMet, "20.00 USD of 20.00")],
            customers: vec![MatchedCustomer {
                id: customer.into(),
                matched_by: MatchedBy::Email,
            }],
            spend: Vec::new(),
            payments: Vec::new(),
            window: None,
            qualified_at: Some(at),
            settle_after: Some(at),
            rewards,
            missing: None,
            case: None,
        },
        evaluated_at: at,
        next_check_at: None,
    }
}

/// The verdict that a queued qualification follows from.
pub fn behind(one: &Qualification) -> StoredVerdict {
    let (campaign, referral) = (one.campaign.as_str(), one.referral.as_str());
    let rewards = one.rewards.clone();
    let mut stored = qualified(campaign, referral, &one.person, rewards, one.qualified_at);
    stored.verdict.revision = one.revision.clone();
    stored.verdict.promoter = Some(one.promoter.clone());
    stored.verdict.settle_after = Some(one.settle_after);
    stored
}
