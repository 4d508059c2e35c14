//! What is known of the objects that move money: charges, payment intents, Checkout
//! sessions, refunds, disputes, credit notes. Amounts are minor units.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::merge::{Merge, Stamp, greatest, smallest};
use crate::domain::currency::Currency;
use crate::domain::ids::{CouponId, CustomerId};
use crate::domain::time::Timestamp;

/// How far a charge got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChargeStatus {
    /// Only pointed to so far.
    #[default]
    Unknown,
    /// On its way.
    Pending,
    /// Declined.
    Failed,
    /// Went through (money only once captured).
    Succeeded,
}

/// A charge.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ChargeState {
    /// How far it got.
    pub status: ChargeStatus,
    /// Whether the money was taken, not merely authorised.
    pub captured: bool,
    /// What was asked for.
    pub amount: i64,
    /// What was taken, where Stripe says; else `amount` counts once captured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount_captured: Option<i64>,
    /// Cumulative refunds, by maximum.
    pub amount_refunded: i64,
    /// Its currency.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<Currency>,
    /// Its creation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<Timestamp>,
    /// Its customer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer: Option<CustomerId>,
    /// Its payment intent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment_intent: Option<String>,
    /// Its invoice (until 2025-03-31).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invoice: Option<String>,
    /// `billing_details.email`, every value seen.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub billing_emails: BTreeSet<String>,
    /// `receipt_email`, every value seen.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub receipt_emails: BTreeSet<String>,
}

impl Merge for ChargeState {
    fn merge(&mut self, other: Self) {
        greatest(&mut self.status, other.status);
        greatest(&mut self.captured, other.captured);
        greatest(&mut self.amount, other.amount);
        greatest(&mut self.amount_captured, other.amount_captured);
        greatest(&mut self.amount_refunded, other.amount_refunded);
        smallest(&mut self.currency, other.currency);
        smallest(&mut self.created, other.created);
        smallest(&mut self.customer, other.customer);
        smallest(&mut self.payment_intent, other.payment_intent);
        smallest(&mut self.invoice, other.invoice);
        self.billing_emails.merge(other.billing_emails);
        self.receipt_emails.merge(other.receipt_emails);
    }
}

impl ChargeState {
    /// What was taken: zero unless succeeded and captured.
    pub fn taken(&self) -> i64 {
        if self.status == ChargeStatus::Succeeded && self.captured {
            self.amount_captured.unwrap_or(self.amount)
        } else {
            0
        }
    }
}

/// How far a payment intent got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IntentStatus {
    /// Only pointed to so far.
    #[default]
    Unknown,
    /// Waiting for something: a payment method, confirmation, the customer, the bank.
    Started,
    /// An attempt failed; another may follow.
    AttemptFailed,
    /// Authorised, not captured.
    RequiresCapture,
    /// Given up.
    Canceled,
    /// Paid.
    Succeeded,
}

/// A payment intent.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct IntentState {
    /// How far it got.
    pub status: IntentStatus,
    /// What is asked for.
    pub amount: i64,
    /// What was received.
    pub amount_received: i64,
    /// Its currency.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<Currency>,
    /// Its creation, which may be long before anything is paid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<Timestamp>,
    /// The earliest event that shows it paid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub succeeded_at: Option<Timestamp>,
    /// Its customer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer: Option<CustomerId>,
    /// Its charges: `latest_charge`, `charges.data[]`.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub charges: BTreeSet<String>,
    /// Its invoice: `invoice` (until 2025-03-31), or `payment_details.order_reference`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invoice: Option<String>,
    /// `receipt_email`, every value seen.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub receipt_emails: BTreeSet<String>,
}

impl Merge for IntentState {
    fn merge(&mut self, other: Self) {
        greatest(&mut self.status, other.status);
        greatest(&mut self.amount, other.amount);
        greatest(&mut self.amount_received, other.amount_received);
        smallest(&mut self.currency, other.currency);
        smallest(&mut self.created, other.created);
        smallest(&mut self.succeeded_at, other.succeeded_at);
        smallest(&mut self.customer, other.customer);
        self.charges.merge(other.charges);
        smallest(&mut self.invoice, other.invoice);
        self.receipt_emails.merge(other.receipt_emails);
    }
}

/// How far a Checkout session got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckoutStatus {
    /// Only pointed to so far.
    #[default]
    Unknown,
    /// Open, or completed and still unpaid.
    Unpaid,
    /// Ran out.
    Expired,
    /// An asynchronous payment failed.
    Failed,
    /// Completed with nothing to pay.
    NothingToPay,
    /// Paid.
    Paid,
}

/// A Checkout session.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct CheckoutState {
    /// How far it got.
    pub status: CheckoutStatus,
    /// What it asks for.
    pub amount_total: i64,
    /// Its currency.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<Currency>,
    /// Its creation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<Timestamp>,
    /// The earliest event that shows it paid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paid_at: Option<Timestamp>,
    /// Its customer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer: Option<CustomerId>,
    /// `customer_details.email` (else `customer_email`), every value seen.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub emails: BTreeSet<String>,
    /// `client_reference_id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_reference: Option<String>,
    /// Its payment intent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment_intent: Option<String>,
    /// The invoice it made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invoice: Option<String>,
    /// The subscription it started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscription: Option<String>,
    /// Coupon ids used.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub coupons: BTreeSet<CouponId>,
    /// Promotion codes (`promo_…`) used.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub promotion_codes: BTreeSet<String>,
    /// Discounts known by id only.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub discounts: BTreeSet<String>,
}

impl Merge for CheckoutState {
    fn merge(&mut self, other: Self) {
        greatest(&mut self.status, other.status);
        greatest(&mut self.amount_total, other.amount_total);
        smallest(&mut self.currency, other.currency);
        smallest(&mut self.created, other.created);
        smallest(&mut self.paid_at, other.paid_at);
        smallest(&mut self.customer, other.customer);
        self.emails.merge(other.emails);
        smallest(&mut self.client_reference, other.client_reference);
        smallest(&mut self.payment_intent, other.payment_intent);
        smallest(&mut self.invoice, other.invoice);
        smallest(&mut self.subscription, other.subscription);
        self.coupons.merge(other.coupons);
        self.promotion_codes.merge(other.promotion_codes);
        self.discounts.merge(other.discounts);
    }
}

/// How far a refund got. A refund that succeeded may still fail later.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum RefundStatus {
    /// Only pointed to so far.
    #[default]
    Unknown,
    /// On its way: `pending` or `requires_action`.
    Pending,
    /// Given back.
    Succeeded,
    /// Did not go through: the money stays.
    Failed,
    /// Called off: the money stays.
    Canceled,
}

/// A refund.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RefundState {
    /// How far it got.
    pub status: RefundStatus,
    /// How much.
    pub amount: i64,
    /// Its currency.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<Currency>,
    /// Its creation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<Timestamp>,
    /// The charge it gives back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub charge: Option<String>,
    /// The payment intent it gives back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment_intent: Option<String>,
}

impl Merge for RefundState {
    fn merge(&mut self, other: Self) {
        greatest(&mut self.status, other.status);
        greatest(&mut self.amount, other.amount);
        smallest(&mut self.currency, other.currency);
        smallest(&mut self.created, other.created);
        smallest(&mut self.charge, other.charge);
        smallest(&mut self.payment_intent, other.payment_intent);
    }
}

/// How far a dispute got.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum DisputeStatus {
    /// Only pointed to so far.
    #[default]
    Unknown,
    /// `warning_*`: an inquiry, which moves no money.
    Inquiry,
    /// Open: `needs_response`, `under_review`, and statuses not known yet.
    Open,
    /// Lost.
    Lost,
    /// Prevented before it took money.
    Prevented,
    /// Won, possibly after having been lost.
    Won,
}

/// A dispute.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct DisputeState {
    /// How far it got.
    pub status: DisputeStatus,
    /// How much is disputed; may differ from the charge.
    pub amount: i64,
    /// Its currency.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<Currency>,
    /// Its creation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<Timestamp>,
    /// The charge it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub charge: Option<String>,
    /// The payment intent it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment_intent: Option<String>,
    /// The latest `funds_withdrawn`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub withdrawn: Option<Stamp>,
    /// The latest `funds_reinstated`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reinstated: Option<Stamp>,
}

impl Merge for DisputeState {
    fn merge(&mut self, other: Self) {
        greatest(&mut self.status, other.status);
        greatest(&mut self.amount, other.amount);
        smallest(&mut self.currency, other.currency);
        smallest(&mut self.created, other.created);
        smallest(&mut self.charge, other.charge);
        smallest(&mut self.payment_intent, other.payment_intent);
        greatest(&mut self.withdrawn, other.withdrawn);
        greatest(&mut self.reinstated, other.reinstated);
    }
}

/// A credit note: it ties refunds to their invoice and moves nothing by itself.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct CreditNoteState {
    /// Its customer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer: Option<CustomerId>,
    /// Its invoice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invoice: Option<String>,
    /// The refunds it made.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub refunds: BTreeSet<String>,
    /// Final once seen.
    pub voided: bool,
}

impl Merge for CreditNoteState {
    fn merge(&mut self, other: Self) {
        smallest(&mut self.customer, other.customer);
        smallest(&mut self.invoice, other.invoice);
        self.refunds.merge(other.refunds);
        greatest(&mut self.voided, other.voided);
    }
}
