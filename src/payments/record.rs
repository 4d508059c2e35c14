//! One group of linked objects, read as at most one payment. This is what is stored per
//! group; whose it is and which coupons it used is settled when a customer is assembled.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::domain::email::CanonicalEmail;
use crate::domain::fact::{
    ChargeState, CheckoutState, DisputeState, IntentState, InvoiceState, ObjectKey, ObjectState,
    RefundState,
};
use crate::domain::ids::{CouponId, CustomerId, PaymentId};
use crate::domain::payment::{InvoicePart, Payment};

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
pub(super) struct Members<'a> {
    pub(super) charges: Vec<(&'a str, &'a ChargeState)>,
    pub(super) intents: Vec<(&'a str, &'a IntentState)>,
    pub(super) invoices: Vec<(&'a str, &'a InvoiceState)>,
    pub(super) sessions: Vec<(&'a str, &'a CheckoutState)>,
    pub(super) refunds: Vec<&'a RefundState>,
    pub(super) disputes: Vec<&'a DisputeState>,
    pub(super) outside: BTreeMap<&'a str, i64>,
    pub(super) customers: Vec<&'a CustomerId>,
    pub(super) points_to_money: bool,
    pub(super) points_to_invoice: bool,
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
