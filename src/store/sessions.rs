//! Sessions of people who are signed in. Only the hash of a session's token is kept.

use sqlx::FromRow;

use super::db::Tx;
use super::error::StoreError;
use super::json::{email_or_none, name};
use super::statement::Statement;
use super::users::TABLE as USERS;
use crate::domain::access::{Role, Signed};
use crate::domain::ids::{ConnectionId, PromoterId, SessionId, UserId};
use crate::domain::time::Timestamp;

/// A session as stored.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Session {
    /// Its id, which opens nothing.
    pub session_id: SessionId,
    /// Whose.
    pub user_id: UserId,
    /// When it began, unix seconds.
    pub created_at: i64,
    /// When it was used last, unix seconds, to the minute or so.
    pub seen_at: i64,
    /// When it ends unless it is used, unix seconds.
    pub idle_ends_at: i64,
    /// When it ends in any case, unix seconds.
    pub ends_at: i64,
}

/// Starts a session under the hash of its token.
pub async fn insert_session(
    tx: &mut Tx,
    connection: &ConnectionId,
    hash: &[u8; 32],
    session: &Session,
) -> Result<(), StoreError> {
    Statement::new(
        "INSERT INTO sessions (connection_id, session_id, hash, user_id, created_at, seen_at,
                               idle_ends_at, ends_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(connection)
    .bind(&session.session_id)
    .bind(hash)
    .bind(&session.user_id)
    .bind(session.created_at)
    .bind(session.seen_at)
    .bind(session.idle_ends_at)
    .bind(session.ends_at)
    .execute_exactly("starting a session", 1, tx)
    .await
}

#[derive(FromRow)]
struct Row {
    connection_id: ConnectionId,
    session_id: SessionId,
    seen_at: i64,
    ends_at: i64,
    user_id: UserId,
    email: String,
    name: String,
    role: String,
    promoter_id: Option<String>,
}

/// A session in force, and who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InForce {
    /// Who is signed in.
    pub signed: Signed,
    /// When it was used last, unix seconds.
    pub seen_at: i64,
    /// When it ends in any case, unix seconds.
    pub ends_at: i64,
}

/// Whose session this is, if it has not ended and they may come in. Without a connection: the
/// session tells it.
pub async fn session_by_hash(
    tx: &mut Tx,
    hash: &[u8; 32],
    now: Timestamp,
) -> Result<Option<InForce>, StoreError> {
    let row: Option<Row> = Statement::new(
        "SELECT s.connection_id, s.session_id, s.seen_at, s.ends_at, u.user_id, u.email, u.name,
                u.role, u.promoter_id
         FROM sessions AS s
         JOIN users AS u ON u.connection_id = s.connection_id AND u.user_id = s.user_id
         WHERE s.hash = $1 AND s.idle_ends_at > $2 AND s.ends_at > $2 AND u.state = 'active'",
    )
    .bind(hash)
    .bind(now)
    .fetch_optional(tx)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let email = email_or_none(USERS, Some(row.email))?;
    Ok(Some(InForce {
        signed: Signed {
            user: row.user_id,
            name: row.name,
            email: email.ok_or_else(|| StoreError::unreadable(USERS, "no email"))?,
            role: name(USERS, &row.role, Role::parse)?,
            connection: row.connection_id,
            promoter: row.promoter_id.map(PromoterId::from),
            session: row.session_id,
        },
        seen_at: row.seen_at,
        ends_at: row.ends_at,
    }))
}

/// Notes that a session is used. Call it once a minute a session at most: it is a write.
pub async fn touch_session(
    tx: &mut Tx,
    connection: &ConnectionId,
    session: &SessionId,
    now: Timestamp,
    idle_ends_at: Timestamp,
) -> Result<(), StoreError> {
    Statement::new(
        "UPDATE sessions SET seen_at = $3, idle_ends_at = $4
         WHERE connection_id = $1 AND session_id = $2 AND seen_at < $3",
    )
    .bind(connection)
    .bind(session)
    .bind(now)
    .bind(idle_ends_at)
    .execute(tx)
    .await?;
    Ok(())
}

/// The sessions of a person, the newest first.
pub async fn sessions_of_user(
    tx: &mut Tx,
    connection: &ConnectionId,
    user: &UserId,
) -> Result<Vec<Session>, StoreError> {
    Statement::new(
        "SELECT session_id, user_id, created_at, seen_at, idle_ends_at, ends_at FROM sessions
         WHERE connection_id = $1 AND user_id = $2 ORDER BY created_at DESC, session_id",
    )
    .bind(connection)
    .bind(user)
    .fetch_all(tx)
    .await
}

/// Ends one session; whether it was there.
pub async fn end_session(
    tx: &mut Tx,
    connection: &ConnectionId,
    session: &SessionId,
) -> Result<bool, StoreError> {
    let ended = Statement::new("DELETE FROM sessions WHERE connection_id = $1 AND session_id = $2")
        .bind(connection)
        .bind(session)
        .execute(tx)
        .await?;
    Ok(ended == 1)
}

/// Ends the session of this token's hash, whoever's it is; nothing happens if there is none.
pub async fn end_session_by_hash(tx: &mut Tx, hash: &[u8; 32]) -> Result<(), StoreError> {
    Statement::new("DELETE FROM sessions WHERE hash = $1")
        .bind(hash)
        .execute(tx)
        .await?;
    Ok(())
}

/// Ends every session of a person; how many.
pub async fn end_sessions_of(
    tx: &mut Tx,
    connection: &ConnectionId,
    user: &UserId,
) -> Result<u64, StoreError> {
    Statement::new("DELETE FROM sessions WHERE connection_id = $1 AND user_id = $2")
        .bind(connection)
        .bind(user)
        .execute(tx)
        .await
}

/// Forgets sessions that have ended; how many.
pub async fn forget_ended_sessions(
    tx: &mut Tx,
    connection: &ConnectionId,
    now: Timestamp,
) -> Result<u64, StoreError> {
    Statement::new(
        "DELETE FROM sessions WHERE connection_id = $1 AND (idle_ends_at <= $2 OR ends_at <= $2)",
    )
    .bind(connection)
    .bind(now)
    .execute(tx)
    .await
}
