//! Storing a group of deliveries: one exchange with the database where every event is new and
//! waits to be read, and more only for what came before or ends at once.

use std::collections::{BTreeMap, HashSet};

use super::repeats::keep_repeats;
use super::{EventState, Inserted, NewEvent};
use crate::domain::ids::ConnectionId;
use crate::store::dialect::Engine;
use crate::store::{Db, Statement, StoreError, Tx, Value, retry};

/// Stores a group of events; the answer has the group's order.
///
/// When this returns, each of them is stored for good. A delivery of known bytes raises
/// `deliveries`; other bytes under a known id are kept aside and raise `conflicts` as well.
/// It waits for nobody who reads or folds events, only for another group that stores the same id.
///
/// New events are one transaction, and what came again is counted in a second one: should that
/// fail, the group fails, and whoever sends it again finds the events stored.
pub async fn insert_events(
    db: &Db,
    connection: &ConnectionId,
    events: &[NewEvent],
) -> Result<Vec<Inserted>, StoreError> {
    if events.is_empty() {
        return Ok(Vec::new());
    }
    // One row an id, in order of id: two groups then never wait for each other in a circle.
    let mut first: BTreeMap<&str, &NewEvent> = BTreeMap::new();
    for event in events {
        first.entry(event.event_id.as_str()).or_insert(event);
    }
    let all_wait = events.iter().all(|e| e.state == EventState::Received);
    let first = || first.values().copied();
    let fresh = if all_wait {
        retry(|| insert_waiting(db, connection, first())).await?
    } else {
        retry(|| insert_mixed(db, connection, first())).await?
    };
    if fresh.len() == events.len() {
        return Ok(vec![Inserted::New; events.len()]);
    }
    retry(|| async {
        let mut tx = db.begin().await?;
        let outcome = keep_repeats(&mut tx, connection, events, fresh.clone()).await?;
        tx.commit().await?;
        Ok(outcome)
    })
    .await
}

/// Stores events that all wait to be read, in one exchange; the ids that were not there before.
async fn insert_waiting<'e>(
    db: &Db,
    connection: &'e ConnectionId,
    events: impl Iterator<Item = &'e NewEvent> + Clone,
) -> Result<HashSet<String>, StoreError> {
    let text = match db.engine() {
        // What was stored just now are the last rows of the table: this statement's changes. Their
        // ids come back only if they are not all that were given, because here every row that
        // comes back wakes the one who waits for it.
        Engine::Sqlite => {
            "INSERT INTO events (connection_id, event_id, event_type, api_version, created_at,
                                 received_at_us, mode, secret_index, body)
             SELECT * FROM ({rows}) WHERE true
             ON CONFLICT (connection_id, event_id) DO NOTHING;
             SELECT NULL AS event_id WHERE changes() = $1
             UNION ALL
             SELECT event_id FROM events
             WHERE changes() < $1
               AND rowid > last_insert_rowid() - changes() AND rowid <= last_insert_rowid();
             INSERT INTO event_queue (connection_id, received_at_us, event_id)
             SELECT connection_id, received_at_us, event_id FROM events
             WHERE rowid > last_insert_rowid() - changes() AND rowid <= last_insert_rowid()"
        }
        Engine::Postgres => {
            "WITH new AS (
                 INSERT INTO events (connection_id, event_id, event_type, api_version, created_at,
                                     received_at_us, mode, secret_index, body)
                 {rows}
                 ON CONFLICT (connection_id, event_id) DO NOTHING
                 RETURNING connection_id, received_at_us, event_id
             ), queued AS (
                 INSERT INTO event_queue (connection_id, received_at_us, event_id)
                 SELECT connection_id, received_at_us, event_id FROM new
             )
             SELECT NULL AS event_id WHERE (SELECT COUNT(*) FROM new) = $1
             UNION ALL
             SELECT event_id FROM new WHERE (SELECT COUNT(*) FROM new) < $1"
        }
    };
    let given = i64::try_from(events.clone().count()).unwrap_or(i64::MAX);
    let fresh: Vec<(Option<String>,)> = Statement::new(text)
        .bind(given)
        .set(events.clone().map(|event| row(connection, event)))
        .fetch_committed(db)
        .await?;
    if fresh.iter().any(|(id,)| id.is_none()) {
        return Ok(events.map(|e| e.event_id.as_str().to_owned()).collect());
    }
    Ok(fresh.into_iter().filter_map(|(id,)| id).collect())
}

/// Stores events of which some end at once, in one transaction; the ids that were not there
/// before.
async fn insert_mixed<'e>(
    db: &Db,
    connection: &'e ConnectionId,
    events: impl Iterator<Item = &'e NewEvent> + Clone,
) -> Result<HashSet<String>, StoreError> {
    let mut tx = db.begin().await?;
    let fresh = insert_new(&mut tx, connection, events.clone()).await?;
    let new = events.filter(|event| fresh.contains(event.event_id.as_str()));
    let waits = |event: &&NewEvent| event.state == EventState::Received;
    enqueue(&mut tx, connection, new.clone().filter(waits)).await?;
    let ended = |event: &&NewEvent| event.state.has_outcome();
    note_outcomes(&mut tx, connection, new.filter(ended)).await?;
    tx.commit().await?;
    Ok(fresh)
}

/// An event's row.
fn row<'e>(connection: &'e ConnectionId, event: &'e NewEvent) -> [Value<'e>; 9] {
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
}

/// The ids that were not there before.
async fn insert_new<'e>(
    tx: &mut Tx,
    connection: &'e ConnectionId,
    events: impl Iterator<Item = &'e NewEvent>,
) -> Result<HashSet<String>, StoreError> {
    let ids: Vec<(String,)> = Statement::new(
        "INSERT INTO events (connection_id, event_id, event_type, api_version, created_at,
                             received_at_us, mode, secret_index, body)
         {rows}
         ON CONFLICT (connection_id, event_id) DO NOTHING
         RETURNING event_id",
    )
    .rows(events.map(|event| row(connection, event)))
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
