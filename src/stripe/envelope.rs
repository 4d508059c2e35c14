//! The envelope of an event: who, what, when, which mode. It never looks into the object
//! beyond its id, so that the webhook's answer stays cheap; facts are `event.rs`'s work.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::json;
use super::wire::{Flat, Scalar};
use crate::domain::campaign::Mode;
use crate::domain::ids::{AccountId, EventId, ID_BYTES_MAX};
use crate::domain::time::Timestamp;

/// What every event says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// `evt_…`. The Dashboard's test events may all be `evt_00000000000000`.
    pub id: EventId,
    /// `invoice.paid`, …
    pub event_type: String,
    /// The API version that rendered the object, for people to read. Never decides anything.
    pub api_version: Option<String>,
    /// When it happened.
    pub created: Timestamp,
    /// Real money or test data.
    pub mode: Mode,
    /// The connected account it is about, on Connect endpoints.
    pub account: Option<AccountId>,
    /// The id of the object it is about.
    pub object_id: Option<String>,
}

/// Why a body is not a snapshot event that can be taken in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// Not JSON, or not UTF-8.
    #[error("the body cannot be read as JSON: {0}")]
    NotJson(String),
    /// Nested deeper than anything Stripe sends.
    #[error(
        "the body nests deeper than {} levels; no Stripe event does",
        json::DEPTH_MAX
    )]
    TooDeep,
    /// JSON, but not an event object.
    #[error("the body is a `{seen}`; expected an object of type `event`")]
    NotAnEvent {
        /// What it is, shortened.
        seen: String,
    },
    /// No id that can be used as a key.
    #[error("the event has no usable id; expected 1 to 255 bytes without control characters")]
    NoId,
    /// An envelope field that decides something and cannot be read.
    #[error("the event's `{field}` is missing or has an unexpected form; expected {expected}")]
    FieldInvalid {
        /// Which.
        field: &'static str,
        /// What Stripe documents.
        expected: &'static str,
    },
    /// A thin event: it carries no object. To be stored, answered 200 and warned about.
    #[error(
        "`{event_type}` is a thin event, which carries no object; choose snapshot payloads for this destination in Stripe"
    )]
    Thin {
        /// Its id.
        id: EventId,
        /// Its type, `v1.invoice.paid`, `v2.core.event_destination.ping`, …
        event_type: String,
    },
    /// Wrapped by Amazon's event bus.
    #[error(
        "the body is an Amazon EventBridge envelope; send Stripe's webhooks to this endpoint directly, without EventBridge"
    )]
    EventBridge,
    /// Wrapped by Azure Event Grid.
    #[error(
        "the body is an Azure Event Grid envelope; send Stripe's webhooks to this endpoint directly, without Event Grid"
    )]
    EventGrid,
}

impl EnvelopeError {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotJson(_) => "not_json",
            Self::TooDeep => "too_deep",
            Self::NotAnEvent { .. } => "not_an_event",
            Self::NoId => "no_id",
            Self::FieldInvalid { .. } => "envelope_field_invalid",
            Self::Thin { .. } => "thin_event",
            Self::EventBridge => "event_bridge",
            Self::EventGrid => "event_grid",
        }
    }
}

/// The id of the object, with everything else skipped.
#[derive(Default, Deserialize)]
#[serde(default)]
struct ObjectId<'a> {
    #[serde(borrow)]
    id: Scalar<'a>,
}

/// The fields of the envelope. `O` is what to make of `data.object`.
#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a, O: Deserialize<'de>"))]
pub(super) struct Wire<'a, O> {
    #[serde(default)]
    id: Scalar<'a>,
    #[serde(default)]
    object: Scalar<'a>,
    #[serde(default, rename = "type")]
    event_type: Scalar<'a>,
    #[serde(default)]
    api_version: Scalar<'a>,
    #[serde(default)]
    created: Scalar<'a>,
    #[serde(default)]
    livemode: Scalar<'a>,
    #[serde(default)]
    account: Scalar<'a>,
    #[serde(default)]
    pub(super) data: Flat<Data<O>>,
    // Marks of other people's envelopes.
    #[serde(default, rename = "detail-type")]
    detail_type: Option<IgnoredAny>,
    #[serde(default)]
    specversion: Option<IgnoredAny>,
    #[serde(default, rename = "eventType")]
    event_grid_type: Option<IgnoredAny>,
}

/// `data` of an event.
#[derive(Deserialize)]
#[serde(bound(deserialize = "O: Deserialize<'de>"))]
pub(super) struct Data<O> {
    #[serde(default = "Option::default")]
    pub(super) object: Option<O>,
}

/// Reads the envelope alone; cheap enough for the path to the webhook's answer.
pub fn read_envelope(body: &[u8]) -> Result<Envelope, EnvelopeError> {
    let wire: Wire<'_, Flat<ObjectId<'_>>> = read_wire(body)?;
    let object = wire.data.0.as_deref().and_then(|d| d.object.as_ref());
    let id = object.and_then(|o| o.0.as_deref()?.id.text());
    let object_id = id.filter(|id| is_usable_id(id)).map(str::to_owned);
    wire.into_envelope(object_id)
}

/// Parses a body up to the envelope's fields, after the guards.
pub(super) fn read_wire<'a, O: Deserialize<'a>>(
    body: &'a [u8],
) -> Result<Wire<'a, O>, EnvelopeError> {
    let text = std::str::from_utf8(body)
        .map_err(|e| EnvelopeError::NotJson(format!("it is not UTF-8 ({e})")))?;
    if !json::depth_is_acceptable(text) {
        return Err(EnvelopeError::TooDeep);
    }
    // A derived struct would also take a list of its fields' values.
    let not_an_object = match text.trim_start().chars().next() {
        Some('{') | None => None,
        Some('[') => Some("list"),
        Some('"') => Some("text"),
        Some(_) => Some("number, flag or null"),
    };
    match not_an_object {
        None => serde_json::from_str(text).map_err(|error| not_json(&error)),
        Some(seen) => Err(refusal(text, seen)),
    }
}

/// Says what a body that is no JSON object is.
fn refusal(text: &str, seen: &str) -> EnvelopeError {
    #[derive(Deserialize)]
    struct GridItem {
        #[serde(rename = "eventType", alias = "specversion")]
        _mark: IgnoredAny,
    }
    if serde_json::from_str::<Vec<GridItem>>(text).is_ok_and(|items| !items.is_empty()) {
        return EnvelopeError::EventGrid;
    }
    match serde_json::from_str::<IgnoredAny>(text) {
        Ok(_) => EnvelopeError::NotAnEvent {
            seen: seen.to_owned(),
        },
        Err(error) => not_json(&error),
    }
}

fn not_json(error: &serde_json::Error) -> EnvelopeError {
    EnvelopeError::NotJson(json::shortened(&error.to_string()))
}

impl<O> Wire<'_, O> {
    /// Checks the fields that decide something.
    pub(super) fn into_envelope(
        self,
        object_id: Option<String>,
    ) -> Result<Envelope, EnvelopeError> {
        if self.detail_type.is_some() {
            return Err(EnvelopeError::EventBridge);
        }
        if self.specversion.is_some() || self.event_grid_type.is_some() {
            return Err(EnvelopeError::EventGrid);
        }
        let object = self.object.text().unwrap_or("event");
        let thin = object == "v2.core.event";
        if !thin && object != "event" {
            let seen = json::shortened(object);
            return Err(EnvelopeError::NotAnEvent { seen });
        }
        let id = self.id.text().filter(|id| is_usable_id(id));
        let id = EventId::from(id.ok_or(EnvelopeError::NoId)?);
        let event_type = self
            .event_type
            .text()
            .filter(|text| is_usable_id(text))
            .ok_or(invalid("type", "a text like `invoice.paid`"))?
            .to_owned();
        if thin {
            return Err(EnvelopeError::Thin { id, event_type });
        }
        // Without `livemode` the event could meet facts of the other mode: better not read.
        let live = self.livemode.flag();
        let live = live.ok_or(invalid("livemode", "true or false"))?;
        let created = self.created.int().and_then(Timestamp::from_unix);
        let account = self.account.text().filter(|id| is_usable_id(id));
        Ok(Envelope {
            id,
            event_type,
            api_version: self.api_version.text().map(str::to_owned),
            created: created.ok_or(invalid("created", "unix seconds"))?,
            mode: Mode::from_livemode(live),
            account: account.map(AccountId::from),
            object_id,
        })
    }
}

const fn invalid(field: &'static str, expected: &'static str) -> EnvelopeError {
    EnvelopeError::FieldInvalid { field, expected }
}

/// Whether a text can serve as an id: 1 to 255 bytes, no control characters.
pub(super) fn is_usable_id(text: &str) -> bool {
    !text.is_empty() && text.len() <= ID_BYTES_MAX && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"id":"evt_1","object":"event","type":"charge.succeeded","created":5,
        "livemode":true,"api_version":null,"account":"acct_1","request":"req_1",
        "data":{"object":{"id":"ch_1","x":[1,{"y":null}]}}}"#;

    #[test]
    fn the_envelope_is_read_without_the_object() {
        let envelope = read_envelope(GOOD.as_bytes()).unwrap();
        let expected = Envelope {
            id: "evt_1".into(),
            event_type: "charge.succeeded".into(),
            api_version: None,
            created: Timestamp::from_unix(5).unwrap(),
            mode: Mode::Live,
            account: Some("acct_1".into()),
            object_id: Some("ch_1".into()),
        };
        assert_eq!(envelope, expected);
    }

    #[test]
    fn the_dashboards_test_event_is_an_event() {
        let body = GOOD.replace("evt_1", "evt_00000000000000");
        let envelope = read_envelope(body.as_bytes()).unwrap();
        assert_eq!(envelope.id.as_str(), "evt_00000000000000");
    }

    #[test]
    fn bodies_that_are_no_snapshot_events() {
        let thin = r#"{"id":"evt_2","object":"v2.core.event","type":"v1.invoice.paid",
            "created":"2026-01-01T00:00:00.000Z","livemode":true}"#;
        let deep = format!(
            r#"{{"id":"evt_1","data":{}{}}}"#,
            "[".repeat(10_000),
            "]".repeat(10_000)
        );
        let cases = [
            (String::new(), "not_json"),
            ("{".into(), "not_json"),
            ("hello".into(), "not_json"),
            (GOOD.replace("null}", "nul}"), "not_json"),
            (format!("{GOOD}x"), "not_json"),
            (GOOD.replace("\"created\":5", "\"created\":1e400"), "not_json"),
            ("[1]".into(), "not_an_event"),
            ("7".into(), "not_an_event"),
            ("\"evt\"".into(), "not_an_event"),
            (GOOD.replace("\"event\"", "\"charge\""), "not_an_event"),
            (deep, "too_deep"),
            (GOOD.replace("\"evt_1\"", "null"), "no_id"),
            (GOOD.replace("\"evt_1\"", "17"), "no_id"),
            (GOOD.replace("evt_1", ""), "no_id"),
            (GOOD.replace("evt_1", "evt\\u0000"), "no_id"),
            (GOOD.replace("evt_1", &"e".repeat(256)), "no_id"),
            ("{}".into(), "no_id"),
            (GOOD.replace("\"type\"", "\"typ\""), "envelope_field_invalid"),
            (GOOD.replace("true", "null"), "envelope_field_invalid"),
            (GOOD.replace("\"created\":5", "\"created\":\"5\""), "envelope_field_invalid"),
            (GOOD.replace(":5", ":99999999999999"), "envelope_field_invalid"),
            (thin.into(), "thin_event"),
            (r#"{"version":"0","id":"x","detail-type":"charge.succeeded","source":"aws.partner/stripe.com/1","detail":{}}"#.into(), "event_bridge"),
            (r#"{"id":"x","eventType":"t","subject":"s","data":{}}"#.into(), "event_grid"),
            (r#"[{"id":"x","eventType":"t","subject":"s","data":{}}]"#.into(), "event_grid"),
            (r#"{"specversion":"1.0","id":"x","type":"t","data":{}}"#.into(), "event_grid"),
        ];
        for (body, code) in cases {
            let found = read_envelope(body.as_bytes()).map_err(|e| e.code());
            assert_eq!(found, Err(code), "{}", json::shortened(&body));
        }
        let not_utf8 = read_envelope(b"{\"id\":\"\xff\"}").unwrap_err();
        assert_eq!(not_utf8.code(), "not_json");
    }
}
