//! One SQL text with its values, run on whichever engine the transaction is of.
//! It knows no table; what differs between the engines comes from `dialect`.

mod piece;

use std::borrow::Cow;
use std::fmt::Write as _;

use futures_util::TryStreamExt as _;
use sqlx::FromRow;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;

use super::db::{Db, Tx};
use super::dialect::{CLAIM, Engine};
use super::error::StoreError;
use super::value::Value;
use piece::{Piece, renumbered};

/// A row that reads the same from both engines; `#[derive(sqlx::FromRow)]` makes one.
pub trait Record:
    for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin
{
}

impl<T> Record for T where
    T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin
{
}

/// A statement in the making. Binds are `$1…$n` in the order of the calls; a set of rows comes
/// after them, where the text says `{rows}`.
#[derive(Debug, Clone)]
pub struct Statement<'v> {
    text: Cow<'static, str>,
    binds: Vec<Value<'v>>,
    rows: Option<Rows<'v>>,
}

#[derive(Debug, Clone)]
struct Rows<'v> {
    values: Vec<Value<'v>>,
    columns: usize,
    is_set: bool,
}

impl<'v> Statement<'v> {
    /// Starts with a text that is known when the program is built.
    pub fn new(text: &'static str) -> Self {
        Self {
            text: Cow::Borrowed(text),
            binds: Vec::new(),
            rows: None,
        }
    }

    /// Starts with a text that is put together from the schema's own names: for what works on
    /// every table. Values never go into it.
    pub(super) fn composed(text: String) -> Self {
        Self {
            text: Cow::Owned(text),
            binds: Vec::new(),
            rows: None,
        }
    }

    /// The value of the next `$n`.
    #[must_use]
    pub fn bind(mut self, value: impl Into<Value<'v>>) -> Self {
        self.binds.push(value.into());
        self
    }

    /// Appends text with one more value, which stands where the text says `$#`.
    #[must_use]
    pub fn push(self, text: &'static str, value: impl Into<Value<'v>>) -> Self {
        self.push_all(text, [value.into()])
    }

    /// Appends text with several values, one for each `$#` from left to right.
    #[must_use]
    pub fn push_all<const N: usize>(mut self, text: &'static str, values: [Value<'v>; N]) -> Self {
        let owned = self.text.to_mut();
        let mut pieces = text.split("$#");
        owned.push_str(pieces.next().unwrap_or_default());
        for (piece, value) in pieces.zip(values) {
            self.binds.push(value);
            let _ = write!(owned, "${}{piece}", self.binds.len());
        }
        self
    }

    /// Appends text with one more value, if there is one: a filter that is not always asked for.
    #[must_use]
    pub fn push_some(self, text: &'static str, value: Option<impl Into<Value<'v>>>) -> Self {
        match value {
            Some(value) => self.push(text, value),
            None => self,
        }
    }

    /// Appends plain text.
    #[must_use]
    pub fn text(mut self, text: &'static str) -> Self {
        self.text.to_mut().push_str(text);
        self
    }

    /// The rows that stand at `{rows}`, each exactly once. More than fit into one statement
    /// are sent in several; with none at all nothing is sent and nothing comes back.
    #[must_use]
    pub fn rows<const N: usize>(self, rows: impl IntoIterator<Item = [Value<'v>; N]>) -> Self {
        self.with_rows(rows, false)
    }

    /// Like [`Self::rows`], for a place where a repeated row has no effect (`IN`, a join of an
    /// `UPDATE`). The last one may be repeated, so that few distinct texts are prepared.
    #[must_use]
    pub fn set<const N: usize>(self, rows: impl IntoIterator<Item = [Value<'v>; N]>) -> Self {
        self.with_rows(rows, true)
    }

    /// A set of single values, for `x IN ({rows})`.
    #[must_use]
    pub fn list<T: Into<Value<'v>>>(self, values: impl IntoIterator<Item = T>) -> Self {
        self.set(values.into_iter().map(|value| [value.into()]))
    }

    /// Like [`Self::rows`], of as many columns as a table has: the values row after row.
    #[must_use]
    pub(super) fn rows_of(mut self, columns: usize, values: Vec<Value<'v>>) -> Self {
        self.rows = Some(Rows {
            values,
            columns,
            is_set: false,
        });
        self
    }

    fn with_rows<const N: usize>(
        mut self,
        rows: impl IntoIterator<Item = [Value<'v>; N]>,
        is_set: bool,
    ) -> Self {
        self.rows = Some(Rows {
            values: rows.into_iter().flatten().collect(),
            columns: N,
            is_set,
        });
        self
    }

    /// Runs it; the number of rows that were written.
    pub async fn execute(self, tx: &mut Tx) -> Result<u64, StoreError> {
        let mut written: u64 = 0;
        for piece in self.pieces(tx.engine())? {
            written += match tx {
                Tx::Sqlite(tx) => piece.sqlite().execute(&mut **tx).await?.rows_affected(),
                Tx::Postgres(tx) => {
                    let query = piece.postgres().persistent(tx.keeps_statements());
                    query.execute(&mut **tx).await?.rows_affected()
                }
            };
        }
        Ok(written)
    }

    /// Runs it; an error unless exactly `expected` rows were written.
    pub async fn execute_exactly(
        self,
        what: &'static str,
        expected: u64,
        tx: &mut Tx,
    ) -> Result<(), StoreError> {
        let seen = self.execute(tx).await?;
        if seen == expected {
            Ok(())
        } else {
            Err(StoreError::Stale {
                what,
                expected,
                seen,
            })
        }
    }

    /// Runs it; all rows that come back. With `{rows}` in the text, an `ORDER BY` holds only
    /// within each piece that was sent.
    pub async fn fetch_all<R: Record>(self, tx: &mut Tx) -> Result<Vec<R>, StoreError> {
        let mut found = Vec::new();
        for piece in self.pieces(tx.engine())? {
            match tx {
                Tx::Sqlite(tx) => {
                    for row in piece.sqlite().fetch_all(&mut **tx).await? {
                        found.push(R::from_row(&row)?);
                    }
                }
                Tx::Postgres(tx) => {
                    let query = piece.postgres().persistent(tx.keeps_statements());
                    for row in query.fetch_all(&mut **tx).await? {
                        found.push(R::from_row(&row)?);
                    }
                }
            }
        }
        Ok(found)
    }

    /// Runs it and hands on each row as it comes, so that memory does not grow with their number.
    pub(super) async fn for_each<R: Record>(
        self,
        tx: &mut Tx,
        mut each: impl AsyncFnMut(R) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        for piece in self.pieces(tx.engine())? {
            match tx {
                Tx::Sqlite(tx) => {
                    let mut rows = piece.sqlite().fetch(&mut **tx);
                    while let Some(row) = rows.try_next().await? {
                        each(R::from_row(&row)?).await?;
                    }
                }
                Tx::Postgres(tx) => {
                    let query = piece.postgres().persistent(tx.keeps_statements());
                    let mut rows = query.fetch(&mut **tx);
                    while let Some(row) = rows.try_next().await? {
                        each(R::from_row(&row)?).await?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Runs it; the first row that comes back, if any does.
    pub async fn fetch_optional<R: Record>(self, tx: &mut Tx) -> Result<Option<R>, StoreError> {
        Ok(self.fetch_all(tx).await?.into_iter().next())
    }

    /// Runs a statement that always answers one row, such as a count.
    pub async fn fetch_one<R: Record>(self, tx: &mut Tx) -> Result<R, StoreError> {
        self.fetch_optional(tx)
            .await?
            .ok_or(StoreError::Database(sqlx::Error::RowNotFound))
    }

    /// Runs it as a transaction of its own in one exchange with the database, if its rows fit
    /// into one piece; all rows that come back. When this returns, what it wrote survives a
    /// crash and a power failure. On SQLite the text may be several statements.
    pub async fn fetch_committed<R: Record>(self, db: &Db) -> Result<Vec<R>, StoreError> {
        let pieces = self.pieces(db.engine())?;
        match (db, pieces.as_slice()) {
            (_, []) => Ok(Vec::new()),
            // Behind a pooler that keeps no statements, preparing one and running it outside of a
            // transaction may reach two servers.
            (Db::Postgres(server), [piece]) if server.keeps_statements() => {
                let rows = piece.postgres().fetch_all(server.pool()).await?;
                rows.iter().map(|row| Ok(R::from_row(row)?)).collect()
            }
            (Db::Sqlite { write, .. }, [piece]) => {
                let query = piece.in_transaction();
                let mut connection = write.acquire().await?;
                // In a task of its own: nobody who goes away can leave a transaction open.
                let run = tokio::spawn(async move {
                    let outcome = query.fetch_all(&mut *connection).await;
                    if outcome.is_err() {
                        let undo = sqlx::query("ROLLBACK").execute(&mut *connection).await;
                        tracing::debug!(undone = undo.is_ok(), "a group was not stored");
                    }
                    outcome
                });
                let rows = run.await.map_err(|_| sqlx::Error::WorkerCrashed)??;
                rows.iter().map(|row| Ok(R::from_row(row)?)).collect()
            }
            _ => {
                drop(pieces);
                let mut tx = db.begin().await?;
                let rows = self.fetch_all(&mut tx).await?;
                tx.commit().await?;
                Ok(rows)
            }
        }
    }

    /// The statement as it is sent: once, or once for each chunk of its rows.
    fn pieces(&self, engine: Engine) -> Result<Vec<Piece<'_, 'v>>, StoreError> {
        let rows = self.rows.as_ref();
        let storable = |values: &[Value<'v>]| values.iter().all(Value::is_storable);
        if !storable(&self.binds) || !rows.is_none_or(|rows| storable(&rows.values)) {
            return Err(StoreError::Nul);
        }
        let text = if self.text.contains(CLAIM) {
            Cow::Owned(self.text.replace(CLAIM, engine.claim()))
        } else {
            self.text.clone()
        };
        let Some(rows) = rows else {
            return Ok(vec![Piece {
                text,
                binds: &self.binds,
                rows: Vec::new(),
                columns: 0,
            }]);
        };
        let mut pieces = Vec::new();
        let mut left: Vec<&[Value<'v>]> = rows.values.chunks(rows.columns).collect();
        while let Some(last) = left.last().copied() {
            let most = engine.rows_at_once(usize::MAX, rows.columns, self.binds.len());
            if rows.is_set && engine.padded(left.len()) <= most {
                left.resize(engine.padded(left.len()), last);
            }
            let take = engine.rows_at_once(left.len(), rows.columns, self.binds.len());
            let rest = left.split_off(take);
            let fixed = match engine {
                // Its rows have no numbers and come first.
                Engine::Sqlite => renumbered(&text, take * rows.columns),
                Engine::Postgres => text.to_string(),
            };
            pieces.push(Piece {
                text: Cow::Owned(engine.with_rows(
                    &fixed,
                    last,
                    take,
                    self.binds.len() + 1,
                    rows.is_set,
                )),
                binds: &self.binds,
                rows: left,
                columns: rows.columns,
            });
            left = rest;
        }
        Ok(pieces)
    }
}

#[cfg(test)]
mod tests;
