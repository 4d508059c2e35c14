//! The webhook endpoint from the outside: the real server on a real port over a real
//! database. What happens to events afterwards is tested elsewhere.

mod bad_input;
mod bench;
mod client;
mod group_commit;
mod shutdown;
mod slow_clients;
