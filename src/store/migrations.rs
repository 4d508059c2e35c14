//! Bringing the tables up to date, by any number of nodes at once. What the migrations say is
//! in the folder `migrations`; this runs each of them exactly once.
//!
//! Without a lock, for engines and poolers that have no advisory locks: a migration and its
//! record are one transaction that begins with the record. Of several nodes one inserts it; the
//! others wait at its key until that transaction ends, and then find it there, or take its place.

use sqlx::FromRow;
use sqlx::migrate::{Migration, Migrator};

use super::StoreError;
use super::db::Db;
use super::dialect::Engine;
use super::retry::{Contested, retry};
use super::statement::Statement;

static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");

/// The tables compared with those that this program works on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schema {
    /// Migrations of this program have yet to run.
    Older,
    /// They are what this program expects.
    Current,
    /// A later program has run migrations that this one does not know.
    Newer {
        /// The last migration that has run.
        found: i64,
    },
}

/// A migration that has run.
#[derive(Debug, FromRow)]
struct Applied {
    version: i64,
    checksum: Vec<u8>,
}

fn known(engine: Engine) -> &'static [Migration] {
    match engine {
        Engine::Sqlite => &SQLITE.migrations,
        Engine::Postgres => &POSTGRES.migrations,
    }
}

/// Compares the tables with what this program expects; [`StoreError::Changed`] if one of its
/// migrations ran with another text.
pub(super) async fn schema(db: &Db) -> Result<Schema, StoreError> {
    let known = known(db.engine());
    let Some(applied) = applied(db).await? else {
        return Ok(Schema::Older);
    };
    for one in &applied {
        let Some(mine) = known.iter().find(|known| known.version == one.version) else {
            let found = applied.iter().map(|applied| applied.version).max();
            return Ok(Schema::Newer {
                found: found.unwrap_or(one.version),
            });
        };
        if *mine.checksum != *one.checksum {
            return Err(StoreError::Changed(one.version));
        }
    }
    if applied.len() == known.len() {
        Ok(Schema::Current)
    } else {
        Ok(Schema::Older)
    }
}

/// Runs what has not run yet. Refuses tables that a later program has made.
pub(super) async fn run(db: &Db) -> Result<(), StoreError> {
    match schema(db).await? {
        Schema::Current => return Ok(()),
        Schema::Older => {}
        Schema::Newer { found } => {
            let known = known(db.engine()).iter().map(|m| m.version).max();
            let known = known.unwrap_or_default();
            return Err(StoreError::Newer { found, known });
        }
    }
    make_records(db).await?;
    for migration in known(db.engine()) {
        retry(|| apply(db, migration)).await?;
    }
    Ok(())
}

/// What has run; `None` if nothing ever has.
async fn applied(db: &Db) -> Result<Option<Vec<Applied>>, StoreError> {
    let mut tx = db.read().await?;
    let rows = Statement::new("SELECT version, checksum FROM _sqlx_migrations ORDER BY version")
        .fetch_all(&mut tx)
        .await;
    match rows {
        Ok(rows) => Ok(Some(rows)),
        Err(error) if error.code().is_some_and(|code| is_missing_table(&code)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// `undefined_table` on PostgreSQL; SQLite only has its general `SQLITE_ERROR`.
fn is_missing_table(code: &str) -> bool {
    matches!(code, "42P01" | "1")
}

/// The table of records, in the shape that the `sqlx` command line reads.
const RECORDS_SQLITE: &str = "CREATE TABLE IF NOT EXISTS _sqlx_migrations (
    version BIGINT PRIMARY KEY,
    description TEXT NOT NULL,
    installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    success BOOLEAN NOT NULL,
    checksum BLOB NOT NULL,
    execution_time BIGINT NOT NULL
)";
const RECORDS_POSTGRES: &str = "CREATE TABLE IF NOT EXISTS _sqlx_migrations (
    version BIGINT PRIMARY KEY,
    description TEXT NOT NULL,
    installed_on TIMESTAMPTZ NOT NULL DEFAULT now(),
    success BOOLEAN NOT NULL,
    checksum BYTEA NOT NULL,
    execution_time BIGINT NOT NULL
)";

async fn make_records(db: &Db) -> Result<(), StoreError> {
    let text = match db.engine() {
        Engine::Sqlite => RECORDS_SQLITE,
        Engine::Postgres => RECORDS_POSTGRES,
    };
    let made = retry(|| async {
        let mut tx = db.begin().await.map_err(Contested)?;
        Statement::new(text)
            .execute(&mut tx)
            .await
            .map_err(Contested)?;
        tx.commit().await.map_err(Contested)
    });
    made.await.map_err(|Contested(error)| error)
}

/// Runs one migration, unless it has run.
async fn apply(db: &Db, migration: &'static Migration) -> Result<(), StoreError> {
    let mut tx = db.begin().await?;
    let recorded = Statement::new(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES ($1, $2, TRUE, $3, -1)
         ON CONFLICT (version) DO NOTHING",
    )
    .bind(migration.version)
    .bind(&*migration.description)
    .bind(&*migration.checksum)
    .execute(&mut tx)
    .await?;
    if recorded == 0 {
        return tx.rollback().await;
    }
    tx.script(migration.sql.as_str()).await?;
    tx.commit().await?;
    tracing::info!(
        migration = migration.version,
        "the tables have been brought up to date"
    );
    Ok(())
}
