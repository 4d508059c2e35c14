//! The launch: 50 dollars or 45 euros within 30 days. Everything that ordinary people do.

use super::cast::LAUNCH;
use super::customers::Plan;
use super::money::Bill;
use super::script::{Newcomer, Scene, Script};
use crate::domain::reason::ReasonCode as Code;
use crate::domain::time::DAY_SECONDS;
use crate::domain::verdict::VerdictState as State;

/// The campaign.
pub const CAMPAIGN: &str = "launch-2026";
/// Days on which a referral's 30 days surely end within the story.
pub const EARLY: (i64, i64) = (0, 135);
/// Days on which a referral's 30 days surely do not.
pub const RECENT: (i64, i64) = (152, 170);
/// A plan that suffices at once, in cents of either currency.
const PRO: i64 = 5_900;
/// A plan that does not.
const STARTER: i64 = 2_900;

const SCENES: [Scene; 13] = [
    (44, subscribes),
    (14, tries_first),
    (16, buys_once),
    (20, starts_small),
    (10, adds_up),
    (18, never_comes),
    (11, looks_around),
    (8, card_fails_once),
    (6, gives_some_back_early),
    (6, gives_all_back_late),
    (5, gives_some_back_and_still_suffices),
    (12, has_just_come),
    (5, is_almost_there),
];

/// Plays every scene as often as it happens.
pub fn play(script: &mut Script) {
    for (count, scene) in SCENES {
        (0..count).for_each(|_| scene(script));
    }
}

/// Somebody new in this campaign.
pub fn newcomer(script: &mut Script, days: (i64, i64)) -> Newcomer {
    let currency = if script.dice.one_in(3) { "eur" } else { "usd" };
    script.newcomer(CAMPAIGN, &LAUNCH, currency, days)
}

fn monthly(minor: i64) -> Plan {
    Plan {
        minor,
        ..Plan::default()
    }
}

fn subscribes(script: &mut Script) {
    let new = newcomer(script, (0, 165));
    script.refer(&new, State::Qualified, Code::ThresholdMet);
    let at = script.later(new.at, 26, 120);
    script.subscribe(&new.person, at, &monthly(PRO));
}

fn tries_first(script: &mut Script) {
    let new = newcomer(script, EARLY);
    script.refer(&new, State::Qualified, Code::ThresholdMet);
    let at = script.later(new.at, 26, 240);
    let plan = Plan {
        trial: true,
        ..monthly(PRO)
    };
    script.subscribe(&new.person, at, &plan);
}

fn buys_once(script: &mut Script) {
    let new = newcomer(script, (0, 165));
    script.refer(&new, State::Qualified, Code::ThresholdMet);
    let at = script.later(new.at, 26, 90);
    script.sign_up(&new.person, at);
    let minor = script.dice.between(52, 180) * 100;
    let bill = if script.dice.one_in(2) {
        Bill::single()
    } else {
        Bill::default()
    };
    script.pay(&new.person, at.plus_seconds(200), minor, &bill);
}

/// The small plan reaches the sum in its second month, which is too late.
fn starts_small(script: &mut Script) {
    let new = newcomer(script, EARLY);
    script.refer(&new, State::Rejected, Code::WindowClosed);
    let at = script.later(new.at, 72, 140);
    script.subscribe(&new.person, at, &monthly(STARTER));
}

fn adds_up(script: &mut Script) {
    let new = newcomer(script, (0, 140));
    script.refer(&new, State::Qualified, Code::ThresholdMet);
    let at = script.later(new.at, 72, 140);
    script.subscribe(&new.person, at, &monthly(STARTER));
    let extra = script.later(at, 100, 300);
    script.pay(&new.person, extra, 2_500, &Bill::default());
}

fn never_comes(script: &mut Script) {
    let new = newcomer(script, EARLY);
    script.refer(&new, State::Rejected, Code::WindowClosed);
}

fn looks_around(script: &mut Script) {
    let new = newcomer(script, EARLY);
    script.refer(&new, State::Rejected, Code::WindowClosed);
    let at = script.later(new.at, 1, 90);
    script.sign_up(&new.person, at);
}

fn card_fails_once(script: &mut Script) {
    let new = newcomer(script, (0, 160));
    script.refer(&new, State::Qualified, Code::ThresholdMet);
    let at = script.later(new.at, 26, 90);
    script.sign_up(&new.person, at);
    let bill = Bill {
        declined_first: true,
        ..Bill::default()
    };
    script.pay(&new.person, at.plus_seconds(300), 7_900, &bill);
}

/// The refund comes while the reward is still on hold.
fn gives_some_back_early(script: &mut Script) {
    let new = newcomer(script, EARLY);
    script.refer(&new, State::Rejected, Code::RefundedBelowThreshold);
    let at = script.later(new.at, 26, 90);
    script.sign_up(&new.person, at);
    let mut paid = script.pay(&new.person, at.plus_seconds(300), PRO, &Bill::single());
    let back = script.later(paid.at, 48, 200);
    script.refund(&new.person, &mut paid, back, 2_000);
}

/// The refund comes when the reward is in the ledger already.
fn gives_all_back_late(script: &mut Script) {
    let new = newcomer(script, (0, 110));
    script.refer(&new, State::Rejected, Code::RefundedBelowThreshold);
    let at = script.later(new.at, 26, 90);
    script.sign_up(&new.person, at);
    let mut paid = script.pay(&new.person, at.plus_seconds(300), 9_900, &Bill::default());
    let back = script.later(paid.at.plus_seconds(33 * DAY_SECONDS), 1, 90);
    script.refund(&new.person, &mut paid, back, 9_900);
}

fn gives_some_back_and_still_suffices(script: &mut Script) {
    let new = newcomer(script, (0, 150));
    script.refer(&new, State::Qualified, Code::ThresholdMet);
    let at = script.later(new.at, 26, 90);
    script.sign_up(&new.person, at);
    let mut paid = script.pay(&new.person, at.plus_seconds(300), 9_900, &Bill::single());
    let back = script.later(paid.at, 48, 400);
    script.refund(&new.person, &mut paid, back, 3_000);
}

fn has_just_come(script: &mut Script) {
    let new = newcomer(script, RECENT);
    if script.dice.one_in(2) {
        script.refer(&new, State::Pending, Code::NoCustomerYet);
    } else {
        script.refer(&new, State::Pending, Code::NoPaymentYet);
        let at = script.later(new.at, 1, 60);
        script.sign_up(&new.person, at);
    }
}

fn is_almost_there(script: &mut Script) {
    let new = newcomer(script, RECENT);
    script.refer(&new, State::Pending, Code::BelowThreshold);
    let at = script.later(new.at, 26, 90);
    script.sign_up(&new.person, at);
    let minor = script.dice.between(1_900, 4_400);
    script.pay(&new.person, at.plus_seconds(300), minor, &Bill::default());
}
