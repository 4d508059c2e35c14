//! What a new verdict does to a qualification. Pure: a table, and nothing but.

use serde::{Deserialize, Serialize};

use crate::domain::ids::{CustomerId, PromoterId, QualificationId, ReferralId, RevisionId};
use crate::domain::time::Timestamp;
use crate::domain::verdict::{Reward, Verdict, VerdictState};
use crate::evaluate::supported;

/// Where a qualification stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QualificationState {
    /// Waits for its batch.
    Queued,
    /// The verdict changed before settlement.
    Withdrawn,
    /// In the ledger.
    Settled,
    /// In the ledger, and countered in full.
    Reversed,
}

impl QualificationState {
    /// The stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Withdrawn => "withdrawn",
            Self::Settled => "settled",
            Self::Reversed => "reversed",
        }
    }

    /// The state of that name.
    pub fn parse(name: &str) -> Option<Self> {
        let all = [Self::Queued, Self::Withdrawn, Self::Settled, Self::Reversed];
        all.into_iter().find(|state| state.name() == name)
    }
}

/// A qualification as far as a transition looks at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Which one.
    pub id: QualificationId,
    /// Where it stands.
    pub state: QualificationState,
    /// What it was or would be settled with.
    pub terms: Terms,
    /// What has been given so far, less what was taken back.
    pub given: Vec<Reward>,
    /// Whether the next batch has to look at it.
    pub adjust_due: bool,
}

/// What a qualified verdict asks to be settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// The person, by the smallest customer id.
    pub person: CustomerId,
    /// Who referred.
    pub promoter: PromoterId,
    /// The revision that judged.
    pub revision: RevisionId,
    /// When the completing payment happened.
    pub qualified_at: Timestamp,
    /// The earliest settlement.
    pub settle_after: Timestamp,
    /// What is owed.
    pub rewards: Vec<Reward>,
}

impl Terms {
    /// The terms of a verdict; `None` unless it is qualified.
    pub fn of(verdict: &Verdict) -> Option<Self> {
        if verdict.state != VerdictState::Qualified {
            return None;
        }
        Some(Self {
            person: verdict
                .customers
                .iter()
                .map(|customer| &customer.id)
                .min()?
                .clone(),
            promoter: verdict.promoter.clone()?,
            revision: verdict.revision.clone(),
            qualified_at: verdict.qualified_at?,
            settle_after: verdict.settle_after?,
            rewards: verdict.rewards.clone(),
        })
    }
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Nothing changes.
    None,
    /// Queue it anew.
    Queue(Terms),
    /// It stays queued under other terms.
    Update(QualificationId, Terms),
    /// It is queued no longer, for this reason code.
    Withdraw(QualificationId, String),
    /// Settled money and verdict differ, or agree again: tell the next batch, or not.
    Adjust(QualificationId, bool),
}

/// The table. `current` is the referral's latest qualification; `verdict` is judged by the
/// revision that settled it, if it is settled.
pub fn transition(current: Option<&Standing>, verdict: &Verdict) -> Action {
    use QualificationState::{Queued, Reversed, Settled, Withdrawn};
    let terms = Terms::of(verdict);
    let Some(current) = current else {
        return terms.map_or(Action::None, Action::Queue);
    };
    match (current.state, terms) {
        (Queued, Some(terms)) if terms == current.terms => Action::None,
        (Queued, Some(terms)) => Action::Update(current.id.clone(), terms),
        (Queued, None) => {
            let code = verdict.code().map_or("changed", |code| code.code());
            Action::Withdraw(current.id.clone(), code.to_owned())
        }
        (Withdrawn, Some(terms)) => Action::Queue(terms),
        (Withdrawn, None) => Action::None,
        (Settled | Reversed, _) => {
            let due = supported(&current.terms.rewards, verdict) != current.given;
            if due == current.adjust_due {
                Action::None
            } else {
                Action::Adjust(current.id.clone(), due)
            }
        }
    }
}

/// What a batch does to a settled qualification: reward by reward, the new amount less what
/// is given. Negative takes back, positive reinstates; empty when they agree.
pub fn adjustment(base: &[Reward], given: &[Reward], verdict: &Verdict) -> Vec<Reward> {
    let now = |reward: &Reward| {
        let same = |g: &&Reward| g.to == reward.to && g.currency == reward.currency;
        given.iter().find(same).map_or(0, |g| g.amount_minor)
    };
    let target = supported(base, verdict);
    let changes = target.into_iter().map(|reward| Reward {
        amount_minor: reward.amount_minor - now(&reward),
        ..reward
    });
    changes.filter(|change| change.amount_minor != 0).collect()
}

/// A verdict for a referral that no longer exists: its customer is somebody else's now.
pub fn vanished(previous: &Verdict, referral: &ReferralId) -> Verdict {
    use crate::domain::reason::ReasonCode::ClaimedByOtherReferral;
    let detail = "the customer is attributed to another referral of the campaign";
    Verdict {
        referral: referral.clone(),
        state: VerdictState::Rejected,
        reasons: vec![crate::domain::verdict::Reason::new(
            ClaimedByOtherReferral,
            detail,
        )],
        qualified_at: None,
        settle_after: None,
        rewards: Vec::new(),
        missing: None,
        case: None,
        ..previous.clone()
    }
}
