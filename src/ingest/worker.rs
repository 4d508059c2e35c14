//! Claims stored events, reads them, loads what they are about, folds, applies: one
//! transaction a batch, and no query in a loop.

use std::collections::{BTreeMap, BTreeSet};

use super::fold::{Batch, Changes, keys_of};
use super::keys::{Key, coupon_of, source_kind};
use super::read::{Readings, Scope, read};
use crate::clock::Clock;
use crate::domain::fact::{Fact, ObjectKey, ObjectKind, ObjectState};
use crate::domain::ids::{ConnectionId, CustomerId};
use crate::store::customer_keys::{KeyKind, add_customer_keys, find_by_keys};
use crate::store::dialect::Engine;
use crate::store::dirty::{DirtyKind, mark_dirty};
use crate::store::events::{mark_events, received_batch};
use crate::store::json::to_json;
use crate::store::leases::{Stage, enter, times_entered};
use crate::store::objects::{load_objects, load_with_groups, upsert_objects};
use crate::store::payments::{
    StoredPayment, delete_payments, load_payment_groups, upsert_payments,
};
use crate::store::{Db, StoreError, Tx};

/// Events read in one transaction, at most.
pub const BATCH_EVENTS_MAX: u32 = 512;

/// Reads one batch of waiting events; how many there were.
///
/// What can be done beside others is: PostgreSQL's nodes each parse what they claimed, and one
/// at a time folds; on SQLite everything up to the writing happens beside the one writer.
pub async fn ingest_batch(
    db: &Db,
    connection: &ConnectionId,
    scope: &Scope,
    clock: &dyn Clock,
) -> Result<usize, StoreError> {
    let folded = match db.engine() {
        Engine::Sqlite => fold_beside_the_writer(db, connection, scope).await?,
        Engine::Postgres => fold_alone(db, connection, scope).await?,
    };
    let Some((mut tx, readings, changes)) = folded else {
        return Ok(0);
    };
    apply(&mut tx, connection, changes, clock.now_us()).await?;
    mark_events(&mut tx, connection, &readings.marks).await?;
    tx.commit().await?;
    Ok(readings.marks.len())
}

type Folded = Option<(Tx, Readings, Changes)>;

async fn fold_alone(
    db: &Db,
    connection: &ConnectionId,
    scope: &Scope,
) -> Result<Folded, StoreError> {
    let mut tx = db.begin().await?;
    let Some(mut readings) = claim(&mut tx, connection, scope).await? else {
        tx.rollback().await?;
        return Ok(None);
    };
    enter(&mut tx, connection, Stage::Fold).await?;
    let facts = std::mem::take(&mut readings.facts);
    let changes = load_and_fold(&mut tx, connection, facts).await?;
    Ok(Some((tx, readings, changes)))
}

async fn fold_beside_the_writer(
    db: &Db,
    connection: &ConnectionId,
    scope: &Scope,
) -> Result<Folded, StoreError> {
    let mut look = db.read().await?;
    let entered = times_entered(&mut look, connection, Stage::Fold).await?;
    let readings = claim(&mut look, connection, scope).await?;
    let Some(mut readings) = readings else {
        look.rollback().await?;
        return Ok(None);
    };
    let facts = std::mem::take(&mut readings.facts);
    let changes = load_and_fold(&mut look, connection, facts).await?;
    look.rollback().await?;
    let mut tx = db.begin().await?;
    if enter(&mut tx, connection, Stage::Fold).await? == entered + 1 {
        return Ok(Some((tx, readings, changes)));
    }
    // Another process has folded meanwhile: what was read is no longer what is stored.
    tx.rollback().await?;
    fold_alone(db, connection, scope).await
}

/// The next events that wait, as facts.
async fn claim(
    tx: &mut Tx,
    connection: &ConnectionId,
    scope: &Scope,
) -> Result<Option<Readings>, StoreError> {
    let events = received_batch(tx, connection, BATCH_EVENTS_MAX).await?;
    Ok((!events.is_empty()).then(|| read(scope, &events)))
}

/// Merges facts into what is stored of their objects, the whole groups of them.
async fn load_and_fold(
    tx: &mut Tx,
    connection: &ConnectionId,
    facts: Vec<Fact>,
) -> Result<Changes, StoreError> {
    let keys = keys_of(&facts);
    let stored = load_with_groups(tx, connection, &keys).await?;
    let groups: BTreeSet<String> = stored.iter().filter_map(|o| o.group.clone()).collect();
    let groups: Vec<String> = groups.into_iter().collect();
    let payments = load_payment_groups(tx, connection, &groups).await?;
    let mut changes = Batch::new(stored, payments).fold(facts);
    find_by_coupon_source(tx, connection, &mut changes).await?;
    find_by_coupon(tx, connection, &mut changes).await?;
    Ok(changes)
}

async fn apply(
    tx: &mut Tx,
    connection: &ConnectionId,
    changes: Changes,
    now_us: i64,
) -> Result<(), StoreError> {
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
    let mut coupons: BTreeMap<Key, Option<String>> = BTreeMap::new();
    let sources = changes
        .objects
        .iter()
        .filter(|o| changes.coupon_sources.contains(&o.key));
    for object in sources {
        if let Some(kind) = source_kind(object.key.kind) {
            coupons.insert((kind, object.key.id.clone()), coupon_of(&object.state));
        }
    }
    let keys: BTreeSet<Key> = coupons.keys().cloned().collect();
    for (kind, id, customer) in find_by_keys(tx, connection, &keys).await? {
        if let Some(coupon) = coupons.get(&(kind, id)).cloned().flatten() {
            let keys = changes.keys.entry(customer.clone()).or_default();
            keys.insert((KeyKind::Coupon, coupon));
        }
        changes.customers.insert(customer);
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
