//! Payments as Stripe reports them: one payment on up to four objects, and what refunds,
//! declined cards and disputes do to it. Shapes: Stripe's API 2022-11-15 and 2025-09-30.

use serde_json::{Value, json};

use super::script::{Era, Person, Script};
use crate::domain::time::Timestamp;

/// What makes a bill cheaper, and tells whose customer it is.
#[derive(Debug, Clone)]
pub struct Saving {
    /// The coupon's id.
    pub coupon: String,
    /// The promotion code's id, if one was typed.
    pub promotion_code: Option<String>,
    /// By how much, minor units.
    pub off: i64,
}

/// What is paid for.
#[derive(Debug, Clone, Default)]
pub struct Bill {
    /// The subscription; `None` for a one-off.
    pub subscription: Option<String>,
    /// Stripe's `billing_reason`; empty if there is no invoice.
    pub reason: &'static str,
    /// What makes it cheaper.
    pub saving: Option<Saving>,
    /// Whether the card is declined once before it works.
    pub declined_first: bool,
    /// A second coupon on the same bill.
    pub second_coupon: Option<String>,
}

impl Bill {
    /// A bill of a subscription.
    pub fn of_subscription(id: &str, reason: &'static str) -> Self {
        Self {
            subscription: Some(id.to_owned()),
            reason,
            ..Self::default()
        }
    }

    /// A single invoice.
    pub fn single() -> Self {
        Self {
            reason: "manual",
            ..Self::default()
        }
    }
}

/// A payment that went through.
#[derive(Debug, Clone, Default)]
pub struct Paid {
    /// When.
    pub at: Timestamp,
    /// How much, minor units.
    pub minor: i64,
    charge: String,
    intent: String,
    invoice: Option<String>,
    refunded: i64,
}

impl Script {
    /// A person pays; 0 gives a zero invoice without a payment.
    pub fn pay(&mut self, person: &Person, at: Timestamp, minor: i64, bill: &Bill) -> Paid {
        let mut paid = Paid {
            at,
            minor,
            charge: self.id("ch"),
            intent: self.id("pi"),
            invoice: (!bill.reason.is_empty()).then(|| self.id("in")),
            refunded: 0,
        };
        if bill.declined_first {
            self.decline(person, &paid);
            paid.charge = self.id("ch");
            paid.at = self.later(at, 20, 40);
        }
        let at = paid.at;
        if let Some(invoice) = paid.invoice.clone() {
            self.report_invoice(person, &invoice, &paid, bill);
        }
        if minor == 0 {
            return paid;
        }
        let intent = intent(person, &paid);
        self.report(person.era, at, "payment_intent.succeeded", &intent);
        let charge = charge(person, &paid, "succeeded");
        self.report(person.era, at, "charge.succeeded", &charge);
        if let (Era::Modern, Some(invoice)) = (person.era, &paid.invoice) {
            let link = json!({
                "id": self.id("inpay"),
                "object": "invoice_payment",
                "amount_paid": minor,
                "amount_requested": minor,
                "created": at.unix(),
                "currency": person.currency,
                "invoice": invoice,
                "is_default": true,
                "livemode": true,
                "payment": {"type": "payment_intent", "payment_intent": paid.intent},
                "status": "paid",
                "status_transitions": {"canceled_at": null, "paid_at": at.unix()},
            });
            self.report(
                person.era,
                at.plus_seconds(1),
                "invoice_payment.paid",
                &link,
            );
        }
        paid
    }

    /// Part or all of a payment goes back.
    pub fn refund(&mut self, person: &Person, paid: &mut Paid, at: Timestamp, minor: i64) {
        paid.refunded += minor;
        let refund = json!({
            "id": self.id("re"),
            "object": "refund",
            "amount": minor,
            "charge": paid.charge,
            "created": at.unix(),
            "currency": person.currency,
            "metadata": {},
            "payment_intent": paid.intent,
            "reason": "requested_by_customer",
            "status": "succeeded",
        });
        self.report(person.era, at, "refund.created", &refund);
        let charge = charge(person, paid, "succeeded");
        self.report(person.era, at, "charge.refunded", &charge);
    }

    /// The cardholder's bank takes a payment back; `end` is when and whether it is won.
    pub fn dispute(&mut self, person: &Person, paid: &Paid, at: Timestamp, end: (Timestamp, bool)) {
        let mut dispute = self.open_dispute(person, paid, at);
        let taken = "charge.dispute.funds_withdrawn";
        self.report(person.era, at.plus_seconds(1), taken, &dispute);
        let (ends, won) = end;
        if let Some(fields) = dispute.as_object_mut() {
            let status = if won { "won" } else { "lost" };
            fields.insert("status".to_owned(), json!(status));
        }
        self.report(person.era, ends, "charge.dispute.closed", &dispute);
        if won {
            let back = "charge.dispute.funds_reinstated";
            self.report(person.era, ends.plus_seconds(1), back, &dispute);
        }
    }

    /// The bank asks, and has not taken the money yet; the dispute.
    pub fn open_dispute(&mut self, person: &Person, paid: &Paid, at: Timestamp) -> Value {
        let dispute = json!({
            "id": self.id("du"),
            "object": "dispute",
            "amount": paid.minor,
            "charge": paid.charge,
            "created": at.unix(),
            "currency": person.currency,
            "livemode": true,
            "metadata": {},
            "payment_intent": paid.intent,
            "reason": "fraudulent",
            "status": "needs_response",
        });
        self.report(person.era, at, "charge.dispute.created", &dispute);
        dispute
    }

    fn decline(&mut self, person: &Person, paid: &Paid) {
        let failed = charge(person, paid, "failed");
        self.report(person.era, paid.at, "charge.failed", &failed);
        let mut asked = intent(person, paid);
        if let Some(fields) = asked.as_object_mut() {
            fields.insert("status".to_owned(), json!("requires_payment_method"));
            fields.insert("amount_received".to_owned(), json!(0));
            let error = json!({"code": "card_declined", "charge": paid.charge});
            fields.insert("last_payment_error".to_owned(), error);
        }
        let failed = "payment_intent.payment_failed";
        self.report(person.era, paid.at, failed, &asked);
    }

    fn report_invoice(&mut self, person: &Person, id: &str, paid: &Paid, bill: &Bill) {
        let discount = bill.saving.as_ref().map(|_| self.id("di"));
        let mut object = invoice(person, id, paid, bill);
        let fields = match person.era {
            Era::Modern => self.modern_links(person, paid, bill, discount.as_deref()),
            Era::Old => old_links(paid, bill, discount.as_deref()),
        };
        if let (Some(object), Value::Object(fields)) = (object.as_object_mut(), fields) {
            object.extend(fields);
        }
        self.report(person.era, paid.at, "invoice.paid", &object);
        let typed = bill
            .saving
            .as_ref()
            .and_then(|s| s.promotion_code.as_deref());
        if let (Era::Modern, Some(code)) = (person.era, typed) {
            self.report_checkout(person, id, paid, bill, code);
        }
    }

    /// Since 2025 an invoice names its discounts by id alone: the discount's own event tells
    /// the coupon, or the Checkout session the promotion code.
    fn modern_links(
        &mut self,
        person: &Person,
        paid: &Paid,
        bill: &Bill,
        discount: Option<&str>,
    ) -> Value {
        let mut discounts: Vec<String> = discount.iter().map(|id| (*id).to_owned()).collect();
        let by_id = bill
            .saving
            .as_ref()
            .filter(|s| s.promotion_code.is_none())
            .map(|s| s.coupon.clone());
        let first = by_id.zip(discount.map(str::to_owned));
        let second = bill.second_coupon.clone().map(|c| (c, self.id("di")));
        if let Some((_, id)) = &second {
            discounts.push(id.clone());
        }
        for (coupon, id) in first.into_iter().chain(second) {
            let object = json!({
                "id": id,
                "object": "discount",
                "checkout_session": null,
                "customer": person.customer,
                "end": null,
                "invoice": null,
                "promotion_code": null,
                "source": {"type": "coupon", "coupon": coupon},
                "start": paid.at.unix(),
                "subscription": bill.subscription,
            });
            let before = paid.at.plus_seconds(-30);
            self.report(Era::Modern, before, "customer.discount.created", &object);
        }
        let subscription = bill.subscription.as_ref().map(|id| {
            json!({
                "type": "subscription_details",
                "subscription_details": {"subscription": id, "metadata": {}},
            })
        });
        json!({"discounts": discounts, "parent": subscription})
    }

    fn report_checkout(&mut self, person: &Person, id: &str, paid: &Paid, bill: &Bill, code: &str) {
        let object = json!({
            "id": self.id("cs_live"),
            "object": "checkout.session",
            "amount_total": paid.minor,
            "client_reference_id": null,
            "created": paid.at.unix() - 120,
            "currency": person.currency,
            "customer": person.customer,
            "customer_details": {"email": person.email, "name": person.name},
            "discounts": [{"coupon": null, "promotion_code": code}],
            "invoice": id,
            "livemode": true,
            "metadata": {},
            "mode": if bill.subscription.is_some() { "subscription" } else { "payment" },
            "payment_intent": null,
            "payment_status": "paid",
            "status": "complete",
            "subscription": bill.subscription,
        });
        let at = paid.at.plus_seconds(2);
        self.report(person.era, at, "checkout.session.completed", &object);
    }
}

fn invoice(person: &Person, id: &str, paid: &Paid, bill: &Bill) -> Value {
    json!({
        "id": id,
        "object": "invoice",
        "amount_due": paid.minor,
        "amount_paid": paid.minor,
        "amount_remaining": 0,
        "billing_reason": bill.reason,
        "created": paid.at.unix() - 5,
        "currency": person.currency,
        "customer": person.customer,
        "customer_email": person.email,
        "customer_name": person.name,
        "lines": {"object": "list", "has_more": false, "data": []},
        "livemode": true,
        "metadata": {},
        "status": "paid",
        "status_transitions": {"finalized_at": paid.at.unix() - 4, "paid_at": paid.at.unix()},
        "subtotal": paid.minor,
        "total": paid.minor,
    })
}

/// Until 2025 an invoice named its charge, its intent and its coupon.
fn old_links(paid: &Paid, bill: &Bill, discount: Option<&str>) -> Value {
    let charged = paid.minor > 0;
    let saving = bill.saving.as_ref().zip(discount).map(|(saving, id)| {
        json!({
            "id": id,
            "object": "discount",
            "coupon": {"id": saving.coupon, "object": "coupon"},
            "promotion_code": saving.promotion_code,
        })
    });
    json!({
        "charge": charged.then_some(&paid.charge),
        "payment_intent": charged.then_some(&paid.intent),
        "discount": saving,
        "paid": true,
        "paid_out_of_band": false,
        "subscription": bill.subscription,
    })
}

fn intent(person: &Person, paid: &Paid) -> Value {
    json!({
        "id": paid.intent,
        "object": "payment_intent",
        "amount": paid.minor,
        "amount_received": paid.minor,
        "created": paid.at.unix() - 3,
        "currency": person.currency,
        "customer": person.customer,
        "invoice": old_invoice(person, paid),
        "latest_charge": paid.charge,
        "livemode": true,
        "metadata": {},
        "status": "succeeded",
    })
}

fn charge(person: &Person, paid: &Paid, status: &str) -> Value {
    let taken = if status == "succeeded" { paid.minor } else { 0 };
    json!({
        "id": paid.charge,
        "object": "charge",
        "amount": paid.minor,
        "amount_captured": taken,
        "amount_refunded": paid.refunded,
        "balance_transaction": null,
        "billing_details": {"email": person.email, "name": person.name},
        "captured": status == "succeeded",
        "created": paid.at.unix(),
        "currency": person.currency,
        "customer": person.customer,
        "invoice": old_invoice(person, paid),
        "livemode": true,
        "metadata": {},
        "paid": status == "succeeded",
        "payment_intent": paid.intent,
        "receipt_email": null,
        "refunded": paid.refunded >= paid.minor,
        "status": status,
    })
}

fn old_invoice<'a>(person: &Person, paid: &'a Paid) -> Option<&'a String> {
    paid.invoice.as_ref().filter(|_| person.era == Era::Old)
}
