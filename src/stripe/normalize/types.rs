//! Which types of event are read, and which object each of them carries.

use serde::Deserialize;

use super::reader::{Outcome, Path, Reader};
use crate::domain::fact::Fact;
use crate::stripe::envelope::Envelope;
use crate::stripe::json;
use crate::stripe::reason::QuarantineReason;
use crate::stripe::wire;

/// The kinds of object that are read, as Stripe's `object` names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectType {
    /// `customer`
    Customer,
    /// `discount`
    Discount,
    /// `subscription`
    Subscription,
    /// `charge`
    Charge,
    /// `refund`
    Refund,
    /// `dispute`
    Dispute,
    /// `payment_intent`
    PaymentIntent,
    /// `invoice`
    Invoice,
    /// `invoice_payment`
    InvoicePayment,
    /// `credit_note`
    CreditNote,
    /// `checkout.session`
    CheckoutSession,
    /// `coupon`
    Coupon,
    /// `promotion_code`
    PromotionCode,
}

/// By the longest fitting prefix first: `customer.discount.` before `customer.`.
const PREFIXES: [(&str, ObjectType); 13] = [
    ("customer.discount.", ObjectType::Discount),
    ("customer.subscription.", ObjectType::Subscription),
    ("charge.dispute.", ObjectType::Dispute),
    ("charge.refund.", ObjectType::Refund),
    ("charge.", ObjectType::Charge),
    ("refund.", ObjectType::Refund),
    ("payment_intent.", ObjectType::PaymentIntent),
    ("invoice_payment.", ObjectType::InvoicePayment),
    ("invoice.", ObjectType::Invoice),
    ("credit_note.", ObjectType::CreditNote),
    ("checkout.session.", ObjectType::CheckoutSession),
    ("coupon.", ObjectType::Coupon),
    ("promotion_code.", ObjectType::PromotionCode),
];

/// The event types to subscribe a webhook endpoint to. Others that carry the same objects
/// are read as well, should they come.
pub const EVENTS_NEEDED: [&str; 38] = [
    "customer.created",
    "customer.updated",
    "customer.deleted",
    "customer.discount.created",
    "customer.discount.updated",
    "customer.discount.deleted",
    "customer.subscription.created",
    "customer.subscription.updated",
    "customer.subscription.deleted",
    "invoice.paid",
    "invoice.payment_succeeded",
    "invoice_payment.paid",
    "invoice.voided",
    "invoice.marked_uncollectible",
    "payment_intent.succeeded",
    "charge.succeeded",
    "charge.captured",
    "charge.updated",
    "charge.refunded",
    "charge.refund.updated",
    "refund.created",
    "refund.updated",
    "refund.failed",
    "credit_note.created",
    "credit_note.updated",
    "credit_note.voided",
    "charge.dispute.created",
    "charge.dispute.updated",
    "charge.dispute.closed",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.funds_reinstated",
    "checkout.session.completed",
    "checkout.session.async_payment_succeeded",
    "checkout.session.async_payment_failed",
    "checkout.session.expired",
    "coupon.deleted",
    "promotion_code.created",
    "promotion_code.updated",
];

impl ObjectType {
    /// The kind of object that an event of this type carries; `None` if the type is not read.
    pub fn of_event(event_type: &str) -> Option<Self> {
        if let "customer.created" | "customer.updated" | "customer.deleted" = event_type {
            return Some(Self::Customer);
        }
        let found = PREFIXES
            .iter()
            .find(|(prefix, _)| event_type.starts_with(prefix));
        found.map(|(_, kind)| *kind)
    }

    /// Stripe's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Discount => "discount",
            Self::Subscription => "subscription",
            Self::Charge => "charge",
            Self::Refund => "refund",
            Self::Dispute => "dispute",
            Self::PaymentIntent => "payment_intent",
            Self::Invoice => "invoice",
            Self::InvoicePayment => "invoice_payment",
            Self::CreditNote => "credit_note",
            Self::CheckoutSession => "checkout.session",
            Self::Coupon => "coupon",
            Self::PromotionCode => "promotion_code",
        }
    }
}

/// Reads the object of an event into facts: one per object, by object key.
pub fn read(
    envelope: &Envelope,
    expected: ObjectType,
    seen: Option<&str>,
    object: &str,
) -> Outcome<Vec<Fact>> {
    // Very old objects do not name their kind.
    if let Some(seen) = seen.filter(|seen| *seen != expected.name()) {
        return Err(QuarantineReason::ObjectUnexpected {
            expected: expected.name(),
            seen: json::shortened(seen),
        });
    }
    let mut reader = Reader::new(envelope);
    let path = Path::root();
    let id = match expected {
        ObjectType::Customer => reader.customer(&parse(object)?, &path),
        ObjectType::Discount => reader.discount_event(&parse(object)?, &path),
        ObjectType::Subscription => reader.subscription(&parse(object)?, &path),
        ObjectType::Charge => reader.charge(&parse(object)?, &path),
        ObjectType::Refund => reader.refund(&parse(object)?, &path),
        ObjectType::Dispute => reader.dispute(&parse(object)?, &path),
        ObjectType::PaymentIntent => reader.intent(&parse(object)?, &path),
        ObjectType::Invoice => reader.invoice(&parse(object)?, &path),
        ObjectType::InvoicePayment => reader.invoice_payment(&parse(object)?, &path),
        ObjectType::CreditNote => reader.credit_note(&parse(object)?, &path),
        ObjectType::CheckoutSession => reader.checkout(&parse(object)?, &path),
        ObjectType::Coupon => reader.coupon(&parse::<wire::Coupon<'_>>(object)?, &path),
        ObjectType::PromotionCode => reader.promotion_code(&parse(object)?, &path),
    }?;
    if id.is_none() {
        let path = path.field("id").to_string();
        return Err(QuarantineReason::IdInvalid { path });
    }
    Ok(reader.into_facts())
}

fn parse<'a, T: Deserialize<'a>>(object: &'a str) -> Outcome<T> {
    // A derived struct would also take a list of its fields' values.
    if !object.starts_with('{') {
        let what = "it is not a JSON object".to_owned();
        return Err(QuarantineReason::Unreadable(what));
    }
    serde_json::from_str(object)
        .map_err(|error| QuarantineReason::Unreadable(json::shortened(&error.to_string())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_lead_to_the_objects_they_carry() {
        let cases = [
            ("customer.discount.created", Some("discount")),
            ("customer.subscription.trial_will_end", Some("subscription")),
            ("customer.updated", Some("customer")),
            ("customer.source.updated", None),
            ("customer.tax_id.created", None),
            ("charge.dispute.closed", Some("dispute")),
            ("charge.refund.updated", Some("refund")),
            ("charge.refunded", Some("charge")),
            ("invoice_payment.paid", Some("invoice_payment")),
            ("invoice.finalized", Some("invoice")),
            ("invoiceitem.created", None),
            ("subscription_schedule.created", None),
            ("payout.paid", None),
            ("", None),
        ];
        for (event_type, name) in cases {
            let found = ObjectType::of_event(event_type).map(ObjectType::name);
            assert_eq!(found, name, "{event_type}");
        }
        for event_type in EVENTS_NEEDED {
            assert!(ObjectType::of_event(event_type).is_some(), "{event_type}");
        }
    }
}
