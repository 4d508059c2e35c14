//! Where verified events go. A trait, so that the writer can be tested against a database
//! that fails; there is one real one.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::domain::ids::ConnectionId;
use crate::store::events::{Inserted, NewEvent, insert_events, insert_with_repeats};
use crate::store::{Db, StoreError};

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
pub type Storing<'a> = Pin<Box<dyn Future<Output = Result<Vec<Inserted>, SinkError>> + Send + 'a>>;

/// Stores events.
pub trait EventSink: Send + Sync + 'static {
    /// Stores all of them in one transaction, or none. When this answers, what was stored
    /// survives a crash and a power failure. One outcome per event, in order.
    fn insert<'a>(&'a self, connection: &'a ConnectionId, events: &'a [NewEvent]) -> Storing<'a>;
}

/// The database as where events go.
#[derive(Debug)]
pub struct Stored {
    db: Db,
    /// Whether the last group had events that came before. Stripe sends again what it could not
    /// deliver in bursts, so that the next group is likely to have some as well.
    repeats_come: AtomicBool,
}

impl Stored {
    /// Into this database.
    pub const fn new(db: Db) -> Self {
        Self {
            db,
            repeats_come: AtomicBool::new(false),
        }
    }
}

impl EventSink for Stored {
    fn insert<'a>(&'a self, connection: &'a ConnectionId, events: &'a [NewEvent]) -> Storing<'a> {
        Box::pin(async move {
            let outcome = if self.repeats_come.load(Ordering::Relaxed) {
                insert_with_repeats(&self.db, connection, events).await?
            } else {
                insert_events(&self.db, connection, events).await?
            };
            let repeats = outcome.iter().any(|one| *one != Inserted::New);
            self.repeats_come.store(repeats, Ordering::Relaxed);
            Ok(outcome)
        })
    }
}

impl From<StoreError> for SinkError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Nul | StoreError::Taken(_) | StoreError::Refused(_) => {
                Self::Refused(error.to_string())
            }
            _ => Self::Unavailable(error.to_string()),
        }
    }
}
