//! The few fields of Stripe's objects that are asked for, in whichever version's shape.

use serde::Deserialize;

use crate::domain::ids::{AccountId, CouponId};
use crate::domain::time::Timestamp;

/// A list's page.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Listed<T> {
    /// Its rows.
    pub data: Vec<T>,
    /// Whether there are more.
    #[serde(default)]
    pub has_more: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct AccountShape {
    pub id: AccountId,
}

/// A webhook endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct WebhookEndpoint {
    /// `we_…`
    pub id: String,
    /// Where it sends to.
    pub url: String,
    /// `enabled` or `disabled`.
    pub status: String,
    /// Types of event, or `*` for all that need not be named.
    #[serde(default)]
    pub enabled_events: Vec<String>,
    /// The version its events are written in; `None` is the account's default.
    pub api_version: Option<String>,
    /// Live or test.
    pub livemode: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct EventShape {
    pub id: String,
    pub r#type: String,
    pub created: i64,
    #[serde(default)]
    pub livemode: Option<bool>,
}

/// An event, without what happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventHead {
    /// `evt_…`
    pub id: String,
    /// Its type.
    pub event_type: String,
    /// When it happened.
    pub created: Timestamp,
    /// Live or test, if it says so.
    pub livemode: Option<bool>,
}

impl From<EventShape> for EventHead {
    fn from(shape: EventShape) -> Self {
        Self {
            id: shape.id,
            event_type: shape.r#type,
            created: Timestamp::from_unix(shape.created).unwrap_or_default(),
            livemode: shape.livemode,
        }
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct CouponShape {
    pub id: CouponId,
    #[serde(default)]
    pub percent_off: Option<serde_json::Number>,
    #[serde(default)]
    pub valid: Option<bool>,
    #[serde(default)]
    pub livemode: Option<bool>,
}

/// A coupon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coupon {
    /// Its id.
    pub id: CouponId,
    /// Whether it takes everything off.
    pub takes_all: bool,
    /// Whether it can still be used.
    pub valid: bool,
    /// Live or test, if it says so.
    pub livemode: Option<bool>,
}

impl From<CouponShape> for Coupon {
    fn from(shape: CouponShape) -> Self {
        // Written as 100 or 100.0; never as more.
        let percent = shape.percent_off.map(|number| number.to_string());
        let percent = percent.and_then(|text| text.parse::<rust_decimal::Decimal>().ok());
        Self {
            id: shape.id,
            takes_all: percent.is_some_and(|percent| percent >= rust_decimal::Decimal::ONE_HUNDRED),
            valid: shape.valid.unwrap_or(true),
            livemode: shape.livemode,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum CouponRef {
    Id(CouponId),
    Object { id: CouponId },
}

impl CouponRef {
    fn into_id(self) -> CouponId {
        match self {
            Self::Id(id) | Self::Object { id } => id,
        }
    }
}

#[derive(Debug, Deserialize)]
struct Promotion {
    coupon: Option<CouponRef>,
}

#[derive(Debug, Deserialize)]
pub(super) struct PromotionCodeShape {
    code: String,
    coupon: Option<CouponRef>,
    promotion: Option<Promotion>,
}

/// A promotion code: what people type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromotionCode {
    /// What they type.
    pub code: String,
    /// The coupon it gives, if it says so.
    pub coupon: Option<CouponId>,
}

impl From<PromotionCodeShape> for PromotionCode {
    /// `coupon` until 2025-09-30, `promotion.coupon` since.
    fn from(shape: PromotionCodeShape) -> Self {
        let newer = shape.promotion.and_then(|promotion| promotion.coupon);
        Self {
            code: shape.code,
            coupon: shape.coupon.or(newer).map(CouponRef::into_id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_promotion_code_leads_to_its_coupon_in_every_shape() {
        for text in [
            r#"{"code":"ANA","coupon":{"id":"C1"}}"#,
            r#"{"code":"ANA","promotion":{"type":"coupon","coupon":"C1"}}"#,
            r#"{"code":"ANA","promotion":{"type":"coupon","coupon":{"id":"C1"}}}"#,
        ] {
            let code =
                PromotionCode::from(serde_json::from_str::<PromotionCodeShape>(text).unwrap());
            assert_eq!(code.coupon, Some("C1".into()), "{text}");
        }
    }

    #[test]
    fn a_hundred_percent_is_read_as_a_number_of_any_form() {
        for (percent, takes_all) in [
            ("100", true),
            ("100.0", true),
            ("99.99", false),
            ("null", false),
        ] {
            let text = format!(r#"{{"id":"C","percent_off":{percent},"valid":true}}"#);
            let coupon = Coupon::from(serde_json::from_str::<CouponShape>(&text).unwrap());
            assert_eq!(coupon.takes_all, takes_all, "{percent}");
        }
    }
}
