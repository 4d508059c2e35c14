//! Everything in which the two engines differ, side by side. Statements elsewhere are one
//! text for both; they reach these differences through placeholders.

use super::value::Value;

/// Binds that one statement may carry on SQLite (`SQLITE_MAX_VARIABLE_NUMBER`).
pub const SQLITE_BINDS_MAX: usize = 32_766;
/// Rows that one statement carries at most on SQLite; more are sent in several statements.
pub const SQLITE_ROWS_MAX: usize = 512;
/// Rows that one statement carries at most on PostgreSQL.
pub const POSTGRES_ROWS_MAX: usize = 8_192;

/// How long whole tables are waited for that somebody else is writing to.
const HOLD_SECONDS: u32 = 5;

/// Where a statement wants a set of rows: after the fixed binds. `INSERT INTO t (a, b) {rows}`,
/// `x IN ({rows})`, `WITH v (a, b) AS ({rows})`.
pub const ROWS: &str = "{rows}";
/// Where a statement looks a single value up in a set of rows.
pub const AMONG_ROWS: &str = "IN ({rows})";
/// Where a statement claims rows that nobody else is working on.
pub const CLAIM: &str = "{claim}";

/// The two engines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// Embedded; one writer at a time.
    Sqlite,
    /// PostgreSQL, or an engine that speaks like it.
    Postgres,
}

impl Engine {
    /// SQLite has one writer, so whoever writes has claimed everything; PostgreSQL locks the
    /// rows read and steps over those that another node has locked.
    pub const fn claim(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres => "FOR UPDATE SKIP LOCKED",
        }
    }

    /// A set of rows as SQL. SQLite gets a `VALUES` list with a bind for each value; PostgreSQL
    /// gets one array a column, so that its text (and its plan) is the same for any number of rows.
    ///
    /// SQLite's binds have no names: it looks a name up by walking the list of all of them, which
    /// for the thousands of binds of a group takes longer than writing its rows.
    ///
    /// A set that is looked into is wrapped on SQLite: for `(a, b) IN (VALUES …)` it scans the
    /// table, for `(a, b) IN (SELECT * FROM (VALUES …))` it searches the index.
    fn rows(self, row: &[Value<'_>], count: usize, first_bind: usize, is_set: bool) -> String {
        match self {
            Self::Sqlite => {
                let mut text = String::from(if is_set {
                    "SELECT * FROM (VALUES "
                } else {
                    "VALUES "
                });
                for index in 0..count {
                    text.push_str(if index == 0 { "(" } else { ",(" });
                    for column in 0..row.len() {
                        text.push_str(if column == 0 { "?" } else { ",?" });
                    }
                    text.push(')');
                }
                if is_set {
                    text.push(')');
                }
                text
            }
            Self::Postgres => {
                let mut text = String::from("SELECT * FROM unnest(");
                for (column, value) in row.iter().enumerate() {
                    let comma = if column == 0 { "" } else { ", " };
                    text.push_str(comma);
                    text.push_str(&array(value, first_bind + column));
                }
                text.push(')');
                text
            }
        }
    }

    /// The text with its set of rows in it.
    ///
    /// A single value is looked up by `= ANY(array)` on PostgreSQL, which an index answers. Joined
    /// with the array's rows instead, it depends on what was counted of the table: of one that has
    /// just been filled, all rows of the connection were read and compared with every value.
    pub fn with_rows(
        self,
        text: &str,
        row: &[Value<'_>],
        count: usize,
        first_bind: usize,
        is_set: bool,
    ) -> String {
        match (self, row) {
            (Self::Postgres, [value]) if is_set && text.contains(AMONG_ROWS) => {
                let among = format!("= ANY({})", array(value, first_bind));
                text.replace(AMONG_ROWS, &among)
            }
            _ => text.replace(ROWS, &self.rows(row, count, first_bind, is_set)),
        }
    }

    /// How many rows the next statement takes of those that are left. SQLite's text depends on
    /// the number, so few numbers are used and few texts are ever prepared: up to 64 rows need two
    /// statements at most, more are sent in powers of two.
    pub fn rows_at_once(self, left: usize, columns: usize, fixed_binds: usize) -> usize {
        match self {
            Self::Postgres => left.min(POSTGRES_ROWS_MAX),
            Self::Sqlite => {
                let fits = SQLITE_BINDS_MAX.saturating_sub(fixed_binds) / columns.max(1);
                let most = left.min(SQLITE_ROWS_MAX).min(fits).max(1);
                match most {
                    0..=8 => most,
                    9..64 => most - most % 8,
                    _ => 1 << most.ilog2(),
                }
            }
        }
    }

    /// The next number at or above this one that [`Self::rows_at_once`] takes whole, for rows
    /// that may be repeated.
    pub fn padded(self, rows: usize) -> usize {
        match self {
            Self::Postgres => rows,
            Self::Sqlite => match rows {
                0..=8 => rows,
                9..=64 => rows.next_multiple_of(8),
                _ => rows.next_power_of_two(),
            },
        }
    }

    /// Every table, with its columns in order and whether each is nullable: `table_name`,
    /// `column_name`, `kind` (text, int, bytes), `nullable` (0, 1).
    pub const fn columns_sql(self) -> &'static str {
        match self {
            Self::Sqlite => {
                "SELECT m.name AS table_name, c.name AS column_name,
                        CASE c.type WHEN 'TEXT' THEN 'text' WHEN 'INTEGER' THEN 'int'
                                    WHEN 'BLOB' THEN 'bytes' ELSE c.type END AS kind,
                        CAST(1 - c.\"notnull\" AS INTEGER) AS nullable
                 FROM sqlite_master AS m JOIN pragma_table_info(m.name) AS c
                 WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%' AND m.name NOT LIKE '\\_sqlx%' ESCAPE '\\'
                 ORDER BY m.name, c.cid"
            }
            Self::Postgres => {
                "SELECT table_name::text COLLATE \"C\" AS table_name, column_name::text AS column_name,
                        CASE data_type WHEN 'text' THEN 'text' WHEN 'bigint' THEN 'int'
                                       WHEN 'bytea' THEN 'bytes' ELSE data_type::text END AS kind,
                        CASE is_nullable WHEN 'YES' THEN 1::bigint ELSE 0::bigint END AS nullable
                 FROM information_schema.columns
                 WHERE table_schema = current_schema() AND table_name NOT LIKE '\\_sqlx%'
                 ORDER BY table_name::text COLLATE \"C\", ordinal_position"
            }
        }
    }

    /// Keeps others from writing to these tables (quoted, comma-separated) until the transaction
    /// ends, and the copy itself from it as well unless it `writes`. On SQLite a transaction that
    /// writes is alone already.
    pub fn hold_sql(self, tables: &str, writes: bool) -> Vec<String> {
        let mode = if writes {
            "SHARE ROW EXCLUSIVE"
        } else {
            "SHARE"
        };
        match self {
            Self::Sqlite => Vec::new(),
            Self::Postgres => vec![
                format!("SET LOCAL lock_timeout = '{HOLD_SECONDS}s'"),
                format!("LOCK TABLE {tables} IN {mode} MODE"),
                "SET LOCAL lock_timeout = DEFAULT".to_owned(),
                "SET LOCAL statement_timeout = 0".to_owned(),
                "SET LOCAL idle_in_transaction_session_timeout = 0".to_owned(),
            ],
        }
    }

    /// Every foreign key: `table_name`, `columns`, `other_table`, `other_columns` (columns
    /// comma-separated, in order).
    pub const fn foreign_keys_sql(self) -> &'static str {
        match self {
            Self::Sqlite => {
                "SELECT m.name AS table_name, group_concat(f.\"from\", ',' ORDER BY f.seq) AS columns,
                        f.\"table\" AS other_table, group_concat(f.\"to\", ',' ORDER BY f.seq) AS other_columns
                 FROM sqlite_master AS m JOIN pragma_foreign_key_list(m.name) AS f
                 WHERE m.type = 'table'
                 GROUP BY m.name, f.id, f.\"table\"
                 ORDER BY 1, 3, 2"
            }
            Self::Postgres => {
                "SELECT t.relname::text COLLATE \"C\" AS table_name,
                        (SELECT string_agg(a.attname::text, ',' ORDER BY k.n)
                         FROM unnest(c.conkey) WITH ORDINALITY AS k (attnum, n)
                         JOIN pg_attribute AS a ON a.attrelid = c.conrelid AND a.attnum = k.attnum) AS columns,
                        o.relname::text COLLATE \"C\" AS other_table,
                        (SELECT string_agg(a.attname::text, ',' ORDER BY k.n)
                         FROM unnest(c.confkey) WITH ORDINALITY AS k (attnum, n)
                         JOIN pg_attribute AS a ON a.attrelid = c.confrelid AND a.attnum = k.attnum) AS other_columns
                 FROM pg_constraint AS c JOIN pg_class AS t ON t.oid = c.conrelid
                 JOIN pg_class AS o ON o.oid = c.confrelid
                 JOIN pg_namespace AS s ON s.oid = t.relnamespace
                 WHERE c.contype = 'f' AND s.nspname = current_schema()
                 ORDER BY 1, 3, 2"
            }
        }
    }
}

/// All of a column's values as one bind of PostgreSQL's.
fn array(value: &Value<'_>, bind: usize) -> String {
    let kind = match value {
        Value::Text(_) => "text",
        Value::Int(_) => "bigint",
        Value::Bytes(_) => "bytea",
    };
    format!("${bind}::{kind}[]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_set_of_rows_in_two_texts() {
        let row = [Value::from("a"), Value::from(1_i64)];
        assert_eq!(Engine::Sqlite.rows(&row, 2, 3, false), "VALUES (?,?),(?,?)");
        assert_eq!(
            Engine::Sqlite.rows(&row, 1, 1, true),
            "SELECT * FROM (VALUES (?,?))"
        );
        assert_eq!(
            Engine::Postgres.rows(&row, 2, 3, true),
            "SELECT * FROM unnest($3::text[], $4::bigint[])"
        );
    }

    #[test]
    fn a_single_value_is_looked_up_in_an_array() {
        let text = "a = $1 AND b IN ({rows})";
        let of = |engine: Engine| engine.with_rows(text, &["x".into()], 2, 2, true);
        assert_eq!(of(Engine::Postgres), "a = $1 AND b = ANY($2::text[])");
        assert_eq!(
            of(Engine::Sqlite),
            "a = $1 AND b IN (SELECT * FROM (VALUES (?),(?)))"
        );
    }

    #[test]
    fn sqlite_statements_stay_within_its_binds_and_few_in_number() {
        let mut texts = std::collections::BTreeSet::new();
        for left in 1..5_000 {
            let take = Engine::Sqlite.rows_at_once(left, 100, 20);
            assert!(take >= 1 && take <= left && take * 100 + 20 <= SQLITE_BINDS_MAX);
            texts.insert(take);
        }
        assert!(texts.len() <= 18, "{texts:?}");
        let pieces = |rows| Engine::Sqlite.rows_at_once(rows, 9, 0);
        assert_eq!(
            [7, 8, 9, 31, 63, 64, 100].map(pieces),
            [7, 8, 8, 24, 56, 64, 64]
        );
        assert_eq!(Engine::Postgres.rows_at_once(5_000, 100, 20), 5_000);
    }
}
