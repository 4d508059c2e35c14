//! Outgoing webhooks against real receivers on this machine: what is sent and how it is signed,
//! what is tried again, what is never spoken to, and what a real server tells of real events.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod bench;
#[path = "../webhook/client.rs"]
mod client;
mod delivery;
mod many;
mod receiver;
mod safety;
mod story;
#[path = "../support/mod.rs"]
mod support;
