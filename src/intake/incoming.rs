//! An event on its way into the database: the raw bytes and what its envelope says.

use bytes::Bytes;

use crate::domain::campaign::Mode;
use crate::domain::ids::{ConnectionId, EventId};
use crate::domain::time::Timestamp;

/// One verified delivery, to be stored as received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incoming {
    /// The connection it was posted to.
    pub connection: ConnectionId,
    /// `evt_…`, or `sha256:<hex of the body>` where the body carries no usable id.
    pub id: EventId,
    /// Stripe's name for the kind of event; `unknown` where the body does not tell.
    pub event_type: String,
    /// The API version that rendered it.
    pub api_version: Option<String>,
    /// When it happened; when it was received, where the body does not tell.
    pub created: Timestamp,
    /// When it came, in unix microseconds of our clock.
    pub received_at_us: i64,
    /// Real money or test data.
    pub mode: Mode,
    /// The raw bytes that were signed.
    pub body: Bytes,
    /// Which of the connection's secrets matched.
    pub secret_index: usize,
    /// What becomes of it next.
    pub standing: Standing,
}

/// What becomes of a stored event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Stage 2 reads it.
    Received,
    /// Kept, and of no use.
    Ignored {
        /// Stable code.
        code: &'static str,
        /// For admins.
        reason: String,
    },
    /// Kept, not read until somebody has looked at it.
    Quarantined {
        /// Stable code.
        code: &'static str,
        /// For admins.
        reason: String,
    },
}
