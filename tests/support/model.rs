//! Generates stories with proptest. It decides how often what happens, never what follows.

use proptest::collection::vec;
use proptest::option::{of, weighted};
use proptest::prelude::*;
use proptest::sample::select;

use super::story::{
    DAY, Dispute, DisputeEnd, Fate, How, Payment, Person, Place, Promoter, Referral, Refund,
    RefundEnd, Story,
};

/// Addresses of invited people, some of them one person's in another spelling.
const EMAILS: &[&str] = &[
    "ana@example.com",
    "ana@example.com",
    "ana@example.com",
    "ana@example.com",
    "ana@example.com",
    "ana@example.com",
    "Ana@Example.com",
    "bo@example.com",
    "ana+x@example.com",
    "c.e@gmail.com",
];
/// Mostly another person; now and then an invited one, or one but for dots.
const PROMOTER_EMAILS: &[&str] = &[
    "paul@example.com",
    "paul@example.com",
    "pia@example.com",
    "pia@example.com",
    "rio@example.com",
    "bo+y@example.com",
    "ce@gmail.com",
];
const UIDS: &[&str] = &["u1", "u2", "cus_1"];
/// `WELCOME` belongs to nobody, the others to promoters by index.
const COUPONS: &[&str] = &["COUP0", "COUP1", "COUP2", "WELCOME"];
const PRODUCTS: &[&str] = &["prod_Pro", "prod_Team", "prod_Setup"];

/// Referrals come early, so that most payments come after them.
fn early() -> impl Strategy<Value = i64> {
    select(vec![0, 0, 1, 2, 3, 7, 14]).prop_map(|days| days * DAY)
}

fn times() -> impl Strategy<Value = i64> {
    let jitter = select(vec![-1, 0, 0, 1, 3600, 40_000, 80_000]);
    (select(vec![0, 1, 2, 3, 7, 8, 14, 15, 30, 31, 44]), jitter).prop_map(|(d, j)| d * DAY + j)
}

fn promoter() -> impl Strategy<Value = Promoter> {
    (
        weighted(0.6, select(PROMOTER_EMAILS)),
        weighted(0.05, 0..2_usize),
    )
        .prop_map(|(email, customer)| Promoter {
            email,
            customer,
            coupons: Vec::new(),
        })
}

fn referral(promoters: usize) -> impl Strategy<Value = Referral> {
    (
        0..promoters,
        weighted(0.7, select(EMAILS)),
        weighted(0.4, select(UIDS)),
        weighted(0.25, 0..3_usize),
        prop_oneof![3 => early().boxed(), 1 => times().boxed()],
    )
        .prop_map(|(promoter, email, uid, customer, at)| Referral {
            promoter,
            email: email.or(if uid.is_none() && customer.is_none() {
                Some("ana@example.com")
            } else {
                None
            }),
            uid,
            customer,
            at,
        })
}

fn person() -> impl Strategy<Value = Person> {
    (
        prop::bool::weighted(0.2),
        prop_oneof![2 => early().boxed(), 1 => times().boxed()],
        weighted(0.9, select(EMAILS)),
        weighted(0.15, select(EMAILS)),
        weighted(0.3, select(UIDS)),
        weighted(0.12, select(COUPONS)),
    )
        .prop_map(|(guest, created, email, later_email, uid, coupon)| Person {
            guest,
            created,
            email: if guest {
                email.or(Some("bo@example.com"))
            } else {
                email
            },
            later_email: later_email.filter(|_| !guest),
            uid: uid.filter(|_| !guest),
            coupon: coupon.filter(|_| !guest),
        })
}

fn how() -> impl Strategy<Value = How> {
    prop_oneof![
        2 => Just(How::Charge),
        3 => Just(How::Intent),
        2 => Just(How::Checkout),
        4 => Just(How::Invoice),
        3 => Just(How::Subscription),
    ]
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        12 => Just(Fate::Paid),
        2 => Just(Fate::Retried),
        1 => Just(Fate::Failed),
        1 => Just(Fate::Uncaptured),
        1 => select(vec![1000, 2500, 100_000]).prop_map(Fate::Captured),
        2 => Just(Fate::Zero),
        2 => Just(Fate::OutOfBand),
    ]
}

fn refund() -> impl Strategy<Value = Refund> {
    let end = prop_oneof![
        4 => Just(RefundEnd::Succeeded),
        2 => Just(RefundEnd::Pending),
        2 => Just(RefundEnd::Failed),
        1 => Just(RefundEnd::Canceled),
    ];
    let amount = select(vec![1, 100, 1000, 2500, 1_000_000]);
    (amount, end, select(vec![60, DAY, 20 * DAY])).prop_map(|(amount, end, after)| Refund {
        amount,
        end,
        after,
    })
}

fn dispute() -> impl Strategy<Value = Dispute> {
    let end = select(vec![
        DisputeEnd::Open,
        DisputeEnd::Withdrawn,
        DisputeEnd::Lost,
        DisputeEnd::Won,
        DisputeEnd::Reinstated,
        DisputeEnd::Inquiry,
        DisputeEnd::InquiryClosed,
    ]);
    (end, select(vec![120, 5 * DAY])).prop_map(|(end, after)| Dispute { end, after })
}

fn place() -> impl Strategy<Value = Place> {
    select(vec![
        Place::Invoice,
        Place::Line,
        Place::Subscription,
        Place::Session,
        Place::PromotionCode,
    ])
}

fn payment() -> impl Strategy<Value = Payment> {
    let amounts = vec![
        40, 50, 51, 500, 1000, 2499, 2500, 2501, 4999, 5000, 5001, 6000, 11_900,
    ];
    let money = (
        select(amounts),
        select(vec!["usd", "usd", "usd", "usd", "eur", "jpy"]),
    );
    let kind = (how(), fate(), weighted(0.25, select(vec![7, 190])));
    let coupons = vec((select(COUPONS), place()), 0..=2);
    let coupons = prop_oneof![3 => Just(Vec::new()), 2 => coupons];
    let refunds = prop_oneof![3 => Just(Vec::new()), 1 => vec(refund(), 1..=3)];
    let words = (weighted(0.15, select(EMAILS)), weighted(0.15, select(UIDS)));
    (
        (
            prop_oneof![2 => Just(0_usize), 2 => 0..4_usize],
            times(),
            money,
            kind,
        ),
        (
            vec(select(PRODUCTS), 1..=2),
            coupons,
            words,
            refunds,
            weighted(0.18, dispute()),
        ),
    )
        .prop_map(|((who, at, (amount, currency), (how, fate, tax)), rest)| {
            let (products, coupons, (email, reference), refunds, dispute) = rest;
            Payment {
                who,
                at,
                currency,
                amount,
                tax: tax.map_or(0, |per_mille| amount * per_mille / 1190),
                how,
                fate,
                products,
                coupons,
                email,
                reference,
                refunds,
                dispute,
            }
        })
}

/// Makes a random payment one that could have happened.
fn tidy(payment: &mut Payment, people: &[Person]) {
    payment.who %= people.len();
    let person = &people[payment.who];
    // Nobody pays before being a customer.
    payment.at = payment.at.max(if person.guest {
        payment.at
    } else {
        person.created
    });
    if person.guest && payment.has_invoice() {
        payment.how = How::Checkout;
    }
    if matches!(payment.fate, Fate::Zero | Fate::OutOfBand) && !payment.has_invoice() {
        payment.fate = Fate::Paid;
    }
    if payment.fate == Fate::OutOfBand {
        payment.how = How::Invoice;
    }
    if let Fate::Captured(part) = &mut payment.fate {
        *part = (*part).min(payment.amount);
        if payment.has_invoice() {
            payment.how = How::Intent;
        }
    }
    if matches!(payment.fate, Fate::Failed | Fate::Uncaptured) && payment.how != How::Charge {
        payment.how = How::Intent;
    }
    if !payment.has_invoice() {
        payment.tax = 0;
        payment.products.clear();
    }
    if person.guest {
        payment.email = None;
    }
    if !payment.has_invoice() && !payment.has_session() {
        // On a bare charge of a customer an email must not be taken for the customer's.
        payment.reference = None;
    }
    if !payment.has_session() || person.guest {
        payment.reference = None;
    }
    let (how, fate) = (payment.how, payment.fate);
    payment.coupons.retain(|(_, place)| match place {
        Place::Invoice | Place::Line => matches!(how, How::Invoice | How::Subscription),
        Place::Subscription => how == How::Subscription,
        Place::Session | Place::PromotionCode => matches!(how, How::Checkout | How::Subscription),
    });
    if fate == Fate::OutOfBand || payment.paid() == 0 {
        payment.refunds.clear();
        payment.dispute = None;
    }
    let mut left = payment.paid();
    for refund in &mut payment.refunds {
        refund.amount = refund.amount.min(left);
        if matches!(refund.end, RefundEnd::Succeeded | RefundEnd::Pending) {
            left -= refund.amount;
        }
    }
    // The rest of a partial capture has no id of its own: the charge's largest figure minus what
    // failed is then only as good as the order of the two, so failing refunds are left out.
    let partial = matches!(payment.fate, Fate::Captured(part) if part < payment.amount);
    let lapses = |end| matches!(end, RefundEnd::Failed | RefundEnd::Canceled);
    payment
        .refunds
        .retain(|refund| refund.amount > 0 && !(partial && lapses(refund.end)));
    payment.refunds.sort_by_key(|refund| refund.after);
}

/// Guests with one email are one guest.
fn merge_guests(people: &mut [Person]) {
    let mut seen = std::collections::BTreeSet::new();
    for (i, person) in people.iter_mut().enumerate() {
        let email = person.email.map(super::story::canonical);
        if person.guest && !seen.insert(email) {
            *person = Person {
                created: person.created,
                uid: (i == 1).then_some("u1"),
                ..Person::default()
            };
        }
    }
}

/// Stories of a few people.
pub fn stories() -> impl Strategy<Value = Story> {
    let wait = select(vec![0, 0, DAY, 10 * DAY, 60 * DAY]);
    (
        vec(promoter(), 1..=3),
        vec(person(), 1..=4),
        of(Just(())),
        wait,
    )
        .prop_flat_map(|(mut promoters, mut people, _, wait)| {
            for (i, promoter) in promoters.iter_mut().enumerate() {
                promoter.coupons = vec![COUPONS[i]];
            }
            merge_guests(&mut people);
            let referrals = vec(referral(promoters.len()), 1..=3);
            (referrals, vec(payment(), 1..=7)).prop_map(move |(referrals, mut payments)| {
                for payment in &mut payments {
                    tidy(payment, &people);
                }
                Story {
                    promoters: promoters.clone(),
                    referrals,
                    people: people.clone(),
                    payments,
                    wait,
                }
            })
        })
}
