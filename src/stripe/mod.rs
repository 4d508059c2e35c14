//! Stripe's shapes: the signature of a webhook, the envelope of an event, and the way from
//! every era's objects to [`domain::fact`](crate::domain::fact). Pure, but for [`client`],
//! which asks Stripe's API; no field named after Stripe leaves this room. Shapes are recognised
//! by the fields present, never by a version.

pub mod client;
mod envelope;
mod event;
mod json;
mod normalize;
mod reason;
pub mod signature;
mod wire;

pub use envelope::{Envelope, EnvelopeError, read_envelope};
pub use event::{Event, Reading, read_event};
pub use normalize::EVENTS_NEEDED;
pub use reason::{IgnoreReason, QuarantineReason};
