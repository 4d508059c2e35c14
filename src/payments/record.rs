//! One group of linked objects, read as at most one payment. This is what is stored per
//! group; whose it is and which coupons it used is settled when a customer is assembled.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::domain::currency::Currency;
use crate::domain::email::CanonicalEmail;
use crate::domain::fact::{
    ChargeState, ChargeStatus, CheckoutState, CheckoutStatus, DisputeState, DisputeStatus,
    IntentState, IntentStatus, InvoiceState, InvoiceStatus, ObjectKey, ObjectState, RefundState,
    RefundStatus,
};
use crate::domain::ids::{CouponId, CustomerId, PaymentId};
use crate::domain::payment::{InvoicePart, Level, Outcome, Payment};
use crate::domain::time::Timestamp;

/// What a group of linked objects says.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PaymentRecord {
    /// The payment, if money moved or was tried; its coupons are not resolved yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment: Option<Payment>,
    /// The Stripe customer, if any object names one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer: Option<CustomerId>,
    /// Emails of one who paid without a customer, the one that names the guest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub guest_emails: Vec<CanonicalEmail>,
    /// Whether any object is, or points to, a charge or payment intent.
    pub has_money_object: bool,
    /// Whether any object is, or points to, an invoice.
    pub has_invoice: bool,
    /// Coupon ids used.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub coupons: BTreeSet<CouponId>,
    /// Promotion codes used (`promo_…`).
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub promotion_codes: BTreeSet<String>,
    /// Discounts known by id only.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub discounts: BTreeSet<String>,
    /// Subscriptions it pays for.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub subscriptions: BTreeSet<String>,
    /// `client_reference_id` of its Checkout sessions.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub client_references: BTreeSet<String>,
}

impl PaymentRecord {
    /// The customer it belongs to: Stripe's, else the guest of its first email.
    pub fn owner(&self) -> Option<CustomerId> {
        let guest = || self.guest_emails.first().map(CustomerId::guest);
        self.customer.clone().or_else(guest)
    }
}

/// The members of a group by kind, in id order.
#[derive(Default)]
struct Members<'a> {
    charges: Vec<(&'a str, &'a ChargeState)>,
    intents: Vec<(&'a str, &'a IntentState)>,
    invoices: Vec<(&'a str, &'a InvoiceState)>,
    sessions: Vec<(&'a str, &'a CheckoutState)>,
    refunds: Vec<&'a RefundState>,
    disputes: Vec<&'a DisputeState>,
    outside: BTreeMap<&'a str, i64>,
    customers: Vec<&'a CustomerId>,
    points_to_money: bool,
    points_to_invoice: bool,
}

/// Reads a group. Members may come in any order; those without a state are only pointed to.
pub fn read_group<'a>(
    members: impl Iterator<Item = (&'a ObjectKey, Option<&'a ObjectState>)>,
) -> PaymentRecord {
    use crate::domain::fact::ObjectKind::{Charge, Invoice, PaymentIntent};
    let mut sorted: Vec<_> = members.collect();
    sorted.sort_unstable_by_key(|(key, _)| *key);
    let mut group = Members::default();
    for (key, state) in sorted {
        let links = state.map(ObjectState::links).unwrap_or_default();
        for kind in links.iter().map(|link| link.kind).chain([key.kind]) {
            group.points_to_money |= matches!(kind, Charge | PaymentIntent);
            group.points_to_invoice |= kind == Invoice;
        }
        let Some(state) = state else { continue };
        group.customers.extend(state.customer());
        match state {
            ObjectState::Charge(s) => group.charges.push((&key.id, s)),
            ObjectState::PaymentIntent(s) => group.intents.push((&key.id, s)),
            ObjectState::Invoice(s) => group.invoices.push((&key.id, s)),
            ObjectState::CheckoutSession(s) => group.sessions.push((&key.id, s)),
            ObjectState::Refund(s) => group.refunds.push(s),
            ObjectState::Dispute(s) => group.disputes.push(s),
            ObjectState::InvoicePayment(s) => {
                if let Some(invoice) = &s.invoice {
                    let outside = group.outside.entry(invoice).or_default();
                    *outside = outside.saturating_add(s.paid_outside);
                }
            }
            _ => {}
        }
    }
    group.record()
}

impl Members<'_> {
    fn record(&self) -> PaymentRecord {
        let customer = self.customers.iter().min().map(|id| (*id).clone());
        let guest_emails = if customer.is_some() {
            Vec::new()
        } else {
            self.guest_emails()
        };
        let mut record = PaymentRecord {
            payment: self.payment(),
            customer,
            guest_emails,
            has_money_object: self.points_to_money,
            has_invoice: self.points_to_invoice,
            ..PaymentRecord::default()
        };
        for (_, invoice) in &self.invoices {
            record.coupons.extend(invoice.coupons.iter().cloned());
            record
                .promotion_codes
                .extend(invoice.promotion_codes.iter().cloned());
            record.discounts.extend(invoice.discounts.iter().cloned());
            record.subscriptions.extend(invoice.subscription.clone());
        }
        for (_, session) in &self.sessions {
            record.coupons.extend(session.coupons.iter().cloned());
            record
                .promotion_codes
                .extend(session.promotion_codes.iter().cloned());
            record.discounts.extend(session.discounts.iter().cloned());
            record.subscriptions.extend(session.subscription.clone());
            record
                .client_references
                .extend(session.client_reference.clone());
        }
        record
    }

    /// The guest's addresses, best first: what was typed at Checkout, then on the card form,
    /// then where the receipt went. The first that can be read names the guest.
    fn guest_emails(&self) -> Vec<CanonicalEmail> {
        let typed = self.sessions.iter().flat_map(|(_, s)| &s.emails);
        let billing = self.charges.iter().flat_map(|(_, s)| &s.billing_emails);
        let receipts = self.charges.iter().flat_map(|(_, s)| &s.receipt_emails);
        let asked = self.intents.iter().flat_map(|(_, s)| &s.receipt_emails);
        let billed = self.invoices.iter().flat_map(|(_, s)| &s.emails);
        let mut emails = Vec::new();
        for text in typed
            .chain(billing)
            .chain(receipts)
            .chain(asked)
            .chain(billed)
        {
            emails.extend(CanonicalEmail::parse(text).filter(|email| !emails.contains(email)));
        }
        emails
    }

    fn payment(&self) -> Option<Payment> {
        let money = self.taken().or_else(|| self.tried())?;
        let refunds = self.refunds_of(money.amount);
        // A dispute is over the money that finished refunds have left. It may be over money that
        // a refund on its way would give back as well: that refund's failing does not return it.
        let finished = refunds.all - refunds.pending;
        let (dispute_lost, dispute_held) = self.disputed(money.amount - finished);
        Some(Payment {
            id: PaymentId::from(money.id),
            occurred_at: money.at,
            currency: money.currency,
            outcome: money.outcome,
            level: money.level,
            amount: money.amount,
            out_of_band: self.paid_outside(),
            refunded: refunds.all,
            refund_pending: refunds.pending,
            dispute_held,
            dispute_lost,
            presumed_link: false,
            invoice: self.invoice_part(),
            coupons: Vec::new(),
        })
    }

    /// Money that came in, from the best level present.
    fn taken(&self) -> Option<Money> {
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
    fn tried(&self) -> Option<Money> {
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

    fn paid_outside(&self) -> i64 {
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

    /// Per charge the larger of its own cumulative figure and its refunds by id; refunds that
    /// name no known charge are added. A refund that failed gives the money back in both.
    fn refunds_of(&self, paid: i64) -> Refunds {
        let sum = |of: &dyn Fn(&RefundState) -> bool| {
            let chosen = self.refunds.iter().filter(|refund| of(refund));
            chosen.fold(0_i64, |sum, refund| sum.saturating_add(refund.amount))
        };
        let gone =
            |r: &RefundState| matches!(r.status, RefundStatus::Pending | RefundStatus::Succeeded);
        let failed =
            |r: &RefundState| matches!(r.status, RefundStatus::Failed | RefundStatus::Canceled);
        let pending = sum(&|r| r.status == RefundStatus::Pending);
        let all = match self.charges.as_slice() {
            [] => sum(&gone),
            [(_, charge)] => sum(&gone).max(charge.amount_refunded.saturating_sub(sum(&failed))),
            charges => {
                let known = |r: &RefundState| {
                    let names = |id: &str| r.charge.as_deref() == Some(id);
                    charges.iter().any(|(id, _)| names(id))
                };
                let of_charges = charges.iter().map(|(id, charge)| {
                    let mine = |r: &RefundState| r.charge.as_deref() == Some(*id);
                    let by_id = sum(&|r| mine(r) && gone(r));
                    let lapsed = sum(&|r| mine(r) && failed(r));
                    by_id.max(charge.amount_refunded.saturating_sub(lapsed))
                });
                of_charges.fold(sum(&|r| !known(r) && gone(r)), i64::saturating_add)
            }
        };
        let all = all.clamp(0, paid);
        Refunds {
            all,
            pending: pending.clamp(0, all),
        }
    }

    /// What disputes took and what they hold, of what refunds have left.
    fn disputed(&self, left: i64) -> (i64, i64) {
        let (mut lost, mut held) = (0_i64, 0_i64);
        for dispute in &self.disputes {
            // Without an amount the whole payment is at stake.
            let amount = if dispute.amount > 0 {
                dispute.amount
            } else {
                left
            };
            match stake(dispute) {
                Stake::Lost => lost = lost.saturating_add(amount),
                Stake::Held => held = held.saturating_add(amount),
                Stake::None => {}
            }
        }
        let lost = lost.clamp(0, left.max(0));
        (lost, held.clamp(0, left.max(0) - lost))
    }

    /// The invoice with the figures that taxes and products are read from.
    fn invoice_part(&self) -> Option<Box<InvoicePart>> {
        let mut invoices = self.invoices.iter();
        let (id, figures) =
            invoices.find_map(|(id, s)| s.figures.as_ref().map(|figures| (id, figures)))?;
        Some(Box::new(InvoicePart {
            id: (*id).to_owned(),
            total: figures.value.total,
            net: figures.value.net,
            lines: figures.value.lines.clone(),
            lines_truncated: figures.value.lines_truncated,
        }))
    }
}

struct Refunds {
    all: i64,
    pending: i64,
}

enum Stake {
    None,
    Held,
    Lost,
}

/// Won or reinstated gives back; lost or withdrawn takes; open holds; an inquiry does nothing.
fn stake(dispute: &DisputeState) -> Stake {
    let reinstated = dispute.reinstated.is_some() && dispute.reinstated >= dispute.withdrawn;
    match dispute.status {
        DisputeStatus::Won | DisputeStatus::Prevented => Stake::None,
        _ if reinstated => Stake::None,
        DisputeStatus::Lost => Stake::Lost,
        _ if dispute.withdrawn.is_some() => Stake::Lost,
        DisputeStatus::Open => Stake::Held,
        DisputeStatus::Inquiry | DisputeStatus::Unknown => Stake::None,
    }
}

/// The sum of one level. Its time is that of its first part, so that a later part (the second
/// instalment of an invoice) never moves what was there before.
struct Money {
    id: String,
    at: Timestamp,
    currency: Currency,
    level: Level,
    outcome: Outcome,
    amount: i64,
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
