//! Batches: a plan with nothing left to decide, and how far its execution has got.
//! What goes into a plan is decided in `settle`.

use sqlx::FromRow;

use super::db::Tx;
use super::error::StoreError;
use super::json::{from_json, instant, instant_or_none, name, stored_names, to_json};
use super::statement::Statement;
use crate::domain::ids::{BatchId, ConnectionId, QualificationId};
use crate::domain::time::Timestamp;
use crate::domain::verdict::Reward;

const BATCHES: &str = "batches";
const ITEMS: &str = "batch_items";

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
        /// The plan is stored.
        Planned => "planned",
        /// Items are being carried out.
        Executing => "executing",
        /// Every item has an outcome.
        Done => "done",
    }
}

stored_names! {
    /// What an item does.
    ItemAction {
        /// Gives the reward.
        Settle => "settle",
        /// Takes back what is no longer supported.
        Reverse => "reverse",
        /// Gives again what was taken back.
        Reinstate => "reinstate",
        /// Leaves it for a later batch, and says why.
        Skip => "skip",
    }
}

stored_names! {
    /// How far an item has got.
    ItemState {
        /// Not carried out yet.
        Pending => "pending",
        /// Carried out.
        Done => "done",
        /// Overtaken by a change since the plan was made.
        Superseded => "superseded",
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
    /// When its plan was stored.
    pub planned_at: Timestamp,
    /// When its last item had an outcome.
    pub done_at: Option<Timestamp>,
    /// How many items the plan has.
    pub plan_items: i64,
    /// What came of them.
    pub totals: BatchTotals,
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

/// One item of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchItem {
    /// Its place in the plan, from 0.
    pub position: i64,
    /// The qualification.
    pub qualification: QualificationId,
    /// What it does.
    pub action: ItemAction,
    /// What is given (positive) or taken back (positive as well).
    pub amounts: Vec<Reward>,
    /// Why: a stable code.
    pub reason: String,
    /// How far it has got.
    pub state: ItemState,
    /// What came of it, in words.
    pub outcome: Option<String>,
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
        })
    }
}

#[derive(FromRow)]
struct ItemRow {
    position: i64,
    qualification_id: String,
    action: String,
    amounts: String,
    reason: String,
    state: String,
    outcome: Option<String>,
}

impl ItemRow {
    fn read(self) -> Result<BatchItem, StoreError> {
        Ok(BatchItem {
            position: self.position,
            qualification: self.qualification_id.into(),
            action: name(ITEMS, &self.action, ItemAction::parse)?,
            amounts: from_json(ITEMS, &self.amounts)?,
            reason: self.reason,
            state: name(ITEMS, &self.state, ItemState::parse)?,
            outcome: self.outcome,
        })
    }
}

/// Stores a plan; [`StoreError::Taken`] if its key is taken: then another node has planned it.
pub async fn insert_batch(
    tx: &mut Tx,
    connection: &ConnectionId,
    batch: &Batch,
    items: &[BatchItem],
) -> Result<(), StoreError> {
    Statement::new(
        "INSERT INTO batches (connection_id, batch_id, batch_key, kind, slot_at, cut_off, state,
                              planned_at, done_at, plan_items, settled, reversed, reinstated,
                              skipped)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
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
    .execute(tx)
    .await?;
    let amounts = items
        .iter()
        .map(|item| to_json(ITEMS, &item.amounts))
        .collect::<Result<Vec<_>, _>>()?;
    Statement::new(
        "INSERT INTO batch_items (connection_id, batch_id, position, qualification_id, action,
                                  amounts, reason, state, outcome)
         {rows}",
    )
    .rows(items.iter().zip(amounts).map(|(item, amounts)| {
        [
            connection.into(),
            (&batch.id).into(),
            item.position.into(),
            (&item.qualification).into(),
            item.action.name().into(),
            amounts.into(),
            (&item.reason).into(),
            item.state.name().into(),
            (&item.outcome).into(),
        ]
    }))
    .execute(tx)
    .await?;
    Ok(())
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

/// Gives items their outcome; [`StoreError::Stale`] if any of them has one already, which is
/// how a second node notices that it is late.
pub async fn finish_items(
    tx: &mut Tx,
    connection: &ConnectionId,
    batch: &BatchId,
    outcomes: &[(i64, ItemState, String)],
) -> Result<(), StoreError> {
    let expected = u64::try_from(outcomes.len()).unwrap_or(u64::MAX);
    Statement::new(
        "WITH finish (position, state, outcome) AS ({rows})
         UPDATE batch_items SET state = finish.state, outcome = finish.outcome
         FROM finish
         WHERE batch_items.connection_id = $1 AND batch_items.batch_id = $2
           AND batch_items.position = finish.position AND batch_items.state = 'pending'",
    )
    .bind(connection)
    .bind(batch)
    .rows(
        outcomes
            .iter()
            .map(|(position, state, text)| [(*position).into(), state.name().into(), text.into()]),
    )
    .execute_exactly("finishing items of a batch", expected, tx)
    .await
}

const SELECT: &str =
    "SELECT batch_id, batch_key, kind, slot_at, cut_off, state, planned_at, done_at, plan_items,
            settled, reversed, reinstated, skipped
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

/// The newest batch.
pub async fn latest_batch(
    tx: &mut Tx,
    connection: &ConnectionId,
) -> Result<Option<Batch>, StoreError> {
    let found = list_batches(tx, connection, None, 1).await?;
    Ok(found.into_iter().next())
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

/// Items of a batch in order of position, after the last one seen; `state` narrows it down.
pub async fn batch_items(
    tx: &mut Tx,
    connection: &ConnectionId,
    batch: &BatchId,
    state: Option<ItemState>,
    after: Option<i64>,
    limit: u32,
) -> Result<Vec<BatchItem>, StoreError> {
    let rows: Vec<ItemRow> = Statement::new(
        "SELECT position, qualification_id, action, amounts, reason, state, outcome
         FROM batch_items WHERE connection_id = $1 AND batch_id = $2 AND position > $3",
    )
    .bind(connection)
    .bind(batch)
    .bind(after.unwrap_or(-1))
    .push_some(" AND state = $#", state.map(ItemState::name))
    .push(" ORDER BY position LIMIT $#", limit)
    .fetch_all(tx)
    .await?;
    rows.into_iter().map(ItemRow::read).collect()
}

/// How many items of a batch there are by (action, state).
pub async fn count_items(
    tx: &mut Tx,
    connection: &ConnectionId,
    batch: &BatchId,
) -> Result<Vec<(ItemAction, ItemState, i64)>, StoreError> {
    let rows: Vec<(String, String, i64)> = Statement::new(
        "SELECT action, state, COUNT(*) FROM batch_items
         WHERE connection_id = $1 AND batch_id = $2
         GROUP BY action, state ORDER BY action, state",
    )
    .bind(connection)
    .bind(batch)
    .fetch_all(tx)
    .await?;
    let read = |(action, state, count): (String, String, i64)| {
        Ok((
            name(ITEMS, &action, ItemAction::parse)?,
            name(ITEMS, &state, ItemState::parse)?,
            count,
        ))
    };
    rows.into_iter().map(read).collect()
}

/// In which batches a qualification was, and what came of it: (batch, item), oldest plan first.
pub async fn items_of_qualification(
    tx: &mut Tx,
    connection: &ConnectionId,
    qualification: &QualificationId,
) -> Result<Vec<(BatchId, BatchItem)>, StoreError> {
    #[derive(FromRow)]
    struct Row {
        batch_id: String,
        #[sqlx(flatten)]
        item: ItemRow,
    }
    let rows: Vec<Row> = Statement::new(
        "SELECT i.batch_id, i.position, i.qualification_id, i.action, i.amounts, i.reason,
                i.state, i.outcome
         FROM batch_items AS i
         JOIN batches AS b ON b.connection_id = i.connection_id AND b.batch_id = i.batch_id
         WHERE i.connection_id = $1 AND i.qualification_id = $2
         ORDER BY b.planned_at, i.batch_id, i.position",
    )
    .bind(connection)
    .bind(qualification)
    .fetch_all(tx)
    .await?;
    rows.into_iter()
        .map(|row| Ok((row.batch_id.into(), row.item.read()?)))
        .collect()
}
