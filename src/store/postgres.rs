//! Connecting to PostgreSQL, and refusing one that cannot keep what it commits.
//! Nothing here knows a table.

use std::ops::{Deref, DerefMut};
use std::str::FromStr as _;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions as _, FromRow, PgConnection, PgPool, Postgres, Transaction};

use super::db::ConnectOptions;
use super::error::StoreError;

/// PostgreSQL 15.
const VERSION_MIN: i32 = 150_000;
/// Prepared statements kept a connection: every text of this room.
const STATEMENTS_KEPT: usize = 256;
/// The parameter of the address that has statements not kept if it is 0.
const STATEMENTS_PARAMETER: &str = "statement-cache-capacity";

/// Whatever the database's default is: a transaction that waits for its turn at a lease has to
/// see what the one before it wrote, and in a stricter level it would fail instead.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";
/// A node that stands still in the middle of a transaction holds its locks; after this long the
/// server ends the transaction, and the other nodes go on. Said in every transaction, because a
/// pooler gives each of them another session.
const BEGIN_WITHIN_BOUNDS: &str = "BEGIN ISOLATION LEVEL READ COMMITTED; \
    SET LOCAL idle_in_transaction_session_timeout = '30s'";
const BEGIN_TO_READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// A server, by its connections. Cheap to clone: clones share them.
#[derive(Debug, Clone)]
pub struct Server {
    pool: PgPool,
    /// How a transaction that writes begins.
    begin: &'static str,
    /// Whether statements are prepared once and kept. A pooler in transaction mode loses them.
    keeps_statements: bool,
}

impl Server {
    /// Connects and checks.
    pub(super) async fn open(url: &str, options: &ConnectOptions) -> Result<Self, StoreError> {
        let server = PgConnectOptions::from_str(url)?;
        let keeps_statements = !server
            .to_url_lossy()
            .query_pairs()
            .any(|(name, value)| name == STATEMENTS_PARAMETER && value == "0");
        let kept = if keeps_statements { STATEMENTS_KEPT } else { 0 };
        let server = server
            .application_name("qualify")
            // No column holds a float, and poolers refuse parameters that they do not know.
            .extra_float_digits(None)
            .statement_cache_capacity(kept);
        let pool = PgPoolOptions::new()
            .max_connections(options.connections_max.max(1))
            .acquire_timeout(options.acquire_timeout)
            .connect_with(server)
            .await?;
        let mut server = Self {
            pool,
            begin: BEGIN,
            keeps_statements,
        };
        let settings = server.settings().await?;
        if let Some(why) = unfit(&settings) {
            server.pool.close().await;
            return Err(StoreError::Unfit(why));
        }
        if settings.idle_timeout == "0" {
            server.begin = BEGIN_WITHIN_BOUNDS;
        }
        Ok(server)
    }

    async fn settings(&self) -> Result<Settings, StoreError> {
        let mut tx = self.read().await?;
        let settings = sqlx::query_as(
            "SELECT current_setting('server_version_num')::int AS version,
                    pg_is_in_recovery() AS standby,
                    current_setting('fsync') AS fsync,
                    current_setting('synchronous_commit') AS synchronous,
                    current_setting('server_encoding') AS encoding,
                    current_setting('idle_in_transaction_session_timeout') AS idle_timeout",
        )
        .persistent(self.keeps_statements)
        .fetch_one(&mut *tx)
        .await?;
        tx.rollback().await?;
        Ok(settings)
    }

    /// Starts a transaction that writes.
    pub(super) async fn begin(&self) -> Result<PgTx, StoreError> {
        self.begin_by(self.begin).await
    }

    /// Starts a transaction that reads from one state of the database.
    pub(super) async fn read(&self) -> Result<PgTx, StoreError> {
        self.begin_by(BEGIN_TO_READ).await
    }

    async fn begin_by(&self, text: &'static str) -> Result<PgTx, StoreError> {
        Ok(PgTx {
            tx: self.pool.begin_with(text).await?,
            keeps_statements: self.keeps_statements,
        })
    }

    pub(super) async fn ping(&self) -> Result<(), StoreError> {
        sqlx::raw_sql("SELECT 1").execute(&self.pool).await?;
        Ok(())
    }

    pub(super) async fn close(&self) {
        self.pool.close().await;
    }
}

/// A transaction on PostgreSQL.
#[derive(Debug)]
pub struct PgTx {
    tx: Transaction<'static, Postgres>,
    keeps_statements: bool,
}

impl PgTx {
    /// Whether statements are prepared once and kept.
    pub(super) const fn keeps_statements(&self) -> bool {
        self.keeps_statements
    }

    pub(super) async fn commit(self) -> Result<(), StoreError> {
        Ok(self.tx.commit().await?)
    }

    pub(super) async fn rollback(self) -> Result<(), StoreError> {
        Ok(self.tx.rollback().await?)
    }
}

impl Deref for PgTx {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.tx
    }
}

impl DerefMut for PgTx {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.tx
    }
}

/// What a server says of itself.
#[derive(Debug, Clone, FromRow)]
struct Settings {
    version: i32,
    standby: bool,
    fsync: String,
    synchronous: String,
    encoding: String,
    /// How long a transaction may stand still; `0` for ever.
    idle_timeout: String,
}

/// Why a server cannot keep what is promised, if it cannot: version, role, durability.
fn unfit(server: &Settings) -> Option<String> {
    let Settings {
        version,
        fsync,
        synchronous,
        encoding,
        ..
    } = server;
    if *version < VERSION_MIN {
        return Some(format!(
            "PostgreSQL reports version {version}, at least {VERSION_MIN} is needed; upgrade the server"
        ));
    }
    if server.standby {
        return Some(
            "this server is a standby, which only reads; point DATABASE_URL at the primary"
                .to_owned(),
        );
    }
    if fsync != "on" {
        return Some(format!(
            "fsync is {fsync}: what is acknowledged could be lost with the power; set fsync = on"
        ));
    }
    if synchronous == "off" {
        return Some(
            "synchronous_commit is off: what is acknowledged could be lost in a crash; \
             set synchronous_commit = on"
                .to_owned(),
        );
    }
    (encoding != "UTF8")
        .then(|| format!("the database's encoding is {encoding}; create it with ENCODING 'UTF8'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_may_forget_is_refused() {
        let fit = |version, standby, fsync, synchronous, encoding| {
            let [fsync, synchronous, encoding] = [fsync, synchronous, encoding].map(String::from);
            let settings = Settings {
                version,
                standby,
                fsync,
                synchronous,
                encoding,
                idle_timeout: "0".to_owned(),
            };
            unfit(&settings).is_none()
        };
        assert!(fit(150_008, false, "on", "on", "UTF8"));
        assert!(fit(180_000, false, "on", "remote_apply", "UTF8"));
        assert!(!fit(140_012, false, "on", "on", "UTF8"));
        assert!(!fit(150_008, true, "on", "on", "UTF8"));
        assert!(!fit(150_008, false, "off", "on", "UTF8"));
        assert!(!fit(150_008, false, "on", "off", "UTF8"));
        assert!(!fit(150_008, false, "on", "on", "SQL_ASCII"));
    }
}
