//! The folded facts of every event against the stored objects, byte for byte.

use std::collections::HashMap;

use super::{Check, PAGE};
use crate::domain::ids::{ConnectionId, CustomerId};
use crate::ingest::fold::Changes;
use crate::store::json::to_json;
use crate::store::objects::{ObjectText, StoredObject, object_text_page};
use crate::store::{StoreError, Tx};

const REFOLD: &str = "run `qualify replay --state done`: facts are folded again from the events";
const STRAY: &str = "no stored event tells of it: restore the events from a backup";

/// Compares what events say with what is stored.
pub(super) async fn check(
    tx: &mut Tx,
    connection: &ConnectionId,
    world: &Changes,
) -> Result<Check, StoreError> {
    let mut check = Check::new("facts");
    let mut expected: HashMap<(String, String), &StoredObject> = world
        .objects
        .iter()
        .map(|object| {
            (
                (object.key.kind.name().to_owned(), object.key.id.clone()),
                object,
            )
        })
        .collect();
    let mut after: Option<(String, String)> = None;
    loop {
        let place = after
            .as_ref()
            .map(|(kind, id)| (kind.as_str(), id.as_str()));
        let page = object_text_page(tx, connection, place, PAGE).await?;
        for stored in &page {
            check.looked_at += 1;
            let key = (stored.kind.clone(), stored.object_id.clone());
            match expected.remove(&key) {
                Some(object) => compare(stored, object, &mut check)?,
                None => check.differs(place_of(&key.0, &key.1), "it is stored", STRAY),
            }
        }
        match page.last() {
            Some(last) if page.len() >= PAGE as usize => {
                after = Some((last.kind.clone(), last.object_id.clone()));
            }
            _ => break,
        }
    }
    let mut missing: Vec<(String, String)> = expected.into_keys().collect();
    missing.sort_unstable();
    for (kind, id) in missing {
        check.differs(
            place_of(&kind, &id),
            "it is not stored, and events tell of it",
            REFOLD,
        );
    }
    Ok(check)
}

fn place_of(kind: &str, id: &str) -> String {
    format!("objects {kind} {id}")
}

fn compare(
    stored: &ObjectText,
    object: &StoredObject,
    check: &mut Check,
) -> Result<(), StoreError> {
    let place = place_of(&stored.kind, &stored.object_id);
    let state = to_json("objects", &object.state)?;
    if stored.state != state {
        let seen = format!("stored is {}, the events say {state}", stored.state);
        check.differs(place, seen, REFOLD);
        return Ok(());
    }
    let customer = object.customer.as_ref().map(CustomerId::as_str);
    if stored.customer_id.as_deref() != customer || stored.group_id != object.group {
        let seen = format!(
            "stored are customer {:?} and group {:?}, the events say {customer:?} and {:?}",
            stored.customer_id, stored.group_id, object.group
        );
        check.differs(place, seen, REFOLD);
    }
    Ok(())
}
