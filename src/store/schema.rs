//! The tables as the database describes itself, for what works on all of them. A table that a
//! later migration adds is among them without a change here.

use std::collections::BTreeMap;

use super::db::Tx;
use super::error::StoreError;
use super::statement::Statement;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// TEXT.
    Text,
    /// INTEGER, BIGINT.
    Int,
    /// BLOB, BYTEA.
    Bytes,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub kind: Kind,
}

/// A table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Its columns by name, so that two databases name them in one order.
    pub columns: Vec<Column>,
}

/// Every table but the migrations' own: one that others refer to comes before them, so that rows
/// inserted table after table satisfy every foreign key; otherwise in order of name.
pub async fn tables(tx: &mut Tx) -> Result<Vec<Table>, StoreError> {
    let columns: Vec<(String, String, String, i64)> = Statement::new(tx.engine().columns_sql())
        .fetch_all(tx)
        .await?;
    let keys: Vec<(String, String, String, String)> =
        Statement::new(tx.engine().foreign_keys_sql())
            .fetch_all(tx)
            .await?;
    let mut found: BTreeMap<String, Vec<Column>> = BTreeMap::new();
    for (table, name, kind, _) in columns {
        let kind = match kind.as_str() {
            "text" => Kind::Text,
            "int" => Kind::Int,
            "bytes" => Kind::Bytes,
            other => {
                return Err(StoreError::Unfit(format!(
                    "the column {table}.{name} is of type {other}, which is none of ours"
                )));
            }
        };
        let column = Column { name, kind };
        found.entry(table).or_default().push(column);
    }
    let found = found.into_iter().map(|(name, mut columns)| {
        columns.sort_by(|a, b| a.name.cmp(&b.name));
        Table { name, columns }
    });
    let refers = |from: &str, to: &str| {
        let mut keys = keys.iter();
        keys.any(|(table, _, other, _)| table == from && other == to && table != other)
    };
    in_order(found.collect(), refers)
}

/// Takes, again and again, those that refer to none that is left.
fn in_order(
    mut left: Vec<Table>,
    refers: impl Fn(&str, &str) -> bool,
) -> Result<Vec<Table>, StoreError> {
    let mut ordered = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let names: Vec<String> = left.iter().map(|table| table.name.clone()).collect();
        let (free, bound): (Vec<Table>, Vec<Table>) = left
            .into_iter()
            .partition(|table| !names.iter().any(|other| refers(&table.name, other)));
        if free.is_empty() {
            return Err(StoreError::Unfit(format!(
                "the foreign keys of {} go in a circle",
                names.join(", ")
            )));
        }
        ordered.extend(free);
        left = bound;
    }
    Ok(ordered)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(names: &[&str], refers: &[(&str, &str)]) -> Option<String> {
        let left = names.iter().map(|name| Table {
            name: (*name).to_owned(),
            columns: Vec::new(),
        });
        let ordered = in_order(left.collect(), |from, to| refers.contains(&(from, to)));
        let names = |tables: Vec<Table>| tables.into_iter().map(|t| t.name).collect::<Vec<_>>();
        ordered.ok().map(|tables| names(tables).join(" "))
    }

    #[test]
    fn who_is_referred_to_comes_first() {
        let chain = [("a", "b"), ("b", "c")];
        assert_eq!(order(&["a", "b", "c", "d"], &chain).unwrap(), "c d b a");
        assert_eq!(order(&["a", "b"], &[("a", "b"), ("b", "a")]), None);
        assert_eq!(order(&[], &[]).unwrap(), "");
    }
}
