//! The database itself: connecting, checking that it is fit, migrating, transactions.
//! What is in the tables is the business of the files beside this one.

use std::time::Duration;

use sqlx::{Sqlite, SqlitePool, Transaction};

use super::dialect::Engine;
use super::error::StoreError;
use super::migrations::{self, Schema};
use super::postgres::{PgTx, Server};
use super::sqlite;

/// How to connect.
#[derive(Debug, Clone)]
pub struct ConnectOptions {
    /// Connections to PostgreSQL, or readers on SQLite (which has one writer besides).
    pub connections_max: u32,
    /// How long a request waits for a free connection before it fails.
    pub acquire_timeout: Duration,
    /// How long SQLite waits for another process that holds the file.
    pub busy_timeout: Duration,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self {
            connections_max: 8,
            acquire_timeout: Duration::from_secs(5),
            busy_timeout: Duration::from_secs(5),
        }
    }
}

/// A database. Cheap to clone: clones share their connections.
#[derive(Debug, Clone)]
pub enum Db {
    /// SQLite in the process.
    Sqlite {
        /// Connections that only read.
        read: SqlitePool,
        /// The one connection that writes.
        write: SqlitePool,
    },
    /// PostgreSQL.
    Postgres(Server),
}

impl Db {
    /// Connects to `sqlite://<file>` (made with its folder if absent) or `postgres://…`, and checks
    /// that the database is recent, writable and durable.
    pub async fn connect(url: &str, options: &ConnectOptions) -> Result<Self, StoreError> {
        match url.split_once(':').map(|(scheme, _)| scheme) {
            Some("sqlite") => {
                let (read, write) = sqlite::open(url, options).await?;
                Ok(Self::Sqlite { read, write })
            }
            Some("postgres" | "postgresql") => {
                Ok(Self::Postgres(Server::open(url, options).await?))
            }
            // The address may hold a password: only its scheme is repeated.
            Some(scheme) => Err(StoreError::Address(format!("{scheme}:…"))),
            None => Err(StoreError::Address("…".to_owned())),
        }
    }

    /// Which engine this is.
    pub const fn engine(&self) -> Engine {
        match self {
            Self::Sqlite { .. } => Engine::Sqlite,
            Self::Postgres(_) => Engine::Postgres,
        }
    }

    /// Brings the tables up to date; any number of nodes may do so at once. Tables of a later
    /// program are refused with [`StoreError::Newer`].
    pub async fn migrate(&self) -> Result<(), StoreError> {
        migrations::run(self).await
    }

    /// Whether the tables are those of this program, of an earlier or of a later one.
    pub async fn schema(&self) -> Result<Schema, StoreError> {
        migrations::schema(self).await
    }

    /// Whether the tables are those of this program.
    pub async fn is_migrated(&self) -> Result<bool, StoreError> {
        Ok(self.schema().await? == Schema::Current)
    }

    /// Starts a transaction that writes. Dropped without [`Tx::commit`] it is rolled back.
    ///
    /// It may fail because of what others do at the same moment: run it by [`retry`](super::retry).
    pub async fn begin(&self) -> Result<Tx, StoreError> {
        match self.clone() {
            // Taking the write lock at once: a later upgrade could fail with SQLITE_BUSY.
            Self::Sqlite { write, .. } => {
                uncut(async move { Ok(Tx::Sqlite(write.begin_with("BEGIN IMMEDIATE").await?)) })
                    .await
            }
            Self::Postgres(server) => {
                uncut(async move { Ok(Tx::Postgres(server.begin().await?)) }).await
            }
        }
    }

    /// Starts a transaction that only reads, all of it from one state of the database.
    pub async fn read(&self) -> Result<Tx, StoreError> {
        match self.clone() {
            Self::Sqlite { read, .. } => {
                uncut(async move { Ok(Tx::Sqlite(read.begin().await?)) }).await
            }
            Self::Postgres(server) => {
                uncut(async move { Ok(Tx::Postgres(server.read().await?)) }).await
            }
        }
    }

    /// Whether the database answers now.
    pub async fn ping(&self) -> Result<(), StoreError> {
        // As plain text: it is no transaction, and a prepared statement could be looked for on
        // another server connection than the one that has it.
        match self {
            Self::Sqlite { read, .. } => {
                sqlx::raw_sql("SELECT 1").execute(read).await?;
            }
            Self::Postgres(server) => server.ping().await?,
        }
        Ok(())
    }

    /// Closes every connection; on SQLite this writes the WAL back into the file.
    pub async fn close(&self) {
        match self {
            Self::Sqlite { read, write } => {
                read.close().await;
                write.close().await;
            }
            Self::Postgres(server) => server.close().await,
        }
    }
}

/// Runs `work` to its end, even if whoever waits for it is gone. `sqlx` hands a connection back
/// with a transaction open on it when the future that begins one is dropped half-way
/// (seen in 0.9.0): a transaction that has begun is always handed to somebody who can end it.
async fn uncut<T: Send + 'static>(
    work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
) -> Result<T, StoreError> {
    match tokio::spawn(work).await {
        Ok(outcome) => outcome,
        // The runtime is ending, or the driver panicked: there is no transaction.
        Err(_) => Err(StoreError::Database(sqlx::Error::WorkerCrashed)),
    }
}

/// A transaction on either engine.
#[derive(Debug)]
pub enum Tx {
    /// On SQLite.
    Sqlite(Transaction<'static, Sqlite>),
    /// On PostgreSQL.
    Postgres(PgTx),
}

impl Tx {
    /// Which engine this is.
    pub const fn engine(&self) -> Engine {
        match self {
            Self::Sqlite(_) => Engine::Sqlite,
            Self::Postgres(_) => Engine::Postgres,
        }
    }

    /// Runs a text of several statements without values, as migrations are.
    pub(super) async fn script(&mut self, text: &'static str) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(tx) => sqlx::raw_sql(text).execute(&mut **tx).await.map(|_| ())?,
            Self::Postgres(tx) => sqlx::raw_sql(text).execute(&mut **tx).await.map(|_| ())?,
        }
        Ok(())
    }

    /// Makes it permanent. When this returns, it survives a crash and a power failure.
    pub async fn commit(self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(tx) => tx.commit().await?,
            Self::Postgres(tx) => tx.commit().await?,
        }
        Ok(())
    }

    /// Undoes it, and waits until that is done.
    pub async fn rollback(self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(tx) => tx.rollback().await?,
            Self::Postgres(tx) => tx.rollback().await?,
        }
        Ok(())
    }
}
