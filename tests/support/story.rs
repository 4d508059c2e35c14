//! A story: what really happened between a few people, their money and some promoters.
//! It is the truth that events report and that the oracle judges; it knows no Stripe shapes.

use std::collections::BTreeSet;

use qualify::domain::email::CanonicalEmail;
use qualify::domain::ids::{CustomerId, PromoterId, ReferralId};
use qualify::domain::people;
use qualify::domain::time::Timestamp;

/// The second from which every story's times are counted: 2026-03-01T00:00:00Z.
pub const BASE: i64 = 1_772_323_200;
/// Seconds in a day.
pub const DAY: i64 = 86_400;

/// A promoter, `prom_<index>`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Promoter {
    pub email: Option<&'static str>,
    pub customer: Option<usize>,
    pub coupons: Vec<&'static str>,
}

/// A registered referral, `ref_<index>`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Referral {
    pub promoter: usize,
    pub email: Option<&'static str>,
    pub uid: Option<&'static str>,
    pub customer: Option<usize>,
    pub at: i64,
}

/// Somebody who pays: a Stripe customer `cus_<index>`, or a guest known by an email.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Person {
    pub guest: bool,
    pub created: i64,
    pub email: Option<&'static str>,
    /// What the email is changed to a day after creation.
    pub later_email: Option<&'static str>,
    /// The customer's metadata `fp_uid`.
    pub uid: Option<&'static str>,
    /// A coupon on the customer, from its creation.
    pub coupon: Option<&'static str>,
}

/// On which objects Stripe reports a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum How {
    /// A bare charge.
    #[default]
    Charge,
    /// A payment intent and its charge.
    Intent,
    /// A Checkout session in payment mode, its intent and charge.
    Checkout,
    /// An invoice, its intent and charge.
    Invoice,
    /// A Checkout session that starts a subscription, its first invoice, intent and charge.
    Subscription,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fate {
    #[default]
    Paid,
    /// Declined an hour earlier, then paid.
    Retried,
    /// Declined.
    Failed,
    /// Authorised only.
    Uncaptured,
    /// Authorised, and this much captured an hour later.
    Captured(i64),
    /// Nothing to pay: a trial, or a coupon for all of it.
    Zero,
    /// Marked paid outside Stripe.
    OutOfBand,
}

/// Where a coupon was put.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    Invoice,
    Line,
    Subscription,
    Session,
    /// On the session, by a promotion code.
    PromotionCode,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RefundEnd {
    Succeeded,
    Pending,
    Failed,
    Canceled,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refund {
    pub amount: i64,
    pub end: RefundEnd,
    /// Seconds after the payment.
    pub after: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DisputeEnd {
    /// Opened; no money moved yet.
    Open,
    /// Opened, and the funds withdrawn.
    Withdrawn,
    Lost,
    /// Won; the funds had never been withdrawn.
    Won,
    /// Withdrawn, then reinstated, and won.
    Reinstated,
    /// An inquiry that is open.
    Inquiry,
    /// An inquiry that was closed.
    InquiryClosed,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dispute {
    pub end: DisputeEnd,
    /// Seconds after the payment.
    pub after: i64,
}

/// One payment, or an attempt at one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Payment {
    pub who: usize,
    pub at: i64,
    pub currency: &'static str,
    /// Asked for, tax included. What was paid depends on `fate`.
    pub amount: i64,
    /// Tax in it; reported on the invoice only.
    pub tax: i64,
    pub how: How,
    pub fate: Fate,
    /// Products on the invoice's lines.
    pub products: Vec<&'static str>,
    pub coupons: Vec<(&'static str, Place)>,
    /// An email on the invoice or session that may differ from the customer's.
    pub email: Option<&'static str>,
    /// The session's `client_reference_id`.
    pub reference: Option<&'static str>,
    pub refunds: Vec<Refund>,
    pub dispute: Option<Dispute>,
}

impl Payment {
    pub fn has_invoice(&self) -> bool {
        matches!(self.how, How::Invoice | How::Subscription)
    }

    pub fn has_session(&self) -> bool {
        matches!(self.how, How::Checkout | How::Subscription)
    }

    pub fn has_intent(&self) -> bool {
        self.how != How::Charge && !matches!(self.fate, Fate::Zero | Fate::OutOfBand)
    }

    pub fn has_charge(&self) -> bool {
        !matches!(self.fate, Fate::Zero | Fate::OutOfBand)
    }

    /// What really came in through Stripe.
    pub fn paid(&self) -> i64 {
        match self.fate {
            Fate::Paid | Fate::Retried => self.amount,
            Fate::Captured(part) => part,
            Fate::Failed | Fate::Uncaptured | Fate::Zero | Fate::OutOfBand => 0,
        }
    }
}

/// All of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Story {
    pub promoters: Vec<Promoter>,
    pub referrals: Vec<Referral>,
    pub people: Vec<Person>,
    pub payments: Vec<Payment>,
    /// Seconds between the last event and the instant to judge at.
    pub wait: i64,
}

/// The instant at an offset from [`BASE`].
pub fn instant(offset: i64) -> Timestamp {
    Timestamp::from_unix(BASE + offset).unwrap()
}

pub fn canonical(email: &str) -> CanonicalEmail {
    CanonicalEmail::parse(email).unwrap()
}

impl Story {
    /// The id that a person's payments are found under.
    pub fn customer_id(&self, who: usize) -> CustomerId {
        let person = &self.people[who];
        match (person.guest, person.email) {
            (true, Some(email)) => CustomerId::guest(&canonical(email)),
            _ => CustomerId::new(format!("cus_{who}")),
        }
    }

    /// Emails seen on a person, canonical.
    pub fn emails_of(&self, who: usize) -> Vec<CanonicalEmail> {
        let person = &self.people[who];
        let own = person.email.iter().chain(person.later_email.iter());
        let shown = self
            .payments
            .iter()
            .filter(|p| p.who == who && !person.guest && (p.has_invoice() || p.has_session()))
            .filter_map(|p| p.email.as_ref());
        own.chain(shown).map(|email| canonical(email)).collect()
    }

    /// The last moment of the story.
    pub fn last_offset(&self) -> i64 {
        let payments = self.payments.iter().map(|p| {
            let refunds = p.refunds.iter().map(|r| p.at + r.after + 28_800);
            let dispute = p.dispute.iter().map(|d| p.at + d.after + 10_800);
            refunds.chain(dispute).max().unwrap_or(p.at + 3600)
        });
        let people = self.people.iter().map(|p| p.created + DAY);
        let referrals = self.referrals.iter().map(|r| r.at);
        payments.chain(people).chain(referrals).max().unwrap_or(0)
    }

    pub fn as_of(&self) -> Timestamp {
        instant(self.last_offset() + self.wait)
    }

    /// The promoters as the product holds them.
    pub fn promoters(&self) -> Vec<people::Promoter> {
        let promoters = self.promoters.iter().enumerate();
        promoters
            .map(|(i, p)| people::Promoter {
                id: PromoterId::new(format!("prom_{i}")),
                name: format!("Promoter {i}"),
                email: p.email.map(canonical),
                code: None,
                coupons: p.coupons.iter().map(|c| (*c).into()).collect(),
                stripe_customer_id: p.customer.map(|who| format!("cus_{who}")),
                suspended: false,
            })
            .collect()
    }

    /// The referrals as the product holds them.
    pub fn referrals(&self) -> Vec<people::Referral> {
        let referrals = self.referrals.iter().enumerate();
        referrals
            .map(|(i, r)| people::Referral {
                id: ReferralId::new(format!("ref_{i}")),
                campaign: "c".into(),
                promoter: Some(PromoterId::new(format!("prom_{}", r.promoter))),
                email: r.email.map(canonical),
                uid: r.uid.map(str::to_owned),
                stripe_customer_id: r.customer.map(|who| format!("cus_{who}")),
                referred_at: instant(r.at),
            })
            .collect()
    }

    /// Which features this story has, for the coverage test.
    pub fn features(&self) -> BTreeSet<String> {
        let mut has = BTreeSet::new();
        let mut note = |name: String, yes: bool| has.extend(yes.then_some(name));
        let two_people_one_email = (0..self.people.len()).any(|a| {
            (0..a).any(|b| {
                let (a, b) = (self.emails_of(a), self.emails_of(b));
                a.iter().any(|email| b.contains(email))
            })
        });
        note("two people with one email".into(), two_people_one_email);
        for person in &self.people {
            note("guest".into(), person.guest);
            note("email changed".into(), person.later_email.is_some());
            note("metadata uid".into(), person.uid.is_some());
            note("coupon on customer".into(), person.coupon.is_some());
        }
        for r in &self.referrals {
            note("referral by email".into(), r.email.is_some());
            note("referral by uid".into(), r.uid.is_some());
            note("referral by stripe id".into(), r.customer.is_some());
        }
        for p in &self.payments {
            note(format!("how {:?}", p.how), true);
            let fate = format!("{:?}", p.fate);
            note(format!("fate {}", fate.split('(').next().unwrap()), true);
            note(format!("currency {}", p.currency), true);
            note("tax".into(), p.tax > 0);
            note("client reference".into(), p.reference.is_some());
            note("billing email".into(), p.email.is_some());
            for (_, place) in &p.coupons {
                note(format!("coupon on {place:?}"), true);
            }
            note("two coupons".into(), p.coupons.len() > 1);
            for r in &p.refunds {
                let part = if r.amount < p.paid() { "part" } else { "full" };
                note(format!("{part} refund {:?}", r.end), true);
            }
            if let Some(d) = &p.dispute {
                note(format!("dispute {:?}", d.end), true);
            }
            let edge = |r: &Referral| (p.at - r.at).rem_euclid(DAY) <= 1;
            note("near an edge".into(), self.referrals.iter().any(edge));
            note(
                "before a referral".into(),
                self.referrals.iter().any(|r| p.at < r.at),
            );
        }
        has
    }
}

/// Every feature that the generator has to produce.
pub const FEATURES: &[&str] = &[
    "two people with one email",
    "guest",
    "email changed",
    "metadata uid",
    "coupon on customer",
    "referral by email",
    "referral by uid",
    "referral by stripe id",
    "how Charge",
    "how Intent",
    "how Checkout",
    "how Invoice",
    "how Subscription",
    "fate Paid",
    "fate Retried",
    "fate Failed",
    "fate Uncaptured",
    "fate Captured",
    "fate Zero",
    "fate OutOfBand",
    "currency usd",
    "currency eur",
    "currency jpy",
    "tax",
    "client reference",
    "billing email",
    "coupon on Invoice",
    "coupon on Line",
    "coupon on Subscription",
    "coupon on Session",
    "coupon on PromotionCode",
    "two coupons",
    "part refund Succeeded",
    "part refund Pending",
    "part refund Failed",
    "part refund Canceled",
    "full refund Succeeded",
    "full refund Pending",
    "full refund Failed",
    "full refund Canceled",
    "dispute Open",
    "dispute Withdrawn",
    "dispute Lost",
    "dispute Won",
    "dispute Reinstated",
    "dispute Inquiry",
    "dispute InquiryClosed",
    "near an edge",
    "before a referral",
];
