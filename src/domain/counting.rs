//! What of a payment a campaign counts, and in which window. Matching and evaluation ask
//! the same functions, so that "the first counted payment" means one thing.

use super::campaign::{AmountBasis, Anchor, Campaign, Products, QualifyRules};
use super::money::share_half_down;
use super::payment::{Customer, InvoicePart, Outcome, Payment};
use super::people::Referral;
use super::reason::LeftOut;
use super::time::{Timestamp, Window};

/// What one payment adds, in minor units of its currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Portion {
    /// Counts today: after refunds, lost disputes and what open disputes hold.
    pub counted: i64,
    /// Counted when it was made, before anything was taken back.
    pub made: i64,
    /// Comes back if every open dispute is won and every refund on its way fails; what a lost
    /// dispute or a finished refund took of the same money does not.
    pub undecided: i64,
}

/// Why a payment cannot count whatever the window is and whatever happened to it later.
///
/// A ladder of early returns; the first reason that applies is the one that is told.
pub fn left_out(rules: &QualifyRules, payment: &Payment) -> Option<LeftOut> {
    match payment.outcome {
        Outcome::Failed => return Some(LeftOut::PaymentFailed),
        Outcome::NotCaptured => return Some(LeftOut::NotCaptured),
        Outcome::Paid => {}
    }
    let gross = gross(rules, payment);
    if gross == 0 {
        let outside = payment.out_of_band > 0;
        return Some(if outside {
            LeftOut::OutOfBand
        } else {
            LeftOut::ZeroAmount
        });
    }
    let named = |t: &super::campaign::Threshold| t.amount.currency == payment.currency;
    if !rules.spend.is_empty() && !rules.spend.iter().any(named) {
        return Some(LeftOut::WrongCurrency);
    }
    (gross < rules.each_payment.least(payment.currency)).then_some(LeftOut::BelowMinimum)
}

/// What a payment that is not [`left_out`] adds; the error says what the invoice withholds.
pub fn portion(rules: &QualifyRules, payment: &Payment) -> Result<Portion, LeftOut> {
    let gross = gross(rules, payment);
    let taken = payment.refunded.saturating_add(payment.dispute_lost);
    let gone = taken.saturating_add(payment.dispute_held);
    let counted = (gross - gone).max(0);
    let at_best = at_best(rules, payment);
    let whole = Portion {
        counted,
        made: gross,
        undecided: at_best - counted,
    };
    if rules.amount == AmountBasis::Paid && rules.products.is_none() {
        return Ok(whole);
    }
    let invoice = payment.invoice.as_deref().ok_or(LeftOut::AwaitingInvoice)?;
    let share = Share::of(rules, invoice)?;
    let counted = share.take(counted);
    Ok(Portion {
        counted,
        made: share.take(gross),
        undecided: share.take(at_best) - counted,
    })
}

/// What a payment can still come to, whatever is undecided: only what finished refunds and
/// lost disputes took is gone for good.
pub fn at_best(rules: &QualifyRules, payment: &Payment) -> i64 {
    let finished = payment.refunded.saturating_sub(payment.refund_pending);
    let gone = finished.saturating_add(payment.dispute_lost);
    gross(rules, payment).saturating_sub(gone).max(0)
}

/// Whether a payment counted when it was made. Refunds and disputes do not change this, so
/// that taking money back never moves a window or a claim.
pub fn counted_when_made(rules: &QualifyRules, payment: &Payment) -> bool {
    left_out(rules, payment).is_none()
        && portion(rules, payment).is_ok_and(|portion| portion.made > 0)
}

/// When the customer first made a payment that counted, whatever any referral's window is.
pub fn first_counted(rules: &QualifyRules, customer: &Customer) -> Option<Timestamp> {
    let mut payments = customer.payments.iter();
    payments
        .find(|p| counted_when_made(rules, p))
        .map(|p| p.occurred_at)
}

/// The window of a referral with these customers; open-ended while its anchor is unknown.
pub fn window<'a>(
    campaign: &Campaign,
    referral: &Referral,
    customers: impl Iterator<Item = &'a Customer> + Clone,
) -> Window {
    let opens_at = referral.referred_at;
    let anchor = match campaign.qualify.from {
        Anchor::Referral => Some(opens_at),
        Anchor::FirstPayment => customers
            .filter_map(|customer| {
                let mut payments = customer.payments.iter();
                payments
                    .find(|p| p.occurred_at >= opens_at && counted_when_made(&campaign.qualify, p))
                    .map(|p| p.occurred_at)
            })
            .min(),
        Anchor::CustomerCreated => customers
            .filter_map(|c| c.created)
            .min()
            .map(|created| created.max(opens_at)),
    };
    let days = campaign.qualify.within_days;
    Window {
        opens_at,
        closes_at: days.and_then(|days| anchor.map(|at| at.plus_days(days))),
    }
}

/// Where an instant lies: `None` inside the window, else why not.
pub fn outside(window: &Window, occurred_at: Timestamp) -> Option<LeftOut> {
    if occurred_at < window.opens_at {
        Some(LeftOut::BeforeWindow)
    } else if window.closed_at(occurred_at) {
        Some(LeftOut::AfterWindow)
    } else {
        None
    }
}

fn gross(rules: &QualifyRules, payment: &Payment) -> i64 {
    let outside = if rules.out_of_band {
        payment.out_of_band
    } else {
        0
    };
    payment.amount.saturating_add(outside)
}

/// The share of a payment that is spend, as one fraction, so that it is rounded once.
#[derive(Debug, Clone, Copy)]
struct Share {
    numerator: i128,
    denominator: i128,
}

impl Share {
    fn of(rules: &QualifyRules, invoice: &InvoicePart) -> Result<Self, LeftOut> {
        let mut share = Self {
            numerator: 1,
            denominator: 1,
        };
        if rules.amount == AmountBasis::BeforeTax {
            share.times(invoice.net, invoice.total)?;
        }
        if let Some(products) = &rules.products {
            if invoice.lines_truncated {
                return Err(LeftOut::AwaitingInvoice);
            }
            let amounts = |wanted: bool| -> i64 {
                let lines = invoice.lines.iter();
                let chosen = lines.filter(|line| !wanted || includes(products, line));
                chosen.fold(0_i64, |sum, line| sum.saturating_add(line.amount))
            };
            if amounts(true) <= 0 {
                return Err(LeftOut::ProductNotIncluded);
            }
            share.times(amounts(true), amounts(false))?;
        }
        Ok(share)
    }

    /// Narrows the share by `part / whole`, held between nothing and all of it.
    fn times(&mut self, part: i64, whole: i64) -> Result<(), LeftOut> {
        if whole <= 0 {
            return Err(LeftOut::ZeroAmount);
        }
        self.numerator *= i128::from(part.clamp(0, whole));
        self.denominator *= i128::from(whole);
        Ok(())
    }

    fn take(self, minor: i64) -> i64 {
        share_half_down(minor, self.numerator, self.denominator).unwrap_or(0)
    }
}

fn includes(products: &Products, line: &super::fact::InvoiceLine) -> bool {
    let named = |ids: &[String]| {
        let is = |id: &Option<String>| id.as_ref().is_some_and(|id| ids.contains(id));
        is(&line.product) || is(&line.price)
    };
    (products.include.is_empty() || named(&products.include)) && !named(&products.exclude)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::campaign::{Anchor, Bound, EachPayment};
    use crate::domain::currency::Currency;
    use crate::domain::ids::PaymentId;
    use crate::domain::payment::Level;

    fn rules() -> QualifyRules {
        QualifyRules {
            spend: Vec::new(),
            within_days: None,
            from: Anchor::Referral,
            payments: 1,
            each_payment: EachPayment {
                bound: Bound::MoreThan,
                major: "0.50".to_owned(),
                least_minor: [1, 6, 51, 501],
            },
            amount: AmountBasis::Paid,
            out_of_band: false,
            hold_days: 0,
            products: None,
        }
    }

    fn paid(amount: i64) -> Payment {
        Payment {
            id: PaymentId::from("ch_1"),
            occurred_at: Timestamp::default(),
            currency: Currency::USD,
            outcome: Outcome::Paid,
            level: Level::Charge,
            amount,
            out_of_band: 0,
            refunded: 0,
            refund_pending: 0,
            dispute_held: 0,
            dispute_lost: 0,
            presumed_link: false,
            invoice: None,
            coupons: Vec::new(),
        }
    }

    #[test]
    fn what_is_undecided_comes_back_once_and_never_from_a_lost_dispute() {
        let of = |refunded, refund_pending, dispute_held, dispute_lost| {
            let payment = Payment {
                refunded,
                refund_pending,
                dispute_held,
                dispute_lost,
                ..paid(100)
            };
            let portion = portion(&rules(), &payment).unwrap();
            (portion.counted, portion.undecided)
        };
        assert_eq!(of(0, 0, 0, 0), (100, 0));
        assert_eq!(of(30, 20, 0, 0), (70, 20), "only the part on its way");
        assert_eq!(of(0, 0, 100, 0), (0, 100));
        assert_eq!(of(100, 100, 100, 0), (0, 100), "the same money, not twice");
        assert_eq!(
            of(100, 100, 0, 100),
            (0, 0),
            "the refund's failing returns what the bank took"
        );
    }
}
