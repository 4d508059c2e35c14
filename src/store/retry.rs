//! Runs a transaction again when the database asks for it.
//! It knows nothing of what the transaction does; each attempt starts from the beginning.

use std::fmt::Display;
use std::time::Duration;

use super::StoreError;
use crate::random;
use crate::telemetry::metric;

/// How often a transaction is attempted in all: under eight writers that each lock the same rows
/// in another order, fourteen attempts were not enough for one in a hundred.
pub const ATTEMPTS_MAX: u32 = 40;
/// The longest pause before the second attempt; it doubles each time.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
/// No pause is longer than this, so that all of them together stay under twenty seconds, and
/// at ten as a rule.
const PAUSE_MAX: Duration = Duration::from_millis(500);

/// An error that can tell whether it may pass by itself.
pub trait Passing {
    /// Whether the same transaction may succeed when it is run again from its start.
    fn is_transient(&self) -> bool;
}

impl Passing for StoreError {
    fn is_transient(&self) -> bool {
        Self::is_transient(self)
    }
}

/// An error of a transaction that makes what other nodes may be making at the same moment:
/// whoever was too late finds it there at the next attempt.
#[derive(Debug)]
pub struct Contested(pub StoreError);

impl Passing for Contested {
    fn is_transient(&self) -> bool {
        // `duplicate_table`, or its row type: `IF NOT EXISTS` looks before it waits.
        let code = self.0.code();
        let there = matches!(code.as_deref(), Some("42P07" | "42710"));
        let late = matches!(self.0, StoreError::Taken(_) | StoreError::Stale { .. });
        there || late || self.0.is_transient()
    }
}

impl Display for Contested {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Runs `attempt` until it succeeds, fails for good, or has been tried [`ATTEMPTS_MAX`] times.
/// Only serialization failures, deadlocks (40001, 40P01) and `SQLITE_BUSY` are tried again.
///
/// Every transaction that writes is run by this, and begins inside of `attempt`: what an attempt
/// read before it failed may be wrong by the next one. Pauses are drawn by chance, so that
/// transactions that met once do not meet again.
pub async fn retry<T, E, F>(mut attempt: impl FnMut() -> F) -> Result<T, E>
where
    E: Passing + Display,
    F: Future<Output = Result<T, E>>,
{
    let mut pause = FIRST_PAUSE;
    for _ in 1..ATTEMPTS_MAX {
        match attempt().await {
            Err(error) if error.is_transient() => {
                tracing::debug!(%error, "transaction is run again");
                metrics::counter!(metric::RETRIES).increment(1);
                tokio::time::sleep(random::up_to(pause)).await;
                pause = pause.saturating_mul(2).min(PAUSE_MAX);
            }
            outcome => return outcome,
        }
    }
    attempt().await
}
