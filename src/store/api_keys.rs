//! API keys, of which only a hash is kept. What a scope allows is known to `api`.

use sqlx::FromRow;

use super::db::Tx;
use super::error::StoreError;
use super::statement::Statement;
use crate::domain::ids::{ConnectionId, KeyId};
use crate::domain::time::Timestamp;

/// An API key as stored.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct ApiKey {
    /// The connection it opens.
    pub connection_id: ConnectionId,
    /// Its id, which is no secret.
    pub key_id: KeyId,
    /// What people call it.
    pub name: String,
    /// SHA-256 of the key.
    pub hash: Vec<u8>,
    /// Its scopes, separated by spaces.
    pub scopes: String,
    /// When it was made, unix seconds.
    pub created_at: i64,
    /// When it was used last, unix seconds, to the minute or so.
    pub last_used_at: Option<i64>,
    /// When it was revoked, unix seconds.
    pub revoked_at: Option<i64>,
}

/// Adds a key to the connection that it names.
pub async fn insert_key(tx: &mut Tx, key: &ApiKey) -> Result<(), StoreError> {
    Statement::new(
        "INSERT INTO api_keys (connection_id, key_id, name, hash, scopes, created_at,
                               last_used_at, revoked_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(&key.connection_id)
    .bind(&key.key_id)
    .bind(&key.name)
    .bind(key.hash.as_slice())
    .bind(&key.scopes)
    .bind(key.created_at)
    .bind(key.last_used_at)
    .bind(key.revoked_at)
    .execute(tx)
    .await?;
    Ok(())
}

/// The key of that hash, if it is not revoked. Without a connection: the key tells it.
pub async fn key_by_hash(tx: &mut Tx, hash: &[u8; 32]) -> Result<Option<ApiKey>, StoreError> {
    Statement::new(
        "SELECT connection_id, key_id, name, hash, scopes, created_at, last_used_at, revoked_at
         FROM api_keys WHERE hash = $1 AND revoked_at IS NULL",
    )
    .bind(hash)
    .fetch_optional(tx)
    .await
}

/// Every key of a connection, newest first, revoked ones included.
pub async fn list_keys(tx: &mut Tx, connection: &ConnectionId) -> Result<Vec<ApiKey>, StoreError> {
    Statement::new(
        "SELECT connection_id, key_id, name, hash, scopes, created_at, last_used_at, revoked_at
         FROM api_keys WHERE connection_id = $1 ORDER BY created_at DESC, key_id",
    )
    .bind(connection)
    .fetch_all(tx)
    .await
}

/// Revokes a key; whether there was one to revoke.
pub async fn revoke_key(
    tx: &mut Tx,
    connection: &ConnectionId,
    key_id: &KeyId,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let revoked = Statement::new(
        "UPDATE api_keys SET revoked_at = $3
         WHERE connection_id = $1 AND key_id = $2 AND revoked_at IS NULL",
    )
    .bind(connection)
    .bind(key_id)
    .bind(now)
    .execute(tx)
    .await?;
    Ok(revoked == 1)
}

/// Notes that a key was used. Call it once a minute a key at most: it is a write.
pub async fn touch_key(
    tx: &mut Tx,
    connection: &ConnectionId,
    key_id: &KeyId,
    now: Timestamp,
) -> Result<(), StoreError> {
    Statement::new(
        "UPDATE api_keys SET last_used_at = $3 WHERE connection_id = $1 AND key_id = $2",
    )
    .bind(connection)
    .bind(key_id)
    .bind(now)
    .execute(tx)
    .await?;
    Ok(())
}
