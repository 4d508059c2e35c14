//! Who comes in, and what they may do: users, passwords, sessions, links that open something
//! once, keys, limits, and the log of who did what.
//!
//! [`routes`] is the table of every address with what it needs; [`guard`] is what a request of
//! a page passes through. [`Access`] is what sign-in pages and the command line call. How a
//! mail looks and is sent is known to `notify`, what a page looks like to `web`.

pub mod audit;
mod error;
pub mod guard;
pub mod headers;
pub mod keys;
mod limits;
pub mod links;
mod password;
mod reach;
pub mod routes;
pub mod seal;
mod session;
mod sign_in;
mod token;
pub mod users;
mod visitor;

use std::sync::Arc;

use tokio::sync::Notify;

use crate::clock::SharedClock;
use crate::domain::email::CanonicalEmail;
use crate::domain::ids::{ConnectionId, UserId};
use crate::store::Db;

pub use error::{AccessError, Denied};
pub use limits::Addresses;
pub use links::{Filled, LinkView};
pub use password::{Hasher, PASSWORD_CHARS_MIN};
pub use session::Started;
pub use visitor::{Proxies, Visitor, request_id};

/// What signing in and its pages work with.
#[derive(Debug)]
pub struct Access {
    db: Db,
    clock: SharedClock,
    connection: ConnectionId,
    base_url: String,
    proxies: Proxies,
    hasher: Hasher,
    addresses: Addresses,
    mailed: Arc<Notify>,
}

impl Access {
    /// Services for one connection, reached at `base_url` (`https://…`, no slash at the end).
    pub fn new(
        db: Db,
        clock: SharedClock,
        connection: ConnectionId,
        base_url: String,
        proxies: Proxies,
    ) -> Self {
        Self {
            db,
            clock,
            connection,
            base_url,
            proxies,
            hasher: Hasher::default(),
            addresses: Addresses::default(),
            mailed: Arc::new(Notify::new()),
        }
    }

    /// The connection whose people these are.
    pub const fn connection(&self) -> &ConnectionId {
        &self.connection
    }

    /// Told whenever a mail was put into the outbox.
    pub fn mailed(&self) -> Arc<Notify> {
        Arc::clone(&self.mailed)
    }

    /// What people reach this server at, without a slash at the end.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Whether people reach it encrypted: cookies are then sent in no other way.
    pub fn is_secure(&self) -> bool {
        self.base_url.starts_with("https://")
    }

    /// Works off what the first sign-in would otherwise wait for.
    pub async fn warm_up(&self) -> Result<(), AccessError> {
        self.hasher.warm_up().await
    }
}

/// The id of whoever has this address: made from it, so that an invitation that is repeated
/// makes nobody twice. It stays when the address changes.
fn user_id(connection: &ConnectionId, email: &CanonicalEmail) -> UserId {
    use sha2::{Digest, Sha256};
    let mut hash = Sha256::new();
    hash.update(connection.as_str());
    hash.update([0]);
    hash.update(email.as_str());
    let digest = hex::encode(hash.finalize());
    UserId::new(format!("usr_{}", digest.get(..20).unwrap_or(&digest)))
}
