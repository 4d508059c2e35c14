//! Posts what is due, each endpoint in a task of its own, so that one that is slow holds up
//! nobody. What was taken and not ended, because its node died, is due again after a while.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::future::join_all;
use serde_json::json;
use tokio::task::{Id, JoinSet};
use tokio_util::sync::CancellationToken;

use super::retry::{DISABLED_AFTER_SECONDS, again_at, spread};
use super::{WebhookError, Webhooks, message};
use crate::access::audit::{Action, note};
use crate::config::Secret;
use crate::domain::access::By;
use crate::domain::ids::{EndpointId, OutboxId};
use crate::domain::time::Timestamp;
use crate::random;
use crate::store::outbox::{OutboxMessage, load_messages};
use crate::store::webhook_deliveries::{
    Delivery, Ended, due_endpoints, end_deliveries, take_deliveries,
};
use crate::store::webhook_endpoints::{
    WebhookEndpoint, disable_endpoint, get_endpoint, note_outcome,
};
use crate::store::{StoreError, retry};
use crate::telemetry::metric;

/// Messages posted to one endpoint at once.
const AT_ONCE: u32 = 16;
/// A delivery whose node died is due again after this long: several times the patience with an
/// endpoint, so that nobody who is only slow is overtaken.
const HELD_SECONDS: i64 = 120;
/// HTTP's "it is gone, and for good".
const GONE: i64 = 410;

/// The tasks that are at work, one an endpoint. Dropped, they end; what they had taken comes again.
#[derive(Debug, Default)]
pub struct Couriers {
    stop: CancellationToken,
    tasks: JoinSet<()>,
    busy: HashMap<Id, EndpointId>,
}

impl Couriers {
    /// They begin nothing more once this is cancelled.
    pub fn until(stop: CancellationToken) -> Self {
        Self {
            stop,
            ..Self::default()
        }
    }

    /// Sets to work on every endpoint that has something due and that nobody here works on;
    /// how many.
    pub async fn send_out(&mut self, hooks: &Arc<Webhooks>) -> Result<usize, StoreError> {
        while let Some(ended) = self.tasks.try_join_next_with_id() {
            let id = match &ended {
                Ok((id, ())) => *id,
                Err(error) => error.id(),
            };
            self.busy.remove(&id);
        }
        // Without the key nothing can be signed, and what waits goes on waiting.
        if hooks.sealer.is_none() {
            return Ok(0);
        }
        let mut tx = hooks.db.read().await?;
        let due = due_endpoints(&mut tx, &hooks.connection, hooks.clock.now()).await?;
        tx.rollback().await?;
        let mut sent_out = 0;
        for endpoint in due {
            if self.busy.values().any(|busy| *busy == endpoint) {
                continue;
            }
            let (hooks, id, stop) = (Arc::clone(hooks), endpoint.clone(), self.stop.clone());
            let task = self.tasks.spawn(async move {
                if let Err(error) = deliver_all(&hooks, &id, &stop).await {
                    tracing::error!(endpoint = %id, %error, "webhooks could not be delivered");
                }
            });
            self.busy.insert(task.id(), endpoint);
            sent_out += 1;
        }
        Ok(sent_out)
    }

    /// Waits until all of them have ended.
    pub async fn wait(&mut self) {
        while self.tasks.join_next().await.is_some() {}
        self.busy.clear();
    }
}

/// Delivers to one endpoint until nothing is due for it, or nothing goes through: then the rest
/// is left to the next look, so that an endpoint that is down is not stormed.
async fn deliver_all(
    hooks: &Webhooks,
    endpoint: &EndpointId,
    stop: &CancellationToken,
) -> Result<(), StoreError> {
    while !stop.is_cancelled() && deliver_some(hooks, endpoint).await? {}
    Ok(())
}

/// Delivers some of what is due for an endpoint; whether anything went through.
async fn deliver_some(hooks: &Webhooks, id: &EndpointId) -> Result<bool, StoreError> {
    let mut look = hooks.db.read().await?;
    let endpoint = get_endpoint(&mut look, &hooks.connection, id).await?;
    look.rollback().await?;
    let Some(endpoint) = endpoint.filter(WebhookEndpoint::is_enabled) else {
        return Ok(false);
    };
    let (taken, messages) = take(hooks, id).await?;
    if taken.is_empty() {
        return Ok(false);
    }
    let now = hooks.clock.now();
    let secrets = hooks.secrets(&endpoint, now);
    let attempts = taken.iter().map(|delivery| {
        let message = messages.get(&delivery.outbox_id);
        attempt(hooks, &endpoint, &secrets, (delivery, message))
    });
    let ended = join_all(attempts).await;
    let disabled = retry(|| apply(hooks, &endpoint, &ended)).await?;
    if let Some(reason) = disabled {
        metrics::counter!(metric::WEBHOOKS_DISABLED).increment(1);
        tracing::warn!(endpoint = %id, reason, "a webhook endpoint was disabled");
    }
    Ok(ended.iter().any(|one| one.failure.is_none()))
}

type Messages = HashMap<OutboxId, OutboxMessage>;

async fn take(hooks: &Webhooks, id: &EndpointId) -> Result<(Vec<Delivery>, Messages), StoreError> {
    let connection = &hooks.connection;
    retry(|| async {
        let mut tx = hooks.db.begin().await?;
        let now = hooks.clock.now();
        let times = (now, now.plus_seconds(HELD_SECONDS));
        let taken = take_deliveries(&mut tx, connection, id, times, AT_ONCE).await?;
        let ids: Vec<OutboxId> = taken.iter().map(|d| d.outbox_id.clone()).collect();
        let messages = load_messages(&mut tx, connection, &ids).await?;
        tx.commit().await?;
        let messages = messages.into_iter().map(|m| (m.outbox_id.clone(), m));
        Ok::<_, StoreError>((taken, messages.collect()))
    })
    .await
}

/// One attempt.
async fn attempt(
    hooks: &Webhooks,
    endpoint: &WebhookEndpoint,
    secrets: &Result<Vec<Secret>, WebhookError>,
    (delivery, stored): (&Delivery, Option<&OutboxMessage>),
) -> Ended {
    let id = &delivery.message_id;
    let ended = |status: Option<u16>, failure: Option<String>, again: bool| {
        let chance = random::up_to(spread(delivery.attempts));
        let again_at = again_at(delivery.attempts, hooks.clock.now(), chance);
        let again_at = again_at.filter(|_| again && failure.is_some());
        let result = match (&failure, again_at) {
            (None, _) => "delivered",
            (Some(_), Some(_)) => "failed",
            (Some(_), None) => "given_up",
        };
        metrics::counter!(metric::WEBHOOKS_SENT, "result" => result).increment(1);
        Ended {
            message_id: id.clone(),
            status: status.map(i64::from),
            failure,
            again_at,
        }
    };
    let kind = (id, delivery.topic.as_str());
    let created_at = Timestamp::from_unix(delivery.created_at).unwrap_or_default();
    let body =
        stored.and_then(|stored| message::body(kind, created_at, hooks.livemode, &stored.payload));
    let Some(body) = body else {
        return ended(None, Some("the message is forgotten".to_owned()), false);
    };
    let secrets = match secrets {
        Ok(secrets) => secrets,
        Err(error) => return ended(None, Some(error.to_string()), true),
    };
    let Some(headers) = message::headers(id, hooks.clock.now(), &body, secrets) else {
        return ended(None, Some("it could not be signed".to_owned()), true);
    };
    let reply = hooks.sender.post(&endpoint.url, headers, body).await;
    metrics::histogram!(metric::WEBHOOK_SECONDS).record(reply.took);
    ended(reply.status, reply.failure, true)
}

/// Writes down how attempts ended, and turns the endpoint off if it wants no more; why, then.
async fn apply(
    hooks: &Webhooks,
    endpoint: &WebhookEndpoint,
    ended: &[Ended],
) -> Result<Option<String>, StoreError> {
    let (connection, id) = (&hooks.connection, &endpoint.endpoint_id);
    let now = hooks.clock.now();
    let mut tx = hooks.db.begin().await?;
    end_deliveries(&mut tx, connection, id, ended, now).await?;
    let failed = ended.iter().filter(|one| one.failure.is_some()).count();
    let succeeded = failed < ended.len();
    let failures = i64::try_from(failed).unwrap_or(i64::MAX);
    let failing = note_outcome(&mut tx, connection, id, (succeeded, failures), now).await?;
    let is_gone = ended.iter().any(|one| one.status == Some(GONE));
    let too_long =
        failing.is_some_and(|since| now.unix().saturating_sub(since) >= DISABLED_AFTER_SECONDS);
    let reason = match (is_gone, too_long) {
        (true, _) => Some("it answered 410, which says that it is gone for good"),
        (false, true) => Some("nothing but failures came of it for four days"),
        (false, false) => None,
    };
    let mut disabled = None;
    if let Some(reason) = reason
        && disable_endpoint(&mut tx, connection, id, reason, now).await?
    {
        let entry = (
            Action::WebhookDisabled,
            format!("webhook:{id}"),
            json!({ "why": reason }),
        );
        note(
            &mut tx,
            connection,
            hooks.clock.now_us(),
            &By::system(),
            entry,
        )
        .await?;
        disabled = Some(reason.to_owned());
    }
    tx.commit().await?;
    Ok(disabled)
}
