//! Does the referral belong to the campaign: `referred_at` in `[starts, ends)`.
//!
//! Example: with `ends = 2026-06-01T00:00:00Z`, a referral of that very instant is outside.
//! Reason codes: `campaign_not_started`, `campaign_ended`.

use super::evidence::Evidence;
use super::standing::Decided;
use crate::domain::campaign::Campaign;
use crate::domain::reason::ReasonCode;
use crate::domain::verdict::VerdictState;
use crate::matching::Claim;

pub(super) fn outside(
    campaign: &Campaign,
    claim: &Claim<'_>,
    evidence: &mut impl Evidence,
) -> Decided {
    let referred_at = claim.referral.referred_at;
    let (code, edge) = if let Some(starts) = campaign.starts.filter(|s| referred_at < *s) {
        (ReasonCode::CampaignNotStarted, starts)
    } else {
        (
            ReasonCode::CampaignEnded,
            campaign.ends.filter(|ends| referred_at >= *ends)?,
        )
    };
    evidence.reason(code, || {
        let verb = if code == ReasonCode::CampaignEnded {
            "ended"
        } else {
            "started"
        };
        format!(
            "referred at {}; the campaign {verb} at {}",
            referred_at.words(),
            edge.words()
        )
    });
    Some((VerdictState::Rejected, code))
}
