//! Whether somebody is connected to a database, asked before it is opened by ourselves.
//! Nothing here knows a table.

use std::str::FromStr as _;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteLockingMode};
use sqlx::{ConnectOptions as _, Connection as _};

use super::error::StoreError;

/// What sessions of this program are called in `pg_stat_activity`.
const NAME: &str = "qualify";
/// How long whoever is just ending may take: looks, and the pause in between.
const LOOKS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(100);

/// Whether another process has the SQLite file open, or a session of this program is connected
/// to the PostgreSQL database. `None` if there is no such file.
pub async fn is_in_use(url: &str) -> Result<Option<bool>, StoreError> {
    if url.starts_with("sqlite:") {
        sqlite(url).await
    } else {
        postgres(url).await.map(Some)
    }
}

/// Whoever uses a file in WAL mode shares a lock on it all the time, even when idle; this asks
/// for it alone.
async fn sqlite(url: &str) -> Result<Option<bool>, StoreError> {
    let file = SqliteConnectOptions::from_str(url)?
        .locking_mode(SqliteLockingMode::Exclusive)
        .busy_timeout(PAUSE * LOOKS);
    if !file.get_filename().is_file() {
        return Ok(None);
    }
    let mut alone = file.connect().await?;
    let asked = sqlx::raw_sql("BEGIN IMMEDIATE; ROLLBACK")
        .execute(&mut alone)
        .await
        .map_err(StoreError::from);
    let answer = match asked {
        Ok(_) => Ok(Some(false)),
        Err(error) if error.is_locked_out() => Ok(Some(true)),
        Err(error) => Err(error),
    };
    alone.close().await?;
    answer
}

async fn postgres(url: &str) -> Result<bool, StoreError> {
    let server = PgConnectOptions::from_str(url)?.application_name(NAME);
    let mut own = server.connect().await?;
    let mut others: i64 = 0;
    for look in 0..LOOKS {
        if look > 0 {
            tokio::time::sleep(PAUSE).await;
        }
        others = sqlx::query_scalar(
            "SELECT COUNT(*) FROM pg_stat_activity
             WHERE datname = current_database() AND application_name = $1
               AND pid <> pg_backend_pid()",
        )
        .bind(NAME)
        .fetch_one(&mut own)
        .await?;
        if others == 0 {
            break;
        }
    }
    own.close().await?;
    Ok(others > 0)
}
