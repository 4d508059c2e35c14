//! Storing a group of deliveries: two statements where every event is new, and more only for
//! what came before or ends at once.

use std::collections::{BTreeMap, HashSet};

use super::repeats::keep_repeats;
use super::{EventState, Inserted, NewEvent};
use crate::domain::ids::ConnectionId;
use crate::store::{Db, Statement, StoreError, Tx, retry};

/// Stores a group of events in one transaction; the answer has the group's order.
///
/// When this returns, each of them is stored for good. A delivery of known bytes raises
/// `deliveries`; other bytes under a known id are kept aside and raise `conflicts` as well.
/// It waits for nobody who reads or folds events, only for another group that stores the same id.
pub async fn insert_events(
    db: &Db,
    connection: &ConnectionId,
    events: &[NewEvent],
) -> Result<Vec<Inserted>, StoreError> {
    if events.is_empty() {
        return Ok(Vec::new());
    }
    retry(|| async {
        let mut tx = db.begin().await?;
        let outcome = insert_group(&mut tx, connection, events).await?;
        tx.commit().await?;
        Ok(outcome)
    })
    .await
}

async fn insert_group(
    tx: &mut Tx,
    connection: &ConnectionId,
    events: &[NewEvent],
) -> Result<Vec<Inserted>, StoreError> {
    // One row an id, in order of id: two groups then never wait for each other in a circle.
    let mut first: BTreeMap<&str, &NewEvent> = BTreeMap::new();
    for event in events {
        first.entry(event.event_id.as_str()).or_insert(event);
    }
    let fresh = insert_new(tx, connection, first.values().copied()).await?;
    let is_fresh = |event: &&NewEvent| fresh.contains(event.event_id.as_str());
    let new: Vec<&NewEvent> = first.values().copied().filter(is_fresh).collect();
    let waits = |event: &&&NewEvent| event.state == EventState::Received;
    enqueue(tx, connection, new.iter().filter(waits).copied()).await?;
    let ended = |event: &&&NewEvent| event.state.has_outcome();
    note_outcomes(tx, connection, new.iter().filter(ended).copied()).await?;
    if new.len() == events.len() {
        return Ok(vec![Inserted::New; events.len()]);
    }
    keep_repeats(tx, connection, events, fresh).await
}

/// The ids that were not there before.
async fn insert_new<'e>(
    tx: &mut Tx,
    connection: &'e ConnectionId,
    events: impl Iterator<Item = &'e NewEvent>,
) -> Result<HashSet<String>, StoreError> {
    let rows = events.map(|event| {
        [
            connection.into(),
            (&event.event_id).into(),
            event.event_type.as_str().into(),
            event.api_version.as_deref().into(),
            event.created_at.into(),
            event.received_at_us.into(),
            event.mode.name().into(),
            event.secret_index.into(),
            event.body.as_slice().into(),
        ]
    });
    let ids: Vec<(String,)> = Statement::new(
        "INSERT INTO events (connection_id, event_id, event_type, api_version, created_at,
                             received_at_us, mode, secret_index, body)
         {rows}
         ON CONFLICT (connection_id, event_id) DO NOTHING
         RETURNING event_id",
    )
    .rows(rows)
    .fetch_all(tx)
    .await?;
    Ok(ids.into_iter().map(|(id,)| id).collect())
}

async fn enqueue<'e>(
    tx: &mut Tx,
    connection: &'e ConnectionId,
    events: impl Iterator<Item = &'e NewEvent>,
) -> Result<(), StoreError> {
    Statement::new("INSERT INTO event_queue (connection_id, received_at_us, event_id) {rows}")
        .rows(events.map(|event| {
            [
                connection.into(),
                event.received_at_us.into(),
                (&event.event_id).into(),
            ]
        }))
        .execute(tx)
        .await?;
    Ok(())
}

async fn note_outcomes<'e>(
    tx: &mut Tx,
    connection: &'e ConnectionId,
    events: impl Iterator<Item = &'e NewEvent>,
) -> Result<(), StoreError> {
    Statement::new(
        "INSERT INTO event_outcomes (connection_id, event_id, state, reason_code, reason,
                                     received_at_us)
         {rows}",
    )
    .rows(events.map(|event| {
        let reason = event.reason.as_ref();
        [
            connection.into(),
            (&event.event_id).into(),
            event.state.name().into(),
            reason.map(|reason| reason.code.as_str()).into(),
            reason.map(|reason| reason.text.as_str()).into(),
            event.received_at_us.into(),
        ]
    }))
    .execute(tx)
    .await?;
    Ok(())
}
