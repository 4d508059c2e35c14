//! Objects that move money: charges, payment intents, Checkout sessions, refunds, disputes.
//! Fields only; what they mean is in `normalize/`.

#![allow(missing_docs, reason = "the fields are Stripe's own, documented there")]

use serde::Deserialize;

use super::value::{Flat, List, Metadata, Reference, Scalar};
use super::{Coupon, Customer, Discount, Invoice, PromotionCode, Subscription};
/// `charge`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub struct Charge<'a> {
    pub object: Scalar<'a>,
    pub id: Scalar<'a>,
    pub status: Scalar<'a>,
    /// Before 2015 there was no `status`.
    pub paid: Scalar<'a>,
    pub captured: Scalar<'a>,
    pub amount: Scalar<'a>,
    pub amount_captured: Scalar<'a>,
    pub amount_refunded: Scalar<'a>,
    pub currency: Scalar<'a>,
    pub created: Scalar<'a>,
    pub customer: Reference<'a, Customer<'a>>,
    pub payment_intent: Reference<'a, Intent<'a>>,
    /// Until 2025-03-31.
    pub invoice: Reference<'a, Invoice<'a>>,
    pub billing_details: Flat<Contact<'a>>,
    pub receipt_email: Scalar<'a>,
    /// Not included by default from 2022-11-15.
    pub refunds: List<Refund<'a>>,
    /// Until 2020.
    pub dispute: Reference<'a, Dispute<'a>>,
    pub metadata: Metadata<'a>,
}

/// `billing_details`, `customer_details`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub struct Contact<'a> {
    pub email: Scalar<'a>,
}

/// `payment_intent`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub struct Intent<'a> {
    pub object: Scalar<'a>,
    pub id: Scalar<'a>,
    pub status: Scalar<'a>,
    pub amount: Scalar<'a>,
    pub amount_received: Scalar<'a>,
    pub currency: Scalar<'a>,
    pub created: Scalar<'a>,
    pub customer: Reference<'a, Customer<'a>>,
    /// From 2022-11-15.
    pub latest_charge: Reference<'a, Charge<'a>>,
    /// Until 2022-11-15.
    pub charges: List<Charge<'a>>,
    /// Until 2025-03-31.
    pub invoice: Reference<'a, Invoice<'a>>,
    /// Seen from 2025-10-29.
    pub payment_details: Flat<PaymentDetails<'a>>,
    pub last_payment_error: Flat<PaymentError<'a>>,
    pub receipt_email: Scalar<'a>,
    pub metadata: Metadata<'a>,
}

/// `payment_intent.payment_details`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub struct PaymentDetails<'a> {
    pub order_reference: Scalar<'a>,
}

/// `payment_intent.last_payment_error`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub struct PaymentError<'a> {
    pub charge: Reference<'a, Charge<'a>>,
}

/// `checkout.session`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub struct Checkout<'a> {
    pub object: Scalar<'a>,
    pub id: Scalar<'a>,
    pub status: Scalar<'a>,
    pub payment_status: Scalar<'a>,
    pub amount_total: Scalar<'a>,
    pub currency: Scalar<'a>,
    pub created: Scalar<'a>,
    pub customer: Reference<'a, Customer<'a>>,
    pub customer_details: Flat<Contact<'a>>,
    pub customer_email: Scalar<'a>,
    pub client_reference_id: Scalar<'a>,
    pub payment_intent: Reference<'a, Intent<'a>>,
    pub invoice: Reference<'a, Invoice<'a>>,
    pub subscription: Reference<'a, Subscription<'a>>,
    /// From 2025-01-27.
    pub discounts: List<CheckoutDiscount<'a>>,
    pub total_details: Flat<TotalDetails<'a>>,
    pub metadata: Metadata<'a>,
}

/// One of a session's `discounts`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub struct CheckoutDiscount<'a> {
    pub coupon: Reference<'a, Coupon<'a>>,
    pub promotion_code: Reference<'a, PromotionCode<'a>>,
}

/// `checkout.session.total_details`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub struct TotalDetails<'a> {
    /// Only when expanded.
    pub breakdown: Flat<Breakdown<'a>>,
}

/// `total_details.breakdown`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub struct Breakdown<'a> {
    pub discounts: List<BreakdownDiscount<'a>>,
}

/// One of `breakdown.discounts`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub struct BreakdownDiscount<'a> {
    pub discount: Reference<'a, Discount<'a>>,
}

/// `refund`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub struct Refund<'a> {
    pub object: Scalar<'a>,
    pub id: Scalar<'a>,
    pub status: Scalar<'a>,
    pub amount: Scalar<'a>,
    pub currency: Scalar<'a>,
    pub created: Scalar<'a>,
    pub charge: Reference<'a, Charge<'a>>,
    pub payment_intent: Reference<'a, Intent<'a>>,
    pub metadata: Metadata<'a>,
}

/// `dispute`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub struct Dispute<'a> {
    pub object: Scalar<'a>,
    pub id: Scalar<'a>,
    pub status: Scalar<'a>,
    pub amount: Scalar<'a>,
    pub currency: Scalar<'a>,
    pub created: Scalar<'a>,
    pub charge: Reference<'a, Charge<'a>>,
    pub payment_intent: Reference<'a, Intent<'a>>,
    pub metadata: Metadata<'a>,
}
