//! Discounts, coupons and promotion codes: every way from a purchase to a coupon id.

use std::collections::BTreeSet;

use super::reader::{Outcome, Path, Reader, filled, flag, id, list, readable, time};
use crate::domain::fact::{
    CheckoutState, CouponState, CustomerState, DiscountState, InvoiceState, ObjectState,
    PromotionCodeState, Seen, SubscriptionState,
};
use crate::domain::ids::{CouponId, CustomerId};
use crate::stripe::wire::{Coupon, Discount, DiscountSource, List, PromotionCode, Reference};

/// What a purchase says of coupons.
#[derive(Debug, Default)]
pub struct Savings {
    /// Coupons named directly.
    pub coupons: BTreeSet<CouponId>,
    /// Promotion codes named.
    pub promotion_codes: BTreeSet<String>,
    /// Discounts that were named without their coupon.
    pub discounts: BTreeSet<String>,
}

/// What one discount object says.
#[derive(Debug, Default)]
struct Given {
    id: Option<String>,
    coupon: Option<CouponId>,
    promotion_code: Option<String>,
    customer: Option<CustomerId>,
}

impl Savings {
    fn take(&mut self, given: &Given) {
        self.coupons.extend(given.coupon.clone());
        self.promotion_codes.extend(given.promotion_code.clone());
        if given.coupon.is_none() {
            self.discounts.extend(given.id.clone());
        }
    }
}

impl Reader<'_> {
    /// Adds what a reference to a discount says.
    pub fn saving(
        &mut self,
        reference: &Reference<'_, Discount<'_>>,
        path: &Path<'_>,
        savings: &mut Savings,
    ) -> Outcome<()> {
        let mut given = Given::default();
        let id = self.refer(reference, path, |reader, discount, path| {
            given = reader.discount(discount, path, false)?;
            Ok(given.id.clone())
        })?;
        given.id = id;
        savings.take(&given);
        Ok(())
    }

    /// Adds what a list of discounts says.
    pub fn savings(
        &mut self,
        references: &List<Reference<'_, Discount<'_>>>,
        path: &Path<'_>,
        savings: &mut Savings,
    ) -> Outcome<()> {
        for (index, reference) in list(references, path)?.iter().enumerate() {
            self.saving(reference, &path.index(index), savings)?;
        }
        Ok(())
    }

    /// The discount that lies on a customer itself.
    pub fn own_discount(
        &mut self,
        reference: &Reference<'_, Discount<'_>>,
        path: &Path<'_>,
    ) -> Outcome<()> {
        self.refer(reference, path, |reader, discount, path| {
            Ok(reader.discount(discount, path, true)?.id)
        })?;
        Ok(())
    }

    /// The object of `customer.discount.*`.
    pub fn discount_event(
        &mut self,
        wire: &Discount<'_>,
        path: &Path<'_>,
    ) -> Outcome<Option<String>> {
        let given = self.discount(wire, path, true)?;
        if let Some(customer) = &given.customer {
            self.sighting(customer, None, CustomerState::default());
        }
        let mut savings = Savings::default();
        savings.take(&given);
        if let Some(id) = id(&wire.subscription, &path.field("subscription"))? {
            let state = SubscriptionState {
                customer: given.customer.clone(),
                coupons: savings.coupons.clone(),
                promotion_codes: savings.promotion_codes.clone(),
                discounts: savings.discounts.clone(),
                ..SubscriptionState::default()
            };
            self.push(id, ObjectState::Subscription(state));
        }
        if let Some(id) = id(&wire.checkout_session, &path.field("checkout_session"))? {
            let state = CheckoutState {
                coupons: savings.coupons.clone(),
                promotion_codes: savings.promotion_codes.clone(),
                discounts: savings.discounts.clone(),
                ..CheckoutState::default()
            };
            self.push(id, ObjectState::CheckoutSession(state));
        }
        if let Some(id) = id(&wire.invoice, &path.field("invoice"))? {
            let state = InvoiceState {
                coupons: savings.coupons,
                promotion_codes: savings.promotion_codes,
                discounts: savings.discounts,
                ..InvoiceState::default()
            };
            self.push(id, ObjectState::Invoice(Box::new(state)));
        }
        Ok(given.id)
    }

    /// A discount object. `of_customer`: found where a customer's own discounts are found,
    /// which still may be one for a subscription or a single purchase.
    fn discount(
        &mut self,
        wire: &Discount<'_>,
        path: &Path<'_>,
        of_customer: bool,
    ) -> Outcome<Given> {
        let customer = self.customer_of(&wire.customer, path)?;
        let coupon = self.coupon_of(&wire.coupon, wire.source.0.as_deref(), path, "source")?;
        let code_path = path.field("promotion_code");
        let promotion_code = self.refer(&wire.promotion_code, &code_path, Self::promotion_code)?;
        let start = time(&wire.start, &path.field("start"))?;
        let mut end = time(&wire.end, &path.field("end"))?;
        if path.is_root() && self.event_type == "customer.discount.deleted" {
            end = Some(end.map_or(self.at(), |end| end.min(self.at())));
        }
        let elsewhere = [
            &wire.subscription,
            &wire.subscription_item,
            &wire.invoice,
            &wire.invoice_item,
            &wire.checkout_session,
        ];
        let elsewhere = elsewhere
            .iter()
            .any(|v| v.text().is_some_and(|t| !t.is_empty()));
        // Before 2020-08 discounts had no id; these parts never change while one lasts.
        let legacy = || {
            let of = customer.as_ref().map_or("", CustomerId::as_str);
            let since = start.map(|start| start.unix().to_string());
            let since = since.unwrap_or_default();
            coupon
                .as_ref()
                .map(|coupon| format!("legacy:{of}:{coupon}:{since}"))
        };
        let given = Given {
            id: id(&wire.id, &path.field("id"))?.or_else(legacy),
            coupon,
            promotion_code,
            customer,
        };
        if let Some(id) = &given.id {
            let state = DiscountState {
                coupon: given.coupon.clone(),
                promotion_code: given.promotion_code.clone(),
                customer: given.customer.clone(),
                on_customer: of_customer && !elsewhere,
                start,
                end,
            };
            self.push(id.as_str(), ObjectState::Discount(state));
        }
        Ok(given)
    }

    /// The coupon of a discount or a promotion code: `coupon`, or from 2025-09-30 inside
    /// `source` or `promotion`.
    fn coupon_of(
        &mut self,
        coupon: &Reference<'_, Coupon<'_>>,
        source: Option<&DiscountSource<'_>>,
        path: &Path<'_>,
        source_name: &'static str,
    ) -> Outcome<Option<CouponId>> {
        let mut found = self.refer(coupon, &path.field("coupon"), Self::coupon)?;
        if let Some(source) = source {
            let source_path = path.field(source_name);
            let coupon_path = source_path.field("coupon");
            found = self
                .refer(&source.coupon, &coupon_path, Self::coupon)?
                .or(found);
        }
        Ok(found.map(CouponId::from))
    }

    /// A coupon object.
    pub fn coupon(&mut self, wire: &Coupon<'_>, path: &Path<'_>) -> Outcome<Option<String>> {
        let Some(id) = id(&wire.id, &path.field("id"))? else {
            return Ok(None);
        };
        readable(&wire.metadata, &path.field("metadata"))?;
        let name = filled(&wire.name, &path.field("name"))?;
        let deleted = flag(&wire.deleted, &path.field("deleted"))? == Some(true)
            || (path.is_root() && self.event_type == "coupon.deleted");
        let state = CouponState {
            name: name.map_or_else(Seen::default, |name| Seen::once(name, self.stamp.clone())),
            deleted,
        };
        self.push(id.as_str(), ObjectState::Coupon(state));
        Ok(Some(id))
    }

    /// A promotion code object.
    pub fn promotion_code(
        &mut self,
        wire: &PromotionCode<'_>,
        path: &Path<'_>,
    ) -> Outcome<Option<String>> {
        let Some(id) = id(&wire.id, &path.field("id"))? else {
            return Ok(None);
        };
        readable(&wire.metadata, &path.field("metadata"))?;
        let promotion = wire.promotion.0.as_deref();
        let code = filled(&wire.code, &path.field("code"))?;
        let state = PromotionCodeState {
            coupon: self.coupon_of(&wire.coupon, promotion, path, "promotion")?,
            code: code.map_or_else(Seen::default, |code| Seen::once(code, self.stamp.clone())),
        };
        self.push(id.as_str(), ObjectState::PromotionCode(state));
        Ok(Some(id))
    }
}
