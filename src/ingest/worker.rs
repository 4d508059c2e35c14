//! Claims stored events, reads them, loads what they are about, folds, applies: one
//! transaction a batch, and no query in a loop.

use std::collections::{BTreeMap, BTreeSet};

use super::fold::{Batch, Changes, coupon_of, keys_of, source_kind};
use super::read::{Scope, read};
use crate::clock::Clock;
use crate::domain::fact::{ObjectKey, ObjectKind, ObjectState};
use crate::domain::ids::{ConnectionId, CustomerId};
use crate::store::customer_keys::{KeyKind, add_customer_keys, find_customers};
use crate::store::dirty::{DirtyKind, mark_dirty};
use crate::store::events::{mark_events, received_batch};
use crate::store::json::to_json;
use crate::store::leases::{Stage, enter};
use crate::store::objects::{load_groups, load_objects, upsert_objects};
use crate::store::payments::{
    StoredPayment, delete_payments, load_payment_groups, upsert_payments,
};
use crate::store::{Db, StoreError, Tx};

/// Events read in one transaction, at most.
pub const BATCH_EVENTS_MAX: u32 = 256;

/// Reads one batch of waiting events; how many there were.
pub async fn ingest_batch(
    db: &Db,
    connection: &ConnectionId,
    scope: &Scope,
    clock: &dyn Clock,
) -> Result<usize, StoreError> {
    let mut tx = db.begin().await?;
    enter(&mut tx, connection, Stage::Fold).await?;
    let events = received_batch(&mut tx, connection, BATCH_EVENTS_MAX).await?;
    if events.is_empty() {
        tx.rollback().await?;
        return Ok(0);
    }
    let readings = read(scope, &events);
    if !readings.facts.is_empty() {
        let keys = keys_of(&readings.facts);
        let mut stored = load_objects(&mut tx, connection, &keys).await?;
        let groups: BTreeSet<String> = stored.iter().filter_map(|o| o.group.clone()).collect();
        let groups: Vec<String> = groups.into_iter().collect();
        let members = load_groups(&mut tx, connection, &groups).await?;
        let known: BTreeSet<_> = stored.iter().map(|object| object.key.clone()).collect();
        stored.extend(
            members
                .into_iter()
                .filter(|object| !known.contains(&object.key)),
        );
        let changes = Batch::new(stored).fold(readings.facts);
        apply(&mut tx, connection, changes, clock.now_us()).await?;
    }
    mark_events(&mut tx, connection, &readings.marks).await?;
    tx.commit().await?;
    Ok(events.len())
}

async fn apply(
    tx: &mut Tx,
    connection: &ConnectionId,
    mut changes: Changes,
    now_us: i64,
) -> Result<(), StoreError> {
    let regrouped: Vec<String> = changes
        .payments
        .keys()
        .chain(&changes.gone_groups)
        .cloned()
        .collect();
    // Whoever owned a payment before is judged again as well: a guest who turns out to be a
    // customer must lose the payment in the same breath.
    for payment in load_payment_groups(tx, connection, &regrouped).await? {
        changes
            .customers
            .extend(payment.customer_id.map(CustomerId::from));
    }
    find_by_coupon_source(tx, connection, &mut changes).await?;
    find_by_coupon(tx, connection, &mut changes).await?;
    upsert_objects(tx, connection, &changes.objects).await?;
    delete_payments(tx, connection, &changes.gone_groups).await?;
    let payments = changes
        .payments
        .iter()
        .map(|(group, record)| {
            Ok(StoredPayment {
                group_id: group.clone(),
                customer_id: record.owner().map(|owner| owner.as_str().to_owned()),
                record: to_json("payments", record)?,
            })
        })
        .collect::<Result<Vec<_>, StoreError>>()?;
    upsert_payments(tx, connection, &payments).await?;
    add_customer_keys(tx, connection, &changes.keys).await?;
    let customers: BTreeSet<String> = changes
        .customers
        .iter()
        .map(|id| id.as_str().to_owned())
        .collect();
    mark_dirty(tx, connection, DirtyKind::Customer, &customers, now_us).await
}

/// Customers who used a discount or promotion code before it was known where it leads: they
/// can be found by its coupon from now on, and are judged again.
async fn find_by_coupon_source(
    tx: &mut Tx,
    connection: &ConnectionId,
    changes: &mut Changes,
) -> Result<(), StoreError> {
    let mut by_kind: BTreeMap<KeyKind, BTreeMap<String, Option<String>>> = BTreeMap::new();
    let sources = changes
        .objects
        .iter()
        .filter(|o| changes.coupon_sources.contains(&o.key));
    for object in sources {
        let Some(kind) = source_kind(object.key.kind) else {
            continue;
        };
        by_kind
            .entry(kind)
            .or_default()
            .insert(object.key.id.clone(), coupon_of(&object.state));
    }
    // Two kinds at most, each one query.
    for (kind, coupons) in by_kind {
        let ids: Vec<String> = coupons.keys().cloned().collect();
        for (id, customer) in find_customers(tx, connection, &kind, &ids).await? {
            if let Some(coupon) = coupons.get(&id).cloned().flatten() {
                let keys = changes.keys.entry(customer.clone()).or_default();
                keys.insert((KeyKind::Coupon, coupon));
            }
            changes.customers.insert(customer);
        }
    }
    Ok(())
}

/// Customers who use a discount or promotion code of which it is known already where it leads,
/// or becomes known just now: they can be found by its coupon as well.
async fn find_by_coupon(
    tx: &mut Tx,
    connection: &ConnectionId,
    changes: &mut Changes,
) -> Result<(), StoreError> {
    let mut users: BTreeMap<ObjectKey, Vec<CustomerId>> = BTreeMap::new();
    for (customer, keys) in &changes.keys {
        for (kind, id) in keys {
            let source = match kind {
                KeyKind::Discount => ObjectKind::Discount,
                KeyKind::PromotionCode => ObjectKind::PromotionCode,
                _ => continue,
            };
            let source = ObjectKey::new(source, id.clone());
            users.entry(source).or_default().push(customer.clone());
        }
    }
    let fresh: BTreeMap<&ObjectKey, &ObjectState> = changes
        .objects
        .iter()
        .map(|object| (&object.key, &object.state))
        .collect();
    let known: Vec<ObjectKey> = users
        .keys()
        .filter(|key| !fresh.contains_key(key))
        .cloned()
        .collect();
    let known = load_objects(tx, connection, &known).await?;
    let known = known.iter().map(|object| (&object.key, &object.state));
    for (key, state) in fresh.into_iter().chain(known) {
        let Some(coupon) = coupon_of(state) else {
            continue;
        };
        for customer in users.get(key).into_iter().flatten() {
            let keys = changes.keys.entry(customer.clone()).or_default();
            keys.insert((KeyKind::Coupon, coupon.clone()));
        }
    }
    Ok(())
}
