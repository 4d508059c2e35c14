//! Events with their bodies: by id, and page by page for whoever reads all of them.

use std::collections::BTreeMap;

use super::{EventCursor, EventState, StoredEvent, packed};
use crate::domain::ids::{ConnectionId, EventId};
use crate::store::{Statement, StoreError, Tx};

/// The columns of an event with its body, and its state, looked up by key for each row: with
/// joins instead, PostgreSQL read the whole queue for every page until it had been analysed.
macro_rules! stored {
    ($rest:literal) => {
        concat!(
            "SELECT e.event_id, e.event_type, e.api_version, e.created_at, e.received_at_us, e.mode,
                    e.body, e.unpacked_bytes,
                    COALESCE(
                        (SELECT 'received' FROM event_queue AS q
                         WHERE q.connection_id = e.connection_id
                           AND q.received_at_us = e.received_at_us AND q.event_id = e.event_id),
                        (SELECT o.state FROM event_outcomes AS o
                         WHERE o.connection_id = e.connection_id AND o.event_id = e.event_id),
                        'done') AS state
             FROM events AS e
             WHERE e.connection_id = $1 ",
            $rest
        )
    };
}

/// Events by id, with their bodies, in order of id.
pub async fn load_events(
    tx: &mut Tx,
    connection: &ConnectionId,
    events: &[EventId],
) -> Result<Vec<StoredEvent>, StoreError> {
    let rows = Statement::new(stored!("AND e.event_id IN ({rows})"))
        .bind(connection)
        .list(events)
        .fetch_all(tx)
        .await?;
    let mut found = packed::events(rows);
    found.sort_by(|a, b| a.event_id.cmp(&b.event_id));
    Ok(found)
}

/// One page of all events in order of arrival, with their bodies: for export and `verify`.
pub async fn event_page(
    tx: &mut Tx,
    connection: &ConnectionId,
    after: Option<&EventCursor>,
    limit: u32,
) -> Result<Vec<StoredEvent>, StoreError> {
    let start = EventCursor {
        received_at_us: i64::MIN,
        event_id: EventId::new(""),
    };
    let after = after.unwrap_or(&start);
    let rows = Statement::new(stored!(
        "AND (e.received_at_us, e.event_id) > ($2, $3)
         ORDER BY e.received_at_us, e.event_id
         LIMIT $4"
    ))
    .bind(connection)
    .bind(after.received_at_us)
    .bind(&after.event_id)
    .bind(limit)
    .fetch_all(tx)
    .await?;
    Ok(packed::events(rows))
}

/// How many events are in each state. It counts the whole index of events by time, and the
/// small tables of those that wait or were not used: for summaries, not for each request.
pub async fn count_by_state(
    tx: &mut Tx,
    connection: &ConnectionId,
) -> Result<BTreeMap<EventState, i64>, StoreError> {
    let rows: Vec<(String, i64)> = Statement::new(
        "SELECT 'all' AS state, COUNT(*) FROM events WHERE connection_id = $1
         UNION ALL
         SELECT 'received', COUNT(*) FROM event_queue WHERE connection_id = $1
         UNION ALL
         SELECT state, COUNT(*) FROM event_outcomes WHERE connection_id = $1 GROUP BY state",
    )
    .bind(connection)
    .fetch_all(tx)
    .await?;
    let mut counts: BTreeMap<EventState, i64> = BTreeMap::new();
    let mut all = 0_i64;
    for (state, count) in rows {
        match EventState::parse(&state) {
            Some(state) => {
                counts.insert(state, count);
            }
            None => all = count,
        }
    }
    let others: i64 = counts.values().sum();
    counts.insert(EventState::Done, all.saturating_sub(others));
    counts.retain(|_, count| *count > 0);
    Ok(counts)
}

/// For which reasons events ended in a state, by code, and how many for each; sorted by code.
pub async fn count_by_reason(
    tx: &mut Tx,
    connection: &ConnectionId,
    state: EventState,
) -> Result<Vec<(String, i64)>, StoreError> {
    Statement::new(
        "SELECT reason_code, COUNT(*) FROM event_outcomes
         WHERE connection_id = $1 AND state = $2 AND reason_code IS NOT NULL
         GROUP BY reason_code ORDER BY reason_code",
    )
    .bind(connection)
    .bind(state.name())
    .fetch_all(tx)
    .await
}

/// The last arrivals that are asked first when the newest event happened.
const RECENT_EVENTS: i64 = 100;
/// How far Stripe's clock may be ahead of ours.
const CLOCKS_DIFFER_SECONDS: i64 = 3_600;

/// When the newest event came, unix microseconds.
pub async fn newest_received(
    tx: &mut Tx,
    connection: &ConnectionId,
) -> Result<Option<i64>, StoreError> {
    let (newest,): (Option<i64>,) =
        Statement::new("SELECT MAX(received_at_us) FROM events WHERE connection_id = $1")
            .bind(connection)
            .fetch_one(tx)
            .await?;
    Ok(newest)
}

/// The newest `created` among the events.
///
/// Nothing happens after it has been received, but for clocks that differ: only what came
/// since the newest of the last arrivals happened can be newer, so that a running server's
/// answer takes a look at an hour of events and no index on `created_at`.
pub async fn newest_created(
    tx: &mut Tx,
    connection: &ConnectionId,
) -> Result<Option<i64>, StoreError> {
    let (recent,): (Option<i64>,) = Statement::new(
        "SELECT MAX(created_at) FROM (
             SELECT created_at FROM events WHERE connection_id = $1
             ORDER BY received_at_us DESC, event_id DESC LIMIT $2
         ) AS recent",
    )
    .bind(connection)
    .bind(RECENT_EVENTS)
    .fetch_one(tx)
    .await?;
    let Some(recent) = recent else {
        return Ok(None);
    };
    let since_us = recent
        .saturating_sub(CLOCKS_DIFFER_SECONDS)
        .saturating_mul(1_000_000);
    let (newest,): (Option<i64>,) = Statement::new(
        "SELECT MAX(created_at) FROM events WHERE connection_id = $1 AND received_at_us >= $2",
    )
    .bind(connection)
    .bind(since_us)
    .fetch_one(tx)
    .await?;
    Ok(newest.max(Some(recent)))
}
