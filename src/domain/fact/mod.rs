//! Facts: what events say, in our own types, one mergeable state per Stripe object.
//!
//! A [`Fact`] is a partial state of one object. States form a join-semilattice: merging is
//! commutative, associative and idempotent, so any order and any duplicates of the same
//! events fold to the same states, byte for byte. Stripe's shapes stay in `stripe/`.

mod billing;
mod merge;
mod movement;
mod person;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use billing::{
    CouponState, DiscountState, Figures, InvoiceLine, InvoicePaymentState, InvoiceState,
    InvoiceStatus, PromotionCodeState, SubscriptionState,
};
pub use merge::{Merge, Ranked, Seen, Stamp};
pub use movement::{
    ChargeState, ChargeStatus, CheckoutState, CheckoutStatus, CreditNoteState, DisputeState,
    DisputeStatus, IntentState, IntentStatus, RefundState, RefundStatus,
};
pub use person::CustomerState;

use super::ids::CustomerId;

/// What kind of Stripe object a fact is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ObjectKind {
    /// `cus_…`
    Customer,
    /// `ch_…`, `py_…`
    Charge,
    /// `pi_…`
    PaymentIntent,
    /// `in_…`
    Invoice,
    /// `cs_…`
    CheckoutSession,
    /// The first invoice of a subscription, by the subscription's id: ties a Checkout session
    /// that started a subscription to the invoice it produced when neither names the other.
    FirstInvoice,
    /// `re_…`, `pyr_…`
    Refund,
    /// `dp_…`, `du_…`
    Dispute,
    /// `cn_…`
    CreditNote,
    /// `inpay_…`
    InvoicePayment,
    /// `sub_…`
    Subscription,
    /// `di_…`
    Discount,
    /// `promo_…`
    PromotionCode,
    /// A coupon by its free-text id.
    Coupon,
}

impl ObjectKind {
    /// Every kind.
    pub const ALL: [Self; 14] = [
        Self::Customer,
        Self::Charge,
        Self::PaymentIntent,
        Self::Invoice,
        Self::CheckoutSession,
        Self::FirstInvoice,
        Self::Refund,
        Self::Dispute,
        Self::CreditNote,
        Self::InvoicePayment,
        Self::Subscription,
        Self::Discount,
        Self::PromotionCode,
        Self::Coupon,
    ];

    /// The stable name used in storage and in answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Charge => "charge",
            Self::PaymentIntent => "payment_intent",
            Self::Invoice => "invoice",
            Self::CheckoutSession => "checkout_session",
            Self::FirstInvoice => "first_invoice",
            Self::Refund => "refund",
            Self::Dispute => "dispute",
            Self::CreditNote => "credit_note",
            Self::InvoicePayment => "invoice_payment",
            Self::Subscription => "subscription",
            Self::Discount => "discount",
            Self::PromotionCode => "promotion_code",
            Self::Coupon => "coupon",
        }
    }

    /// The kind of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Whether objects of this kind are joined by their links into payments.
    pub const fn is_part_of_a_payment(self) -> bool {
        matches!(
            self,
            Self::Charge
                | Self::PaymentIntent
                | Self::Invoice
                | Self::CheckoutSession
                | Self::FirstInvoice
                | Self::Refund
                | Self::Dispute
                | Self::CreditNote
                | Self::InvoicePayment
        )
    }
}

/// One Stripe object of one connection.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectKey {
    /// What it is.
    pub kind: ObjectKind,
    /// Its Stripe id.
    pub id: String,
}

impl ObjectKey {
    /// Names an object.
    pub fn new(kind: ObjectKind, id: impl Into<String>) -> Self {
        Self {
            kind,
            id: id.into(),
        }
    }
}

/// What is known of one object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ObjectState {
    /// See [`CustomerState`].
    Customer(CustomerState),
    /// See [`ChargeState`].
    Charge(ChargeState),
    /// See [`IntentState`].
    PaymentIntent(IntentState),
    /// See [`InvoiceState`].
    Invoice(Box<InvoiceState>),
    /// See [`CheckoutState`].
    CheckoutSession(CheckoutState),
    /// A meeting point only; it has no state of its own.
    FirstInvoice,
    /// See [`RefundState`].
    Refund(RefundState),
    /// See [`DisputeState`].
    Dispute(DisputeState),
    /// See [`CreditNoteState`].
    CreditNote(CreditNoteState),
    /// See [`InvoicePaymentState`].
    InvoicePayment(InvoicePaymentState),
    /// See [`SubscriptionState`].
    Subscription(SubscriptionState),
    /// See [`DiscountState`].
    Discount(DiscountState),
    /// See [`PromotionCodeState`].
    PromotionCode(PromotionCodeState),
    /// See [`CouponState`].
    Coupon(CouponState),
}

/// One thing that one event says of one object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// The object.
    pub object: ObjectKey,
    /// What is said of it.
    pub state: ObjectState,
}

impl Fact {
    /// Says something of an object.
    pub fn new(id: impl Into<String>, state: ObjectState) -> Self {
        Self {
            object: ObjectKey::new(state.kind(), id),
            state,
        }
    }
}

impl ObjectState {
    /// The kind of object this is a state of.
    pub const fn kind(&self) -> ObjectKind {
        match self {
            Self::Customer(_) => ObjectKind::Customer,
            Self::Charge(_) => ObjectKind::Charge,
            Self::PaymentIntent(_) => ObjectKind::PaymentIntent,
            Self::Invoice(_) => ObjectKind::Invoice,
            Self::CheckoutSession(_) => ObjectKind::CheckoutSession,
            Self::FirstInvoice => ObjectKind::FirstInvoice,
            Self::Refund(_) => ObjectKind::Refund,
            Self::Dispute(_) => ObjectKind::Dispute,
            Self::CreditNote(_) => ObjectKind::CreditNote,
            Self::InvoicePayment(_) => ObjectKind::InvoicePayment,
            Self::Subscription(_) => ObjectKind::Subscription,
            Self::Discount(_) => ObjectKind::Discount,
            Self::PromotionCode(_) => ObjectKind::PromotionCode,
            Self::Coupon(_) => ObjectKind::Coupon,
        }
    }

    /// A state that says nothing yet, for an object that others only point to.
    pub fn empty(kind: ObjectKind) -> Self {
        match kind {
            ObjectKind::Customer => Self::Customer(CustomerState::default()),
            ObjectKind::Charge => Self::Charge(ChargeState::default()),
            ObjectKind::PaymentIntent => Self::PaymentIntent(IntentState::default()),
            ObjectKind::Invoice => Self::Invoice(Box::default()),
            ObjectKind::CheckoutSession => Self::CheckoutSession(CheckoutState::default()),
            ObjectKind::FirstInvoice => Self::FirstInvoice,
            ObjectKind::Refund => Self::Refund(RefundState::default()),
            ObjectKind::Dispute => Self::Dispute(DisputeState::default()),
            ObjectKind::CreditNote => Self::CreditNote(CreditNoteState::default()),
            ObjectKind::InvoicePayment => Self::InvoicePayment(InvoicePaymentState::default()),
            ObjectKind::Subscription => Self::Subscription(SubscriptionState::default()),
            ObjectKind::Discount => Self::Discount(DiscountState::default()),
            ObjectKind::PromotionCode => Self::PromotionCode(PromotionCodeState::default()),
            ObjectKind::Coupon => Self::Coupon(CouponState::default()),
        }
    }

    /// Takes over what another state of the same object says. States of different kinds
    /// never share a key; should it happen, nothing is taken over.
    pub fn merge(&mut self, other: Self) {
        match (self, other) {
            (Self::Customer(a), Self::Customer(b)) => a.merge(b),
            (Self::Charge(a), Self::Charge(b)) => a.merge(b),
            (Self::PaymentIntent(a), Self::PaymentIntent(b)) => a.merge(b),
            (Self::Invoice(a), Self::Invoice(b)) => a.merge(*b),
            (Self::CheckoutSession(a), Self::CheckoutSession(b)) => a.merge(b),
            (Self::Refund(a), Self::Refund(b)) => a.merge(b),
            (Self::Dispute(a), Self::Dispute(b)) => a.merge(b),
            (Self::CreditNote(a), Self::CreditNote(b)) => a.merge(b),
            (Self::InvoicePayment(a), Self::InvoicePayment(b)) => a.merge(b),
            (Self::Subscription(a), Self::Subscription(b)) => a.merge(b),
            (Self::Discount(a), Self::Discount(b)) => a.merge(b),
            (Self::PromotionCode(a), Self::PromotionCode(b)) => a.merge(b),
            (Self::Coupon(a), Self::Coupon(b)) => a.merge(b),
            _ => {}
        }
    }

    /// The customer this object belongs to, if it names one.
    pub fn customer(&self) -> Option<&CustomerId> {
        match self {
            Self::Charge(s) => s.customer.as_ref(),
            Self::PaymentIntent(s) => s.customer.as_ref(),
            Self::Invoice(s) => s.customer.as_ref(),
            Self::CheckoutSession(s) => s.customer.as_ref(),
            Self::CreditNote(s) => s.customer.as_ref(),
            Self::Subscription(s) => s.customer.as_ref(),
            Self::Discount(s) => s.customer.as_ref(),
            _ => None,
        }
    }

    /// The objects that report the same money as this one, as far as this one says.
    pub fn links(&self) -> Vec<ObjectKey> {
        let mut links = Vec::new();
        let mut push = |kind, id: &str| links.push(ObjectKey::new(kind, id));
        match self {
            Self::Charge(s) => {
                s.payment_intent
                    .iter()
                    .for_each(|id| push(ObjectKind::PaymentIntent, id));
                s.invoice
                    .iter()
                    .for_each(|id| push(ObjectKind::Invoice, id));
            }
            Self::PaymentIntent(s) => {
                s.charges.iter().for_each(|id| push(ObjectKind::Charge, id));
                s.invoice
                    .iter()
                    .for_each(|id| push(ObjectKind::Invoice, id));
            }
            Self::Invoice(s) => {
                s.charges.iter().for_each(|id| push(ObjectKind::Charge, id));
                s.intents
                    .iter()
                    .for_each(|id| push(ObjectKind::PaymentIntent, id));
                s.first_of
                    .iter()
                    .for_each(|id| push(ObjectKind::FirstInvoice, id));
            }
            Self::CheckoutSession(s) => {
                s.payment_intent
                    .iter()
                    .for_each(|id| push(ObjectKind::PaymentIntent, id));
                s.invoice
                    .iter()
                    .for_each(|id| push(ObjectKind::Invoice, id));
                s.subscription
                    .iter()
                    .for_each(|id| push(ObjectKind::FirstInvoice, id));
            }
            Self::Refund(s) => {
                s.charge.iter().for_each(|id| push(ObjectKind::Charge, id));
                s.payment_intent
                    .iter()
                    .for_each(|id| push(ObjectKind::PaymentIntent, id));
            }
            Self::Dispute(s) => {
                s.charge.iter().for_each(|id| push(ObjectKind::Charge, id));
                s.payment_intent
                    .iter()
                    .for_each(|id| push(ObjectKind::PaymentIntent, id));
            }
            Self::CreditNote(s) => {
                s.invoice
                    .iter()
                    .for_each(|id| push(ObjectKind::Invoice, id));
                s.refunds.iter().for_each(|id| push(ObjectKind::Refund, id));
            }
            Self::InvoicePayment(s) => {
                s.invoice
                    .iter()
                    .for_each(|id| push(ObjectKind::Invoice, id));
                s.charge.iter().for_each(|id| push(ObjectKind::Charge, id));
                s.payment_intent
                    .iter()
                    .for_each(|id| push(ObjectKind::PaymentIntent, id));
            }
            _ => {}
        }
        links
    }
}

/// All facts of one connection, folded. The in-memory counterpart of the objects table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct FactBook(#[serde(serialize_with = "as_pairs")] BTreeMap<ObjectKey, ObjectState>);

fn as_pairs<S: serde::Serializer>(
    book: &BTreeMap<ObjectKey, ObjectState>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(book.iter())
}

impl FactBook {
    /// Takes in one fact.
    pub fn fold(&mut self, fact: Fact) {
        match self.0.entry(fact.object) {
            std::collections::btree_map::Entry::Vacant(slot) => {
                slot.insert(fact.state);
            }
            std::collections::btree_map::Entry::Occupied(mut slot) => {
                slot.get_mut().merge(fact.state);
            }
        }
    }

    /// What is known of one object.
    pub fn get(&self, key: &ObjectKey) -> Option<&ObjectState> {
        self.0.get(key)
    }

    /// Every object, in key order.
    pub fn iter(&self) -> impl Iterator<Item = (&ObjectKey, &ObjectState)> {
        self.0.iter()
    }

    /// How many objects are known.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl IntoIterator for FactBook {
    type Item = Fact;
    type IntoIter = std::iter::Map<
        std::collections::btree_map::IntoIter<ObjectKey, ObjectState>,
        fn((ObjectKey, ObjectState)) -> Fact,
    >;

    fn into_iter(self) -> Self::IntoIter {
        self.0
            .into_iter()
            .map(|(object, state)| Fact { object, state })
    }
}

impl Extend<Fact> for FactBook {
    fn extend<I: IntoIterator<Item = Fact>>(&mut self, facts: I) {
        facts.into_iter().for_each(|fact| self.fold(fact));
    }
}
