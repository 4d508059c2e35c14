//! The digest of a plan: what the batch's page shows and `verify` makes again, so that a plan
//! that was changed after it was made does not go unseen. Pure.

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::domain::verdict::Reward;
use crate::store::StoreError;
use crate::store::batch_items::BatchItem;
use crate::store::json::to_json;

/// A digest in the making, item by item in the order of the plan.
#[derive(Debug, Default)]
pub struct Manifest(Sha256);

#[derive(Serialize)]
struct Line<'a> {
    position: i64,
    qualification: &'a str,
    action: &'static str,
    amounts: &'a [Reward],
    reason: &'a str,
}

impl Manifest {
    /// Adds items; what came of them is no part of the plan.
    pub fn take(&mut self, items: &[BatchItem]) -> Result<(), StoreError> {
        for item in items {
            let line = Line {
                position: item.position,
                qualification: item.qualification.as_str(),
                action: item.action.name(),
                amounts: &item.amounts,
                reason: &item.reason,
            };
            self.0.update(to_json("batch_items", &line)?);
            self.0.update(b"\n");
        }
        Ok(())
    }

    /// SHA-256 of a JSON line an item, hexadecimal.
    pub fn digest(self) -> String {
        hex::encode(self.0.finalize())
    }
}
