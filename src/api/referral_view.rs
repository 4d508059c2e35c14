//! A referral as it is answered: the claim, and the verdict on it as people see it. One that a
//! coupon made has no claim of its own; its verdict says all there is.

use std::collections::HashMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::email::CanonicalEmail;
use crate::domain::ids::{CampaignId, CaseId, ConnectionId, PromoterId, ReferralId};
use crate::domain::people::Referral;
use crate::domain::time::Timestamp;
use crate::domain::verdict::{Reason, Verdict, VerdictState};
use crate::evaluate::explain::sentence;
use crate::queue::transition::as_shown;
use crate::store::qualifications::{
    Qualification, QualificationState, qualifications_of_referrals,
};
use crate::store::referrals::load_referrals;
use crate::store::verdicts::StoredVerdict;
use crate::store::{StoreError, Tx};

/// A referral as it is answered.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Referral")]
pub(super) struct Shown {
    id: ReferralId,
    campaign: CampaignId,
    promoter: Option<PromoterId>,
    /// `registered`, or `coupon` when a coupon made it.
    source: &'static str,
    email: Option<CanonicalEmail>,
    uid: Option<String>,
    stripe_customer_id: Option<String>,
    referred_at: Option<Timestamp>,
    state: VerdictState,
    /// The verdict in a sentence.
    sentence: String,
    /// The deciding reason.
    reason: Option<Reason>,
    qualified_at: Option<Timestamp>,
    settle_after: Option<Timestamp>,
    /// The case to decide, when in review.
    case: Option<CaseId>,
}

/// Verdicts in their order, each with its claim.
pub(super) async fn present(
    tx: &mut Tx,
    connection: &ConnectionId,
    verdicts: Vec<StoredVerdict>,
) -> Result<Vec<Shown>, StoreError> {
    let ids = |of: &[StoredVerdict]| -> Vec<ReferralId> {
        of.iter().map(|v| v.verdict.referral.clone()).collect()
    };
    let ids = ids(&verdicts);
    let claims = load_referrals(tx, connection, &ids).await?;
    let claims: HashMap<ReferralId, Referral> =
        claims.into_iter().map(|r| (r.id.clone(), r)).collect();
    let qualifications = qualifications_of_referrals(tx, connection, &ids).await?;
    let one = |stored: StoredVerdict| {
        let verdict = as_seen(&stored.verdict, &qualifications);
        let claim = claims.get(&verdict.referral);
        shown(verdict, claim)
    };
    Ok(verdicts.into_iter().map(one).collect())
}

/// A verdict as people see it, given the qualifications of its referral among others.
pub(super) fn as_seen(verdict: &Verdict, qualifications: &[Qualification]) -> Verdict {
    let settled = qualifications.iter().find(|q| {
        q.referral == verdict.referral
            && q.campaign == verdict.campaign
            && q.state == QualificationState::Settled
    });
    as_shown(verdict, settled)
}

fn shown(verdict: Verdict, claim: Option<&Referral>) -> Shown {
    let sentence = sentence(&verdict);
    let opens_at = verdict.window.map(|window| window.opens_at);
    let source = if claim.is_some() {
        "registered"
    } else {
        "coupon"
    };
    Shown {
        email: claim.and_then(|c| c.email.clone()),
        uid: claim.and_then(|c| c.uid.clone()),
        stripe_customer_id: claim.and_then(|c| c.stripe_customer_id.clone()),
        referred_at: claim.map(|c| c.referred_at).or(opens_at),
        id: verdict.referral,
        campaign: verdict.campaign,
        promoter: verdict.promoter,
        source,
        state: verdict.state,
        sentence,
        reason: verdict.reasons.into_iter().next(),
        qualified_at: verdict.qualified_at,
        settle_after: verdict.settle_after,
        case: verdict.case,
    }
}
