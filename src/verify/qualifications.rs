//! The queue against the stored verdicts: by the same table that the queue goes by, nothing may
//! be left to do.

use std::collections::{BTreeSet, HashSet};

use super::Check;
use super::people::{People, Waiting};
use crate::domain::ids::CampaignId;
use crate::domain::time::Timestamp;
use crate::queue::transition::{Action, transition};
use crate::store::qualifications::{Qualification, QualificationState};
use crate::store::verdicts::VerdictKey;

const REJUDGE: &str = "run `qualify replay --state done`: the queue follows the verdict again";

pub(super) fn check(people: &People, waiting: &Waiting, now: Timestamp) -> Check {
    let mut check = Check::new("qualifications");
    let active: HashSet<(&CampaignId, &str)> = people
        .qualifications
        .values()
        .flatten()
        .filter(|q| is_active(q))
        .map(|q| (&q.campaign, q.person.as_str()))
        .collect();
    let keys: BTreeSet<&VerdictKey> = people
        .verdicts
        .keys()
        .chain(people.qualifications.keys())
        .collect();
    for key in keys {
        let list = people
            .qualifications
            .get(key)
            .map_or(&[][..], Vec::as_slice);
        check.looked_at += list.len() as u64;
        let current = list.last();
        let place = match current {
            Some(current) => format!("qualifications {} of {} {}", current.id, key.0, key.1),
            None => format!("qualifications of {} {}", key.0, key.1),
        };
        let Some(stored) = people.verdicts.get(key) else {
            if let Some(seen) = current.and_then(without_verdict) {
                check.differs(place, seen, REJUDGE);
            }
            continue;
        };
        let verdict = &stored.verdict;
        if waiting.touches(&key.1, verdict.customers.iter().map(|c| &c.id)) {
            continue;
        }
        match transition(current, list.len(), verdict, now) {
            Action::None => {}
            // The person has had its reward by another referral of the campaign.
            Action::Queue(new) if active.contains(&(&new.campaign, new.person.as_str())) => {}
            Action::Queue(_) => {
                check.differs(
                    place,
                    "the verdict is qualified, and nothing is queued",
                    REJUDGE,
                );
            }
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
                check.differs(place, seen, REJUDGE);
            }
            Action::Replace(..) => {
                check.differs(
                    place,
                    "it is queued for another person than the verdict's",
                    REJUDGE,
                );
            }
        }
    }
    check
}

const fn is_active(qualification: &Qualification) -> bool {
    matches!(
        qualification.state,
        QualificationState::Queued | QualificationState::Settled
    )
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
