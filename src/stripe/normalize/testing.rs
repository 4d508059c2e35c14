//! What the tests of this room share: an object in, what is said of it out.

use crate::domain::fact::{ObjectKind, ObjectState};
use crate::stripe::{Reading, read_event};

/// What an event of this type with this object says of the first object of a kind.
pub fn state(event_type: &str, object: &serde_json::Value, kind: ObjectKind) -> ObjectState {
    let event = serde_json::json!({
        "id": "evt_1", "object": "event", "type": event_type, "created": 1_700_000_000,
        "livemode": true, "data": {"object": object},
    });
    let event = read_event(event.to_string().as_bytes()).unwrap();
    let Reading::Facts(facts) = event.reading else {
        panic!("{:?}", event.reading)
    };
    let found = facts.into_iter().find(|fact| fact.object.kind == kind);
    found.unwrap().state
}
