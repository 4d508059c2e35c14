//! Where verified events go. A trait, so that the writer can be tested against a database
//! that fails; there is one real one.

use std::future::Future;
use std::pin::Pin;

use super::incoming::Incoming;

/// What storing found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// It was not there; now it is.
    New,
    /// It was there with the same body.
    Duplicate,
    /// It was there with another body; the first is kept, this one beside it.
    Conflict,
}

/// Why nothing of a group was stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SinkError {
    /// The database cannot be reached or cannot write now.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// The database refused something in the group; each event may be tried by itself.
    #[error("the database refused the events: {0}")]
    Refused(String),
}

/// The answer to come.
pub type Storing<'a> = Pin<Box<dyn Future<Output = Result<Vec<Stored>, SinkError>> + Send + 'a>>;

/// Stores events.
pub trait EventSink: Send + Sync + 'static {
    /// Stores all of them in one transaction, or none. When this answers, what was stored
    /// survives a crash and a power failure. One outcome per event, in order.
    fn insert<'a>(&'a self, events: &'a [Incoming]) -> Storing<'a>;
}
