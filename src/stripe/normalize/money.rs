//! Charges and payment intents: what was taken, and what it belongs to.

use std::collections::BTreeSet;

use super::reader::{
    Outcome, Path, Reader, amount, currency_for, filled, flag, id, list, readable, time, word,
};
use crate::domain::fact::{
    ChargeState, ChargeStatus, CustomerState, IntentState, IntentStatus, ObjectState,
};
use crate::stripe::wire::{Charge, Intent};

impl Reader<'_> {
    /// A charge object, with its refunds if they came along.
    pub fn charge(&mut self, wire: &Charge<'_>, path: &Path<'_>) -> Outcome<Option<String>> {
        let Some(id) = id(&wire.id, &path.field("id"))? else {
            return Ok(None);
        };
        readable(&wire.metadata, &path.field("metadata"))?;
        let asked = amount(&wire.amount, &path.field("amount"))?;
        let created = time(&wire.created, &path.field("created"))?;
        let customer = self.customer_of(&wire.customer, path)?;
        let status = charge_status(wire, path)?;
        // Absent in the oldest API, where every charge that went through was captured.
        let captured = flag(&wire.captured, &path.field("captured"))?;
        let captured = captured.unwrap_or(status == ChargeStatus::Succeeded);
        let refunded = amount(&wire.amount_refunded, &path.field("amount_refunded"))?;
        let refunded = refunded.unwrap_or(0);
        let taken = amount(&wire.amount_captured, &path.field("amount_captured"))?;
        let taken = taken.map(|taken| before_release(asked.unwrap_or(0), taken, refunded));
        let billing = match wire.billing_details.0.as_deref() {
            Some(details) => {
                let details_path = path.field("billing_details");
                filled(&details.email, &details_path.field("email"))?
            }
            None => None,
        };
        let receipt = filled(&wire.receipt_email, &path.field("receipt_email"))?;
        let intent_path = path.field("payment_intent");
        let state = ChargeState {
            status,
            captured,
            amount: asked.unwrap_or(0),
            amount_captured: taken,
            amount_refunded: refunded,
            currency: currency_for(&wire.currency, &path.field("currency"), asked)?,
            created,
            customer: customer.clone(),
            payment_intent: self.refer(&wire.payment_intent, &intent_path, Self::intent)?,
            invoice: self.refer(&wire.invoice, &path.field("invoice"), Self::invoice)?,
            billing_emails: billing.into_iter().collect(),
            receipt_emails: receipt.into_iter().collect(),
        };
        let refunds_path = path.field("refunds");
        let refunds = list(&wire.refunds, &refunds_path)?;
        let refunds_path = refunds_path.field("data");
        for (index, refund) in refunds.iter().enumerate() {
            self.refund_of(refund, &refunds_path.index(index), Some(&id))?;
        }
        self.refer(&wire.dispute, &path.field("dispute"), Self::dispute)?;
        if let Some(customer) = customer {
            self.sighting(&customer, created, CustomerState::default());
        }
        self.push(id.as_str(), ObjectState::Charge(state));
        Ok(Some(id))
    }

    /// A payment intent object, with its charges if they came along.
    pub fn intent(&mut self, wire: &Intent<'_>, path: &Path<'_>) -> Outcome<Option<String>> {
        let Some(id) = id(&wire.id, &path.field("id"))? else {
            return Ok(None);
        };
        readable(&wire.metadata, &path.field("metadata"))?;
        let asked = amount(&wire.amount, &path.field("amount"))?;
        let received = amount(&wire.amount_received, &path.field("amount_received"))?;
        let created = time(&wire.created, &path.field("created"))?;
        let customer = self.customer_of(&wire.customer, path)?;
        let status = self.intent_status(wire, path)?;
        let paid = status == IntentStatus::Succeeded;
        let receipt = filled(&wire.receipt_email, &path.field("receipt_email"))?;
        let state = IntentState {
            status,
            amount: asked.unwrap_or(0),
            amount_received: received.or(asked.filter(|_| paid)).unwrap_or(0),
            currency: currency_for(&wire.currency, &path.field("currency"), asked)?,
            created,
            succeeded_at: paid.then_some(self.at()),
            customer: customer.clone(),
            charges: self.charges_of(wire, path)?,
            invoice: self.invoice_of(wire, path)?,
            receipt_emails: receipt.into_iter().collect(),
        };
        if let Some(customer) = customer {
            self.sighting(&customer, created, CustomerState::default());
        }
        self.push(id.as_str(), ObjectState::PaymentIntent(state));
        Ok(Some(id))
    }

    fn intent_status(&self, wire: &Intent<'_>, path: &Path<'_>) -> Outcome<IntentStatus> {
        let failed = wire.last_payment_error.0.is_some()
            || (path.is_root() && self.event_type == "payment_intent.payment_failed");
        Ok(match word(&wire.status, &path.field("status"))? {
            Some("succeeded") => IntentStatus::Succeeded,
            Some("canceled") => IntentStatus::Canceled,
            Some("requires_capture") => IntentStatus::RequiresCapture,
            // `requires_source` until 2019-02-11.
            Some("requires_payment_method" | "requires_source") if failed => {
                IntentStatus::AttemptFailed
            }
            _ => IntentStatus::Started,
        })
    }

    /// Every charge that an intent names: the latest, all of them, the one that failed.
    fn charges_of(&mut self, wire: &Intent<'_>, path: &Path<'_>) -> Outcome<BTreeSet<String>> {
        let mut charges = BTreeSet::new();
        let latest = path.field("latest_charge");
        charges.extend(self.refer(&wire.latest_charge, &latest, Self::charge)?);
        let charges_path = path.field("charges");
        let items = list(&wire.charges, &charges_path)?;
        let charges_path = charges_path.field("data");
        for (index, charge) in items.iter().enumerate() {
            charges.extend(self.charge(charge, &charges_path.index(index))?);
        }
        if let Some(error) = wire.last_payment_error.0.as_deref() {
            let error_path = path.field("last_payment_error");
            let charge_path = error_path.field("charge");
            charges.extend(self.refer(&error.charge, &charge_path, Self::charge)?);
        }
        Ok(charges)
    }

    /// The invoice an intent names: `invoice`, else an order reference that is an invoice.
    fn invoice_of(&mut self, wire: &Intent<'_>, path: &Path<'_>) -> Outcome<Option<String>> {
        let invoice = self.refer(&wire.invoice, &path.field("invoice"), Self::invoice)?;
        let Some(details) = wire
            .payment_details
            .0
            .as_deref()
            .filter(|_| invoice.is_none())
        else {
            return Ok(invoice);
        };
        let details_path = path.field("payment_details");
        let reference = filled(
            &details.order_reference,
            &details_path.field("order_reference"),
        )?;
        // Merchants put their own references here too; those are not ours to judge.
        Ok(reference
            .filter(|text| text.starts_with("in_") && crate::stripe::envelope::is_usable_id(text)))
    }
}

/// What was taken, in the terms in which refunds are told.
///
/// Capturing a part gives the rest back as a refund: it is contained in `amount_refunded`
/// and may come as a refund object too, while `amount_captured` is without it. Taking the
/// whole amount as taken keeps the two from subtracting the rest twice. Source: Stripe,
/// "Place a hold on a payment method"; seen in charges with `amount_refunded` equal to
/// `amount - amount_captured` right after the capture.
fn before_release(asked: i64, taken: i64, refunded: i64) -> i64 {
    let rest = asked.saturating_sub(taken);
    if taken > 0 && rest > 0 && refunded >= rest {
        asked
    } else {
        taken
    }
}

/// `status`, in the oldest API `paid`; statuses not known yet count as on their way.
fn charge_status(wire: &Charge<'_>, path: &Path<'_>) -> Outcome<ChargeStatus> {
    let paid = flag(&wire.paid, &path.field("paid"))?;
    Ok(match word(&wire.status, &path.field("status"))? {
        Some("succeeded" | "paid") => ChargeStatus::Succeeded,
        Some("failed") => ChargeStatus::Failed,
        None if paid == Some(true) => ChargeStatus::Succeeded,
        None if paid == Some(false) => ChargeStatus::Failed,
        _ => ChargeStatus::Pending,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::fact::ObjectKind;
    use crate::stripe::normalize::testing::state;

    #[test]
    fn how_far_a_charge_got() {
        use ChargeStatus::{Failed, Pending, Succeeded};
        let cases = [
            (json!({"status": "succeeded"}), (Succeeded, true)),
            (
                json!({"status": "succeeded", "captured": false}),
                (Succeeded, false),
            ),
            (json!({"status": "paid"}), (Succeeded, true)),
            (json!({"paid": true}), (Succeeded, true)),
            (json!({"paid": false}), (Failed, false)),
            (json!({"status": "failed", "paid": true}), (Failed, false)),
            (
                json!({"status": "pending", "captured": true}),
                (Pending, true),
            ),
            (
                json!({"status": "of tomorrow", "paid": true}),
                (Pending, false),
            ),
        ];
        for (mut object, expected) in cases {
            object["id"] = "ch_1".into();
            let ObjectState::Charge(charge) = state("charge.updated", &object, ObjectKind::Charge)
            else {
                panic!("{object}")
            };
            assert_eq!((charge.status, charge.captured), expected, "{object}");
        }
    }

    #[test]
    fn how_far_an_intent_got() {
        use IntentStatus::{AttemptFailed, Canceled, RequiresCapture, Started, Succeeded};
        let error = json!({"code": "card_declined"});
        let cases = [
            (
                json!({"status": "succeeded", "last_payment_error": error}),
                Succeeded,
            ),
            (json!({"status": "canceled"}), Canceled),
            (json!({"status": "requires_capture"}), RequiresCapture),
            (json!({"status": "requires_payment_method"}), Started),
            (
                json!({"status": "requires_payment_method", "last_payment_error": error}),
                AttemptFailed,
            ),
            (
                json!({"status": "requires_source", "last_payment_error": error}),
                AttemptFailed,
            ),
            (
                json!({"status": "processing", "last_payment_error": error}),
                Started,
            ),
            (json!({"status": "of tomorrow"}), Started),
        ];
        for (mut object, expected) in cases {
            object["id"] = "pi_1".into();
            let kind = ObjectKind::PaymentIntent;
            let ObjectState::PaymentIntent(intent) = state("payment_intent.created", &object, kind)
            else {
                panic!("{object}")
            };
            assert_eq!(intent.status, expected, "{object}");
            assert_eq!(intent.succeeded_at.is_some(), expected == Succeeded);
        }
    }

    #[test]
    fn the_rest_of_a_partial_capture_is_taken_off_once() {
        assert_eq!(before_release(5000, 3000, 2000), 5000, "5000 - 2000 stay");
        assert_eq!(
            before_release(5000, 3000, 0),
            3000,
            "more may be captured later"
        );
        assert_eq!(before_release(5000, 0, 5000), 0, "released without capture");
        assert_eq!(before_release(5000, 5000, 2000), 5000);
    }
}
