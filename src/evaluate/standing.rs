//! Is the claim itself good: before any rule about money is asked.
//!
//! Example: a referral whose customer another referral claimed first is
//! `claimed_by_other_referral`, however much was spent.
//! Reason codes: `promoter_suspended`, `rejected_by_admin`, `claimed_by_other_referral`, and
//! the four that name a case.

use super::evidence::Evidence;
use crate::domain::reason::ReasonCode;
use crate::domain::verdict::VerdictState;
use crate::matching::{Claim, Standing};

/// What a condition decides: the state and the deciding reason.
pub(super) type Decided = Option<(VerdictState, ReasonCode)>;

/// A person said no: to this referral, or to its promoter.
pub(super) fn refused(claim: &Claim<'_>, evidence: &mut impl Evidence) -> Decided {
    if let Standing::RejectedByAdmin { why } = &claim.standing {
        evidence.reason(ReasonCode::RejectedByAdmin, || why.clone());
        return Some((VerdictState::Rejected, ReasonCode::RejectedByAdmin));
    }
    let promoter = claim.promoter.filter(|promoter| promoter.suspended)?;
    evidence.reason(ReasonCode::PromoterSuspended, || {
        format!("{} is suspended; an admin can lift it", promoter.name)
    });
    Some((VerdictState::Rejected, ReasonCode::PromoterSuspended))
}

/// Another referral has the better claim. It is not told whose.
pub(super) fn claimed_by_other(claim: &Claim<'_>, evidence: &mut impl Evidence) -> Decided {
    if claim.standing != Standing::ClaimedByOther {
        return None;
    }
    evidence.reason(ReasonCode::ClaimedByOtherReferral, || {
        "this person is attributed to another referral of the campaign".to_owned()
    });
    Some((VerdictState::Rejected, ReasonCode::ClaimedByOtherReferral))
}

/// A person has to decide a case first.
pub(super) fn in_review(claim: &Claim<'_>, evidence: &mut impl Evidence) -> Decided {
    let Standing::Review { kind, detail, .. } = &claim.standing else {
        return None;
    };
    evidence.reason(kind.reason(), || detail.clone());
    Some((VerdictState::Review, kind.reason()))
}
