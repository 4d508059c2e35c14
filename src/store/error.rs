//! What can go wrong at the database, and which of it is worth another try.
//! "Not there" is no error: reads answer `Option` or an empty list.

use std::borrow::Cow;

/// An error of the database room. Messages may name tables and constraints; they are for
/// logs and operators, never for an answer over HTTP.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The address is of no database that is supported.
    #[error(
        "`{0}` is no database address; write sqlite://<file> or postgres://<user>@<host>/<database>"
    )]
    Address(String),
    /// The database is there, but not fit to keep a promise on.
    #[error("the database cannot be used: {0}")]
    Unfit(String),
    /// The database refused a row because another one has its place.
    #[error("a row with this key exists already: {0}")]
    Taken(String),
    /// The database refused a change that would break an invariant.
    #[error("the database refused the change: {0}")]
    Refused(String),
    /// A text with a NUL character, which PostgreSQL cannot store.
    #[error("a text contains a NUL character, which cannot be stored; leave it out")]
    Nul,
    /// A transition found the row in another state than it expected.
    #[error(
        "{what}: expected {expected} rows to change, {seen} did; read them again and decide anew"
    )]
    Stale {
        /// What was to be changed.
        what: &'static str,
        /// How many rows should have changed.
        expected: u64,
        /// How many did.
        seen: u64,
    },
    /// A stored value does not read back.
    #[error("{table} holds a value that cannot be read back ({detail}); run `qualify verify`")]
    Unreadable {
        /// The table.
        table: &'static str,
        /// Which column, and why.
        detail: String,
    },
    /// The tables were made by a later program.
    #[error(
        "the database's tables are newer than this program: migration {found} has run, and this \
         one knows up to {known}; start the version that the other nodes run"
    )]
    Newer {
        /// The last migration that has run.
        found: i64,
        /// The last one that this program knows.
        known: i64,
    },
    /// The tables were made by another program than any release of this one.
    #[error(
        "migration {0} ran with another text than this program has; the database was made by \
         another build: use that, or another DATABASE_URL"
    )]
    Changed(i64),
    /// The folder of the database file cannot be made.
    #[error("the folder of the database file cannot be made: {0}")]
    Folder(#[source] std::io::Error),
    /// Anything else that the database says.
    #[error("the database failed: {0}")]
    Database(#[source] sqlx::Error),
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::error::ErrorKind;
        let Some(cause) = error.as_database_error() else {
            return Self::Database(error);
        };
        let words = match cause.constraint() {
            Some(name) => format!("{} ({name})", cause.message()),
            None => cause.message().to_owned(),
        };
        match cause.kind() {
            ErrorKind::UniqueViolation => Self::Taken(words),
            ErrorKind::ForeignKeyViolation
            | ErrorKind::NotNullViolation
            | ErrorKind::CheckViolation => Self::Refused(words),
            _ if is_refused_by_trigger(cause.code().as_deref()) => Self::Refused(words),
            _ if is_pooled_away(cause.code().as_deref()) => Self::Unfit(POOLED_AWAY.to_owned()),
            _ => Self::Database(error),
        }
    }
}

impl StoreError {
    /// A stored value that does not read back.
    pub fn unreadable(table: &'static str, detail: impl std::fmt::Display) -> Self {
        Self::Unreadable {
            table,
            detail: detail.to_string(),
        }
    }

    /// Whether the same transaction may succeed when it is run again from its start:
    /// serialization failure and deadlock on PostgreSQL, a busy file on SQLite.
    pub fn is_transient(&self) -> bool {
        let code = self.code();
        let code = code.as_deref().unwrap_or_default();
        matches!(code, "40001" | "40P01") || sqlite_code(code) == Some(5)
    }

    /// The database's own code of an error that has no variant here: an SQLSTATE of five
    /// characters on PostgreSQL, a number on SQLite.
    pub(super) fn code(&self) -> Option<Cow<'_, str>> {
        let Self::Database(error) = self else {
            return None;
        };
        error.as_database_error()?.code()
    }

    /// Whether somebody else holds what was asked for: a busy file on SQLite, a lock that was
    /// waited for in vain on PostgreSQL (55P03).
    pub fn is_locked_out(&self) -> bool {
        let Self::Database(error) = self else {
            return false;
        };
        let code = error
            .as_database_error()
            .and_then(sqlx::error::DatabaseError::code);
        code.is_some_and(|code| code == "55P03" || sqlite_code(&code) == Some(5))
    }

    /// Whether the database cannot be reached or cannot write now: the request should be
    /// answered with 503 and repeated by its sender.
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Database(_) | Self::Folder(_))
    }
}

/// SQLite's `RAISE(ABORT)` is `SQLITE_CONSTRAINT_TRIGGER`; PL/pgSQL's `RAISE` is `P0001`.
fn is_refused_by_trigger(code: Option<&str>) -> bool {
    matches!(code, Some("1811" | "P0001"))
}

/// What is said when prepared statements get lost between us and the server.
const POOLED_AWAY: &str = "prepared statements do not stay with their connection: a pooler in \
    transaction mode stands between; add ?statement-cache-capacity=0 to DATABASE_URL";

/// A prepared statement that is not there, or is there although it was never made here.
fn is_pooled_away(code: Option<&str>) -> bool {
    matches!(code, Some("26000" | "42P05"))
}

/// The primary result code of SQLite; codes of PostgreSQL have five characters and are no match.
/// Source: <https://www.sqlite.org/rescode.html>.
fn sqlite_code(code: &str) -> Option<u32> {
    (code.len() < 5)
        .then(|| code.parse::<u32>().ok())
        .flatten()
        .map(|code| code & 0xff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn busy_is_told_from_other_codes() {
        for (code, busy) in [
            ("5", true),
            ("261", true),
            ("517", true),
            ("6", false),
            ("40001", false),
            ("", false),
        ] {
            assert_eq!(sqlite_code(code) == Some(5), busy, "{code}");
        }
    }

    #[test]
    fn only_the_database_s_own_hiccups_are_tried_again() {
        assert!(!StoreError::Nul.is_transient());
        assert!(!StoreError::from(sqlx::Error::PoolTimedOut).is_transient());
        assert!(StoreError::from(sqlx::Error::PoolTimedOut).is_unavailable());
        assert!(!StoreError::Taken(String::new()).is_unavailable());
    }
}
