//! What others are to be told, written in the transaction that made it true.
//! How it is delivered is known to `notify`.

use sqlx::FromRow;

use super::db::Tx;
use super::error::StoreError;
use super::statement::Statement;
use crate::domain::ids::{ConnectionId, OutboxId};
use crate::domain::time::Timestamp;

/// A message as stored.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct OutboxMessage {
    /// Its id, the same at every attempt.
    pub outbox_id: OutboxId,
    /// What happened: a stable name.
    pub topic: String,
    /// To what it happened.
    pub subject_id: String,
    /// JSON.
    pub payload: String,
    /// When it happened, unix seconds.
    pub created_at: i64,
    /// When it was delivered, unix seconds.
    pub delivered_at: Option<i64>,
    /// How often delivery was tried.
    pub attempts: i64,
}

/// Adds messages; one that is there already (by id) stays as it is.
pub async fn insert_messages(
    tx: &mut Tx,
    connection: &ConnectionId,
    messages: &[OutboxMessage],
) -> Result<(), StoreError> {
    insert(tx, connection, messages, None).await
}

/// Adds messages that are delivered by us, from `due_at` on; one that is there already (by id)
/// stays as it is.
pub async fn queue_messages(
    tx: &mut Tx,
    connection: &ConnectionId,
    messages: &[OutboxMessage],
    due_at: Timestamp,
) -> Result<(), StoreError> {
    insert(tx, connection, messages, Some(due_at)).await
}

async fn insert(
    tx: &mut Tx,
    connection: &ConnectionId,
    messages: &[OutboxMessage],
    due_at: Option<Timestamp>,
) -> Result<(), StoreError> {
    let of_one_moment = |a: &OutboxMessage, b: &OutboxMessage| {
        let of = |one: &OutboxMessage| (one.created_at, one.delivered_at, one.attempts);
        of(a) == of(b)
    };
    for some in messages.chunk_by(of_one_moment) {
        let Some(first) = some.first() else {
            continue;
        };
        // What is the same for all of them is sent once.
        Statement::new(
            "WITH message (outbox_id, topic, subject_id, payload) AS ({rows})
             INSERT INTO outbox (connection_id, outbox_id, topic, subject_id, payload, created_at,
                                 delivered_at, attempts, due_at)
             SELECT $1, m.outbox_id, m.topic, m.subject_id, m.payload, $2, $3, $4, $5
             FROM message AS m WHERE 1 = 1
             ON CONFLICT (connection_id, outbox_id) DO NOTHING",
        )
        .bind(connection)
        .bind(first.created_at)
        .bind(first.delivered_at)
        .bind(first.attempts)
        .bind(due_at)
        .rows(some.iter().map(|message| {
            [
                (&message.outbox_id).into(),
                (&message.topic).into(),
                (&message.subject_id).into(),
                (&message.payload).into(),
            ]
        }))
        .execute(tx)
        .await?;
    }
    Ok(())
}

/// Whether something that happened at or after `since` waits for webhook endpoints. Mail goes
/// another way.
pub async fn is_untold(
    tx: &mut Tx,
    connection: &ConnectionId,
    since: Timestamp,
) -> Result<bool, StoreError> {
    let found: Option<(i64,)> = Statement::new(
        "SELECT created_at FROM outbox
         WHERE connection_id = $1 AND delivered_at IS NULL AND created_at >= $2
           AND substr(topic, 1, 5) <> 'mail.'
         LIMIT 1",
    )
    .bind(connection)
    .bind(since)
    .fetch_optional(tx)
    .await?;
    Ok(found.is_some())
}

/// Takes the oldest of those messages, which are told from now on. On PostgreSQL they are this
/// transaction's until it ends; other nodes are given others.
pub async fn tell_messages(
    tx: &mut Tx,
    connection: &ConnectionId,
    (since, now): (Timestamp, Timestamp),
    limit: u32,
) -> Result<Vec<OutboxMessage>, StoreError> {
    let mut told: Vec<OutboxMessage> = Statement::new(
        "UPDATE outbox SET attempts = attempts + 1, delivered_at = $3
         WHERE connection_id = $1 AND outbox_id IN (
             SELECT outbox_id FROM outbox
             WHERE connection_id = $1 AND delivered_at IS NULL AND created_at >= $2
               AND substr(topic, 1, 5) <> 'mail.'
             ORDER BY created_at, outbox_id
             LIMIT $4
             {claim})
         RETURNING outbox_id, topic, subject_id, payload, created_at, delivered_at, attempts",
    )
    .bind(connection)
    .bind(since)
    .bind(now)
    .bind(limit)
    .fetch_all(tx)
    .await?;
    told.sort_by(|a, b| (a.created_at, &a.outbox_id).cmp(&(b.created_at, &b.outbox_id)));
    Ok(told)
}

/// Messages by their ids, in order of id; those that are forgotten are left out.
pub async fn load_messages(
    tx: &mut Tx,
    connection: &ConnectionId,
    ids: &[OutboxId],
) -> Result<Vec<OutboxMessage>, StoreError> {
    let mut found: Vec<OutboxMessage> = Statement::new(
        "SELECT outbox_id, topic, subject_id, payload, created_at, delivered_at, attempts
         FROM outbox WHERE connection_id = $1 AND outbox_id IN ({rows})",
    )
    .bind(connection)
    .list(ids)
    .fetch_all(tx)
    .await?;
    found.sort_by(|a, b| a.outbox_id.cmp(&b.outbox_id));
    Ok(found)
}

/// Takes the messages of topics that begin like this and are due, the longest due first, and
/// counts the attempt. Unless it is told how they ended, they are due again at `again_at`: no
/// row stays locked while a mail server is spoken to.
pub async fn take_due(
    tx: &mut Tx,
    connection: &ConnectionId,
    topics: &str,
    (now, again_at): (Timestamp, Timestamp),
    limit: u32,
) -> Result<Vec<OutboxMessage>, StoreError> {
    let mut taken: Vec<OutboxMessage> = Statement::new(
        "UPDATE outbox SET attempts = attempts + 1, due_at = $4
         WHERE connection_id = $1 AND outbox_id IN (
             SELECT outbox_id FROM outbox
             WHERE connection_id = $1 AND due_at <= $3 AND substr(topic, 1, length($2)) = $2
             ORDER BY due_at, outbox_id
             LIMIT $5
             {claim})
         RETURNING outbox_id, topic, subject_id, payload, created_at, delivered_at, attempts",
    )
    .bind(connection)
    .bind(topics)
    .bind(now)
    .bind(again_at)
    .bind(limit)
    .fetch_all(tx)
    .await?;
    taken.sort_by(|a, b| (a.created_at, &a.outbox_id).cmp(&(b.created_at, &b.outbox_id)));
    Ok(taken)
}

/// A message that was taken is delivered.
pub async fn deliver(
    tx: &mut Tx,
    connection: &ConnectionId,
    id: &OutboxId,
    now: Timestamp,
) -> Result<(), StoreError> {
    Statement::new(
        "UPDATE outbox SET delivered_at = $3, due_at = NULL, failure = NULL
         WHERE connection_id = $1 AND outbox_id = $2 AND delivered_at IS NULL",
    )
    .bind(connection)
    .bind(id)
    .bind(now)
    .execute(tx)
    .await?;
    Ok(())
}

/// A message that was taken was not delivered, and why: it is due again, or is given up.
pub async fn fail(
    tx: &mut Tx,
    connection: &ConnectionId,
    id: &OutboxId,
    failure: &str,
    again_at: Option<Timestamp>,
) -> Result<(), StoreError> {
    Statement::new(
        "UPDATE outbox SET due_at = $4, failure = $3
         WHERE connection_id = $1 AND outbox_id = $2 AND delivered_at IS NULL",
    )
    .bind(connection)
    .bind(id)
    .bind(failure)
    .bind(again_at)
    .execute(tx)
    .await?;
    Ok(())
}

/// Forgets the oldest messages from before an instant, told ones or others; how many. Call it
/// again while it forgets as many as the limit, so that no transaction is long.
pub async fn forget_messages(
    tx: &mut Tx,
    connection: &ConnectionId,
    (told, before): (bool, Timestamp),
    limit: u32,
) -> Result<u64, StoreError> {
    // Two texts, so that each is read from an index of its own.
    let text = if told {
        "DELETE FROM outbox WHERE connection_id = $1 AND outbox_id IN (
             SELECT outbox_id FROM outbox
             WHERE connection_id = $1 AND created_at < $2 AND delivered_at IS NOT NULL
             ORDER BY created_at, outbox_id LIMIT $3)"
    } else {
        "DELETE FROM outbox WHERE connection_id = $1 AND outbox_id IN (
             SELECT outbox_id FROM outbox
             WHERE connection_id = $1 AND created_at < $2 AND delivered_at IS NULL
             ORDER BY created_at, outbox_id LIMIT $3)"
    };
    Statement::new(text)
        .bind(connection)
        .bind(before)
        .bind(limit)
        .execute(tx)
        .await
}
