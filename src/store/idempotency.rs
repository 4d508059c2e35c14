//! Answers kept for repeated requests: the same `Idempotency-Key` never does a thing twice.

use sqlx::FromRow;

use super::db::Tx;
use super::error::StoreError;
use super::statement::Statement;
use crate::domain::ids::{ConnectionId, KeyId};
use crate::domain::time::Timestamp;

/// A request that came before under the same key.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct KeptAnswer {
    /// SHA-256 of method, path and body: another one under the same key is a mistake.
    pub request_digest: Vec<u8>,
    /// The HTTP status; `None` while the first request is still at work.
    pub status: Option<i64>,
    /// The answer's body.
    pub body: Option<Vec<u8>>,
}

/// Takes a key for a request: `None` if it is free (and now taken), else what is known of the
/// request that has it. In one transaction with what the request does, it is given back when
/// that fails.
pub async fn take_key(
    tx: &mut Tx,
    connection: &ConnectionId,
    key_id: &KeyId,
    idempotency_key: &str,
    request_digest: &[u8; 32],
    now: Timestamp,
) -> Result<Option<KeptAnswer>, StoreError> {
    let taken = Statement::new(
        "INSERT INTO idempotency_keys (connection_id, key_id, idempotency_key, request_digest,
                                       created_at)
         VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (connection_id, key_id, idempotency_key) DO NOTHING",
    )
    .bind(connection)
    .bind(key_id)
    .bind(idempotency_key)
    .bind(request_digest)
    .bind(now)
    .execute(tx)
    .await?;
    if taken == 1 {
        return Ok(None);
    }
    let kept = Statement::new(
        "SELECT request_digest, status, body FROM idempotency_keys
         WHERE connection_id = $1 AND key_id = $2 AND idempotency_key = $3",
    )
    .bind(connection)
    .bind(key_id)
    .bind(idempotency_key)
    .fetch_one(tx)
    .await?;
    Ok(Some(kept))
}

/// Keeps the answer to a request that took a key; once only.
pub async fn keep_answer(
    tx: &mut Tx,
    connection: &ConnectionId,
    key_id: &KeyId,
    idempotency_key: &str,
    (status, body): (u16, &[u8]),
) -> Result<(), StoreError> {
    Statement::new(
        "UPDATE idempotency_keys SET status = $4, body = $5
         WHERE connection_id = $1 AND key_id = $2 AND idempotency_key = $3 AND status IS NULL",
    )
    .bind(connection)
    .bind(key_id)
    .bind(idempotency_key)
    .bind(u32::from(status))
    .bind(body)
    .execute_exactly("keeping the answer to a request", 1, tx)
    .await
}

/// Forgets keys taken before an instant; how many.
pub async fn forget_before(
    tx: &mut Tx,
    connection: &ConnectionId,
    before: Timestamp,
) -> Result<u64, StoreError> {
    Statement::new("DELETE FROM idempotency_keys WHERE connection_id = $1 AND created_at < $2")
        .bind(connection)
        .bind(before)
        .execute(tx)
        .await
}

/// Gives a key back whose request failed on our side, so that it can be tried again.
pub async fn release_key(
    tx: &mut Tx,
    connection: &ConnectionId,
    key_id: &KeyId,
    idempotency_key: &str,
) -> Result<(), StoreError> {
    Statement::new(
        "DELETE FROM idempotency_keys
         WHERE connection_id = $1 AND key_id = $2 AND idempotency_key = $3 AND status IS NULL",
    )
    .bind(connection)
    .bind(key_id)
    .bind(idempotency_key)
    .execute(tx)
    .await?;
    Ok(())
}

/// Gives back keys whose requests began before an instant and never ended: their node died.
pub async fn release_stuck(
    tx: &mut Tx,
    connection: &ConnectionId,
    before: Timestamp,
) -> Result<u64, StoreError> {
    Statement::new(
        "DELETE FROM idempotency_keys
         WHERE connection_id = $1 AND created_at < $2 AND status IS NULL",
    )
    .bind(connection)
    .bind(before)
    .execute(tx)
    .await
}
