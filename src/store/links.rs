//! Links that open something once. Only the hash of a link's token is kept.

use sqlx::FromRow;

use super::db::Tx;
use super::error::StoreError;
use super::json::{name, stored_names};
use super::statement::Statement;
use crate::domain::ids::{ConnectionId, UserId};
use crate::domain::time::Timestamp;

const TABLE: &str = "one_time_links";

stored_names! {
    /// What a link opens.
    LinkPurpose {
        /// Makes the first owner.
        Setup => "setup",
        /// Signs somebody in.
        SignIn => "sign_in",
        /// Lets somebody in for the first time.
        Invitation => "invitation",
        /// Gives somebody a new password.
        Reset => "reset",
    }
}

/// A link that is good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The connection it belongs to.
    pub connection: ConnectionId,
    /// What it opens.
    pub purpose: LinkPurpose,
    /// For whom; nobody yet if it makes the first owner.
    pub user: Option<UserId>,
    /// When it ends, unix seconds.
    pub ends_at: i64,
}

#[derive(FromRow)]
struct Row {
    connection_id: String,
    purpose: String,
    user_id: Option<String>,
    ends_at: i64,
}

impl Row {
    fn read(self) -> Result<Link, StoreError> {
        Ok(Link {
            connection: self.connection_id.into(),
            purpose: name(TABLE, &self.purpose, LinkPurpose::parse)?,
            user: self.user_id.map(UserId::from),
            ends_at: self.ends_at,
        })
    }
}

/// Adds a link under the hash of its token.
pub async fn insert_link(
    tx: &mut Tx,
    hash: &[u8; 32],
    link: &Link,
    now: Timestamp,
) -> Result<(), StoreError> {
    Statement::new(
        "INSERT INTO one_time_links (connection_id, hash, purpose, user_id, created_at, ends_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(&link.connection)
    .bind(hash)
    .bind(link.purpose.name())
    .bind(&link.user)
    .bind(now)
    .bind(link.ends_at)
    .execute_exactly("adding a link", 1, tx)
    .await
}

/// The link of that hash, if it is good still. It is not used up by looking. Without a
/// connection: the link tells it.
pub async fn link_by_hash(
    tx: &mut Tx,
    hash: &[u8; 32],
    now: Timestamp,
) -> Result<Option<Link>, StoreError> {
    let row: Option<Row> = Statement::new(
        "SELECT connection_id, purpose, user_id, ends_at FROM one_time_links
         WHERE hash = $1 AND used_at IS NULL AND ends_at > $2",
    )
    .bind(hash)
    .bind(now)
    .fetch_optional(tx)
    .await?;
    row.map(Row::read).transpose()
}

/// Uses a link up: of several who try, one gets it.
pub async fn use_link(
    tx: &mut Tx,
    hash: &[u8; 32],
    now: Timestamp,
) -> Result<Option<Link>, StoreError> {
    let row: Option<Row> = Statement::new(
        "UPDATE one_time_links SET used_at = $2
         WHERE hash = $1 AND used_at IS NULL AND ends_at > $2
         RETURNING connection_id, purpose, user_id, ends_at",
    )
    .bind(hash)
    .bind(now)
    .fetch_optional(tx)
    .await?;
    row.map(Row::read).transpose()
}

/// Uses up every link that makes the first owner, so that of several one makes it; whether the
/// one of this hash was among them and good.
pub async fn use_setup_links(
    tx: &mut Tx,
    connection: &ConnectionId,
    hash: &[u8; 32],
    now: Timestamp,
) -> Result<bool, StoreError> {
    let used: Vec<(Vec<u8>, i64)> = Statement::new(
        "UPDATE one_time_links SET used_at = $2
         WHERE connection_id = $1 AND purpose = 'setup' AND used_at IS NULL
         RETURNING hash, ends_at",
    )
    .bind(connection)
    .bind(now)
    .fetch_all(tx)
    .await?;
    Ok(used
        .iter()
        .any(|(used, ends_at)| used == hash && *ends_at > now.unix()))
}

/// Uses up every link of a person: whatever lies in their mail opens nothing any more.
pub async fn void_links_of(
    tx: &mut Tx,
    connection: &ConnectionId,
    user: &UserId,
    now: Timestamp,
) -> Result<u64, StoreError> {
    Statement::new(
        "UPDATE one_time_links SET used_at = $3
         WHERE connection_id = $1 AND user_id = $2 AND used_at IS NULL",
    )
    .bind(connection)
    .bind(user)
    .bind(now)
    .execute(tx)
    .await
}

/// Forgets links that ended before an instant; how many.
pub async fn forget_ended_links(
    tx: &mut Tx,
    connection: &ConnectionId,
    before: Timestamp,
) -> Result<u64, StoreError> {
    Statement::new("DELETE FROM one_time_links WHERE connection_id = $1 AND ends_at <= $2")
        .bind(connection)
        .bind(before)
        .execute(tx)
        .await
}
