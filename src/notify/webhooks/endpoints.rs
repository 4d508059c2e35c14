//! What people do with endpoints: add, change, rotate, test, have something sent again, delete.
//! Every change is in the audit log, where an address is named by its host alone: the rest of
//! it may be a secret.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::sender::Reply;
use super::{WebhookError, Webhooks, address, message};
use crate::access::audit::{Action, note};
use crate::config::Secret;
use crate::domain::access::By;
use crate::domain::ids::{EndpointId, MessageId, OutboxId};
use crate::domain::time::DAY_SECONDS;
use crate::domain::topic::Topic;
use crate::random::secret_bytes;
use crate::store::webhook_deliveries::{
    Delivery, DeliveryState, forget_deliveries_of, get_delivery, list_deliveries, redeliver,
};
use crate::store::webhook_endpoints::{
    EVERY_TOPIC, WebhookEndpoint, change_endpoint, delete_endpoint, get_endpoint, insert_endpoint,
    list_endpoints,
};
use crate::store::{StoreError, Tx, retry};

/// Endpoints of a connection at most: each is worked on beside the others.
pub const ENDPOINTS_MAX: usize = 20;
/// How long the secret before signs as well after a rotation.
pub const ROTATION_SECONDS: i64 = DAY_SECONDS;
/// Longest description, in characters.
const DESCRIPTION_CHARS_MAX: usize = 200;
/// Deliveries forgotten in one transaction.
const FORGET_AT_ONCE: u32 = 1_000;

/// What somebody wants an endpoint to be; what is `None` stays, or has its default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Where messages are posted.
    pub url: Option<String>,
    /// What people say of it; blank at first.
    pub description: Option<String>,
    /// Names of topics, or `*` for all, which is the default.
    pub topics: Option<Vec<String>>,
    /// Whether it is told; at first it is.
    pub enabled: Option<bool>,
}

/// An endpoint with its secret, the only time that it can be seen.
#[derive(Debug, Clone)]
pub struct WithSecret {
    /// The endpoint.
    pub endpoint: WebhookEndpoint,
    /// The secret itself.
    pub secret: Secret,
}

impl Webhooks {
    /// Every endpoint, in order of id.
    pub async fn list(&self) -> Result<Vec<WebhookEndpoint>, WebhookError> {
        let mut tx = self.db.read().await?;
        Ok(list_endpoints(&mut tx, &self.connection).await?)
    }

    /// One endpoint.
    pub async fn get(&self, id: &EndpointId) -> Result<WebhookEndpoint, WebhookError> {
        let mut tx = self.db.read().await?;
        self.find(&mut tx, id).await
    }

    async fn find(&self, tx: &mut Tx, id: &EndpointId) -> Result<WebhookEndpoint, WebhookError> {
        let found = get_endpoint(tx, &self.connection, id).await?;
        found.ok_or(WebhookError::NotFound("webhook endpoint"))
    }

    /// Adds an endpoint; it is told of what happens from now on.
    pub async fn create(&self, wanted: &Wanted, by: &By) -> Result<WithSecret, WebhookError> {
        let chance = secret_bytes()?;
        let secret = message::secret(chance).ok_or(WebhookError::NoKey)?;
        let digest = hex::encode(Sha256::digest(secret.expose()));
        let id = EndpointId::new(format!("we_{}", digest.get(..16).unwrap_or(&digest)));
        let now = self.clock.now().unix();
        let blank = WebhookEndpoint {
            secret: self.seal(&id, &secret)?,
            endpoint_id: id,
            url: String::new(),
            description: String::new(),
            topics: EVERY_TOPIC.to_owned(),
            enabled: 1,
            since: now,
            disabled_reason: None,
            previous_secret: None,
            previous_until: None,
            failures: 0,
            failing_since: None,
            version: 1,
            created_at: now,
            changed_at: now,
        };
        let wanted = Wanted {
            url: Some(wanted.url.clone().unwrap_or_default()),
            ..wanted.clone()
        };
        let endpoint = self.with(&blank, &wanted)?;
        retry(|| async {
            let mut tx = self.db.begin().await?;
            if list_endpoints(&mut tx, &self.connection).await?.len() >= ENDPOINTS_MAX {
                let message =
                    format!("there are {ENDPOINTS_MAX} endpoints already; delete one first");
                return Err(WebhookError::conflict("endpoints_too_many", message));
            }
            insert_endpoint(&mut tx, &self.connection, &endpoint).await?;
            let entry = (Action::WebhookCreated, shown(&endpoint));
            self.note(&mut tx, &endpoint.endpoint_id, entry, by).await?;
            tx.commit().await?;
            Ok(())
        })
        .await?;
        Ok(WithSecret { endpoint, secret })
    }

    /// Changes what is wanted to be changed; nothing is written if nothing is.
    pub async fn change(
        &self,
        id: &EndpointId,
        wanted: &Wanted,
        by: &By,
    ) -> Result<WebhookEndpoint, WebhookError> {
        retry(|| async {
            let mut tx = self.db.begin().await?;
            let before = self.find(&mut tx, id).await?;
            let after = self.with(&before, wanted)?;
            if after == before {
                return Ok(before);
            }
            change_endpoint(&mut tx, &self.connection, &after).await?;
            let entry = (Action::WebhookChanged, shown(&after));
            self.note(&mut tx, id, entry, by).await?;
            tx.commit().await?;
            self.changed.notify_one();
            Ok(WebhookEndpoint {
                version: after.version.saturating_add(1),
                ..after
            })
        })
        .await
    }

    /// An endpoint as it is wanted.
    fn with(
        &self,
        before: &WebhookEndpoint,
        wanted: &Wanted,
    ) -> Result<WebhookEndpoint, WebhookError> {
        let now = self.clock.now().unix();
        let mut after = before.clone();
        if let Some(url) = &wanted.url {
            let url = url.trim();
            let allowed = address::check_new(url, self.sender.allows_private());
            allowed.map_err(|words| WebhookError::invalid("url_invalid", "/url", words))?;
            url.clone_into(&mut after.url);
        }
        if let Some(text) = &wanted.description {
            after.description = description(text)?;
        }
        if let Some(names) = &wanted.topics {
            after.topics = topics(names)?;
        }
        match wanted.enabled {
            Some(true) if !before.is_enabled() => {
                after.enabled = 1;
                // What happened while it was off is not told.
                after.since = now;
                after.disabled_reason = None;
            }
            Some(false) if before.is_enabled() => after.enabled = 0,
            _ => {}
        }
        if after.url != before.url || after.enabled > before.enabled {
            after.failures = 0;
            after.failing_since = None;
        }
        if after != *before {
            after.changed_at = now;
        }
        Ok(after)
    }

    /// Gives an endpoint a new secret; the one before signs as well for a day.
    pub async fn rotate(&self, id: &EndpointId, by: &By) -> Result<WithSecret, WebhookError> {
        let secret = message::secret(secret_bytes()?).ok_or(WebhookError::NoKey)?;
        let sealed = self.seal(id, &secret)?;
        let endpoint = retry(|| async {
            let mut tx = self.db.begin().await?;
            let before = self.find(&mut tx, id).await?;
            let now = self.clock.now();
            let after = WebhookEndpoint {
                previous_secret: Some(before.secret.clone()),
                previous_until: Some(now.plus_seconds(ROTATION_SECONDS).unix()),
                secret: sealed.clone(),
                changed_at: now.unix(),
                ..before
            };
            change_endpoint(&mut tx, &self.connection, &after).await?;
            let entry = (Action::WebhookRotated, json!({}));
            self.note(&mut tx, id, entry, by).await?;
            tx.commit().await?;
            Ok::<_, WebhookError>(after)
        })
        .await?;
        Ok(WithSecret { endpoint, secret })
    }

    /// Sends an endpoint a message that says nothing, now, and tells what came back. It is sent
    /// once, also to an endpoint that is off, and is no delivery.
    pub async fn test(&self, id: &EndpointId) -> Result<Reply, WebhookError> {
        let endpoint = self.get(id).await?;
        let now = self.clock.now();
        let secrets = self.secrets(&endpoint, now)?;
        let test = OutboxId::new(format!("test\n{id}\n{}", self.clock.now_us()));
        let message_id = message::id(&self.connection, &test);
        let kind = (&message_id, message::TEST_TYPE);
        let data = json!({ "endpoint": id }).to_string();
        let body = message::body(kind, now, self.livemode, &data).unwrap_or_default();
        let headers = message::headers(&message_id, now, &body, &secrets);
        let headers = headers.ok_or(WebhookError::CannotOpen(crate::access::seal::CannotOpen))?;
        Ok(self.sender.post(&endpoint.url, headers, body).await)
    }

    /// An endpoint's deliveries, the newest message first, behind the one of that message id.
    pub async fn deliveries(
        &self,
        id: &EndpointId,
        state: Option<DeliveryState>,
        after: Option<&MessageId>,
        limit: u32,
    ) -> Result<Option<Vec<Delivery>>, WebhookError> {
        let mut tx = self.db.read().await?;
        self.find(&mut tx, id).await?;
        let mut last = None;
        if let Some(after) = after {
            last = get_delivery(&mut tx, &self.connection, id, after).await?;
            if last.is_none() {
                return Ok(None);
            }
        }
        let last = last
            .as_ref()
            .map(|last| (last.created_at, &last.message_id));
        let rows = list_deliveries(&mut tx, &self.connection, id, state, last, limit).await?;
        Ok(Some(rows))
    }

    /// Has a message sent again to an endpoint, with all its attempts before it.
    pub async fn redeliver(
        &self,
        id: &EndpointId,
        message_id: &MessageId,
        by: &By,
    ) -> Result<Delivery, WebhookError> {
        retry(|| async {
            let mut tx = self.db.begin().await?;
            let endpoint = self.find(&mut tx, id).await?;
            let gone = || WebhookError::NotFound("delivery");
            let there = get_delivery(&mut tx, &self.connection, id, message_id).await?;
            there.ok_or_else(gone)?;
            if !endpoint.is_enabled() {
                let message = "the endpoint is disabled; enable it first";
                return Err(WebhookError::conflict("endpoint_disabled", message));
            }
            let now = self.clock.now();
            if !redeliver(&mut tx, &self.connection, id, message_id, now).await? {
                let message = "the delivery waits to be tried already";
                return Err(WebhookError::conflict("delivery_waiting", message));
            }
            let entry = (Action::WebhookRedelivered, json!({ "message": message_id }));
            self.note(&mut tx, id, entry, by).await?;
            let delivery = get_delivery(&mut tx, &self.connection, id, message_id).await?;
            tx.commit().await?;
            self.changed.notify_one();
            delivery.ok_or_else(gone)
        })
        .await
    }

    /// Deletes an endpoint with its secret and all that waits for it.
    pub async fn delete(&self, id: &EndpointId, by: &By) -> Result<(), WebhookError> {
        retry(|| async {
            let mut tx = self.db.begin().await?;
            let endpoint = self.find(&mut tx, id).await?;
            delete_endpoint(&mut tx, &self.connection, id).await?;
            let entry = (Action::WebhookDeleted, shown(&endpoint));
            self.note(&mut tx, id, entry, by).await?;
            tx.commit().await?;
            Ok::<_, WebhookError>(())
        })
        .await?;
        // There may be very many; what is left over is forgotten with its age.
        loop {
            let gone = retry(|| async {
                let mut tx = self.db.begin().await?;
                let connection = &self.connection;
                let gone = forget_deliveries_of(&mut tx, connection, id, FORGET_AT_ONCE).await?;
                tx.commit().await?;
                Ok::<_, StoreError>(gone)
            });
            if gone.await? < u64::from(FORGET_AT_ONCE) {
                return Ok(());
            }
        }
    }

    async fn note(
        &self,
        tx: &mut Tx,
        id: &EndpointId,
        (action, what): (Action, Value),
        by: &By,
    ) -> Result<(), StoreError> {
        let entry = (action, format!("webhook:{id}"), what);
        note(tx, &self.connection, self.clock.now_us(), by, entry).await
    }
}

fn shown(endpoint: &WebhookEndpoint) -> Value {
    json!({
        "host": address::host(&endpoint.url),
        "topics": endpoint.topics,
        "enabled": endpoint.is_enabled(),
    })
}

fn description(text: &str) -> Result<String, WebhookError> {
    let text = text.trim();
    if text.chars().count() > DESCRIPTION_CHARS_MAX || text.chars().any(char::is_control) {
        let message = format!(
            "a description has at most {DESCRIPTION_CHARS_MAX} characters and no control characters"
        );
        return Err(WebhookError::invalid(
            "description_invalid",
            "/description",
            message,
        ));
    }
    Ok(text.to_owned())
}

/// Names of topics as they are stored: each once, in the order of the list of all.
fn topics(names: &[String]) -> Result<String, WebhookError> {
    let invalid = |message: String| WebhookError::invalid("topics_invalid", "/topics", message);
    let names: Vec<&str> = names.iter().map(|name| name.trim()).collect();
    if names.contains(&EVERY_TOPIC) {
        return Ok(EVERY_TOPIC.to_owned());
    }
    let all = Topic::ALL.iter().map(|topic| topic.name());
    let all: Vec<&str> = all.collect();
    if let Some(unknown) = names.iter().find(|name| Topic::parse(name).is_none()) {
        let shown: String = unknown.chars().take(80).collect();
        let message = format!(
            "there is no topic `{shown}`; there are: {}, {EVERY_TOPIC}",
            all.join(", ")
        );
        return Err(invalid(message));
    }
    if names.is_empty() {
        let message = format!("name at least one topic, or {EVERY_TOPIC} for all of them");
        return Err(invalid(message));
    }
    let wanted: Vec<&str> = all
        .into_iter()
        .filter(|name| names.contains(name))
        .collect();
    Ok(wanted.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_known_and_stored_in_one_order() {
        let read = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
            topics(&names).map_err(|error| error.to_string())
        };
        let two = read(&["batch.settled", " case.opened ", "batch.settled"]);
        assert_eq!(two.unwrap(), "case.opened batch.settled");
        assert_eq!(read(&["case.opened", "*"]).unwrap(), "*");
        assert!(read(&[]).unwrap_err().contains("at least one"));
        let unknown = read(&["mail.sign_in"]).unwrap_err();
        assert!(
            unknown.contains("`mail.sign_in`") && unknown.contains("case.opened"),
            "{unknown}"
        );
    }
}
