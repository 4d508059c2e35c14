//! A statement as it is sent: its text, and the values that go along.

use std::borrow::Cow;
use std::fmt::Write as _;

use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use sqlx::{AssertSqlSafe, Postgres, Sqlite};

use crate::store::value::Value;

/// A text with each `$n` that many numbers further on.
pub(super) fn renumbered(text: &str, by: usize) -> String {
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
pub(super) struct Piece<'s, 'v> {
    pub(super) text: Cow<'static, str>,
    pub(super) binds: &'s [Value<'v>],
    pub(super) rows: Vec<&'s [Value<'v>]>,
    pub(super) columns: usize,
}

impl Piece<'_, '_> {
    pub(super) fn sqlite(&self) -> Query<'static, Sqlite, SqliteArguments> {
        self.sqlite_text(self.text.clone())
    }

    /// The same as a transaction of its own.
    pub(super) fn in_transaction(&self) -> Query<'static, Sqlite, SqliteArguments> {
        self.sqlite_text(format!("BEGIN IMMEDIATE; {}; COMMIT", self.text).into())
    }

    fn sqlite_text(&self, text: Cow<'static, str>) -> Query<'static, Sqlite, SqliteArguments> {
        let values = self.rows.iter().copied().flatten().chain(self.binds);
        // The text is put together from literals and bind numbers alone.
        let query = sqlx::query(AssertSqlSafe(text));
        values.fold(query, |query, value| match value {
            Value::Text(text) => query.bind(text.as_deref()),
            Value::Int(number) => query.bind(*number),
            Value::Bytes(bytes) => query.bind(bytes.as_deref()),
        })
    }

    pub(super) fn postgres(&self) -> Query<'static, Postgres, PgArguments> {
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
