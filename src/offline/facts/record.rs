//! A fact as bytes: whose it is, what it is about, its state as JSON. And the marks by which
//! facts that belong together find each other.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde::de::DeserializeOwned;

use crate::domain::email::CanonicalEmail;
use crate::domain::fact::{Fact, ObjectKey, ObjectKind, ObjectState};
use crate::domain::ids::CustomerId;

/// Whose a fact is: a 64-bit hash of the customer it names, or of the object itself if it names
/// none. Hashes of customers are odd.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Anchor(pub u64);

impl Anchor {
    /// A customer's.
    pub fn of_customer(id: &str) -> Self {
        Self(hash_of(&("customer", id)) | 1)
    }

    fn of_object(key: &ObjectKey) -> Self {
        Self(hash_of(key) & !1)
    }

    /// Whether it is a customer's.
    pub const fn is_customer(self) -> bool {
        self.0 & 1 == 1
    }

    /// One of `parts`.
    pub fn part(self, parts: usize) -> usize {
        let parts = u64::try_from(parts.max(1)).unwrap_or(1);
        usize::try_from((self.0 >> 1) % parts).unwrap_or(0)
    }
}

fn hash_of<T: Hash>(value: &T) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// A fact ready to be put aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    /// Whose it is.
    pub anchor: Anchor,
    /// Hashes of what it is about and points to. Facts that share one belong together.
    pub marks: Vec<u64>,
    /// The fact.
    pub bytes: Vec<u8>,
}

/// Whether every customer's payments may need this: there are few of them, and they name nobody.
pub const fn is_everybodys(kind: ObjectKind) -> bool {
    matches!(kind, ObjectKind::PromotionCode | ObjectKind::Coupon)
}

/// Packs a fact.
pub fn pack(fact: &Fact) -> Packed {
    let kind = fact.object.kind;
    let customer = match kind {
        ObjectKind::Customer => Some(fact.object.id.as_str()),
        _ => fact.state.customer().map(CustomerId::as_str),
    };
    let anchor = customer.map_or_else(|| Anchor::of_object(&fact.object), Anchor::of_customer);
    let mut marks = Vec::new();
    if kind != ObjectKind::Customer {
        marks.push(hash_of(&fact.object));
        marks.extend(fact.state.links().iter().map(hash_of));
        marks.extend(sources(&fact.state).iter().map(hash_of));
        if customer.is_none() {
            marks.extend(emails(&fact.state).map(|email| hash_of(&("guest", email))));
        }
    }
    let mut bytes = Vec::with_capacity(256);
    let position = ObjectKind::ALL.iter().position(|one| *one == kind);
    bytes.push(
        position
            .and_then(|at| u8::try_from(at).ok())
            .unwrap_or(u8::MAX),
    );
    let length = u32::try_from(fact.object.id.len()).unwrap_or(0);
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(fact.object.id.as_bytes());
    write_state(&fact.state, &mut bytes);
    Packed {
        anchor,
        marks,
        bytes,
    }
}

/// What leads from this object to a coupon without being part of the payment.
fn sources(state: &ObjectState) -> Vec<ObjectKey> {
    let discounts = |ids: &std::collections::BTreeSet<String>| -> Vec<ObjectKey> {
        let ids = ids.iter();
        ids.map(|id| ObjectKey::new(ObjectKind::Discount, id))
            .collect()
    };
    let subscription = |id: &Option<String>| {
        id.as_ref()
            .map(|id| ObjectKey::new(ObjectKind::Subscription, id))
    };
    match state {
        ObjectState::Invoice(s) => {
            let mut keys = discounts(&s.discounts);
            keys.extend(subscription(&s.subscription));
            keys
        }
        ObjectState::CheckoutSession(s) => {
            let mut keys = discounts(&s.discounts);
            keys.extend(subscription(&s.subscription));
            keys
        }
        ObjectState::Subscription(s) => discounts(&s.discounts),
        _ => Vec::new(),
    }
}

/// The addresses by which somebody who paid without a customer may be known.
fn emails(state: &ObjectState) -> impl Iterator<Item = CanonicalEmail> {
    let texts: Vec<&String> = match state {
        ObjectState::Charge(s) => s.billing_emails.iter().chain(&s.receipt_emails).collect(),
        ObjectState::PaymentIntent(s) => s.receipt_emails.iter().collect(),
        ObjectState::Invoice(s) => s.emails.iter().collect(),
        ObjectState::CheckoutSession(s) => s.emails.iter().collect(),
        _ => Vec::new(),
    };
    texts
        .into_iter()
        .filter_map(|text| CanonicalEmail::parse(text))
}

/// The state alone: its kind stands before it, and to find a kind inside JSON would have all of
/// it read twice.
fn write_state(state: &ObjectState, out: &mut Vec<u8>) {
    // A state has no form that cannot be written, and memory takes everything.
    let _ = match state {
        ObjectState::Customer(s) => serde_json::to_writer(out, s),
        ObjectState::Charge(s) => serde_json::to_writer(out, s),
        ObjectState::PaymentIntent(s) => serde_json::to_writer(out, s),
        ObjectState::Invoice(s) => serde_json::to_writer(out, s),
        ObjectState::CheckoutSession(s) => serde_json::to_writer(out, s),
        ObjectState::FirstInvoice => Ok(()),
        ObjectState::Refund(s) => serde_json::to_writer(out, s),
        ObjectState::Dispute(s) => serde_json::to_writer(out, s),
        ObjectState::CreditNote(s) => serde_json::to_writer(out, s),
        ObjectState::InvoicePayment(s) => serde_json::to_writer(out, s),
        ObjectState::Subscription(s) => serde_json::to_writer(out, s),
        ObjectState::Discount(s) => serde_json::to_writer(out, s),
        ObjectState::PromotionCode(s) => serde_json::to_writer(out, s),
        ObjectState::Coupon(s) => serde_json::to_writer(out, s),
    };
}

/// Reads a packed fact back; `None` if the bytes are damaged.
pub fn unpack(bytes: &[u8]) -> Option<Fact> {
    let (kind, rest) = bytes.split_first()?;
    let kind = *ObjectKind::ALL.get(usize::from(*kind))?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    let (id, state) = rest.split_at_checked(length)?;
    let id = std::str::from_utf8(id).ok()?;
    Some(Fact {
        object: ObjectKey::new(kind, id),
        state: read_state(kind, state)?,
    })
}

fn read_state(kind: ObjectKind, json: &[u8]) -> Option<ObjectState> {
    fn read<T: DeserializeOwned>(json: &[u8]) -> Option<T> {
        serde_json::from_slice(json).ok()
    }
    Some(match kind {
        ObjectKind::Customer => ObjectState::Customer(read(json)?),
        ObjectKind::Charge => ObjectState::Charge(read(json)?),
        ObjectKind::PaymentIntent => ObjectState::PaymentIntent(read(json)?),
        ObjectKind::Invoice => ObjectState::Invoice(read(json)?),
        ObjectKind::CheckoutSession => ObjectState::CheckoutSession(read(json)?),
        ObjectKind::FirstInvoice => ObjectState::FirstInvoice,
        ObjectKind::Refund => ObjectState::Refund(read(json)?),
        ObjectKind::Dispute => ObjectState::Dispute(read(json)?),
        ObjectKind::CreditNote => ObjectState::CreditNote(read(json)?),
        ObjectKind::InvoicePayment => ObjectState::InvoicePayment(read(json)?),
        ObjectKind::Subscription => ObjectState::Subscription(read(json)?),
        ObjectKind::Discount => ObjectState::Discount(read(json)?),
        ObjectKind::PromotionCode => ObjectState::PromotionCode(read(json)?),
        ObjectKind::Coupon => ObjectState::Coupon(read(json)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_comes_back_as_it_was() {
        for kind in ObjectKind::ALL {
            let fact = Fact::new("id_é", ObjectState::empty(kind));
            assert_eq!(unpack(&pack(&fact).bytes).unwrap(), fact);
        }
    }
}
