//! Which events wait to be read: claiming them, marking them as read, putting them back.
//! The rows are small and short-lived; the events themselves are not touched.

use super::list::filtered;
use super::{EventFilter, EventReason, EventState, StoredEvent, packed};
use crate::domain::ids::{ConnectionId, EventId};
use crate::store::dialect::Engine;
use crate::store::{Statement, StoreError, Tx};

/// [`waiting`] counts no further than this: health asks every few seconds, and a backlog may
/// be millions.
pub const WAITING_COUNTED_MAX: u32 = 100_000;

/// Bytes of the bodies that [`received_batch`] answers, at most; a single longer one comes alone.
pub const BATCH_BYTES_MAX: i64 = 16 << 20;

/// Events of the head of the queue, whose ids are as said.
macro_rules! fitting {
    ($ids:literal) => {
        concat!(
            "WITH claimed AS (
                 SELECT received_at_us, event_id, body_bytes FROM event_queue
                 WHERE connection_id = $1
                 ORDER BY received_at_us, event_id
                 LIMIT $2
                 {claim}
             ), summed AS (
                 SELECT event_id, body_bytes,
                        SUM(body_bytes) OVER (ORDER BY received_at_us, event_id) AS sum_bytes
                 FROM claimed
             ), fitting AS (
                 SELECT event_id FROM summed WHERE sum_bytes <= $3 OR sum_bytes = body_bytes
             )
             SELECT event_id, event_type, api_version, created_at, received_at_us, mode, body,
                    unpacked_bytes, 'received' AS state
             FROM events WHERE connection_id = $1 AND event_id ",
            $ids
        )
    };
}

/// The oldest events that wait to be read, as many as have bodies of [`BATCH_BYTES_MAX`]. On
/// PostgreSQL they are this transaction's until it ends; other nodes are given others. Only their
/// places in the queue are locked: the same events may be delivered again meanwhile.
pub async fn received_batch(
    tx: &mut Tx,
    connection: &ConnectionId,
    limit: u32,
) -> Result<Vec<StoredEvent>, StoreError> {
    // The events are looked up by key, as an array: of a table that was never analysed PostgreSQL
    // would rather read all of it than join it.
    let text = match tx.engine() {
        Engine::Sqlite => fitting!("IN (SELECT event_id FROM fitting)"),
        Engine::Postgres => fitting!("= ANY (ARRAY (SELECT event_id FROM fitting))"),
    };
    let rows = Statement::new(text)
        .bind(connection)
        .bind(limit)
        .bind(BATCH_BYTES_MAX)
        .fetch_all(tx)
        .await?;
    let mut events = packed::events(rows);
    events.sort_by(|a, b| (a.received_at_us, &a.event_id).cmp(&(b.received_at_us, &b.event_id)));
    Ok(events)
}

/// Where an event has got to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventMark {
    /// The event.
    pub event_id: EventId,
    /// When it was received, unix microseconds: its place in the queue.
    pub received_at_us: i64,
    /// What became of it.
    pub state: EventState,
    /// Why, if it is ignored or quarantined.
    pub reason: Option<EventReason>,
}

/// Takes events that are waiting out of the queue, and notes why some were not used; each of
/// them must be waiting.
pub async fn mark_events(
    tx: &mut Tx,
    connection: &ConnectionId,
    marks: &[EventMark],
) -> Result<(), StoreError> {
    let places = marks.iter().map(|mark| mark.received_at_us);
    let (Some(first), Some(last)) = (places.clone().min(), places.max()) else {
        return Ok(());
    };
    let expected = u64::try_from(marks.len()).unwrap_or(u64::MAX);
    // The part of the queue in which they are is read, and each row of it looked up in a hash of
    // them. PostgreSQL counts a queue when it is empty: it would join all that waits since with
    // all of them, row by row, but for `IS TRUE`, which is no join.
    Statement::new(
        "DELETE FROM event_queue
         WHERE connection_id = $1 AND received_at_us BETWEEN $2 AND $3
           AND ((received_at_us, event_id) IN ({rows})) IS TRUE",
    )
    .bind(connection)
    .bind(first)
    .bind(last)
    .set(
        marks
            .iter()
            .map(|mark| [mark.received_at_us.into(), (&mark.event_id).into()]),
    )
    .execute_exactly("marking events as read", expected, tx)
    .await?;
    Statement::new(
        "INSERT INTO event_outcomes (connection_id, event_id, state, reason_code, reason,
                                     received_at_us)
         {rows}",
    )
    .rows(
        marks
            .iter()
            .filter(|mark| mark.state.has_outcome())
            .map(|mark| {
                let reason = mark.reason.as_ref();
                [
                    connection.into(),
                    (&mark.event_id).into(),
                    mark.state.name().into(),
                    reason.map(|reason| reason.code.as_str()).into(),
                    reason.map(|reason| reason.text.as_str()).into(),
                    mark.received_at_us.into(),
                ]
            }),
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Puts events back to be read again; how many. Facts fold the same way twice, so a replay
/// never counts anything double.
pub async fn requeue(
    tx: &mut Tx,
    connection: &ConnectionId,
    filter: &EventFilter,
) -> Result<u64, StoreError> {
    let events = filtered(
        Statement::new(match filter.state {
            Some(EventState::Ignored | EventState::Quarantined) => {
                "INSERT INTO event_queue (connection_id, received_at_us, event_id, body_bytes)
                 SELECT e.connection_id, e.received_at_us, e.event_id,
                        COALESCE(e.unpacked_bytes, length(e.body))
                 FROM event_outcomes AS o
                 JOIN events AS e
                   ON e.connection_id = o.connection_id AND e.event_id = o.event_id
                 LEFT JOIN event_repeats AS r
                   ON r.connection_id = o.connection_id AND r.event_id = o.event_id
                 WHERE o.connection_id = $1"
            }
            _ => {
                "INSERT INTO event_queue (connection_id, received_at_us, event_id, body_bytes)
                 SELECT e.connection_id, e.received_at_us, e.event_id,
                        COALESCE(e.unpacked_bytes, length(e.body))
                 FROM events AS e
                 LEFT JOIN event_queue AS q
                   ON q.connection_id = e.connection_id
                  AND q.received_at_us = e.received_at_us AND q.event_id = e.event_id
                 LEFT JOIN event_outcomes AS o
                   ON o.connection_id = e.connection_id AND o.event_id = e.event_id
                 LEFT JOIN event_repeats AS r
                   ON r.connection_id = e.connection_id AND r.event_id = e.event_id
                 WHERE e.connection_id = $1"
            }
        })
        .bind(connection),
        filter,
    );
    let put_back = events
        .text(" ON CONFLICT (connection_id, received_at_us, event_id) DO NOTHING")
        .execute(tx)
        .await?;
    // Whatever waits has no outcome: what was put back just now loses its own.
    Statement::new(
        "DELETE FROM event_outcomes
         WHERE connection_id = $1
           AND EXISTS (SELECT 1 FROM event_queue AS q
                       WHERE q.connection_id = event_outcomes.connection_id
                         AND q.received_at_us = event_outcomes.received_at_us
                         AND q.event_id = event_outcomes.event_id)",
    )
    .bind(connection)
    .execute(tx)
    .await?;
    Ok(put_back)
}

/// Puts single events back to be read again; how many.
pub async fn requeue_events(
    tx: &mut Tx,
    connection: &ConnectionId,
    events: &[EventId],
) -> Result<u64, StoreError> {
    // One by one by their key: looked for in a list, SQLite would read the index by time.
    let put_back = Statement::new(
        "WITH asked (id) AS ({rows})
         INSERT INTO event_queue (connection_id, received_at_us, event_id, body_bytes)
         SELECT e.connection_id, e.received_at_us, e.event_id,
                COALESCE(e.unpacked_bytes, length(e.body))
         FROM (SELECT DISTINCT id FROM asked) AS a CROSS JOIN events AS e
         WHERE e.connection_id = $1 AND e.event_id = a.id
         ON CONFLICT (connection_id, received_at_us, event_id) DO NOTHING",
    )
    .bind(connection)
    .list(events)
    .execute(tx)
    .await?;
    Statement::new("DELETE FROM event_outcomes WHERE connection_id = $1 AND event_id IN ({rows})")
        .bind(connection)
        .list(events)
        .execute(tx)
        .await?;
    Ok(put_back)
}

/// How many events wait to be read, counted up to [`WAITING_COUNTED_MAX`], and since when the
/// oldest does (unix microseconds).
pub async fn waiting(
    tx: &mut Tx,
    connection: &ConnectionId,
) -> Result<(i64, Option<i64>), StoreError> {
    Statement::new(
        "SELECT (SELECT COUNT(*) FROM (SELECT 1 FROM event_queue
                                       WHERE connection_id = $1 LIMIT $2) AS w),
                (SELECT MIN(received_at_us) FROM event_queue WHERE connection_id = $1)",
    )
    .bind(connection)
    .bind(WAITING_COUNTED_MAX)
    .fetch_one(tx)
    .await
}
