//! The doctor from the outside: the program, the API and the page, each against a stand-in for
//! Stripe that is a server on a port of its own.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "../webhook/client.rs"]
#[allow(dead_code, reason = "the webhook's tests use the rest")]
mod client;
mod command;
mod served_side;
mod stripe;
