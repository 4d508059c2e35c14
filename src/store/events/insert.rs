//! Storing a group of deliveries: one exchange with the database where every event is new and
//! waits to be read, and more only for what came before or ends at once.

use std::collections::{BTreeMap, HashSet};

use super::packed::stored;
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
/// It is quickest where every event is new. What came again is counted in a second transaction:
/// should that fail, the group fails, and whoever sends it again finds the events stored.
/// Where repeats are to be expected, [`insert_with_repeats`] does the same with one commit.
pub async fn insert_events(
    db: &Db,
    connection: &ConnectionId,
    events: &[NewEvent],
) -> Result<Vec<Inserted>, StoreError> {
    if events.is_empty() {
        return Ok(Vec::new());
    }
    let fresh = if all_wait(events) {
        retry(|| insert_committed(db, connection, events)).await?
    } else {
        retry(|| insert_mixed(db, connection, events)).await?
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

/// Stores a group of events of which some probably came before: the same as [`insert_events`]
/// in one transaction, which takes an exchange with the database more than a group of nothing
/// but new events needs, and a commit less than any other.
pub async fn insert_with_repeats(
    db: &Db,
    connection: &ConnectionId,
    events: &[NewEvent],
) -> Result<Vec<Inserted>, StoreError> {
    if events.is_empty() {
        return Ok(Vec::new());
    }
    retry(|| async {
        let mut tx = db.begin().await?;
        let fresh = if all_wait(events) {
            let rows = inserting(tx.engine(), connection, events);
            fresh(events, rows.fetch_all(&mut tx).await?)
        } else {
            insert_ending_too(&mut tx, connection, events).await?
        };
        let outcome = keep_repeats(&mut tx, connection, events, fresh).await?;
        tx.commit().await?;
        Ok(outcome)
    })
    .await
}

fn all_wait(events: &[NewEvent]) -> bool {
    events.iter().all(|e| e.state == EventState::Received)
}

/// One event an id, in order of id: two groups then never wait for each other in a circle.
fn one_an_id(events: &[NewEvent]) -> BTreeMap<&str, &NewEvent> {
    let mut first = BTreeMap::new();
    for event in events {
        first.entry(event.event_id.as_str()).or_insert(event);
    }
    first
}

/// Stores events that all wait to be read, in one exchange; the ids that were not there before.
async fn insert_committed(
    db: &Db,
    connection: &ConnectionId,
    events: &[NewEvent],
) -> Result<HashSet<String>, StoreError> {
    let rows = inserting(db.engine(), connection, events);
    Ok(fresh(events, rows.fetch_committed(db).await?))
}

/// Stores events of which some end at once, in a transaction; the ids that were not there before.
async fn insert_mixed(
    db: &Db,
    connection: &ConnectionId,
    events: &[NewEvent],
) -> Result<HashSet<String>, StoreError> {
    let mut tx = db.begin().await?;
    let fresh = insert_ending_too(&mut tx, connection, events).await?;
    tx.commit().await?;
    Ok(fresh)
}

/// Stores events that all wait to be read. It answers as [`fresh`] reads it.
fn inserting<'e>(
    engine: Engine,
    connection: &'e ConnectionId,
    events: &'e [NewEvent],
) -> Statement<'e> {
    let text = match engine {
        // What was stored just now are the last rows of the table: this statement's changes. Their
        // ids come back only if they are not all that were given, because here every row that
        // comes back wakes the one who waits for it.
        Engine::Sqlite => {
            "INSERT INTO events (connection_id, event_id, event_type, api_version, created_at,
                                 received_at_us, mode, secret_index, unpacked_bytes, body)
             SELECT * FROM ({rows}) WHERE true
             ON CONFLICT (connection_id, event_id) DO NOTHING;
             SELECT NULL AS event_id WHERE changes() = $1
             UNION ALL
             SELECT event_id FROM events
             WHERE changes() < $1
               AND rowid > last_insert_rowid() - changes() AND rowid <= last_insert_rowid();
             INSERT INTO event_queue (connection_id, received_at_us, event_id, body_bytes)
             SELECT connection_id, received_at_us, event_id, COALESCE(unpacked_bytes, length(body))
             FROM events
             WHERE rowid > last_insert_rowid() - changes() AND rowid <= last_insert_rowid()"
        }
        Engine::Postgres => {
            "WITH new AS (
                 INSERT INTO events (connection_id, event_id, event_type, api_version, created_at,
                                     received_at_us, mode, secret_index, unpacked_bytes, body)
                 {rows}
                 ON CONFLICT (connection_id, event_id) DO NOTHING
                 RETURNING connection_id, received_at_us, event_id, length(body) AS body_bytes
             ), queued AS (
                 INSERT INTO event_queue (connection_id, received_at_us, event_id, body_bytes)
                 SELECT connection_id, received_at_us, event_id, body_bytes FROM new
             )
             SELECT NULL AS event_id WHERE (SELECT COUNT(*) FROM new) = $1
             UNION ALL
             SELECT event_id FROM new WHERE (SELECT COUNT(*) FROM new) < $1"
        }
    };
    let first = one_an_id(events);
    Statement::new(text)
        .bind(i64::try_from(first.len()).unwrap_or(i64::MAX))
        .set(
            first
                .into_values()
                .map(|event| row(engine, connection, event)),
        )
}

/// The ids that were not there before, by what [`inserting`] answers: themselves, or NULL for
/// all of them.
fn fresh(events: &[NewEvent], answer: Vec<(Option<String>,)>) -> HashSet<String> {
    if answer.iter().any(|(id,)| id.is_none()) {
        let all = events.iter().map(|event| event.event_id.as_str());
        return all.map(str::to_owned).collect();
    }
    answer.into_iter().filter_map(|(id,)| id).collect()
}

/// Stores events of which some end at once; the ids that were not there before.
async fn insert_ending_too(
    tx: &mut Tx,
    connection: &ConnectionId,
    events: &[NewEvent],
) -> Result<HashSet<String>, StoreError> {
    let first = one_an_id(events);
    let fresh = insert_new(tx, connection, first.values().copied()).await?;
    let new = first.values().copied();
    let new = new.filter(|event| fresh.contains(event.event_id.as_str()));
    let waits = |event: &&NewEvent| event.state == EventState::Received;
    enqueue(tx, connection, new.clone().filter(waits)).await?;
    let ended = |event: &&NewEvent| event.state.has_outcome();
    note_outcomes(tx, connection, new.filter(ended)).await?;
    Ok(fresh)
}

/// An event's row.
fn row<'e>(engine: Engine, connection: &'e ConnectionId, event: &'e NewEvent) -> [Value<'e>; 10] {
    let (body, unpacked_bytes) = stored(engine, event);
    [
        connection.into(),
        (&event.event_id).into(),
        event.event_type.as_str().into(),
        event.api_version.as_deref().into(),
        event.created_at.into(),
        event.received_at_us.into(),
        event.mode.name().into(),
        event.secret_index.into(),
        unpacked_bytes.into(),
        Value::Bytes(Some(body)),
    ]
}

/// The ids that were not there before.
async fn insert_new<'e>(
    tx: &mut Tx,
    connection: &'e ConnectionId,
    events: impl Iterator<Item = &'e NewEvent>,
) -> Result<HashSet<String>, StoreError> {
    let engine = tx.engine();
    let ids: Vec<(String,)> = Statement::new(
        "INSERT INTO events (connection_id, event_id, event_type, api_version, created_at,
                             received_at_us, mode, secret_index, unpacked_bytes, body)
         {rows}
         ON CONFLICT (connection_id, event_id) DO NOTHING
         RETURNING event_id",
    )
    .rows(events.map(|event| row(engine, connection, event)))
    .fetch_all(tx)
    .await?;
    Ok(ids.into_iter().map(|(id,)| id).collect())
}

async fn enqueue<'e>(
    tx: &mut Tx,
    connection: &'e ConnectionId,
    events: impl Iterator<Item = &'e NewEvent>,
) -> Result<(), StoreError> {
    Statement::new(
        "INSERT INTO event_queue (connection_id, received_at_us, event_id, body_bytes) {rows}",
    )
    .rows(events.map(|event| {
        [
            connection.into(),
            event.received_at_us.into(),
            (&event.event_id).into(),
            i64::try_from(event.body.len()).unwrap_or(i64::MAX).into(),
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
