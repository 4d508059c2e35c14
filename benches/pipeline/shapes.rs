//! Stripe's events as its API 2024-09-30 and 2025-09-30 send them, with the fields that an
//! account's events usually have, so that bodies are as long as real ones (about 2.6 kB).

use serde_json::{Value, json};

/// Which shapes Stripe sends for a person's objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Era {
    /// Charges, intents and invoices name each other.
    Acacia,
    /// They do not: an `invoice_payment` does.
    Clover,
}

/// One who pays.
#[derive(Debug, Clone)]
pub struct Person {
    /// Stands in every id: ten digits.
    pub digits: String,
    /// Which shapes its objects have.
    pub era: Era,
    /// The id in the referring product, in the customer's metadata.
    pub uid: Option<String>,
    /// The coupon on its subscription.
    pub coupon: Option<String>,
}

impl Person {
    /// Its Stripe customer.
    pub fn customer(&self) -> String {
        format!("cus_R{}", self.digits)
    }

    /// Its email.
    pub fn email(&self) -> String {
        format!("person.{}@customers.example", self.digits)
    }

    fn subscription(&self) -> String {
        format!("sub_1Q{}", self.digits)
    }

    fn discount(&self) -> String {
        format!("di_1Q{}", self.digits)
    }
}

/// One payment of a person.
#[derive(Debug, Clone)]
pub struct Bill {
    /// Stands in its ids, before the person's digits: ids grow with time.
    pub number: String,
    /// When, unix seconds.
    pub at: i64,
    /// How much, minor units.
    pub minor: i64,
    /// How much of it was given back.
    pub refunded: i64,
}

impl Bill {
    fn id(&self, prefix: &str, person: &Person) -> String {
        format!("{prefix}_3Q{}{}", self.number, person.digits)
    }
}

/// An event around an object, as Stripe prints it.
pub fn event(person: &Person, id: &str, at: i64, event_type: &str, object: &Value) -> Vec<u8> {
    let version = match person.era {
        Era::Acacia => "2024-09-30.acacia",
        Era::Clover => "2025-09-30.clover",
    };
    let event = json!({
        "id": id,
        "object": "event",
        "api_version": version,
        "created": at,
        "data": {"object": object},
        "livemode": true,
        "pending_webhooks": 1,
        "request": {"id": format!("req_{}", person.digits), "idempotency_key": format!("key-{id}")},
        "type": event_type,
    });
    serde_json::to_vec_pretty(&event).unwrap()
}

fn address() -> Value {
    json!({
        "city": "Rotterdam", "country": "NL", "line1": "Coolsingel 40", "line2": null,
        "postal_code": "3011 AD", "state": null,
    })
}

/// A customer object.
pub fn customer(person: &Person, created: i64) -> Value {
    let metadata = match &person.uid {
        Some(uid) => json!({"fp_uid": uid, "plan": "team"}),
        None => json!({"plan": "team"}),
    };
    json!({
        "id": person.customer(),
        "object": "customer",
        "address": address(),
        "balance": 0,
        "created": created,
        "currency": "usd",
        "default_source": null,
        "delinquent": false,
        "description": "Signed up on the web",
        "discount": null,
        "email": person.email(),
        "invoice_prefix": person.digits,
        "invoice_settings": {
            "custom_fields": null, "default_payment_method": format!("pm_1Q{}", person.digits),
            "footer": null, "rendering_options": null,
        },
        "livemode": true,
        "metadata": metadata,
        "name": format!("Person {}", person.digits),
        "next_invoice_sequence": 2,
        "phone": null,
        "preferred_locales": ["en-GB"],
        "shipping": null,
        "tax_exempt": "none",
        "test_clock": null,
    })
}

/// A subscription object.
pub fn subscription(person: &Person, created: i64) -> Value {
    let discounts: Vec<String> = person.coupon.iter().map(|_| person.discount()).collect();
    json!({
        "id": person.subscription(),
        "object": "subscription",
        "application": null,
        "application_fee_percent": null,
        "automatic_tax": {"enabled": false, "liability": null},
        "billing_cycle_anchor": created,
        "billing_cycle_anchor_config": null,
        "cancel_at": null,
        "cancel_at_period_end": false,
        "canceled_at": null,
        "cancellation_details": {"comment": null, "feedback": null, "reason": null},
        "collection_method": "charge_automatically",
        "created": created,
        "currency": "usd",
        "current_period_end": created + 2_592_000,
        "current_period_start": created,
        "customer": person.customer(),
        "days_until_due": null,
        "default_payment_method": null,
        "default_tax_rates": [],
        "description": null,
        "discounts": discounts,
        "ended_at": null,
        "items": {
            "object": "list",
            "data": [{
                "id": format!("si_{}", person.digits),
                "object": "subscription_item",
                "created": created,
                "discounts": [],
                "metadata": {},
                "price": price(),
                "quantity": 1,
                "subscription": person.subscription(),
                "tax_rates": [],
            }],
            "has_more": false,
            "total_count": 1,
            "url": format!("/v1/subscription_items?subscription={}", person.subscription()),
        },
        "latest_invoice": null,
        "livemode": true,
        "metadata": {},
        "next_pending_invoice_item_invoice": null,
        "pause_collection": null,
        "payment_settings": {
            "payment_method_options": null, "payment_method_types": null,
            "save_default_payment_method": "off",
        },
        "pending_setup_intent": null,
        "pending_update": null,
        "schedule": null,
        "start_date": created,
        "status": "active",
        "trial_end": null,
        "trial_start": null,
    })
}

fn price() -> Value {
    json!({
        "id": "price_1Q00Team", "object": "price", "active": true, "billing_scheme": "per_unit",
        "created": 1_700_000_000, "currency": "usd", "livemode": true, "lookup_key": null,
        "metadata": {}, "nickname": "Team", "product": "prod_Q00Team",
        "recurring": {"interval": "month", "interval_count": 1, "usage_type": "licensed"},
        "tax_behavior": "unspecified", "type": "recurring", "unit_amount": 4900,
        "unit_amount_decimal": "4900",
    })
}

/// The discount on a subscription.
pub fn discount(person: &Person, at: i64) -> Value {
    json!({
        "id": person.discount(),
        "object": "discount",
        "checkout_session": null,
        "coupon": {
            "id": person.coupon, "object": "coupon", "amount_off": null, "created": 1_700_000_000,
            "currency": null, "duration": "forever", "livemode": true, "metadata": {},
            "name": "Partner", "percent_off": 10.0, "times_redeemed": 12, "valid": true,
        },
        "source": {"type": "coupon", "coupon": person.coupon},
        "customer": person.customer(),
        "end": null,
        "invoice": null,
        "invoice_item": null,
        "promotion_code": null,
        "start": at,
        "subscription": person.subscription(),
        "subscription_item": null,
    })
}

/// A paid invoice.
pub fn invoice(person: &Person, bill: &Bill) -> Value {
    let acacia = person.era == Era::Acacia;
    let discounts: Vec<String> = person.coupon.iter().map(|_| person.discount()).collect();
    let mut invoice = json!({
        "id": bill.id("in", person),
        "object": "invoice",
        "account_country": "NL",
        "account_name": "Example BV",
        "amount_due": bill.minor,
        "amount_paid": bill.minor,
        "amount_remaining": 0,
        "amount_shipping": 0,
        "attempt_count": 1,
        "attempted": true,
        "auto_advance": false,
        "automatic_tax": {"enabled": false, "liability": null, "status": null},
        "billing_reason": "subscription_cycle",
        "collection_method": "charge_automatically",
        "created": bill.at - 5,
        "currency": "usd",
        "customer": person.customer(),
        "customer_address": address(),
        "customer_email": person.email(),
        "customer_name": format!("Person {}", person.digits),
        "customer_shipping": null,
        "customer_tax_exempt": "none",
        "default_payment_method": null,
        "discounts": discounts,
        "ending_balance": 0,
        "hosted_invoice_url": format!("https://invoice.stripe.com/i/acct_1/live_{}", bill.id("in", person)),
        "lines": {
            "object": "list",
            "data": [{
                "id": bill.id("il", person),
                "object": "line_item",
                "amount": bill.minor,
                "currency": "usd",
                "description": "1 × Team (at $49.00 / month)",
                "discount_amounts": [],
                "discountable": true,
                "discounts": [],
                "livemode": true,
                "metadata": {},
                "period": {"end": bill.at + 2_592_000, "start": bill.at},
                "price": {"id": "price_1Q00Team", "object": "price", "product": "prod_Q00Team"},
                "proration": false,
                "quantity": 1,
                "tax_amounts": [],
            }],
            "has_more": false,
            "total_count": 1,
            "url": format!("/v1/invoices/{}/lines", bill.id("in", person)),
        },
        "livemode": true,
        "metadata": {},
        "number": format!("{}-0001", person.digits),
        "period_end": bill.at,
        "period_start": bill.at - 2_592_000,
        "starting_balance": 0,
        "status": "paid",
        "status_transitions": {
            "finalized_at": bill.at - 4, "marked_uncollectible_at": null, "paid_at": bill.at,
            "voided_at": null,
        },
        "subtotal": bill.minor,
        "subtotal_excluding_tax": bill.minor,
        "total": bill.minor,
        "total_excluding_tax": bill.minor,
        "webhooks_delivered_at": bill.at - 4,
    });
    let links = if acacia {
        json!({
            "charge": bill.id("ch", person), "payment_intent": bill.id("pi", person), "paid": true,
            "paid_out_of_band": false, "subscription": person.subscription(),
        })
    } else {
        json!({
            "parent": {
                "type": "subscription_details",
                "subscription_details": {"subscription": person.subscription(), "metadata": {}},
            },
        })
    };
    if let (Some(invoice), Value::Object(links)) = (invoice.as_object_mut(), links) {
        invoice.extend(links);
    }
    invoice
}

/// What ties an invoice to its intent since 2025.
pub fn invoice_payment(person: &Person, bill: &Bill) -> Value {
    json!({
        "id": bill.id("inpay", person),
        "object": "invoice_payment",
        "amount_paid": bill.minor,
        "amount_requested": bill.minor,
        "created": bill.at,
        "currency": "usd",
        "invoice": bill.id("in", person),
        "is_default": true,
        "livemode": true,
        "payment": {"type": "payment_intent", "payment_intent": bill.id("pi", person)},
        "status": "paid",
        "status_transitions": {"canceled_at": null, "paid_at": bill.at},
    })
}

/// A payment intent that went through.
pub fn intent(person: &Person, bill: &Bill) -> Value {
    let invoice = (person.era == Era::Acacia).then(|| bill.id("in", person));
    json!({
        "id": bill.id("pi", person),
        "object": "payment_intent",
        "amount": bill.minor,
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": bill.minor,
        "application": null,
        "application_fee_amount": null,
        "automatic_payment_methods": null,
        "canceled_at": null,
        "cancellation_reason": null,
        "capture_method": "automatic",
        "client_secret": format!("{}_secret_made_up", bill.id("pi", person)),
        "confirmation_method": "automatic",
        "created": bill.at - 3,
        "currency": "usd",
        "customer": person.customer(),
        "description": "Subscription update",
        "invoice": invoice,
        "last_payment_error": null,
        "latest_charge": bill.id("ch", person),
        "livemode": true,
        "metadata": {},
        "next_action": null,
        "on_behalf_of": null,
        "payment_method": format!("pm_1Q{}", person.digits),
        "payment_method_options": {
            "card": {
                "installments": null, "mandate_options": null, "network": null,
                "request_three_d_secure": "automatic",
            },
        },
        "payment_method_types": ["card"],
        "processing": null,
        "receipt_email": null,
        "review": null,
        "setup_future_usage": "off_session",
        "shipping": null,
        "source": null,
        "statement_descriptor": null,
        "status": "succeeded",
        "transfer_data": null,
        "transfer_group": null,
    })
}

/// A charge that went through, and may have been refunded since.
pub fn charge(person: &Person, bill: &Bill) -> Value {
    let invoice = (person.era == Era::Acacia).then(|| bill.id("in", person));
    json!({
        "id": bill.id("ch", person),
        "object": "charge",
        "amount": bill.minor,
        "amount_captured": bill.minor,
        "amount_refunded": bill.refunded,
        "application": null,
        "balance_transaction": bill.id("txn", person),
        "billing_details": {
            "address": address(), "email": person.email(),
            "name": format!("Person {}", person.digits), "phone": null,
        },
        "calculated_statement_descriptor": "EXAMPLE BV",
        "captured": true,
        "created": bill.at,
        "currency": "usd",
        "customer": person.customer(),
        "description": "Subscription update",
        "destination": null,
        "dispute": null,
        "disputed": false,
        "failure_code": null,
        "failure_message": null,
        "fraud_details": {},
        "invoice": invoice,
        "livemode": true,
        "metadata": {},
        "on_behalf_of": null,
        "order": null,
        "outcome": {
            "network_status": "approved_by_network", "reason": null, "risk_level": "normal",
            "risk_score": 21, "seller_message": "Payment complete.", "type": "authorized",
        },
        "paid": true,
        "payment_intent": bill.id("pi", person),
        "payment_method": format!("pm_1Q{}", person.digits),
        "payment_method_details": {
            "card": {
                "amount_authorized": bill.minor, "brand": "visa",
                "checks": {
                    "address_line1_check": "pass", "address_postal_code_check": "pass",
                    "cvc_check": null,
                },
                "country": "NL", "exp_month": 8, "exp_year": 2029,
                "fingerprint": "mToisGZ01V71BCos", "funding": "credit", "installments": null,
                "last4": "4242", "mandate": null, "network": "visa",
                "three_d_secure": null, "wallet": null,
            },
            "type": "card",
        },
        "receipt_email": null,
        "receipt_number": null,
        "receipt_url": format!("https://pay.stripe.com/receipts/invoices/{}", bill.id("ch", person)),
        "refunded": bill.refunded >= bill.minor,
        "review": null,
        "shipping": null,
        "source": null,
        "statement_descriptor": null,
        "status": "succeeded",
        "transfer_data": null,
        "transfer_group": null,
    })
}
