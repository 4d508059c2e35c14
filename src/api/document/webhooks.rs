//! The document's `webhooks`: each topic with the message that endpoints are posted, and an
//! example of it.

use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::write::tidy;
use crate::domain::told::{BatchTold, CaseTold, QualificationTold, SettlementTold};
use crate::domain::topic::Topic;

const HOW: &str = "Posted to every endpoint that is subscribed. Any 2xx within 10 seconds says that \
it was taken; anything else is tried again with growing pauses for about three days. The same message \
may come more than once (it has the same `webhook-id` then) and messages in any order. Check the \
signature as [Standard Webhooks](https://www.standardwebhooks.com) says.";

/// Every topic.
pub(super) fn written(schemas: &mut SchemaGenerator) -> Map<String, Value> {
    let topics = Topic::ALL.iter().map(|topic| {
        let data = match topic {
            Topic::QualificationQualified | Topic::QualificationWithdrawn => {
                schema::<QualificationTold<'_>>(schemas)
            }
            Topic::QualificationSettled
            | Topic::QualificationReversed
            | Topic::QualificationReinstated => schema::<SettlementTold<'_>>(schemas),
            Topic::CaseOpened => schema::<CaseTold<'_>>(schemas),
            Topic::BatchSettled => schema::<BatchTold<'_>>(schemas),
        };
        (
            topic.name().to_owned(),
            json!({ "post": post(*topic, &data) }),
        )
    });
    topics.collect()
}

fn schema<T: JsonSchema>(schemas: &mut SchemaGenerator) -> Value {
    let mut schema = schemas.subschema_for::<T>().to_value();
    tidy(&mut schema);
    schema
}

fn post(topic: Topic, data: &Value) -> Value {
    let header = |name: &str, says: &str| {
        let text = json!({ "type": "string" });
        json!({ "name": name, "in": "header", "required": true, "description": says, "schema": text })
    };
    json!({
        "operationId": format!("on_{}", topic.name().replace('.', "_")),
        "summary": topic.says(),
        "description": HOW,
        "parameters": [
            header("webhook-id", "The message's id, the same at every attempt."),
            header("webhook-timestamp", "When it was sent, in unix seconds."),
            header("webhook-signature", "`v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`; several, separated by spaces, while the secret is being rotated."),
        ],
        "requestBody": { "required": true, "content": { "application/json": {
            "schema": {
                "type": "object",
                "required": ["id", "type", "created_at", "livemode", "data"],
                "properties": {
                    "id": { "type": "string", "description": "The message's id, as in `webhook-id`." },
                    "type": { "const": topic.name() },
                    "created_at": { "type": "string", "format": "date-time", "description": "When it happened." },
                    "livemode": { "type": "boolean", "description": "Whether the money is real." },
                    "data": data,
                },
            },
            "example": {
                "id": "msg_5c1f0e2b7a9d4c3e8f60b1a2",
                "type": topic.name(),
                "created_at": "2026-03-20T10:00:00Z",
                "livemode": true,
                "data": example(topic),
            },
        } } },
        "responses": { "2XX": { "description": "Taken. The body of the answer is not looked at." } },
    })
}

/// What each says, made up.
fn example(topic: Topic) -> Value {
    let rewards = |sign: i64| {
        json!([
            { "to": "promoter", "amount_minor": sign * 2000, "currency": "usd" },
            { "to": "invited", "amount_minor": sign * 1000, "currency": "usd" },
        ])
    };
    let settlement = |sign: i64, reason: &str| {
        json!({
            "qualification": "qual_7d0c2a41e6b95f38",
            "campaign": "spring",
            "referral": "ref_bo",
            "promoter": "prom_ana",
            "amounts": rewards(sign),
            "reason": reason,
            "batch": "batch_slot.41128",
        })
    };
    let qualification = |state: &str, reason: &str| {
        json!({
            "id": "qual_7d0c2a41e6b95f38",
            "campaign": "spring",
            "revision": "sha256:2710b17a",
            "referral": "ref_bo",
            "promoter": "prom_ana",
            "customer": "cus_bo",
            "state": state,
            "reason": reason,
            "qualified_at": "2026-03-03T10:00:00Z",
            "settle_after": "2026-03-17T10:00:00Z",
            "rewards": rewards(1),
            "given": [],
            "created_at": "2026-03-20T10:00:00Z",
            "changed_at": "2026-03-20T10:00:00Z",
        })
    };
    match topic {
        Topic::QualificationQualified => qualification("queued", "threshold_met"),
        Topic::QualificationWithdrawn => qualification("withdrawn", "refunded_below_threshold"),
        Topic::QualificationSettled | Topic::QualificationReinstated => {
            settlement(1, "threshold_met")
        }
        Topic::QualificationReversed => settlement(-1, "refunded_below_threshold"),
        Topic::CaseOpened => json!({
            "id": "case_4be1",
            "kind": "duplicate_customers",
            "state": "open",
            "campaign": "spring",
            "referral": "ref_cy",
            "opened_at": "2026-03-20T10:00:00Z",
            "changed_at": "2026-03-20T10:00:00Z",
        }),
        Topic::BatchSettled => json!({
            "id": "batch_slot.41128",
            "kind": "scheduled",
            "state": "done",
            "slot_at": "2026-03-20T00:00:00Z",
            "cut_off": "2026-03-20T00:00:00Z",
            "planned_at": "2026-03-20T00:00:00Z",
            "done_at": "2026-03-20T00:00:02Z",
            "items": 41,
            "settled": 38,
            "reversed": 1,
            "reinstated": 0,
            "skipped": 2,
        }),
    }
}
