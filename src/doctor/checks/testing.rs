//! Two worlds for the checks' tests: one in which all is well, one in which there is nothing.

use super::{Key, Seen, Settings};
use crate::clock::SECOND_US;
use crate::doctor::asked::{Answers, Asked, CouponAsked, NotAsked};
use crate::doctor::stored::{Blanks, Slot, Stored};
use crate::domain::campaign::Mode;
use crate::domain::currency::Currency;
use crate::domain::time::Timestamp;
use crate::store::batches::{Batch, BatchKind, BatchState, BatchTotals, Origin};
use crate::store::doctor::{KeyMix, Webhook};
use crate::stripe::EVENTS_NEEDED;
use crate::stripe::client::{Coupon, EventHead, Failure, Listed, PromotionCode, WebhookEndpoint};

const RULES: &str = r#"schema = 1
id = "spring"
name = "Spring"
[qualify]
spend = [{ at_least = "50.00", currency = "usd" }]
[reward.promoter]
fixed = { amount = "20.00", currency = "usd" }
"#;

fn now() -> Timestamp {
    Timestamp::parse("2026-03-10T13:00:00Z").unwrap()
}

/// A new installation without a key.
pub fn nothing() -> Seen {
    Seen {
        now: now(),
        settings: Settings::default(),
        stored: Stored::default(),
        asked: Asked::Not(NotAsked::NoKey),
    }
}

/// Everything as it should be.
pub fn healthy() -> Seen {
    Seen {
        now: now(),
        settings: Settings {
            mode: Mode::Live,
            account: Some("acct_1".into()),
            key: Some(Key {
                mode: Some(Mode::Live),
            }),
            webhook_secrets: 1,
            webhook_urls: Some(vec![
                "https://refer.example.com/webhooks/stripe".to_owned(),
                "https://refer.example.com/webhooks/stripe/live".to_owned(),
            ]),
            has_mail_server: true,
        },
        stored: stored(),
        asked: Asked::Yes(Box::new(answers())),
    }
}

/// The same with something else answered.
pub fn asked(change: impl FnOnce(&mut Answers)) -> Seen {
    let mut answers = answers();
    change(&mut answers);
    Seen {
        asked: Asked::Yes(Box::new(answers)),
        ..healthy()
    }
}

fn stored() -> Stored {
    let received = now().unix() - 60;
    Stored {
        account: Some("acct_1".into()),
        campaigns: vec![crate::rules::parse("spring.toml", RULES).unwrap()],
        coupons: vec![("ANA10".into(), "prom_ana".into())],
        keys: vec![KeyMix {
            campaign_id: "spring".to_owned(),
            email: 1,
            uid: 0,
            uid_is_customer: 0,
            stripe_id: 0,
            referrals: 20,
        }],
        blanks: Blanks {
            looked_at: 40,
            ..Blanks::default()
        },
        has_payments: true,
        currencies: vec![Currency::USD],
        matched: vec![("spring".into(), 12)],
        qualified: vec!["spring".into()],
        webhook: Some(Webhook {
            api_version: Some("2024-09-30.acacia".to_owned()),
            created_at: received - 2,
            received_at_us: received * SECOND_US,
            secret_index: 0,
        }),
        slot: Some(Slot {
            at: Timestamp::parse("2026-03-10T12:00:00Z").unwrap(),
            batch: Some(batch(BatchState::Done)),
            due: 0,
        }),
        ..Stored::default()
    }
}

fn answers() -> Answers {
    Answers {
        at: Timestamp::default(),
        account: Ok("acct_1".into()),
        endpoints: Ok(vec![WebhookEndpoint {
            id: "we_1".to_owned(),
            url: "https://refer.example.com/webhooks/stripe".to_owned(),
            status: "enabled".to_owned(),
            enabled_events: EVENTS_NEEDED.map(str::to_owned).to_vec(),
            api_version: Some("2024-09-30.acacia".to_owned()),
            livemode: true,
        }]),
        undelivered: Ok(Listed {
            data: Vec::new(),
            has_more: false,
        }),
        undelivered_but_here: Vec::new(),
        coupons_readable: Ok(()),
        codes_readable: Ok(()),
        coupons: vec![CouponAsked {
            id: "ANA10".into(),
            promoter: "prom_ana".into(),
            coupon: Ok(Coupon {
                id: "ANA10".into(),
                takes_all: false,
                valid: true,
                livemode: Some(true),
            }),
            codes: Ok(vec![code("ANA", "ANA10")]),
        }],
        coupons_in_all: 1,
        ahead_seconds: Some(0),
    }
}

/// A promotion code of a coupon.
pub fn code(code: &str, coupon: &str) -> PromotionCode {
    PromotionCode {
        code: code.to_owned(),
        coupon: Some(coupon.into()),
    }
}

/// An event of a type.
pub fn event(id: &str, event_type: &str) -> EventHead {
    EventHead {
        id: id.to_owned(),
        event_type: event_type.to_owned(),
        created: now(),
        livemode: Some(true),
    }
}

/// A restricted key's refusal.
pub fn forbidden(permission: &str) -> Failure {
    Failure::Forbidden {
        permission: Some(permission.to_owned()),
        account: Some("acct_1".into()),
    }
}

/// A scheduled batch.
pub fn batch(state: BatchState) -> Batch {
    let at = Timestamp::parse("2026-03-10T12:00:00Z").unwrap();
    Batch {
        id: "batch_slot.1".into(),
        key: "slot.1".to_owned(),
        kind: BatchKind::Scheduled,
        slot_at: at,
        cut_off: at,
        state,
        planned_at: at,
        done_at: None,
        plan_items: 0,
        totals: BatchTotals::default(),
        origin: Origin::default(),
    }
}
