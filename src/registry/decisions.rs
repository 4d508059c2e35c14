//! Admins' decisions: on a case, on a referral, on who a customer is. Each is a fact with who,
//! when and why; it can be taken back until what it led to is settled.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use crate::access::audit::{Action, note};
use crate::clock::Clock;
use crate::domain::access::By;
use crate::domain::decision::{CaseKind, Choice, Decision, Subject};
use crate::domain::ids::{CampaignId, CaseId, ConnectionId, DecisionId, ReferralId};
use crate::domain::verdict::Verdict;
use crate::queue::judging::judge;
use crate::queue::neighbourhood::Seeds;
use crate::queue::worker::{prepare, rejudge};
use crate::store::cases::{CaseState, StoredCase, change_case, get_case};
use crate::store::decisions::insert_decision;
use crate::store::dirty::{DirtyKind, mark_dirty};
use crate::store::qualifications::{QualificationState, qualifications_of_referrals};
use crate::store::{Db, Tx, retry};

use super::RegistryError;

/// Who decides, and why.
#[derive(Debug, Clone, Copy)]
pub struct Decider<'a> {
    /// A person or key.
    pub by: &'a By,
    /// Why; may not be blank.
    pub reason: &'a str,
}

/// What a choice would lead to: the verdicts that would change, before and after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effect {
    /// The verdict now, if there is one.
    pub before: Option<Verdict>,
    /// The verdict then, if there would be one.
    pub after: Option<Verdict>,
}

/// The verdicts that a choice on a case would change. Nothing is stored.
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
    let seeds = seeds(&case);
    let mut prepared = prepare(&mut tx, connection, seeds).await?;
    tx.rollback().await?;
    let before = judge(&prepared.neighbourhood, clock.now()).judged;
    let nobody = By::system();
    let decider = Decider {
        by: &nobody,
        reason: "preview",
    };
    prepared
        .neighbourhood
        .decisions
        .fold(decision(&case.id, Some(choice), decider, clock));
    let after = judge(&prepared.neighbourhood, clock.now()).judged;
    let keys: BTreeSet<_> = before.keys().chain(after.keys()).cloned().collect();
    let verdict = |all: &BTreeMap<(CampaignId, ReferralId), crate::queue::judging::Judged>,
                   key: &(CampaignId, ReferralId)| {
        all.get(key).map(|judged| judged.verdict.clone())
    };
    let effects = keys.iter().map(|key| Effect {
        before: verdict(&before, key),
        after: verdict(&after, key),
    });
    Ok(effects
        .filter(|effect| effect.before != effect.after)
        .collect())
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
        let case = known(&mut tx, connection, case).await?;
        check(&case, choice)?;
        if case.state == CaseState::Gone {
            let message = "the facts have changed; there is nothing left to decide".to_owned();
            return Err(RegistryError::Conflict {
                code: "case_gone",
                message,
            });
        }
        refuse_if_settled(&mut tx, connection, &case).await?;
        decide(&mut tx, connection, clock, &case, Some(choice), decider).await?;
        if case.state == CaseState::Open {
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
        }
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

/// Takes a decision on a case back, until what it led to is settled.
pub async fn undo(
    db: &Db,
    connection: &ConnectionId,
    clock: &dyn Clock,
    case: &CaseId,
    decider: Decider<'_>,
) -> Result<StoredCase, RegistryError> {
    check_reason(decider)?;
    retry(|| async {
        let mut tx = db.begin().await?;
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

/// Decides on a referral as a whole or on a match, and has it judged again.
pub async fn decide_on(
    db: &Db,
    connection: &ConnectionId,
    clock: &dyn Clock,
    (campaign, subject): (&CampaignId, Subject),
    choice: Option<&Choice>,
    decider: Decider<'_>,
) -> Result<Decision, RegistryError> {
    check_reason(decider)?;
    retry(|| async {
        let mut tx = db.begin().await?;
        let made = Decision {
            id: id(&subject, clock),
            subject: subject.clone(),
            choice: choice.cloned(),
            actor: decider.by.actor.label(),
            reason: decider.reason.to_owned(),
            decided_at: clock.now(),
        };
        insert_decision(&mut tx, connection, &made, Some(campaign), None).await?;
        let (referral, customer) = match &subject {
            Subject::Referral { referral } => (Some(referral), None),
            Subject::Match { referral, customer } => (Some(referral), Some(customer)),
            Subject::Case { .. } => (None, None),
        };
        let text = |id: &str| BTreeSet::from([id.to_owned()]);
        if let Some(id) = referral {
            let ids = text(id.as_str());
            mark_dirty(
                &mut tx,
                connection,
                DirtyKind::Referral,
                &ids,
                clock.now_us(),
            )
            .await?;
        }
        if let Some(id) = customer {
            let ids = text(id.as_str());
            mark_dirty(
                &mut tx,
                connection,
                DirtyKind::Customer,
                &ids,
                clock.now_us(),
            )
            .await?;
        }
        let what = json!({ "about": made.subject, "choice": choice, "reason": made.reason });
        let entry = (Action::DecisionMade, format!("decision:{}", made.id), what);
        note(&mut tx, connection, clock.now_us(), decider.by, entry).await?;
        tx.commit().await?;
        Ok(made)
    })
    .await
}

async fn decide(
    tx: &mut Tx,
    connection: &ConnectionId,
    clock: &dyn Clock,
    case: &StoredCase,
    choice: Option<&Choice>,
    decider: Decider<'_>,
) -> Result<(), RegistryError> {
    let made = decision(&case.id, choice, decider, clock);
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

fn decision(
    case: &CaseId,
    choice: Option<&Choice>,
    decider: Decider<'_>,
    clock: &dyn Clock,
) -> Decision {
    let subject = Subject::Case { case: case.clone() };
    Decision {
        id: id(&subject, clock),
        subject,
        choice: choice.cloned(),
        actor: decider.by.actor.label(),
        reason: decider.reason.to_owned(),
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

/// A decision cannot be changed once what it led to is in the ledger.
async fn refuse_if_settled(
    tx: &mut Tx,
    connection: &ConnectionId,
    case: &StoredCase,
) -> Result<(), RegistryError> {
    let referrals = std::slice::from_ref(&case.referral);
    let of_referral = qualifications_of_referrals(tx, connection, referrals).await?;
    let settled = of_referral
        .iter()
        .any(|q| q.campaign == case.campaign && q.state == QualificationState::Settled);
    if settled && case.state == CaseState::Resolved {
        let message = "what this decision led to is settled; it cannot be changed any more";
        return Err(RegistryError::Conflict {
            code: "already_settled",
            message: message.to_owned(),
        });
    }
    Ok(())
}
