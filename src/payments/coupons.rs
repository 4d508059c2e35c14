//! From discounts and promotion codes to coupon ids: attribution is by coupon id alone.

use std::collections::{BTreeSet, HashMap};

use super::record::PaymentRecord;
use crate::domain::fact::{DiscountState, ObjectState, SubscriptionState};
use crate::domain::ids::{CouponId, CustomerId};
use crate::domain::time::Timestamp;

/// What is known of discounts, promotion codes and subscriptions, by id.
#[derive(Debug, Default)]
pub struct CouponBook<'a> {
    discounts: HashMap<&'a str, &'a DiscountState>,
    promotion_codes: HashMap<&'a str, &'a CouponId>,
    subscriptions: HashMap<&'a str, &'a SubscriptionState>,
    on_customers: HashMap<&'a CustomerId, Vec<&'a DiscountState>>,
}

impl<'a> CouponBook<'a> {
    /// Takes in one object, if it leads to a coupon.
    pub fn add(&mut self, id: &'a str, state: &'a ObjectState) {
        match state {
            ObjectState::Discount(discount) => {
                self.discounts.insert(id, discount);
                if let Some(customer) = discount.customer.as_ref().filter(|_| discount.on_customer)
                {
                    self.on_customers
                        .entry(customer)
                        .or_default()
                        .push(discount);
                }
            }
            ObjectState::PromotionCode(code) => {
                if let Some(coupon) = &code.coupon {
                    self.promotion_codes.insert(id, coupon);
                }
            }
            ObjectState::Subscription(subscription) => {
                self.subscriptions.insert(id, subscription);
            }
            _ => {}
        }
    }

    /// The coupon ids that a customer's payment used, sorted.
    pub(super) fn resolve(
        &self,
        customer: &CustomerId,
        record: &PaymentRecord,
        occurred_at: Timestamp,
    ) -> Vec<CouponId> {
        let mut found: BTreeSet<CouponId> = record.coupons.clone();
        let mut add = |coupon: Option<&CouponId>| found.extend(coupon.cloned());
        record
            .promotion_codes
            .iter()
            .for_each(|code| add(self.by_code(code)));
        for discount in &record.discounts {
            add(self
                .discounts
                .get(discount.as_str())
                .and_then(|d| self.by_discount(d)));
        }
        for subscription in &record.subscriptions {
            if let Some(subscription) = self.subscriptions.get(subscription.as_str()) {
                self.of_subscription(subscription, occurred_at)
                    .into_iter()
                    .for_each(&mut add);
            }
        }
        for discount in self.on_customers.get(customer).into_iter().flatten() {
            if active(discount, occurred_at) {
                add(self.by_discount(discount));
            }
        }
        found.into_iter().collect()
    }

    fn by_code(&self, code: &str) -> Option<&CouponId> {
        self.promotion_codes.get(code).copied()
    }

    fn by_discount(&self, discount: &'a DiscountState) -> Option<&CouponId> {
        let by_code = || {
            discount
                .promotion_code
                .as_deref()
                .and_then(|code| self.by_code(code))
        };
        discount.coupon.as_ref().or_else(by_code)
    }

    /// A subscription's coupons at an instant. A coupon of a discount whose time is known
    /// counts in that time only; one without a known time counts throughout.
    fn of_subscription(
        &self,
        subscription: &'a SubscriptionState,
        at: Timestamp,
    ) -> Vec<Option<&CouponId>> {
        let ids = subscription.discounts.iter();
        let discounts: Vec<_> = ids
            .filter_map(|id| self.discounts.get(id.as_str()))
            .collect();
        let timed = |coupon: &CouponId| {
            discounts
                .iter()
                .any(|d| d.start.is_some() && self.by_discount(d) == Some(coupon))
        };
        let codes = subscription
            .promotion_codes
            .iter()
            .filter_map(|code| self.by_code(code));
        let untimed = subscription
            .coupons
            .iter()
            .chain(codes)
            .filter(|coupon| !timed(coupon));
        let in_time = discounts
            .iter()
            .filter(|d| active(d, at))
            .map(|d| self.by_discount(d));
        untimed.map(Some).chain(in_time).collect()
    }
}

/// Whether a discount lies on what happens at an instant. Stripe starts a discount in the
/// same second as the payment it applies to, or a moment before.
fn active(discount: &DiscountState, at: Timestamp) -> bool {
    discount.start.is_none_or(|start| start <= at) && discount.end.is_none_or(|end| at < end)
}
