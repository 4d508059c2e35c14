//! Refunds, disputes and credit notes: money that goes back, or may.

use std::collections::BTreeSet;

use super::reader::{Outcome, Path, Reader, amount, currency_for, id, list, readable, time, word};
use crate::domain::fact::{
    CreditNoteState, CustomerState, DisputeState, DisputeStatus, ObjectState, RefundState,
    RefundStatus,
};
use crate::stripe::wire::{CreditNote, Dispute, Refund};

impl Reader<'_> {
    /// A refund object.
    pub fn refund(&mut self, wire: &Refund<'_>, path: &Path<'_>) -> Outcome<Option<String>> {
        self.refund_of(wire, path, None)
    }

    /// A refund object, found on a charge that it may not name itself. The oldest API gave
    /// refunds no id: those are left to the charge's `amount_refunded`.
    pub fn refund_of(
        &mut self,
        wire: &Refund<'_>,
        path: &Path<'_>,
        charge: Option<&str>,
    ) -> Outcome<Option<String>> {
        let Some(id) = id(&wire.id, &path.field("id"))? else {
            return Ok(None);
        };
        readable(&wire.metadata, &path.field("metadata"))?;
        let given = amount(&wire.amount, &path.field("amount"))?;
        let named = self.refer(&wire.charge, &path.field("charge"), Self::charge)?;
        let intent_path = path.field("payment_intent");
        let state = RefundState {
            status: self.refund_status(wire, path)?,
            amount: given.unwrap_or(0),
            currency: currency_for(&wire.currency, &path.field("currency"), given)?,
            created: time(&wire.created, &path.field("created"))?,
            charge: named.or_else(|| charge.map(str::to_owned)),
            payment_intent: self.refer(&wire.payment_intent, &intent_path, Self::intent)?,
        };
        self.push(id.as_str(), ObjectState::Refund(state));
        Ok(Some(id))
    }

    fn refund_status(&self, wire: &Refund<'_>, path: &Path<'_>) -> Outcome<RefundStatus> {
        if path.is_root() && self.event_type == "refund.failed" {
            return Ok(RefundStatus::Failed);
        }
        Ok(match word(&wire.status, &path.field("status"))? {
            // Before 2014 a refund had no status: it was done once it existed.
            None | Some("succeeded") => RefundStatus::Succeeded,
            Some("failed") => RefundStatus::Failed,
            Some("canceled") => RefundStatus::Canceled,
            Some(_) => RefundStatus::Pending,
        })
    }

    /// A dispute object. That funds moved is said by the event's type alone.
    pub fn dispute(&mut self, wire: &Dispute<'_>, path: &Path<'_>) -> Outcome<Option<String>> {
        let charge = self.refer(&wire.charge, &path.field("charge"), Self::charge)?;
        // In the oldest API a dispute had no id: there was one for a charge.
        let named = id(&wire.id, &path.field("id"))?;
        let Some(id) = named.or_else(|| Some(format!("legacy:{}", charge.as_deref()?))) else {
            return Ok(None);
        };
        readable(&wire.metadata, &path.field("metadata"))?;
        let disputed = amount(&wire.amount, &path.field("amount"))?;
        let moved = |event_type| {
            let says_so = path.is_root() && self.event_type == event_type;
            says_so.then(|| self.stamp.clone())
        };
        let (withdrawn, reinstated) = (
            moved("charge.dispute.funds_withdrawn"),
            moved("charge.dispute.funds_reinstated"),
        );
        let intent_path = path.field("payment_intent");
        let state = DisputeState {
            status: dispute_status(word(&wire.status, &path.field("status"))?),
            amount: disputed.unwrap_or(0),
            currency: currency_for(&wire.currency, &path.field("currency"), disputed)?,
            created: time(&wire.created, &path.field("created"))?,
            charge,
            payment_intent: self.refer(&wire.payment_intent, &intent_path, Self::intent)?,
            withdrawn,
            reinstated,
        };
        self.push(id.as_str(), ObjectState::Dispute(state));
        Ok(Some(id))
    }

    /// A credit note object, with its refunds if they came along.
    pub fn credit_note(
        &mut self,
        wire: &CreditNote<'_>,
        path: &Path<'_>,
    ) -> Outcome<Option<String>> {
        let Some(id) = id(&wire.id, &path.field("id"))? else {
            return Ok(None);
        };
        readable(&wire.metadata, &path.field("metadata"))?;
        let customer = self.customer_of(&wire.customer, path)?;
        let created = time(&wire.created, &path.field("created"))?;
        let mut refunds = BTreeSet::new();
        refunds.extend(self.refer(&wire.refund, &path.field("refund"), Self::refund)?);
        let refunds_path = path.field("refunds");
        for (index, item) in list(&wire.refunds, &refunds_path)?.iter().enumerate() {
            let item_path = refunds_path.index(index);
            let refund_path = item_path.field("refund");
            refunds.extend(self.refer(&item.refund, &refund_path, Self::refund)?);
        }
        let status = word(&wire.status, &path.field("status"))?;
        let state = CreditNoteState {
            customer: customer.clone(),
            invoice: self.refer(&wire.invoice, &path.field("invoice"), Self::invoice)?,
            refunds,
            voided: status == Some("void")
                || (path.is_root() && self.event_type == "credit_note.voided"),
        };
        if let Some(customer) = customer {
            self.sighting(&customer, created, CustomerState::default());
        }
        self.push(id.as_str(), ObjectState::CreditNote(state));
        Ok(Some(id))
    }
}

/// Statuses not known yet count as open: the money is at stake.
fn dispute_status(status: Option<&str>) -> DisputeStatus {
    match status {
        Some("won") => DisputeStatus::Won,
        Some("lost") => DisputeStatus::Lost,
        // `charge_refunded` (until 2020): closed because the money had been refunded; the
        // refund takes it, not the dispute.
        Some("prevented" | "charge_refunded") => DisputeStatus::Prevented,
        Some(text) if text.starts_with("warning_") => DisputeStatus::Inquiry,
        _ => DisputeStatus::Open,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::fact::ObjectKind;
    use crate::stripe::normalize::testing::state;

    #[test]
    fn how_far_a_dispute_got() {
        let cases = [
            (Some("warning_needs_response"), DisputeStatus::Inquiry),
            (Some("warning_closed"), DisputeStatus::Inquiry),
            (Some("needs_response"), DisputeStatus::Open),
            (Some("of tomorrow"), DisputeStatus::Open),
            (None, DisputeStatus::Open),
            (Some("won"), DisputeStatus::Won),
            (Some("lost"), DisputeStatus::Lost),
            (Some("prevented"), DisputeStatus::Prevented),
            (Some("charge_refunded"), DisputeStatus::Prevented),
        ];
        for (status, expected) in cases {
            assert_eq!(dispute_status(status), expected, "{status:?}");
        }
    }

    #[test]
    fn how_far_a_refund_got() {
        let cases = [
            (json!("pending"), RefundStatus::Pending),
            (json!("requires_action"), RefundStatus::Pending),
            (json!("of tomorrow"), RefundStatus::Pending),
            (json!("succeeded"), RefundStatus::Succeeded),
            (json!(null), RefundStatus::Succeeded),
            (json!("failed"), RefundStatus::Failed),
            (json!("canceled"), RefundStatus::Canceled),
        ];
        for (status, expected) in cases {
            let object = json!({"id": "re_1", "status": status});
            let ObjectState::Refund(refund) = state("refund.updated", &object, ObjectKind::Refund)
            else {
                panic!("{object}")
            };
            assert_eq!(refund.status, expected, "{object}");
        }
    }

    #[test]
    fn only_the_events_type_says_that_funds_moved() {
        let object = json!({"id": "dp_1", "status": "lost"});
        let moved = |event_type| match state(event_type, &object, ObjectKind::Dispute) {
            ObjectState::Dispute(d) => (d.withdrawn.is_some(), d.reinstated.is_some()),
            other => panic!("{other:?}"),
        };
        assert_eq!(moved("charge.dispute.closed"), (false, false));
        assert_eq!(moved("charge.dispute.funds_withdrawn"), (true, false));
        assert_eq!(moved("charge.dispute.funds_reinstated"), (false, true));
    }
}
