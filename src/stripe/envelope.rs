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
    #[error("the body is not JSON: {0}")]
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
    /// Wrapped by Amazon EventBridge.
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

    /// Whether this is Stripe's test of a thin-event destination, to be answered 200 quietly.
    pub fn is_ping(&self) -> bool {
        matches!(self, Self::Thin { event_type, .. } if event_type == "v2.core.event_destination.ping")
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
    serde_json::from_str(text).map_err(|error| refusal(text, &error))
}

/// Says why a text did not parse as an event: other JSON, or no JSON.
fn refusal(text: &str, error: &serde_json::Error) -> EnvelopeError {
    #[derive(Deserialize)]
    struct GridItem {
        #[serde(rename = "eventType", alias = "specversion")]
        _mark: IgnoredAny,
    }
    if text.trim_start().starts_with('[') {
        if serde_json::from_str::<Vec<GridItem>>(text).is_ok_and(|items| !items.is_empty()) {
            return EnvelopeError::EventGrid;
        }
        if serde_json::from_str::<Vec<IgnoredAny>>(text).is_ok() {
            let seen = "list".to_owned();
            return EnvelopeError::NotAnEvent { seen };
        }
    }
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
