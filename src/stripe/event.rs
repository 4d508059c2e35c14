//! A whole event: its envelope, and what to make of its object. It chooses the reader by the
//! event's type and checks the object's own `object`; the reading itself is `normalize/`'s.

use serde_json::value::RawValue;

use super::envelope::{Envelope, EnvelopeError, Wire, is_usable_id, read_wire};
use super::normalize::{self, ObjectType};
use super::reason::{IgnoreReason, QuarantineReason};
use super::wire::Scalar;
use crate::domain::fact::Fact;

/// What an event comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// What it says, one fact per object, by object key. Never empty.
    Facts(Vec<Fact>),
    /// It says nothing that matters here.
    Ignored {
        /// Why.
        reason: IgnoreReason,
    },
    /// It matters and cannot be read.
    Quarantined {
        /// Why.
        reason: QuarantineReason,
    },
}

/// An event with its reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Who, what, when, which mode.
    pub envelope: Envelope,
    /// What it says.
    pub reading: Reading,
}

/// The object's id and kind, with everything else skipped.
#[derive(Default, serde::Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct Tag<'a> {
    id: Scalar<'a>,
    object: Scalar<'a>,
}

/// Reads a whole event. Never panics, whatever the body.
///
/// `Err` means that the body is no snapshot event at all; an event whose object cannot be
/// read is `Ok` with [`Reading::Quarantined`].
pub fn read_event(body: &[u8]) -> Result<Event, EnvelopeError> {
    let wire: Wire<'_, &RawValue> = read_wire(body)?;
    let object = wire.data.0.as_deref().and_then(|data| data.object);
    let tag = object.map(|raw| serde_json::from_str::<Tag<'_>>(raw.get()).unwrap_or_default());
    let id = tag.as_ref().and_then(|tag| tag.id.text());
    let id = id.filter(|id| is_usable_id(id)).map(str::to_owned);
    let envelope = wire.into_envelope(id)?;
    let reading = read_object(&envelope, object, tag.unwrap_or_default());
    Ok(Event { envelope, reading })
}

fn read_object(envelope: &Envelope, object: Option<&RawValue>, tag: Tag<'_>) -> Reading {
    let Some(expected) = ObjectType::of_event(&envelope.event_type) else {
        let reason = IgnoreReason::TypeNotUsed;
        return Reading::Ignored { reason };
    };
    let future = envelope.event_type == "invoice.upcoming"
        || (expected == ObjectType::Invoice && object.is_some() && tag.id.is_null());
    if future {
        let reason = IgnoreReason::FutureInvoice;
        return Reading::Ignored { reason };
    }
    let Some(object) = object else {
        let reason = QuarantineReason::ObjectMissing;
        return Reading::Quarantined { reason };
    };
    match normalize::read(envelope, expected, tag.object.text(), object.get()) {
        Ok(facts) => Reading::Facts(facts),
        Err(reason) => Reading::Quarantined { reason },
    }
}
