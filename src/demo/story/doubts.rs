//! The launch's odd cases: guests, other keys than the email, doubles, promoters who refer
//! themselves, disputes, wrong currencies, and everything that misses by a little.

use serde_json::json;

use super::cast::LAUNCH;
use super::launch::{EARLY, newcomer};
use super::money::{Bill, Paid};
use super::script::{Newcomer, Scene, Script};
use crate::domain::reason::ReasonCode as Code;
use crate::domain::time::{DAY_SECONDS, Timestamp};
use crate::domain::verdict::VerdictState as State;

const SCENES: [Scene; 15] = [
    (9, pays_as_a_guest),
    (6, is_known_by_its_uid),
    (3, is_known_by_its_stripe_id),
    (4, has_two_accounts),
    (1, is_the_promoter),
    (3, loses_a_dispute),
    (2, wins_a_dispute),
    (1, disputes_still),
    (3, pays_in_pounds),
    (4, pays_too_late),
    (4, signs_up_with_a_tag),
    (3, verifies_the_card_first),
    (3, is_claimed_twice),
    (3, is_referred_again),
    (2, wrote_the_email_differently),
];

/// Plays every scene as often as it happens.
pub fn play(script: &mut Script) {
    for (count, scene) in SCENES {
        (0..count).for_each(|_| scene(script));
    }
}

/// Signs up a few days after being referred, and pays enough at once.
fn sign_up_and_pay(script: &mut Script, new: &Newcomer) -> Paid {
    let at = script.later(new.at, 26, 90);
    script.sign_up(&new.person, at);
    script.pay(&new.person, at.plus_seconds(300), 6_900, &Bill::default())
}

fn pays_as_a_guest(script: &mut Script) {
    let mut new = newcomer(script, (0, 160));
    new.person.customer = None;
    script.refer(&new, State::Qualified, Code::ThresholdMet);
    let at = script.later(new.at, 26, 90);
    script.pay(&new.person, at, 6_400, &Bill::default());
}

fn is_known_by_its_uid(script: &mut Script) {
    let mut new = newcomer(script, (0, 160));
    let uid = format!("user_{}", script.dice.letters(8));
    new.referral.email = None;
    new.referral.uid = Some(uid.clone());
    new.person.metadata = json!({"fp_uid": uid});
    script.refer(&new, State::Qualified, Code::ThresholdMet);
    sign_up_and_pay(script, &new);
}

fn is_known_by_its_stripe_id(script: &mut Script) {
    let mut new = newcomer(script, (0, 160));
    new.referral.email = None;
    new.referral.stripe_customer_id = new.person.customer.clone();
    script.refer(&new, State::Qualified, Code::ThresholdMet);
    sign_up_and_pay(script, &new);
}

/// Two customers, one email: nobody guesses which.
fn has_two_accounts(script: &mut Script) {
    let new = newcomer(script, (40, 160));
    script.refer(&new, State::Review, Code::DuplicateCustomers);
    sign_up_and_pay(script, &new);
    let mut second = new.clone();
    second.person.customer = Some(script.id("cus"));
    sign_up_and_pay(script, &second);
}

fn is_the_promoter(script: &mut Script) {
    let mut new = newcomer(script, (60, 160));
    new.referral.promoter = "prom_bruno".into();
    new.person.name = "Bruno Costa".into();
    new.person.email = "bruno+shop@example.net".into();
    new.referral.email = Some(new.person.email.clone());
    script.refer(&new, State::Review, Code::SelfReferral);
    sign_up_and_pay(script, &new);
}

/// The dispute is opened when the reward is in the ledger already.
fn late_dispute(script: &mut Script, new: &Newcomer, days: i64, won: bool) {
    let paid = sign_up_and_pay(script, new);
    let opened = paid.at.plus_seconds(35 * DAY_SECONDS);
    let ends = opened.plus_seconds(days * DAY_SECONDS);
    script.dispute(&new.person, &paid, opened, (ends, won));
}

fn loses_a_dispute(script: &mut Script) {
    let new = newcomer(script, (0, 90));
    script.refer(&new, State::Rejected, Code::DisputeLost);
    late_dispute(script, &new, 30, false);
}

fn wins_a_dispute(script: &mut Script) {
    let new = newcomer(script, (0, 80));
    script.refer(&new, State::Qualified, Code::ThresholdMet);
    late_dispute(script, &new, 40, true);
}

fn disputes_still(script: &mut Script) {
    let new = newcomer(script, (118, 124));
    script.refer(&new, State::Pending, Code::DisputeOpen);
    let paid = sign_up_and_pay(script, &new);
    let opened = paid.at.plus_seconds(35 * DAY_SECONDS);
    script.open_dispute(&new.person, &paid, opened);
}

fn pays_in_pounds(script: &mut Script) {
    let mut new = newcomer(script, EARLY);
    new.person.currency = "gbp";
    script.refer(&new, State::Rejected, Code::WindowClosed);
    sign_up_and_pay(script, &new);
}

/// A few hours after the 30 days are over.
fn pays_too_late(script: &mut Script) {
    let new = newcomer(script, EARLY);
    script.refer(&new, State::Rejected, Code::WindowClosed);
    let at = script.later(new.at, 26, 90);
    script.sign_up(&new.person, at);
    let late = script.later(new.at.plus_seconds(30 * DAY_SECONDS), 1, 20);
    script.pay(&new.person, late, 8_900, &Bill::default());
}

/// The same person, most likely; but an email with a tag is another email.
fn signs_up_with_a_tag(script: &mut Script) {
    let mut new = newcomer(script, EARLY);
    script.refer(&new, State::Rejected, Code::WindowClosed);
    new.person.email = new.person.email.replacen('@', "+news@", 1);
    sign_up_and_pay(script, &new);
}

/// Half a dollar is taken to see whether the card works: that is no spend.
fn verifies_the_card_first(script: &mut Script) {
    let new = newcomer(script, (0, 160));
    script.refer(&new, State::Qualified, Code::ThresholdMet);
    let at = script.later(new.at, 4, 20);
    script.pay(&new.person, at, 50, &Bill::default());
    sign_up_and_pay(script, &new);
}

/// Ada knows the first email, Chloe the one that the customer changes it to: both are the
/// same person, and the first claim holds.
fn is_claimed_twice(script: &mut Script) {
    let mut new = newcomer(script, EARLY);
    new.referral.promoter = "prom_ada".into();
    script.refer(&new, State::Qualified, Code::ThresholdMet);
    let mut other = new.clone();
    other.at = script.later(new.at, 2, 20);
    other.person.email = new.person.email.replacen('.', "-", 1);
    other.referral.id = Some(script.id("ref"));
    other.referral.promoter = "prom_chloe".into();
    other.referral.email = Some(other.person.email.clone());
    other.referral.referred_at = Some(other.at);
    script.refer(&other, State::Rejected, Code::ClaimedByOtherReferral);
    let paid = sign_up_and_pay(script, &new);
    script.change_email(&other.person, paid.at.plus_seconds(DAY_SECONDS));
}

/// Another promoter comes second with the same email, and is refused.
fn is_referred_again(script: &mut Script) {
    let mut new = newcomer(script, (0, 160));
    new.referral.promoter = "prom_dev".into();
    script.refer(&new, State::Qualified, Code::ThresholdMet);
    sign_up_and_pay(script, &new);
    let at: Timestamp = script.later(new.at, 30, 90);
    let mut again = new.referral.clone();
    again.id = Some(script.id("ref"));
    let others = LAUNCH.map(|p| if p == "prom_dev" { "prom_elif" } else { p });
    again.promoter = script.dice.pick(&others).into();
    again.referred_at = Some(at);
    script.register(at, again);
}

/// Case and spaces are no difference.
fn wrote_the_email_differently(script: &mut Script) {
    let mut new = newcomer(script, (0, 160));
    script.refer(&new, State::Qualified, Code::ThresholdMet);
    new.person.email = format!(" {} ", new.person.email.to_ascii_uppercase());
    sign_up_and_pay(script, &new);
}
