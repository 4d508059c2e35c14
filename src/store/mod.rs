//! The database: SQLite in the process, or PostgreSQL, behind one set of functions.
//! One SQL text a statement, one function a statement or transaction; it decides nothing.
//!
//! Every function takes the connection it is about, and a transaction ([`Db::begin`] to
//! write, [`Db::read`] to read) unless it is one by itself. Times named `*_us` are unix
//! microseconds of our clock; [`Timestamp`](crate::domain::time::Timestamp)s are unix seconds.

pub mod campaigns;
pub mod cases;
pub mod customer_keys;
mod db;
pub mod decisions;
pub mod dialect;
pub mod dirty;
mod error;
pub mod events;
pub mod json;
pub mod near_misses;
pub mod objects;
pub mod payments;
mod postgres;
pub mod promoters;
pub mod referrals;
mod retry;
mod sqlite;
pub mod statement;
pub mod value;
pub mod verdicts;

pub use db::{ConnectOptions, Db, Tx};
pub use error::StoreError;
pub use retry::{ATTEMPTS_MAX, retry};
pub use statement::{Record, Statement};
pub use value::Value;
