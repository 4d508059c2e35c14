//! The database itself: connecting, checking that it is fit, migrating, transactions.
//! What is in the tables is the business of the files beside this one.

use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{PgPool, Postgres, Sqlite, SqlitePool, Transaction};

use super::dialect::Engine;
use super::error::StoreError;
use super::{postgres, sqlite};

static SQLITE_MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES_MIGRATIONS: Migrator = sqlx::migrate!("migrations/postgres");

/// How often the migrations are tried while other nodes may be running the same ones: two nodes
/// in step lose to each other once a migration, so this has to exceed the number of migrations.
const MIGRATION_ATTEMPTS: u32 = 20;

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
    Postgres(PgPool),
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
                Ok(Self::Postgres(postgres::open(url, options).await?))
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

    /// Brings the tables up to date.
    ///
    /// Without a lock, for engines that have no advisory locks: each migration and its record
    /// are one transaction, so of two nodes one fails, looks again, and finds it done.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        for attempt in 1..MIGRATION_ATTEMPTS {
            match self.migrate_once().await {
                Err(MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) => {
                    tracing::debug!(%error, attempt, "migrations are tried again");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                outcome => return Ok(outcome?),
            }
        }
        Ok(self.migrate_once().await?)
    }

    async fn migrate_once(&self) -> Result<(), MigrateError> {
        match self {
            Self::Sqlite { write, .. } => unlocked(&SQLITE_MIGRATIONS).run(write).await,
            Self::Postgres(pool) => unlocked(&POSTGRES_MIGRATIONS).run(pool).await,
        }
    }

    /// Starts a transaction that writes. Dropped without [`Tx::commit`] it is rolled back.
    pub async fn begin(&self) -> Result<Tx, StoreError> {
        match self {
            // Taking the write lock at once: a later upgrade could fail with SQLITE_BUSY.
            Self::Sqlite { write, .. } => {
                Ok(Tx::Sqlite(write.begin_with("BEGIN IMMEDIATE").await?))
            }
            Self::Postgres(pool) => Ok(Tx::Postgres(pool.begin().await?)),
        }
    }

    /// Starts a transaction that only reads, all of it from one state of the database.
    pub async fn read(&self) -> Result<Tx, StoreError> {
        match self {
            Self::Sqlite { read, .. } => Ok(Tx::Sqlite(read.begin().await?)),
            Self::Postgres(pool) => Ok(Tx::Postgres(
                pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                    .await?,
            )),
        }
    }

    /// Whether the database answers now.
    pub async fn ping(&self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite { read, .. } => sqlx::query("SELECT 1").execute(read).await.map(|_| ())?,
            Self::Postgres(pool) => sqlx::query("SELECT 1").execute(pool).await.map(|_| ())?,
        }
        Ok(())
    }

    /// Whether every migration of this program has run, and none that it does not know.
    pub async fn is_migrated(&self) -> Result<bool, StoreError> {
        const COUNT: &str = "SELECT COUNT(*) FROM _sqlx_migrations";
        let (known, count) = match self {
            Self::Sqlite { read, .. } => (
                SQLITE_MIGRATIONS.iter().count(),
                sqlx::query_scalar::<_, i64>(COUNT).fetch_one(read).await,
            ),
            Self::Postgres(pool) => (
                POSTGRES_MIGRATIONS.iter().count(),
                sqlx::query_scalar::<_, i64>(COUNT).fetch_one(pool).await,
            ),
        };
        match count {
            Ok(count) => Ok(usize::try_from(count).is_ok_and(|count| count == known)),
            // No such table: nothing has run yet.
            Err(sqlx::Error::Database(error)) if is_missing_table(error.code().as_deref()) => {
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Closes every connection; on SQLite this writes the WAL back into the file.
    pub async fn close(&self) {
        match self {
            Self::Sqlite { read, write } => {
                read.close().await;
                write.close().await;
            }
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

fn unlocked(migrator: &'static Migrator) -> Migrator {
    let mut unlocked = Migrator {
        migrations: std::borrow::Cow::Borrowed(&migrator.migrations),
        ..Migrator::DEFAULT
    };
    unlocked.set_locking(false);
    unlocked
}

/// `undefined_table` on PostgreSQL; SQLite only has its general `SQLITE_ERROR`.
fn is_missing_table(code: Option<&str>) -> bool {
    matches!(code, Some("42P01" | "1"))
}

/// A transaction on either engine.
#[derive(Debug)]
pub enum Tx {
    /// On SQLite.
    Sqlite(Transaction<'static, Sqlite>),
    /// On PostgreSQL.
    Postgres(Transaction<'static, Postgres>),
}

impl Tx {
    /// Which engine this is.
    pub const fn engine(&self) -> Engine {
        match self {
            Self::Sqlite(_) => Engine::Sqlite,
            Self::Postgres(_) => Engine::Postgres,
        }
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
