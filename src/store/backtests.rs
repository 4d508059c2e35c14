//! Backtests that were asked for: what is tried, at which node, and how far it is. What the
//! texts hold is known to `backtests` alone.

use sqlx::FromRow;

use super::db::Tx;
use super::error::StoreError;
use super::json::instant;
use super::statement::Statement;
use crate::domain::ids::{BacktestId, ConnectionId};
use crate::domain::time::Timestamp;

const TABLE: &str = "backtests";

/// A backtest as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredBacktest {
    /// Its id.
    pub id: BacktestId,
    /// The node that runs it.
    pub node: String,
    /// What is tried.
    pub draft: String,
    /// Days back that referrals are looked at; all if none.
    pub days: Option<u32>,
    /// When it was asked for.
    pub asked_at: Timestamp,
    /// How far it is.
    pub standing: String,
    /// Whether nothing more comes of it.
    pub is_over: bool,
    /// When its node was at it last.
    pub seen_at: Timestamp,
}

#[derive(FromRow)]
struct Row {
    backtest_id: BacktestId,
    node: String,
    draft: String,
    days: Option<i64>,
    asked_at: i64,
    standing: String,
    is_over: i64,
    seen_at: i64,
}

/// Adds a backtest, and drops those of the connection that were asked for before `keep_from`.
pub async fn insert_backtest(
    tx: &mut Tx,
    connection: &ConnectionId,
    backtest: &StoredBacktest,
    keep_from: Timestamp,
) -> Result<(), StoreError> {
    Statement::new("DELETE FROM backtests WHERE connection_id = $1 AND asked_at < $2")
        .bind(connection)
        .bind(keep_from)
        .execute(tx)
        .await?;
    Statement::new(
        "INSERT INTO backtests (connection_id, backtest_id, node, draft, days, asked_at, standing,
                                is_over, seen_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(connection)
    .bind(&backtest.id)
    .bind(&backtest.node)
    .bind(&backtest.draft)
    .bind(backtest.days.map(i64::from))
    .bind(backtest.asked_at)
    .bind(&backtest.standing)
    .bind(backtest.is_over)
    .bind(backtest.seen_at)
    .execute(tx)
    .await?;
    Ok(())
}

/// Says how far a backtest is; `false` if it is over or gone, and then nothing is changed.
pub async fn move_backtest(
    tx: &mut Tx,
    connection: &ConnectionId,
    id: &BacktestId,
    (standing, is_over): (&str, bool),
    seen_at: Timestamp,
) -> Result<bool, StoreError> {
    let changed = Statement::new(
        "UPDATE backtests SET standing = $3, is_over = $4, seen_at = $5
         WHERE connection_id = $1 AND backtest_id = $2 AND is_over = 0",
    )
    .bind(connection)
    .bind(id)
    .bind(standing)
    .bind(is_over)
    .bind(seen_at)
    .execute(tx)
    .await?;
    Ok(changed == 1)
}

/// A backtest by its id.
pub async fn get_backtest(
    tx: &mut Tx,
    connection: &ConnectionId,
    id: &BacktestId,
) -> Result<Option<StoredBacktest>, StoreError> {
    let row: Option<Row> = Statement::new(
        "SELECT backtest_id, node, draft, days, asked_at, standing, is_over, seen_at
         FROM backtests WHERE connection_id = $1 AND backtest_id = $2",
    )
    .bind(connection)
    .bind(id)
    .fetch_optional(tx)
    .await?;
    let read = |row: Row| {
        Ok(StoredBacktest {
            id: row.backtest_id,
            node: row.node,
            draft: row.draft,
            days: row.days.and_then(|days| u32::try_from(days).ok()),
            asked_at: instant(TABLE, row.asked_at)?,
            standing: row.standing,
            is_over: row.is_over != 0,
            seen_at: instant(TABLE, row.seen_at)?,
        })
    };
    row.map(read).transpose()
}
