//! What became of telling webhook endpoints: a row for each message and endpoint. Of an answer
//! only its status is kept.

use sqlx::FromRow;

use super::db::Tx;
use super::error::StoreError;
use super::json::stored_names;
use super::statement::Statement;
use crate::domain::ids::{ConnectionId, EndpointId, MessageId, OutboxId};
use crate::domain::time::Timestamp;

stored_names! {
    /// Where a delivery has got to.
    DeliveryState {
        /// It will be tried, for the first time or again.
        Waiting => "waiting",
        /// The endpoint took it.
        Delivered => "delivered",
        /// It was tried often enough, or the endpoint does not exist any more.
        GivenUp => "given_up",
    }
}

/// A delivery as stored.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Delivery {
    /// The endpoint.
    pub endpoint_id: EndpointId,
    /// The message, by the id that receivers see; the same at every attempt and endpoint.
    pub message_id: MessageId,
    /// The message in the outbox.
    pub outbox_id: OutboxId,
    /// What happened.
    pub topic: String,
    /// When it happened, unix seconds.
    pub created_at: i64,
    /// How often it was tried.
    pub attempts: i64,
    /// When it is tried next, unix seconds.
    pub due_at: Option<i64>,
    /// When it was tried last, unix seconds.
    pub tried_at: Option<i64>,
    /// HTTP's number of the last answer.
    pub status: Option<i64>,
    /// Why the last attempt failed, in our words.
    pub failure: Option<String>,
    /// When it was delivered, unix seconds.
    pub delivered_at: Option<i64>,
}

impl Delivery {
    /// Where it has got to.
    pub const fn state(&self) -> DeliveryState {
        match (self.delivered_at, self.due_at) {
            (Some(_), _) => DeliveryState::Delivered,
            (None, Some(_)) => DeliveryState::Waiting,
            (None, None) => DeliveryState::GivenUp,
        }
    }
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// The message.
    pub message_id: MessageId,
    /// HTTP's number of the answer, if there was one.
    pub status: Option<i64>,
    /// Why it failed; nothing if it was delivered.
    pub failure: Option<String>,
    /// When it is tried again, unless it was delivered or is given up.
    pub again_at: Option<Timestamp>,
}

const SELECT: &str =
    "SELECT endpoint_id, message_id, outbox_id, topic, created_at, attempts, due_at, tried_at,
            status, failure, delivered_at
     FROM webhook_deliveries WHERE connection_id = $1 AND endpoint_id = $2";

/// Adds deliveries; one that is there already stays as it is.
pub async fn insert_deliveries(
    tx: &mut Tx,
    connection: &ConnectionId,
    deliveries: &[Delivery],
) -> Result<(), StoreError> {
    Statement::new(
        "INSERT INTO webhook_deliveries (connection_id, endpoint_id, message_id, outbox_id, topic,
                                         created_at, attempts, due_at)
         {rows}
         ON CONFLICT (connection_id, endpoint_id, message_id) DO NOTHING",
    )
    .rows(deliveries.iter().map(|delivery| {
        [
            connection.into(),
            (&delivery.endpoint_id).into(),
            (&delivery.message_id).into(),
            (&delivery.outbox_id).into(),
            (&delivery.topic).into(),
            delivery.created_at.into(),
            delivery.attempts.into(),
            delivery.due_at.into(),
        ]
    }))
    .execute(tx)
    .await?;
    Ok(())
}

/// The endpoints that are on and have something due, in order of id.
pub async fn due_endpoints(
    tx: &mut Tx,
    connection: &ConnectionId,
    now: Timestamp,
) -> Result<Vec<EndpointId>, StoreError> {
    let due: Vec<(EndpointId,)> = Statement::new(
        "SELECT e.endpoint_id FROM webhook_endpoints AS e
         WHERE e.connection_id = $1 AND e.enabled = 1
           AND EXISTS (SELECT 1 FROM webhook_deliveries AS d
                       WHERE d.connection_id = $1 AND d.endpoint_id = e.endpoint_id
                         AND d.due_at <= $2)
         ORDER BY e.endpoint_id",
    )
    .bind(connection)
    .bind(now)
    .fetch_all(tx)
    .await?;
    Ok(due.into_iter().map(|(id,)| id).collect())
}

/// Takes what is due for an endpoint, the longest due first, and counts the attempt. Unless it is
/// told how they ended, they are due again at `again_at`: no row stays locked while the endpoint
/// is spoken to.
pub async fn take_deliveries(
    tx: &mut Tx,
    connection: &ConnectionId,
    endpoint: &EndpointId,
    (now, again_at): (Timestamp, Timestamp),
    limit: u32,
) -> Result<Vec<Delivery>, StoreError> {
    let mut taken: Vec<Delivery> = Statement::new(
        "UPDATE webhook_deliveries SET attempts = attempts + 1, due_at = $4, tried_at = $3
         WHERE connection_id = $1 AND endpoint_id = $2 AND message_id IN (
             SELECT message_id FROM webhook_deliveries
             WHERE connection_id = $1 AND endpoint_id = $2 AND due_at <= $3
             ORDER BY due_at, message_id
             LIMIT $5
             {claim})
         RETURNING endpoint_id, message_id, outbox_id, topic, created_at, attempts, due_at,
                   tried_at, status, failure, delivered_at",
    )
    .bind(connection)
    .bind(endpoint)
    .bind(now)
    .bind(again_at)
    .bind(limit)
    .fetch_all(tx)
    .await?;
    taken.sort_by(|a, b| (a.created_at, &a.outbox_id).cmp(&(b.created_at, &b.outbox_id)));
    Ok(taken)
}

/// Writes how attempts at one endpoint ended. What was delivered meanwhile by somebody else
/// stays delivered.
pub async fn end_deliveries(
    tx: &mut Tx,
    connection: &ConnectionId,
    endpoint: &EndpointId,
    ended: &[Ended],
    now: Timestamp,
) -> Result<(), StoreError> {
    Statement::new(
        "WITH ended (message_id, status, failure, due_at, delivered_at) AS ({rows})
         UPDATE webhook_deliveries
         SET status = ended.status, failure = ended.failure, due_at = ended.due_at,
             delivered_at = ended.delivered_at
         FROM ended
         WHERE webhook_deliveries.connection_id = $1 AND webhook_deliveries.endpoint_id = $2
           AND webhook_deliveries.message_id = ended.message_id
           AND webhook_deliveries.delivered_at IS NULL",
    )
    .bind(connection)
    .bind(endpoint)
    .set(ended.iter().map(|ended| {
        let delivered_at = ended.failure.is_none().then_some(now);
        [
            (&ended.message_id).into(),
            ended.status.into(),
            (&ended.failure).into(),
            ended.again_at.into(),
            delivered_at.into(),
        ]
    }))
    .execute(tx)
    .await?;
    Ok(())
}

/// An endpoint's deliveries, the newest message first, in this state if one is given; behind
/// (`created_at`, message) if given.
pub async fn list_deliveries(
    tx: &mut Tx,
    connection: &ConnectionId,
    endpoint: &EndpointId,
    state: Option<DeliveryState>,
    after: Option<(i64, &MessageId)>,
    limit: u32,
) -> Result<Vec<Delivery>, StoreError> {
    let only = match state {
        None => "",
        Some(DeliveryState::Waiting) => " AND due_at IS NOT NULL AND delivered_at IS NULL",
        Some(DeliveryState::Delivered) => " AND delivered_at IS NOT NULL",
        Some(DeliveryState::GivenUp) => " AND due_at IS NULL AND delivered_at IS NULL",
    };
    let mut statement = Statement::new(SELECT)
        .text(only)
        .bind(connection)
        .bind(endpoint);
    if let Some((created_at, id)) = after {
        let last = [created_at.into(), id.into()];
        statement = statement.push_all(" AND (created_at, message_id) < ($#, $#)", last);
    }
    statement
        .push(" ORDER BY created_at DESC, message_id DESC LIMIT $#", limit)
        .fetch_all(tx)
        .await
}

/// One delivery.
pub async fn get_delivery(
    tx: &mut Tx,
    connection: &ConnectionId,
    endpoint: &EndpointId,
    message: &MessageId,
) -> Result<Option<Delivery>, StoreError> {
    Statement::new(SELECT)
        .text(" AND message_id = $3")
        .bind(connection)
        .bind(endpoint)
        .bind(message)
        .fetch_optional(tx)
        .await
}

/// Has a delivery tried from its beginning; whether there is one that does not wait already.
pub async fn redeliver(
    tx: &mut Tx,
    connection: &ConnectionId,
    endpoint: &EndpointId,
    message: &MessageId,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let done = Statement::new(
        "UPDATE webhook_deliveries SET attempts = 0, due_at = $4, delivered_at = NULL
         WHERE connection_id = $1 AND endpoint_id = $2 AND message_id = $3
           AND (due_at IS NULL OR delivered_at IS NOT NULL)",
    )
    .bind(connection)
    .bind(endpoint)
    .bind(message)
    .bind(now)
    .execute(tx)
    .await?;
    Ok(done == 1)
}

/// Forgets deliveries of messages from before an instant, of endpoints that are gone as well;
/// how many. Call it again while it forgets as many as the limit.
pub async fn forget_deliveries(
    tx: &mut Tx,
    connection: &ConnectionId,
    before: Timestamp,
    limit: u32,
) -> Result<u64, StoreError> {
    Statement::new(
        "DELETE FROM webhook_deliveries
         WHERE connection_id = $1 AND (endpoint_id, message_id) IN (
             SELECT endpoint_id, message_id FROM webhook_deliveries
             WHERE connection_id = $1 AND created_at < $2
             ORDER BY created_at LIMIT $3)",
    )
    .bind(connection)
    .bind(before)
    .bind(limit)
    .execute(tx)
    .await
}

/// Forgets deliveries of one endpoint, which is gone; how many. Call it again as above.
pub async fn forget_deliveries_of(
    tx: &mut Tx,
    connection: &ConnectionId,
    endpoint: &EndpointId,
    limit: u32,
) -> Result<u64, StoreError> {
    Statement::new(
        "DELETE FROM webhook_deliveries
         WHERE connection_id = $1 AND endpoint_id = $2 AND message_id IN (
             SELECT message_id FROM webhook_deliveries
             WHERE connection_id = $1 AND endpoint_id = $2 LIMIT $3)",
    )
    .bind(connection)
    .bind(endpoint)
    .bind(limit)
    .execute(tx)
    .await
}
