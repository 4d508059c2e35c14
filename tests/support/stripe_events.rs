//! A story's steps as Stripe would tell them, in two shapes: that of 2020-08-27, where objects
//! name each other, and that of 2025-10-29.clover, where most of those links are gone.

use std::collections::BTreeMap;

use qualify::domain::campaign::Mode;
use qualify::domain::currency::Currency;
use qualify::domain::money::Money;
use qualify::domain::time::Timestamp;
use serde_json::{Value, json};

use super::scenario::{
    CouponPlace, CustomerStep, DiscountStep, DisputeStep, Funds, InvoiceStep, Level, LineRow,
    PaymentStatus, PaymentStep, RefundStep, Step, What,
};

/// Whose shapes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Era {
    Of2020,
    Clover,
}

impl Era {
    pub const BOTH: [Self; 2] = [Self::Of2020, Self::Clover];

    const fn version(self) -> &'static str {
        match self {
            Self::Of2020 => "2020-08-27",
            Self::Clover => "2025-10-29.clover",
        }
    }
}

/// An event's body, and when it happened.
#[derive(Debug, Clone)]
pub struct Told {
    pub at: Timestamp,
    pub body: String,
}

/// Everything that Stripe tells of these steps, in their order.
pub fn tell(steps: &[Step], era: Era) -> Vec<Told> {
    let mut teller = Teller {
        era,
        told: Vec::new(),
        at: Timestamp::default(),
        mode: Mode::Live,
        customers: BTreeMap::new(),
        payments: BTreeMap::new(),
        refunds: BTreeMap::new(),
    };
    for step in steps {
        (teller.at, teller.mode) = (step.at, step.mode);
        match &step.what {
            What::Customer(customer) => teller.customer(customer),
            What::Payment(payment) => teller.payment(payment),
            What::Capture { payment } => teller.capture(payment),
            What::Invoice(invoice) => teller.late_invoice(invoice),
            What::Link { payment, invoice } => teller.link(payment, invoice),
            What::Refund(refund) => teller.refund(refund),
            What::Dispute(dispute) => teller.dispute(dispute),
            What::Discount(discount) => teller.discount(discount),
            What::Decide(_) | What::Suspend(_) => {}
        }
    }
    teller.told
}

/// Minor units of an amount as stories write it.
pub fn minor(text: &str, currency: Currency) -> i64 {
    let money = Money::parse_major(text, currency);
    money.unwrap_or_else(|e| panic!("amount {text}: {e}")).minor
}

struct Teller {
    era: Era,
    told: Vec<Told>,
    at: Timestamp,
    mode: Mode,
    customers: BTreeMap<String, Timestamp>,
    payments: BTreeMap<String, (PaymentStep, Timestamp)>,
    refunds: BTreeMap<String, RefundStep>,
}

/// `x_1` of `ch_x_1`.
fn tail(id: &str) -> &str {
    id.split_once('_').map_or(id, |(_, rest)| rest)
}

fn intent_id(payment: &PaymentStep) -> String {
    match payment.level {
        Level::Intent => payment.id.clone(),
        _ => format!("pi_{}", tail(&payment.id)),
    }
}

impl Teller {
    fn event(&mut self, event_type: &str, object: impl Into<Value>) {
        let id = format!("evt_{:04}", self.told.len() + 1);
        let body = json!({
            "id": id, "object": "event", "api_version": self.era.version(),
            "created": self.at.unix(), "livemode": self.mode == Mode::Live,
            "pending_webhooks": 1, "request": {"id": null, "idempotency_key": null},
            "type": event_type, "data": {"object": object.into()},
        });
        let (at, body) = (self.at, body.to_string());
        self.told.push(Told { at, body });
    }

    fn customer(&mut self, step: &CustomerStep) {
        let known = self.customers.contains_key(&step.id);
        let created = step.created.unwrap_or(self.at);
        let created = *self.customers.entry(step.id.clone()).or_insert(created);
        let event_type = if known {
            "customer.updated"
        } else {
            "customer.created"
        };
        let object = json!({
            "id": step.id, "object": "customer", "created": created.unix(),
            "email": step.email, "name": null, "metadata": step.metadata,
            "discount": null, "livemode": self.mode == Mode::Live,
        });
        self.event(event_type, object);
    }

    fn payment(&mut self, step: &PaymentStep) {
        self.payments
            .insert(step.id.clone(), (step.clone(), self.at));
        self.explain_coupons(step);
        let on_invoice = !step.coupons.is_empty()
            && !matches!(
                step.coupons_on,
                CouponPlace::Customer | CouponPlace::Checkout
            );
        let invoice = match step.level {
            Level::Invoice => Some(step.id.clone()),
            _ => step.invoice.clone(),
        };
        let invoice = invoice.or(on_invoice.then(|| format!("in_{}", tail(&step.id))));
        if matches!(step.level, Level::Charge) {
            let object = self.charge(step, invoice.as_deref(), 0);
            let event_type = match step.status {
                PaymentStatus::Failed => "charge.failed",
                _ => "charge.succeeded",
            };
            self.event(event_type, object);
        }
        if matches!(step.level, Level::Charge | Level::Intent) {
            self.intent(step, invoice.as_deref());
        }
        let by_session = step.reference.is_some()
            || step.level == Level::Checkout
            || (step.coupons_on == CouponPlace::Checkout && !step.coupons.is_empty());
        if by_session {
            self.session(step);
        }
        if let Some(invoice) = invoice.filter(|_| step.status == PaymentStatus::Paid) {
            let object = self.invoice(step, &invoice);
            self.event("invoice.paid", object);
            if step.linked && step.level != Level::Invoice {
                self.invoice_payment(step, &invoice);
            }
        }
    }

    fn charge(&self, step: &PaymentStep, invoice: Option<&str>, refunded: i64) -> Value {
        let amount = minor(&step.amount, step.currency);
        let (status, paid) = match step.status {
            PaymentStatus::Failed => ("failed", false),
            _ => ("succeeded", true),
        };
        let captured = step.status == PaymentStatus::Paid;
        let created = self.payments.get(&step.id).map_or(self.at, |p| p.1);
        let mut charge = json!({
            "id": step.id, "object": "charge", "amount": amount,
            "amount_captured": if captured { amount } else { 0 }, "amount_refunded": refunded,
            "status": status, "paid": paid, "captured": captured,
            "currency": step.currency.code(), "created": created.unix(),
            "customer": step.customer, "payment_intent": intent_id(step),
            "billing_details": {"email": step.email}, "receipt_email": null, "metadata": {},
        });
        if self.era == Era::Of2020 {
            charge["invoice"] = json!(invoice.filter(|_| step.linked));
        }
        charge
    }

    fn intent(&mut self, step: &PaymentStep, invoice: Option<&str>) {
        let amount = minor(&step.amount, step.currency);
        let (event_type, status, received) = match step.status {
            PaymentStatus::Paid => ("payment_intent.succeeded", "succeeded", amount),
            PaymentStatus::Failed => (
                "payment_intent.payment_failed",
                "requires_payment_method",
                0,
            ),
            PaymentStatus::Uncaptured => (
                "payment_intent.amount_capturable_updated",
                "requires_capture",
                0,
            ),
        };
        let mut object = json!({
            "id": intent_id(step), "object": "payment_intent", "amount": amount,
            "amount_received": received, "status": status, "currency": step.currency.code(),
            "created": self.at.unix(), "customer": step.customer, "receipt_email": step.email,
            "metadata": {},
        });
        let charge = (step.level == Level::Charge).then(|| step.id.clone());
        match self.era {
            Era::Of2020 => {
                object["invoice"] = json!(invoice.filter(|_| step.linked));
                let charges = charge.iter().map(|_| self.charge(step, invoice, 0));
                let charges: Vec<Value> = charges.collect();
                object["charges"] = json!({"object": "list", "data": charges, "has_more": false});
            }
            Era::Clover => object["latest_charge"] = json!(charge),
        }
        self.event(event_type, object);
    }

    fn session(&mut self, step: &PaymentStep) {
        let amount = minor(&step.amount, step.currency);
        let on_session = step.coupons_on == CouponPlace::Checkout;
        let coupons: Vec<&String> = step.coupons.iter().filter(|_| on_session).collect();
        let id = match step.level {
            Level::Checkout => step.id.clone(),
            _ => format!("cs_{}", tail(&step.id)),
        };
        let intent = (step.level != Level::Checkout).then(|| intent_id(step));
        let mut object = json!({
            "id": id, "object": "checkout.session", "mode": "payment", "status": "complete",
            "payment_status": "paid", "amount_total": amount, "currency": step.currency.code(),
            "created": self.at.unix(), "customer": step.customer,
            "customer_details": {"email": step.email}, "client_reference_id": step.reference,
            "payment_intent": intent, "metadata": {},
        });
        let discounts: Vec<Value> = match self.era {
            Era::Of2020 => coupons
                .iter()
                .map(|c| json!({"amount": 0, "discount": self.discount_object(c, step)}))
                .collect(),
            Era::Clover => coupons
                .iter()
                .map(|c| json!({"coupon": c, "promotion_code": null}))
                .collect(),
        };
        match self.era {
            Era::Of2020 => object["total_details"] = json!({"breakdown": {"discounts": discounts}}),
            Era::Clover => object["discounts"] = json!(discounts),
        }
        self.event("checkout.session.completed", object);
    }

    fn invoice(&self, step: &PaymentStep, id: &str) -> Value {
        let amount = minor(&step.amount, step.currency);
        let tax = step.tax.as_deref().map_or(0, |t| minor(t, step.currency));
        let at_stripe = if step.out_of_band { 0 } else { amount };
        let on_subscription = step.coupons_on == CouponPlace::Subscription;
        let subscription = (on_subscription && !step.coupons.is_empty())
            .then(|| format!("sub_{}", tail(&step.id)));
        let (discounts, on_lines) = self.invoice_discounts(step);
        let lines = self.lines(step, amount - tax, &on_lines);
        let mut invoice = json!({
            "id": id, "object": "invoice", "status": "paid", "amount_due": amount,
            "amount_paid": at_stripe, "total": amount, "currency": step.currency.code(),
            "created": self.at.unix(), "status_transitions": {"paid_at": self.at.unix()},
            "billing_reason": "manual", "customer": step.customer, "customer_email": step.email,
            "discounts": discounts, "metadata": {},
            "lines": {"object": "list", "data": lines, "has_more": false},
        });
        match self.era {
            Era::Of2020 => {
                invoice["paid"] = json!(true);
                invoice["tax"] = json!(step.tax.as_ref().map(|_| tax));
                invoice["paid_out_of_band"] = json!(step.out_of_band);
                invoice["subscription"] = json!(subscription);
                let linked = step.linked && step.level != Level::Invoice;
                let charge = (linked && step.level == Level::Charge).then(|| step.id.clone());
                invoice["charge"] = json!(charge);
                invoice["payment_intent"] = json!(linked.then(|| intent_id(step)));
            }
            Era::Clover => {
                invoice["amount_paid"] = json!(amount);
                if step.out_of_band {
                    invoice["amount_paid_off_stripe"] = json!(amount);
                }
                invoice["total_excluding_tax"] = json!(amount - tax);
                invoice["total_taxes"] = json!([{"amount": tax}]);
                invoice["parent"] = json!({"subscription_details": {"subscription": subscription}});
            }
        }
        invoice
    }

    fn lines(&self, step: &PaymentStep, net: i64, discounts: &[Value]) -> Vec<Value> {
        let line = |amount: i64, product: &str, price: &str| {
            let sold = match self.era {
                Era::Of2020 => json!({"price": {"id": price, "product": product}}),
                Era::Clover => {
                    json!({"pricing": {"price_details": {"price": price, "product": product}}})
                }
            };
            let mut line = json!({"object": "line_item", "amount": amount});
            line["discounts"] = json!(discounts);
            line.as_object_mut()
                .unwrap()
                .extend(sold.as_object().unwrap().clone());
            line
        };
        if step.lines.is_empty() {
            return vec![line(net, "prod_any", "price_any")];
        }
        let rows = step.lines.iter().map(|row| {
            let LineRow {
                product,
                price,
                amount,
            } = row;
            line(minor(amount, step.currency), product, price)
        });
        rows.collect()
    }

    /// What an invoice says of coupons: of its own, and of its lines'.
    fn invoice_discounts(&self, step: &PaymentStep) -> (Vec<Value>, Vec<Value>) {
        let coupons = step.coupons.iter();
        let whole = || coupons.clone().map(|c| self.discount_object(c, step));
        match step.coupons_on {
            CouponPlace::Invoice => (whole().collect(), vec![]),
            CouponPlace::Line => (vec![], whole().collect()),
            CouponPlace::DiscountId => {
                let ids = coupons.map(|coupon| json!(discount_id(coupon, step)));
                (ids.collect(), vec![])
            }
            CouponPlace::PromotionCode => {
                let codes = coupons.map(|coupon| {
                    json!({
                        "id": discount_id(coupon, step), "object": "discount",
                        "promotion_code": format!("promo_{coupon}"), "customer": step.customer,
                    })
                });
                (codes.collect(), vec![])
            }
            CouponPlace::Subscription | CouponPlace::Customer | CouponPlace::Checkout => {
                (vec![], vec![])
            }
        }
    }

    fn discount_object(&self, coupon: &str, step: &PaymentStep) -> Value {
        let mut discount = json!({
            "id": discount_id(coupon, step), "object": "discount", "customer": step.customer,
            "start": self.at.unix(), "end": null,
        });
        self.put_coupon(&mut discount, "source", coupon);
        discount
    }

    /// `coupon{}` until 2025-09-30, then an id inside `source` or `promotion`.
    fn put_coupon(&self, object: &mut Value, inside: &str, coupon: &str) {
        match self.era {
            Era::Of2020 => object["coupon"] = json!({"id": coupon, "object": "coupon"}),
            Era::Clover => object[inside] = json!({"type": "coupon", "coupon": coupon}),
        }
    }

    /// The events that say what an invoice or a subscription only points to.
    fn explain_coupons(&mut self, step: &PaymentStep) {
        for coupon in &step.coupons {
            let mut discount = self.discount_object(coupon, step);
            match step.coupons_on {
                CouponPlace::DiscountId => {
                    discount["subscription"] = json!(format!("sub_{}", tail(&step.id)));
                    self.event("customer.discount.created", discount);
                }
                CouponPlace::Customer => self.event("customer.discount.created", discount),
                CouponPlace::PromotionCode => {
                    let mut code = json!({
                        "id": format!("promo_{coupon}"), "object": "promotion_code",
                        "code": format!("HI-{coupon}"), "active": true, "metadata": {},
                    });
                    self.put_coupon(&mut code, "promotion", coupon);
                    self.event("promotion_code.created", code);
                }
                CouponPlace::Subscription => {
                    let id = format!("sub_{}", tail(&step.id));
                    let mut object = json!({
                        "id": id, "object": "subscription", "status": "active",
                        "created": self.at.unix(), "customer": step.customer, "metadata": {},
                    });
                    match self.era {
                        Era::Of2020 => object["discount"] = discount,
                        Era::Clover => object["discounts"] = json!([discount]),
                    }
                    self.event("customer.subscription.created", object);
                }
                CouponPlace::Invoice | CouponPlace::Line | CouponPlace::Checkout => {}
            }
        }
    }

    fn invoice_payment(&mut self, step: &PaymentStep, invoice: &str) {
        if self.era == Era::Of2020 {
            return; // The objects name each other.
        }
        let amount = minor(&step.amount, step.currency);
        let object = json!({
            "id": format!("inpay_{}", tail(invoice)), "object": "invoice_payment",
            "status": "paid", "amount_paid": amount, "currency": step.currency.code(),
            "created": self.at.unix(), "invoice": invoice,
            "payment": {"type": "payment_intent", "payment_intent": intent_id(step)},
        });
        self.event("invoice_payment.paid", object);
    }

    fn known(&self, payment: &str) -> PaymentStep {
        let found = self.payments.get(payment);
        let (step, _) = found.unwrap_or_else(|| panic!("no payment {payment} before this step"));
        step.clone()
    }

    fn capture(&mut self, payment: &str) {
        let mut step = self.known(payment);
        step.status = PaymentStatus::Paid;
        if let Some((known, _)) = self.payments.get_mut(payment) {
            known.status = PaymentStatus::Paid;
        }
        let object = self.charge(&step, step.invoice.as_deref(), 0);
        self.event("charge.captured", object);
    }

    fn late_invoice(&mut self, step: &InvoiceStep) {
        let mut payment = self.known(&step.payment);
        payment.tax.clone_from(&step.tax);
        payment.lines.clone_from(&step.lines);
        let object = self.invoice(&payment, &step.id);
        self.event("invoice.paid", object);
        self.invoice_payment(&payment, &step.id);
    }

    fn link(&mut self, payment: &str, invoice: &str) {
        let mut step = self.known(payment);
        step.linked = true;
        if self.era == Era::Of2020 {
            let object = self.charge(&step, Some(invoice), 0);
            self.event("charge.updated", object);
        }
        self.invoice_payment(&step, invoice);
    }

    fn refund(&mut self, step: &RefundStep) {
        let payment = self.known(&step.payment);
        let first = self.refunds.insert(step.id.clone(), step.clone()).is_none();
        let amount = minor(&step.amount, payment.currency);
        let object = json!({
            "id": step.id, "object": "refund", "amount": amount, "status": step.status,
            "currency": payment.currency.code(), "created": self.at.unix(),
            "charge": payment.id, "payment_intent": intent_id(&payment), "metadata": {},
        });
        let event_type = match (self.era, first, step.status.as_str()) {
            (Era::Of2020, _, _) => "charge.refund.updated",
            (Era::Clover, _, "failed") => "refund.failed",
            (Era::Clover, true, _) => "refund.created",
            (Era::Clover, false, _) => "refund.updated",
        };
        self.event(event_type, object);
        let of_payment = self.refunds.values().filter(|r| r.payment == step.payment);
        let standing = of_payment.filter(|r| !matches!(r.status.as_str(), "failed" | "canceled"));
        let refunded = standing.map(|r| minor(&r.amount, payment.currency)).sum();
        let charge = self.charge(&payment, payment.invoice.as_deref(), refunded);
        self.event("charge.refunded", charge);
    }

    fn dispute(&mut self, step: &DisputeStep) {
        let payment = self.known(&step.payment);
        let object = json!({
            "id": step.id, "object": "dispute", "status": step.status,
            "amount": minor(&step.amount, payment.currency),
            "currency": payment.currency.code(), "created": self.at.unix(),
            "charge": payment.id, "payment_intent": intent_id(&payment), "metadata": {},
        });
        let event_type = match step.status.as_str() {
            "won" | "lost" | "warning_closed" => "charge.dispute.closed",
            "needs_response" | "warning_needs_response" => "charge.dispute.created",
            _ => "charge.dispute.updated",
        };
        self.event(event_type, object.clone());
        match step.funds {
            Some(Funds::Withdrawn) => self.event("charge.dispute.funds_withdrawn", object),
            Some(Funds::Reinstated) => self.event("charge.dispute.funds_reinstated", object),
            None => {}
        }
    }

    fn discount(&mut self, step: &DiscountStep) {
        let mut object = json!({
            "id": step.id, "object": "discount", "customer": step.customer,
            "start": self.at.unix(), "end": null,
        });
        if step.removed {
            // Whoever takes it off does not know any more when it began.
            object["start"] = Value::Null;
        }
        self.put_coupon(&mut object, "source", &step.coupon);
        let event_type = if step.removed {
            "customer.discount.deleted"
        } else {
            "customer.discount.created"
        };
        self.event(event_type, object);
    }
}

fn discount_id(coupon: &str, step: &PaymentStep) -> String {
    format!("di_{}_{coupon}", tail(&step.id))
}
