//! Stage 1: the webhook endpoint. Verify, store, answer 2xx; nothing later is waited for.
//! What an event means is stage 2's business (`ingest`).
//!
//! One request passes through `endpoint` (HTTP), `admit` (pure: what to store) and `writer`
//! (group commit: one transaction for whatever waits), which reaches the database through
//! [`EventSink`].

mod admit;
mod endpoint;
mod endpoints;
mod refusal;
mod sink;
mod writer;

pub use admit::admit;
pub use endpoint::{Intake, routes};
pub use endpoints::{Endpoint, Endpoints};
pub use sink::{EventSink, SinkError, Stored, Storing};
pub use writer::{Writer, WriterLimits};

/// Longest body that is read, in bytes. Stripe's are a few kB, 22 kB is normal.
pub const BODY_BYTES_MAX: usize = 1 << 20;
