//! The partner programme: coupons by promotion code and by id, links, both at once, two at
//! once, and customers who are not as new as they should be.

use serde_json::json;

use super::cast::PARTNERS;
use super::customers::Plan;
use super::money::{Bill, Saving};
use super::script::{Era, Newcomer, Person, Scene, Script, from_start};
use crate::domain::reason::ReasonCode as Code;
use crate::domain::time::DAY_SECONDS;
use crate::domain::verdict::VerdictState as State;

/// The campaign.
pub const CAMPAIGN: &str = "partners-2026";
/// Who refers by link, and whose coupons are used: the busy ones are named more often.
const BUSY: [usize; 10] = [0, 0, 0, 0, 1, 1, 2, 2, 3, 4];

const SCENES: [Scene; 10] = [
    (30, types_the_code),
    (26, has_the_coupon),
    (6, buys_little_with_it),
    (8, gives_half_back_late),
    (20, comes_by_link),
    (6, came_by_link_but_did_not_buy),
    (4, is_an_old_customer),
    (3, came_by_link_and_uses_a_coupon),
    (2, uses_two_coupons),
    (3, mistypes_the_coupon),
];

/// The partners' promotion codes are made in Stripe's dashboard.
pub fn open(script: &mut Script) {
    for (n, (_, _, _, coupon, promotion_code, typed)) in (0..).zip(PARTNERS) {
        let at = from_start(600 + 60 * n);
        let object = json!({
            "id": promotion_code,
            "object": "promotion_code",
            "active": true,
            "code": typed,
            "created": at.unix(),
            "customer": null,
            "livemode": true,
            "metadata": {},
            "promotion": {"type": "coupon", "coupon": coupon},
            "restrictions": {},
            "times_redeemed": 0,
        });
        script.report(Era::Modern, at, "promotion_code.created", &object);
    }
}

/// Plays every scene as often as it happens.
pub fn play(script: &mut Script) {
    for (count, scene) in SCENES {
        (0..count).for_each(|_| scene(script));
    }
}

/// Some partner's coupon, typed as a code or given by id.
fn saving(script: &mut Script, typed: bool, off: i64) -> Saving {
    let place = script.dice.pick(&BUSY);
    let partner = PARTNERS.get(place).copied().unwrap_or_default();
    Saving {
        coupon: partner.3.to_owned(),
        promotion_code: typed.then(|| partner.4.to_owned()),
        off,
    }
}

fn newcomer(script: &mut Script, partner: usize, days: (i64, i64)) -> Newcomer {
    let partner = PARTNERS.get(partner).copied().unwrap_or_default();
    script.newcomer(CAMPAIGN, &[partner.0], "usd", days)
}

fn expect(script: &mut Script, person: &Person, state: State, code: Code) {
    script.expect(CAMPAIGN, &person.coupon_referral(CAMPAIGN), state, code);
}

fn subscribe_with(script: &mut Script, typed: bool) {
    let person = script.person("usd");
    expect(script, &person, State::Qualified, Code::ThresholdMet);
    let at = script.moment(1, 172);
    let plan = Plan {
        minor: 4_900,
        saving: Some(saving(script, typed, 1_000)),
        ..Plan::default()
    };
    script.subscribe(&person, at, &plan);
}

fn types_the_code(script: &mut Script) {
    subscribe_with(script, true);
}

fn has_the_coupon(script: &mut Script) {
    subscribe_with(script, false);
}

fn with_saving(saving: Saving) -> Bill {
    Bill {
        saving: Some(saving),
        ..Bill::single()
    }
}

fn buys_little_with_it(script: &mut Script) {
    let person = script.person("usd");
    expect(script, &person, State::Pending, Code::BelowThreshold);
    let at = script.moment(20, 172);
    script.sign_up(&person, at);
    let bill = with_saving(saving(script, true, 200));
    let minor = script.dice.between(700, 1_900);
    script.pay(&person, at.plus_seconds(300), minor, &bill);
}

/// Less spend, less reward: the difference goes back, the rest stays.
fn gives_half_back_late(script: &mut Script) {
    let person = script.person("usd");
    expect(script, &person, State::Qualified, Code::ThresholdMet);
    let at = script.moment(1, 120);
    script.sign_up(&person, at);
    let bill = with_saving(saving(script, false, 1_000));
    let mut paid = script.pay(&person, at.plus_seconds(300), 12_000, &bill);
    let back = script.later(paid.at.plus_seconds(30 * DAY_SECONDS), 1, 90);
    script.refund(&person, &mut paid, back, 6_000);
}

fn comes_by_link(script: &mut Script) {
    let place = script.dice.pick(&BUSY);
    let new = newcomer(script, place, (0, 165));
    script.refer(&new, State::Qualified, Code::ThresholdMet);
    let at = script.later(new.at, 2, 90);
    let plan = Plan {
        minor: 4_900,
        ..Plan::default()
    };
    script.subscribe(&new.person, at, &plan);
}

fn came_by_link_but_did_not_buy(script: &mut Script) {
    let new = newcomer(script, 1, (10, 165));
    script.refer(&new, State::Pending, Code::NoPaymentYet);
    let at = script.later(new.at, 2, 90);
    script.sign_up(&new.person, at);
}

/// Paid before, without a coupon: the partner did not bring this customer.
fn is_an_old_customer(script: &mut Script) {
    let person = script.person("usd");
    expect(script, &person, State::Rejected, Code::ExistingCustomer);
    let at = script.moment(5, 60);
    script.sign_up(&person, at);
    script.pay(&person, at.plus_seconds(300), 4_900, &Bill::single());
    let bill = with_saving(saving(script, false, 1_000));
    let later = script.later(at.plus_seconds(40 * DAY_SECONDS), 1, 400);
    script.pay(&person, later, 3_900, &bill);
}

fn came_by_link_and_uses_a_coupon(script: &mut Script) {
    let new = newcomer(script, 2, (30, 165));
    script.refer(&new, State::Review, Code::LinkAgainstCoupon);
    let at = script.later(new.at, 2, 90);
    script.sign_up(&new.person, at);
    let partner = PARTNERS.first().copied().unwrap_or_default();
    let bill = with_saving(Saving {
        coupon: partner.3.to_owned(),
        promotion_code: Some(partner.4.to_owned()),
        off: 1_000,
    });
    script.pay(&new.person, at.plus_seconds(300), 3_900, &bill);
}

fn uses_two_coupons(script: &mut Script) {
    let mut person = script.person("usd");
    person.era = Era::Modern; // an invoice with two discounts
    expect(script, &person, State::Review, Code::TwoCoupons);
    let at = script.moment(30, 170);
    script.sign_up(&person, at);
    let of = |place: usize| PARTNERS.get(place).copied().unwrap_or_default().3;
    let bill = Bill {
        second_coupon: Some(of(4).to_owned()),
        ..with_saving(Saving {
            coupon: of(3).to_owned(),
            promotion_code: None,
            off: 500,
        })
    };
    script.pay(&person, at.plus_seconds(300), 5_400, &bill);
}

/// A coupon that belongs to nobody, one letter away from a partner's.
fn mistypes_the_coupon(script: &mut Script) {
    let person = script.person("usd");
    let at = script.moment(30, 170);
    script.sign_up(&person, at);
    let bill = with_saving(Saving {
        coupon: "PARTNER_JUN0".to_owned(),
        promotion_code: None,
        off: 500,
    });
    script.pay(&person, at.plus_seconds(300), 4_400, &bill);
}
