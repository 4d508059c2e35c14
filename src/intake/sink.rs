//! Where verified events go. A trait, so that the writer can be tested against a database
//! that fails; there is one real one.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::domain::ids::ConnectionId;
use crate::store::dialect::Engine;
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

    /// Whether bodies are stored packed, so that they had better come so.
    fn packs(&self) -> bool {
        false
    }
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

    fn packs(&self) -> bool {
        self.db.engine() == Engine::Sqlite
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::campaign::Mode;
    use crate::store::ConnectOptions;
    use crate::store::events::{EventState, get_event};
    use Inserted::{Duplicate, New};

    fn event(id: &str) -> NewEvent {
        NewEvent {
            event_id: id.into(),
            event_type: "charge.succeeded".to_owned(),
            api_version: None,
            created_at: 1,
            received_at_us: 1_000_000,
            mode: Mode::Live,
            body: id.as_bytes().to_vec(),
            packed: None,
            state: EventState::Received,
            reason: None,
            secret_index: None,
        }
    }

    #[tokio::test]
    async fn repeats_are_counted_in_bursts_and_after_them() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/qualify.db", folder.path().display());
        let db = Db::connect(&url, &ConnectOptions::default()).await.unwrap();
        db.migrate().await.unwrap();
        let sink = Stored::new(db.clone());
        let live = ConnectionId::from("live");
        for (ids, expected, burst) in [
            (["a", "b"], [New, New], false),
            (["a", "c"], [Duplicate, New], true),
            (["c", "d"], [Duplicate, New], true),
            (["e", "f"], [New, New], false),
            (["a", "a"], [Duplicate, Duplicate], true),
        ] {
            let outcome = sink.insert(&live, &ids.map(event)).await.unwrap();
            assert_eq!(outcome, expected, "{ids:?}");
            assert_eq!(sink.repeats_come.load(Ordering::Relaxed), burst, "{ids:?}");
        }
        let mut tx = db.read().await.unwrap();
        for (id, deliveries) in [("a", 4), ("b", 1), ("c", 2), ("f", 1)] {
            let kept = get_event(&mut tx, &live, &id.into()).await.unwrap();
            assert_eq!(kept.unwrap().deliveries, deliveries, "{id}");
        }
    }
}
