//! The campaign in yen: 5,000 yen in two payments within 60 days of the first one.

use super::cast::SAKURA;
use super::customers::Plan;
use super::money::Bill;
use super::script::{Newcomer, Scene, Script};
use crate::domain::reason::ReasonCode as Code;
use crate::domain::time::DAY_SECONDS;
use crate::domain::verdict::VerdictState as State;

/// The campaign.
const CAMPAIGN: &str = "sakura-2026";
/// A month, in yen.
const MONTHLY: i64 = 2_980;

const SCENES: [Scene; 7] = [
    (30, stays_two_months),
    (10, tries_first),
    (12, leaves_after_one),
    (10, has_paid_once),
    (12, never_comes),
    (5, buys_once_for_more),
    (3, gives_one_back_late),
];

/// Plays every scene as often as it happens.
pub fn play(script: &mut Script) {
    for (count, scene) in SCENES {
        (0..count).for_each(|_| scene(script));
    }
}

fn newcomer(script: &mut Script, days: (i64, i64)) -> Newcomer {
    script.newcomer(CAMPAIGN, &SAKURA, "jpy", days)
}

fn months(payments: u32) -> Plan {
    Plan {
        minor: MONTHLY,
        payments,
        ..Plan::default()
    }
}

fn stays_two_months(script: &mut Script) {
    let new = newcomer(script, (0, 135));
    script.refer(&new, State::Qualified, Code::ThresholdMet);
    let at = script.later(new.at, 2, 140);
    let payments = u32::try_from(script.dice.between(2, 5)).unwrap_or(2);
    script.subscribe(&new.person, at, &months(payments));
}

fn tries_first(script: &mut Script) {
    let new = newcomer(script, (0, 118));
    script.refer(&new, State::Qualified, Code::ThresholdMet);
    let at = script.later(new.at, 2, 140);
    let plan = Plan {
        trial: true,
        ..months(3)
    };
    script.subscribe(&new.person, at, &plan);
}

/// The 60 days end without a second payment.
fn leaves_after_one(script: &mut Script) {
    let new = newcomer(script, (0, 105));
    script.refer(&new, State::Rejected, Code::WindowClosed);
    let at = script.later(new.at, 2, 140);
    script.subscribe(&new.person, at, &months(1));
}

fn has_paid_once(script: &mut Script) {
    let new = newcomer(script, (135, 168));
    script.refer(&new, State::Pending, Code::BelowThreshold);
    let at = script.later(new.at, 2, 140);
    script.subscribe(&new.person, at, &months(1));
}

/// Without a first payment the 60 days never begin.
fn never_comes(script: &mut Script) {
    let new = newcomer(script, (0, 170));
    script.refer(&new, State::Pending, Code::NoCustomerYet);
}

/// Enough yen, but in one payment.
fn buys_once_for_more(script: &mut Script) {
    let new = newcomer(script, (130, 168));
    script.refer(&new, State::Pending, Code::TooFewPayments);
    let at = script.later(new.at, 2, 140);
    script.sign_up(&new.person, at);
    script.pay(&new.person, at.plus_seconds(300), 6_400, &Bill::default());
}

fn gives_one_back_late(script: &mut Script) {
    let new = newcomer(script, (0, 50));
    script.refer(&new, State::Rejected, Code::RefundedBelowThreshold);
    let at = script.later(new.at, 2, 140);
    let mut paid = script.subscribe(&new.person, at, &months(2));
    if let Some(second) = paid.last_mut() {
        let back = script.later(second.at.plus_seconds(30 * DAY_SECONDS), 1, 90);
        script.refund(&new.person, second, back, MONTHLY);
    }
}
