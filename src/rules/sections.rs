//! `[match]`, `[qualify]` and `[attribution]`: their keys, defaults and limits.
//! Rewards and limits, which have to fit to these, are in `reward`.

use std::collections::BTreeSet;

use super::amount;
use super::problem::{Report, codes};
use super::reader::{Item, Section};
use crate::domain::campaign::{
    AmountBasis, Anchor, AttributionRules, Bound, Duplicates, EachPayment, MatchKey, MatchRules,
    Prefer, Products, QualifyRules, Threshold, Touch,
};
use crate::domain::ids::ID_BYTES_MAX;

/// Longest window, in days: ten years.
pub(super) const WITHIN_DAYS_MAX: u32 = 3650;
/// Longest wait before settlement, in days.
pub(super) const HOLD_DAYS_MAX: u32 = 365;
/// Most payments that a campaign may ask for.
pub(super) const PAYMENTS_MAX: u32 = 1000;
/// Longest metadata key. Stripe allows 40 characters.
/// Source: Stripe, "Metadata", data limits.
pub(super) const METADATA_KEY_CHARS_MAX: usize = 40;
/// The metadata key that referring products fill in, unless told otherwise.
pub(super) const METADATA_DEFAULT: &str = "fp_uid";

pub(super) const MATCH_KEYS: [(&str, MatchKey); 3] = [
    ("stripe_id", MatchKey::StripeId),
    ("metadata", MatchKey::Metadata),
    ("email", MatchKey::Email),
];
pub(super) const DUPLICATES: [(&str, Duplicates); 5] = [
    ("hold", Duplicates::Hold),
    ("combine", Duplicates::Combine),
    ("oldest", Duplicates::Oldest),
    ("newest", Duplicates::Newest),
    ("highest_spend", Duplicates::HighestSpend),
];
pub(super) const ANCHORS: [(&str, Anchor); 3] = [
    ("referral", Anchor::Referral),
    ("first_payment", Anchor::FirstPayment),
    ("customer_created", Anchor::CustomerCreated),
];
pub(super) const AMOUNTS: [(&str, AmountBasis); 2] = [
    ("paid", AmountBasis::Paid),
    ("before_tax", AmountBasis::BeforeTax),
];
pub(super) const PREFER: [(&str, Prefer); 4] = [
    ("link", Prefer::Link),
    ("coupon", Prefer::Coupon),
    ("earliest", Prefer::Earliest),
    ("hold", Prefer::Hold),
];
pub(super) const TOUCH: [(&str, Touch); 2] = [("first", Touch::First), ("last", Touch::Last)];

/// The smallest payment that counts unless told otherwise: more than 0.50.
pub(super) fn each_payment_default() -> EachPayment {
    EachPayment {
        bound: Bound::MoreThan,
        major: "0.50".to_owned(),
        least_minor: [1, 6, 51, 501],
    }
}

/// `[match]`.
pub(super) fn matching(report: &mut Report<'_>, section: &Section<'_, '_>) -> MatchRules {
    let customers = [("any", false), ("new", true)];
    let keys = section.get("keys").and_then(|i| match_keys(report, &i));
    let metadata = section
        .get("metadata")
        .and_then(|i| texts(report, &i, METADATA_KEY_CHARS_MAX));
    let duplicates = section
        .get("duplicates")
        .and_then(|i| i.choice(report, &DUPLICATES));
    let new_only = section
        .get("customers")
        .and_then(|i| i.choice(report, &customers));
    MatchRules {
        keys: keys.unwrap_or_else(|| MATCH_KEYS.map(|(_, key)| key).to_vec()),
        metadata: metadata.unwrap_or_else(|| vec![METADATA_DEFAULT.to_owned()]),
        duplicates: duplicates.unwrap_or_default(),
        new_customers_only: new_only.unwrap_or_default(),
    }
}

/// A subset of the keys, in their order: strength is fixed, and a file that says otherwise
/// would be misunderstood by its reader.
fn match_keys(report: &mut Report<'_>, item: &Item<'_, '_>) -> Option<Vec<MatchKey>> {
    let entries = item.list(report, "a list of \"stripe_id\", \"metadata\", \"email\"")?;
    let mut keys: Vec<MatchKey> = Vec::new();
    for entry in entries {
        let Some(key) = entry.choice(report, &MATCH_KEYS) else {
            continue;
        };
        if keys.contains(&key) {
            let message = format!("found {} twice; accepted is each key once", entry.found());
            entry.refuse(report, codes::DUPLICATE_VALUE, message);
        } else if keys.last().is_some_and(|last| *last > key) {
            let message = format!(
                "found {} after a weaker key; the order of strength is fixed: \"stripe_id\", \
                 \"metadata\", \"email\"",
                entry.found()
            );
            entry.refuse(report, codes::ORDER_INVALID, message);
        } else {
            keys.push(key);
        }
    }
    Some(keys)
}

/// A list of different texts, sorted: their order means nothing.
fn texts(report: &mut Report<'_>, item: &Item<'_, '_>, chars_max: usize) -> Option<Vec<String>> {
    let mut seen = BTreeSet::new();
    for entry in item.list(report, "a list of quoted texts")? {
        let Some(text) = entry.label(report, chars_max) else {
            continue;
        };
        if !seen.insert(text.to_owned()) {
            let message = format!("found {} twice; accepted is each once", entry.found());
            entry.refuse(report, codes::DUPLICATE_VALUE, message);
        }
    }
    Some(seen.into_iter().collect())
}

/// `[qualify]`.
pub(super) fn qualify(report: &mut Report<'_>, section: &Section<'_, '_>) -> QualifyRules {
    let spend = section.get("spend").and_then(|i| spend(report, &i));
    let within_days = section
        .get("within_days")
        .and_then(|i| i.whole(report, 1, WITHIN_DAYS_MAX));
    let from = section.get("from").and_then(|i| i.choice(report, &ANCHORS));
    let payments = section
        .get("payments")
        .and_then(|i| i.whole(report, 1, PAYMENTS_MAX));
    let each_payment = section
        .get("each_payment")
        .and_then(|i| amount::each_payment(report, &i));
    let basis = section
        .get("amount")
        .and_then(|i| i.choice(report, &AMOUNTS));
    let out_of_band = section.get("out_of_band").and_then(|i| i.flag(report, ""));
    let hold_days = section
        .get("hold_days")
        .and_then(|i| i.whole(report, 0, HOLD_DAYS_MAX));
    let listed = section.section(report, "products");
    QualifyRules {
        spend: spend.unwrap_or_default(),
        within_days,
        from: from.unwrap_or_default(),
        payments: payments.unwrap_or(1),
        each_payment: each_payment.unwrap_or_else(each_payment_default),
        amount: basis.unwrap_or_default(),
        out_of_band: out_of_band.unwrap_or_default(),
        hold_days: hold_days.unwrap_or_default(),
        products: products(report, &listed),
    }
}

/// Thresholds, one per currency, sorted by currency: any one suffices, so order means nothing.
fn spend(report: &mut Report<'_>, item: &Item<'_, '_>) -> Option<Vec<Threshold>> {
    let accepted = "a list like [ { at_least = \"50.00\", currency = \"usd\" } ]";
    let mut spend: Vec<Threshold> = Vec::new();
    for entry in item.list(report, accepted)? {
        let Some(threshold) = amount::threshold(report, &entry) else {
            continue;
        };
        let currency = threshold.amount.currency;
        if spend.iter().any(|other| other.amount.currency == currency) {
            let message = format!("found {currency} twice; accepted is one entry per currency");
            entry.refuse(report, codes::DUPLICATE_VALUE, message);
        } else {
            spend.push(threshold);
        }
    }
    spend.sort_by_key(|threshold| threshold.amount.currency);
    Some(spend)
}

/// `[qualify.products]`.
fn products(report: &mut Report<'_>, section: &Section<'_, '_>) -> Option<Products> {
    if !section.is_written() {
        return None;
    }
    let (include, exclude) = (section.get("include"), section.get("exclude"));
    if include.is_none() && exclude.is_none() {
        amount::missing(
            report,
            section,
            "include",
            "include = [\"prod_Pro\"], or exclude",
        );
        return None;
    }
    let include = include.and_then(|i| texts(report, &i, ID_BYTES_MAX));
    let include = include.unwrap_or_default();
    let listed = exclude
        .as_ref()
        .and_then(|i| texts(report, i, ID_BYTES_MAX));
    let listed = listed.unwrap_or_default();
    if let (Some(both), Some(item)) = (listed.iter().find(|id| include.contains(id)), exclude) {
        let message =
            format!("found \"{both}\" in include and in exclude; accepted is one of them");
        item.refuse(report, codes::CONFLICT, message);
    }
    Some(Products {
        include,
        exclude: listed,
    })
}

/// `[attribution]`.
pub(super) fn attribution(report: &mut Report<'_>, section: &Section<'_, '_>) -> AttributionRules {
    let hint = "; coupon IDs are given to promoters, not to campaigns";
    let coupons = section.get("coupons").and_then(|i| i.flag(report, hint));
    let prefer = section
        .get("prefer")
        .and_then(|i| i.choice(report, &PREFER));
    let touch = section.get("touch").and_then(|i| i.choice(report, &TOUCH));
    AttributionRules {
        coupons: coupons.unwrap_or(true),
        prefer: prefer.unwrap_or_default(),
        touch: touch.unwrap_or_default(),
    }
}
