//! How much of a limit is used up, shared by all nodes. One number a bucket: the instant at
//! which it is whole again (the generic cell rate algorithm).

use super::db::Tx;
use super::error::StoreError;
use super::statement::Statement;
use crate::domain::ids::ConnectionId;

/// How much a bucket holds and how fast it fills.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Microseconds until one piece comes back.
    pub every_us: i64,
    /// Pieces that a whole bucket holds.
    pub burst: i64,
}

/// Takes a piece out of a bucket. `Err(us)` inside: there is none for so many microseconds.
pub async fn take_piece(
    tx: &mut Tx,
    connection: &ConnectionId,
    bucket: &str,
    rate: Rate,
    now_us: i64,
) -> Result<Result<(), i64>, StoreError> {
    let room_us = rate.every_us.saturating_mul(rate.burst.saturating_sub(1));
    let taken: Option<(i64,)> = Statement::new(
        "INSERT INTO limits (connection_id, bucket, whole_at_us)
         VALUES ($1, $2, $3 + $4)
         ON CONFLICT (connection_id, bucket) DO UPDATE
         SET whole_at_us = $4 + CASE WHEN limits.whole_at_us > $3 THEN limits.whole_at_us ELSE $3 END
         WHERE limits.whole_at_us <= $3 + $5
         RETURNING whole_at_us",
    )
    .bind(connection)
    .bind(bucket)
    .bind(now_us)
    .bind(rate.every_us)
    .bind(room_us)
    .fetch_optional(tx)
    .await?;
    if taken.is_some() {
        return Ok(Ok(()));
    }
    let found: Option<(i64,)> =
        Statement::new("SELECT whole_at_us FROM limits WHERE connection_id = $1 AND bucket = $2")
            .bind(connection)
            .bind(bucket)
            .fetch_optional(tx)
            .await?;
    let whole_at = found.map_or(now_us, |(at,)| at);
    let wait = whole_at.saturating_sub(room_us).saturating_sub(now_us);
    Ok(Err(wait.max(1)))
}

/// Makes a bucket whole.
pub async fn refill(
    tx: &mut Tx,
    connection: &ConnectionId,
    bucket: &str,
) -> Result<(), StoreError> {
    Statement::new("DELETE FROM limits WHERE connection_id = $1 AND bucket = $2")
        .bind(connection)
        .bind(bucket)
        .execute(tx)
        .await?;
    Ok(())
}

/// Forgets buckets that are whole; how many.
pub async fn forget_whole(
    tx: &mut Tx,
    connection: &ConnectionId,
    now_us: i64,
) -> Result<u64, StoreError> {
    Statement::new("DELETE FROM limits WHERE connection_id = $1 AND whole_at_us <= $2")
        .bind(connection)
        .bind(now_us)
        .execute(tx)
        .await
}
