//! Connections: one Stripe account in one mode each. Their secrets are not kept here.

use sqlx::FromRow;

use super::db::Tx;
use super::error::StoreError;
use super::json::{instant, name};
use super::statement::Statement;
use crate::domain::campaign::Mode;
use crate::domain::ids::{AccountId, ConnectionId};
use crate::domain::time::Timestamp;

const TABLE: &str = "connections";

/// A connection as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// Its id.
    pub id: ConnectionId,
    /// The Stripe account, once known.
    pub account: Option<AccountId>,
    /// Live or test.
    pub mode: Mode,
    /// What people call it.
    pub name: String,
    /// When it was added.
    pub created_at: Timestamp,
}

#[derive(FromRow)]
struct Row {
    connection_id: String,
    account: Option<String>,
    mode: String,
    name: String,
    created_at: i64,
}

/// Adds a connection, or writes its account and name over what was there. Its mode stays:
/// facts of the other mode would be among its own; [`StoreError::Stale`] if it differs.
pub async fn upsert_connection(tx: &mut Tx, connection: &Connection) -> Result<(), StoreError> {
    Statement::new(
        "INSERT INTO connections (connection_id, account, mode, name, created_at)
         VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (connection_id) DO UPDATE
         SET account = excluded.account, name = excluded.name
         WHERE connections.mode = excluded.mode",
    )
    .bind(&connection.id)
    .bind(&connection.account)
    .bind(connection.mode.name())
    .bind(&connection.name)
    .bind(connection.created_at)
    .execute_exactly("writing a connection of the same mode", 1, tx)
    .await
}

/// Every connection, in order of id. The list of scopes is the one thing read without a scope.
pub async fn list_connections(tx: &mut Tx) -> Result<Vec<Connection>, StoreError> {
    let rows: Vec<Row> = Statement::new(
        "SELECT connection_id, account, mode, name, created_at FROM connections
         ORDER BY connection_id",
    )
    .fetch_all(tx)
    .await?;
    let read = |row: Row| {
        Ok(Connection {
            id: row.connection_id.into(),
            account: row.account.map(AccountId::new),
            mode: name(TABLE, &row.mode, parse_mode)?,
            name: row.name,
            created_at: instant(TABLE, row.created_at)?,
        })
    };
    rows.into_iter().map(read).collect()
}

/// One connection.
pub async fn get_connection(
    tx: &mut Tx,
    connection: &ConnectionId,
) -> Result<Option<Connection>, StoreError> {
    let all = list_connections(tx).await?;
    Ok(all.into_iter().find(|one| one.id == *connection))
}

fn parse_mode(name: &str) -> Option<Mode> {
    [Mode::Live, Mode::Test]
        .into_iter()
        .find(|mode| mode.name() == name)
}
