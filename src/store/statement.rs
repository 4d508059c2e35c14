//! One SQL text with its values, run on whichever engine the transaction is of.
//! It knows no table; what differs between the engines comes from `dialect`.

use std::borrow::Cow;
use std::fmt::Write as _;

use futures_util::TryStreamExt as _;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{AssertSqlSafe, FromRow, Postgres, Sqlite};

use super::db::Tx;
use super::dialect::{CLAIM, Engine, ROWS};
use super::error::StoreError;
use super::value::Value;

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
            if rows.is_set && engine == Engine::Sqlite && left.len() < most {
                left.resize(left.len().next_power_of_two(), last);
            }
            let take = engine.rows_at_once(left.len(), rows.columns, self.binds.len());
            let rest = left.split_off(take);
            let list = engine.rows(last, take, self.binds.len() + 1, rows.is_set);
            let fixed = match engine {
                // Its rows have no numbers and come first.
                Engine::Sqlite => renumbered(&text, take * rows.columns),
                Engine::Postgres => text.to_string(),
            };
            pieces.push(Piece {
                text: Cow::Owned(fixed.replace(ROWS, &list)),
                binds: &self.binds,
                rows: left,
                columns: rows.columns,
            });
            left = rest;
        }
        Ok(pieces)
    }
}

/// A text with each `$n` that many numbers further on.
fn renumbered(text: &str, by: usize) -> String {
    let mut pieces = text.split('$');
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let end = piece.find(|c: char| !c.is_ascii_digit());
        let (number, rest) = piece.split_at(end.unwrap_or(piece.len()));
        let number = number.parse::<usize>().unwrap_or_default();
        let _ = write!(out, "${}{rest}", number.saturating_add(by));
    }
    out
}

/// One text as it is sent, with the values that go along.
struct Piece<'s, 'v> {
    text: Cow<'static, str>,
    binds: &'s [Value<'v>],
    rows: Vec<&'s [Value<'v>]>,
    columns: usize,
}

impl Piece<'_, '_> {
    fn sqlite(&self) -> Query<'static, Sqlite, SqliteArguments> {
        let values = self.rows.iter().copied().flatten().chain(self.binds);
        // The text is put together from literals and bind numbers alone.
        let query = sqlx::query(AssertSqlSafe(self.text.clone()));
        values.fold(query, |query, value| match value {
            Value::Text(text) => query.bind(text.as_deref()),
            Value::Int(number) => query.bind(*number),
            Value::Bytes(bytes) => query.bind(bytes.as_deref()),
        })
    }

    fn postgres(&self) -> Query<'static, Postgres, PgArguments> {
        let query = sqlx::query(AssertSqlSafe(self.text.clone()));
        let query = self.binds.iter().fold(query, |query, value| match value {
            Value::Text(text) => query.bind(text.as_deref()),
            Value::Int(number) => query.bind(*number),
            Value::Bytes(bytes) => query.bind(bytes.as_deref()),
        });
        (0..self.columns).fold(query, |query, column| {
            let values = || self.rows.iter().filter_map(move |row| row.get(column));
            match values().next() {
                Some(Value::Text(_)) => query.bind(collect(values(), as_text)),
                Some(Value::Int(_)) => query.bind(collect(values(), as_int)),
                Some(Value::Bytes(_)) => query.bind(collect(values(), as_bytes)),
                None => query,
            }
        })
    }
}

fn collect<'s, T>(
    values: impl Iterator<Item = &'s Value<'s>>,
    pick: impl Fn(&'s Value<'s>) -> Option<T>,
) -> Vec<Option<T>> {
    values.map(pick).collect()
}

fn as_text<'s>(value: &'s Value<'s>) -> Option<&'s str> {
    match value {
        Value::Text(text) => text.as_deref(),
        _ => None,
    }
}

fn as_int(value: &Value<'_>) -> Option<i64> {
    match value {
        Value::Int(number) => *number,
        _ => None,
    }
}

fn as_bytes<'s>(value: &'s Value<'s>) -> Option<&'s [u8]> {
    match value {
        Value::Bytes(bytes) => bytes.as_deref(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(statement: &Statement<'_>, engine: Engine) -> Vec<String> {
        let pieces = statement.pieces(engine).unwrap();
        pieces.into_iter().map(|p| p.text.into_owned()).collect()
    }

    #[test]
    fn binds_are_numbered_in_order() {
        let statement = Statement::new("SELECT a FROM t WHERE c = $1")
            .bind("x")
            .push_some(" AND s = $#", None::<&str>)
            .push_some(" AND d = $#", Some(3_i64))
            .push_all(" AND (e, f) > ($#, $#)", [1_i64.into(), "z".into()])
            .text(" LIMIT 1");
        assert_eq!(
            texts(&statement, Engine::Postgres),
            ["SELECT a FROM t WHERE c = $1 AND d = $2 AND (e, f) > ($3, $4) LIMIT 1"]
        );
    }

    #[test]
    fn sets_are_padded_and_rows_are_not() {
        let set = Statement::new("x IN ({rows})").list(["a", "b", "c"]);
        assert_eq!(
            texts(&set, Engine::Sqlite),
            ["x IN (SELECT * FROM (VALUES (?),(?),(?),(?)))"]
        );
        let rows =
            Statement::new("INSERT INTO t (a) {rows}").rows(["a", "b", "c"].map(|v| [v.into()]));
        assert_eq!(
            texts(&rows, Engine::Sqlite),
            ["INSERT INTO t (a) VALUES (?),(?),(?)"]
        );
        assert_eq!(
            texts(&rows, Engine::Postgres),
            ["INSERT INTO t (a) SELECT * FROM unnest($1::text[])"]
        );
    }

    #[test]
    fn fixed_binds_come_after_the_rows_on_sqlite() {
        let statement = Statement::new("WITH v AS ({rows}) UPDATE t SET a = $2 WHERE c = $1")
            .bind("x")
            .bind(7_i64)
            .rows([["p".into(), "q".into()]]);
        assert_eq!(
            texts(&statement, Engine::Sqlite),
            ["WITH v AS (VALUES (?,?)) UPDATE t SET a = $4 WHERE c = $3"]
        );
        assert_eq!(renumbered("$1 $12,$2)", 10), "$11 $22,$12)");
    }

    #[test]
    fn a_long_set_is_sent_in_pieces_and_ends() {
        let set = Statement::new("x IN ({rows})").list((0..1_500).collect::<Vec<i64>>());
        assert_eq!(texts(&set, Engine::Sqlite).len(), 3);
        assert_eq!(texts(&set, Engine::Postgres).len(), 1);
    }

    #[test]
    fn no_rows_send_nothing() {
        let none = Statement::new("x IN ({rows})").list(Vec::<String>::new());
        assert!(texts(&none, Engine::Sqlite).is_empty());
    }

    #[test]
    fn a_nul_is_refused_on_both() {
        let statement = Statement::new("SELECT $1").bind("a\0");
        assert!(matches!(
            statement.pieces(Engine::Sqlite),
            Err(StoreError::Nul)
        ));
    }
}
