//! What leads from a payment to a coupon: discounts, promotion codes, subscriptions. They are
//! kept as the JSON that is stored, end to end, and read when a payment needs them.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};

use crate::domain::fact::{ObjectKind, ObjectState};
use crate::domain::ids::{ConnectionId, CustomerId};
use crate::payments::{CouponBook, PaymentRecord};
use crate::store::json::from_json;
use crate::store::objects::objects_of_kind;
use crate::store::{StoreError, Tx};

/// Rows read at a time.
const PAGE: u32 = 2_000;
/// Subscription, discount, promotion code: so many steps lead to a coupon at most.
const STEPS: usize = 3;

/// Everything of a connection that leads to a coupon.
#[derive(Debug, Default)]
pub struct Sources {
    hasher: RandomState,
    text: String,
    /// Where each one's text ends; it begins where the one before ends.
    ends: Vec<usize>,
    by_id: HashMap<u64, u32>,
    /// Discounts that lie on a customer as a whole.
    on_customers: HashMap<u64, Vec<u32>>,
}

/// What some payments need, read.
#[derive(Debug, Default)]
pub struct Read(Vec<(String, ObjectState)>);

impl Read {
    /// The way to coupons.
    pub fn book(&self) -> CouponBook<'_> {
        let mut book = CouponBook::default();
        self.0.iter().for_each(|(id, state)| book.add(id, state));
        book
    }
}

impl Sources {
    /// Loads them.
    pub async fn load(tx: &mut Tx, connection: &ConnectionId) -> Result<Self, StoreError> {
        let mut sources = Self::default();
        for kind in [
            ObjectKind::Discount,
            ObjectKind::PromotionCode,
            ObjectKind::Subscription,
        ] {
            let mut after: Option<String> = None;
            loop {
                let page = objects_of_kind(tx, connection, kind, after.as_deref(), PAGE).await?;
                let full = page.len() >= PAGE as usize;
                after = page.last().map(|last| last.key.id.clone());
                for object in page {
                    sources.add(&object.key.id, &object.state)?;
                }
                if !full {
                    break;
                }
            }
        }
        Ok(sources)
    }

    fn add(&mut self, id: &str, state: &ObjectState) -> Result<(), StoreError> {
        if let ObjectState::Subscription(s) = state
            && s.coupons.is_empty()
            && s.promotion_codes.is_empty()
            && s.discounts.is_empty()
        {
            return Ok(());
        }
        let number = u32::try_from(self.ends.len()).unwrap_or(u32::MAX);
        self.text
            .push_str(&crate::store::json::to_json("objects", &(id, state))?);
        self.ends.push(self.text.len());
        self.by_id
            .insert(self.hasher.hash_one((state.kind(), id)), number);
        if let ObjectState::Discount(discount) = state
            && discount.on_customer
            && let Some(customer) = &discount.customer
        {
            let customer = self.hasher.hash_one(customer);
            self.on_customers.entry(customer).or_default().push(number);
        }
        Ok(())
    }

    /// Reads whatever the payments of these customers need.
    pub fn read<'p>(
        &self,
        customers: impl Iterator<Item = (&'p CustomerId, &'p [PaymentRecord])>,
    ) -> Result<Read, StoreError> {
        if self.ends.is_empty() {
            return Ok(Read::default());
        }
        let mut wanted: Vec<u32> = Vec::new();
        for (customer, records) in customers {
            let on_customer = self.on_customers.get(&self.hasher.hash_one(customer));
            wanted.extend(on_customer.into_iter().flatten());
            for record in records {
                let of_kind = |kind, ids: &std::collections::BTreeSet<String>| -> Vec<u32> {
                    ids.iter().filter_map(|id| self.number(kind, id)).collect()
                };
                wanted.extend(of_kind(ObjectKind::Discount, &record.discounts));
                wanted.extend(of_kind(ObjectKind::PromotionCode, &record.promotion_codes));
                wanted.extend(of_kind(ObjectKind::Subscription, &record.subscriptions));
            }
        }
        let mut read = Read::default();
        let mut known: HashSet<u32> = HashSet::new();
        for _ in 0..STEPS {
            wanted.retain(|number| known.insert(*number));
            let mut further = Vec::new();
            for number in std::mem::take(&mut wanted) {
                let Some(text) = self.text_of(number) else {
                    continue;
                };
                let one: (String, ObjectState) = from_json("objects", text)?;
                match &one.1 {
                    ObjectState::Subscription(s) => {
                        let discounts = s.discounts.iter();
                        further.extend(
                            discounts.filter_map(|id| self.number(ObjectKind::Discount, id)),
                        );
                        let codes = s.promotion_codes.iter();
                        further.extend(
                            codes.filter_map(|id| self.number(ObjectKind::PromotionCode, id)),
                        );
                    }
                    ObjectState::Discount(s) => {
                        let codes = s.promotion_code.iter();
                        further.extend(
                            codes.filter_map(|id| self.number(ObjectKind::PromotionCode, id)),
                        );
                    }
                    _ => {}
                }
                read.0.push(one);
            }
            wanted = further;
        }
        Ok(read)
    }

    fn number(&self, kind: ObjectKind, id: &str) -> Option<u32> {
        self.by_id.get(&self.hasher.hash_one((kind, id))).copied()
    }

    fn text_of(&self, number: u32) -> Option<&str> {
        let position = usize::try_from(number).ok()?;
        let end = *self.ends.get(position)?;
        let before = position.checked_sub(1).and_then(|at| self.ends.get(at));
        self.text.get(before.copied().unwrap_or(0)..end)
    }
}
