//! The queue against the stored verdicts: by the same table that the queue goes by, nothing may
//! be left to do.

use super::Check;
use super::people::Waiting;
use crate::domain::time::Timestamp;
use crate::queue::transition::{Action, transition};
use crate::store::qualifications::{Qualification, QualificationState};
use crate::store::verdicts::{StoredVerdict, VerdictKey};

pub(super) const NAME: &str = "qualifications";
const REJUDGE: &str = "run `qualify replay --state done`: the queue follows the verdict again";

/// Where a verdict's qualifications are told of.
fn place(key: &VerdictKey, current: Option<&Qualification>) -> String {
    match current {
        Some(current) => format!("qualifications {} of {} {}", current.id, key.0, key.1),
        None => format!("qualifications of {} {}", key.0, key.1),
    }
}

/// A verdict and its qualifications, whatever is in force last. Answers the one that should be
/// queued, if its person has none by another referral of the campaign.
pub(super) fn follows(
    key: &VerdictKey,
    stored: &StoredVerdict,
    list: &[Qualification],
    (waiting, now): (&Waiting, Timestamp),
    check: &mut Check,
) -> Option<Qualification> {
    let current = list.last();
    let verdict = &stored.verdict;
    if waiting.touches(&key.1, verdict.customers.iter().map(|c| &c.id)) {
        return None;
    }
    match transition(current, list.len(), verdict, now) {
        Action::None => {}
        Action::Queue(new) => return Some(*new),
        Action::Change(to) => {
            let seen = format!(
                "it is {} and should be {}{}",
                current.map_or("nothing", |c| c.state.name()),
                to.state.name(),
                if to.adjust_due {
                    ", to be adjusted"
                } else {
                    " on other terms"
                }
            );
            check.differs(place(key, current), seen, REJUDGE);
        }
        Action::Replace(..) => {
            let seen = "it is queued for another person than the verdict's";
            check.differs(place(key, current), seen, REJUDGE);
        }
    }
    None
}

/// One that should be queued, and is not.
pub(super) fn is_missing(key: &VerdictKey, list: &[Qualification], check: &mut Check) {
    let seen = "the verdict is qualified, and nothing is queued";
    check.differs(place(key, list.last()), seen, REJUDGE);
}

/// Qualifications of a claim that is no more.
pub(super) fn is_stray(key: &VerdictKey, list: &[Qualification], check: &mut Check) {
    let current = list.last();
    if let Some(seen) = current.and_then(without_verdict) {
        check.differs(place(key, current), seen, REJUDGE);
    }
}

/// What is wrong with a qualification whose claim is no more.
fn without_verdict(current: &Qualification) -> Option<String> {
    let given = current.given.iter().any(|reward| reward.amount_minor != 0);
    match current.state {
        QualificationState::Queued => Some("it is queued, and there is no such claim".to_owned()),
        QualificationState::Settled if given && !current.adjust_due => Some(
            "it is settled, there is no such claim, and no batch is to take it back".to_owned(),
        ),
        _ => None,
    }
}
