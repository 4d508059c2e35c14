//! Who did what: only ever added to, each row with the hash of the one before. What is worth
//! a row is decided in the rooms that act.

use sha2::{Digest, Sha256};
use sqlx::FromRow;

use super::db::Tx;
use super::error::StoreError;
use super::statement::Statement;
use crate::domain::ids::ConnectionId;

/// What the first row of a chain holds as the hash of the one before.
pub const BEGINNING: [u8; 32] = [0; 32];

/// A row to be added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAuditRow {
    /// When, unix microseconds.
    pub at_us: i64,
    /// Who: `user:usr_…`, `key:key_…`, `command_line`, `system`.
    pub actor: String,
    /// What, as a stable name: `campaign.saved`.
    pub action: String,
    /// To what: `campaign:spring`.
    pub subject: String,
    /// More about it, a JSON object without secrets.
    pub detail: String,
    /// In which request.
    pub request_id: Option<String>,
}

/// A row as stored.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct AuditRow {
    /// Its place in the chain, from 1, without gaps.
    pub number: i64,
    /// When, unix microseconds.
    pub at_us: i64,
    /// Who.
    pub actor: String,
    /// What.
    pub action: String,
    /// To what.
    pub subject: String,
    /// More about it, a JSON object.
    pub detail: String,
    /// In which request.
    pub request_id: Option<String>,
    /// The hash of the row before.
    pub previous: Vec<u8>,
    /// The hash of this row and, through the one before, of all before it.
    pub hash: Vec<u8>,
}

/// The end of a chain.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct AuditHead {
    /// The number of the last row.
    pub number: i64,
    /// Its hash.
    pub hash: Vec<u8>,
}

impl AuditRow {
    /// What the row's hash has to be.
    pub fn digest(&self, connection: &ConnectionId) -> [u8; 32] {
        let mut hash = Sha256::new();
        let mut part = |bytes: &[u8]| {
            // Each part with its length: nothing can move from one column into the next.
            hash.update(u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(bytes);
        };
        part(&self.previous);
        part(connection.as_str().as_bytes());
        part(&self.number.to_be_bytes());
        part(&self.at_us.to_be_bytes());
        part(self.actor.as_bytes());
        part(self.action.as_bytes());
        part(self.subject.as_bytes());
        part(self.detail.as_bytes());
        part(self.request_id.as_deref().unwrap_or_default().as_bytes());
        hash.finalize().into()
    }
}

/// Adds a row to the connection's chain. Whoever adds holds the end of the chain until their
/// transaction ends, so do it last: others wait, and nobody who waits holds what is wanted.
pub async fn append_audit(
    tx: &mut Tx,
    connection: &ConnectionId,
    new: &NewAuditRow,
) -> Result<i64, StoreError> {
    let head: AuditHead = Statement::new(
        "INSERT INTO audit_heads (connection_id, number, hash) VALUES ($1, 1, $2)
         ON CONFLICT (connection_id) DO UPDATE SET number = audit_heads.number + 1
         RETURNING number, hash",
    )
    .bind(connection)
    .bind(&BEGINNING)
    .fetch_one(tx)
    .await?;
    let mut row = AuditRow {
        number: head.number,
        at_us: new.at_us,
        actor: new.actor.clone(),
        action: new.action.clone(),
        subject: new.subject.clone(),
        detail: new.detail.clone(),
        request_id: new.request_id.clone(),
        previous: head.hash,
        hash: Vec::new(),
    };
    row.hash = row.digest(connection).to_vec();
    Statement::new(
        "INSERT INTO audit_log (connection_id, number, at_us, actor, action, subject, detail,
                                request_id, previous, hash)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(connection)
    .bind(row.number)
    .bind(row.at_us)
    .bind(&row.actor)
    .bind(&row.action)
    .bind(&row.subject)
    .bind(&row.detail)
    .bind(&row.request_id)
    .bind(row.previous.as_slice())
    .bind(row.hash.as_slice())
    .execute_exactly("adding to the audit log", 1, tx)
    .await?;
    Statement::new("UPDATE audit_heads SET hash = $2 WHERE connection_id = $1")
        .bind(connection)
        .bind(row.hash.as_slice())
        .execute_exactly("moving the end of the audit log", 1, tx)
        .await?;
    Ok(row.number)
}

/// Which rows of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Of whom.
    pub actor: Option<String>,
    /// Of what kind.
    pub action: Option<String>,
    /// About what.
    pub subject: Option<String>,
}

/// One page, the newest first, of rows before a number.
pub async fn list_audit(
    tx: &mut Tx,
    connection: &ConnectionId,
    filter: &AuditFilter,
    before: Option<i64>,
    limit: u32,
) -> Result<Vec<AuditRow>, StoreError> {
    Statement::new(
        "SELECT number, at_us, actor, action, subject, detail, request_id, previous, hash
         FROM audit_log WHERE connection_id = $1",
    )
    .bind(connection)
    .push_some(" AND actor = $#", filter.actor.as_deref())
    .push_some(" AND action = $#", filter.action.as_deref())
    .push_some(" AND subject = $#", filter.subject.as_deref())
    .push_some(" AND number < $#", before)
    .push(" ORDER BY number DESC LIMIT $#", limit)
    .fetch_all(tx)
    .await
}

/// One page in the order of the chain, after a number: for `verify`.
pub async fn audit_page(
    tx: &mut Tx,
    connection: &ConnectionId,
    after: i64,
    limit: u32,
) -> Result<Vec<AuditRow>, StoreError> {
    Statement::new(
        "SELECT number, at_us, actor, action, subject, detail, request_id, previous, hash
         FROM audit_log WHERE connection_id = $1 AND number > $2 ORDER BY number LIMIT $3",
    )
    .bind(connection)
    .bind(after)
    .bind(limit)
    .fetch_all(tx)
    .await
}

/// The end of the chain; `None` before the first row.
pub async fn audit_head(
    tx: &mut Tx,
    connection: &ConnectionId,
) -> Result<Option<AuditHead>, StoreError> {
    Statement::new("SELECT number, hash FROM audit_heads WHERE connection_id = $1")
        .bind(connection)
        .fetch_optional(tx)
        .await
}
