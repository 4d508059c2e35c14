//! Customers and subscriptions as Stripe reports them, with the payments they lead to.

use serde_json::{Value, json};

use super::money::{Bill, Paid, Saving};
use super::script::{Era, HOUR, Person, Script, is_told, months_later};
use crate::domain::time::{DAY_SECONDS, Timestamp};

/// Days of a free trial.
const TRIAL_DAYS: i64 = 14;

/// A subscription to start.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// Price of a month, minor units.
    pub minor: i64,
    /// Payments at most; 0 means until the customer has had enough.
    pub payments: u32,
    /// Whether it starts with a free trial.
    pub trial: bool,
    /// What makes the first payment cheaper.
    pub saving: Option<Saving>,
}

impl Script {
    /// The person becomes a Stripe customer.
    pub fn sign_up(&mut self, person: &Person, at: Timestamp) {
        let mut object = customer(person);
        if let Some(fields) = object.as_object_mut() {
            fields.insert("created".to_owned(), json!(at.unix()));
        }
        self.report(person.era, at, "customer.created", &object);
    }

    /// The customer has this person's email from now on.
    pub fn change_email(&mut self, person: &Person, at: Timestamp) {
        self.report(person.era, at, "customer.updated", &customer(person));
    }

    /// Signs up and subscribes at once; the payments, in order.
    pub fn subscribe(&mut self, person: &Person, at: Timestamp, plan: &Plan) -> Vec<Paid> {
        self.sign_up(person, at);
        self.start_plan(person, at.plus_seconds(90), plan)
    }

    /// A customer starts a plan; the payments, in order.
    pub fn start_plan(&mut self, person: &Person, at: Timestamp, plan: &Plan) -> Vec<Paid> {
        let id = self.id("sub");
        let status = if plan.trial { "trialing" } else { "active" };
        let object = subscription(person, &id, at, status);
        self.report(person.era, at, "customer.subscription.created", &object);
        let mut first = at.plus_seconds(60);
        if plan.trial {
            let free = Bill::of_subscription(&id, "subscription_create");
            self.pay(person, first, 0, &free);
            first = first.plus_seconds(TRIAL_DAYS * DAY_SECONDS + HOUR);
        }
        let mut paid = Vec::new();
        for month in 0..12_u32 {
            let due = months_later(first, month);
            let enough = match plan.payments {
                0 => month > 0 && self.dice.one_in(4),
                most => month >= most,
            };
            if enough || !is_told(due) {
                break;
            }
            let reason = if month == 0 && !plan.trial {
                "subscription_create"
            } else {
                "subscription_cycle"
            };
            let mut bill = Bill::of_subscription(&id, reason);
            let mut minor = plan.minor;
            if let Some(saving) = plan.saving.as_ref().filter(|_| month == 0) {
                minor -= saving.off;
                bill.saving = Some(saving.clone());
            }
            paid.push(self.pay(person, due, minor, &bill));
        }
        paid
    }
}

fn customer(person: &Person) -> Value {
    json!({
        "id": person.customer,
        "object": "customer",
        "currency": person.currency,
        "email": person.email,
        "livemode": true,
        "metadata": person.metadata,
        "name": person.name,
    })
}

fn subscription(person: &Person, id: &str, at: Timestamp, status: &str) -> Value {
    let mut object = json!({
        "id": id,
        "object": "subscription",
        "created": at.unix(),
        "currency": person.currency,
        "customer": person.customer,
        "items": {"object": "list", "has_more": false, "data": []},
        "livemode": true,
        "metadata": {},
        "start_date": at.unix(),
        "status": status,
    });
    if let Some(fields) = object.as_object_mut() {
        match person.era {
            Era::Modern => fields.insert("discounts".to_owned(), json!([])),
            Era::Old => fields.insert("discount".to_owned(), Value::Null),
        };
    }
    object
}
