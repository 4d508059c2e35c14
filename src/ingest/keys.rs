//! The values by which customers can be found, as facts show them. Pure.

use crate::domain::email::CanonicalEmail;
use crate::domain::fact::{CustomerState, ObjectKind, ObjectState};
use crate::domain::ids::CouponId;
use crate::payments::PaymentRecord;
use crate::store::customer_keys::KeyKind;

/// One value, and what it is.
pub(super) type Key = (KeyKind, String);

/// By a payment: the coupons it used, and a guest's emails.
pub(super) fn keys_of_record(record: &PaymentRecord) -> Vec<Key> {
    let mut keys = coupon_keys(&record.coupons, &record.promotion_codes, &record.discounts);
    keys.extend(record.guest_emails.iter().flat_map(email_keys));
    keys
}

/// By the customer itself: emails, metadata, references.
pub(super) fn keys_of_customer(state: &CustomerState) -> Vec<Key> {
    let emails = state.emails().filter_map(CanonicalEmail::parse);
    let mut keys: Vec<_> = emails.flat_map(|email| email_keys(&email)).collect();
    for (name, seen) in &state.metadata {
        let values = seen.values().map(str::to_owned);
        keys.extend(values.map(|value| (KeyKind::Metadata(name.clone()), value)));
    }
    let references = state.client_references.iter().cloned();
    keys.extend(references.map(|value| (KeyKind::Reference, value)));
    keys
}

/// An email that is its own folded form is not stored a second time as such.
fn email_keys(email: &CanonicalEmail) -> impl Iterator<Item = Key> + use<> {
    let folded = Some(email.folded()).filter(|folded| folded != email.as_str());
    let folded = folded.map(|folded| (KeyKind::FoldedEmail, folded));
    [(KeyKind::Email, email.as_str().to_owned())]
        .into_iter()
        .chain(folded)
}

/// By what makes a bill cheaper.
pub(super) fn coupon_keys<'a>(
    coupons: impl IntoIterator<Item = &'a CouponId>,
    codes: impl IntoIterator<Item = &'a String>,
    discounts: impl IntoIterator<Item = &'a String>,
) -> Vec<Key> {
    let coupons = coupons
        .into_iter()
        .map(|id| (KeyKind::Coupon, id.as_str().to_owned()));
    let codes = codes
        .into_iter()
        .map(|code| (KeyKind::PromotionCode, code.clone()));
    let discounts = discounts
        .into_iter()
        .map(|id| (KeyKind::Discount, id.clone()));
    coupons.chain(codes).chain(discounts).collect()
}

/// The key under which the customers of a discount or promotion code are found.
pub(super) const fn source_kind(kind: ObjectKind) -> Option<KeyKind> {
    match kind {
        ObjectKind::Discount => Some(KeyKind::Discount),
        ObjectKind::PromotionCode => Some(KeyKind::PromotionCode),
        _ => None,
    }
}

/// The coupon that a discount or promotion code leads to, so that its customers can be found
/// by the coupon as well.
pub(super) fn coupon_of(state: &ObjectState) -> Option<String> {
    let coupon = match state {
        ObjectState::Discount(state) => state.coupon.as_ref(),
        ObjectState::PromotionCode(state) => state.coupon.as_ref(),
        _ => None,
    };
    coupon.map(|coupon| coupon.as_str().to_owned())
}
