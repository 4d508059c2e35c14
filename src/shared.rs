//! What rooms of a running server share. `app` makes it; routes and workers are handed it.

use std::sync::Arc;

use tokio::sync::Notify;

use crate::access::Access;
use crate::clock::SharedClock;
use crate::config::Config;
use crate::doctor::Lately;
use crate::domain::ids::{AccountId, ConnectionId, NodeId};
use crate::intake::Endpoints;
use crate::notify::webhooks::Webhooks;
use crate::store::Db;

/// What rooms share: hand it to routes and workers by `Arc`.
#[derive(Debug)]
pub struct App {
    /// The settings.
    pub config: Config,
    /// The database, migrated.
    pub db: Db,
    /// The clock.
    pub clock: SharedClock,
    /// This process among the nodes of the database; what holds leases is named by it.
    pub node: NodeId,
    /// The connection from settings. Its id is its mode, so that a change of mode never mixes
    /// test data into live data.
    pub connection: ConnectionId,
    /// The connection's account, as far as it is known: from settings, or from before.
    pub account: Option<AccountId>,
    /// The connections that take webhooks; add to it when an admin adds a connection.
    pub endpoints: Arc<Endpoints>,
    /// Who comes in: signing in, users, links.
    pub access: Arc<Access>,
    /// Outgoing webhooks: their endpoints, and telling them.
    pub webhooks: Arc<Webhooks>,
    /// What Stripe answered the doctor of late.
    pub doctor: Lately,
    /// Told after every commit of events: stage 2 has work.
    pub committed: Arc<Notify>,
    /// Told whenever something was put on the work list of the judging stage.
    pub touched: Arc<Notify>,
    /// Whether everything is made up, which every page says.
    pub demo: bool,
}
