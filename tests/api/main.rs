//! The API from the outside: the real server on a real port over a real database, under a
//! clock that stands still. Ids and times are therefore the same in every run, and snapshots
//! hide nothing.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod access;
mod bench;
mod cases;
#[path = "../webhook/client.rs"]
mod client;
mod codes;
mod document;
mod examples;
mod idempotency;
mod lists;
mod reassign;
mod refusals;
mod resources;
mod story;
