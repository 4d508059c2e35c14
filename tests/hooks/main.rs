//! Outgoing webhooks against real receivers on this machine: what is sent and how it is signed,
//! what is tried again, what is never spoken to, what a real server tells of real events, and
//! what it keeps out of its log.

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
mod encrypted;
mod logs;
mod many;
mod receiver;
mod safety;
#[path = "../access/smtp.rs"]
#[allow(dead_code, reason = "the tests of mail use the rest")]
mod smtp;
mod story;
#[path = "../support/mod.rs"]
mod support;
