//! Stories on which the oracle and the engine once disagreed, shrunk, each with the answer that
//! the rules give. They run in every era that can tell them.

use qualify::domain::reason::ReasonCode;
use qualify::domain::verdict::VerdictState::{self, Pending, Qualified, Rejected};

use super::story::{
    DAY, Dispute, DisputeEnd, How, Payment, Person, Place, Promoter, Referral, Refund, RefundEnd,
    Story,
};

/// A story, the campaign's rules, and what follows for one referral.
pub struct Found {
    pub name: &'static str,
    /// What follows the campaign's header.
    pub rules: &'static str,
    pub story: Story,
    pub referral: &'static str,
    pub verdict: (VerdictState, ReasonCode),
}

/// One promoter with `COUP0`, one referral of ana at the start, ana as `cus_0`.
fn ana(payments: Vec<Payment>) -> Story {
    let promoter = |coupon| Promoter {
        coupons: vec![coupon],
        ..Promoter::default()
    };
    Story {
        promoters: vec![promoter("COUP0"), promoter("COUP1")],
        referrals: vec![Referral {
            email: Some("ana@example.com"),
            ..Referral::default()
        }],
        people: vec![person("ana@example.com")],
        payments,
        wait: 60 * DAY,
    }
}

fn person(email: &'static str) -> Person {
    Person {
        email: Some(email),
        ..Person::default()
    }
}

fn paid(who: usize, day: i64, amount: i64) -> Payment {
    let at = day * DAY;
    Payment {
        who,
        at,
        amount,
        currency: "usd",
        how: How::Intent,
        ..Payment::default()
    }
}

fn with_coupon(mut payment: Payment, coupon: &'static str) -> Payment {
    payment.how = How::Invoice;
    payment.products = vec!["prod_Pro"];
    payment.coupons = vec![(coupon, Place::Invoice)];
    payment
}

/// All that were found.
pub fn all() -> Vec<Found> {
    vec![
        coupon_on_a_customer_set_aside(),
        coupon_after_the_campaign(),
        refund_that_picks_another_customer(),
        refund_on_its_way_after_a_lost_dispute(),
        refund_on_its_way_before_the_invoice(),
        refunded_before_the_invoice(),
    ]
}

fn coupon_on_a_customer_set_aside() -> Found {
    let mut story = ana(vec![
        paid(0, 1, 6000),
        with_coupon(paid(1, 2, 100), "COUP1"),
    ]);
    story.people.push(person("ana@example.com"));
    story.referrals[0].customer = Some(0);
    Found {
        name: "a coupon on a customer that a stronger key set aside opens no case",
        rules: "[qualify]\nspend = [{ at_least = \"50.00\", currency = \"usd\" }]\n\
                [attribution]\nprefer = \"hold\"\n",
        story,
        referral: "ref_0",
        verdict: (Qualified, ReasonCode::ThresholdMet),
    }
}

fn coupon_after_the_campaign() -> Found {
    Found {
        name: "a coupon outside the campaign's time takes nobody from a referral inside it",
        rules: "ends = 2026-03-10T00:00:00Z\n[attribution]\nprefer = \"coupon\"\n",
        story: ana(vec![
            paid(0, 1, 6000),
            with_coupon(paid(0, 12, 100), "COUP1"),
        ]),
        referral: "ref_0",
        verdict: (Qualified, ReasonCode::ThresholdMet),
    }
}

fn refund_that_picks_another_customer() -> Found {
    let mut refunded = paid(0, 1, 6000);
    refunded.refunds = vec![Refund {
        amount: 6000,
        end: RefundEnd::Succeeded,
        after: 60,
    }];
    let mut story = ana(vec![refunded, paid(1, 2, 5500)]);
    story.people.push(person("ana@example.com"));
    Found {
        name: "a refund of one customer does not make another the one with the highest spend",
        rules: "[match]\nduplicates = \"highest_spend\"\n\
                [qualify]\nspend = [{ at_least = \"50.00\", currency = \"usd\" }]\n",
        story,
        referral: "ref_0",
        verdict: (Pending, ReasonCode::RefundedBelowThreshold),
    }
}

fn refunded(mut payment: Payment, end: RefundEnd) -> Payment {
    payment.refunds = vec![Refund {
        amount: payment.amount,
        end,
        after: 60,
    }];
    payment
}

fn refund_on_its_way_after_a_lost_dispute() -> Found {
    let mut payment = refunded(paid(0, 1, 6000), RefundEnd::Pending);
    payment.dispute = Some(Dispute {
        end: DisputeEnd::Lost,
        after: 120,
    });
    Found {
        name: "a refund that may fail does not return what a lost dispute took",
        rules: "[qualify]\nspend = [{ at_least = \"50.00\", currency = \"usd\" }]\n\
                within_days = 30\n",
        story: ana(vec![payment]),
        referral: "ref_0",
        verdict: (Rejected, ReasonCode::RefundedBelowThreshold),
    }
}

fn refund_on_its_way_before_the_invoice() -> Found {
    Found {
        name: "a payment waits for its invoice although a refund of it may still fail",
        rules: "[qualify]\nspend = [{ at_least = \"50.00\", currency = \"usd\" }]\n\
                within_days = 30\namount = \"before_tax\"\n",
        story: ana(vec![refunded(paid(0, 1, 6000), RefundEnd::Pending)]),
        referral: "ref_0",
        verdict: (Pending, ReasonCode::AwaitingInvoice),
    }
}

fn refunded_before_the_invoice() -> Found {
    Found {
        name: "nothing of a wholly refunded payment waits for an invoice",
        rules: "[qualify]\nwithin_days = 30\namount = \"before_tax\"\n",
        story: ana(vec![refunded(paid(0, 1, 6000), RefundEnd::Succeeded)]),
        referral: "ref_0",
        verdict: (Rejected, ReasonCode::WindowClosed),
    }
}
