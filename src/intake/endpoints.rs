//! Which connections take webhooks, and by which secrets. Filled from settings at the start,
//! and again whenever an admin changes a connection.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::config::Secret;
use crate::domain::campaign::Mode;
use crate::domain::ids::{AccountId, ConnectionId};
use crate::stripe::signature::SigningKey;
use crate::telemetry::metric;

/// One connection, as far as its webhooks go.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// The connection.
    pub connection: ConnectionId,
    /// The mode its events have to have.
    pub mode: Mode,
    /// The account that Connect events have to name, if it is known.
    pub account: Option<AccountId>,
    /// Signing secrets; any may match. Empty: nothing can be verified yet.
    pub secrets: Vec<Secret>,
}

/// An endpoint, with what would otherwise be worked out for every delivery.
#[derive(Debug)]
pub struct Ready {
    /// The endpoint.
    pub endpoint: Endpoint,
    /// Its secrets as keys, in the same order.
    pub keys: Vec<SigningKey>,
    /// How often each of them matched.
    pub used: Vec<metrics::Counter>,
}

impl Ready {
    fn new(endpoint: Endpoint) -> Self {
        let keys = endpoint.secrets.iter();
        let keys = keys.map(|secret| SigningKey::new(secret.expose()));
        let used = (0..endpoint.secrets.len()).map(|index| {
            let (connection, index) = (endpoint.connection.to_string(), index.to_string());
            metrics::counter!(metric::SECRET_USED, "connection" => connection, "index" => index)
        });
        Self {
            keys: keys.collect(),
            used: used.collect(),
            endpoint,
        }
    }
}

/// The connections by id, and the one that `/webhooks/stripe` means.
#[derive(Debug)]
pub struct Endpoints {
    default: ConnectionId,
    by_id: RwLock<BTreeMap<ConnectionId, Arc<Ready>>>,
}

impl Endpoints {
    /// With the one connection that comes from settings.
    pub fn new(default: Endpoint) -> Self {
        let id = default.connection.clone();
        let by_id = BTreeMap::from([(id.clone(), Arc::new(Ready::new(default)))]);
        Self {
            default: id,
            by_id: RwLock::new(by_id),
        }
    }

    /// Adds a connection, or replaces what was known of it.
    pub fn put(&self, endpoint: Endpoint) {
        let mut by_id = self.by_id.write().unwrap_or_else(PoisonError::into_inner);
        by_id.insert(endpoint.connection.clone(), Arc::new(Ready::new(endpoint)));
    }

    /// The connection of that id; without an id, the one from settings.
    pub fn find(&self, id: Option<&str>) -> Option<Arc<Ready>> {
        let by_id = self.by_id.read().unwrap_or_else(PoisonError::into_inner);
        by_id.get(id.unwrap_or(self.default.as_str())).cloned()
    }
}
