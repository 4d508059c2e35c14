//! Campaigns and the payments they meet: modes, currencies, thresholds, and payments that
//! never count.

use std::collections::BTreeMap;

use super::{Seen, plural, plural_of};
use crate::doctor::finding::{Area, Check, Finding};
use crate::doctor::stored::{EVENTS_MAX, PAYMENTS_MAX, Unpaid, currencies};
use crate::domain::campaign::Threshold;
use crate::domain::reason::LeftOut;

const MODE: Check = Check::new(
    Area::Campaigns,
    "campaign_mode",
    "Campaigns are of the connection's mode",
);
const TEST: Check = Check::new(Area::Campaigns, "test_data", "No test data among live data");
const CURRENCIES: Check = Check::new(
    Area::Campaigns,
    "campaign_currencies",
    "Campaigns' currencies are paid in",
);
const THRESHOLDS: Check = Check::new(
    Area::Campaigns,
    "campaign_thresholds",
    "Thresholds are reached",
);
const UNCOUNTED: Check = Check::new(
    Area::Campaigns,
    "uncounted_payments",
    "Referred people pay what counts",
);

/// Referrals with a customer below which nothing is said of a threshold.
const MATCHED_MIN: i64 = 10;

const NONE: &str = "there is no campaign yet";

pub(super) fn campaign_mode(seen: &Seen) -> Finding {
    let mode = seen.settings.mode;
    if seen.stored.campaigns.is_empty() {
        return MODE.ok(NONE);
    }
    let other = seen.stored.campaigns.iter().filter(|one| one.mode != mode);
    let other: Vec<String> = other
        .map(|one| format!("{}: {}", one.id, one.mode.name()))
        .collect();
    if other.is_empty() {
        let all = plural(seen.stored.campaigns.len(), "campaign");
        return MODE.ok(format!("{all}, {} as this connection", mode.name()));
    }
    MODE.problem(
        format!("{} of the other mode on a {} connection", plural(other.len(), "campaign"), mode.name()),
        "Correct `mode` in the campaign's file, or run it with STRIPE_MODE and a database of that mode.",
    )
    .such_as(other)
}

pub(super) fn test_data(seen: &Seen) -> Finding {
    let mode = seen.settings.mode.name();
    let used = seen.stored.other_mode_used;
    if used > 0 {
        return TEST.problem(
            format!(
                "{} of the other mode used on a {mode} connection",
                plural_of(used, "event")
            ),
            "This is a defect; please report it. `qualify verify` shows what rests on them.",
        );
    }
    let mut ignored = seen.stored.ignored.iter();
    match ignored.find(|(code, _)| code == "other_mode") {
        Some((_, count)) => TEST.ok(format!(
            "{} of the other mode came and stayed unused",
            plural_of(*count, "event")
        )),
        None => TEST.ok(format!(
            "none among the last {EVENTS_MAX} events; this connection is {mode}"
        )),
    }
}

pub(super) fn campaign_currencies(seen: &Seen) -> Finding {
    let wanted = currencies(&seen.stored.campaigns);
    if seen.stored.campaigns.is_empty() || wanted.is_empty() {
        return CURRENCIES.ok("no campaign asks for spend in a currency");
    }
    if !seen.stored.has_payments {
        return CURRENCIES.not_looked_at("no payment is known yet");
    }
    let unpaid: Vec<_> = wanted
        .iter()
        .filter(|currency| !seen.stored.currencies.contains(currency))
        .collect();
    if unpaid.is_empty() {
        let codes: Vec<String> = wanted.iter().map(|one| one.code().to_uppercase()).collect();
        return CURRENCIES.ok(codes.join(", "));
    }
    let examples = seen.stored.campaigns.iter().flat_map(|campaign| {
        let named = campaign.qualify.spend.iter().map(|one| one.amount.currency);
        let never = named.filter(|currency| unpaid.contains(&currency));
        never.map(|currency| format!("{}: {}", campaign.id, currency.code().to_uppercase()))
    });
    let examples: Vec<String> = examples.collect();
    CURRENCIES
        .warning(
            format!(
                "no payment in {} among {PAYMENTS_MAX} looked at",
                unpaid.iter().map(|one| one.code().to_uppercase()).collect::<Vec<_>>().join(", ")
            ),
            "Check the currencies in the campaign's file: payments in others are left out as wrong_currency.",
        )
        .such_as(examples)
}

pub(super) fn campaign_thresholds(seen: &Seen) -> Finding {
    let stored = &seen.stored;
    if stored.campaigns.is_empty() {
        return THRESHOLDS.ok(NONE);
    }
    let matched = |id: &str| {
        let mut all = stored.matched.iter();
        all.find(|(campaign, _)| campaign.as_str() == id)
            .map_or(0, |(_, count)| *count)
    };
    let never = stored.campaigns.iter().filter_map(|campaign| {
        let count = matched(campaign.id.as_str());
        let has_qualified = stored.qualified.contains(&campaign.id);
        if has_qualified || count < MATCHED_MIN || campaign.qualify.spend.is_empty() {
            return None;
        }
        let needed: Vec<String> = campaign
            .qualify
            .spend
            .iter()
            .map(Threshold::words)
            .collect();
        Some(format!(
            "{}: {count} people found, nobody reached {}",
            campaign.id,
            needed.join(" or ")
        ))
    });
    let never: Vec<String> = never.collect();
    if never.is_empty() {
        return THRESHOLDS.ok(format!(
            "in every campaign with {MATCHED_MIN} people found or more"
        ));
    }
    THRESHOLDS
        .warning(
            format!(
                "{} never reached by anybody",
                plural(never.len(), "threshold")
            ),
            "Try a lower threshold on the past: the campaign's editor shows who would qualify.",
        )
        .such_as(never)
}

/// Why none of a referral's payments counts, if it is for one of the reasons that this check
/// is about.
fn why(unpaid: &Unpaid) -> Option<&'static str> {
    let of = |why: LeftOut| {
        unpaid
            .payments
            .iter()
            .all(|payment| payment.why == Some(why))
    };
    if unpaid.payments.is_empty() {
        Some("only invoices that are not paid yet")
    } else if of(LeftOut::ZeroAmount) {
        Some("only payments of zero")
    } else if of(LeftOut::BelowMinimum) {
        Some("only payments below the smallest that counts")
    } else {
        let small = [LeftOut::ZeroAmount, LeftOut::BelowMinimum];
        let mut all = unpaid.payments.iter();
        all.all(|payment| payment.why.is_some_and(|why| small.contains(&why)))
            .then_some("only payments of zero and below the smallest that counts")
    }
}

pub(super) fn uncounted_payments(seen: &Seen) -> Finding {
    let mut by_reason: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for unpaid in &seen.stored.unpaid {
        if let Some(why) = why(unpaid) {
            by_reason.entry(why).or_default().push(&unpaid.referral);
        }
    }
    let count: usize = by_reason.values().map(Vec::len).sum();
    if count == 0 {
        return UNCOUNTED.ok(
            "no referral waits with nothing but payments of zero, tiny ones or unpaid invoices",
        );
    }
    let examples = by_reason.iter().map(|(why, referrals)| {
        let first = referrals.first().copied().unwrap_or_default();
        format!(
            "{why}: {}, such as {first}",
            plural(referrals.len(), "referral")
        )
    });
    UNCOUNTED
        .warning(
            format!("{} with nothing that counts", plural(count, "referral")),
            "Free trials, coupons over everything and card checks do not count. If small payments are meant to, lower `each_payment` in the campaign's file.",
        )
        .such_as(examples.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{healthy, nothing};
    use super::*;
    use crate::doctor::State::{NotLookedAt, Ok as Fine, Problem, Warning};
    use crate::domain::campaign::Mode;
    use crate::domain::currency::Currency;
    use crate::domain::time::Timestamp;
    use crate::domain::verdict::PaymentEvidence;

    #[test]
    fn modes_do_not_mix() {
        let mut seen = healthy();
        assert_eq!(campaign_mode(&seen).state, Fine);
        seen.stored.campaigns[0].mode = Mode::Test;
        let found = campaign_mode(&seen);
        assert_eq!(
            (found.state, found.examples),
            (Problem, vec!["spring: test".to_owned()])
        );
        assert_eq!(test_data(&seen).state, Fine);
        seen.stored.ignored = vec![("other_mode".to_owned(), 7)];
        assert!(
            test_data(&seen)
                .seen
                .contains("7 events of the other mode came")
        );
        seen.stored.other_mode_used = 1;
        assert_eq!(test_data(&seen).state, Problem);
    }

    #[test]
    fn a_currency_nobody_pays_in_is_named() {
        let mut seen = healthy();
        assert_eq!(campaign_currencies(&seen).state, Fine);
        seen.stored.currencies.clear();
        let found = campaign_currencies(&seen);
        assert_eq!(
            (found.state, found.examples),
            (Warning, vec!["spring: USD".to_owned()])
        );
        seen.stored.has_payments = false;
        assert_eq!(campaign_currencies(&seen).state, NotLookedAt);
        assert_eq!(campaign_currencies(&nothing()).state, Fine);
    }

    #[test]
    fn a_threshold_that_nobody_reaches_is_named_once_there_are_enough() {
        let mut seen = healthy();
        assert_eq!(campaign_thresholds(&seen).state, Fine);
        seen.stored.qualified.clear();
        let found = campaign_thresholds(&seen);
        assert_eq!(found.state, Warning);
        assert!(
            found.examples[0].contains("nobody reached at least 50.00 USD"),
            "{found:?}"
        );
        seen.stored.matched[0].1 = MATCHED_MIN - 1;
        assert_eq!(campaign_thresholds(&seen).state, Fine);
    }

    #[test]
    fn only_payments_that_never_count_are_worth_a_word() {
        let payment = |why| PaymentEvidence {
            id: "pi_1".into(),
            amount_minor: 0,
            refunded_minor: 0,
            currency: Currency::USD,
            occurred_at: Timestamp::default(),
            counted: false,
            why: Some(why),
            presumed_link: false,
        };
        let of = |payments: Vec<PaymentEvidence>| Unpaid {
            referral: "ref_1".to_owned(),
            payments,
        };
        let (zero, small) = (LeftOut::ZeroAmount, LeftOut::BelowMinimum);
        for (payments, said) in [
            (vec![], Some("unpaid")),
            (vec![payment(zero)], Some("zero")),
            (vec![payment(small)], Some("below")),
            (vec![payment(zero), payment(small)], Some("zero and below")),
            (vec![payment(zero), payment(LeftOut::BeforeWindow)], None),
        ] {
            let mut seen = healthy();
            seen.stored.unpaid = vec![of(payments)];
            let found = uncounted_payments(&seen);
            assert_eq!(found.state == Warning, said.is_some(), "{found:?}");
        }
    }
}
