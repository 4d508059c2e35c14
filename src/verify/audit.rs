//! The audit log: numbers without gaps, each row holds the hash of the one before and its own,
//! and the chain ends where it is said to end.

use super::{Check, PAGE};
use crate::domain::ids::ConnectionId;
use crate::store::audit::{AuditHead, BEGINNING, audit_head, audit_page};
use crate::store::{StoreError, Tx};

const RESTORE: &str = "rows are never changed by the program: compare with a backup, and ask who \
                       has access to the database";

/// Walks the chain from its beginning.
pub async fn check(tx: &mut Tx, connection: &ConnectionId) -> Result<Check, StoreError> {
    let mut check = Check::new("audit_log");
    let mut last = AuditHead {
        number: 0,
        hash: BEGINNING.to_vec(),
    };
    loop {
        let page = audit_page(tx, connection, last.number, PAGE).await?;
        let full = page.len() >= PAGE as usize;
        for row in page {
            check.looked_at += 1;
            let place = || format!("audit_log {}", row.number);
            if row.number != last.number + 1 {
                let seen = format!("the row before it is {}: rows are missing", last.number);
                check.differs(place(), seen, RESTORE);
            } else if row.previous != last.hash {
                check.differs(
                    place(),
                    "it does not follow from the row before it",
                    RESTORE,
                );
            }
            if row.hash != row.digest(connection) {
                check.differs(place(), "it is not what was written", RESTORE);
            }
            last = AuditHead {
                number: row.number,
                hash: row.hash,
            };
        }
        if !full {
            break;
        }
    }
    let head = audit_head(tx, connection).await?;
    let is_empty = head.is_none() && last.number == 0;
    if !is_empty && head.as_ref() != Some(&last) {
        let end = head.map_or_else(
            || "nowhere".to_owned(),
            |head| format!("at {}", head.number),
        );
        let seen = format!("the last row is {}, and the chain ends {end}", last.number);
        check.differs("audit_heads", seen, RESTORE);
    }
    Ok(check)
}
