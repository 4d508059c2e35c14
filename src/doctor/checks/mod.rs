//! The checks, one file a group. Each is a pure function of what was seen.

mod account;
mod campaigns;
mod coupons;
mod deliveries;
mod endpoint;
mod mail;
mod matching;
#[cfg(test)]
mod testing;
mod work;

use super::asked::{Answers, Asked};
use super::finding::{Check, Finding};
use super::stored::Stored;
use crate::domain::campaign::Mode;
use crate::domain::ids::AccountId;
use crate::domain::time::Timestamp;
use crate::stripe::client::Failure;

/// The API key, as far as it says something of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// The mode in its prefix.
    pub mode: Option<Mode>,
}

/// What of the settings is looked at; no secret.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settings {
    /// The connection's mode.
    pub mode: Mode,
    /// The account that is expected.
    pub account: Option<AccountId>,
    /// The API key.
    pub key: Option<Key>,
    /// How many signing secrets there are.
    pub webhook_secrets: usize,
    /// Where Stripe would send to, if the server's address is set.
    pub webhook_urls: Option<Vec<String>>,
    /// Whether mail can be sent.
    pub has_mail_server: bool,
}

/// Everything that checks look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// When.
    pub now: Timestamp,
    /// The settings.
    pub settings: Settings,
    /// What is stored.
    pub stored: Stored,
    /// What Stripe says.
    pub asked: Asked,
}

type Answer = fn(&Seen) -> Finding;

/// Every check, in the order in which they are shown.
const ALL: &[Answer] = &[
    account::stripe_reachable,
    account::api_key,
    account::account,
    account::key_mode,
    account::key_permissions,
    account::clock,
    endpoint::webhook_secret,
    endpoint::webhook_endpoint,
    endpoint::webhook_enabled,
    endpoint::webhook_events,
    endpoint::webhook_api_version,
    deliveries::webhook_payload,
    deliveries::webhook_last_event,
    deliveries::webhook_deliveries,
    coupons::coupons_exist,
    coupons::coupons_are_ids,
    coupons::coupons_not_shared,
    coupons::coupons_not_free,
    coupons::coupons_valid,
    coupons::coupons_look_alike,
    matching::referral_keys,
    matching::customer_email,
    matching::customer_name,
    matching::customers_sharing_email,
    matching::promoters_sharing_code,
    campaigns::campaign_mode,
    campaigns::test_data,
    campaigns::campaign_currencies,
    campaigns::campaign_thresholds,
    campaigns::uncounted_payments,
    work::events_on_time,
    work::judging_on_time,
    work::batch_on_time,
    work::events_quarantined,
    mail::mail_server,
    mail::mails_delivered,
];

/// Every check's answer.
pub(super) fn all(seen: &Seen) -> Vec<Finding> {
    ALL.iter().map(|answer| answer(seen)).collect()
}

impl Seen {
    /// What Stripe answered, or the finding that it was not asked.
    fn answers(&self, check: Check) -> Result<&Answers, Finding> {
        match &self.asked {
            Asked::Yes(answers) => Ok(answers),
            Asked::Not(why) => Err(check.not_looked_at(why.words())),
        }
    }
}

/// The finding that one question was not answered.
fn unanswered(check: Check, failure: &Failure) -> Finding {
    check.not_looked_at(failure.to_string())
}

/// `1 coupon`, `2 coupons`.
fn plural(count: usize, word: &str) -> String {
    match count {
        1 => format!("1 {word}"),
        more => format!("{more} {word}s"),
    }
}

/// The same of a count from the database.
fn plural_of(count: i64, word: &str) -> String {
    plural(usize::try_from(count).unwrap_or(0), word)
}

/// A span in its largest unit: `40 seconds`, `3 hours`.
fn span(seconds: i64) -> String {
    let seconds = seconds.saturating_abs();
    let (count, word) = match seconds {
        0..120 => (seconds, "second"),
        120..7_200 => (seconds / 60, "minute"),
        7_200..172_800 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    plural_of(count, word)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_check_has_a_name_of_its_own_and_says_what_to_do() {
        for seen in [testing::nothing(), testing::healthy()] {
            let all = all(&seen);
            let names: BTreeSet<&str> = all.iter().map(|finding| finding.id).collect();
            assert_eq!(names.len(), all.len());
            for finding in &all {
                let id = finding.id;
                assert!(
                    id.chars().all(|c| c.is_ascii_lowercase() || c == '_'),
                    "{id}"
                );
                assert!(!finding.seen.is_empty(), "{id}");
                let asks = matches!(
                    finding.state,
                    crate::doctor::State::Warning | crate::doctor::State::Problem
                );
                assert!(!asks || finding.next.is_some(), "{id} says no next step");
            }
        }
    }

    #[test]
    fn where_all_is_well_every_check_is_ok() {
        for finding in all(&testing::healthy()) {
            assert_eq!(finding.state, crate::doctor::State::Ok, "{finding:?}");
        }
    }

    #[test]
    fn without_a_key_what_needs_one_is_not_looked_at_and_says_so() {
        let all = all(&testing::nothing());
        let unasked: Vec<&str> = all
            .iter()
            .filter(|finding| finding.seen.contains("no STRIPE_API_KEY"))
            .map(|finding| finding.id)
            .collect();
        let expected = [
            "stripe_reachable",
            "api_key",
            "account",
            "key_mode",
            "key_permissions",
            "webhook_endpoint",
            "webhook_enabled",
            "webhook_events",
            "webhook_deliveries",
        ];
        assert_eq!(unasked, expected, "there are no coupons to ask about");
    }

    #[test]
    fn spans_are_said_in_their_largest_unit() {
        let said = [1, 119, 120, 7_199, 7_200, 200_000].map(span);
        let expected = [
            "1 second",
            "119 seconds",
            "2 minutes",
            "119 minutes",
            "2 hours",
            "2 days",
        ];
        assert_eq!(said, expected);
    }
}
