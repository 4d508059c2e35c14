//! The pages from the outside, as a browser without JavaScript uses them: the real server on a
//! real port over a real database. How pages look is held by samples in `src/web`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "../api/bench.rs"]
#[allow(dead_code, reason = "the API's tests use the rest")]
mod bench;
mod browser;
#[path = "../webhook/client.rs"]
#[allow(dead_code, reason = "the webhook's tests use the rest")]
mod client;
mod desk;
mod editor;
mod inviting;
mod office;
mod people;
mod portal;
mod signing_in;
#[path = "../access/smtp.rs"]
#[allow(dead_code, reason = "the tests of mail use the rest")]
mod smtp;
mod tracking;
mod webhooks;
