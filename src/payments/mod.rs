//! Folded facts become payments and customers: each payment once, whatever objects report
//! it. Pure. It does not know campaigns, nor where facts are kept.
//!
//! 1. [`group`] joins objects that are linked by any field into groups.
//! 2. [`record`] reads one group as at most one payment: its [`money`], and its
//!    [`setbacks`], refunds and disputes.
//! 3. [`customer`] gathers a customer's records, presumes links that Stripe no longer
//!    reports ([`presume`]), and resolves discounts to coupon ids ([`coupons`]).

pub mod coupons;
pub mod customer;
pub mod group;
mod money;
mod presume;
pub mod record;
mod setbacks;

pub use coupons::CouponBook;
pub use customer::assemble;
pub use group::{GroupId, groups};
pub use record::{PaymentRecord, read_group};

use std::collections::{BTreeMap, HashMap};

use crate::domain::fact::{FactBook, ObjectKey, ObjectState};
use crate::domain::ids::CustomerId;
use crate::domain::payment::Customer;

/// Every customer of a book of facts, in id order: those of Stripe and the guests.
pub fn customers(book: &FactBook) -> Vec<Customer> {
    each_customer(book, &[]).collect()
}

/// The same customers, each assembled when it is asked for. `shared` are further books whose
/// promotion codes lead to coupons here.
pub fn each_customer<'b>(
    book: &'b FactBook,
    shared: &[&'b FactBook],
) -> impl Iterator<Item = Customer> + use<'b> {
    let mut states = BTreeMap::new();
    let mut coupons = CouponBook::default();
    for (key, state) in book.iter() {
        match state {
            ObjectState::Customer(state) => {
                states.insert(CustomerId::from(key.id.as_str()), state);
            }
            other => coupons.add(&key.id, other),
        }
    }
    for (key, state) in shared.iter().flat_map(|book| book.iter()) {
        coupons.add(&key.id, state);
    }
    let mut records: HashMap<CustomerId, Vec<PaymentRecord>> = HashMap::new();
    for members in groups(book.iter()) {
        let members: Vec<(&ObjectKey, Option<&ObjectState>)> = members
            .into_iter()
            .map(|key| (key, book.get(key)))
            .collect();
        let record = read_group(members.iter().map(|(key, state)| (*key, *state)));
        if let Some(owner) = record.owner() {
            records.entry(owner).or_default().push(record);
        }
    }
    let mut ids: Vec<CustomerId> = states.keys().chain(records.keys()).cloned().collect();
    ids.sort_unstable();
    ids.dedup();
    ids.into_iter().map(move |id| {
        let records = records.remove(&id).unwrap_or_default();
        assemble(&id, states.get(&id).copied(), records, &coupons)
    })
}
