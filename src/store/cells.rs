//! Rows of any table: read without knowing their columns, written as values of the columns'
//! kinds, and summed up so that two databases can be compared.

use sha2::{Digest as _, Sha256};
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{Column as _, FromRow, Row, TypeInfo as _, ValueRef as _};

use super::error::StoreError;
use super::schema::{Kind, Table};
use super::value::Value;

/// One value as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cell {
    Null,
    Text(String),
    Int(i64),
    Bytes(Vec<u8>),
}

/// One row, its values in the order of the statement's columns.
#[derive(Debug)]
pub(super) struct Cells(Vec<Cell>);

impl<'r> FromRow<'r, SqliteRow> for Cells {
    fn from_row(row: &'r SqliteRow) -> Result<Self, sqlx::Error> {
        let cell = |column: usize| {
            // SQLite knows the type of each value; the tables are STRICT, so it is the column's.
            let raw = row.try_get_raw(column)?;
            let kind = raw.type_info().name().to_owned();
            Ok(match kind.as_str() {
                _ if raw.is_null() => Cell::Null,
                "INTEGER" => Cell::Int(row.try_get(column)?),
                "BLOB" => Cell::Bytes(row.try_get(column)?),
                _ => Cell::Text(row.try_get(column)?),
            })
        };
        (0..row.len()).map(cell).collect::<Result<_, _>>().map(Self)
    }
}

impl<'r> FromRow<'r, PgRow> for Cells {
    fn from_row(row: &'r PgRow) -> Result<Self, sqlx::Error> {
        let cell = |(place, column): (usize, &sqlx::postgres::PgColumn)| {
            let null = row.try_get_raw(place)?.is_null();
            Ok(match column.type_info().name() {
                _ if null => Cell::Null,
                "INT8" => Cell::Int(row.try_get(place)?),
                "BYTEA" => Cell::Bytes(row.try_get(place)?),
                _ => Cell::Text(row.try_get(place)?),
            })
        };
        let columns = row.columns().iter().enumerate();
        columns.map(cell).collect::<Result<_, _>>().map(Self)
    }
}

impl Cells {
    /// About how much memory it takes, bytes.
    pub(super) fn bytes(&self) -> u64 {
        let of = |cell: &Cell| match cell {
            Cell::Null | Cell::Int(_) => 8,
            Cell::Text(text) => text.len(),
            Cell::Bytes(bytes) => bytes.len(),
        };
        let sum: usize = self.0.iter().map(of).sum();
        u64::try_from(sum).unwrap_or(u64::MAX)
    }

    /// Its values, as the columns of its table take them.
    pub(super) fn into_values(self, table: &Table) -> Result<Vec<Value<'static>>, StoreError> {
        let columns = table.columns.iter().zip(self.0);
        let value = |(column, cell): (&super::schema::Column, Cell)| {
            Ok(match (column.kind, cell) {
                (Kind::Text, Cell::Text(text)) => Value::from(text),
                (Kind::Int, Cell::Int(number)) => Value::from(number),
                (Kind::Bytes, Cell::Bytes(bytes)) => Value::Bytes(Some(bytes.into())),
                (Kind::Text, Cell::Null) => Value::Text(None),
                (Kind::Int, Cell::Null) => Value::Int(None),
                (Kind::Bytes, Cell::Null) => Value::Bytes(None),
                (kind, _) => {
                    let (table, column) = (&table.name, &column.name);
                    return Err(StoreError::Unfit(format!(
                        "{table}.{column} holds a value that is not {kind:?}"
                    )));
                }
            })
        };
        columns.map(value).collect()
    }
}

/// The content of a table as a number: the sum of its rows' SHA-256, so that their order does
/// not matter. Rows have keys, so that none is there twice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Content {
    high: u128,
    low: u128,
    /// How many rows.
    pub rows: u64,
}

impl Content {
    /// Adds a row.
    pub(super) fn add(&mut self, row: &Cells) {
        let mut hash = Sha256::new();
        for cell in &row.0 {
            let mut put = |kind: u8, bytes: &[u8]| {
                let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
                hash.update([kind]);
                hash.update(length.to_le_bytes());
                hash.update(bytes);
            };
            match cell {
                Cell::Null => put(0, &[]),
                Cell::Text(text) => put(1, text.as_bytes()),
                Cell::Int(number) => put(2, &number.to_le_bytes()),
                Cell::Bytes(bytes) => put(3, bytes),
            }
        }
        let hash: [u8; 32] = hash.finalize().into();
        let (high, low) = hash.split_at(16);
        let number = |half: &[u8]| half.try_into().map_or(0, u128::from_be_bytes);
        self.high = self.high.wrapping_add(number(high));
        self.low = self.low.wrapping_add(number(low));
        self.rows += 1;
    }
}

impl std::fmt::Display for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}{:032x}", self.high, self.low)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(rows: &[&[Cell]]) -> Content {
        let mut content = Content::default();
        for row in rows {
            content.add(&Cells(row.to_vec()));
        }
        content
    }

    #[test]
    fn order_does_not_matter_and_everything_else_does() {
        let text = |text: &str| Cell::Text(text.to_owned());
        let (a, b) = ([text("a"), Cell::Int(1)], [text("b"), Cell::Null]);
        let both = content(&[&a, &b]);
        assert_eq!(both, content(&[&b, &a]));
        for other in [
            content(&[&a]),
            content(&[&a, &a]),
            content(&[&a, &[text("b"), text("")]]),
            content(&[&a, &[Cell::Bytes(b"b".to_vec()), Cell::Null]]),
            content(&[&[text("a"), Cell::Int(256)], &b]),
            content(&[&[text("b"), Cell::Int(1)], &[text("a"), Cell::Null]]),
        ] {
            assert_ne!(both, other);
        }
        // Where one value ends and the next begins is part of it.
        let split = |a, b| content(&[&[text(a), text(b)]]);
        assert_ne!(split("ab", "c"), split("a", "bc"));
    }
}
