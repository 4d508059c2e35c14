//! Payments: the money that several Stripe objects report, once.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::currency::Currency;
use super::email::CanonicalEmail;
use super::fact::InvoiceLine;
use super::ids::{CouponId, CustomerId, PaymentId};
use super::time::Timestamp;

/// Which kind of object gave the amount, best first.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Its succeeded, captured charges.
    Charge,
    /// Its succeeded payment intents.
    Intent,
    /// Its paid invoices.
    Invoice,
    /// Its paid Checkout sessions.
    Checkout,
}

/// What became of the payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Money came in (possibly only outside Stripe, possibly zero).
    Paid,
    /// Authorised, not captured.
    NotCaptured,
    /// Declined.
    Failed,
}

/// What the invoice adds to a payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvoicePart {
    /// The invoice's id.
    pub id: String,
    /// What it asked for in all, minor units.
    pub total: i64,
    /// The same without tax and shipping.
    pub net: i64,
    /// Its lines.
    pub lines: Vec<InvoiceLine>,
    /// Whether there are more lines than are known.
    pub lines_truncated: bool,
}

/// One payment. Amounts are minor units of `currency`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment {
    /// The Stripe object that stands for it.
    pub id: PaymentId,
    /// When the money moved, by Stripe's clock.
    pub occurred_at: Timestamp,
    /// Its currency.
    pub currency: Currency,
    /// What became of it.
    pub outcome: Outcome,
    /// Which kind of object gave the amount.
    pub level: Level,
    /// Paid through Stripe, before refunds.
    pub amount: i64,
    /// Paid outside Stripe, on the same invoice.
    pub out_of_band: i64,
    /// Refunded, including what is still on its way; never more than was paid.
    pub refunded: i64,
    /// The part of `refunded` that is still on its way.
    pub refund_pending: i64,
    /// Held by an open dispute.
    pub dispute_held: i64,
    /// Taken by a dispute.
    pub dispute_lost: i64,
    /// Whether the invoice is only presumed to be the same money.
    pub presumed_link: bool,
    /// Its invoice, if known.
    pub invoice: Option<Box<InvoicePart>>,
    /// Coupon ids that were used, sorted.
    pub coupons: Vec<CouponId>,
}

/// A customer with everything that is counted for or against it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Customer {
    /// `cus_…`, or `guest:<email>`.
    pub id: CustomerId,
    /// Creation at Stripe; the first sign of it while that is unknown.
    pub created: Option<Timestamp>,
    /// Every usable email ever seen, canonical, sorted.
    pub emails: Vec<CanonicalEmail>,
    /// Every metadata value ever seen, by key, sorted.
    pub metadata: Vec<(String, String)>,
    /// Every `client_reference_id` of its Checkout sessions, sorted.
    pub client_references: Vec<String>,
    /// Whether Stripe says it was deleted.
    pub deleted: bool,
    /// Its payments, by (`occurred_at`, id).
    pub payments: Vec<Payment>,
}
