//! Payments read again from their groups of objects, against the stored ones.

use std::collections::BTreeMap;

use super::{Check, PAGE};
use crate::domain::ids::{ConnectionId, CustomerId};
use crate::ingest::fold::Changes;
use crate::store::json::to_json;
use crate::store::payments::{StoredPayment, payment_page};
use crate::store::{StoreError, Tx};

const REFOLD: &str = "run `qualify replay --state done`: payments are derived again";

/// Every stored payment.
pub(super) async fn load(
    tx: &mut Tx,
    connection: &ConnectionId,
) -> Result<Vec<StoredPayment>, StoreError> {
    let mut all: Vec<StoredPayment> = Vec::new();
    loop {
        let after = all.last().map(|last| last.group_id.clone());
        let page = payment_page(tx, connection, after.as_deref(), PAGE).await?;
        let full = page.len() >= PAGE as usize;
        all.extend(page);
        if !full {
            return Ok(all);
        }
    }
}

/// Compares them with what the facts give.
pub(super) fn check(stored: &[StoredPayment], world: &Changes) -> Result<Check, StoreError> {
    let mut check = Check::new("payments");
    let mut expected: BTreeMap<&str, _> = world
        .payments
        .iter()
        .map(|(group, record)| (group.as_str(), record))
        .collect();
    for payment in stored {
        check.looked_at += 1;
        let place = format!("payments {}", payment.group_id);
        let Some(record) = expected.remove(payment.group_id.as_str()) else {
            check.differs(place, "it is stored, and no facts give it", REFOLD);
            continue;
        };
        let wanted = to_json("payments", record)?;
        let owner = record.owner();
        let owner = owner.as_ref().map(CustomerId::as_str);
        if payment.record != wanted {
            let seen = format!("stored is {}, the facts give {wanted}", payment.record);
            check.differs(place, seen, REFOLD);
        } else if payment.customer_id.as_deref() != owner {
            let seen = format!(
                "stored is {:?}, it belongs to {owner:?}",
                payment.customer_id
            );
            check.differs(place, seen, REFOLD);
        }
    }
    for group in expected.into_keys() {
        let place = format!("payments {group}");
        check.differs(place, "it is not stored, and facts give it", REFOLD);
    }
    Ok(check)
}
