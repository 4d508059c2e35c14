//! Opening a SQLite file so that what was committed survives power loss.
//! Nothing here knows a table.

use std::str::FromStr as _;

use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use super::db::ConnectOptions;
use super::error::StoreError;

/// The first release without the WAL-reset corruption. Source: <https://www.sqlite.org/wal.html>.
const VERSION_MIN: (u32, u32, u32) = (3, 51, 3);
/// Prepared statements kept a connection: every text of this room in its few lengths.
const STATEMENTS_KEPT: usize = 512;
/// Rows that a connection's thread may be ahead of whoever takes them: more than most statements
/// answer, so that the two do not wait for each other every few rows.
const ROWS_AHEAD: usize = 512;
/// Pages of the write-ahead log after which its writer puts them back into the file; SQLite's own
/// is 1000. The same index pages change in transaction after transaction, and are put back once
/// for all of them: the log takes 32 MiB for it.
const CHECKPOINT_PAGES: &str = "8192";
/// Page cache of the writer, in KiB (negative is SQLite's way to say KiB).
const WRITER_CACHE: &str = "-65536";
/// The same for a reader: enough for the inner pages of a file of some ten gigabytes, which every
/// look-up by key passes through. It grows as it is used.
const READER_CACHE: &str = "-16384";
/// Bytes of the file that readers map into memory.
const MMAP_BYTES: &str = "268435456";

/// Opens the file, making it and its folder if absent: (readers, the one writer).
pub(super) async fn open(
    url: &str,
    options: &ConnectOptions,
) -> Result<(SqlitePool, SqlitePool), StoreError> {
    let file = SqliteConnectOptions::from_str(url)?
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(options.busy_timeout)
        .statement_cache_capacity(STATEMENTS_KEPT)
        .row_buffer_size(ROWS_AHEAD)
        .pragma("wal_autocheckpoint", CHECKPOINT_PAGES);
    if url.contains(":memory:") || url.contains("mode=memory") {
        return Err(StoreError::Unfit(
            "a database in memory has no second connection; write sqlite://<file>".to_owned(),
        ));
    }
    if let Some(folder) = file.get_filename().parent() {
        std::fs::create_dir_all(folder).map_err(StoreError::Folder)?;
    }

    let write = SqlitePoolOptions::new()
        .max_connections(1)
        .acquire_timeout(options.acquire_timeout)
        .test_before_acquire(false)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_with(file.clone().pragma("cache_size", WRITER_CACHE))
        .await?;
    check(&write).await?;
    let read = SqlitePoolOptions::new()
        .max_connections(options.connections_max.max(1))
        .acquire_timeout(options.acquire_timeout)
        .test_before_acquire(false)
        .connect_with(
            file.pragma("query_only", "ON")
                .pragma("cache_size", READER_CACHE)
                .pragma("mmap_size", MMAP_BYTES),
        )
        .await?;
    Ok((read, write))
}

/// Checks what the settings above are worth: the version, and that WAL is really on.
async fn check(pool: &SqlitePool) -> Result<(), StoreError> {
    let version: String = sqlx::query_scalar("SELECT sqlite_version()")
        .fetch_one(pool)
        .await?;
    if parse_version(&version).is_none_or(|version| version < VERSION_MIN) {
        let (major, minor, patch) = VERSION_MIN;
        return Err(StoreError::Unfit(format!(
            "SQLite is {version}, at least {major}.{minor}.{patch} is needed; rebuild with the bundled one"
        )));
    }
    let journal: String = sqlx::query_scalar("PRAGMA journal_mode")
        .fetch_one(pool)
        .await?;
    let synchronous: i64 = sqlx::query_scalar("PRAGMA synchronous")
        .fetch_one(pool)
        .await?;
    if journal != "wal" || synchronous != 2 {
        return Err(StoreError::Unfit(format!(
            "the file's journal is {journal} with synchronous={synchronous}, expected wal with 2 (FULL); \
             put the file on a local disk"
        )));
    }
    Ok(())
}

fn parse_version(text: &str) -> Option<(u32, u32, u32)> {
    let mut parts = text.split('.').map(|part| part.parse().ok());
    Some((parts.next()??, parts.next()??, parts.next()??))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(parse_version("3.51.3").unwrap() >= VERSION_MIN);
        assert!(parse_version("3.100.0").unwrap() > VERSION_MIN);
        assert!(parse_version("3.9.9").unwrap() < VERSION_MIN);
        assert_eq!(parse_version("three"), None);
    }
}
