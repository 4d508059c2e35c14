//! Invoices: how far they got, what they ask for, and with which money they were paid.

use std::collections::BTreeSet;

use super::discount::Savings;
use super::reader::{
    Outcome, Path, Reader, amount, bad_amount, currency_for, filled, flag, id, list, readable, sum,
    time, word,
};
use crate::domain::fact::{
    CustomerState, Figures, InvoiceLine, InvoiceState, InvoiceStatus, ObjectState, Ranked,
};
use crate::domain::time::Timestamp;
use crate::stripe::wire::{Invoice, Line};

/// The charges and intents that an invoice names, and what came in past Stripe.
#[derive(Default)]
struct Payers {
    charges: BTreeSet<String>,
    intents: BTreeSet<String>,
    outside: i64,
}

impl Reader<'_> {
    /// An invoice object.
    pub fn invoice(&mut self, wire: &Invoice<'_>, path: &Path<'_>) -> Outcome<Option<String>> {
        let Some(id) = id(&wire.id, &path.field("id"))? else {
            return Ok(None);
        };
        readable(&wire.metadata, &path.field("metadata"))?;
        if flag(&wire.deleted, &path.field("deleted"))? == Some(true) {
            // A deleted draft in its short form: it never asked for anything.
            self.push(id.as_str(), ObjectState::Invoice(Box::default()));
            return Ok(Some(id));
        }
        let status = invoice_status(wire, path)?;
        let created =
            time(&wire.created, &path.field("created"))?.or(time(&wire.date, &path.field("date"))?);
        let customer = self.customer_of(&wire.customer, path)?;
        let email = filled(&wire.customer_email, &path.field("customer_email"))?;
        let payers = self.payers(wire, path, &id)?;
        let (amount_paid, paid_outside) = paid(wire, path, status, &payers)?;
        let subscription = self.subscription_of(wire, path)?;
        let reason = word(&wire.billing_reason, &path.field("billing_reason"))?;
        let first = reason == Some("subscription_create");
        let mut savings = self.invoice_savings(wire, path)?;
        let figures = self.figures(wire, path, &mut savings)?;
        let asked = [figures.total, amount_paid, paid_outside];
        let asked = asked.into_iter().find(|amount| *amount != 0);
        let mut state = InvoiceState {
            status,
            amount_paid,
            paid_outside,
            currency: currency_for(&wire.currency, &path.field("currency"), asked)?,
            figures: Some(Ranked {
                rank: status,
                stamp: self.stamp.clone(),
                value: figures,
            }),
            created,
            paid_at: self.paid_at(wire, path, status)?,
            customer: customer.clone(),
            first_of: subscription.clone().filter(|_| first),
            subscription,
            charges: payers.charges,
            intents: payers.intents,
            coupons: savings.coupons,
            promotion_codes: savings.promotion_codes,
            discounts: savings.discounts,
            ..InvoiceState::default()
        };
        match customer {
            Some(customer) => {
                let more = CustomerState {
                    other_emails: email.into_iter().collect(),
                    ..CustomerState::default()
                };
                self.sighting(&customer, created, more);
            }
            None => state.emails.extend(email),
        }
        self.push(id.as_str(), ObjectState::Invoice(Box::new(state)));
        Ok(Some(id))
    }

    fn paid_at(
        &self,
        wire: &Invoice<'_>,
        path: &Path<'_>,
        status: InvoiceStatus,
    ) -> Outcome<Option<Timestamp>> {
        if status != InvoiceStatus::Paid {
            return Ok(None);
        }
        let transitions_path = path.field("status_transitions");
        let said = match wire.status_transitions.0.as_deref() {
            Some(transitions) => time(&transitions.paid_at, &transitions_path.field("paid_at"))?,
            None => None,
        };
        Ok(Some(said.unwrap_or(self.at())))
    }

    /// `charge`, `payment_intent` (both until 2025-03-31) and `payments` (since, if expanded).
    fn payers(&mut self, wire: &Invoice<'_>, path: &Path<'_>, id: &str) -> Outcome<Payers> {
        let mut payers = Payers::default();
        let charge = self.refer(&wire.charge, &path.field("charge"), Self::charge)?;
        payers.charges.extend(charge);
        let intent_path = path.field("payment_intent");
        let intent = self.refer(&wire.payment_intent, &intent_path, Self::intent)?;
        payers.intents.extend(intent);
        let payments_path = path.field("payments");
        let payments = list(&wire.payments, &payments_path)?;
        let payments_path = payments_path.field("data");
        for (index, payment) in payments.iter().enumerate() {
            let with = self.paid_with(payment, &payments_path.index(index), Some(id))?;
            payers.charges.extend(with.charge);
            payers.intents.extend(with.payment_intent);
            let outside = payers.outside.checked_add(with.outside);
            payers.outside = outside.ok_or_else(|| bad_amount(&payments_path))?;
        }
        Ok(payers)
    }

    /// `subscription` (until 2025-03-31), else `parent.subscription_details.subscription`.
    fn subscription_of(&mut self, wire: &Invoice<'_>, path: &Path<'_>) -> Outcome<Option<String>> {
        let old_path = path.field("subscription");
        let old = self.refer(&wire.subscription, &old_path, Self::subscription)?;
        let parent = wire.parent.0.as_deref();
        let Some(details) = parent.and_then(|p| p.subscription_details.0.as_deref()) else {
            return Ok(old);
        };
        let parent_path = path.field("parent");
        let details_path = parent_path.field("subscription_details");
        let new_path = details_path.field("subscription");
        let new = self.refer(&details.subscription, &new_path, Self::subscription)?;
        Ok(new.or(old))
    }

    fn invoice_savings(&mut self, wire: &Invoice<'_>, path: &Path<'_>) -> Outcome<Savings> {
        let mut savings = Savings::default();
        self.saving(&wire.discount, &path.field("discount"), &mut savings)?;
        self.savings(&wire.discounts, &path.field("discounts"), &mut savings)?;
        let amounts_path = path.field("total_discount_amounts");
        let amounts = list(&wire.total_discount_amounts, &amounts_path)?;
        for (index, item) in amounts.iter().enumerate() {
            let item_path = amounts_path.index(index);
            self.saving(&item.discount, &item_path.field("discount"), &mut savings)?;
        }
        Ok(savings)
    }

    fn figures(
        &mut self,
        wire: &Invoice<'_>,
        path: &Path<'_>,
        savings: &mut Savings,
    ) -> Outcome<Figures> {
        let total = amount(&wire.total, &path.field("total"))?.unwrap_or(0);
        let lines_path = path.field("lines");
        let items = list(&wire.lines, &lines_path)?;
        let lines_path = lines_path.field("data");
        let mut lines = Vec::with_capacity(items.len());
        for (index, line) in items.iter().enumerate() {
            lines.push(self.line(line, &lines_path.index(index), savings)?);
        }
        Ok(Figures {
            total,
            net: net(wire, path, total)?,
            lines,
            lines_truncated: wire.lines.truncated,
        })
    }

    fn line(
        &mut self,
        wire: &Line<'_>,
        path: &Path<'_>,
        savings: &mut Savings,
    ) -> Outcome<InvoiceLine> {
        self.savings(&wire.discounts, &path.field("discounts"), savings)?;
        let discounts_path = path.field("discount_amounts");
        for (index, item) in list(&wire.discount_amounts, &discounts_path)?
            .iter()
            .enumerate()
        {
            let item_path = discounts_path.index(index);
            self.saving(&item.discount, &item_path.field("discount"), savings)?;
        }
        let gross = amount(&wire.amount, &path.field("amount"))?.unwrap_or(0);
        let saved = sum(&wire.discount_amounts, &discounts_path)?.unwrap_or(0);
        let left = gross.checked_sub(saved);
        let (price, product) = self.sold(wire, path)?;
        Ok(InvoiceLine {
            product,
            price,
            amount: left.ok_or_else(|| bad_amount(path))?,
        })
    }

    /// Price and product of a line: `pricing.price_details`, `price`, `plan`, newest first.
    fn sold(
        &mut self,
        wire: &Line<'_>,
        path: &Path<'_>,
    ) -> Outcome<(Option<String>, Option<String>)> {
        let (mut price, mut product) = (None, None);
        let pricing = wire.pricing.0.as_deref();
        if let Some(details) = pricing.and_then(|p| p.price_details.0.as_deref()) {
            let pricing_path = path.field("pricing");
            let details_path = pricing_path.field("price_details");
            price = self.refer_named(&details.price, &details_path.field("price"))?;
            product = self.refer_named(&details.product, &details_path.field("product"))?;
        }
        for (reference, name) in [(&wire.price, "price"), (&wire.plan, "plan")] {
            let mut named = None;
            let found = self.refer(reference, &path.field(name), |reader, wire, path| {
                named = reader.refer_named(&wire.product, &path.field("product"))?;
                id(&wire.id, &path.field("id"))
            })?;
            price = price.or(found);
            product = product.or(named);
        }
        Ok((price, product))
    }
}

/// `status`, before 2018-11-08 the flags it replaced; statuses not known yet are drafts.
fn invoice_status(wire: &Invoice<'_>, path: &Path<'_>) -> Outcome<InvoiceStatus> {
    let says = |value, name| Ok(flag(value, &path.field(name))? == Some(true));
    let paid = says(&wire.paid, "paid")?;
    let forgiven = says(&wire.forgiven, "forgiven")?;
    let closed = says(&wire.closed, "closed")?;
    let attempted = says(&wire.attempted, "attempted")?;
    Ok(match word(&wire.status, &path.field("status"))? {
        Some("paid") => InvoiceStatus::Paid,
        Some("void") => InvoiceStatus::Void,
        Some("uncollectible") => InvoiceStatus::Uncollectible,
        Some("open") => InvoiceStatus::Open,
        None if paid => InvoiceStatus::Paid,
        None if forgiven => InvoiceStatus::Uncollectible,
        None if closed => InvoiceStatus::Void,
        None if attempted => InvoiceStatus::Open,
        _ => InvoiceStatus::Draft,
    })
}

/// What was paid through Stripe, and what past it.
///
/// - `amount_paid_off_stripe` and the payment records among `payments` (both only when
///   expanded) are contained in `amount_paid`.
/// - `paid_out_of_band` (until 2025-03-31) concerns the whole rest; `amount_paid` did not
///   contain it. Should it do so, and nothing at Stripe paid, all of it was outside.
/// - In 2017 there was no `amount_paid`: a charge paid what was due, or nothing at Stripe did.
fn paid(
    wire: &Invoice<'_>,
    path: &Path<'_>,
    status: InvoiceStatus,
    payers: &Payers,
) -> Outcome<(i64, i64)> {
    let said = amount(&wire.amount_paid, &path.field("amount_paid"))?;
    let off = amount(
        &wire.amount_paid_off_stripe,
        &path.field("amount_paid_off_stripe"),
    )?;
    let total = amount(&wire.total, &path.field("total"))?;
    let due = amount(&wire.amount_due, &path.field("amount_due"))?;
    let due = due.or(total).unwrap_or(0).max(0);
    let flagged = flag(&wire.paid_out_of_band, &path.field("paid_out_of_band"))? == Some(true);
    let at_stripe = !payers.charges.is_empty() || !payers.intents.is_empty();
    let outside = off.unwrap_or(payers.outside);
    Ok(match said {
        Some(said) if outside > 0 => (said.saturating_sub(outside).max(0), outside),
        Some(said) if flagged && due > said => (said, due.saturating_sub(said)),
        Some(said) if flagged && !at_stripe => (0, said),
        Some(said) => (said, 0),
        None if status != InvoiceStatus::Paid => (0, 0),
        None if at_stripe && !flagged => (due, 0),
        None => (0, due),
    })
}

/// The total without tax (exclusive and inclusive alike) and without shipping.
fn net(wire: &Invoice<'_>, path: &Path<'_>, total: i64) -> Outcome<i64> {
    let untaxed = amount(
        &wire.total_excluding_tax,
        &path.field("total_excluding_tax"),
    )?;
    let tax = amount(&wire.tax, &path.field("tax"))?;
    let old = sum(&wire.total_tax_amounts, &path.field("total_tax_amounts"))?;
    let new = sum(&wire.total_taxes, &path.field("total_taxes"))?;
    let tax = tax.or(old).or(new).unwrap_or(0);
    let untaxed = match untaxed {
        Some(untaxed) => untaxed,
        None => total.checked_sub(tax).ok_or_else(|| bad_amount(path))?,
    };
    let net = untaxed.saturating_sub(shipping(wire, path)?);
    // Shipping and tax never turn an invoice into a credit.
    Ok(if total >= 0 { net.max(0) } else { net })
}

/// Shipping before its tax, which is part of the tax already taken off.
fn shipping(wire: &Invoice<'_>, path: &Path<'_>) -> Outcome<i64> {
    let flat = amount(&wire.amount_shipping, &path.field("amount_shipping"))?;
    let Some(cost) = wire.shipping_cost.0.as_deref() else {
        return Ok(flat.unwrap_or(0));
    };
    let cost_path = path.field("shipping_cost");
    let before_tax = amount(&cost.amount_subtotal, &cost_path.field("amount_subtotal"))?;
    let with_tax = amount(&cost.amount_total, &cost_path.field("amount_total"))?;
    let tax = amount(&cost.amount_tax, &cost_path.field("amount_tax"))?.unwrap_or(0);
    let without = with_tax.map(|total| total.saturating_sub(tax));
    Ok(before_tax.or(without).or(flat).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::domain::fact::ObjectKind;
    use crate::stripe::normalize::testing::state;

    /// An invoice with these fields over `{id, currency}`.
    fn read(fields: &Value) -> InvoiceState {
        let mut object = json!({"id": "in_1", "currency": "usd"});
        for (key, value) in fields.as_object().unwrap() {
            object[key] = value.clone();
        }
        match state("invoice.updated", &object, ObjectKind::Invoice) {
            ObjectState::Invoice(invoice) => *invoice,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_status_is_told_by_status_else_by_the_flags_of_old() {
        let cases = [
            (json!({"status": "paid"}), InvoiceStatus::Paid),
            (json!({"status": "open", "paid": true}), InvoiceStatus::Open),
            (json!({"status": "void"}), InvoiceStatus::Void),
            (json!({"status": "of tomorrow"}), InvoiceStatus::Draft),
            (json!({"paid": true, "closed": true}), InvoiceStatus::Paid),
            (
                json!({"forgiven": true, "closed": true}),
                InvoiceStatus::Uncollectible,
            ),
            (json!({"closed": true}), InvoiceStatus::Void),
            (
                json!({"closed": false, "attempted": true}),
                InvoiceStatus::Open,
            ),
            (
                json!({"closed": false, "attempted": false}),
                InvoiceStatus::Draft,
            ),
        ];
        for (fields, status) in cases {
            assert_eq!(read(&fields).status, status, "{fields}");
        }
    }

    #[test]
    fn money_through_stripe_and_past_it() {
        let record = json!([{"id": "inpay_1", "status": "paid", "amount_paid": 30,
            "payment": {"type": "payment_record", "payment_record": "pr_1"}}]);
        let open_record = json!([{"id": "inpay_1", "status": "open", "amount_paid": 30,
            "payment": {"type": "payment_record", "payment_record": "pr_1"}}]);
        let cases = [
            (json!({"amount_paid": 100}), (100, 0)),
            (
                json!({"amount_paid": 0, "amount_due": 100, "paid_out_of_band": true}),
                (0, 100),
            ),
            (
                json!({"amount_paid": 0, "total": 100, "paid_out_of_band": true}),
                (0, 100),
            ),
            (
                json!({"amount_paid": 20, "amount_due": 100, "paid_out_of_band": true}),
                (20, 80),
            ),
            (
                json!({"amount_paid": 100, "amount_due": 100, "paid_out_of_band": true}),
                (0, 100),
            ),
            (
                json!({"amount_paid": 100, "amount_due": 100, "paid_out_of_band": false}),
                (100, 0),
            ),
            (
                json!({"amount_paid": 100, "amount_paid_off_stripe": 30}),
                (70, 30),
            ),
            (
                json!({"amount_paid": 100, "amount_paid_off_stripe": 0}),
                (100, 0),
            ),
            (
                json!({"amount_paid": 100, "payments": {"data": record}}),
                (70, 30),
            ),
            (
                json!({"amount_paid": 100, "payments": {"data": open_record}}),
                (100, 0),
            ),
            (json!({"amount_due": 100, "charge": "ch_1"}), (100, 0)),
            (json!({"amount_due": 100, "charge": null}), (0, 100)),
            (
                json!({"amount_due": 100, "status": "open", "charge": "ch_1"}),
                (0, 0),
            ),
        ];
        for (mut fields, expected) in cases {
            if fields["status"].is_null() {
                fields["status"] = "paid".into();
            }
            let invoice = read(&fields);
            assert_eq!(
                (invoice.amount_paid, invoice.paid_outside),
                expected,
                "{fields}"
            );
        }
    }

    #[test]
    fn net_is_without_tax_and_shipping() {
        let shipped = json!({"amount_subtotal": 10, "amount_tax": 2, "amount_total": 12});
        let shipped_total = json!({"amount_tax": 2, "amount_total": 12});
        let cases = [
            (json!({"total": 119}), 119),
            (json!({"total": 119, "tax": 19}), 100),
            (
                json!({"total": 119, "tax": 19, "total_tax_amounts": [{"amount": 19}]}),
                100,
            ),
            (
                json!({"total": 119, "total_tax_amounts": [{"amount": 10}, {"amount": 9}]}),
                100,
            ),
            (
                json!({"total": 119, "total_taxes": [{"amount": 19, "tax_behavior": "inclusive"}]}),
                100,
            ),
            (
                json!({"total": 119, "total_excluding_tax": 101, "tax": 19}),
                101,
            ),
            (json!({"total": 119, "tax": 19, "amount_shipping": 10}), 90),
            (
                json!({"total": 119, "tax": 19, "amount_shipping": 12, "shipping_cost": shipped}),
                90,
            ),
            (
                json!({"total": 119, "tax": 19, "shipping_cost": shipped_total}),
                90,
            ),
            (json!({"total": 5, "tax": 19}), 0),
            (json!({"total": -119, "tax": -19}), -100),
        ];
        for (fields, net) in cases {
            assert_eq!(read(&fields).figures.unwrap().value.net, net, "{fields}");
        }
    }

    #[test]
    fn the_first_invoice_of_a_subscription_in_both_shapes() {
        let parent = json!({"subscription_details": {"subscription": "sub_1"}});
        let cases = [
            (
                json!({"subscription": "sub_1", "billing_reason": "subscription_create"}),
                true,
            ),
            (
                json!({"parent": parent, "billing_reason": "subscription_create"}),
                true,
            ),
            (
                json!({"parent": parent, "billing_reason": "subscription_cycle"}),
                false,
            ),
        ];
        for (fields, first) in cases {
            let invoice = read(&fields);
            assert_eq!(invoice.subscription.as_deref(), Some("sub_1"), "{fields}");
            assert_eq!(invoice.first_of.is_some(), first, "{fields}");
        }
    }
}
