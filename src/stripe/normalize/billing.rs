//! Subscriptions, and the payments of invoices (from 2025-03-31).

use super::discount::Savings;
use super::reader::{Outcome, Path, Reader, amount, filled, id, list, readable, time, word};
use crate::domain::fact::{
    CustomerState, InvoicePaymentState, ObjectState, Seen, SubscriptionState,
};
use crate::stripe::wire::{InvoicePayment, Subscription};

/// What pays an invoice.
#[derive(Debug, Default)]
pub struct PaidWith {
    /// The invoice payment's own id.
    pub id: Option<String>,
    /// A charge.
    pub charge: Option<String>,
    /// A payment intent.
    pub payment_intent: Option<String>,
    /// Minor units that did not go through Stripe.
    pub outside: i64,
}

impl Reader<'_> {
    /// A subscription object.
    pub fn subscription(
        &mut self,
        wire: &Subscription<'_>,
        path: &Path<'_>,
    ) -> Outcome<Option<String>> {
        let Some(id) = id(&wire.id, &path.field("id"))? else {
            return Ok(None);
        };
        readable(&wire.metadata, &path.field("metadata"))?;
        let customer = self.customer_of(&wire.customer, path)?;
        let created = time(&wire.created, &path.field("created"))?;
        let status = filled(&wire.status, &path.field("status"))?;
        let mut savings = Savings::default();
        self.saving(&wire.discount, &path.field("discount"), &mut savings)?;
        self.savings(&wire.discounts, &path.field("discounts"), &mut savings)?;
        let items_path = path.field("items");
        let items = list(&wire.items, &items_path)?;
        let items_path = items_path.field("data");
        for (index, item) in items.iter().enumerate() {
            let item_path = items_path.index(index);
            self.savings(&item.discounts, &item_path.field("discounts"), &mut savings)?;
        }
        let invoice_path = path.field("latest_invoice");
        self.refer(&wire.latest_invoice, &invoice_path, Self::invoice)?;
        let state = SubscriptionState {
            customer: customer.clone(),
            created,
            status: status.map_or_else(Seen::default, |s| Seen::once(s, self.stamp.clone())),
            coupons: savings.coupons,
            promotion_codes: savings.promotion_codes,
            discounts: savings.discounts,
        };
        if let Some(customer) = customer {
            self.sighting(&customer, created, CustomerState::default());
        }
        self.push(id.as_str(), ObjectState::Subscription(state));
        Ok(Some(id))
    }

    /// The object of `invoice_payment.*`.
    pub fn invoice_payment(
        &mut self,
        wire: &InvoicePayment<'_>,
        path: &Path<'_>,
    ) -> Outcome<Option<String>> {
        Ok(self.paid_with(wire, path, None)?.id)
    }

    /// An invoice payment object, found on an invoice that it may not name itself.
    ///
    /// One that was canceled says nothing of what it would have been paid with: its intent
    /// may go on to pay something else.
    pub fn paid_with(
        &mut self,
        wire: &InvoicePayment<'_>,
        path: &Path<'_>,
        invoice: Option<&str>,
    ) -> Outcome<PaidWith> {
        let Some(id) = id(&wire.id, &path.field("id"))? else {
            return Ok(PaidWith::default());
        };
        let named = self.refer(&wire.invoice, &path.field("invoice"), Self::invoice)?;
        let status = word(&wire.status, &path.field("status"))?;
        let paid = amount(&wire.amount_paid, &path.field("amount_paid"))?;
        let mut with = PaidWith::default();
        if let Some(by) = wire
            .payment
            .0
            .as_deref()
            .filter(|_| status != Some("canceled"))
        {
            let by_path = path.field("payment");
            with.charge = self.refer(&by.charge, &by_path.field("charge"), Self::charge)?;
            let intent_path = by_path.field("payment_intent");
            with.payment_intent = self.refer(&by.payment_intent, &intent_path, Self::intent)?;
            let record_path = by_path.field("payment_record");
            let record = self.refer_named(&by.payment_record, &record_path)?;
            if record.is_some() && status == Some("paid") {
                with.outside = paid.unwrap_or(0);
            }
        }
        let state = InvoicePaymentState {
            invoice: named.or_else(|| invoice.map(str::to_owned)),
            charge: with.charge.clone(),
            payment_intent: with.payment_intent.clone(),
            paid_outside: with.outside,
        };
        self.push(id.as_str(), ObjectState::InvoicePayment(state));
        with.id = Some(id);
        Ok(with)
    }
}
