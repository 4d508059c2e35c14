//! Admins' decisions: on a case, on a referral, on who a customer is. Each is a fact with who,
//! when and why; it can be taken back until what it led to is settled.

use std::collections::BTreeSet;

use serde_json::json;

use crate::access::audit::{Action, note};
use crate::clock::Clock;
use crate::domain::access::By;
use crate::domain::decision::{CaseKind, Choice, Decision, Decisions, Subject};
use crate::domain::ids::{CampaignId, CaseId, ConnectionId, CustomerId, DecisionId, ReferralId};
use crate::domain::time::Timestamp;
use crate::queue::judging::judge;
use crate::queue::neighbourhood::Seeds;
use crate::queue::worker::{prepare, rejudge};
use crate::store::cases::{CaseState, StoredCase, change_case, get_case};
use crate::store::decisions::{decisions_on_cases, insert_decision};
use crate::store::leases::{Stage, enter};
use crate::store::qualifications::{QualificationState, qualifications_of_referrals};
use crate::store::{Db, Tx, retry};

use super::RegistryError;
use super::effects::{Effect, between};

/// Who decides, and why.
#[derive(Debug, Clone, Copy)]
pub struct Decider<'a> {
    /// A person or key.
    pub by: &'a By,
    /// Why; may not be blank.
    pub reason: &'a str,
}

/// What a choice on a case would change. Nothing is stored.
pub async fn preview(
    db: &Db,
    connection: &ConnectionId,
    clock: &dyn Clock,
    case: &CaseId,
    choice: &Choice,
) -> Result<Vec<Effect>, RegistryError> {
    let mut tx = db.read().await?;
    let case = known(&mut tx, connection, case).await?;
    check(&case, choice)?;
    let mut prepared = prepare(&mut tx, connection, seeds(&case)).await?;
    tx.rollback().await?;
    let now = clock.now();
    let before = judge(&prepared.neighbourhood, now);
    let decision = supposed(&case.id, Some(choice));
    prepared.neighbourhood.decisions.fold(decision);
    let after = judge(&prepared.neighbourhood, now);
    Ok(between(&prepared, &before, &after, now))
}

/// A decision that nobody has made, later than any that somebody has: to see what it would do.
pub(super) fn supposed(case: &CaseId, choice: Option<&Choice>) -> Decision {
    Decision {
        id: DecisionId::new("supposed"),
        subject: Subject::Case { case: case.clone() },
        choice: choice.cloned(),
        actor: String::new(),
        reason: String::new(),
        decided_at: Timestamp::MAX,
    }
}

/// Resolves a case; what it touches is judged in the same transaction.
pub async fn resolve(
    db: &Db,
    connection: &ConnectionId,
    clock: &dyn Clock,
    case: &CaseId,
    choice: &Choice,
    decider: Decider<'_>,
) -> Result<StoredCase, RegistryError> {
    check_reason(decider)?;
    retry(|| async {
        let mut tx = db.begin().await?;
        // One at a time: whoever is second sees what the first has decided.
        enter(&mut tx, connection, Stage::Judge).await?;
        let case = known(&mut tx, connection, case).await?;
        check(&case, choice)?;
        check_open(&case)?;
        decide(&mut tx, connection, clock, &case, Some(choice), decider).await?;
        let states = (CaseState::Open, CaseState::Resolved);
        change_case(
            &mut tx,
            connection,
            &case.id,
            states.0,
            states.1,
            clock.now(),
        )
        .await?;
        rejudge(&mut tx, connection, seeds(&case), clock.now()).await?;
        let resolved = known(&mut tx, connection, &case.id).await?;
        let what = json!({ "choice": choice, "reason": decider.reason });
        let entry = (Action::CaseResolved, format!("case:{}", case.id), what);
        note(&mut tx, connection, clock.now_us(), decider.by, entry).await?;
        tx.commit().await?;
        Ok(resolved)
    })
    .await
}

/// Takes a decision on a case back, until what it led to is settled. With `seen`, only that
/// decision: another one may have taken its place meanwhile.
pub async fn undo(
    db: &Db,
    connection: &ConnectionId,
    clock: &dyn Clock,
    (case, seen): (&CaseId, Option<&DecisionId>),
    decider: Decider<'_>,
) -> Result<StoredCase, RegistryError> {
    check_reason(decider)?;
    retry(|| async {
        let mut tx = db.begin().await?;
        // One at a time: whoever is second sees what the first has decided.
        enter(&mut tx, connection, Stage::Judge).await?;
        let case = known(&mut tx, connection, case).await?;
        if case.state != CaseState::Resolved {
            let message = format!(
                "the case is {}; only a resolved one can be undone",
                case.state.name()
            );
            return Err(RegistryError::Conflict {
                code: "case_not_resolved",
                message,
            });
        }
        refuse_another(&mut tx, connection, &case, seen).await?;
        refuse_if_settled(&mut tx, connection, &case).await?;
        decide(&mut tx, connection, clock, &case, None, decider).await?;
        let states = (CaseState::Resolved, CaseState::Gone);
        change_case(
            &mut tx,
            connection,
            &case.id,
            states.0,
            states.1,
            clock.now(),
        )
        .await?;
        rejudge(&mut tx, connection, seeds(&case), clock.now()).await?;
        let undone = known(&mut tx, connection, &case.id).await?;
        let what = json!({ "reason": decider.reason });
        let entry = (Action::CaseUndone, format!("case:{}", case.id), what);
        note(&mut tx, connection, clock.now_us(), decider.by, entry).await?;
        tx.commit().await?;
        Ok(undone)
    })
    .await
}

/// Decides, or takes back, that a customer is or is not the person of a referral; both are
/// judged in the same transaction, which is the caller's.
pub(super) async fn decide_on_match(
    tx: &mut Tx,
    connection: &ConnectionId,
    clock: &dyn Clock,
    campaign: &CampaignId,
    (referral, customer): (&ReferralId, &CustomerId),
    (choice, decider): (Option<&Choice>, Decider<'_>),
) -> Result<Decision, RegistryError> {
    check_reason(decider)?;
    let subject = Subject::Match {
        referral: referral.clone(),
        customer: customer.clone(),
    };
    let made = made(subject, choice, decider, clock);
    insert_decision(tx, connection, &made, Some(campaign), None).await?;
    let seeds = Seeds {
        referrals: BTreeSet::from([referral.clone()]),
        customers: BTreeSet::from([customer.clone()]),
        ..Seeds::default()
    };
    rejudge(tx, connection, seeds, clock.now()).await?;
    let what = json!({ "about": made.subject, "choice": choice, "reason": made.reason });
    let entry = (Action::DecisionMade, format!("decision:{}", made.id), what);
    note(tx, connection, clock.now_us(), decider.by, entry).await?;
    Ok(made)
}

async fn decide(
    tx: &mut Tx,
    connection: &ConnectionId,
    clock: &dyn Clock,
    case: &StoredCase,
    choice: Option<&Choice>,
    decider: Decider<'_>,
) -> Result<(), RegistryError> {
    let subject = Subject::Case {
        case: case.id.clone(),
    };
    let made = made(subject, choice, decider, clock);
    insert_decision(
        tx,
        connection,
        &made,
        Some(&case.campaign),
        Some(&case.referral),
    )
    .await?;
    Ok(())
}

fn made(
    subject: Subject,
    choice: Option<&Choice>,
    decider: Decider<'_>,
    clock: &dyn Clock,
) -> Decision {
    Decision {
        id: id(&subject, clock),
        subject,
        choice: choice.cloned(),
        actor: decider.by.actor.label(),
        reason: decider.reason.trim().to_owned(),
        decided_at: clock.now(),
    }
}

/// Ids grow with the clock, so that of two decisions in one second the later one holds.
fn id(subject: &Subject, clock: &dyn Clock) -> DecisionId {
    use sha2::{Digest, Sha256};
    let about = serde_json::to_string(subject).unwrap_or_default();
    let digest = hex::encode(Sha256::digest(about));
    DecisionId::new(format!(
        "dec_{:016x}{}",
        clock.now_us(),
        digest.get(..8).unwrap_or("")
    ))
}

pub(super) async fn known(
    tx: &mut Tx,
    connection: &ConnectionId,
    case: &CaseId,
) -> Result<StoredCase, RegistryError> {
    get_case(tx, connection, case)
        .await?
        .ok_or_else(|| RegistryError::NotFound(format!("the case {case}")))
}

pub(super) fn seeds(case: &StoredCase) -> Seeds {
    Seeds {
        referrals: BTreeSet::from([case.referral.clone()]),
        ..Seeds::default()
    }
}

fn check_reason(decider: Decider<'_>) -> Result<(), RegistryError> {
    if decider.reason.trim().is_empty() {
        let message = "say why; the reason is kept with the decision";
        return Err(RegistryError::invalid("reason_missing", "/reason", message));
    }
    Ok(())
}

/// Whether a choice answers this kind of case.
fn check(case: &StoredCase, choice: &Choice) -> Result<(), RegistryError> {
    let accepted = match case.kind {
        CaseKind::DuplicateCustomers => "customer, combine, reject",
        CaseKind::LinkAgainstCoupon => "link, coupon, reject",
        CaseKind::TwoCoupons => "promoter, reject",
        CaseKind::SelfReferral => "allow, reject",
    };
    let fits = matches!(
        (case.kind, choice),
        (_, Choice::Reject)
            | (
                CaseKind::DuplicateCustomers,
                Choice::Customer { .. } | Choice::Combine
            )
            | (CaseKind::LinkAgainstCoupon, Choice::Link | Choice::Coupon)
            | (CaseKind::TwoCoupons, Choice::Promoter { .. })
            | (CaseKind::SelfReferral, Choice::Allow)
    );
    if fits {
        return Ok(());
    }
    let message = format!("this case is resolved by one of: {accepted}");
    Err(RegistryError::invalid("choice_invalid", "/choose", message))
}

/// A case is decided once; whoever wants another decision takes the first one back.
fn check_open(case: &StoredCase) -> Result<(), RegistryError> {
    let (code, message) = match case.state {
        CaseState::Open => return Ok(()),
        CaseState::Resolved => (
            "case_resolved",
            "somebody has decided this case already; take that back first to decide it anew",
        ),
        CaseState::Gone => (
            "case_gone",
            "the facts have changed; there is nothing left to decide",
        ),
    };
    Err(RegistryError::Conflict {
        code,
        message: message.to_owned(),
    })
}

/// Refuses to take back a decision that is not the one that somebody was looking at.
async fn refuse_another(
    tx: &mut Tx,
    connection: &ConnectionId,
    case: &StoredCase,
    seen: Option<&DecisionId>,
) -> Result<(), RegistryError> {
    let Some(seen) = seen else {
        return Ok(());
    };
    let mut decisions = Decisions::default();
    let cases = std::slice::from_ref(&case.id);
    decisions.extend(decisions_on_cases(tx, connection, cases).await?);
    let mut in_force = decisions.in_force();
    if in_force.any(|decision| decision.id == *seen) {
        return Ok(());
    }
    let message = "the case was decided anew meanwhile; look at that decision first";
    Err(RegistryError::Conflict {
        code: "decided_anew",
        message: message.to_owned(),
    })
}

/// A decision cannot be taken back once what it led to is in the ledger.
async fn refuse_if_settled(
    tx: &mut Tx,
    connection: &ConnectionId,
    case: &StoredCase,
) -> Result<(), RegistryError> {
    let referrals = std::slice::from_ref(&case.referral);
    let of_referral = qualifications_of_referrals(tx, connection, referrals).await?;
    let settled = of_referral.iter();
    let mut settled = settled.filter(|q| q.state == QualificationState::Settled);
    if settled.any(|q| q.campaign == case.campaign) {
        return Err(already_settled());
    }
    Ok(())
}

/// What is settled stays as it was decided.
pub(super) fn already_settled() -> RegistryError {
    let message = "what this decision led to is settled; it cannot be taken back any more";
    RegistryError::Conflict {
        code: "already_settled",
        message: message.to_owned(),
    }
}
