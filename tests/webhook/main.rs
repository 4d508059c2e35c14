//! The webhook endpoint from the outside: the real server on a real port over a real
//! database. What happens to events afterwards is tested elsewhere.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod bad_input;
mod bench;
mod client;
mod group_commit;
mod shutdown;
mod slow_clients;
