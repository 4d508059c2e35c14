//! What a decision would change: verdicts, and the money behind them. Pure: two judgements of
//! the same part of the world are compared, and nothing is stored.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::ids::PromoterId;
use crate::domain::time::Timestamp;
use crate::domain::verdict::{Reward, Verdict};
use crate::queue::judging::Judgements;
use crate::queue::transition::{Action, adjustment, transition, vanished};
use crate::queue::worker::Prepared;
use crate::store::qualifications::{Qualification, QualificationState};
use crate::store::verdicts::VerdictKey;

/// One referral of which something would change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effect {
    /// The verdict now, if there is one.
    pub before: Option<Verdict>,
    /// The verdict then, if there would be one.
    pub after: Option<Verdict>,
    /// What it would do to money, in the order in which it happens.
    pub money: Vec<Consequence>,
}

/// What a changed verdict does to money. Amounts are minor units.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "effect", rename_all = "snake_case")]
#[schemars(rename = "MoneyEffect")]
pub enum Consequence {
    /// What was queued is not settled.
    Withdrawn {
        /// What would have been owed.
        rewards: Vec<Reward>,
    },
    /// It is queued, for the first batch from `settle_after` on; limits of the campaign are
    /// looked at only then.
    Queued {
        /// Who brought the person.
        promoter: PromoterId,
        /// What is owed.
        rewards: Vec<Reward>,
        /// The earliest instant at which it settles.
        settle_after: Timestamp,
    },
    /// What was settled before is corrected by the next batch.
    Booked {
        /// The differences: negative takes back.
        changes: Vec<Reward>,
    },
}

impl Consequence {
    /// Whether somebody is left with less than before.
    pub fn takes_back(&self) -> bool {
        match self {
            Self::Withdrawn { .. } => true,
            Self::Queued { .. } => false,
            Self::Booked { changes } => changes.iter().any(|change| change.amount_minor < 0),
        }
    }
}

/// Whether any of it leaves somebody with less than before.
pub fn take_back(effects: &[Effect]) -> bool {
    let mut money = effects.iter().flat_map(|effect| &effect.money);
    money.any(Consequence::takes_back)
}

/// Everything that is another after than before, in order of campaign and referral.
pub(super) fn between(
    prepared: &Prepared,
    before: &Judgements,
    after: &Judgements,
    now: Timestamp,
) -> Vec<Effect> {
    let keys: BTreeSet<&VerdictKey> = before.judged.keys().chain(after.judged.keys()).collect();
    let effects = keys.into_iter().map(|key| {
        let verdict = |judgements: &Judgements| {
            let judged = judgements.judged.get(key);
            judged.map(|judged| judged.verdict.clone())
        };
        let (before, after) = (verdict(before), verdict(after));
        let list = prepared.qualifications_of(key);
        Effect {
            money: money(list, before.as_ref(), after.as_ref(), now),
            before,
            after,
        }
    });
    effects
        .filter(|effect| effect.before != effect.after)
        .collect()
}

fn money(
    list: &[Qualification],
    before: Option<&Verdict>,
    after: Option<&Verdict>,
    now: Timestamp,
) -> Vec<Consequence> {
    let current = list.last();
    // A coupon's referral that is no more says so to whatever was queued or settled for it.
    let gone = before.filter(|_| after.is_none()).map(vanished);
    let Some(then) = after.or(gone.as_ref()) else {
        return Vec::new();
    };
    let action = transition(current, list.len(), then, now);
    let anyway = before.map(|before| transition(current, list.len(), before, now));
    if anyway.as_ref() == Some(&action) {
        return Vec::new();
    }
    match (action, current) {
        (Action::None, _) | (Action::Change(_), None) => Vec::new(),
        (Action::Replace(_, new), Some(current)) => vec![withdrawn(current), queued(*new)],
        (Action::Queue(new) | Action::Replace(_, new), _) => vec![queued(*new)],
        (Action::Change(to), Some(current)) => changed(current, *to, then),
    }
}

fn changed(current: &Qualification, to: Qualification, then: &Verdict) -> Vec<Consequence> {
    match to.state {
        QualificationState::Withdrawn => vec![withdrawn(current)],
        QualificationState::Queued => {
            let same = (current.rewards == to.rewards)
                && (current.promoter == to.promoter)
                && (current.settle_after == to.settle_after);
            if same {
                Vec::new()
            } else {
                vec![withdrawn(current), queued(to)]
            }
        }
        QualificationState::Settled | QualificationState::Reversed => {
            let changes = adjustment(current, then);
            if changes.is_empty() {
                Vec::new()
            } else {
                vec![Consequence::Booked { changes }]
            }
        }
    }
}

fn withdrawn(qualification: &Qualification) -> Consequence {
    Consequence::Withdrawn {
        rewards: qualification.rewards.clone(),
    }
}

fn queued(qualification: Qualification) -> Consequence {
    Consequence::Queued {
        promoter: qualification.promoter,
        rewards: qualification.rewards,
        settle_after: qualification.settle_after,
    }
}
