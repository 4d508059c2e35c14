//! What several integration tests share. Nothing here is a test.

pub mod scenario;
pub mod stripe_events;
pub mod trial;
