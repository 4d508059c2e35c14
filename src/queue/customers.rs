//! Customers as judging needs them: their payments, and the coupons those used.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::domain::fact::{CustomerState, ObjectKey, ObjectKind, ObjectState};
use crate::domain::ids::{ConnectionId, CustomerId};
use crate::domain::payment::Customer;
use crate::payments::{CouponBook, PaymentRecord, assemble};
use crate::store::json::from_json;
use crate::store::objects::{StoredObject, coupon_sources_of, load_objects};
use crate::store::payments::load_payments;
use crate::store::{StoreError, Tx};

/// Assembles customers with their payments and the coupons those used. A guest without any
/// payment left (the payment turned out to be a customer's) is nobody.
pub async fn load_customers(
    tx: &mut Tx,
    connection: &ConnectionId,
    customers: &[CustomerId],
) -> Result<Vec<Customer>, StoreError> {
    let mut records: HashMap<String, Vec<PaymentRecord>> = HashMap::new();
    let mut sources = BTreeSet::new();
    for payment in load_payments(tx, connection, customers).await? {
        let record: PaymentRecord = from_json("payments", &payment.record)?;
        let key = |kind, id: &String| ObjectKey::new(kind, id.clone());
        sources.extend(
            record
                .discounts
                .iter()
                .map(|id| key(ObjectKind::Discount, id)),
        );
        sources.extend(
            record
                .subscriptions
                .iter()
                .map(|id| key(ObjectKind::Subscription, id)),
        );
        sources.extend(
            record
                .promotion_codes
                .iter()
                .map(|id| key(ObjectKind::PromotionCode, id)),
        );
        if let Some(owner) = payment.customer_id {
            records.entry(owner).or_default().push(record);
        }
    }
    let own = coupon_objects(tx, connection, customers, sources).await?;
    let mut book = CouponBook::default();
    for object in &own {
        book.add(&object.key.id, &object.state);
    }
    let keys: Vec<ObjectKey> = customers
        .iter()
        .map(|id| ObjectKey::new(ObjectKind::Customer, id.as_str()))
        .collect();
    let mut states: HashMap<String, CustomerState> = HashMap::new();
    for object in load_objects(tx, connection, &keys).await? {
        if let ObjectState::Customer(state) = object.state {
            states.insert(object.key.id, state);
        }
    }
    let assembled = customers.iter().filter_map(|id| {
        let records = records.remove(id.as_str()).unwrap_or_default();
        let state = states.get(id.as_str());
        let is_nobody = state.is_none() && records.is_empty();
        (!is_nobody).then(|| assemble(id, state, records, &book))
    });
    Ok(assembled.collect())
}

/// The discounts, subscriptions and promotion codes that lead to coupons, followed to the end:
/// a subscription leads to a discount, a discount to a promotion code.
async fn coupon_objects(
    tx: &mut Tx,
    connection: &ConnectionId,
    customers: &[CustomerId],
    mut wanted: BTreeSet<ObjectKey>,
) -> Result<Vec<StoredObject>, StoreError> {
    let of_customers = coupon_sources_of(tx, connection, customers).await?;
    let mut found: BTreeMap<ObjectKey, StoredObject> = of_customers
        .into_iter()
        .map(|object| (object.key.clone(), object))
        .collect();
    for object in found.values() {
        wanted.extend(leads_on(&object.state));
    }
    // Subscription, discount, promotion code: three steps at most.
    for _ in 0..3 {
        let missing: Vec<ObjectKey> = wanted
            .iter()
            .filter(|key| !found.contains_key(*key))
            .cloned()
            .collect();
        if missing.is_empty() {
            break;
        }
        wanted.clear();
        for object in load_objects(tx, connection, &missing).await? {
            wanted.extend(leads_on(&object.state));
            found.insert(object.key.clone(), object);
        }
    }
    Ok(found.into_values().collect())
}

fn leads_on(state: &ObjectState) -> Vec<ObjectKey> {
    let code = |id: &String| ObjectKey::new(ObjectKind::PromotionCode, id.clone());
    match state {
        ObjectState::Subscription(state) => {
            let discounts = state.discounts.iter();
            let discounts = discounts.map(|id| ObjectKey::new(ObjectKind::Discount, id.clone()));
            discounts
                .chain(state.promotion_codes.iter().map(code))
                .collect()
        }
        ObjectState::Discount(state) => state.promotion_code.iter().map(code).collect(),
        _ => Vec::new(),
    }
}
