//! Copies a whole installation into an empty database of either engine, and compares the two.
//! It knows no table: what is copied is what the schema lists.
//!
//! The target is written in one transaction, and read back in it before it is committed: a
//! target holds either everything, compared, or nothing. A copy that ends in the middle, in
//! whatever way, leaves an empty target, and is simply run again.

use super::cells::Cells;
pub use super::cells::Content;
use super::db::{Db, Tx};
use super::error::StoreError;
use super::schema::{Table, tables};
use super::statement::Statement;

/// Rows that are in memory at a time.
const ROWS_AT_ONCE: usize = 2_048;
/// Bytes after which no more rows are taken into memory before those are written.
const BYTES_AT_ONCE: u64 = 4 << 20;

/// Why nothing was copied. The target is as it was, but for tables that a blank one was given.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// There is no source.
    #[error("there is no database file at the source's address; nothing has been written")]
    SourceMissing,
    /// Both addresses are the same.
    #[error("source and target are the same; name another database with --to")]
    Same,
    /// A server runs on the source.
    #[error(
        "the source is in use: stop every server and command that has it open (and let a pooler          drop its idle sessions), then copy; nothing has been written"
    )]
    InUse,
    /// The source is no database of this version.
    #[error(
        "the source's tables are not those of this version; bring them up to date with \
         `qualify migrate --database-url <source>`, then copy"
    )]
    SourceVersion,
    /// The target has tables of another version, or of somebody else.
    #[error(
        "the target has tables that are not those of this version; name an empty database, or \
         bring it up to date with `qualify migrate --database-url <target>`"
    )]
    TargetVersion,
    /// The target holds data.
    #[error("the target holds rows in {0} already; a copy goes into an empty database only")]
    TargetNotEmpty(String),
    /// Somebody writes to the source or the target.
    #[error(
        "the {which} is being written to; stop whatever uses it, and copy again: nothing has been \
         written ({cause})"
    )]
    Busy {
        /// `source` or `target`.
        which: &'static str,
        /// The database's words.
        cause: StoreError,
    },
    /// What was read back is not what was read.
    #[error(
        "{table} of the target is not that of the source: {source_rows} rows with content \
         {source_content}, {target_rows} with {target_content}; nothing has been kept"
    )]
    Differs {
        /// The table.
        table: String,
        /// Rows in the source.
        source_rows: u64,
        /// Rows read back.
        target_rows: u64,
        /// The sum of the source's rows.
        source_content: String,
        /// The sum of those read back.
        target_content: String,
    },
    /// A database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How far a copy has got.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'p> {
    /// The table.
    pub table: &'p str,
    /// Whether it is read back, or still written.
    pub reads_back: bool,
    /// Rows of all tables so far; each is counted when it is written, and when it is read back.
    pub done: u64,
    /// What that will come to: twice the source's rows.
    pub of: u64,
}

/// What was copied of one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// The table.
    pub table: String,
    /// Its rows, the same in both databases.
    pub content: Content,
}

/// Copies everything. While it lasts nobody else can write to either database. A blank target
/// is given its tables first.
pub async fn copy(
    source: &Db,
    target: &Db,
    mut told: impl FnMut(Progress<'_>),
) -> Result<Vec<Copied>, CopyError> {
    if !source.is_migrated().await? {
        return Err(CopyError::SourceVersion);
    }
    prepare(target).await?;
    let (mut from, list) = hold(source, "source", false).await?;
    let (mut to, others) = hold(target, "target", true).await?;
    if list != others {
        return Err(CopyError::TargetVersion);
    }
    for table in &list {
        if count(&mut to, table).await? > 0 {
            return Err(CopyError::TargetNotEmpty(table.name.clone()));
        }
    }
    let mut expected = Vec::with_capacity(list.len());
    for table in &list {
        expected.push(count(&mut from, table).await?);
    }
    let mut ahead = Ahead {
        told: &mut told,
        done: 0,
        of: expected.iter().sum::<u64>().saturating_mul(2),
    };
    let mut copied = Vec::with_capacity(list.len());
    for (table, rows) in list.iter().zip(expected) {
        let read = write(&mut from, &mut to, table, &mut ahead).await?;
        let back = content(&mut to, table, |rows| ahead.tell(table, true, rows)).await?;
        if back != read || read.rows != rows {
            return Err(CopyError::Differs {
                table: table.name.clone(),
                source_rows: rows,
                target_rows: back.rows,
                source_content: read.to_string(),
                target_content: back.to_string(),
            });
        }
        copied.push(Copied {
            table: table.name.clone(),
            content: read,
        });
    }
    to.commit().await?;
    from.rollback().await?;
    Ok(copied)
}

/// Keeps count of what is done, and tells it.
struct Ahead<'a, F> {
    told: &'a mut F,
    done: u64,
    of: u64,
}

impl<F: FnMut(Progress<'_>)> Ahead<'_, F> {
    fn tell(&mut self, table: &Table, reads_back: bool, rows: usize) {
        self.done = self.done.saturating_add(u64::try_from(rows).unwrap_or(0));
        (self.told)(Progress {
            table: &table.name,
            reads_back,
            done: self.done,
            of: self.of,
        });
    }
}

/// Gives a blank database its tables; refuses one that has others.
async fn prepare(target: &Db) -> Result<(), CopyError> {
    if target.is_migrated().await? {
        return Ok(());
    }
    let mut tx = target.read().await?;
    let present: Vec<(String, String, String, i64)> = Statement::new(tx.engine().columns_sql())
        .fetch_all(&mut tx)
        .await?;
    tx.rollback().await?;
    if !present.is_empty() {
        return Err(CopyError::TargetVersion);
    }
    Ok(target.migrate().await?)
}

/// A transaction in which nobody else changes any table, and the tables.
async fn hold(db: &Db, which: &'static str, writes: bool) -> Result<(Tx, Vec<Table>), CopyError> {
    let busy = |cause: StoreError| {
        if cause.is_locked_out() {
            CopyError::Busy { which, cause }
        } else {
            CopyError::Store(cause)
        }
    };
    let mut tx = db.begin().await.map_err(busy)?;
    let list = tables(&mut tx).await?;
    let names: Vec<String> = list.iter().map(|table| quoted(&table.name)).collect();
    for text in db.engine().hold_sql(&names.join(", "), writes) {
        let held = Statement::composed(text).execute(&mut tx).await;
        held.map_err(busy)?;
    }
    Ok((tx, list))
}

async fn count(tx: &mut Tx, table: &Table) -> Result<u64, StoreError> {
    let text = format!("SELECT COUNT(*) FROM {}", quoted(&table.name));
    let (rows,): (i64,) = Statement::composed(text).fetch_one(tx).await?;
    Ok(u64::try_from(rows).unwrap_or_default())
}

/// Reads a table once, in the order in which its rows lie, and writes it in bounded pieces.
async fn write<F: FnMut(Progress<'_>)>(
    from: &mut Tx,
    to: &mut Tx,
    table: &Table,
    ahead: &mut Ahead<'_, F>,
) -> Result<Content, StoreError> {
    let mut content = Content::default();
    let (mut waiting, mut bytes) = (Vec::new(), 0_u64);
    Statement::composed(select(table))
        .for_each(from, async |row: Cells| {
            content.add(&row);
            bytes = bytes.saturating_add(row.bytes());
            waiting.push(row);
            if waiting.len() >= ROWS_AT_ONCE || bytes >= BYTES_AT_ONCE {
                bytes = 0;
                ahead.tell(table, false, waiting.len());
                insert(to, table, std::mem::take(&mut waiting)).await?;
            }
            Ok(())
        })
        .await?;
    ahead.tell(table, false, waiting.len());
    insert(to, table, waiting).await?;
    Ok(content)
}

async fn insert(to: &mut Tx, table: &Table, rows: Vec<Cells>) -> Result<(), StoreError> {
    let expected = u64::try_from(rows.len()).unwrap_or(u64::MAX);
    let mut values = Vec::with_capacity(rows.len().saturating_mul(table.columns.len()));
    for row in rows {
        values.extend(row.into_values(table)?);
    }
    let text = format!(
        "INSERT INTO {} ({}) {{rows}}",
        quoted(&table.name),
        columns(table)
    );
    Statement::composed(text)
        .rows_of(table.columns.len(), values)
        .execute_exactly("copying rows", expected, to)
        .await
}

/// The content of a table, all of it read, a bounded part of it in memory; `each` is told how
/// many rows more there were, now and then.
pub async fn content(
    tx: &mut Tx,
    table: &Table,
    mut each: impl FnMut(usize),
) -> Result<Content, StoreError> {
    let mut content = Content::default();
    let mut untold = 0;
    Statement::composed(select(table))
        .for_each(tx, async |row: Cells| {
            content.add(&row);
            untold += 1;
            if untold == ROWS_AT_ONCE {
                each(std::mem::take(&mut untold));
            }
            Ok(())
        })
        .await?;
    each(untold);
    Ok(content)
}

fn select(table: &Table) -> String {
    format!("SELECT {} FROM {}", columns(table), quoted(&table.name))
}

fn columns(table: &Table) -> String {
    let names = table.columns.iter().map(|column| quoted(&column.name));
    names.collect::<Vec<_>>().join(", ")
}

/// A name as both engines take it, whatever words they reserve.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
