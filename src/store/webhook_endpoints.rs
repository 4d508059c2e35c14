//! Webhook endpoints: where others are told what happened. Secrets are ciphertext here; what
//! they are encrypted with is known to `access`.

use sqlx::FromRow;

use super::db::Tx;
use super::error::StoreError;
use super::statement::Statement;
use crate::domain::ids::{ConnectionId, EndpointId};
use crate::domain::time::Timestamp;
use crate::domain::topic::Topic;

/// What stands in `topics` for all of them.
pub const EVERY_TOPIC: &str = "*";

/// An endpoint as stored.
#[derive(Clone, PartialEq, Eq, FromRow)]
pub struct WebhookEndpoint {
    /// Its id.
    pub endpoint_id: EndpointId,
    /// Where messages are posted.
    pub url: String,
    /// What people say of it.
    pub description: String,
    /// Names of topics separated by spaces, or [`EVERY_TOPIC`].
    pub topics: String,
    /// 1 while it is told, else 0.
    pub enabled: i64,
    /// What happened before this is not told, unix seconds.
    pub since: i64,
    /// Why it is not told any more, unless somebody turned it off.
    pub disabled_reason: Option<String>,
    /// The signing secret, encrypted.
    pub secret: Vec<u8>,
    /// The one before, encrypted, which signs as well for a while.
    pub previous_secret: Option<Vec<u8>>,
    /// Until when, unix seconds.
    pub previous_until: Option<i64>,
    /// Attempts that failed since the last that did not.
    pub failures: i64,
    /// Since when nothing but failures came of it, unix seconds.
    pub failing_since: Option<i64>,
    /// How often it was changed, for changes that must not overwrite each other.
    pub version: i64,
    /// When it was made, unix seconds.
    pub created_at: i64,
    /// When somebody changed it last, unix seconds.
    pub changed_at: i64,
}

impl std::fmt::Debug for WebhookEndpoint {
    // Not even the ciphertext belongs into a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WebhookEndpoint")
            .field("endpoint_id", &self.endpoint_id)
            .field("enabled", &self.enabled)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

impl WebhookEndpoint {
    /// Whether it is told.
    pub const fn is_enabled(&self) -> bool {
        self.enabled == 1
    }

    /// Whether it wants to be told of this.
    pub fn wants(&self, topic: &str) -> bool {
        wants(&self.topics, topic)
    }
}

fn wants(topics: &str, topic: &str) -> bool {
    topics == EVERY_TOPIC || topics.split(' ').any(|one| one == topic)
}

const SELECT: &str =
    "SELECT endpoint_id, url, description, topics, enabled, since, disabled_reason, secret,
            previous_secret, previous_until, failures, failing_since, version, created_at,
            changed_at
     FROM webhook_endpoints WHERE connection_id = $1";

/// Adds an endpoint.
pub async fn insert_endpoint(
    tx: &mut Tx,
    connection: &ConnectionId,
    endpoint: &WebhookEndpoint,
) -> Result<(), StoreError> {
    Statement::new(
        "INSERT INTO webhook_endpoints (connection_id, endpoint_id, url, description, topics,
                                        enabled, since, disabled_reason, secret, previous_secret,
                                        previous_until, failures, failing_since, version,
                                        created_at, changed_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
    )
    .bind(connection)
    .bind(&endpoint.endpoint_id)
    .bind(&endpoint.url)
    .bind(&endpoint.description)
    .bind(&endpoint.topics)
    .bind(endpoint.enabled)
    .bind(endpoint.since)
    .bind(&endpoint.disabled_reason)
    .bind(endpoint.secret.as_slice())
    .bind(endpoint.previous_secret.as_deref())
    .bind(endpoint.previous_until)
    .bind(endpoint.failures)
    .bind(endpoint.failing_since)
    .bind(endpoint.version)
    .bind(endpoint.created_at)
    .bind(endpoint.changed_at)
    .execute(tx)
    .await?;
    Ok(())
}

/// One endpoint.
pub async fn get_endpoint(
    tx: &mut Tx,
    connection: &ConnectionId,
    id: &EndpointId,
) -> Result<Option<WebhookEndpoint>, StoreError> {
    Statement::new(SELECT)
        .text(" AND endpoint_id = $2")
        .bind(connection)
        .bind(id)
        .fetch_optional(tx)
        .await
}

/// Every endpoint of a connection, in order of id. They are few.
pub async fn list_endpoints(
    tx: &mut Tx,
    connection: &ConnectionId,
) -> Result<Vec<WebhookEndpoint>, StoreError> {
    Statement::new(SELECT)
        .text(" ORDER BY endpoint_id")
        .bind(connection)
        .fetch_all(tx)
        .await
}

/// Writes what somebody changed, and counts the change; [`StoreError::Stale`] if it is in another
/// version than the one given.
pub async fn change_endpoint(
    tx: &mut Tx,
    connection: &ConnectionId,
    endpoint: &WebhookEndpoint,
) -> Result<(), StoreError> {
    Statement::new(
        "UPDATE webhook_endpoints
         SET url = $4, description = $5, topics = $6, enabled = $7, since = $8,
             disabled_reason = $9, secret = $10, previous_secret = $11, previous_until = $12,
             failures = $13, failing_since = $14, changed_at = $15, version = version + 1
         WHERE connection_id = $1 AND endpoint_id = $2 AND version = $3",
    )
    .bind(connection)
    .bind(&endpoint.endpoint_id)
    .bind(endpoint.version)
    .bind(&endpoint.url)
    .bind(&endpoint.description)
    .bind(&endpoint.topics)
    .bind(endpoint.enabled)
    .bind(endpoint.since)
    .bind(&endpoint.disabled_reason)
    .bind(endpoint.secret.as_slice())
    .bind(endpoint.previous_secret.as_deref())
    .bind(endpoint.previous_until)
    .bind(endpoint.failures)
    .bind(endpoint.failing_since)
    .bind(endpoint.changed_at)
    .execute_exactly("changing a webhook endpoint", 1, tx)
    .await
}

/// Removes an endpoint; whether there was one.
pub async fn delete_endpoint(
    tx: &mut Tx,
    connection: &ConnectionId,
    id: &EndpointId,
) -> Result<bool, StoreError> {
    let gone = Statement::new(
        "DELETE FROM webhook_endpoints WHERE connection_id = $1 AND endpoint_id = $2",
    )
    .bind(connection)
    .bind(id)
    .execute(tx)
    .await?;
    Ok(gone == 1)
}

/// What came of telling an endpoint: a success ends a row of failures, a failure adds to it.
/// Since when nothing but failures came of it, unix seconds; `None` as well if it is gone.
pub async fn note_outcome(
    tx: &mut Tx,
    connection: &ConnectionId,
    id: &EndpointId,
    (succeeded, failures): (bool, i64),
    now: Timestamp,
) -> Result<Option<i64>, StoreError> {
    let statement = if succeeded {
        Statement::new(
            "UPDATE webhook_endpoints SET failures = 0, failing_since = NULL
             WHERE connection_id = $1 AND endpoint_id = $2
             RETURNING failing_since",
        )
        .bind(connection)
        .bind(id)
    } else {
        Statement::new(
            "UPDATE webhook_endpoints
             SET failures = failures + $3, failing_since = COALESCE(failing_since, $4)
             WHERE connection_id = $1 AND endpoint_id = $2
             RETURNING failing_since",
        )
        .bind(connection)
        .bind(id)
        .bind(failures)
        .bind(now)
    };
    let row: Option<(Option<i64>,)> = statement.fetch_optional(tx).await?;
    Ok(row.and_then(|(since,)| since))
}

/// Turns an endpoint off, and why; whether it was on.
pub async fn disable_endpoint(
    tx: &mut Tx,
    connection: &ConnectionId,
    id: &EndpointId,
    reason: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let done = Statement::new(
        "UPDATE webhook_endpoints
         SET enabled = 0, disabled_reason = $3, changed_at = $4, version = version + 1
         WHERE connection_id = $1 AND endpoint_id = $2 AND enabled = 1",
    )
    .bind(connection)
    .bind(id)
    .bind(reason)
    .bind(now)
    .execute(tx)
    .await?;
    Ok(done == 1)
}

/// Which of these topics somebody is told of. Whatever is only written for endpoints asks this
/// first, so that nothing is written where there are none.
pub async fn wanted_topics(
    tx: &mut Tx,
    connection: &ConnectionId,
    of: &[Topic],
) -> Result<Vec<Topic>, StoreError> {
    let subscribed: Vec<(String,)> = Statement::new(
        "SELECT topics FROM webhook_endpoints WHERE connection_id = $1 AND enabled = 1",
    )
    .bind(connection)
    .fetch_all(tx)
    .await?;
    let is_wanted = |topic: &Topic| {
        let mut all = subscribed.iter();
        all.any(|(topics,)| wants(topics, topic.name()))
    };
    Ok(of.iter().copied().filter(is_wanted).collect())
}
