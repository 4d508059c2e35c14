//! Events that were delivered again: told apart by their bytes, counted, and kept beside the
//! first body where they differ from it. The first body is never touched.

use std::collections::{BTreeMap, HashMap, HashSet};

use sha2::{Digest as _, Sha256};

use super::packed::unpacked;
use super::{ConflictingBody, Inserted, NewEvent};
use crate::domain::ids::{ConnectionId, EventId};
use crate::store::{Statement, StoreError, Tx};

/// Counts what of a group came again, given the ids that it stored first; what became of each
/// event, in the group's order.
pub(super) async fn keep_repeats(
    tx: &mut Tx,
    connection: &ConnectionId,
    events: &[NewEvent],
    mut fresh: HashSet<String>,
) -> Result<Vec<Inserted>, StoreError> {
    let known = events.iter().map(|event| event.event_id.as_str());
    let known = known.filter(|id| !fresh.contains(*id));
    let stored = bodies(tx, connection, known).await?;
    // The body that an id stands for: the stored one, or that of the group's first event.
    let mut kept: HashMap<&str, &[u8]> = HashMap::new();
    for (id, body) in &stored {
        kept.insert(id, body);
    }
    let mut outcome = Vec::with_capacity(events.len());
    for event in events {
        let id = event.event_id.as_str();
        outcome.push(if fresh.remove(id) {
            kept.insert(id, &event.body);
            Inserted::New
        } else if kept.get(id).is_some_and(|kept| *kept == event.body) {
            Inserted::Duplicate
        } else {
            Inserted::Conflict
        });
    }
    let repeats = || events.iter().zip(outcome.iter().copied());
    count(tx, connection, repeats()).await?;
    let conflicts = repeats().filter(|(_, inserted)| *inserted == Inserted::Conflict);
    keep_conflicts(tx, connection, conflicts.map(|(event, _)| event)).await?;
    Ok(outcome)
}

async fn bodies<'e>(
    tx: &mut Tx,
    connection: &'e ConnectionId,
    ids: impl Iterator<Item = &'e str>,
) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
    let rows: Vec<(String, Vec<u8>, Option<i64>)> = Statement::new(
        "SELECT event_id, body, unpacked_bytes FROM events
         WHERE connection_id = $1 AND event_id IN ({rows})",
    )
    .bind(connection)
    .list(ids)
    .fetch_all(tx)
    .await?;
    let body = |(id, stored, length)| (id, unpacked(stored, length));
    Ok(rows.into_iter().map(body).collect())
}

async fn count<'e>(
    tx: &mut Tx,
    connection: &'e ConnectionId,
    outcome: impl Iterator<Item = (&'e NewEvent, Inserted)>,
) -> Result<(), StoreError> {
    // In order of id, as events are inserted: no two groups wait for each other in a circle.
    let mut counts: BTreeMap<&str, (i64, i64)> = BTreeMap::new();
    for (event, inserted) in outcome.filter(|(_, inserted)| *inserted != Inserted::New) {
        // The first delivery has no row of its own and is counted with the second.
        let count = counts.entry(event.event_id.as_str()).or_insert((1, 0));
        count.0 += 1;
        count.1 += i64::from(inserted == Inserted::Conflict);
    }
    Statement::new(
        "INSERT INTO event_repeats (connection_id, event_id, deliveries, conflicts)
         {rows}
         ON CONFLICT (connection_id, event_id) DO UPDATE
         SET deliveries = event_repeats.deliveries + excluded.deliveries - 1,
             conflicts = event_repeats.conflicts + excluded.conflicts",
    )
    .rows(counts.into_iter().map(|(id, (deliveries, conflicts))| {
        [
            connection.into(),
            id.into(),
            deliveries.into(),
            conflicts.into(),
        ]
    }))
    .execute(tx)
    .await?;
    Ok(())
}

async fn keep_conflicts<'e>(
    tx: &mut Tx,
    connection: &'e ConnectionId,
    conflicts: impl Iterator<Item = &'e NewEvent>,
) -> Result<(), StoreError> {
    let digested: Vec<([u8; 32], &NewEvent)> = conflicts
        .map(|event| (Sha256::digest(&event.body).into(), event))
        .collect();
    Statement::new(
        "INSERT INTO event_conflicts (connection_id, event_id, digest, received_at_us, body)
         {rows}
         ON CONFLICT (connection_id, event_id, digest) DO NOTHING",
    )
    .rows(digested.iter().map(|(digest, event)| {
        [
            connection.into(),
            (&event.event_id).into(),
            digest.into(),
            event.received_at_us.into(),
            event.body.as_slice().into(),
        ]
    }))
    .execute(tx)
    .await?;
    Ok(())
}

/// The other bodies that came under an event's id, oldest first.
pub async fn conflicting_bodies(
    tx: &mut Tx,
    connection: &ConnectionId,
    event: &EventId,
) -> Result<Vec<ConflictingBody>, StoreError> {
    Statement::new(
        "SELECT digest, received_at_us, body FROM event_conflicts
         WHERE connection_id = $1 AND event_id = $2
         ORDER BY received_at_us, digest",
    )
    .bind(connection)
    .bind(event)
    .fetch_all(tx)
    .await
}
