//! Everybody else: customers whom nobody referred, events that no campaign needs, test-mode
//! events, and one that cannot be read.

use serde_json::json;

use super::customers::Plan;
use super::script::{Era, Script};

const STRANGERS: u32 = 40;
const TEST_EVENTS: u32 = 9;
const PAYOUTS: u32 = 12;

/// Adds what happens besides.
pub fn play(script: &mut Script) {
    for _ in 0..STRANGERS {
        let currency = script.dice.pick(&["usd", "usd", "eur", "jpy"]);
        let person = script.person(currency);
        let at = script.moment(0, 170);
        let minor = script.dice.between(19, 99) * 100;
        let plan = Plan {
            minor,
            ..Plan::default()
        };
        script.subscribe(&person, at, &plan);
    }
    for _ in 0..PAYOUTS {
        let at = script.moment(0, 176);
        let payout = json!({"id": script.id("po"), "object": "payout", "amount": 125_000});
        script.report(Era::Modern, at, "payout.paid", &payout);
    }
    for _ in 0..TEST_EVENTS {
        in_test_mode(script);
    }
    // A currency that does not exist yet: kept, shown, and read again after an update.
    let at = script.moment(90, 100);
    let charge = json!({
        "id": script.id("ch"), "object": "charge", "amount": 5000, "captured": true,
        "currency": "xyz", "customer": null, "livemode": true, "status": "succeeded",
    });
    script.report(Era::Modern, at, "charge.succeeded", &charge);
}

/// Somebody tries the shop with a test card.
fn in_test_mode(script: &mut Script) {
    let at = script.moment(0, 176);
    let customer = json!({
        "id": script.id("cus"), "object": "customer", "created": at.unix(),
        "email": "tester@example.com", "livemode": false, "metadata": {},
    });
    let event = json!({
        "id": script.id("evt"), "object": "event", "api_version": "2025-09-30.clover",
        "created": at.unix(), "data": {"object": customer}, "livemode": false,
        "pending_webhooks": 1, "request": {"id": null, "idempotency_key": null},
        "type": "customer.created",
    });
    script.deliver(at, event.to_string());
}
