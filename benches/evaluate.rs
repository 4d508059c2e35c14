//! How fast claims are judged in memory: the verdict alone, and with all its evidence, beside
//! the limit: a straight-line loop over columns that adds up the same payments.
#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a bench that cannot be set up has failed"
)]

use std::borrow::Cow;
use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use qualify::domain::campaign::Campaign;
use qualify::domain::currency::Currency;
use qualify::domain::ids::{CustomerId, PaymentId};
use qualify::domain::payment::{Customer, Level, Outcome, Payment};
use qualify::domain::people::Referral;
use qualify::domain::time::Timestamp;
use qualify::domain::verdict::{MatchedBy, VerdictState};
use qualify::evaluate::{Silent, evaluate, judge};
use qualify::matching::{Claim, Standing};
use qualify::rules;

const CUSTOMERS: u32 = 100_000;
const PAYMENTS: u32 = 20;
const RULES: &str = r#"
schema = 1
id = "bench"
name = "Bench"
[qualify]
spend = [{ at_least = "450.00", currency = "usd" }]
within_days = 90
hold_days = 14
[reward.promoter]
percent = "10"
"#;

fn start() -> Timestamp {
    Timestamp::parse("2026-01-01T00:00:00Z").unwrap()
}

/// Amounts and times by a small fixed formula: the same on every run.
fn payment(customer: u32, index: u32) -> Payment {
    let mixed = customer
        .wrapping_mul(2_654_435_761)
        .wrapping_add(index.wrapping_mul(40_503));
    Payment {
        id: PaymentId::from(format!("ch_{customer:08}{index:04}")),
        occurred_at: start().plus_seconds(i64::from(index) * 500_000),
        currency: Currency::USD,
        outcome: Outcome::Paid,
        level: Level::Charge,
        amount: i64::from(mixed % 5_000),
        out_of_band: 0,
        refunded: if mixed.is_multiple_of(17) {
            i64::from(mixed % 500)
        } else {
            0
        },
        refund_pending: 0,
        dispute_held: 0,
        dispute_lost: 0,
        presumed_link: false,
        invoice: None,
        coupons: Vec::new(),
    }
}

fn people() -> (Vec<Customer>, Vec<Referral>) {
    let customers = (0..CUSTOMERS).map(|n| Customer {
        id: CustomerId::from(format!("cus_{n:08}")),
        created: Some(start()),
        emails: Vec::new(),
        metadata: Vec::new(),
        client_references: Vec::new(),
        deleted: false,
        payments: (0..PAYMENTS).map(|index| payment(n, index)).collect(),
    });
    let referrals = (0..CUSTOMERS).map(|n| Referral {
        id: format!("ref_{n:08}").into(),
        campaign: "bench".into(),
        promoter: Some("prom".into()),
        email: None,
        uid: None,
        stripe_customer_id: Some(format!("cus_{n:08}")),
        referred_at: start(),
    });
    (customers.collect(), referrals.collect())
}

fn claims<'a>(customers: &'a [Customer], referrals: &'a [Referral]) -> Vec<Claim<'a>> {
    let pairs = customers.iter().zip(referrals);
    pairs
        .map(|(customer, referral)| Claim {
            referral: Cow::Borrowed(referral),
            promoter: None,
            customers: vec![(customer, MatchedBy::StripeId)],
            standing: Standing::Clear,
        })
        .collect()
}

/// The limit: the same rule over columns of plain numbers, with nothing to explain.
struct Columns {
    at: Vec<i64>,
    net: Vec<i64>,
    gross: Vec<i64>,
}

impl Columns {
    fn of(customers: &[Customer]) -> Self {
        let payments = || customers.iter().flat_map(|customer| &customer.payments);
        Self {
            at: payments().map(|p| p.occurred_at.unix()).collect(),
            net: payments()
                .map(|p| p.amount - p.refunded.min(p.amount))
                .collect(),
            gross: payments().map(|p| p.amount).collect(),
        }
    }

    fn qualified(&self, closes: i64, needed: i64) -> u32 {
        let per = PAYMENTS as usize;
        let rows = self
            .at
            .chunks(per)
            .zip(self.net.chunks(per))
            .zip(self.gross.chunks(per));
        let reaches = rows.map(|((at, net), gross)| {
            let counted = at.iter().zip(net).zip(gross);
            let inside = counted.filter(|((at, _), gross)| **at < closes && **gross > 50);
            u32::from(inside.map(|((_, net), _)| *net).sum::<i64>() >= needed)
        });
        reaches.sum()
    }
}

fn bench(c: &mut Criterion) {
    let campaign: Campaign = rules::parse("bench", RULES).unwrap();
    let (customers, referrals) = people();
    let claims = claims(&customers, &referrals);
    let columns = Columns::of(&customers);
    let as_of = start().plus_days(200);
    let closes = start().plus_days(90).unix();

    let by_judge = claims.iter().filter(|claim| {
        judge(&campaign, claim, as_of, &mut Silent).state == VerdictState::Qualified
    });
    let by_judge = u32::try_from(by_judge.count()).unwrap();
    assert_eq!(
        by_judge,
        columns.qualified(closes, 45_000),
        "limit and judge must agree"
    );
    assert!(
        by_judge > CUSTOMERS / 10 && by_judge < CUSTOMERS / 10 * 9,
        "{by_judge} of all"
    );

    let mut group = c.benchmark_group("evaluate 100k x 20");
    group
        .sample_size(10)
        .throughput(Throughput::Elements(u64::from(CUSTOMERS)));
    group.bench_function("limit: columns, one loop", |b| {
        b.iter(|| columns.qualified(black_box(closes), black_box(45_000)));
    });
    group.bench_function("judge: verdict and amounts", |b| {
        b.iter(|| {
            let judged = claims
                .iter()
                .map(|claim| judge(&campaign, claim, as_of, &mut Silent));
            judged
                .filter(|judged| judged.state == VerdictState::Qualified)
                .count()
        });
    });
    group.bench_function("evaluate: full evidence", |b| {
        b.iter_batched(
            || (),
            |()| {
                let verdicts = claims.iter().map(|claim| evaluate(&campaign, claim, as_of));
                verdicts
                    .filter(|verdict| verdict.state == VerdictState::Qualified)
                    .count()
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
