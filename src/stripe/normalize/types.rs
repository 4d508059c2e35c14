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
    serde_json::from_str(object)
        .map_err(|error| QuarantineReason::Unreadable(json::shortened(&error.to_string())))
}
