//! Sees to it that a plan rests on today's facts, without judging again what nothing has touched.
//!
//! A queued qualification is written in the transaction that judged it, and says what the verdict
//! says. A qualified verdict follows from the campaign, the claims and the facts alone: time
//! changes none but pending ones (`evaluate::next_change`). And whatever changes a campaign, a
//! claim or a fact puts everybody it touches on the work list in the same transaction. So a
//! qualification is what judging it now would make of it, unless something that was on the list
//! when the plan was begun is on it still: that is judged, and everything else is skipped.
//! `qualify verify` judges all of it again and compares.
//!
//! What comes while the plan is made is as if it had come after it: execution leaves out what has
//! changed, and what is settled follows its verdict in the next batch.

use std::time::Duration;

use super::duty::Duty;
use crate::clock::Clock;
use crate::domain::ids::ConnectionId;
use crate::queue::worker::judge_batch;
use crate::store::dirty::span;
use crate::store::{Db, StoreError};

/// How often it is looked again after what other transactions are just putting on the list.
const LOOKS_MAX: u32 = 200;
/// How long it waits in between.
const PAUSE: Duration = Duration::from_millis(50);

/// Judges, batch by batch, everything that is on the work list now.
///
/// The bound is the newest mark, not the clock: marks may come from nodes whose clocks differ, and
/// a row that is marked again keeps its place.
pub async fn judge_waiting(
    db: &Db,
    connection: &ConnectionId,
    clock: &dyn Clock,
    duty: Option<&Duty<'_>>,
) -> Result<(), StoreError> {
    let Some((_, newest)) = look(db, connection).await? else {
        return Ok(());
    };
    for _ in 0..LOOKS_MAX {
        loop {
            let judged = match judge_batch(db, connection, clock).await {
                // Another node was faster: it is looked at again.
                Err(StoreError::Stale { .. }) => continue,
                judged => judged?,
            };
            if let Some(duty) = duty {
                duty.keep().await?;
            }
            let waits = look(db, connection).await?;
            if waits.is_none_or(|(oldest, _)| oldest > newest) {
                return Ok(());
            }
            if judged == 0 {
                break;
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
    Err(StoreError::Stale {
        what: "judging what waits before a batch",
        expected: 0,
        seen: 1,
    })
}

async fn look(db: &Db, connection: &ConnectionId) -> Result<Option<(i64, i64)>, StoreError> {
    let mut tx = db.read().await?;
    let span = span(&mut tx, connection).await?;
    tx.rollback().await?;
    Ok(span)
}
