//! A made-up shop: people sign up, pay every month, and a good part of them was referred.
//! Events come in the order in which they happen, their ids with them.

use std::collections::VecDeque;

use qualify::domain::email::CanonicalEmail;
use qualify::domain::ids::{CampaignId, PromoterId, ReferralId};
use qualify::domain::people::Referral;
use qualify::domain::time::Timestamp;
use qualify::registry::promoters::PromoterInput;

use super::shapes::{
    Bill, Era, Person, charge, customer, discount, event, intent, invoice, invoice_payment,
    subscription,
};

/// How many promoters there are; every one has a coupon.
pub const PROMOTERS: u64 = 100;
/// Seconds between two people who sign up.
const SECONDS_BETWEEN: i64 = 37;
/// People paying at the same time.
const AT_ONCE: usize = 40;
/// Kinds of people among those who were customers before.
pub const KINDS: u64 = 30;
/// Digits of a person who came before those whose events are made here.
const NEWCOMERS_FROM: u64 = 5_000_000_000;

/// The campaigns, by link and by coupon.
pub const CAMPAIGNS: [&str; 4] = [
    include_str!("../../rules/ambassadors.toml"),
    include_str!("../../rules/newcomers.toml"),
    include_str!("../../rules/partner-coupons.toml"),
    include_str!("../../rules/third-month.toml"),
];
const LINKED: [&str; 3] = ["ambassadors", "newcomers", "third-month"];

/// One event, and whose it is.
#[derive(Debug, Clone)]
pub struct Told {
    /// Stripe's customer.
    pub customer: String,
    /// As Stripe sends it.
    pub body: Vec<u8>,
}

/// A person of some number: what it has follows from the last two digits.
pub fn person(number: u64) -> Person {
    let kind = number % 100;
    Person {
        digits: format!("{number:010}"),
        era: if kind.is_multiple_of(3) {
            Era::Clover
        } else {
            Era::Acacia
        },
        uid: (kind % 10 == 6).then(|| format!("user-{number:010}")),
        coupon: (kind % 10 >= 8).then(|| coupon(kind)),
    }
}

/// The number of the n-th of those who were customers before.
pub const fn old_person(n: u64) -> u64 {
    n / KINDS * 100 + n % KINDS
}

fn coupon(promoter: u64) -> String {
    format!("PARTNER-{promoter:03}")
}

/// Every promoter.
pub fn promoters() -> Vec<PromoterInput> {
    let one = |number| PromoterInput {
        id: format!("prom_{number:03}"),
        name: format!("Promoter {number}"),
        email: Some(format!("promoter.{number}@partners.example")),
        code: Some(format!("code{number:03}")),
        coupons: vec![coupon(number)],
        stripe_customer_id: None,
    };
    (0..PROMOTERS).map(one).collect()
}

/// The referral of a person, if somebody referred it: six of ten by email, one by uid.
pub fn referral(number: u64, at: i64) -> Option<Referral> {
    let person = person(number);
    let kind = number % 100;
    let by_email = kind % 10 < 6;
    if !by_email && person.uid.is_none() {
        return None;
    }
    let campaign = LINKED[usize::try_from(kind % 3).unwrap()];
    Some(Referral {
        id: ReferralId::new(format!("ref_{}", person.digits)),
        campaign: CampaignId::from(campaign),
        promoter: Some(PromoterId::new(format!("prom_{kind:03}"))),
        email: by_email.then(|| CanonicalEmail::parse(&person.email()).unwrap()),
        uid: person.uid,
        stripe_customer_id: None,
        referred_at: Timestamp::from_unix(at).unwrap(),
    })
}

/// What one person does.
struct Life {
    person: Person,
    steps: VecDeque<(&'static str, Bill)>,
}

/// The events of the shop, one after the other, without end.
pub struct World {
    lives: VecDeque<Life>,
    next: u64,
    old_people: u64,
    now: i64,
    serial: u64,
    dice: u64,
}

impl World {
    /// A shop that had `old_people` customers, numbered from 0, when its events begin.
    pub fn new(old_people: u64, starts: i64) -> Self {
        Self {
            lives: VecDeque::new(),
            next: NEWCOMERS_FROM,
            old_people,
            now: starts,
            serial: 0,
            dice: 0x9E37_79B9_7F4A_7C15,
        }
    }

    /// The next events, and the referrals that were registered meanwhile.
    pub fn take(&mut self, count: usize) -> (Vec<Told>, Vec<Referral>) {
        let (mut told, mut referrals) = (Vec::new(), Vec::new());
        while told.len() < count {
            while self.lives.len() < AT_ONCE {
                self.now += SECONDS_BETWEEN;
                let life = self.somebody(&mut referrals);
                self.lives.push_back(life);
            }
            // Whoever is next in line says the next thing, and goes to the end of it.
            let Some(mut life) = self.lives.pop_front() else {
                break;
            };
            if let Some((event_type, bill)) = life.steps.pop_front() {
                told.push(self.tell(&life.person, event_type, &bill));
                self.lives.push_back(life);
            }
        }
        (told, referrals)
    }

    /// What some people did who were there before the shop's events begin.
    pub fn past_of(&mut self, numbers: impl Iterator<Item = u64>) -> (Vec<Told>, Vec<Referral>) {
        let (mut told, mut referrals) = (Vec::new(), Vec::new());
        for number in numbers {
            let mut life = self.life(number, true, &mut referrals);
            while let Some((event_type, bill)) = life.steps.pop_front() {
                told.push(self.tell(&life.person, event_type, &bill));
            }
        }
        (told, referrals)
    }

    /// One event of one customer who pays on and on.
    pub fn whale_pays(&mut self, number: u64) -> Told {
        self.serial += 1;
        let bill = Bill {
            number: format!("{:09}", self.serial),
            at: self.now,
            minor: 4_900,
            refunded: 0,
        };
        self.tell(&person(number), "charge.succeeded", &bill)
    }

    /// Every second is one who comes again, if there are any; the others are new.
    fn somebody(&mut self, referrals: &mut Vec<Referral>) -> Life {
        let returns = self.old_people > 0 && self.roll(2) == 0;
        let number = if returns {
            old_person(self.roll(self.old_people))
        } else {
            self.next += 1;
            self.next
        };
        self.life(number, !returns, referrals)
    }

    fn life(&mut self, number: u64, is_new: bool, referrals: &mut Vec<Referral>) -> Life {
        let person = person(number);
        let mut steps = VecDeque::new();
        if is_new {
            referrals.extend(referral(number, self.now - 600));
            let first = self.bill(4_900);
            steps.push_back(("customer.created", first.clone()));
            steps.push_back(("customer.subscription.created", first.clone()));
            if person.coupon.is_some() {
                steps.push_back(("customer.discount.created", first.clone()));
            }
            steps.push_back(("customer.updated", first));
        }
        for _ in 0..if is_new { 2 } else { 1 } {
            let amount = 900 + i64::try_from(self.roll(9_000)).unwrap();
            let bill = self.bill(amount);
            let refund = self.roll(20) == 0;
            steps.push_back(("charge.succeeded", bill.clone()));
            steps.push_back(("payment_intent.succeeded", bill.clone()));
            steps.push_back(("invoice.paid", bill.clone()));
            if person.era == Era::Clover {
                steps.push_back(("invoice_payment.paid", bill.clone()));
            }
            if refund {
                let refunded = bill.minor / 2;
                steps.push_back(("charge.refunded", Bill { refunded, ..bill }));
            }
        }
        Life { person, steps }
    }

    fn bill(&mut self, minor: i64) -> Bill {
        self.serial += 1;
        Bill {
            number: format!("{:09}", self.serial),
            at: self.now,
            minor,
            refunded: 0,
        }
    }

    fn tell(&mut self, person: &Person, event_type: &'static str, bill: &Bill) -> Told {
        self.serial += 1;
        let object = match event_type {
            "customer.created" | "customer.updated" => customer(person, bill.at),
            "customer.subscription.created" => subscription(person, bill.at),
            "customer.discount.created" => discount(person, bill.at),
            "payment_intent.succeeded" => intent(person, bill),
            "invoice.paid" => invoice(person, bill),
            "invoice_payment.paid" => invoice_payment(person, bill),
            _ => charge(person, bill),
        };
        let id = format!("evt_1Q{:010}{}", self.serial, person.digits);
        Told {
            customer: person.customer(),
            body: event(person, &id, self.now, event_type, &object),
        }
    }

    /// A number below `sides`, the same on every run.
    fn roll(&mut self, sides: u64) -> u64 {
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        self.dice % sides
    }
}
