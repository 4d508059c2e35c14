//! The database: SQLite in the process, or PostgreSQL, behind one set of functions.
//! One SQL text a statement, one function a statement or transaction; it decides nothing.
//!
//! Every function takes the connection it is about, and a transaction ([`Db::begin`] to
//! write, [`Db::read`] to read) unless it is one by itself. Times named `*_us` are unix
//! microseconds of our clock; [`Timestamp`](crate::domain::time::Timestamp)s are unix seconds.

mod db;
pub mod dialect;
mod error;
pub mod json;
mod migrations;
mod postgres;
mod retry;
mod snapshot;
mod sqlite;
pub mod statement;
pub mod value;

// What Stripe sent, and what it says.
pub mod by_customer;
pub mod connections;
pub mod customer_keys;
pub mod events;
pub mod objects;
pub mod payments;

// Who claims what, by which rules.
pub mod campaigns;
pub mod decisions;
pub mod promoters;
pub mod referral_links;
pub mod referrals;

// What the rules say.
pub mod cases;
pub mod dirty;
pub mod near_misses;
pub mod verdicts;

// What is owed.
pub mod backtests;
pub mod batch_items;
pub mod batches;
pub mod ledger;
pub mod outbox;
pub mod portal;
pub mod qualifications;
pub mod reports;
pub mod webhook_deliveries;
pub mod webhook_endpoints;

// Who may ask, who did what, and which node does what.
pub mod api_keys;
pub mod audit;
pub mod idempotency;
pub mod leases;
pub mod limits;
pub mod links;
pub mod sessions;
pub mod users;

// The whole of it.
mod cells;
pub mod copy;
pub mod doctor;
pub mod in_use;
pub mod schema;

pub use db::{ConnectOptions, Db, Tx};
pub use error::StoreError;
pub use migrations::Schema;
pub use retry::{ATTEMPTS_MAX, Contested, Passing, retry};
pub use statement::{Record, Statement};
pub use value::Value;
