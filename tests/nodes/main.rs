//! Any number of processes on one PostgreSQL database: real ones, ended, killed, frozen and cut
//! off under load. `NODES_LONG=1` runs the sizes that take minutes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "../support/mod.rs"]
mod support;

mod database_lost;
mod disconnects;
mod fill;
mod frozen;
mod pooler;
mod rolling;
mod settle_race;
mod start;
mod stress;
mod unfit;

/// A size for every day, or the one for the long run.
fn size(short: usize, long: usize) -> usize {
    if is_long() { long } else { short }
}

fn is_long() -> bool {
    std::env::var_os("NODES_LONG").is_some()
}
