//! Stored events: what Stripe sent, as received, once per id, written once and never changed.
//! What an event means is none of this room's business.
//!
//! What becomes of an event stands in small rows beside it: [`mod@queue`] says which wait to be
//! read, `event_outcomes` which were read and not used, [`mod@repeats`] which came again. An
//! event of which none of these says anything was read and used. On SQLite bodies are
//! [`mod@packed`].

mod insert;
mod list;
mod packed;
mod page;
mod queue;
mod repeats;

use sha2::{Digest as _, Sha256};
use sqlx::FromRow;

use crate::domain::campaign::Mode;
use crate::domain::ids::EventId;

pub use insert::{insert_events, insert_with_repeats};
pub use list::{EventFilter, event_summaries, get_event, list_events};
pub use page::{
    count_by_reason, count_by_state, event_page, load_events, newest_created, newest_received,
};
pub use queue::{
    EventMark, WAITING_COUNTED_MAX, mark_events, received_batch, requeue, requeue_events, waiting,
};
pub use repeats::conflicting_bodies;

/// How the ids begin that are digests of bodies.
const DIGEST_ID: &str = "sha256:";

/// What became of a stored event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventState {
    /// Stored, waiting to be read.
    Received,
    /// Read; its facts are folded.
    Done,
    /// Read; it says nothing that counts.
    Ignored,
    /// It could not be interpreted; its reason says why, and it can be replayed.
    Quarantined,
}

impl EventState {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Received, Self::Done, Self::Ignored, Self::Quarantined];

    /// The stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Done => "done",
            Self::Ignored => "ignored",
            Self::Quarantined => "quarantined",
        }
    }

    /// The state of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether an event that ends like this has a row that says why.
    const fn has_outcome(self) -> bool {
        matches!(self, Self::Ignored | Self::Quarantined)
    }
}

/// Why an event is ignored or quarantined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventReason {
    /// A stable code, lower snake case.
    pub code: String,
    /// What was seen.
    pub text: String,
}

/// An event as it came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// Stripe's id, or `sha256:…` where the body has none.
    pub event_id: EventId,
    /// Stripe's `type`.
    pub event_type: String,
    /// Stripe's `api_version`.
    pub api_version: Option<String>,
    /// Stripe's `created`, unix seconds.
    pub created_at: i64,
    /// Our clock, unix microseconds.
    pub received_at_us: i64,
    /// By `livemode`.
    pub mode: Mode,
    /// The body, byte for byte.
    pub body: Vec<u8>,
    /// The body as SQLite stores it, if it was [packed](NewEvent::pack) already.
    pub packed: Option<Vec<u8>>,
    /// [`EventState::Received`], or where it ends at once.
    pub state: EventState,
    /// Why it ends at once.
    pub reason: Option<EventReason>,
    /// Which of the connection's signing secrets matched.
    pub secret_index: Option<i64>,
}

impl NewEvent {
    /// Packs the body as it will be stored on SQLite: what many tasks can do beside each other
    /// need not be done by the one that stores.
    pub fn pack(&mut self) {
        self.packed = packed::pack(&self.body);
    }
}

/// The id under which a body is stored that has none of its own: its SHA-256.
pub fn digest_id(body: &[u8]) -> EventId {
    EventId::new(format!("{DIGEST_ID}{}", hex::encode(Sha256::digest(body))))
}

/// Whether an id is one of [`digest_id`]'s. None of Stripe's own begins like that.
pub fn is_digest_id(event_id: &str) -> bool {
    event_id.starts_with(DIGEST_ID)
}

/// What became of one event of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inserted {
    /// It is stored now.
    New,
    /// The same bytes were stored before.
    Duplicate,
    /// Other bytes hold this id; these are kept beside them.
    Conflict,
}

/// A stored event with its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEvent {
    /// Stripe's id.
    pub event_id: String,
    /// Stripe's `type`.
    pub event_type: String,
    /// Stripe's `api_version`.
    pub api_version: Option<String>,
    /// Stripe's `created`, unix seconds.
    pub created_at: i64,
    /// Our clock, unix microseconds.
    pub received_at_us: i64,
    /// `live` or `test`.
    pub mode: String,
    /// The body, byte for byte.
    pub body: Vec<u8>,
    /// Name of its [`EventState`].
    pub state: String,
}

/// A stored event without its body.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct EventSummary {
    /// Stripe's id.
    pub event_id: String,
    /// Stripe's `type`.
    pub event_type: String,
    /// Stripe's `api_version`.
    pub api_version: Option<String>,
    /// Stripe's `created`, unix seconds.
    pub created_at: i64,
    /// Our clock, unix microseconds.
    pub received_at_us: i64,
    /// `live` or `test`.
    pub mode: String,
    /// How often it was delivered.
    pub deliveries: i64,
    /// How many of those deliveries had another body.
    pub conflicts: i64,
    /// Name of its [`EventState`].
    pub state: String,
    /// Why it is ignored or quarantined: the code.
    pub reason_code: Option<String>,
    /// Why it is ignored or quarantined: in words.
    pub reason: Option<String>,
    /// Which of the connection's signing secrets matched.
    pub secret_index: Option<i64>,
}

/// A body that came under an id that was taken.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct ConflictingBody {
    /// SHA-256 of the body.
    pub digest: Vec<u8>,
    /// When it came first, unix microseconds.
    pub received_at_us: i64,
    /// The body.
    pub body: Vec<u8>,
}

/// A place in the list of events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventCursor {
    /// `received_at_us` of the last event seen.
    pub received_at_us: i64,
    /// Its id.
    pub event_id: EventId,
}
