//! Forgets old messages and what became of them, in small transactions. A message is kept for a
//! month, told or not: as long as somebody may want it delivered again.

use super::Webhooks;
use crate::domain::time::DAY_SECONDS;
use crate::store::outbox::forget_messages;
use crate::store::webhook_deliveries::forget_deliveries;
use crate::store::{StoreError, retry};

/// How long messages and deliveries are remembered, mail included.
pub const KEPT_SECONDS: i64 = 30 * DAY_SECONDS;
/// Rows forgotten in one transaction.
const PAGE: u32 = 1_000;

/// What is forgotten, deliveries before the messages that they are of.
#[derive(Debug, Clone, Copy)]
enum Old {
    Deliveries,
    Told,
    Untold,
}

/// Forgets what is older than a month.
pub async fn tidy(hooks: &Webhooks) -> Result<(), StoreError> {
    for what in [Old::Deliveries, Old::Told, Old::Untold] {
        while forget(hooks, what).await? == u64::from(PAGE) {}
    }
    Ok(())
}

async fn forget(hooks: &Webhooks, what: Old) -> Result<u64, StoreError> {
    let connection = &hooks.connection;
    retry(|| async {
        let mut tx = hooks.db.begin().await?;
        let before = hooks.clock.now().plus_seconds(-KEPT_SECONDS);
        let forgotten = match what {
            Old::Deliveries => forget_deliveries(&mut tx, connection, before, PAGE).await?,
            Old::Told => forget_messages(&mut tx, connection, (true, before), PAGE).await?,
            Old::Untold => forget_messages(&mut tx, connection, (false, before), PAGE).await?,
        };
        tx.commit().await?;
        Ok::<_, StoreError>(forgotten)
    })
    .await
}
