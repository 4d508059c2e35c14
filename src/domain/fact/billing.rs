//! What is known of invoices and of the discounts that lead to a coupon. Amounts are
//! minor units.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::merge::{Merge, Ranked, Seen, greatest, smallest};
use crate::domain::currency::Currency;
use crate::domain::ids::{CouponId, CustomerId};
use crate::domain::time::Timestamp;

/// How far an invoice got; void and uncollectible stay unless it is paid after all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InvoiceStatus {
    /// Only pointed to so far.
    #[default]
    Unknown,
    /// Not final.
    Draft,
    /// Final and unpaid.
    Open,
    /// Written off.
    Uncollectible,
    /// Called off.
    Void,
    /// Paid, by whatever means.
    Paid,
}

/// One line of an invoice.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct InvoiceLine {
    /// The line's product (`prod_…`), if it names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product: Option<String>,
    /// The line's price (`price_…`, or a plan's id), if it names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<String>,
    /// The line's amount after its own discounts, before tax; may be negative (proration).
    pub amount: i64,
}

/// The figures of an invoice that change while it is a draft.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Figures {
    /// What it asks for in all.
    pub total: i64,
    /// The total without tax and without shipping.
    pub net: i64,
    /// The lines that the event carried.
    pub lines: Vec<InvoiceLine>,
    /// Whether there are more lines than the event carried (Stripe sends ten).
    pub lines_truncated: bool,
}

/// An invoice.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct InvoiceState {
    /// How far it got.
    pub status: InvoiceStatus,
    /// Paid through Stripe: `amount_paid` less what was paid outside.
    pub amount_paid: i64,
    /// Paid outside Stripe.
    pub paid_outside: i64,
    /// Its currency.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<Currency>,
    /// Total, net and lines, as its furthest status told them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub figures: Option<Ranked<InvoiceStatus, Figures>>,
    /// Its creation (as a draft, often an hour before it is paid).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<Timestamp>,
    /// `status_transitions.paid_at`, else the earliest event that shows it paid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paid_at: Option<Timestamp>,
    /// Its customer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer: Option<CustomerId>,
    /// `customer_email`, for an invoice without a customer.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub emails: BTreeSet<String>,
    /// Its subscription.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscription: Option<String>,
    /// Its subscription, if this is the first invoice of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_of: Option<String>,
    /// Charges it names.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub charges: BTreeSet<String>,
    /// Payment intents it names.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub intents: BTreeSet<String>,
    /// Coupon ids on it or its lines.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub coupons: BTreeSet<CouponId>,
    /// Promotion codes (`promo_…`) on it or its lines.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub promotion_codes: BTreeSet<String>,
    /// Discounts known by id only, on it or its lines.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub discounts: BTreeSet<String>,
}

impl Merge for InvoiceState {
    fn merge(&mut self, other: Self) {
        greatest(&mut self.status, other.status);
        greatest(&mut self.amount_paid, other.amount_paid);
        greatest(&mut self.paid_outside, other.paid_outside);
        smallest(&mut self.currency, other.currency);
        self.figures.merge(other.figures);
        smallest(&mut self.created, other.created);
        smallest(&mut self.paid_at, other.paid_at);
        smallest(&mut self.customer, other.customer);
        self.emails.merge(other.emails);
        smallest(&mut self.subscription, other.subscription);
        smallest(&mut self.first_of, other.first_of);
        self.charges.merge(other.charges);
        self.intents.merge(other.intents);
        self.coupons.merge(other.coupons);
        self.promotion_codes.merge(other.promotion_codes);
        self.discounts.merge(other.discounts);
    }
}

/// The link between an invoice and what paid it (from 2025-03-31).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct InvoicePaymentState {
    /// The invoice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invoice: Option<String>,
    /// The charge that pays it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub charge: Option<String>,
    /// The payment intent that pays it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment_intent: Option<String>,
    /// What it paid outside Stripe (a payment record). Contained in the `amount_paid` that
    /// the invoice's own events give, which do not tell it apart.
    pub paid_outside: i64,
}

impl Merge for InvoicePaymentState {
    fn merge(&mut self, other: Self) {
        smallest(&mut self.invoice, other.invoice);
        smallest(&mut self.charge, other.charge);
        smallest(&mut self.payment_intent, other.payment_intent);
        greatest(&mut self.paid_outside, other.paid_outside);
    }
}

/// A subscription, as far as it leads to a coupon.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SubscriptionState {
    /// Its customer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer: Option<CustomerId>,
    /// Its creation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<Timestamp>,
    /// Its status (`active`, `trialing`, …), for people to read.
    #[serde(skip_serializing_if = "Seen::is_empty")]
    pub status: Seen,
    /// Coupon ids on it.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub coupons: BTreeSet<CouponId>,
    /// Promotion codes (`promo_…`) on it.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub promotion_codes: BTreeSet<String>,
    /// Discounts known by id only.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub discounts: BTreeSet<String>,
}

impl Merge for SubscriptionState {
    fn merge(&mut self, other: Self) {
        smallest(&mut self.customer, other.customer);
        smallest(&mut self.created, other.created);
        self.status.merge(other.status);
        self.coupons.merge(other.coupons);
        self.promotion_codes.merge(other.promotion_codes);
        self.discounts.merge(other.discounts);
    }
}

/// A discount: the way from its id to a coupon, and on whom it lies.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct DiscountState {
    /// Its coupon.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coupon: Option<CouponId>,
    /// The promotion code that was typed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub promotion_code: Option<String>,
    /// The customer it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer: Option<CustomerId>,
    /// Whether it lies on the customer as a whole, so that any payment in its time uses it.
    pub on_customer: bool,
    /// From when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<Timestamp>,
    /// Until when: its own end, or its removal if that came first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<Timestamp>,
}

impl Merge for DiscountState {
    fn merge(&mut self, other: Self) {
        smallest(&mut self.coupon, other.coupon);
        smallest(&mut self.promotion_code, other.promotion_code);
        smallest(&mut self.customer, other.customer);
        greatest(&mut self.on_customer, other.on_customer);
        smallest(&mut self.start, other.start);
        smallest(&mut self.end, other.end);
    }
}

/// A promotion code: what customers type, leading to a coupon.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PromotionCodeState {
    /// The coupon it gives.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coupon: Option<CouponId>,
    /// What customers type, every value seen.
    #[serde(skip_serializing_if = "Seen::is_empty")]
    pub code: Seen,
}

impl Merge for PromotionCodeState {
    fn merge(&mut self, other: Self) {
        smallest(&mut self.coupon, other.coupon);
        self.code.merge(other.code);
    }
}

/// A coupon.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct CouponState {
    /// Its name, every value seen.
    #[serde(skip_serializing_if = "Seen::is_empty")]
    pub name: Seen,
    /// Final once seen.
    pub deleted: bool,
}

impl Merge for CouponState {
    fn merge(&mut self, other: Self) {
        self.name.merge(other.name);
        greatest(&mut self.deleted, other.deleted);
    }
}
