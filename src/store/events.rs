//! Stored events: what Stripe sent, as received, once per id.
//! What an event means is none of this file's business.

use std::collections::{BTreeMap, HashMap, HashSet};

use sqlx::FromRow;

use super::db::{Db, Tx};
use super::error::StoreError;
use super::retry::retry;
use super::statement::Statement;
use crate::domain::campaign::Mode;
use crate::domain::ids::{ConnectionId, EventId};

/// What became of a stored event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventState {
    /// Stored, waiting to be read.
    Received,
    /// Read; its facts are folded.
    Done,
    /// Read; it says nothing that counts.
    Ignored,
    /// It could not be interpreted; its reason says why, and it can be replayed.
    Quarantined,
}

impl EventState {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Received, Self::Done, Self::Ignored, Self::Quarantined];

    /// The stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Done => "done",
            Self::Ignored => "ignored",
            Self::Quarantined => "quarantined",
        }
    }

    /// The state of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// Why an event is ignored or quarantined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventReason {
    /// A stable code, lower snake case.
    pub code: String,
    /// What was seen.
    pub text: String,
}

/// An event as it came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// Stripe's id, or `sha256:…` where the body has none.
    pub event_id: EventId,
    /// Stripe's `type`.
    pub event_type: String,
    /// Stripe's `api_version`.
    pub api_version: Option<String>,
    /// Stripe's `created`, unix seconds.
    pub created_at: i64,
    /// Our clock, unix microseconds.
    pub received_at_us: i64,
    /// By `livemode`.
    pub mode: Mode,
    /// The body, byte for byte.
    pub body: Vec<u8>,
    /// SHA-256 of the body.
    pub digest: [u8; 32],
    /// [`EventState::Received`], or where it ends at once.
    pub state: EventState,
    /// Why it ends at once.
    pub reason: Option<EventReason>,
    /// Which of the connection's signing secrets matched.
    pub secret_index: Option<i64>,
}

/// What became of one event of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inserted {
    /// It is stored now.
    New,
    /// The same bytes were stored before.
    Duplicate,
    /// Other bytes hold this id; these are kept beside them.
    Conflict,
}

/// A stored event with its body.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct StoredEvent {
    /// Stripe's id.
    pub event_id: String,
    /// Stripe's `type`.
    pub event_type: String,
    /// Stripe's `api_version`.
    pub api_version: Option<String>,
    /// Stripe's `created`, unix seconds.
    pub created_at: i64,
    /// Our clock, unix microseconds.
    pub received_at_us: i64,
    /// `live` or `test`.
    pub mode: String,
    /// The body, byte for byte.
    pub body: Vec<u8>,
    /// SHA-256 of the body.
    pub digest: Vec<u8>,
    /// Name of its [`EventState`].
    pub state: String,
}

/// A stored event without its body.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct EventSummary {
    /// Stripe's id.
    pub event_id: String,
    /// Stripe's `type`.
    pub event_type: String,
    /// Stripe's `api_version`.
    pub api_version: Option<String>,
    /// Stripe's `created`, unix seconds.
    pub created_at: i64,
    /// Our clock, unix microseconds.
    pub received_at_us: i64,
    /// `live` or `test`.
    pub mode: String,
    /// How often it was delivered.
    pub deliveries: i64,
    /// How many of those deliveries had another body.
    pub conflicts: i64,
    /// Name of its [`EventState`].
    pub state: String,
    /// Why it is ignored or quarantined: the code.
    pub reason_code: Option<String>,
    /// Why it is ignored or quarantined: in words.
    pub reason: Option<String>,
    /// Which of the connection's signing secrets matched.
    pub secret_index: Option<i64>,
}

/// A body that came under an id that was taken.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct ConflictingBody {
    /// SHA-256 of the body.
    pub digest: Vec<u8>,
    /// When it came first, unix microseconds.
    pub received_at_us: i64,
    /// The body.
    pub body: Vec<u8>,
}

/// Stores a group of events in one transaction; the answer has the group's order.
///
/// When this returns, each of them is stored for good. A delivery of known bytes raises
/// `deliveries`; other bytes under a known id are kept aside and raise `conflicts` as well.
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
    let mut fresh = insert_new(tx, connection, first.values().copied()).await?;
    if fresh.len() == events.len() {
        return Ok(vec![Inserted::New; events.len()]);
    }

    let known = digests(tx, connection, first.keys().copied()).await?;
    let outcome: Vec<Inserted> = events
        .iter()
        .map(|event| {
            let id = event.event_id.as_str();
            if fresh.remove(id) {
                Inserted::New
            } else if known.get(id).is_some_and(|kept| *kept == event.digest) {
                Inserted::Duplicate
            } else {
                Inserted::Conflict
            }
        })
        .collect();
    let repeats: Vec<_> = events.iter().zip(outcome.iter().copied()).collect();
    count_repeats(tx, connection, &repeats).await?;
    keep_conflicts(tx, connection, &repeats).await?;
    Ok(outcome)
}

/// The ids that were not there before.
async fn insert_new<'e>(
    tx: &mut Tx,
    connection: &'e ConnectionId,
    events: impl Iterator<Item = &'e NewEvent>,
) -> Result<HashSet<String>, StoreError> {
    let rows = events.map(|event| {
        let reason = event.reason.as_ref();
        [
            connection.into(),
            (&event.event_id).into(),
            event.event_type.as_str().into(),
            event.api_version.as_deref().into(),
            event.created_at.into(),
            event.received_at_us.into(),
            event.mode.name().into(),
            event.body.as_slice().into(),
            (&event.digest).into(),
            1_i64.into(),
            0_i64.into(),
            event.state.name().into(),
            reason.map(|reason| reason.code.as_str()).into(),
            reason.map(|reason| reason.text.as_str()).into(),
            event.secret_index.into(),
        ]
    });
    let ids: Vec<(String,)> = Statement::new(
        "INSERT INTO events (connection_id, event_id, event_type, api_version, created_at,
                             received_at_us, mode, body, digest, deliveries, conflicts,
                             state, reason_code, reason, secret_index)
         {rows}
         ON CONFLICT (connection_id, event_id) DO NOTHING
         RETURNING event_id",
    )
    .rows(rows)
    .fetch_all(tx)
    .await?;
    Ok(ids.into_iter().map(|(id,)| id).collect())
}

async fn digests<'e>(
    tx: &mut Tx,
    connection: &'e ConnectionId,
    ids: impl Iterator<Item = &'e str>,
) -> Result<HashMap<String, Vec<u8>>, StoreError> {
    let rows: Vec<(String, Vec<u8>)> = Statement::new(
        "SELECT event_id, digest FROM events
         WHERE connection_id = $1 AND event_id IN ({rows})",
    )
    .bind(connection)
    .list(ids)
    .fetch_all(tx)
    .await?;
    Ok(rows.into_iter().collect())
}

async fn count_repeats(
    tx: &mut Tx,
    connection: &ConnectionId,
    outcome: &[(&NewEvent, Inserted)],
) -> Result<(), StoreError> {
    let mut counts: BTreeMap<&str, (i64, i64)> = BTreeMap::new();
    for (event, inserted) in outcome.iter().filter(|(_, i)| *i != Inserted::New) {
        let count = counts.entry(event.event_id.as_str()).or_default();
        count.0 += 1;
        count.1 += i64::from(*inserted == Inserted::Conflict);
    }
    Statement::new(
        "WITH repeat (event_id, deliveries, conflicts) AS ({rows})
         UPDATE events
         SET deliveries = events.deliveries + repeat.deliveries,
             conflicts = events.conflicts + repeat.conflicts
         FROM repeat
         WHERE events.connection_id = $1 AND events.event_id = repeat.event_id",
    )
    .bind(connection)
    .set(
        counts
            .into_iter()
            .map(|(id, (deliveries, conflicts))| [id.into(), deliveries.into(), conflicts.into()]),
    )
    .execute(tx)
    .await?;
    Ok(())
}

async fn keep_conflicts(
    tx: &mut Tx,
    connection: &ConnectionId,
    outcome: &[(&NewEvent, Inserted)],
) -> Result<(), StoreError> {
    let conflicts = outcome
        .iter()
        .filter(|(_, inserted)| *inserted == Inserted::Conflict);
    Statement::new(
        "INSERT INTO event_conflicts (connection_id, event_id, digest, received_at_us, body)
         {rows}
         ON CONFLICT (connection_id, event_id, digest) DO NOTHING",
    )
    .rows(conflicts.map(|(event, _)| {
        [
            connection.into(),
            (&event.event_id).into(),
            (&event.digest).into(),
            event.received_at_us.into(),
            event.body.as_slice().into(),
        ]
    }))
    .execute(tx)
    .await?;
    Ok(())
}

/// The oldest events that wait to be read. On PostgreSQL they are this transaction's until it
/// ends; other nodes are given others.
pub async fn received_batch(
    tx: &mut Tx,
    connection: &ConnectionId,
    limit: u32,
) -> Result<Vec<StoredEvent>, StoreError> {
    Statement::new(
        "SELECT event_id, event_type, api_version, created_at, received_at_us, mode, body, digest,
                state
         FROM events
         WHERE connection_id = $1 AND state = 'received'
         ORDER BY received_at_us
         LIMIT $2
         {claim}",
    )
    .bind(connection)
    .bind(limit)
    .fetch_all(tx)
    .await
}

/// Where an event has got to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventMark {
    /// The event.
    pub event_id: EventId,
    /// What became of it.
    pub state: EventState,
    /// Why, if it is ignored or quarantined.
    pub reason: Option<EventReason>,
}

/// Sets the state of events that are waiting; each of them must be.
pub async fn mark_events(
    tx: &mut Tx,
    connection: &ConnectionId,
    marks: &[EventMark],
) -> Result<(), StoreError> {
    let expected = u64::try_from(marks.len()).unwrap_or(u64::MAX);
    Statement::new(
        "WITH mark (event_id, state, reason_code, reason) AS ({rows})
         UPDATE events
         SET state = mark.state, reason_code = mark.reason_code, reason = mark.reason
         FROM mark
         WHERE events.connection_id = $1 AND events.event_id = mark.event_id
           AND events.state = 'received'",
    )
    .bind(connection)
    .rows(marks.iter().map(|mark| {
        let reason = mark.reason.as_ref();
        [
            (&mark.event_id).into(),
            mark.state.name().into(),
            reason.map(|reason| reason.code.as_str()).into(),
            reason.map(|reason| reason.text.as_str()).into(),
        ]
    }))
    .execute_exactly("marking events as read", expected, tx)
    .await
}

/// Which events to list or replay. Everything left out means any.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    /// In this state.
    pub state: Option<EventState>,
    /// Of this Stripe type.
    pub event_type: Option<String>,
    /// Received at or after, unix microseconds.
    pub from_us: Option<i64>,
    /// Received before, unix microseconds.
    pub until_us: Option<i64>,
    /// With at least one delivery of another body.
    pub only_conflicts: bool,
}

/// A place in the list of events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventCursor {
    /// `received_at_us` of the last event seen.
    pub received_at_us: i64,
    /// Its id.
    pub event_id: EventId,
}

/// Events, newest first, after the cursor.
pub async fn list_events(
    tx: &mut Tx,
    connection: &ConnectionId,
    filter: &EventFilter,
    after: Option<&EventCursor>,
    limit: u32,
) -> Result<Vec<EventSummary>, StoreError> {
    let mut statement = filtered(
        Statement::new(
            "SELECT event_id, event_type, api_version, created_at, received_at_us, mode,
                    deliveries, conflicts, state, reason_code, reason, secret_index
             FROM events WHERE connection_id = $1",
        )
        .bind(connection),
        filter,
    );
    if let Some(after) = after {
        statement = statement.push_all(
            " AND (received_at_us, event_id) < ($#, $#)",
            [after.received_at_us.into(), (&after.event_id).into()],
        );
    }
    statement
        .push(
            " ORDER BY received_at_us DESC, event_id DESC LIMIT $#",
            limit,
        )
        .fetch_all(tx)
        .await
}

fn filtered<'v>(statement: Statement<'v>, filter: &'v EventFilter) -> Statement<'v> {
    let statement = match filter.state {
        // As literals, so that the partial indexes of the two small states can be used.
        Some(EventState::Received) => statement.text(" AND state = 'received'"),
        Some(EventState::Quarantined) => statement.text(" AND state = 'quarantined'"),
        Some(state) => statement.push(" AND state = $#", state.name()),
        None => statement,
    };
    let statement = statement
        .push_some(" AND event_type = $#", filter.event_type.as_deref())
        .push_some(" AND received_at_us >= $#", filter.from_us)
        .push_some(" AND received_at_us < $#", filter.until_us);
    if filter.only_conflicts {
        statement.text(" AND conflicts > 0")
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
    Statement::new(
        "SELECT event_id, event_type, api_version, created_at, received_at_us, mode,
                deliveries, conflicts, state, reason_code, reason, secret_index
         FROM events WHERE connection_id = $1 AND event_id = $2",
    )
    .bind(connection)
    .bind(event)
    .fetch_optional(tx)
    .await
}

/// Events by id, without their bodies, in any order.
pub async fn event_summaries(
    tx: &mut Tx,
    connection: &ConnectionId,
    events: &[EventId],
) -> Result<Vec<EventSummary>, StoreError> {
    Statement::new(
        "SELECT event_id, event_type, api_version, created_at, received_at_us, mode,
                deliveries, conflicts, state, reason_code, reason, secret_index
         FROM events WHERE connection_id = $1 AND event_id IN ({rows})",
    )
    .bind(connection)
    .list(events)
    .fetch_all(tx)
    .await
}

/// Events by id, with their bodies, in order of id.
pub async fn load_events(
    tx: &mut Tx,
    connection: &ConnectionId,
    events: &[EventId],
) -> Result<Vec<StoredEvent>, StoreError> {
    let mut found: Vec<StoredEvent> = Statement::new(
        "SELECT event_id, event_type, api_version, created_at, received_at_us, mode, body, digest,
                state
         FROM events WHERE connection_id = $1 AND event_id IN ({rows})",
    )
    .bind(connection)
    .list(events)
    .fetch_all(tx)
    .await?;
    found.sort_by(|a, b| a.event_id.cmp(&b.event_id));
    Ok(found)
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
    Statement::new(
        "SELECT event_id, event_type, api_version, created_at, received_at_us, mode, body, digest,
                state
         FROM events
         WHERE connection_id = $1 AND (received_at_us, event_id) > ($2, $3)
         ORDER BY received_at_us, event_id
         LIMIT $4",
    )
    .bind(connection)
    .bind(after.received_at_us)
    .bind(&after.event_id)
    .bind(limit)
    .fetch_all(tx)
    .await
}

/// Puts events back to be read again; how many. Facts fold the same way twice, so a replay
/// never counts anything double.
pub async fn requeue(
    tx: &mut Tx,
    connection: &ConnectionId,
    filter: &EventFilter,
) -> Result<u64, StoreError> {
    let statement = Statement::new(
        "UPDATE events SET state = 'received', reason_code = NULL, reason = NULL
         WHERE connection_id = $1 AND state <> 'received'",
    )
    .bind(connection);
    filtered(statement, filter).execute(tx).await
}

/// Puts single events back to be read again; how many.
pub async fn requeue_events(
    tx: &mut Tx,
    connection: &ConnectionId,
    events: &[EventId],
) -> Result<u64, StoreError> {
    Statement::new(
        "UPDATE events SET state = 'received', reason_code = NULL, reason = NULL
         WHERE connection_id = $1 AND state <> 'received' AND event_id IN ({rows})",
    )
    .bind(connection)
    .list(events)
    .execute(tx)
    .await
}

/// How many events are in each state. It reads every row: for `doctor`, not for each request.
pub async fn count_by_state(
    tx: &mut Tx,
    connection: &ConnectionId,
) -> Result<BTreeMap<EventState, i64>, StoreError> {
    let rows: Vec<(String, i64)> = Statement::new(
        "SELECT state, COUNT(*) FROM events WHERE connection_id = $1 GROUP BY state",
    )
    .bind(connection)
    .fetch_all(tx)
    .await?;
    Ok(rows
        .into_iter()
        .filter_map(|(state, count)| Some((EventState::parse(&state)?, count)))
        .collect())
}

/// How many events wait to be read, and since when the oldest does (unix microseconds).
pub async fn waiting(
    tx: &mut Tx,
    connection: &ConnectionId,
) -> Result<(i64, Option<i64>), StoreError> {
    Statement::new(
        "SELECT COUNT(*), MIN(received_at_us) FROM events
         WHERE connection_id = $1 AND state = 'received'",
    )
    .bind(connection)
    .fetch_one(tx)
    .await
}

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

/// The greatest Stripe `created` of all events, unix seconds: the default instant of a backtest.
pub async fn newest_created(
    tx: &mut Tx,
    connection: &ConnectionId,
) -> Result<Option<i64>, StoreError> {
    let (newest,): (Option<i64>,) =
        Statement::new("SELECT MAX(created_at) FROM events WHERE connection_id = $1")
            .bind(connection)
            .fetch_one(tx)
            .await?;
    Ok(newest)
}
