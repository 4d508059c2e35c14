//! The load tool: events, a client that posts them, servers to shoot at, and a report of what
//! came of it. `main.rs` runs it from the command line, a test runs it for a moment.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::disallowed_methods,
    clippy::missing_panics_doc,
    missing_docs,
    reason = "a bench that cannot go on has failed, and its figures are for people"
)]
#![allow(dead_code, reason = "each program uses its own part of it")]

pub mod args;
pub mod client;
pub mod database;
pub mod events;
pub mod limit;
pub mod path;
pub mod report;
pub mod run;
pub mod server;

#[path = "../../../tests/support/postgres.rs"]
mod postgres;

/// The signing secret of every server here.
pub const SECRET: &str = "whsec_load";
