//! Connecting to PostgreSQL, and refusing one that cannot keep what it commits.
//! Nothing here knows a table.

use std::str::FromStr as _;

use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use super::db::ConnectOptions;
use super::error::StoreError;

/// PostgreSQL 15.
const VERSION_MIN: i32 = 150_000;
/// Prepared statements kept a connection: every text of this room.
const STATEMENTS_KEPT: usize = 256;

/// Connects and checks.
pub(super) async fn open(url: &str, options: &ConnectOptions) -> Result<PgPool, StoreError> {
    let server = PgConnectOptions::from_str(url)?
        .application_name("qualify")
        .statement_cache_capacity(STATEMENTS_KEPT);
    let pool = PgPoolOptions::new()
        .max_connections(options.connections_max.max(1))
        .acquire_timeout(options.acquire_timeout)
        .connect_with(server)
        .await?;
    check(&pool).await?;
    Ok(pool)
}

/// Version, role and durability of the server.
async fn check(pool: &PgPool) -> Result<(), StoreError> {
    let (version, standby, fsync, synchronous, encoding): (i32, bool, String, String, String) =
        sqlx::query_as(
            "SELECT current_setting('server_version_num')::int, pg_is_in_recovery(),
                    current_setting('fsync'), current_setting('synchronous_commit'),
                    current_setting('server_encoding')",
        )
        .fetch_one(pool)
        .await?;
    match unfit(version, standby, &fsync, &synchronous, &encoding) {
        Some(why) => Err(StoreError::Unfit(why)),
        None => Ok(()),
    }
}

fn unfit(
    version: i32,
    standby: bool,
    fsync: &str,
    synchronous: &str,
    encoding: &str,
) -> Option<String> {
    if version < VERSION_MIN {
        return Some(format!(
            "PostgreSQL reports version {version}, at least {VERSION_MIN} is needed; upgrade the server"
        ));
    }
    if standby {
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
            unfit(version, standby, fsync, synchronous, encoding).is_none()
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
