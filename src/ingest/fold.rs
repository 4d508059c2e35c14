//! Facts merged into what is stored: new object states, regrouped payments, the keys by which
//! customers are found, and who has to be judged again. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::keys::{Key, coupon_keys, keys_of_customer, keys_of_record};
use crate::domain::fact::{Fact, ObjectKey, ObjectState};
use crate::domain::ids::CustomerId;
use crate::payments::group::Joined;
use crate::payments::{GroupId, PaymentRecord, read_group};
use crate::store::customer_keys::CustomerKeys;
use crate::store::json::to_json;
use crate::store::objects::StoredObject;
use crate::store::payments::StoredPayment;

/// Longest value by which a customer can be found, in bytes.
const KEY_BYTES_MAX: usize = 255;

/// What is to be written.
#[derive(Debug, Default)]
pub struct Changes {
    /// Objects that are new or changed, or moved to another group.
    pub objects: Vec<StoredObject>,
    /// Payment records that are new or changed, by group; the owner is found in the record.
    pub payments: BTreeMap<String, PaymentRecord>,
    /// Groups that were joined into others.
    pub gone_groups: Vec<String>,
    /// Keys to add.
    pub keys: CustomerKeys,
    /// Customers to judge again.
    pub customers: BTreeSet<CustomerId>,
    /// Discounts and promotion codes whose customers are to be judged again.
    pub coupon_sources: BTreeSet<ObjectKey>,
}

/// The objects that have to be loaded for some facts: those they are about, and those that
/// they point to.
pub fn keys_of(facts: &[Fact]) -> Vec<ObjectKey> {
    let mut keys = BTreeSet::new();
    for fact in facts {
        keys.insert(fact.object.clone());
        keys.extend(fact.state.links());
    }
    keys.into_iter().collect()
}

/// The book of one batch: what was stored, what is new, and who belongs together.
#[derive(Debug, Default)]
pub struct Batch {
    stored: HashMap<ObjectKey, StoredObject>,
    payments: HashMap<String, StoredPayment>,
    states: BTreeMap<ObjectKey, ObjectState>,
    changed: BTreeSet<ObjectKey>,
}

impl Batch {
    /// Starts from what is stored of the objects concerned, their whole groups included, and of
    /// the payments of those groups.
    pub fn new(stored: Vec<StoredObject>, payments: Vec<StoredPayment>) -> Self {
        let mut batch = Self::default();
        let by_group = payments.into_iter();
        batch
            .payments
            .extend(by_group.map(|payment| (payment.group_id.clone(), payment)));
        for object in stored {
            batch
                .states
                .insert(object.key.clone(), object.state.clone());
            batch.stored.insert(object.key.clone(), object);
        }
        batch
    }

    /// Merges the facts and works out what changes.
    pub fn fold(mut self, facts: Vec<Fact>) -> Changes {
        for fact in facts {
            self.take(fact);
        }
        let unchanged = |key: &ObjectKey| {
            let stored = self.stored.get(key).map(|object| &object.state);
            stored.is_some() && stored == self.states.get(key)
        };
        let same: Vec<ObjectKey> = self
            .changed
            .iter()
            .filter(|key| unchanged(key))
            .cloned()
            .collect();
        for key in same {
            self.changed.remove(&key);
        }
        let mut changes = Changes::default();
        self.regroup(&mut changes);
        self.people(&mut changes);
        changes
    }

    fn take(&mut self, fact: Fact) {
        for link in fact.state.links() {
            // Something points to it: it takes part in its group before it is seen itself.
            if !self.states.contains_key(&link) {
                self.states
                    .insert(link.clone(), ObjectState::empty(link.kind));
                self.changed.insert(link);
            }
        }
        self.changed.insert(fact.object.clone());
        match self.states.get_mut(&fact.object) {
            Some(state) => state.merge(fact.state),
            None => {
                self.states.insert(fact.object, fact.state);
            }
        }
    }

    /// Joins what the links join, and reads each group that changed as a payment.
    fn regroup(&self, changes: &mut Changes) {
        for members in self.groups() {
            let Some(group) = GroupId::of(members.iter().copied()) else {
                continue;
            };
            let old: BTreeSet<&str> = members
                .iter()
                .filter_map(|key| self.stored.get(*key)?.group.as_deref())
                .collect();
            let same = old.len() == 1 && old.contains(group.as_str());
            let touched = members.iter().any(|key| self.changed.contains(*key));
            if same && !touched {
                continue;
            }
            let read = members.iter().map(|key| (*key, self.states.get(*key)));
            self.derive(&group, read_group(read), changes);
            for gone in old.into_iter().filter(|old| *old != group.as_str()) {
                changes.gone_groups.push(gone.to_owned());
                changes.disowned(self.payments.get(gone));
            }
            for key in members {
                let there = self
                    .stored
                    .get(key)
                    .and_then(|object| object.group.as_deref());
                if there != Some(group.as_str()) || self.changed.contains(key) {
                    changes
                        .objects
                        .push(self.row(key, Some(group.as_str().to_owned())));
                }
            }
        }
        let alone = self
            .changed
            .iter()
            .filter(|key| !key.kind.is_part_of_a_payment());
        changes.objects.extend(alone.map(|key| self.row(key, None)));
    }

    /// A record that reads as the stored one does changes nothing for anybody: most events say
    /// what an earlier one of the same payment has said.
    fn derive(&self, group: &GroupId, record: PaymentRecord, changes: &mut Changes) {
        let stored = self.payments.get(group.as_str());
        let owner = record.owner();
        let owner = owner.as_ref().map(CustomerId::as_str);
        let is_same = stored.is_some_and(|stored| {
            stored.customer_id.as_deref() == owner
                && to_json("payments", &record).is_ok_and(|text| text == stored.record)
        });
        if !is_same {
            changes.disowned(stored);
            changes.payments.insert(group.as_str().to_owned(), record);
        }
    }

    fn row(&self, key: &ObjectKey, group: Option<String>) -> StoredObject {
        let state = self.states.get(key).cloned();
        let state = state.unwrap_or_else(|| ObjectState::empty(key.kind));
        StoredObject {
            key: key.clone(),
            group,
            customer: state.customer().cloned(),
            state,
        }
    }

    fn groups(&self) -> Vec<Vec<&ObjectKey>> {
        let parts: Vec<(&ObjectKey, Vec<ObjectKey>)> = self
            .states
            .iter()
            .filter(|(key, _)| key.kind.is_part_of_a_payment())
            .map(|(key, state)| (key, state.links()))
            .collect();
        let mut joined = Joined::default();
        let mut by_old_group: HashMap<&str, usize> = HashMap::new();
        for (key, links) in &parts {
            let here = joined.node(*key);
            for link in links {
                let there = joined.node(link);
                joined.join(here, there);
            }
            if let Some(group) = self
                .stored
                .get(*key)
                .and_then(|object| object.group.as_deref())
            {
                let there = *by_old_group.entry(group).or_insert(here);
                joined.join(here, there);
            }
        }
        let mut members: BTreeMap<usize, Vec<&ObjectKey>> = BTreeMap::new();
        for (key, _) in &parts {
            let node = joined.node(*key);
            members.entry(joined.root(node)).or_default().push(key);
        }
        members.into_values().collect()
    }

    /// Who is touched, and by which values they can be found from now on.
    fn people(&self, changes: &mut Changes) {
        let of_record = |record: &PaymentRecord| Some((record.owner()?, keys_of_record(record)));
        let owners: Vec<_> = changes.payments.values().filter_map(of_record).collect();
        for (owner, keys) in owners {
            changes.touch(owner, keys);
        }
        for key in &self.changed {
            match self.states.get(key) {
                Some(ObjectState::Customer(state)) => {
                    changes.touch(CustomerId::from(key.id.as_str()), keys_of_customer(state));
                }
                Some(ObjectState::Subscription(state)) => {
                    if let Some(owner) = &state.customer {
                        let used =
                            coupon_keys(&state.coupons, &state.promotion_codes, &state.discounts);
                        changes.touch(owner.clone(), used);
                    }
                }
                Some(ObjectState::Discount(state)) => {
                    if let Some(owner) = &state.customer {
                        let id = [key.id.clone()];
                        let used = coupon_keys(&state.coupon, &state.promotion_code, &id);
                        changes.touch(owner.clone(), used);
                    }
                    changes.coupon_sources.insert(key.clone());
                }
                Some(ObjectState::PromotionCode(_)) => {
                    changes.coupon_sources.insert(key.clone());
                }
                _ => {}
            }
        }
        changes.keys.retain(|_, keys| !keys.is_empty());
    }
}

impl Changes {
    /// Whoever owned a payment before is judged again as well: a guest who turns out to be a
    /// customer must lose the payment in the same breath.
    fn disowned(&mut self, payment: Option<&StoredPayment>) {
        let owner = payment.and_then(|payment| payment.customer_id.as_deref());
        self.customers.extend(owner.map(CustomerId::from));
    }

    /// Has a customer judged again, who can be found by these keys from now on.
    fn touch(&mut self, customer: CustomerId, keys: Vec<Key>) {
        let usable = |value: &str| !value.is_empty() && value.len() <= KEY_BYTES_MAX;
        let usable = keys.into_iter().filter(|(_, value)| usable(value));
        self.keys
            .entry(customer.clone())
            .or_default()
            .extend(usable);
        self.customers.insert(customer);
    }
}
