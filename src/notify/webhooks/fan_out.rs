//! Messages of the outbox become a row for each endpoint that wants them, a page in one
//! transaction. Where there is no endpoint nothing is done, and messages are forgotten with
//! their age.

use super::{Webhooks, message};
use crate::domain::ids::ConnectionId;
use crate::domain::time::Timestamp;
use crate::store::outbox::{OutboxMessage, is_untold, tell_messages};
use crate::store::webhook_deliveries::{Delivery, insert_deliveries};
use crate::store::webhook_endpoints::{WebhookEndpoint, list_endpoints};
use crate::store::{StoreError, retry};

/// Messages handed on in one transaction.
const PAGE: u32 = 500;

/// Hands on a page of what nobody was told of yet; how many messages it had.
pub async fn fan_out(hooks: &Webhooks) -> Result<usize, StoreError> {
    let connection = &hooks.connection;
    // Nearly always there is nothing: looking takes no turn from those who write.
    let mut look = hooks.db.read().await?;
    let since = told_since(&list_endpoints(&mut look, connection).await?);
    let is_idle = match since {
        None => true,
        Some(since) => !is_untold(&mut look, connection, since).await?,
    };
    look.rollback().await?;
    if is_idle {
        return Ok(0);
    }
    retry(|| async {
        let mut tx = hooks.db.begin().await?;
        let endpoints = list_endpoints(&mut tx, connection).await?;
        let Some(since) = told_since(&endpoints) else {
            return Ok(0);
        };
        let now = hooks.clock.now();
        let messages = tell_messages(&mut tx, connection, (since, now), PAGE).await?;
        let deliveries = addressed(connection, &endpoints, &messages, now);
        insert_deliveries(&mut tx, connection, &deliveries).await?;
        tx.commit().await?;
        Ok::<_, StoreError>(messages.len())
    })
    .await
}

/// From when on messages are handed on at all; none if nobody is told anything.
fn told_since(endpoints: &[WebhookEndpoint]) -> Option<Timestamp> {
    let enabled = endpoints.iter().filter(|endpoint| endpoint.is_enabled());
    let since = enabled.map(|endpoint| endpoint.since).min()?;
    Timestamp::from_unix(since)
}

/// Who is told of what. Pure.
fn addressed(
    connection: &ConnectionId,
    endpoints: &[WebhookEndpoint],
    messages: &[OutboxMessage],
    now: Timestamp,
) -> Vec<Delivery> {
    let mut deliveries = Vec::new();
    for message in messages {
        let id = message::id(connection, &message.outbox_id);
        let told = endpoints.iter().filter(|endpoint| {
            endpoint.is_enabled()
                && endpoint.since <= message.created_at
                && endpoint.wants(&message.topic)
        });
        deliveries.extend(told.map(|endpoint| Delivery {
            endpoint_id: endpoint.endpoint_id.clone(),
            message_id: id.clone(),
            outbox_id: message.outbox_id.clone(),
            topic: message.topic.clone(),
            created_at: message.created_at,
            attempts: 0,
            due_at: Some(now.unix()),
            tried_at: None,
            status: None,
            failure: None,
            delivered_at: None,
        }));
    }
    deliveries
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(id: &str, topics: &str, enabled: i64, since: i64) -> WebhookEndpoint {
        WebhookEndpoint {
            endpoint_id: id.into(),
            url: "https://hooks.example.com".to_owned(),
            description: String::new(),
            topics: topics.to_owned(),
            enabled,
            since,
            disabled_reason: None,
            secret: vec![1],
            previous_secret: None,
            previous_until: None,
            failures: 0,
            failing_since: None,
            version: 1,
            created_at: since,
            changed_at: since,
        }
    }

    #[test]
    fn each_is_told_what_it_wants_since_it_is_there() {
        let message = |id: &str, topic: &str, created_at| OutboxMessage {
            outbox_id: id.into(),
            topic: topic.to_owned(),
            subject_id: String::new(),
            payload: "{}".to_owned(),
            created_at,
            delivered_at: None,
            attempts: 0,
        };
        let endpoints = [
            endpoint("all", "*", 1, 10),
            endpoint("late", "*", 1, 21),
            endpoint("off", "*", 0, 0),
            endpoint("some", "case.opened batch.settled", 1, 10),
        ];
        let messages = [
            message("m1", "case.opened", 20),
            message("m2", "qualification.settled", 30),
        ];
        let now = Timestamp::default();
        let told = addressed(&"live".into(), &endpoints, &messages, now);
        let told: Vec<(&str, &str)> = told
            .iter()
            .map(|d| (d.endpoint_id.as_str(), d.outbox_id.as_str()))
            .collect();
        assert_eq!(
            told,
            [("all", "m1"), ("some", "m1"), ("all", "m2"), ("late", "m2")]
        );
        assert_eq!(told_since(&endpoints), Timestamp::from_unix(10));
        assert_eq!(told_since(&endpoints[2..3]), None);
    }
}
