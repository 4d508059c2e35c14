//! Checkout sessions: who paid, with which reference, and what the session made.

use super::discount::Savings;
use super::reader::{
    Outcome, Path, Reader, amount, currency_for, filled, id, list, readable, time, word,
};
use crate::domain::fact::{CheckoutState, CheckoutStatus, CustomerState, ObjectState};
use crate::domain::ids::CouponId;
use crate::stripe::wire::Checkout;

impl Reader<'_> {
    /// A Checkout session object.
    pub fn checkout(&mut self, wire: &Checkout<'_>, path: &Path<'_>) -> Outcome<Option<String>> {
        let Some(id) = id(&wire.id, &path.field("id"))? else {
            return Ok(None);
        };
        readable(&wire.metadata, &path.field("metadata"))?;
        let total = amount(&wire.amount_total, &path.field("amount_total"))?;
        let created = time(&wire.created, &path.field("created"))?;
        let customer = self.customer_of(&wire.customer, path)?;
        let status = self.checkout_status(wire, path)?;
        let reference_path = path.field("client_reference_id");
        let reference = filled(&wire.client_reference_id, &reference_path)?;
        let email = session_email(wire, path)?;
        let savings = self.session_savings(wire, path)?;
        let intent_path = path.field("payment_intent");
        let subscription_path = path.field("subscription");
        let mut state = CheckoutState {
            status,
            amount_total: total.unwrap_or(0),
            currency: currency_for(&wire.currency, &path.field("currency"), total)?,
            created,
            paid_at: (status == CheckoutStatus::Paid).then_some(self.at()),
            customer: customer.clone(),
            client_reference: reference.clone(),
            payment_intent: self.refer(&wire.payment_intent, &intent_path, Self::intent)?,
            invoice: self.refer(&wire.invoice, &path.field("invoice"), Self::invoice)?,
            subscription: self.refer(&wire.subscription, &subscription_path, Self::subscription)?,
            coupons: savings.coupons,
            promotion_codes: savings.promotion_codes,
            discounts: savings.discounts,
            ..CheckoutState::default()
        };
        match customer {
            Some(customer) => {
                let more = CustomerState {
                    other_emails: email.into_iter().collect(),
                    client_references: reference.into_iter().collect(),
                    ..CustomerState::default()
                };
                self.sighting(&customer, created, more);
            }
            None => state.emails.extend(email),
        }
        self.push(id.as_str(), ObjectState::CheckoutSession(state));
        Ok(Some(id))
    }

    fn checkout_status(&self, wire: &Checkout<'_>, path: &Path<'_>) -> Outcome<CheckoutStatus> {
        let status = word(&wire.status, &path.field("status"))?;
        let payment = word(&wire.payment_status, &path.field("payment_status"))?;
        let event = |event_type| path.is_root() && self.event_type == event_type;
        Ok(match (payment, status) {
            (Some("paid"), _) => CheckoutStatus::Paid,
            (_, Some("expired")) => CheckoutStatus::Expired,
            _ if event("checkout.session.expired") => CheckoutStatus::Expired,
            _ if event("checkout.session.async_payment_failed") => CheckoutStatus::Failed,
            // Said of open sessions too, which may still be abandoned.
            (Some("no_payment_required"), status) if status != Some("open") => {
                CheckoutStatus::NothingToPay
            }
            _ => CheckoutStatus::Unpaid,
        })
    }

    /// `discounts` (from 2025-01-27) and, when expanded, `total_details.breakdown`.
    fn session_savings(&mut self, wire: &Checkout<'_>, path: &Path<'_>) -> Outcome<Savings> {
        let mut savings = Savings::default();
        let discounts_path = path.field("discounts");
        for (index, item) in list(&wire.discounts, &discounts_path)?.iter().enumerate() {
            let item_path = discounts_path.index(index);
            let coupon = self.refer(&item.coupon, &item_path.field("coupon"), Self::coupon)?;
            savings.coupons.extend(coupon.map(CouponId::from));
            let code_path = item_path.field("promotion_code");
            let code = self.refer(&item.promotion_code, &code_path, Self::promotion_code)?;
            savings.promotion_codes.extend(code);
        }
        let details = wire.total_details.0.as_deref();
        if let Some(breakdown) = details.and_then(|d| d.breakdown.0.as_deref()) {
            let details_path = path.field("total_details");
            let breakdown_path = details_path.field("breakdown");
            let items_path = breakdown_path.field("discounts");
            let items = list(&breakdown.discounts, &items_path)?;
            for (index, item) in items.iter().enumerate() {
                let item_path = items_path.index(index);
                self.saving(&item.discount, &item_path.field("discount"), &mut savings)?;
            }
        }
        Ok(savings)
    }
}

/// `customer_details.email`, what the buyer typed; else `customer_email`, what was prefilled.
fn session_email(wire: &Checkout<'_>, path: &Path<'_>) -> Outcome<Option<String>> {
    if let Some(details) = wire.customer_details.0.as_deref() {
        let details_path = path.field("customer_details");
        if let Some(email) = filled(&details.email, &details_path.field("email"))? {
            return Ok(Some(email));
        }
    }
    filled(&wire.customer_email, &path.field("customer_email"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::fact::ObjectKind;
    use crate::stripe::normalize::testing::state;

    #[test]
    fn how_far_a_session_got() {
        use CheckoutStatus::{Expired, Failed, NothingToPay, Paid, Unpaid};
        let completed = "checkout.session.completed";
        let failed = "checkout.session.async_payment_failed";
        let expired = "checkout.session.expired";
        let free = "no_payment_required";
        let cases = [
            (
                completed,
                json!({"payment_status": "paid", "status": "complete"}),
                Paid,
            ),
            (
                completed,
                json!({"payment_status": "unpaid", "status": "complete"}),
                Unpaid,
            ),
            (
                completed,
                json!({"payment_status": free, "status": "complete"}),
                NothingToPay,
            ),
            (completed, json!({"payment_status": free}), NothingToPay),
            (
                completed,
                json!({"payment_status": free, "status": "open"}),
                Unpaid,
            ),
            (completed, json!({"payment_status": "of tomorrow"}), Unpaid),
            (completed, json!({}), Unpaid),
            (
                failed,
                json!({"payment_status": "unpaid", "status": "complete"}),
                Failed,
            ),
            (expired, json!({"payment_status": "unpaid"}), Expired),
            (
                expired,
                json!({"payment_status": free, "status": "expired"}),
                Expired,
            ),
        ];
        for (event_type, mut object, expected) in cases {
            object["id"] = "cs_1".into();
            let kind = ObjectKind::CheckoutSession;
            let ObjectState::CheckoutSession(session) = state(event_type, &object, kind) else {
                panic!("{object}")
            };
            assert_eq!(session.status, expected, "{event_type} {object}");
        }
    }
}
