//! Who may what, from the outside: the real server on a real port over a real database, under
//! a clock that stands still.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod bench;
mod canary;
#[path = "../webhook/client.rs"]
mod client;
mod log;
mod mail;
mod matrix;
mod people;
mod sessions;
mod smtp;
