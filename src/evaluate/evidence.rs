//! What a verdict reports. The judge tells everything to an [`Evidence`]; [`Silent`] drops it
//! at compile time, so that judging a million customers allocates nothing for words.

use crate::domain::payment::Payment;
use crate::domain::reason::{LeftOut, ReasonCode};
use crate::domain::verdict::{PaymentEvidence, Reason};

/// Someone who wants to know why.
pub trait Evidence {
    /// A reason; the words are made only if they are wanted.
    fn reason(&mut self, code: ReasonCode, detail: impl FnOnce() -> String);
    /// A payment, and why it is left out if it is.
    fn payment(&mut self, payment: &Payment, why: Option<LeftOut>);
}

/// Wants nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Evidence for Silent {
    fn reason(&mut self, _: ReasonCode, _: impl FnOnce() -> String) {}
    fn payment(&mut self, _: &Payment, _: Option<LeftOut>) {}
}

/// Wants the reasons alone.
#[derive(Debug, Default)]
pub(super) struct Reasons(pub(super) Vec<Reason>);

impl Evidence for Reasons {
    fn reason(&mut self, code: ReasonCode, detail: impl FnOnce() -> String) {
        self.0.push(Reason::new(code, detail()));
    }

    fn payment(&mut self, _: &Payment, _: Option<LeftOut>) {}
}

/// Wants everything.
#[derive(Debug, Default)]
pub(super) struct Full {
    pub(super) reasons: Vec<Reason>,
    pub(super) payments: Vec<PaymentEvidence>,
}

impl Evidence for Full {
    fn reason(&mut self, code: ReasonCode, detail: impl FnOnce() -> String) {
        self.reasons.push(Reason::new(code, detail()));
    }

    fn payment(&mut self, payment: &Payment, why: Option<LeftOut>) {
        // Money that only came outside Stripe shows as what it was, counted or not.
        let amount = if payment.amount == 0 {
            payment.out_of_band
        } else {
            payment.amount
        };
        self.payments.push(PaymentEvidence {
            id: payment.id.clone(),
            amount_minor: amount,
            refunded_minor: payment.refunded,
            currency: payment.currency,
            occurred_at: payment.occurred_at,
            counted: why.is_none(),
            why,
            presumed_link: payment.presumed_link,
        });
    }
}
