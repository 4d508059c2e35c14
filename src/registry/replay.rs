//! Stored events, read again: after an update that understands more, or once whatever was wrong
//! is mended. Facts fold the same way twice, so a replay never counts anything double.

use serde_json::json;

use crate::access::audit::{Action, note};
use crate::clock::Clock;
use crate::domain::access::By;
use crate::domain::ids::{ConnectionId, EventId};
use crate::store::events::{EventFilter, EventState, requeue, requeue_events};
use crate::store::{Db, StoreError, retry};

/// Which events are read again.
#[derive(Debug, Clone, Copy)]
pub enum Again<'a> {
    /// This one, whatever became of it.
    One(&'a EventId),
    /// All that are quarantined for the reason of this code.
    Quarantined(&'a str),
}

/// Puts events back to be read again; how many. None where they wait already, or there are none.
pub async fn replay(
    db: &Db,
    connection: &ConnectionId,
    clock: &dyn Clock,
    which: Again<'_>,
    by: &By,
) -> Result<u64, StoreError> {
    let filter = EventFilter {
        state: Some(EventState::Quarantined),
        reason_code: match which {
            Again::One(_) => None,
            Again::Quarantined(code) => Some(code.to_owned()),
        },
        ..EventFilter::default()
    };
    retry(|| async {
        let mut tx = db.begin().await?;
        let (count, subject, what) = match which {
            Again::One(id) => {
                let ids = std::slice::from_ref(id);
                let count = requeue_events(&mut tx, connection, ids).await?;
                (count, format!("event:{id}"), json!({}))
            }
            Again::Quarantined(code) => {
                let count = requeue(&mut tx, connection, &filter).await?;
                let what = json!({ "events": count, "reason": code });
                (count, "events".to_owned(), what)
            }
        };
        if count > 0 {
            let entry = (Action::EventsReplayed, subject, what);
            note(&mut tx, connection, clock.now_us(), by, entry).await?;
        }
        tx.commit().await?;
        Ok(count)
    })
    .await
}
