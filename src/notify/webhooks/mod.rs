//! Outgoing webhooks: others are told what happened, by signed messages to endpoints that they
//! registered. At least once, in no promised order; [the README](../README.md) says the rest.
//!
//! What happens is written to the outbox in its own transaction, by `settle` and `queue`. Here it
//! becomes a row for each endpoint that wants it ([`fan_out`]), and is posted ([`courier`]) as a
//! [`message`], through the checks of [`sender`]. [`endpoints`] has what people do with endpoints.

pub mod address;
pub mod courier;
pub mod endpoints;
mod error;
pub mod fan_out;
pub mod message;
pub mod retry;
pub mod sender;
pub mod tidy;

use std::sync::Arc;

use tokio::sync::Notify;

use crate::access::seal::Sealer;
use crate::clock::SharedClock;
use crate::config::Secret;
use crate::domain::ids::{ConnectionId, EndpointId};
use crate::domain::time::Timestamp;
use crate::store::Db;
use crate::store::webhook_endpoints::WebhookEndpoint;

pub use error::WebhookError;
use sender::Sender;

/// What outgoing webhooks work with.
#[derive(Debug)]
pub struct Webhooks {
    /// The database.
    pub db: Db,
    /// Our clock.
    pub clock: SharedClock,
    /// The connection whose endpoints these are.
    pub connection: ConnectionId,
    /// Whether its money is real.
    pub livemode: bool,
    /// What secrets are encrypted with, if `APP_SECRET_KEY` is set.
    pub sealer: Option<Sealer>,
    /// What posts.
    pub sender: Sender,
    /// Told whenever something may be due.
    pub changed: Arc<Notify>,
}

impl Webhooks {
    /// The secrets that sign a message now: the endpoint's own, and the one before while it is
    /// being rotated.
    fn secrets(
        &self,
        endpoint: &WebhookEndpoint,
        now: Timestamp,
    ) -> Result<Vec<Secret>, WebhookError> {
        let id = &endpoint.endpoint_id;
        let mut secrets = vec![self.open(id, &endpoint.secret)?];
        let rotating = endpoint
            .previous_until
            .is_some_and(|until| now.unix() < until);
        let previous = endpoint.previous_secret.as_deref();
        // One that cannot be read any more may be why it was rotated.
        let previous = previous.filter(|_| rotating);
        secrets.extend(previous.and_then(|sealed| self.open(id, sealed).ok()));
        Ok(secrets)
    }

    fn open(&self, endpoint: &EndpointId, sealed: &[u8]) -> Result<Secret, WebhookError> {
        let key = self.sealer.as_ref().ok_or(WebhookError::NoKey)?;
        let opened = key.open(&self.owner(endpoint), sealed)?;
        let text = String::from_utf8(opened).ok();
        let secret = text.as_deref().and_then(Secret::new);
        secret.ok_or(WebhookError::CannotOpen(crate::access::seal::CannotOpen))
    }

    fn seal(&self, endpoint: &EndpointId, secret: &Secret) -> Result<Vec<u8>, WebhookError> {
        let key = self.sealer.as_ref().ok_or(WebhookError::NoKey)?;
        Ok(key.seal(&self.owner(endpoint), secret.expose().as_bytes())?)
    }

    /// Whose secret it is: ciphertext that is copied to another endpoint cannot be read there.
    fn owner(&self, endpoint: &EndpointId) -> String {
        format!("{} {endpoint}", self.connection)
    }
}
