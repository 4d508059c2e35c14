//! Batches, and how far each has got. Their items are in `batch_items`; what goes into a plan
//! is decided in `settle`.

use sqlx::FromRow;

use super::db::Tx;
use super::error::StoreError;
use super::json::{instant, instant_or_none, name, stored_names};
use super::statement::Statement;
use crate::domain::ids::{BatchId, ConnectionId};
use crate::domain::time::Timestamp;

const BATCHES: &str = "batches";

stored_names! {
    /// What started a batch.
    BatchKind {
        /// Its slot came.
        Scheduled => "scheduled",
        /// Somebody asked for it.
        RunNow => "run_now",
    }
}

stored_names! {
    /// How far a batch has got.
    BatchState {
        /// Its plan is being made: nothing is booked, and its items may go again.
        Planning => "planning",
        /// The plan is stored, with nothing left to decide.
        Planned => "planned",
        /// Items are being carried out: the first page of them is.
        Executing => "executing",
        /// Every item has an outcome.
        Done => "done",
    }
}

/// A batch as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Its id.
    pub id: BatchId,
    /// What makes it unique in its connection: the slot, or the request that started it.
    pub key: String,
    /// What started it.
    pub kind: BatchKind,
    /// The start of its slot.
    pub slot_at: Timestamp,
    /// What is due by then is in it.
    pub cut_off: Timestamp,
    /// How far it has got.
    pub state: BatchState,
    /// When its plan was begun.
    pub planned_at: Timestamp,
    /// When its last item had an outcome.
    pub done_at: Option<Timestamp>,
    /// How many items the plan has; 0 while it is being made.
    pub plan_items: i64,
    /// What came of them.
    pub totals: BatchTotals,
    /// Where it comes from.
    pub origin: Origin,
}

/// Where a batch comes from, and what its plan was; batches of earlier versions do not say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Origin {
    /// The node that began its plan.
    pub node: Option<String>,
    /// Who asked for it; nobody if its slot came.
    pub by: Option<String>,
    /// SHA-256 of its items in their order, hexadecimal; from the end of planning on.
    pub digest: Option<String>,
}

/// What came of a batch's items, in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BatchTotals {
    /// Rewards given.
    pub settled: i64,
    /// Rewards taken back, in whole or in part.
    pub reversed: i64,
    /// Rewards given again.
    pub reinstated: i64,
    /// Left for later, or overtaken.
    pub skipped: i64,
}

#[derive(FromRow)]
struct BatchRow {
    batch_id: String,
    batch_key: String,
    kind: String,
    slot_at: i64,
    cut_off: i64,
    state: String,
    planned_at: i64,
    done_at: Option<i64>,
    plan_items: i64,
    settled: i64,
    reversed: i64,
    reinstated: i64,
    skipped: i64,
    node: Option<String>,
    started_by: Option<String>,
    digest: Option<String>,
}

impl BatchRow {
    fn read(self) -> Result<Batch, StoreError> {
        Ok(Batch {
            id: self.batch_id.into(),
            key: self.batch_key,
            kind: name(BATCHES, &self.kind, BatchKind::parse)?,
            slot_at: instant(BATCHES, self.slot_at)?,
            cut_off: instant(BATCHES, self.cut_off)?,
            state: name(BATCHES, &self.state, BatchState::parse)?,
            planned_at: instant(BATCHES, self.planned_at)?,
            done_at: instant_or_none(BATCHES, self.done_at)?,
            plan_items: self.plan_items,
            totals: BatchTotals {
                settled: self.settled,
                reversed: self.reversed,
                reinstated: self.reinstated,
                skipped: self.skipped,
            },
            origin: Origin {
                node: self.node,
                by: self.started_by,
                digest: self.digest,
            },
        })
    }
}

/// Stores a batch; [`StoreError::Taken`] if its key is taken: then another node plans it.
pub async fn insert_batch(
    tx: &mut Tx,
    connection: &ConnectionId,
    batch: &Batch,
) -> Result<(), StoreError> {
    Statement::new(
        "INSERT INTO batches (connection_id, batch_id, batch_key, kind, slot_at, cut_off, state,
                              planned_at, done_at, plan_items, settled, reversed, reinstated,
                              skipped, node, started_by, digest)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)",
    )
    .bind(connection)
    .bind(&batch.id)
    .bind(&batch.key)
    .bind(batch.kind.name())
    .bind(batch.slot_at)
    .bind(batch.cut_off)
    .bind(batch.state.name())
    .bind(batch.planned_at)
    .bind(batch.done_at)
    .bind(batch.plan_items)
    .bind(batch.totals.settled)
    .bind(batch.totals.reversed)
    .bind(batch.totals.reinstated)
    .bind(batch.totals.skipped)
    .bind(&batch.origin.node)
    .bind(&batch.origin.by)
    .bind(&batch.origin.digest)
    .execute(tx)
    .await?;
    Ok(())
}

/// Ends the making of a plan of so many items with this digest: from now on nothing is left to
/// decide.
/// [`StoreError::Stale`] if it is not being made any more.
pub async fn end_planning(
    tx: &mut Tx,
    connection: &ConnectionId,
    batch: &BatchId,
    (items, digest): (i64, &str),
) -> Result<(), StoreError> {
    Statement::new(
        "UPDATE batches SET state = 'planned', plan_items = $3, digest = $4
         WHERE connection_id = $1 AND batch_id = $2 AND state = 'planning'",
    )
    .bind(connection)
    .bind(batch)
    .bind(items)
    .bind(digest)
    .execute_exactly("ending the plan of a batch", 1, tx)
    .await
}

/// Notes that a planned batch is being carried out, in the transaction that carries out the first
/// of its items; nothing happens if that is noted already.
pub async fn begin_execution(
    tx: &mut Tx,
    connection: &ConnectionId,
    batch: &BatchId,
) -> Result<(), StoreError> {
    Statement::new(
        "UPDATE batches SET state = 'executing'
         WHERE connection_id = $1 AND batch_id = $2 AND state = 'planned'",
    )
    .bind(connection)
    .bind(batch)
    .execute(tx)
    .await?;
    Ok(())
}

/// Removes a batch whose plan is being made and has no items; [`StoreError::Stale`] otherwise.
pub async fn delete_batch(
    tx: &mut Tx,
    connection: &ConnectionId,
    batch: &BatchId,
) -> Result<(), StoreError> {
    Statement::new(
        "DELETE FROM batches WHERE connection_id = $1 AND batch_id = $2 AND state = 'planning'
           AND NOT EXISTS (SELECT 1 FROM batch_items AS i
                           WHERE i.connection_id = $1 AND i.batch_id = $2)",
    )
    .bind(connection)
    .bind(batch)
    .execute_exactly("removing a batch without items", 1, tx)
    .await
}

/// Moves a batch on, and writes what came of it so far; [`StoreError::Stale`] if it is not in
/// `from` any more.
pub async fn change_batch(
    tx: &mut Tx,
    connection: &ConnectionId,
    batch: &BatchId,
    (from, to): (BatchState, BatchState),
    totals: BatchTotals,
    done_at: Option<Timestamp>,
) -> Result<(), StoreError> {
    Statement::new(
        "UPDATE batches
         SET state = $4, settled = $5, reversed = $6, reinstated = $7, skipped = $8, done_at = $9
         WHERE connection_id = $1 AND batch_id = $2 AND state = $3",
    )
    .bind(connection)
    .bind(batch)
    .bind(from.name())
    .bind(to.name())
    .bind(totals.settled)
    .bind(totals.reversed)
    .bind(totals.reinstated)
    .bind(totals.skipped)
    .bind(done_at)
    .execute_exactly("moving a batch on", 1, tx)
    .await
}

const SELECT: &str =
    "SELECT batch_id, batch_key, kind, slot_at, cut_off, state, planned_at, done_at, plan_items,
            settled, reversed, reinstated, skipped, node, started_by, digest
     FROM batches WHERE connection_id = $1";

/// One batch.
pub async fn get_batch(
    tx: &mut Tx,
    connection: &ConnectionId,
    batch: &BatchId,
) -> Result<Option<Batch>, StoreError> {
    let row: Option<BatchRow> = Statement::new(SELECT)
        .bind(connection)
        .push(" AND batch_id = $#", batch)
        .fetch_optional(tx)
        .await?;
    row.map(BatchRow::read).transpose()
}

/// The batch of one slot or request.
pub async fn batch_by_key(
    tx: &mut Tx,
    connection: &ConnectionId,
    key: &str,
) -> Result<Option<Batch>, StoreError> {
    let row: Option<BatchRow> = Statement::new(SELECT)
        .bind(connection)
        .push(" AND batch_key = $#", key)
        .fetch_optional(tx)
        .await?;
    row.map(BatchRow::read).transpose()
}

/// Batches, newest first; `after` is (`planned_at`, id) of the last one seen.
pub async fn list_batches(
    tx: &mut Tx,
    connection: &ConnectionId,
    after: Option<(Timestamp, &BatchId)>,
    limit: u32,
) -> Result<Vec<Batch>, StoreError> {
    let mut statement = Statement::new(SELECT).bind(connection);
    if let Some((at, id)) = after {
        statement = statement.push_all(
            " AND (planned_at, batch_id) < ($#, $#)",
            [at.into(), id.into()],
        );
    }
    let rows: Vec<BatchRow> = statement
        .push(" ORDER BY planned_at DESC, batch_id DESC LIMIT $#", limit)
        .fetch_all(tx)
        .await?;
    rows.into_iter().map(BatchRow::read).collect()
}

/// Batches that are not done, oldest first: to be resumed.
pub async fn open_batches(
    tx: &mut Tx,
    connection: &ConnectionId,
) -> Result<Vec<Batch>, StoreError> {
    let rows: Vec<BatchRow> = Statement::new(SELECT)
        .bind(connection)
        .text(" AND state <> 'done' ORDER BY planned_at, batch_id")
        .fetch_all(tx)
        .await?;
    rows.into_iter().map(BatchRow::read).collect()
}
