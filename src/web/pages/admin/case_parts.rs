//! The parts of a case's page: candidates side by side, choices with what each would do, what
//! was decided before.

use std::collections::BTreeMap;

use super::effects::Effects;
use super::words;
use crate::domain::decision::{Choice, Decision};
use crate::domain::ids::PromoterId;
use crate::domain::time::Timestamp;
use crate::registry::case_view::Candidate;
use crate::registry::desk::{Desk, Known};
use crate::web::format;
use crate::web::parts::When;

/// One line of the comparison: what it is, and a cell for each candidate.
#[derive(Debug)]
pub(crate) struct Compared {
    pub what: &'static str,
    pub cells: Vec<Vec<String>>,
}

/// One choice.
#[derive(Debug)]
pub(crate) struct ChoiceCard {
    pub id: String,
    pub value: String,
    pub label: String,
    pub meaning: &'static str,
    pub chosen: bool,
    pub effects: Effects,
}

/// Something that somebody decided, or took back.
#[derive(Debug)]
pub(crate) struct Decided {
    pub what: String,
    pub by: String,
    pub at: When,
    pub reason: String,
}

/// Candidates side by side; what nobody has is left out.
pub(crate) fn compared(desk: &Desk, now: Timestamp) -> Vec<Compared> {
    let none = Known::default();
    let known = |one: &Candidate| desk.people.get(&one.customer).unwrap_or(&none).clone();
    let of = |what, cell: &dyn Fn(&Candidate) -> Vec<String>| Compared {
        what,
        cells: desk.view.candidates.iter().map(cell).collect(),
    };
    let all = [
        of("Matched by", &|c| {
            vec![words::found_by(c.matched_by).to_owned()]
        }),
        of("Name", &|c| known(c).name.into_iter().collect()),
        of("Emails", &|c| {
            c.emails.iter().map(ToString::to_string).collect()
        }),
        of("Created", &|c| {
            c.created.into_iter().map(|at| instant(at, now)).collect()
        }),
        of("Counts for it", &counted),
        of("Payments in all", &|c| {
            vec![format::count(to_i64(c.payments))]
        }),
        of("Paid last", &|c| {
            c.paid_last.into_iter().map(|at| instant(at, now)).collect()
        }),
        of("Subscriptions", &|c| {
            let all = known(c).subscriptions.into_iter();
            all.map(|(id, state)| format!("{id}: {}", format::code_words(&state).to_lowercase()))
                .collect()
        }),
        of("Coupons used", &|c| {
            c.coupons.iter().map(ToString::to_string).collect()
        }),
        of("Your ids for it", &|c| {
            c.uids
                .iter()
                .map(|(name, value)| format!("{name}: {value}"))
                .collect()
        }),
        of("At Stripe", &|c| {
            if c.deleted {
                vec!["deleted".to_owned()]
            } else {
                Vec::new()
            }
        }),
    ];
    let told = all.into_iter();
    told.filter(|row| row.cells.iter().any(|cell| !cell.is_empty()))
        .collect()
}

fn counted(candidate: &Candidate) -> Vec<String> {
    let payments = format::plural(to_i64(candidate.counted_payments), "payment");
    let sums = candidate.counted_spend.iter().copied().map(format::money);
    let mut lines: Vec<String> = sums.collect();
    if lines.is_empty() {
        lines.push("nothing".to_owned());
    } else {
        lines.push(format!("in {payments}"));
    }
    lines
}

fn instant(at: Timestamp, now: Timestamp) -> String {
    format!("{}, {}", at.words(), format::relative(at, now))
}

fn to_i64(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The choices of an open case. The first has the field's own id, so that an error leads to it.
pub(crate) fn cards(desk: &Desk, chosen: &str) -> Vec<ChoiceCard> {
    let card = |(index, (choice, effects)): (usize, &(Choice, Vec<_>))| {
        let value = words::key(choice);
        ChoiceCard {
            id: match index {
                0 => "choice".to_owned(),
                _ => format!("choice-{index}"),
            },
            label: label(choice, desk),
            meaning: words::meaning(choice),
            chosen: value == chosen,
            effects: Effects::of(effects, &desk.promoters),
            value,
        }
    };
    desk.previews.iter().enumerate().map(card).collect()
}

/// A choice with the names of whom it is about.
pub(crate) fn label(choice: &Choice, desk: &Desk) -> String {
    let plain = words::choice(choice, &desk.promoters);
    let name = match choice {
        Choice::Customer { customer } => {
            let known = desk.people.get(customer);
            known.and_then(|known| known.name.clone())
        }
        Choice::Link => {
            let claim = desk.referral.as_ref();
            let promoter = claim.and_then(|claim| claim.promoter.as_ref());
            promoter.map(|id| named(id, &desk.promoters).to_owned())
        }
        _ => None,
    };
    match name {
        Some(name) => format!("{plain} ({name})"),
        None => plain,
    }
}

fn named<'a>(id: &'a PromoterId, promoters: &'a BTreeMap<PromoterId, String>) -> &'a str {
    promoters.get(id).map_or(id.as_str(), String::as_str)
}

/// Every decision on the case, the newest first.
pub(crate) fn history(desk: &Desk, now: Timestamp) -> Vec<Decided> {
    let one = |decision: &Decision| Decided {
        what: match &decision.choice {
            Some(choice) => label(choice, desk),
            None => "Taken back".to_owned(),
        },
        by: format::actor(&decision.actor),
        at: When::new(decision.decided_at, now),
        reason: decision.reason.clone(),
    };
    desk.history.iter().rev().map(one).collect()
}
