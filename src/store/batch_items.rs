//! Items of batches: what a plan does to which qualification, and what came of it. They lie in
//! the order of their plan, are written page by page, and finished in runs.

use sqlx::FromRow;

use super::db::Tx;
use super::error::StoreError;
use super::json::{from_json, name, stored_names, to_json};
use super::statement::Statement;
use crate::domain::ids::{BatchId, ConnectionId, QualificationId};
use crate::domain::verdict::Reward;

const ITEMS: &str = "batch_items";

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

/// One item of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchItem {
    /// Its place in the plan, from 0.
    pub position: i64,
    /// The qualification.
    pub qualification: QualificationId,
    /// What it does.
    pub action: ItemAction,
    /// What is given (positive) or taken back (negative).
    pub amounts: Vec<Reward>,
    /// Why: a stable code.
    pub reason: String,
    /// How far it has got.
    pub state: ItemState,
    /// What came of it, in words.
    pub outcome: Option<String>,
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
        let action = name(ITEMS, &self.action, ItemAction::parse)?;
        let state = name(ITEMS, &self.state, ItemState::parse)?;
        let said = || (state == ItemState::Done).then(|| outcome(action, &self.reason));
        Ok(BatchItem {
            position: self.position,
            qualification: self.qualification_id.into(),
            outcome: self.outcome.or_else(said),
            action,
            amounts: from_json(ITEMS, &self.amounts)?,
            reason: self.reason,
            state,
        })
    }
}

/// What came of an item that is done. It is not stored: the row would outgrow its place, and
/// half of the pages of a plan would be split while it is carried out.
fn outcome(action: ItemAction, reason: &str) -> String {
    match action {
        ItemAction::Settle => "qualification.settled",
        ItemAction::Reverse => "qualification.reversed",
        ItemAction::Reinstate => "qualification.reinstated",
        ItemAction::Skip => reason,
    }
    .to_owned()
}

/// Adds a page of items to a plan that is being made; [`StoreError::Taken`] if one of their
/// positions has an item: then somebody else makes it, too.
pub async fn insert_items(
    tx: &mut Tx,
    connection: &ConnectionId,
    batch: &BatchId,
    items: &[BatchItem],
) -> Result<(), StoreError> {
    let amounts = items
        .iter()
        .map(|item| to_json(ITEMS, &item.amounts))
        .collect::<Result<Vec<_>, _>>()?;
    Statement::new(
        "WITH item (position, qualification_id, action, amounts, reason, state, outcome)
             AS ({rows})
         INSERT INTO batch_items (connection_id, batch_id, position, qualification_id, action,
                                  amounts, reason, state, outcome)
         SELECT $1, $2, i.position, i.qualification_id, i.action, i.amounts, i.reason, i.state,
                i.outcome
         FROM item AS i",
    )
    .bind(connection)
    .bind(batch)
    .rows(items.iter().zip(amounts).map(|(item, amounts)| {
        [
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

/// Drops at most `limit` items of a plan that is still being made, the first ones; how many
/// there were. Of a plan that was made nothing is ever dropped.
pub async fn drop_items(
    tx: &mut Tx,
    connection: &ConnectionId,
    batch: &BatchId,
    limit: u32,
) -> Result<u64, StoreError> {
    Statement::new(
        "DELETE FROM batch_items
         WHERE connection_id = $1 AND batch_id = $2
           AND position < $3 + (SELECT MIN(i.position) FROM batch_items AS i
                                WHERE i.connection_id = $1 AND i.batch_id = $2)
           AND EXISTS (SELECT 1 FROM batches AS b
                       WHERE b.connection_id = $1 AND b.batch_id = $2 AND b.state = 'planning')",
    )
    .bind(connection)
    .bind(batch)
    .bind(limit)
    .execute(tx)
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

/// Finishes the items of a run of positions that have no outcome yet, exactly `expected` of them:
/// what was done says what it did, what was left for later says why. [`StoreError::Stale`] if it
/// is another number, which is how a second node notices that it is late.
pub async fn finish_run(
    tx: &mut Tx,
    connection: &ConnectionId,
    batch: &BatchId,
    (first, last): (i64, i64),
    expected: u64,
) -> Result<(), StoreError> {
    Statement::new(
        "UPDATE batch_items SET state = 'done'
         WHERE connection_id = $1 AND batch_id = $2 AND position BETWEEN $3 AND $4
           AND state = 'pending'",
    )
    .bind(connection)
    .bind(batch)
    .bind(first)
    .bind(last)
    .execute_exactly("finishing a run of items of a batch", expected, tx)
    .await
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

/// Items of a batch that booked nothing and never will, left for later or overtaken, in order of
/// position, after the last one seen.
pub async fn left_items(
    tx: &mut Tx,
    connection: &ConnectionId,
    batch: &BatchId,
    after: Option<i64>,
    limit: u32,
) -> Result<Vec<BatchItem>, StoreError> {
    let rows: Vec<ItemRow> = Statement::new(
        "SELECT position, qualification_id, action, amounts, reason, state, outcome
         FROM batch_items WHERE connection_id = $1 AND batch_id = $2 AND position > $3
           AND (action = 'skip' OR state = 'superseded')
         ORDER BY position LIMIT $4",
    )
    .bind(connection)
    .bind(batch)
    .bind(after.unwrap_or(-1))
    .bind(limit)
    .fetch_all(tx)
    .await?;
    rows.into_iter().map(ItemRow::read).collect()
}

/// Why items of a batch were left for later, and how many for each reason, in order of reason.
pub async fn count_left(
    tx: &mut Tx,
    connection: &ConnectionId,
    batch: &BatchId,
) -> Result<Vec<(String, i64)>, StoreError> {
    Statement::new(
        "SELECT reason, COUNT(*) FROM batch_items
         WHERE connection_id = $1 AND batch_id = $2 AND action = 'skip'
         GROUP BY reason ORDER BY reason",
    )
    .bind(connection)
    .bind(batch)
    .fetch_all(tx)
    .await
}

/// Why batches left some qualifications for later: (qualification, reason), of each the reason
/// of the plan that was made last; those that were never left are not in it.
pub async fn reasons_left(
    tx: &mut Tx,
    connection: &ConnectionId,
    qualifications: &[QualificationId],
) -> Result<Vec<(QualificationId, String)>, StoreError> {
    // A year of batches that left something for later is a row here, not hundreds.
    let mut rows: Vec<(String, String, i64)> = Statement::new(
        "SELECT i.qualification_id, i.reason, MAX(b.planned_at)
         FROM batch_items AS i
         JOIN batches AS b ON b.connection_id = i.connection_id AND b.batch_id = i.batch_id
         WHERE i.connection_id = $1 AND i.action = 'skip' AND i.qualification_id IN ({rows})
         GROUP BY i.qualification_id, i.reason",
    )
    .bind(connection)
    .list(qualifications)
    .fetch_all(tx)
    .await?;
    rows.sort_unstable_by(|a, b| (&a.0, b.2, &a.1).cmp(&(&b.0, a.2, &b.1)));
    rows.dedup_by(|later, first| later.0 == first.0);
    let rows = rows.into_iter();
    Ok(rows.map(|(id, reason, _)| (id.into(), reason)).collect())
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
/// An item that waits to be carried out is not found yet, because an index on every item of
/// every plan would cost more than all the rest of planning.
pub async fn items_of_qualification(
    tx: &mut Tx,
    connection: &ConnectionId,
    qualification: &QualificationId,
) -> Result<Vec<(BatchId, BatchItem)>, StoreError> {
    #[derive(FromRow)]
    struct Row {
        batch_id: String,
        planned_at: i64,
        #[sqlx(flatten)]
        item: ItemRow,
    }
    let mut rows: Vec<Row> = Vec::new();
    for text in [
        "SELECT i.batch_id, b.planned_at, i.position, i.qualification_id, i.action, i.amounts,
                i.reason, i.state, i.outcome
         FROM batch_items AS k
         JOIN batch_items AS i ON i.connection_id = k.connection_id AND i.batch_id = k.batch_id
          AND i.position = k.position
         JOIN batches AS b ON b.connection_id = i.connection_id AND b.batch_id = i.batch_id
         WHERE k.connection_id = $1 AND k.qualification_id = $2
           AND (k.action = 'skip' OR k.state = 'superseded')",
        "SELECT i.batch_id, b.planned_at, i.position, i.qualification_id, i.action, i.amounts,
                i.reason, i.state, i.outcome
         FROM ledger_transactions AS t
         JOIN batch_items AS i ON i.connection_id = t.connection_id AND i.batch_id = t.batch_id
          AND i.position = t.item
         JOIN batches AS b ON b.connection_id = i.connection_id AND b.batch_id = i.batch_id
         WHERE t.connection_id = $1 AND t.qualification_id = $2",
    ] {
        let found = Statement::new(text)
            .bind(connection)
            .bind(qualification)
            .fetch_all(tx);
        rows.extend::<Vec<Row>>(found.await?);
    }
    rows.sort_by(|a, b| {
        let (a_key, b_key) = ((a.planned_at, &a.batch_id), (b.planned_at, &b.batch_id));
        (a_key, a.item.position).cmp(&(b_key, b.item.position))
    });
    rows.into_iter()
        .map(|row| Ok((row.batch_id.into(), row.item.read()?)))
        .collect()
}
