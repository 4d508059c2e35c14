//! The commands that work on the database, as a program: what they print, what they leave
//! behind, how they end. Stories that need a clock go through the library.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "../support/mod.rs"]
mod support;

mod corruption;
mod endings;
mod history;
mod reversals;
mod shop;
mod stories;
