//! Tells a story as Stripe's events, in the shapes of four eras. It knows Stripe's objects and
//! nothing of the product.
//!
//! What an era cannot know, and stories that it therefore cannot tell ([`Era::can_tell`]):
//! before 2025 a Checkout session in payment mode does not name its coupons.

use serde_json::{Value, json};

use super::story::{
    BASE, DAY, Dispute, DisputeEnd, Fate, How, Payment, Person, Place, RefundEnd, Story,
};

/// A generation of Stripe's shapes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Era {
    /// 2019-2020: `invoice.charge`, `charge.invoice`, `charges.data`, `discount.coupon`.
    Old,
    /// 2022-11: `latest_charge`, `discounts: ["di_…"]`.
    Middle,
    /// 2025-09 on: `invoice_payment.paid` is the only link, `source.coupon`.
    New,
    /// The same, without any link between an invoice and its money, where that can be presumed.
    NewUnlinked,
}

impl Era {
    pub const ALL: [Self; 4] = [Self::Old, Self::Middle, Self::New, Self::NewUnlinked];

    fn version(self) -> &'static str {
        match self {
            Self::Old => "2020-03-02",
            Self::Middle => "2022-11-15",
            Self::New | Self::NewUnlinked => "2025-09-30.clover",
        }
    }

    fn is_new(self) -> bool {
        matches!(self, Self::New | Self::NewUnlinked)
    }

    /// Whether the era's events carry everything that this story turns on.
    pub fn can_tell(self, story: &Story) -> bool {
        let hidden = |p: &Payment| p.how == How::Checkout && !p.coupons.is_empty();
        self.is_new() || !story.payments.iter().any(hidden)
    }
}

/// The story's events in the order in which they happened.
pub fn events(story: &Story, era: Era) -> Vec<Value> {
    let mut teller = Teller {
        story,
        era,
        events: Vec::new(),
    };
    for coupon in ["COUP0", "COUP1", "COUP2", "WELCOME"] {
        teller.promotion_code(coupon);
    }
    for who in 0..story.people.len() {
        teller.person(who);
    }
    for index in 0..story.payments.len() {
        teller.payment(index);
    }
    let mut events = teller.events;
    events.sort_by_key(|event| event["created"].as_i64());
    events
}

struct Teller<'a> {
    story: &'a Story,
    era: Era,
    events: Vec<Value>,
}

/// A payment with the ids of its objects.
struct Ids {
    index: usize,
    charge: String,
    intent: String,
    invoice: String,
    subscription: String,
    session: String,
}

fn reference(yes: bool, id: &str) -> Value {
    if yes { json!(id) } else { Value::Null }
}

impl Teller<'_> {
    fn tell(&mut self, at: i64, kind: &str, object: Value) {
        let id = format!("evt_{:04}", self.events.len());
        self.events.push(json!({
            "id": id, "object": "event", "api_version": self.era.version(),
            "created": BASE + at, "livemode": true, "pending_webhooks": 1,
            "request": {"id": null, "idempotency_key": null},
            "type": kind, "data": {"object": object},
        }));
    }

    fn promotion_code(&mut self, coupon: &str) {
        let mut code = json!({
            "id": format!("promo_{coupon}"), "object": "promotion_code", "active": true,
            "code": format!("SAVE{coupon}"), "created": BASE - 90 * DAY, "livemode": true,
        });
        if self.era.is_new() {
            code["promotion"] = json!({"type": "coupon", "coupon": coupon});
        } else {
            code["coupon"] = coupon_object(coupon);
        }
        self.tell(-90 * DAY, "promotion_code.created", code);
    }

    fn discount(&self, id: &str, coupon: &str, customer: &str, promotion: bool) -> Value {
        let mut discount = json!({
            "id": id, "object": "discount", "customer": customer, "start": BASE, "end": null,
            "promotion_code": reference(promotion, &format!("promo_{coupon}")),
        });
        if self.era.is_new() {
            discount["source"] = json!({"type": "coupon", "coupon": coupon});
        } else {
            discount["coupon"] = coupon_object(coupon);
        }
        discount
    }

    fn person(&mut self, who: usize) {
        let person: &Person = &self.story.people[who];
        if person.guest {
            return;
        }
        let id = format!("cus_{who}");
        let metadata = person
            .uid
            .map_or(json!({}), |uid| json!({"fp_uid": uid, "plan": "x"}));
        let mut customer = json!({
            "id": id, "object": "customer", "created": BASE + person.created,
            "email": person.email, "name": "A Person", "livemode": true,
            "metadata": metadata, "discount": null,
        });
        if let Some(coupon) = person.coupon {
            let discount = self.discount(&format!("di_{id}"), coupon, &id, false);
            customer["discount"] = discount.clone();
            self.tell(person.created, "customer.discount.created", discount);
        }
        self.tell(person.created, "customer.created", customer.clone());
        if let Some(email) = person.later_email {
            customer["email"] = json!(email);
            self.tell(person.created + DAY, "customer.updated", customer);
        }
    }

    fn payment(&mut self, index: usize) {
        let p = &self.story.payments[index];
        let ids = Ids {
            index,
            charge: format!("ch_{index}"),
            intent: format!("pi_{index}"),
            invoice: format!("in_{index}"),
            subscription: format!("sub_{index}"),
            session: format!("cs_{index}"),
        };
        if p.fate == Fate::Retried {
            let mut declined = self.charge(p, &ids, "failed", 0);
            declined["id"] = json!(format!("ch_{index}_declined"));
            declined["created"] = json!(BASE + p.at - 3600);
            self.tell(p.at - 3600, "charge.failed", declined);
        }
        if p.has_charge() {
            self.tell_charge(p, &ids);
        }
        if p.has_intent() && p.paid() > 0 {
            let late = if matches!(p.fate, Fate::Captured(_)) {
                3600
            } else {
                0
            };
            self.tell(
                p.at + late,
                "payment_intent.succeeded",
                self.intent(p, &ids),
            );
        }
        self.tell_discounts(p, &ids);
        if p.how == How::Subscription {
            self.tell(
                p.at,
                "customer.subscription.created",
                self.subscription(p, &ids),
            );
        }
        if p.has_invoice() {
            self.tell(p.at, "invoice.paid", self.invoice(p, &ids));
            self.tell(p.at, "invoice.payment_succeeded", self.invoice(p, &ids));
            if self.links(p) && p.has_charge() && self.era.is_new() {
                self.tell(p.at, "invoice_payment.paid", self.invoice_payment(p, &ids));
            }
        }
        if p.has_session() {
            self.tell(
                p.at + 2,
                "checkout.session.completed",
                self.session(p, &ids),
            );
        }
        self.tell_refunds(p, &ids);
        if let Some(dispute) = &p.dispute {
            self.tell_dispute(p, &ids, dispute);
        }
    }

    /// Whether this payment's invoice names its money. Without a link it can be presumed only
    /// if no other payment of that person could be meant.
    fn links(&self, p: &Payment) -> bool {
        let alike = |other: &&Payment| {
            other.who == p.who
                && other.currency == p.currency
                && (other.amount == p.amount || other.paid() == p.amount)
                && (other.at - p.at).abs() <= 2 * DAY
        };
        self.era != Era::NewUnlinked || self.story.payments.iter().filter(alike).count() > 1
    }

    fn customer(&self, p: &Payment) -> Value {
        reference(!self.story.people[p.who].guest, &format!("cus_{}", p.who))
    }

    fn charge(&self, p: &Payment, ids: &Ids, status: &str, refunded: i64) -> Value {
        let person = &self.story.people[p.who];
        // An email on a customer's charge is no email of the customer; on a guest's it is all.
        let billing = if person.guest { person.email } else { p.email };
        let (billing, receipt) = if ids.index.is_multiple_of(2) {
            (billing, None)
        } else {
            (None, billing)
        };
        // The rest of a partial capture is told as refunded.
        let rest = match p.fate {
            Fate::Captured(part) if status == "succeeded" => p.amount - part,
            _ => 0,
        };
        let captured = status == "succeeded" && p.paid() > 0;
        let mut charge = json!({
            "id": ids.charge, "object": "charge", "amount": p.amount, "amount_refunded": refunded + rest,
            "amount_captured": if captured { p.paid() } else { 0 },
            "captured": captured, "paid": status == "succeeded", "status": status,
            "created": BASE + p.at, "currency": p.currency, "customer": self.customer(p),
            "billing_details": {"email": billing, "name": null}, "receipt_email": receipt,
            "payment_intent": reference(p.has_intent(), &ids.intent), "livemode": true,
            "refunded": captured && refunded == p.paid(), "disputed": false, "metadata": {},
        });
        if self.era == Era::Old {
            // Added in 2020.
            charge.as_object_mut().unwrap().remove("amount_captured");
        }
        if !self.era.is_new() {
            charge["invoice"] = reference(p.has_invoice(), &ids.invoice);
        }
        charge
    }

    fn tell_charge(&mut self, p: &Payment, ids: &Ids) {
        match p.fate {
            Fate::Failed => self.tell(p.at, "charge.failed", self.charge(p, ids, "failed", 0)),
            Fate::Captured(_) => {
                let mut authorised = self.charge(p, ids, "succeeded", 0);
                authorised["captured"] = json!(false);
                if self.era != Era::Old {
                    authorised["amount_captured"] = json!(0);
                }
                authorised["amount_refunded"] = json!(0);
                self.tell(p.at, "charge.succeeded", authorised);
                self.tell(
                    p.at + 3600,
                    "charge.captured",
                    self.charge(p, ids, "succeeded", 0),
                );
            }
            _ => self.tell(
                p.at,
                "charge.succeeded",
                self.charge(p, ids, "succeeded", 0),
            ),
        }
    }

    fn intent(&self, p: &Payment, ids: &Ids) -> Value {
        let mut intent = json!({
            "id": ids.intent, "object": "payment_intent", "amount": p.amount,
            "amount_received": p.paid(), "created": BASE + p.at, "currency": p.currency,
            "customer": self.customer(p), "status": "succeeded", "livemode": true, "metadata": {},
        });
        if self.era == Era::Old {
            let charge = self.charge(p, ids, "succeeded", 0);
            intent["charges"] = json!({"object": "list", "data": [charge], "has_more": false});
        } else {
            intent["latest_charge"] = json!(ids.charge);
        }
        if !self.era.is_new() {
            intent["invoice"] = reference(p.has_invoice(), &ids.invoice);
        }
        intent
    }

    fn subscription(&self, p: &Payment, ids: &Ids) -> Value {
        let mut subscription = json!({
            "id": ids.subscription, "object": "subscription", "customer": self.customer(p),
            "created": BASE + p.at, "status": "active", "latest_invoice": ids.invoice,
            "metadata": {}, "livemode": true,
        });
        let on = |place: &Place| {
            matches!(
                place,
                Place::Subscription | Place::Session | Place::PromotionCode
            )
        };
        let here: Vec<_> = p
            .coupons
            .iter()
            .enumerate()
            .filter(|(_, (_, pl))| on(pl))
            .collect();
        if self.era == Era::Old {
            if let Some((n, (coupon, place))) = here.first() {
                let promo = *place == Place::PromotionCode;
                subscription["discount"] = self.discount(
                    &format!("di_{}_{n}", ids.index),
                    coupon,
                    &format!("cus_{}", p.who),
                    promo,
                );
            }
        } else {
            let all: Vec<_> = here
                .iter()
                .map(|(n, _)| format!("di_{}_{n}", ids.index))
                .collect();
            subscription["discounts"] = json!(all);
        }
        subscription
    }

    /// From 2020-08 on objects name discounts by id; their content comes with these events.
    fn tell_discounts(&mut self, p: &Payment, ids: &Ids) {
        if self.era == Era::Old || !p.has_invoice() {
            return;
        }
        for (n, (coupon, place)) in p.coupons.iter().enumerate() {
            let promo = *place == Place::PromotionCode;
            let customer = format!("cus_{}", p.who);
            let id = format!("di_{}_{n}", ids.index);
            let mut discount = self.discount(&id, coupon, &customer, promo);
            match place {
                Place::Invoice | Place::Line => discount["invoice"] = json!(ids.invoice),
                _ => discount["subscription"] = json!(ids.subscription),
            }
            self.tell(p.at, "customer.discount.created", discount);
        }
    }

    fn invoice(&self, p: &Payment, ids: &Ids) -> Value {
        let person = &self.story.people[p.who];
        let outside = p.fate == Fate::OutOfBand;
        let total = if p.fate == Fate::Zero { 0 } else { p.amount };
        let net = if p.fate == Fate::Zero {
            0
        } else {
            p.amount - p.tax
        };
        let mut invoice = json!({
            "id": ids.invoice, "object": "invoice", "customer": self.customer(p),
            "customer_email": p.email.or(person.email), "currency": p.currency,
            "created": BASE + p.at - 60, "status": "paid", "livemode": true, "metadata": {},
            "amount_due": total, "amount_paid": total, "amount_remaining": 0,
            "subtotal": net, "total": total, "starting_balance": 0, "ending_balance": 0,
            "billing_reason": if p.how == How::Invoice { "manual" } else { "subscription_create" },
            "status_transitions": {"finalized_at": BASE + p.at - 60, "paid_at": BASE + p.at},
            "lines": {"object": "list", "has_more": false, "data": self.lines(p, ids, net)},
        });
        self.invoice_discounts(p, ids, &mut invoice);
        if self.era.is_new() {
            invoice["total_excluding_tax"] = json!(net);
            invoice["total_taxes"] = json!([{"amount": total - net, "tax_behavior": "exclusive"}]);
            if p.how == How::Subscription {
                invoice["parent"] = json!({"type": "subscription_details",
                    "subscription_details": {"subscription": ids.subscription, "metadata": {}}});
            }
            if outside {
                invoice["amount_paid_off_stripe"] = json!(total);
            }
            return invoice;
        }
        invoice["subscription"] = reference(p.how == How::Subscription, &ids.subscription);
        invoice["charge"] = reference(p.has_charge(), &ids.charge);
        invoice["payment_intent"] = reference(p.has_intent(), &ids.intent);
        invoice["paid"] = json!(true);
        invoice["paid_out_of_band"] = json!(outside);
        if outside {
            invoice["amount_paid"] = json!(0);
        }
        if self.era == Era::Old {
            invoice["tax"] = reference(false, "");
            if p.tax > 0 && total > 0 {
                invoice["tax"] = json!(p.tax);
            }
        } else {
            invoice["total_excluding_tax"] = json!(net);
            invoice["total_tax_amounts"] = json!([{"amount": total - net, "inclusive": false}]);
        }
        invoice
    }

    fn lines(&self, p: &Payment, ids: &Ids, net: i64) -> Vec<Value> {
        let count = i64::try_from(p.products.len()).unwrap();
        let mut lines = Vec::new();
        for (n, product) in p.products.iter().enumerate() {
            let last = n + 1 == p.products.len();
            let amount = if last {
                net - net / count * (count - 1)
            } else {
                net / count
            };
            let price = product.replace("prod_", "price_");
            let mut line = json!({
                "id": format!("il_{}_{n}", ids.index), "object": "line_item", "amount": amount,
                "currency": p.currency, "livemode": true, "discounts": [],
            });
            if self.era.is_new() {
                line["pricing"] = json!({"type": "price_details",
                    "price_details": {"price": price, "product": product}});
            } else {
                line["price"] = json!({"id": price, "object": "price", "product": product});
            }
            lines.push(line);
        }
        let on_line = p
            .coupons
            .iter()
            .enumerate()
            .filter(|(_, (_, pl))| *pl == Place::Line);
        for (n, (coupon, _)) in on_line {
            if let Some(line) = lines.first_mut() {
                let id = format!("di_{}_{n}", ids.index);
                let customer = format!("cus_{}", p.who);
                let whole = self.discount(&id, coupon, &customer, false);
                let shown = if self.era == Era::Old {
                    whole
                } else {
                    json!(id)
                };
                line["discounts"].as_array_mut().unwrap().push(shown);
            }
        }
        lines
    }

    fn invoice_discounts(&self, p: &Payment, ids: &Ids, invoice: &mut Value) {
        let customer = format!("cus_{}", p.who);
        let person = &self.story.people[p.who];
        let mut whole: Vec<Value> = Vec::new();
        for (n, (coupon, place)) in p.coupons.iter().enumerate() {
            let id = format!("di_{}_{n}", ids.index);
            if *place != Place::Line {
                let promo = *place == Place::PromotionCode;
                whole.push(self.discount(&id, coupon, &customer, promo));
            }
        }
        if let Some(coupon) = person.coupon {
            whole.push(self.discount(&format!("di_{customer}"), coupon, &customer, false));
        }
        if self.era == Era::Old {
            // One discount has its own field; several are the expanded list.
            invoice["discount"] = whole.first().cloned().unwrap_or(Value::Null);
            invoice["discounts"] = json!(whole);
        } else {
            let ids: Vec<Value> = whole.iter().map(|d| d["id"].clone()).collect();
            invoice["discounts"] = json!(ids);
        }
    }

    fn invoice_payment(&self, p: &Payment, ids: &Ids) -> Value {
        json!({
            "id": format!("inpay_{}", ids.index), "object": "invoice_payment",
            "amount_paid": p.amount, "amount_requested": p.amount, "created": BASE + p.at,
            "currency": p.currency, "invoice": ids.invoice, "is_default": true, "livemode": true,
            "payment": {"type": "payment_intent", "payment_intent": ids.intent},
            "status": "paid", "status_transitions": {"paid_at": BASE + p.at},
        })
    }

    fn session(&self, p: &Payment, ids: &Ids) -> Value {
        let person = &self.story.people[p.who];
        let started = p.how == How::Subscription;
        let total = if p.fate == Fate::Zero { 0 } else { p.amount };
        let email = if person.guest { person.email } else { p.email };
        let mut session = json!({
            "id": ids.session, "object": "checkout.session", "created": BASE + p.at - 600,
            "mode": if started { "subscription" } else { "payment" }, "status": "complete",
            "payment_status": if total == 0 { "no_payment_required" } else { "paid" },
            "amount_total": total, "currency": p.currency, "customer": self.customer(p),
            "customer_details": {"email": email}, "client_reference_id": p.reference,
            "payment_intent": reference(!started, &ids.intent), "metadata": {}, "livemode": true,
            "subscription": reference(started, &ids.subscription),
        });
        if self.era != Era::Old {
            session["invoice"] = reference(started, &ids.invoice);
        }
        if self.era.is_new() {
            let on = |place: Place| matches!(place, Place::Session | Place::PromotionCode);
            let shown = p
                .coupons
                .iter()
                .filter(|(_, place)| on(*place))
                .map(|(c, place)| {
                    let promo = *place == Place::PromotionCode;
                    json!({"coupon": reference(!promo, c),
                    "promotion_code": reference(promo, &format!("promo_{c}"))})
                });
            session["discounts"] = json!(shown.collect::<Vec<_>>());
        }
        session
    }

    fn tell_refunds(&mut self, p: &Payment, ids: &Ids) {
        let mut standing = 0;
        let mut listed: Vec<Value> = Vec::new();
        for (n, refund) in p.refunds.iter().enumerate() {
            // One after the other: Stripe refuses what is more than is left.
            let at = p.at + refund.after + 7200 * i64::try_from(n).unwrap();
            let object = |status: &str| {
                json!({
                    "id": format!("re_{}_{n}", ids.index), "object": "refund",
                    "amount": refund.amount, "charge": ids.charge, "created": BASE + at,
                    "currency": p.currency, "status": status, "metadata": {},
                    "payment_intent": reference(p.has_intent(), &ids.intent),
                })
            };
            let first = if refund.end == RefundEnd::Succeeded {
                "succeeded"
            } else {
                "pending"
            };
            let last = match refund.end {
                RefundEnd::Succeeded => "succeeded",
                RefundEnd::Pending => "pending",
                RefundEnd::Failed => "failed",
                RefundEnd::Canceled => "canceled",
            };
            standing += refund.amount;
            listed.push(object(first));
            let mut charge = self.charge(p, ids, "succeeded", standing);
            if self.era == Era::Old {
                charge["refunds"] = json!({"object": "list", "data": listed, "has_more": false});
            } else {
                self.tell(at, "refund.created", object(first));
            }
            self.tell(at, "charge.refunded", charge);
            if first != last {
                standing -= refund.amount;
                *listed.last_mut().unwrap() = object(last);
                let kind = if self.era.is_new() && last == "failed" {
                    "refund.failed"
                } else {
                    "charge.refund.updated"
                };
                // A pending refund stays as it is: nothing more is told of it.
                if last == "pending" {
                    standing += refund.amount;
                } else {
                    self.tell(at + 3600, kind, object(last));
                }
            }
        }
    }

    fn tell_dispute(&mut self, p: &Payment, ids: &Ids, dispute: &Dispute) {
        use DisputeEnd::{Inquiry, InquiryClosed, Lost, Open, Reinstated, Withdrawn, Won};
        let at = p.at + dispute.after;
        let object = |status: &str| {
            json!({
                "id": format!("dp_{}", ids.index), "object": "dispute", "amount": p.paid(),
                "charge": ids.charge, "created": BASE + at, "currency": p.currency,
                "payment_intent": reference(p.has_intent(), &ids.intent), "status": status,
                "reason": "fraudulent", "livemode": true, "metadata": {},
            })
        };
        let inquiry = matches!(dispute.end, Inquiry | InquiryClosed);
        let opened = if inquiry {
            "warning_needs_response"
        } else {
            "needs_response"
        };
        self.tell(at, "charge.dispute.created", object(opened));
        if matches!(dispute.end, Withdrawn | Lost | Reinstated) {
            self.tell(
                at,
                "charge.dispute.funds_withdrawn",
                object("needs_response"),
            );
        }
        let closed = match dispute.end {
            Open | Withdrawn | Inquiry => return,
            Lost => "lost",
            Won | Reinstated => "won",
            InquiryClosed => "warning_closed",
        };
        let review = if inquiry {
            "warning_under_review"
        } else {
            "under_review"
        };
        self.tell(at + 3600, "charge.dispute.updated", object(review));
        self.tell(at + 7200, "charge.dispute.closed", object(closed));
        if dispute.end == Reinstated {
            self.tell(at + 7200, "charge.dispute.funds_reinstated", object(closed));
        }
    }
}

fn coupon_object(id: &str) -> Value {
    json!({"id": id, "object": "coupon", "percent_off": 10, "duration": "forever", "valid": true})
}
