//! Events without their bodies, as people list and look them up, with what became of them.

use super::{EventCursor, EventState, EventSummary};
use crate::domain::ids::{ConnectionId, EventId};
use crate::store::{Statement, StoreError, Tx};

/// Which events to list or replay. Everything left out means any.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    /// In this state.
    pub state: Option<EventState>,
    /// Of this Stripe type.
    pub event_type: Option<String>,
    /// Ignored or quarantined for the reason of this code.
    pub reason_code: Option<String>,
    /// Received at or after, unix microseconds.
    pub from_us: Option<i64>,
    /// Received before, unix microseconds.
    pub until_us: Option<i64>,
    /// With at least one delivery of another body.
    pub only_conflicts: bool,
}

/// The columns of a summary, from tables that call the event `e`, its place in the queue `q`,
/// its outcome `o` and its repeats `r`.
macro_rules! summaries {
    ($from:literal) => {
        concat!(
            "SELECT e.event_id, e.event_type, e.api_version, e.created_at, e.received_at_us, e.mode,
                    COALESCE(r.deliveries, 1) AS deliveries, COALESCE(r.conflicts, 0) AS conflicts,
                    CASE WHEN q.event_id IS NOT NULL THEN 'received'
                         ELSE COALESCE(o.state, 'done') END AS state,
                    o.reason_code, o.reason, e.secret_index ",
            $from,
            " LEFT JOIN event_repeats AS r
                ON r.connection_id = e.connection_id AND r.event_id = e.event_id
              WHERE e.connection_id = $1"
        )
    };
}

/// From the events.
const ALL: &str = summaries!(
    "FROM events AS e
     LEFT JOIN event_queue AS q
       ON q.connection_id = e.connection_id AND q.received_at_us = e.received_at_us
      AND q.event_id = e.event_id
     LEFT JOIN event_outcomes AS o
       ON o.connection_id = e.connection_id AND o.event_id = e.event_id"
);
/// From what waits. `CROSS JOIN` holds SQLite to this order; for PostgreSQL it is any join.
const WAITING: &str = concat!(
    summaries!(
        "FROM event_queue AS q
         CROSS JOIN events AS e
         LEFT JOIN event_outcomes AS o
           ON o.connection_id = e.connection_id AND o.event_id = e.event_id"
    ),
    " AND q.connection_id = $1 AND e.event_id = q.event_id"
);
/// From the outcomes.
const ENDED: &str = concat!(
    summaries!(
        "FROM event_outcomes AS o
         CROSS JOIN events AS e
         LEFT JOIN event_queue AS q
           ON q.connection_id = e.connection_id AND q.received_at_us = e.received_at_us
          AND q.event_id = e.event_id"
    ),
    " AND o.connection_id = $1 AND e.event_id = o.event_id"
);

/// Events, newest first, after the cursor.
///
/// Waiting, ignored and quarantined ones are read from their own small tables; all of them and
/// those that are done from the index by time. A type, or `only_conflicts`, is looked for in
/// that order until the limit is reached: a rare one may mean reading all of it.
pub async fn list_events(
    tx: &mut Tx,
    connection: &ConnectionId,
    filter: &EventFilter,
    after: Option<&EventCursor>,
    limit: u32,
) -> Result<Vec<EventSummary>, StoreError> {
    // Of two columns that are equal, SQLite wants the one of the table it reads from.
    let (head, earlier, order) = match filter.state {
        None | Some(EventState::Done) => (
            ALL,
            " AND (e.received_at_us, e.event_id) < ($#, $#)",
            " ORDER BY e.received_at_us DESC, e.event_id DESC LIMIT $#",
        ),
        Some(EventState::Received) => (
            WAITING,
            " AND (q.received_at_us, q.event_id) < ($#, $#)",
            " ORDER BY q.received_at_us DESC, q.event_id DESC LIMIT $#",
        ),
        Some(EventState::Ignored | EventState::Quarantined) => (
            ENDED,
            " AND (o.received_at_us, o.event_id) < ($#, $#)",
            " ORDER BY o.received_at_us DESC, o.event_id DESC LIMIT $#",
        ),
    };
    let mut statement = filtered(Statement::new(head).bind(connection), filter);
    if let Some(after) = after {
        let cursor = [after.received_at_us.into(), (&after.event_id).into()];
        statement = statement.push_all(earlier, cursor);
    }
    statement.push(order, limit).fetch_all(tx).await
}

/// Adds the conditions to a statement over `e`, `q` (but for ended states), `o` and `r`.
pub(super) fn filtered<'v>(statement: Statement<'v>, filter: &'v EventFilter) -> Statement<'v> {
    let statement = match filter.state {
        None => statement,
        Some(EventState::Received) => statement.text(" AND q.event_id IS NOT NULL"),
        Some(EventState::Done) => statement.text(" AND q.event_id IS NULL AND o.event_id IS NULL"),
        Some(state @ (EventState::Ignored | EventState::Quarantined)) => {
            statement.push(" AND o.state = $#", state.name())
        }
    };
    let statement = statement
        .push_some(" AND e.event_type = $#", filter.event_type.as_deref())
        .push_some(" AND o.reason_code = $#", filter.reason_code.as_deref())
        .push_some(" AND e.received_at_us >= $#", filter.from_us)
        .push_some(" AND e.received_at_us < $#", filter.until_us);
    if filter.only_conflicts {
        statement.text(" AND r.conflicts > 0")
    } else {
        statement
    }
}

/// One event, without its body.
pub async fn get_event(
    tx: &mut Tx,
    connection: &ConnectionId,
    event: &EventId,
) -> Result<Option<EventSummary>, StoreError> {
    Statement::new(ALL)
        .bind(connection)
        .push(" AND e.event_id = $#", event)
        .fetch_optional(tx)
        .await
}

/// Events by id, without their bodies, in any order.
pub async fn event_summaries(
    tx: &mut Tx,
    connection: &ConnectionId,
    events: &[EventId],
) -> Result<Vec<EventSummary>, StoreError> {
    Statement::new(ALL)
        .bind(connection)
        .text(" AND e.event_id IN ({rows})")
        .list(events)
        .fetch_all(tx)
        .await
}
