//! The values by which customers are found: each that facts tell has to be there. More than
//! that may be, because a value that leads nowhere costs a look and never a verdict.

use super::{Check, PAGE};
use crate::domain::ids::{ConnectionId, CustomerId};
use crate::ingest::fold::Changes;
use crate::store::customer_keys::load_customer_keys;
use crate::store::{StoreError, Tx};

/// Looks for each value.
pub(super) async fn check(
    tx: &mut Tx,
    connection: &ConnectionId,
    world: &Changes,
) -> Result<Check, StoreError> {
    let mut check = Check::new("customer_keys");
    let customers: Vec<&CustomerId> = world.keys.keys().collect();
    for chunk in customers.chunks(PAGE as usize) {
        let ids: Vec<CustomerId> = chunk.iter().map(|id| (*id).clone()).collect();
        let stored = load_customer_keys(tx, connection, &ids).await?;
        for id in &ids {
            let wanted = world.keys.get(id).into_iter().flatten();
            for (kind, value) in wanted {
                check.looked_at += 1;
                let key = (kind.clone(), value.clone());
                if !stored.get(id).is_some_and(|keys| keys.contains(&key)) {
                    check.differs(
                        format!("customer_keys {id}"),
                        format!("{} {value} is not stored, and facts tell it", kind.name()),
                        "run `qualify replay --state done`: keys are derived again",
                    );
                }
            }
        }
    }
    Ok(check)
}
