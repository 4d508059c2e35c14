//! Invoices and what leads from them to coupons. Fields only; what they mean is in
//! `normalize/`.

#![allow(missing_docs, reason = "the fields are Stripe's own, documented there")]

use serde::Deserialize;

use super::value::{Flat, List, Metadata, Reference, Scalar};
use super::{Charge, Customer, Intent, Refund};
/// `invoice`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub struct Invoice<'a> {
    pub object: Scalar<'a>,
    pub id: Scalar<'a>,
    pub deleted: Scalar<'a>,
    pub status: Scalar<'a>,
    /// Until 2025-03-31.
    pub paid: Scalar<'a>,
    /// Until 2018-11-08, like `forgiven`.
    pub closed: Scalar<'a>,
    pub forgiven: Scalar<'a>,
    pub attempted: Scalar<'a>,
    /// Until 2025-03-31.
    pub paid_out_of_band: Scalar<'a>,
    pub amount_due: Scalar<'a>,
    pub amount_paid: Scalar<'a>,
    /// From 2026-05-27, and only when expanded.
    pub amount_paid_off_stripe: Scalar<'a>,
    pub total: Scalar<'a>,
    pub total_excluding_tax: Scalar<'a>,
    /// Until 2025-03-31, like `total_tax_amounts`.
    pub tax: Scalar<'a>,
    pub total_tax_amounts: List<AmountItem<'a>>,
    /// From 2025-03-31.
    pub total_taxes: List<AmountItem<'a>>,
    pub amount_shipping: Scalar<'a>,
    pub shipping_cost: Flat<ShippingCost<'a>>,
    pub currency: Scalar<'a>,
    pub created: Scalar<'a>,
    /// `created`, until 2018.
    pub date: Scalar<'a>,
    pub status_transitions: Flat<StatusTransitions<'a>>,
    pub billing_reason: Scalar<'a>,
    pub customer: Reference<'a, Customer<'a>>,
    pub customer_email: Scalar<'a>,
    /// Until 2025-03-31.
    pub subscription: Reference<'a, Subscription<'a>>,
    /// From 2025-03-31.
    pub parent: Flat<InvoiceParent<'a>>,
    /// Until 2025-03-31, like `payment_intent`.
    pub charge: Reference<'a, Charge<'a>>,
    pub payment_intent: Reference<'a, Intent<'a>>,
    /// From 2025-03-31, when expanded.
    pub payments: List<InvoicePayment<'a>>,
    /// Until 2025-03-31.
    pub discount: Reference<'a, Discount<'a>>,
    /// From 2020-08; ids unless expanded.
    pub discounts: List<Reference<'a, Discount<'a>>>,
    pub total_discount_amounts: List<AmountItem<'a>>,
    pub lines: List<Line<'a>>,
    pub metadata: Metadata<'a>,
}

/// `invoice.shipping_cost`
#[allow(clippy::struct_field_names, reason = "the names are Stripe's")]
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub struct ShippingCost<'a> {
    pub amount_subtotal: Scalar<'a>,
    pub amount_tax: Scalar<'a>,
    pub amount_total: Scalar<'a>,
}

/// `invoice.status_transitions`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub struct StatusTransitions<'a> {
    pub paid_at: Scalar<'a>,
}

/// `invoice.parent`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub struct InvoiceParent<'a> {
    pub subscription_details: Flat<SubscriptionDetails<'a>>,
}

/// `invoice.parent.subscription_details`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub struct SubscriptionDetails<'a> {
    pub subscription: Reference<'a, Subscription<'a>>,
}

/// An amount of a tax or a discount.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub struct AmountItem<'a> {
    pub amount: Scalar<'a>,
    pub discount: Reference<'a, Discount<'a>>,
}

/// One of an invoice's `lines`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub struct Line<'a> {
    pub amount: Scalar<'a>,
    pub discounts: List<Reference<'a, Discount<'a>>>,
    pub discount_amounts: List<AmountItem<'a>>,
    /// From 2025-03-31.
    pub pricing: Flat<Pricing<'a>>,
    /// From 2020 to 2025-03-31.
    pub price: Reference<'a, Price<'a>>,
    pub plan: Reference<'a, Price<'a>>,
}

/// `line.pricing`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub struct Pricing<'a> {
    pub price_details: Flat<PriceDetails<'a>>,
}

/// `line.pricing.price_details`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub struct PriceDetails<'a> {
    pub price: Reference<'a, Named<'a>>,
    pub product: Reference<'a, Named<'a>>,
}

/// `price` or `plan`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub struct Price<'a> {
    pub id: Scalar<'a>,
    pub product: Reference<'a, Named<'a>>,
}

/// An object of which only the id is read.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub struct Named<'a> {
    pub id: Scalar<'a>,
}

/// `invoice_payment`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub struct InvoicePayment<'a> {
    pub object: Scalar<'a>,
    pub id: Scalar<'a>,
    pub status: Scalar<'a>,
    pub amount_paid: Scalar<'a>,
    pub currency: Scalar<'a>,
    pub invoice: Reference<'a, Invoice<'a>>,
    pub payment: Flat<PaidBy<'a>>,
}

/// `invoice_payment.payment`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub struct PaidBy<'a> {
    pub charge: Reference<'a, Charge<'a>>,
    pub payment_intent: Reference<'a, Intent<'a>>,
    /// Money that did not go through Stripe.
    pub payment_record: Reference<'a, Named<'a>>,
}

/// `subscription`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub struct Subscription<'a> {
    pub object: Scalar<'a>,
    pub id: Scalar<'a>,
    pub status: Scalar<'a>,
    pub created: Scalar<'a>,
    pub customer: Reference<'a, Customer<'a>>,
    /// Until 2025-03-31.
    pub discount: Reference<'a, Discount<'a>>,
    /// From 2024-04; ids unless expanded.
    pub discounts: List<Reference<'a, Discount<'a>>>,
    pub items: List<SubscriptionItem<'a>>,
    pub latest_invoice: Reference<'a, Invoice<'a>>,
    pub metadata: Metadata<'a>,
}

/// One of a subscription's `items`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub struct SubscriptionItem<'a> {
    pub discounts: List<Reference<'a, Discount<'a>>>,
}

/// `discount`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub struct Discount<'a> {
    pub object: Scalar<'a>,
    /// Absent before 2020-08.
    pub id: Scalar<'a>,
    /// Until 2025-09-30.
    pub coupon: Reference<'a, Coupon<'a>>,
    /// From 2025-09-30.
    pub source: Flat<DiscountSource<'a>>,
    pub promotion_code: Reference<'a, PromotionCode<'a>>,
    pub customer: Reference<'a, Customer<'a>>,
    pub subscription: Scalar<'a>,
    pub subscription_item: Scalar<'a>,
    pub invoice: Scalar<'a>,
    pub invoice_item: Scalar<'a>,
    pub checkout_session: Scalar<'a>,
    pub start: Scalar<'a>,
    pub end: Scalar<'a>,
}

/// `discount.source`, `promotion_code.promotion`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub struct DiscountSource<'a> {
    pub coupon: Reference<'a, Coupon<'a>>,
}

/// `coupon`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub struct Coupon<'a> {
    pub object: Scalar<'a>,
    pub id: Scalar<'a>,
    pub name: Scalar<'a>,
    pub deleted: Scalar<'a>,
    pub metadata: Metadata<'a>,
}

/// `promotion_code`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub struct PromotionCode<'a> {
    pub object: Scalar<'a>,
    pub id: Scalar<'a>,
    pub code: Scalar<'a>,
    /// Until 2025-09-30.
    pub coupon: Reference<'a, Coupon<'a>>,
    /// From 2025-09-30.
    pub promotion: Flat<DiscountSource<'a>>,
    pub metadata: Metadata<'a>,
}

/// `credit_note`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub struct CreditNote<'a> {
    pub object: Scalar<'a>,
    pub id: Scalar<'a>,
    pub status: Scalar<'a>,
    pub created: Scalar<'a>,
    pub customer: Reference<'a, Customer<'a>>,
    pub invoice: Reference<'a, Invoice<'a>>,
    /// Until 2025-03-31.
    pub refund: Reference<'a, Refund<'a>>,
    /// From 2025-03-31.
    pub refunds: List<CreditNoteRefund<'a>>,
    pub metadata: Metadata<'a>,
}

/// One of a credit note's `refunds`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub struct CreditNoteRefund<'a> {
    pub refund: Reference<'a, Refund<'a>>,
}
