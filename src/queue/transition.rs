//! What a new verdict does to a qualification. Pure: a table, and nothing but.

use sha2::{Digest, Sha256};

use crate::domain::ids::{CampaignId, QualificationId, ReferralId};
use crate::domain::reason::ReasonCode;
use crate::domain::time::Timestamp;
use crate::domain::verdict::{Reason, Reward, Verdict, VerdictState};
use crate::evaluate::supported;
use crate::store::qualifications::{Qualification, QualificationState};

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Nothing changes.
    None,
    /// Queue this one.
    Queue(Box<Qualification>),
    /// This one changes: other terms, withdrawn, or to be looked at by the next batch.
    Change(Box<Qualification>),
    /// The first is withdrawn and the second queued: the person behind it is another.
    Replace(Box<Qualification>, Box<Qualification>),
}

/// The table. `current` is the referral's latest qualification and `earlier` how many there
/// were in all; `verdict` is judged by the revision that settled it, if it is settled.
pub fn transition(
    current: Option<&Qualification>,
    earlier: usize,
    verdict: &Verdict,
    now: Timestamp,
) -> Action {
    use QualificationState::{Queued, Reversed, Settled, Withdrawn};
    let wanted = qualification(verdict, earlier, now);
    let queue = |wanted: Option<Qualification>| {
        wanted.map_or(Action::None, |wanted| Action::Queue(Box::new(wanted)))
    };
    let Some(current) = current else {
        return queue(wanted);
    };
    match (current.state, wanted) {
        (Queued, Some(wanted)) if wanted.person != current.person => {
            let gone = withdrawn(current, "person_changed", now);
            Action::Replace(Box::new(gone), Box::new(wanted))
        }
        (Queued, Some(wanted)) => {
            let updated = Qualification {
                promoter: wanted.promoter,
                revision: wanted.revision,
                qualified_at: wanted.qualified_at,
                settle_after: wanted.settle_after,
                rewards: wanted.rewards,
                ..current.clone()
            };
            changed(current, updated, now)
        }
        (Queued, None) => {
            let code = verdict.code().map_or("changed", ReasonCode::code);
            Action::Change(Box::new(withdrawn(current, code, now)))
        }
        (Withdrawn, wanted) => queue(wanted),
        (Settled | Reversed, _) => {
            let adjust_due = supported(&current.rewards, verdict) != current.given;
            changed(
                current,
                Qualification {
                    adjust_due,
                    ..current.clone()
                },
                now,
            )
        }
    }
}

/// A qualified verdict as a qualification to queue; `None` while it is not qualified.
fn qualification(verdict: &Verdict, earlier: usize, now: Timestamp) -> Option<Qualification> {
    if verdict.state != VerdictState::Qualified {
        return None;
    }
    let person = verdict
        .customers
        .iter()
        .map(|customer| &customer.id)
        .min()?;
    Some(Qualification {
        id: qualification_id(
            (&verdict.campaign, &verdict.referral),
            verdict.qualified_at?,
            earlier,
        ),
        campaign: verdict.campaign.clone(),
        referral: verdict.referral.clone(),
        person: person.as_str().to_owned(),
        promoter: verdict.promoter.clone()?,
        revision: verdict.revision.clone(),
        state: QualificationState::Queued,
        reason: ReasonCode::ThresholdMet.code().to_owned(),
        qualified_at: verdict.qualified_at?,
        settle_after: verdict.settle_after?,
        rewards: verdict.rewards.clone(),
        given: Vec::new(),
        adjust_due: false,
        sequence: 0,
        created_at: now,
        changed_at: now,
    })
}

/// The id of a referral's qualification after so many earlier ones: whoever makes it from the
/// same verdict, it is the same.
///
/// It begins with the second in which the referral qualified, which is also the order of a plan:
/// what a batch looks up and books by qualification then lies together. With a hash alone each
/// item dirtied an index page of its own, and settling spent most of its time writing those.
pub fn qualification_id(
    (campaign, referral): (&CampaignId, &ReferralId),
    qualified_at: Timestamp,
    earlier: usize,
) -> QualificationId {
    let mut hash = Sha256::new();
    for part in [campaign.as_str(), referral.as_str(), &earlier.to_string()] {
        hash.update(part);
        hash.update([0]);
    }
    let digest = hex::encode(hash.finalize());
    let unique = digest.get(..16).unwrap_or(&digest);
    QualificationId::new(format!("qual_{:08x}{unique}", qualified_at.unix()))
}

fn withdrawn(current: &Qualification, code: &str, now: Timestamp) -> Qualification {
    Qualification {
        state: QualificationState::Withdrawn,
        reason: code.to_owned(),
        changed_at: now,
        ..current.clone()
    }
}

fn changed(current: &Qualification, wanted: Qualification, now: Timestamp) -> Action {
    if wanted == *current {
        return Action::None;
    }
    Action::Change(Box::new(Qualification {
        changed_at: now,
        ..wanted
    }))
}

/// What a batch does to a settled qualification: reward by reward, what the verdict supports
/// less what is given. Negative takes back, positive reinstates; empty when they agree.
pub fn adjustment(qualification: &Qualification, verdict: &Verdict) -> Vec<Reward> {
    let given = |reward: &Reward| {
        let same = |g: &&Reward| g.to == reward.to && g.currency == reward.currency;
        qualification
            .given
            .iter()
            .find(same)
            .map_or(0, |g| g.amount_minor)
    };
    let target = supported(&qualification.rewards, verdict);
    let changes = target.into_iter().map(|reward| Reward {
        amount_minor: reward.amount_minor - given(&reward),
        ..reward
    });
    changes.filter(|change| change.amount_minor != 0).collect()
}

/// The verdict on a coupon referral that is no more: its customer is somebody else's now.
pub fn vanished(previous: &Verdict) -> Verdict {
    let detail = "the customer is attributed to another referral of the campaign";
    Verdict {
        state: VerdictState::Rejected,
        reasons: vec![Reason::new(ReasonCode::ClaimedByOtherReferral, detail)],
        qualified_at: None,
        settle_after: None,
        rewards: Vec::new(),
        missing: None,
        case: None,
        ..previous.clone()
    }
}

/// A verdict as people see it: once settled, that is the first thing it says.
pub fn as_shown(verdict: &Verdict, latest: Option<&Qualification>) -> Verdict {
    let mut shown = verdict.clone();
    let settled = latest.filter(|q| q.state == QualificationState::Settled);
    if let Some(qualification) = settled.filter(|_| verdict.state == VerdictState::Qualified) {
        let given: Vec<String> = qualification
            .given
            .iter()
            .map(|reward| {
                let money = crate::domain::money::Money::new(reward.amount_minor, reward.currency);
                format!("{money} to the {}", reward.to.person())
            })
            .collect();
        let detail = if given.is_empty() {
            "nothing was owed".to_owned()
        } else {
            given.join(", ")
        };
        shown
            .reasons
            .insert(0, Reason::new(ReasonCode::Settled, detail));
    }
    shown
}
