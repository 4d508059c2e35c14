//! One folded state per Stripe object, and the group of linked objects it belongs to.
//! How states merge and groups form is not decided here.

use std::collections::BTreeSet;

use sqlx::FromRow;

use super::db::Tx;
use super::error::StoreError;
use super::json::{from_json, name, to_json};
use super::statement::Statement;
use crate::domain::fact::{ObjectKey, ObjectKind, ObjectState};
use crate::domain::ids::{ConnectionId, CustomerId};

const TABLE: &str = "objects";

/// One object as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredObject {
    /// Which object.
    pub key: ObjectKey,
    /// The group of linked objects, if it is part of a payment.
    pub group: Option<String>,
    /// The customer it belongs to.
    pub customer: Option<CustomerId>,
    /// What is known of it.
    pub state: ObjectState,
}

#[derive(FromRow)]
struct Row {
    kind: String,
    object_id: String,
    group_id: Option<String>,
    customer_id: Option<String>,
    state: String,
}

fn read(rows: Vec<Row>) -> Result<Vec<StoredObject>, StoreError> {
    let read = |row: Row| {
        let kind = name(TABLE, &row.kind, ObjectKind::parse)?;
        Ok(StoredObject {
            key: ObjectKey::new(kind, row.object_id),
            group: row.group_id,
            customer: row.customer_id.map(CustomerId::new),
            state: state(kind, &row.state)?,
        })
    };
    rows.into_iter().map(read).collect()
}

/// A state from its text, which says its kind as well. Told beforehand, it is read straight into
/// its type; otherwise the parser would first have to put everything by until it meets the kind.
fn state(kind: ObjectKind, text: &str) -> Result<ObjectState, StoreError> {
    Ok(match kind {
        ObjectKind::Customer => ObjectState::Customer(from_json(TABLE, text)?),
        ObjectKind::Charge => ObjectState::Charge(from_json(TABLE, text)?),
        ObjectKind::PaymentIntent => ObjectState::PaymentIntent(from_json(TABLE, text)?),
        ObjectKind::Invoice => ObjectState::Invoice(from_json(TABLE, text)?),
        ObjectKind::CheckoutSession => ObjectState::CheckoutSession(from_json(TABLE, text)?),
        ObjectKind::FirstInvoice => ObjectState::FirstInvoice,
        ObjectKind::Refund => ObjectState::Refund(from_json(TABLE, text)?),
        ObjectKind::Dispute => ObjectState::Dispute(from_json(TABLE, text)?),
        ObjectKind::CreditNote => ObjectState::CreditNote(from_json(TABLE, text)?),
        ObjectKind::InvoicePayment => ObjectState::InvoicePayment(from_json(TABLE, text)?),
        ObjectKind::Subscription => ObjectState::Subscription(from_json(TABLE, text)?),
        ObjectKind::Discount => ObjectState::Discount(from_json(TABLE, text)?),
        ObjectKind::PromotionCode => ObjectState::PromotionCode(from_json(TABLE, text)?),
        ObjectKind::Coupon => ObjectState::Coupon(from_json(TABLE, text)?),
    })
}

/// Objects by key, in any order; the ones that are not there are left out.
pub async fn load_objects(
    tx: &mut Tx,
    connection: &ConnectionId,
    keys: &[ObjectKey],
) -> Result<Vec<StoredObject>, StoreError> {
    let rows = Statement::new(
        "SELECT kind, object_id, group_id, customer_id, state FROM objects
         WHERE connection_id = $1 AND (kind, object_id) IN ({rows})",
    )
    .bind(connection)
    .set(
        keys.iter()
            .map(|key| [key.kind.name().into(), (&key.id).into()]),
    )
    .fetch_all(tx)
    .await?;
    read(rows)
}

/// Every object of some groups, in any order.
pub async fn load_groups(
    tx: &mut Tx,
    connection: &ConnectionId,
    groups: &[String],
) -> Result<Vec<StoredObject>, StoreError> {
    let rows = Statement::new(
        "SELECT kind, object_id, group_id, customer_id, state FROM objects
         WHERE connection_id = $1 AND group_id IN ({rows})",
    )
    .bind(connection)
    .list(groups)
    .fetch_all(tx)
    .await?;
    read(rows)
}

/// Objects by key, each with its whole group, in any order; the ones that are not there are
/// left out. Two statements: of one that did both, SQLite read the whole table.
pub async fn load_with_groups(
    tx: &mut Tx,
    connection: &ConnectionId,
    keys: &[ObjectKey],
) -> Result<Vec<StoredObject>, StoreError> {
    let mut found = load_objects(tx, connection, keys).await?;
    let groups: BTreeSet<String> = found.iter().filter_map(|o| o.group.clone()).collect();
    let groups: Vec<String> = groups.into_iter().collect();
    found.retain(|object| object.group.is_none());
    found.extend(load_groups(tx, connection, &groups).await?);
    Ok(found)
}

/// The objects of some customers that lead to coupons, in any order: discounts, promotion codes
/// and subscriptions. Their index holds these alone, however much a customer pays.
pub async fn coupon_sources_of(
    tx: &mut Tx,
    connection: &ConnectionId,
    customers: &[CustomerId],
) -> Result<Vec<StoredObject>, StoreError> {
    let rows = Statement::new(
        "SELECT kind, object_id, group_id, customer_id, state FROM objects
         WHERE connection_id = $1 AND customer_id IN ({rows})
           AND kind IN ('discount', 'promotion_code', 'subscription')",
    )
    .bind(connection)
    .list(customers)
    .fetch_all(tx)
    .await?;
    read(rows)
}

/// One page of Stripe's customers in order of id, after the last one seen.
pub async fn customer_page(
    tx: &mut Tx,
    connection: &ConnectionId,
    after: Option<&CustomerId>,
    limit: u32,
) -> Result<Vec<StoredObject>, StoreError> {
    let rows = Statement::new(
        "SELECT kind, object_id, group_id, customer_id, state FROM objects
         WHERE connection_id = $1 AND kind = 'customer' AND object_id > $2
         ORDER BY object_id
         LIMIT $3",
    )
    .bind(connection)
    .bind(after.map_or("", CustomerId::as_str))
    .bind(limit)
    .fetch_all(tx)
    .await?;
    read(rows)
}

/// Which of these ids of one kind are known, in any order.
pub async fn known_objects(
    tx: &mut Tx,
    connection: &ConnectionId,
    kind: ObjectKind,
    ids: &[String],
) -> Result<Vec<String>, StoreError> {
    let rows: Vec<(String,)> = Statement::new(
        "SELECT object_id FROM objects
         WHERE connection_id = $1 AND kind = $2 AND object_id IN ({rows})",
    )
    .bind(connection)
    .bind(kind.name())
    .list(ids)
    .fetch_all(tx)
    .await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Writes objects as given, over what was there; each key at most once.
pub async fn upsert_objects(
    tx: &mut Tx,
    connection: &ConnectionId,
    objects: &[StoredObject],
) -> Result<(), StoreError> {
    let mut sorted: Vec<&StoredObject> = objects.iter().collect();
    // One order for all writers, so that two transactions never wait in a circle.
    sorted.sort_by(|a, b| a.key.cmp(&b.key));
    let states = sorted
        .iter()
        .map(|object| to_json(TABLE, &object.state))
        .collect::<Result<Vec<_>, _>>()?;
    Statement::new(
        "INSERT INTO objects (connection_id, kind, object_id, group_id, customer_id, state)
         {rows}
         ON CONFLICT (connection_id, kind, object_id) DO UPDATE
         SET group_id = excluded.group_id, customer_id = excluded.customer_id,
             state = excluded.state",
    )
    .rows(sorted.into_iter().zip(states).map(|(object, state)| {
        [
            connection.into(),
            object.key.kind.name().into(),
            (&object.key.id).into(),
            (&object.group).into(),
            (&object.customer).into(),
            state.into(),
        ]
    }))
    .execute(tx)
    .await?;
    Ok(())
}

/// One page of the objects of one kind, in order of id.
pub async fn objects_of_kind(
    tx: &mut Tx,
    connection: &ConnectionId,
    kind: ObjectKind,
    after: Option<&str>,
    limit: u32,
) -> Result<Vec<StoredObject>, StoreError> {
    let rows = Statement::new(
        "SELECT kind, object_id, group_id, customer_id, state FROM objects
         WHERE connection_id = $1 AND kind = $2 AND object_id > $3
         ORDER BY object_id
         LIMIT $4",
    )
    .bind(connection)
    .bind(kind.name())
    .bind(after.unwrap_or_default())
    .bind(limit)
    .fetch_all(tx)
    .await?;
    read(rows)
}

/// One object as the bytes that are stored, which need not read back.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct ObjectText {
    /// Name of its kind.
    pub kind: String,
    /// Its id.
    pub object_id: String,
    /// The group of linked objects.
    pub group_id: Option<String>,
    /// The customer it belongs to.
    pub customer_id: Option<String>,
    /// JSON.
    pub state: String,
}

/// One page of all objects as stored, in order of (name of kind, id): for `verify`, which has
/// to tell what does not read back. `after` is that of the last one seen.
pub async fn object_text_page(
    tx: &mut Tx,
    connection: &ConnectionId,
    after: Option<(&str, &str)>,
    limit: u32,
) -> Result<Vec<ObjectText>, StoreError> {
    let (kind, id) = after.unwrap_or_default();
    Statement::new(
        "SELECT kind, object_id, group_id, customer_id, state FROM objects
         WHERE connection_id = $1 AND (kind, object_id) > ($2, $3)
         ORDER BY kind, object_id
         LIMIT $4",
    )
    .bind(connection)
    .bind(kind)
    .bind(id)
    .bind(limit)
    .fetch_all(tx)
    .await
}
