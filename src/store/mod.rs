//! The database: SQLite in the process, or PostgreSQL, behind one set of functions.
//! One SQL text a statement, one function a statement or transaction; it decides nothing.
//!
//! Every function takes the connection it is about, and a transaction ([`Db::begin`] to
//! write, [`Db::read`] to read) unless it is one by itself. Times named `*_us` are unix
//! microseconds of our clock; [`Timestamp`](crate::domain::time::Timestamp)s are unix seconds.

mod db;
pub mod dialect;
mod error;
pub mod events;
mod postgres;
mod retry;
mod sqlite;
pub mod statement;
pub mod value;

pub use db::{ConnectOptions, Db, Tx};
pub use error::StoreError;
pub use retry::{ATTEMPTS_MAX, retry};
pub use statement::{Record, Statement};
pub use value::Value;
