//! The sentences behind the reason codes: what was seen, what is missing, until when.

use super::spend::Tallies;
use crate::domain::campaign::{Campaign, MatchKey, Threshold};
use crate::domain::money::Money;
use crate::domain::people::Referral;
use crate::domain::time::Window;
use crate::matching::Claim;

/// `52.00 USD of at least 50.00 USD`.
pub(super) fn met(campaign: &Campaign, tallies: &Tallies) -> String {
    let reached = campaign.qualify.spend.iter().find_map(|threshold| {
        let counted = tallies.counted(threshold.amount.currency);
        (counted >= threshold.needed_minor()).then(|| {
            format!(
                "{} of {}",
                Money::new(counted, threshold.amount.currency),
                threshold.words()
            )
        })
    });
    let needed = campaign.qualify.payments;
    match reached {
        Some(spend) if needed > 1 => {
            format!(
                "{spend}, in {} payments of at least {needed}",
                tallies.payments
            )
        }
        Some(spend) => spend,
        None => format!(
            "{} counted {} of at least {}",
            tallies.payments,
            plural(tallies.payments, "payment"),
            needed.max(1)
        ),
    }
}

/// `12.40 USD more before 2026-03-12 09:00 UTC (37.60 USD of at least 50.00 USD)`.
pub(super) fn below(campaign: &Campaign, tallies: &Tallies, window: &Window) -> String {
    format!(
        "{} more{} ({})",
        missing_amounts(campaign, tallies),
        before(window),
        so_far(campaign, tallies)
    )
}

/// `2 more payments before …`.
pub(super) fn too_few(campaign: &Campaign, tallies: &Tallies, window: &Window) -> String {
    let needed = campaign.qualify.payments;
    let more = needed.saturating_sub(tallies.payments);
    let so_far = tallies.payments;
    format!(
        "{more} more {}{} ({so_far} of {needed})",
        plural(more, "payment"),
        before(window)
    )
}

/// The customer is there and nothing counts yet.
pub(super) fn no_payment(campaign: &Campaign, window: &Window) -> String {
    let wanted = if campaign.qualify.spend.is_empty() {
        "a payment that counts".to_owned()
    } else {
        let thresholds = campaign.qualify.spend.iter().map(Threshold::words);
        thresholds.collect::<Vec<_>>().join(" or ")
    };
    format!("no payment counts yet; needed: {wanted}{}", before(window))
}

/// Nobody at Stripe matches, and by which keys that was tried.
pub(super) fn no_customer(referral: &Referral, campaign: &Campaign, window: &Window) -> String {
    let has = |key: MatchKey| match key {
        MatchKey::StripeId => referral.stripe_customer_id.is_some() || referral.uid.is_some(),
        MatchKey::Metadata => referral.uid.is_some(),
        MatchKey::Email => referral.email.is_some(),
    };
    let tried: Vec<&str> = campaign
        .matching
        .keys
        .iter()
        .copied()
        .filter(|key| has(*key))
        .map(name)
        .collect();
    if tried.is_empty() {
        return format!(
            "the referral has none of the keys this campaign matches by ({}); add one",
            campaign
                .matching
                .keys
                .iter()
                .copied()
                .map(name)
                .collect::<Vec<_>>()
                .join(", ")
        );
    }
    let until = window
        .closes_at
        .map(|end| format!("; one has to, and pay, before {}", end.words()));
    format!(
        "no Stripe customer matches by {} yet{}",
        tried.join(", "),
        until.unwrap_or_default()
    )
}

/// `37.60 USD of at least 50.00 USD`, for each threshold.
pub(super) fn so_far(campaign: &Campaign, tallies: &Tallies) -> String {
    let rows = campaign.qualify.spend.iter().map(|threshold| {
        let counted = tallies.counted(threshold.amount.currency);
        format!(
            "{} of {}",
            Money::new(counted, threshold.amount.currency),
            threshold.words()
        )
    });
    let rows: Vec<String> = rows.collect();
    if rows.is_empty() {
        let needed = campaign.qualify.payments.max(1);
        return format!("{} of {needed} payments", tallies.payments);
    }
    rows.join(" or ")
}

/// The window is over, with what was missing.
pub(super) fn closed(
    campaign: &Campaign,
    claim: &Claim<'_>,
    tallies: &Tallies,
    window: &Window,
) -> String {
    let closed = window
        .closes_at
        .map(|end| format!("closed at {}", end.words()));
    let closed = closed.unwrap_or_else(|| "closed".to_owned());
    if claim.customers.is_empty() {
        format!("{closed}, and no Stripe customer matched")
    } else {
        format!("{closed} with {}", so_far(campaign, tallies))
    }
}

/// Payments whose invoice has not been seen.
pub(super) fn awaiting(tallies: &Tallies) -> String {
    let count = tallies.payments_awaiting;
    format!(
        "{count} {} needs its invoice to know tax or products",
        plural(count, "payment")
    )
}

/// `12.40 USD or 45.00 EUR`.
fn missing_amounts(campaign: &Campaign, tallies: &Tallies) -> String {
    let rows = campaign.qualify.spend.iter().map(|threshold| {
        let counted = tallies.counted(threshold.amount.currency);
        let missing = threshold.needed_minor().saturating_sub(counted);
        Money::new(missing, threshold.amount.currency).to_string()
    });
    rows.collect::<Vec<_>>().join(" or ")
}

fn before(window: &Window) -> String {
    window
        .closes_at
        .map(|end| format!(" before {}", end.words()))
        .unwrap_or_default()
}

fn name(key: MatchKey) -> &'static str {
    match key {
        MatchKey::StripeId => "stripe_id",
        MatchKey::Metadata => "metadata",
        MatchKey::Email => "email",
    }
}

fn plural(count: u32, word: &str) -> String {
    if count == 1 {
        word.to_owned()
    } else {
        format!("{word}s")
    }
}
