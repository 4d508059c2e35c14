//! The money of a group of linked objects: how much came in or was tried, and when.

use super::record::Members;
use crate::domain::currency::Currency;
use crate::domain::fact::{
    ChargeState, ChargeStatus, CheckoutStatus, IntentStatus, InvoiceState, InvoiceStatus,
};
use crate::domain::payment::{Level, Outcome};
use crate::domain::time::Timestamp;

impl Members<'_> {
    /// Money that came in, from the best level present.
    pub(super) fn taken(&self) -> Option<Money> {
        let charges = self.charges.iter().filter(|(_, s)| s.taken() > 0);
        let charges = charges.map(|(id, s)| (*id, s.created, s.currency, s.taken()));
        if let Some(money) = Money::sum(Level::Charge, charges) {
            return Some(money);
        }
        let intents = self
            .intents
            .iter()
            .filter(|(_, s)| s.status == IntentStatus::Succeeded);
        let intents = intents.map(|(id, s)| {
            (
                *id,
                s.succeeded_at.or(s.created),
                s.currency,
                s.amount_received,
            )
        });
        if let Some(money) = Money::sum(Level::Intent, intents) {
            return Some(money);
        }
        let invoices = self
            .invoices
            .iter()
            .filter(|(_, s)| s.status == InvoiceStatus::Paid);
        let invoices = invoices.map(|(id, s)| {
            (
                *id,
                s.paid_at.or(s.created),
                s.currency,
                self.paid_inside(id, s),
            )
        });
        if let Some(money) = Money::sum(Level::Invoice, invoices) {
            return Some(money);
        }
        // A session that says "paid" over a charge that was only authorised is not money yet.
        let authorised = |s: &ChargeState| s.status == ChargeStatus::Succeeded && !s.captured;
        if self.charges.iter().any(|(_, s)| authorised(s)) {
            return None;
        }
        let settled = [CheckoutStatus::Paid, CheckoutStatus::NothingToPay];
        let sessions = self
            .sessions
            .iter()
            .filter(|(_, s)| settled.contains(&s.status));
        Money::sum(
            Level::Checkout,
            sessions.map(|(id, s)| {
                let amount = if s.status == CheckoutStatus::Paid {
                    s.amount_total
                } else {
                    0
                };
                (*id, s.paid_at.or(s.created), s.currency, amount)
            }),
        )
    }

    /// Money that was authorised or declined.
    pub(super) fn tried(&self) -> Option<Money> {
        let charges = |wanted: ChargeStatus, outcome| {
            let charges = self.charges.iter().filter(move |(_, s)| s.status == wanted);
            let tried = charges.map(|(id, s)| (*id, s.created, s.currency, s.amount));
            Money::sum(Level::Charge, tried.take(1)).map(|m| Money { outcome, ..m })
        };
        let intents = |wanted: IntentStatus, outcome| {
            let intents = self.intents.iter().filter(move |(_, s)| s.status == wanted);
            let tried = intents.map(|(id, s)| (*id, s.created, s.currency, s.amount));
            Money::sum(Level::Intent, tried.take(1)).map(|m| Money { outcome, ..m })
        };
        charges(ChargeStatus::Succeeded, Outcome::NotCaptured)
            .or_else(|| intents(IntentStatus::RequiresCapture, Outcome::NotCaptured))
            .or_else(|| charges(ChargeStatus::Failed, Outcome::Failed))
            .or_else(|| intents(IntentStatus::AttemptFailed, Outcome::Failed))
    }

    pub(super) fn paid_outside(&self) -> i64 {
        let paid = self
            .invoices
            .iter()
            .filter(|(_, s)| s.status == InvoiceStatus::Paid);
        paid.fold(0_i64, |sum, (id, s)| {
            sum.saturating_add(self.outside_of(id, s))
        })
    }

    /// What was paid outside Stripe. Events from 2025-03-31 on do not say so on the invoice;
    /// its invoice payments do.
    fn outside_of(&self, id: &str, invoice: &InvoiceState) -> i64 {
        let by_payments = self.outside.get(id).copied().unwrap_or(0);
        if invoice.paid_outside > 0 {
            invoice.paid_outside
        } else {
            by_payments
        }
    }

    fn paid_inside(&self, id: &str, invoice: &InvoiceState) -> i64 {
        let unsaid = self.outside_of(id, invoice) - invoice.paid_outside;
        (invoice.amount_paid - unsaid).max(0)
    }
}

/// The sum of one level. Its time is that of its first part, so that a later part (the second
/// instalment of an invoice) never moves what was there before.
pub(super) struct Money {
    pub(super) id: String,
    pub(super) at: Timestamp,
    pub(super) currency: Currency,
    pub(super) level: Level,
    pub(super) outcome: Outcome,
    pub(super) amount: i64,
}

impl Money {
    fn sum<'a>(
        level: Level,
        parts: impl Iterator<Item = (&'a str, Option<Timestamp>, Option<Currency>, i64)>,
    ) -> Option<Self> {
        let mut whole: Option<Self> = None;
        for (id, at, currency, amount) in parts {
            let (Some(at), Some(currency)) = (at, currency) else {
                continue;
            };
            match &mut whole {
                None => {
                    let id = id.to_owned();
                    whole = Some(Self {
                        id,
                        at,
                        currency,
                        level,
                        outcome: Outcome::Paid,
                        amount,
                    });
                }
                Some(sum) if sum.currency == currency => {
                    if (at, id) < (sum.at, sum.id.as_str()) {
                        (sum.at, sum.id) = (at, id.to_owned());
                    }
                    sum.amount = sum.amount.saturating_add(amount);
                }
                Some(_) => {}
            }
        }
        whole
    }
}
