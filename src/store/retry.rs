//! Runs a transaction again when the database asks for it.
//! It knows nothing of what the transaction does; each attempt starts from the beginning.

use std::time::Duration;

use super::StoreError;

/// How often a transaction is attempted in all.
pub const ATTEMPTS_MAX: u32 = 6;
/// The pause before the second attempt; it doubles each time (10, 20, 40, 80, 160 ms).
const FIRST_PAUSE: Duration = Duration::from_millis(10);

/// Runs `attempt` until it succeeds, fails for good, or has been tried [`ATTEMPTS_MAX`] times.
/// Only serialization failures, deadlocks (40001, 40P01) and `SQLITE_BUSY` are tried again.
pub async fn retry<T, F>(mut attempt: impl FnMut() -> F) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    let mut pause = FIRST_PAUSE;
    for _ in 1..ATTEMPTS_MAX {
        match attempt().await {
            Err(error) if error.is_transient() => {
                tracing::debug!(%error, "transaction is run again");
                tokio::time::sleep(pause).await;
                pause = pause.saturating_mul(2);
            }
            outcome => return outcome,
        }
    }
    attempt().await
}
