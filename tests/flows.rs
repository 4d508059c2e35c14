//! A whole payment flow as API 2020-08-27 tells it, with everything that invites counting twice:
//! charge and payment intent, an invoice marked paid outside Stripe for the same money, an
//! invoice paid by another customer's intent, and zero invoices.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use qualify::domain::fact::FactBook;
use qualify::domain::payment::{Customer, Outcome};
use qualify::payments;
use qualify::stripe::{self, Reading};

/// 365.00 by the first customer's second card, 72.00 by the second customer.
const REALLY_PAID_MINOR: i64 = 36_500 + 7_200;
/// Shuffles that are tried.
const SHUFFLES: u32 = 300;

fn lines() -> Vec<String> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/fixtures/flows/paid_past_the_invoice.jsonl"
    );
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(str::to_owned).collect()
}

fn customers<'l>(lines: impl Iterator<Item = &'l String>) -> Vec<Customer> {
    let mut book = FactBook::default();
    for line in lines {
        match stripe::read_event(line.as_bytes()).unwrap().reading {
            Reading::Facts(facts) => book.extend(facts),
            Reading::Ignored { .. } => {}
            Reading::Quarantined { reason } => panic!("{reason}: {line}"),
        }
    }
    payments::customers(&book)
}

#[test]
fn what_was_really_paid_is_counted_once() {
    let customers = customers(lines().iter());
    let payments = customers.iter().flat_map(|customer| &customer.payments);
    let paid = payments.filter(|payment| payment.outcome == Outcome::Paid);
    let sum: i64 = paid.map(|payment| payment.amount - payment.refunded).sum();
    assert_eq!(sum, REALLY_PAID_MINOR);
}

#[test]
fn any_order_with_any_duplicates_gives_the_same_customers() {
    let lines = lines();
    let expected = customers(lines.iter());
    assert_eq!(customers(lines.iter().rev()), expected, "reversed");
    let mut twice: Vec<&String> = lines.iter().chain(&lines).collect();
    // A fixed multiplicative congruence (Knuth's MMIX), so that a failure can be repeated.
    let mut state = 1_u64;
    for shuffle in 0..SHUFFLES {
        for i in (1..twice.len()).rev() {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let j = usize::try_from(state >> 33).unwrap() % (i + 1);
            twice.swap(i, j);
        }
        assert_eq!(
            customers(twice.iter().copied()),
            expected,
            "shuffle {shuffle}"
        );
    }
}
