//! The money: which payments count, what they add up to, and which one completed the rule.
//!
//! Example: 20.00 and 32.00 USD inside the window reach "at least 50.00 USD" at the instant of
//! the second; a third payment does not move that instant.
//! Codes for a payment left out: see [`LeftOut`].

use super::evidence::Evidence;
use crate::domain::campaign::{Campaign, QualifyRules};
use crate::domain::counting::{self, Portion};
use crate::domain::currency::Currency;
use crate::domain::payment::Payment;
use crate::domain::reason::LeftOut;
use crate::domain::time::{Timestamp, Window};
use crate::domain::verdict::Spend;
use crate::matching::Claim;

/// Sums of one currency, minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) currency: Currency,
    /// Counts today.
    pub(super) counted: i64,
    /// Counted when made.
    pub(super) made: i64,
    /// May still come back from open disputes and refunds on their way.
    pub(super) undecided: i64,
    /// Would count once its invoice is known, at most.
    pub(super) awaiting: i64,
}

/// Everything that was added up over a claim's payments.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Tallies {
    by_currency: Vec<Tally>,
    /// Payments of which something counts today.
    pub(super) payments: u32,
    /// Payments that counted when made.
    pub(super) payments_made: u32,
    /// Payments that count today or may count again.
    pub(super) payments_possible: u32,
    /// Payments that would count once their invoice is known.
    pub(super) payments_awaiting: u32,
    /// What happened to payments in the window afterwards.
    pub(super) seen: Afterwards,
    /// The instant of the payment that completed every condition.
    pub(super) qualified_at: Option<Timestamp>,
}

/// What refunds and disputes did to any of the payments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "four independent observations, not a state"
)]
pub(super) struct Afterwards {
    pub(super) refund_pending: bool,
    pub(super) refunded: bool,
    pub(super) dispute_held: bool,
    pub(super) dispute_lost: bool,
}

/// Walks a claim's payments in order of time.
pub(super) fn tally(
    campaign: &Campaign,
    claim: &Claim<'_>,
    window: &Window,
    evidence: &mut impl Evidence,
) -> Tallies {
    let mut tallies = Tallies::default();
    if let [(customer, _)] = claim.customers.as_slice() {
        for payment in &customer.payments {
            tallies.take(campaign, window, payment, evidence);
        }
        return tallies;
    }
    let of_all = claim
        .customers
        .iter()
        .flat_map(|(customer, _)| &customer.payments);
    let mut payments: Vec<&Payment> = of_all.collect();
    payments.sort_unstable_by_key(|payment| (payment.occurred_at, &payment.id));
    for payment in payments {
        tallies.take(campaign, window, payment, evidence);
    }
    tallies
}

impl Tallies {
    fn take(
        &mut self,
        campaign: &Campaign,
        window: &Window,
        payment: &Payment,
        evidence: &mut impl Evidence,
    ) {
        let rules = &campaign.qualify;
        let why = counting::left_out(rules, payment)
            .or_else(|| counting::outside(window, payment.occurred_at));
        let why = why.or_else(|| match counting::portion(rules, payment) {
            Ok(portion) => self.add(rules, payment, portion),
            Err(why) => {
                let at_best = counting::at_best(rules, payment);
                if why == LeftOut::AwaitingInvoice && at_best > 0 {
                    let awaiting = &mut self.of(payment.currency).awaiting;
                    *awaiting = awaiting.saturating_add(at_best);
                    self.payments_awaiting += 1;
                }
                Some(why)
            }
        });
        evidence.payment(payment, why);
    }

    /// Adds what a payment in the window is worth; says why if nothing of it is left.
    fn add(
        &mut self,
        rules: &QualifyRules,
        payment: &Payment,
        portion: Portion,
    ) -> Option<LeftOut> {
        let tally = self.of(payment.currency);
        tally.counted = tally.counted.saturating_add(portion.counted);
        tally.made = tally.made.saturating_add(portion.made);
        tally.undecided = tally.undecided.saturating_add(portion.undecided);
        self.seen.refund_pending |= payment.refund_pending > 0;
        self.seen.refunded |= payment.refunded > payment.refund_pending;
        self.seen.dispute_held |= payment.dispute_held > 0;
        self.seen.dispute_lost |= payment.dispute_lost > 0;
        self.payments_made += u32::from(portion.made > 0);
        self.payments_possible += u32::from(portion.counted > 0 || portion.undecided > 0);
        if portion.counted > 0 {
            self.payments += 1;
            if self.qualified_at.is_none() && self.reaches(rules, self.payments, |t| t.counted) {
                self.qualified_at = Some(payment.occurred_at);
            }
            return None;
        }
        if portion.made <= 0 {
            return Some(LeftOut::ZeroAmount);
        }
        let by_dispute = payment.dispute_held > 0 || payment.dispute_lost > 0;
        Some(if by_dispute {
            LeftOut::Disputed
        } else {
            LeftOut::Refunded
        })
    }

    fn of(&mut self, currency: Currency) -> &mut Tally {
        let found = self
            .by_currency
            .iter()
            .position(|tally| tally.currency == currency);
        let index = found.unwrap_or_else(|| {
            self.by_currency.push(Tally {
                currency,
                counted: 0,
                made: 0,
                undecided: 0,
                awaiting: 0,
            });
            self.by_currency.len() - 1
        });
        // The index was just found or just pushed.
        #[expect(
            clippy::indexing_slicing,
            reason = "the position was found in this very vector"
        )]
        &mut self.by_currency[index]
    }

    /// Whether every condition holds for these sums: any one threshold, and enough payments.
    pub(super) fn reaches(
        &self,
        rules: &QualifyRules,
        payments: u32,
        amount: impl Fn(&Tally) -> i64,
    ) -> bool {
        payments >= rules.payments.max(1) && (rules.spend.is_empty() || self.spends(rules, amount))
    }

    /// Whether any one threshold is reached by these sums.
    pub(super) fn spends(&self, rules: &QualifyRules, amount: impl Fn(&Tally) -> i64) -> bool {
        rules.spend.iter().any(|threshold| {
            let reached = |t: &Tally| amount(t) >= threshold.needed_minor();
            self.by_currency
                .iter()
                .any(|t| t.currency == threshold.amount.currency && reached(t))
        })
    }

    /// What counts today in one currency.
    pub(super) fn counted(&self, currency: Currency) -> i64 {
        let found = self
            .by_currency
            .iter()
            .find(|tally| tally.currency == currency);
        found.map_or(0, |tally| tally.counted)
    }

    /// Currencies in which something counts today, with the sums, in order of code.
    pub(super) fn counted_by_currency(&self) -> Vec<(Currency, i64)> {
        let some = self.by_currency.iter().filter(|tally| tally.counted > 0);
        let mut sums: Vec<_> = some.map(|tally| (tally.currency, tally.counted)).collect();
        sums.sort_unstable();
        sums
    }

    /// The verdict's `spend`: one row per threshold in the rule's order, or per currency
    /// counted where there is no threshold.
    pub(super) fn spend(&self, campaign: &Campaign) -> Vec<Spend> {
        let row = |currency, counted_minor: i64, needed_minor: i64| Spend {
            currency,
            counted_minor,
            needed_minor,
            missing_minor: needed_minor.saturating_sub(counted_minor).max(0),
        };
        if campaign.qualify.spend.is_empty() {
            let sums = self.counted_by_currency().into_iter();
            return sums
                .map(|(currency, counted)| row(currency, counted, 0))
                .collect();
        }
        let thresholds = campaign.qualify.spend.iter();
        thresholds
            .map(|threshold| {
                let currency = threshold.amount.currency;
                row(currency, self.counted(currency), threshold.needed_minor())
            })
            .collect()
    }
}
