//! Works until nothing waits: the same stages as the server's, called one after the other.
//! For commands whose answer has to rest on every stored event.

use std::time::Duration;

use super::Opened;
use crate::ingest::worker::ingest_batch;
use crate::queue::worker::{judge_batch, mark_due};
use crate::store::{StoreError, dirty, events, retry};

/// How often it is looked again after what other nodes hold.
const PATIENCE: u32 = 100;
/// How long it waits in between.
const PAUSE: Duration = Duration::from_millis(100);

/// What was worked off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct Drained {
    /// Stored events that were read.
    pub events: usize,
    /// Customers and referrals whose verdicts were judged.
    pub judged: usize,
    /// What other nodes still held when patience ended: events, and judgements.
    pub held_by_others: i64,
}

/// Reads and judges until nothing waits.
pub async fn drain(opened: &Opened) -> Result<Drained, StoreError> {
    let mut drained = Drained::default();
    for _ in 0..PATIENCE {
        work(opened, &mut drained).await?;
        let mut tx = opened.db.read().await?;
        let (events, _) = events::waiting(&mut tx, opened.id()).await?;
        let (dirty, _) = dirty::waiting(&mut tx, opened.id()).await?;
        tx.rollback().await?;
        drained.held_by_others = events.saturating_add(dirty);
        if drained.held_by_others == 0 {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(drained)
}

async fn work(opened: &Opened, drained: &mut Drained) -> Result<(), StoreError> {
    let (db, id, clock) = (&opened.db, opened.id(), opened.clock.as_ref());
    let scope = opened.scope();
    loop {
        let read = match retry(|| ingest_batch(db, id, &scope, clock)).await {
            // Another node, or an admin, was faster: it is looked at again.
            Err(StoreError::Stale { .. }) => continue,
            read => read?,
        };
        drained.events += read;
        if read > 0 {
            continue;
        }
        retry(|| mark_due(db, id, clock)).await?;
        let judged = match retry(|| judge_batch(db, id, clock)).await {
            Err(StoreError::Stale { .. }) => continue,
            judged => judged?,
        };
        drained.judged += judged;
        if judged == 0 {
            return Ok(());
        }
    }
}
