//! Whether customers can be found for referrals: the keys that referrals have, and the fields
//! that customers have.

use super::{Seen, plural, plural_of};
use crate::doctor::finding::{Area, Check, Finding};
use crate::doctor::stored::{CUSTOMERS_MAX, EMAILS_MAX, REFERRALS_MAX};
use crate::domain::campaign::{Campaign, MatchKey};
use crate::store::doctor::KeyMix;

const KEYS: Check = Check::new(Area::Matching, "referral_keys", "Referrals can be matched");
const EMAIL: Check = Check::new(Area::Matching, "customer_email", "Customers have an email");
const NAME: Check = Check::new(Area::Matching, "customer_name", "Customers have a name");
const SHARED: Check = Check::new(
    Area::Matching,
    "customers_sharing_email",
    "Each customer's email is their own",
);
const CODES: Check = Check::new(
    Area::Matching,
    "promoters_sharing_code",
    "Each referral code is one promoter's",
);

/// Whether a campaign looks at any key that these referrals have.
fn is_usable(campaign: &Campaign, mix: &KeyMix) -> bool {
    campaign.matching.keys.iter().any(|key| match key {
        MatchKey::StripeId => mix.stripe_id == 1 || mix.uid_is_customer == 1,
        MatchKey::Metadata => mix.uid == 1,
        MatchKey::Email => mix.email == 1,
    })
}

/// What these referrals have: `a uid`.
fn what(mix: &KeyMix) -> String {
    let kinds = [
        (mix.email, "an email"),
        (mix.uid, "a uid"),
        (mix.stripe_id, "a Stripe id"),
    ];
    let has = kinds.iter().filter(|(has, _)| *has == 1);
    has.map(|(_, kind)| *kind).collect::<Vec<_>>().join(" and ")
}

pub(super) fn referral_keys(seen: &Seen) -> Finding {
    let all: i64 = seen.stored.keys.iter().map(|mix| mix.referrals).sum();
    if all == 0 {
        return KEYS.ok("no referral is registered; those that a coupon makes have their customer");
    }
    let (mut without, mut examples) = (0_i64, Vec::new());
    for mix in &seen.stored.keys {
        let mut campaigns = seen.stored.campaigns.iter();
        let Some(campaign) = campaigns.find(|one| one.id.as_str() == mix.campaign_id) else {
            continue;
        };
        if !is_usable(campaign, mix) {
            without = without.saturating_add(mix.referrals);
            examples.push(format!(
                "{}: {} with {} alone",
                campaign.id,
                mix.referrals,
                what(mix)
            ));
        }
    }
    let looked_at = if all >= i64::from(REFERRALS_MAX) {
        "the newest "
    } else {
        ""
    };
    let share = all.saturating_sub(without).saturating_mul(100) / all;
    let words = format!(
        "{share} % of {looked_at}{}",
        plural_of(all, "registered referral")
    );
    if without == 0 {
        return KEYS.ok(format!("{words} have a key that their campaign looks at"));
    }
    KEYS.problem(
        format!("{words} have a key that their campaign looks at, {without} have none"),
        "Add the key to `keys` under [match] in the campaign's file, or register referrals with an email.",
    )
    .such_as(examples)
}

pub(super) fn customer_email(seen: &Seen) -> Finding {
    let blanks = &seen.stored.blanks;
    let next = "Have your checkout ask for an email. Until then these are found by Stripe id or metadata alone.";
    fields(
        EMAIL,
        blanks.looked_at,
        &blanks.without_email,
        "email",
        next,
    )
}

pub(super) fn customer_name(seen: &Seen) -> Finding {
    let blanks = &seen.stored.blanks;
    let next = "Nothing depends on it here; cases and lists are easier to read with names.";
    fields(NAME, blanks.looked_at, &blanks.without_name, "name", next)
}

fn fields(check: Check, looked_at: usize, blank: &[String], field: &str, next: &str) -> Finding {
    if looked_at == 0 {
        return check.not_looked_at("no customer is known yet");
    }
    let bound = usize::try_from(CUSTOMERS_MAX).unwrap_or(usize::MAX);
    let sample = if looked_at >= bound { " looked at" } else { "" };
    let all = plural(looked_at, "customer");
    if blank.is_empty() {
        return check.ok(format!("all {all}{sample}"));
    }
    let share = blank.len().saturating_mul(100).div_ceil(looked_at);
    check
        .warning(
            format!(
                "{} of {all}{sample} have no {field} ({share} %)",
                blank.len()
            ),
            next,
        )
        .such_as(blank.iter().cloned())
}

pub(super) fn customers_sharing_email(seen: &Seen) -> Finding {
    let shared = &seen.stored.shared_emails;
    if shared.is_empty() {
        return SHARED.ok(format!("no two share one, of {EMAILS_MAX} emails at most"));
    }
    let customers: i64 = shared.iter().map(|(_, count)| *count).sum();
    SHARED
        .warning(
            format!(
                "{customers} customers share {}",
                plural(shared.len(), "email")
            ),
            "A referral by such an email opens a case, unless its campaign's `duplicates` says what to do. Merge the customers at Stripe, or choose a policy.",
        )
        .such_as(shared.iter().map(|(customer, count)| {
            format!("{customer} and {} more", count.saturating_sub(1))
        }))
}

pub(super) fn promoters_sharing_code(seen: &Seen) -> Finding {
    let shared = &seen.stored.shared_codes;
    if shared.is_empty() {
        return CODES.ok("no two promoters have the same");
    }
    CODES
        .problem(
            format!("{} had by several promoters", plural(shared.len(), "code")),
            "Give all but one of them another code: a link with it cannot tell whose it is.",
        )
        .such_as(
            shared
                .iter()
                .map(|(code, count)| format!("{code}: {count} promoters")),
        )
}

#[cfg(test)]
mod tests {
    use super::super::testing::{healthy, nothing};
    use super::*;
    use crate::doctor::State::{NotLookedAt, Ok as Fine, Problem, Warning};

    fn mix(email: i64, uid: i64, uid_is_customer: i64, stripe_id: i64) -> KeyMix {
        KeyMix {
            campaign_id: "spring".to_owned(),
            email,
            uid,
            uid_is_customer,
            stripe_id,
            referrals: 10,
        }
    }

    #[test]
    fn a_key_is_usable_if_the_campaign_looks_at_it() {
        use MatchKey::{Email, Metadata, StripeId};
        for (keys, mix, usable) in [
            (vec![Email], mix(1, 0, 0, 0), true),
            (vec![Email], mix(0, 1, 0, 1), false),
            (vec![Metadata], mix(0, 1, 0, 0), true),
            (vec![Metadata], mix(1, 0, 0, 1), false),
            (vec![StripeId], mix(0, 1, 1, 0), true),
            (vec![StripeId], mix(0, 1, 0, 0), false),
            (vec![StripeId], mix(0, 0, 0, 1), true),
        ] {
            let mut seen = healthy();
            seen.stored.campaigns[0].matching.keys = keys.clone();
            seen.stored.keys = vec![mix.clone()];
            let found = referral_keys(&seen);
            assert_eq!(found.state == Fine, usable, "{keys:?} {mix:?}");
        }
        let mut seen = healthy();
        seen.stored.campaigns[0].matching.keys = vec![Email];
        seen.stored.keys = vec![mix(1, 0, 0, 0), mix(0, 1, 0, 0)];
        let found = referral_keys(&seen);
        assert_eq!(found.state, Problem);
        assert!(
            found.seen.starts_with("50 % of 20 registered referrals"),
            "{found:?}"
        );
        assert_eq!(found.examples, ["spring: 10 with a uid alone"]);
        assert_eq!(referral_keys(&nothing()).state, Fine);
    }

    #[test]
    fn blank_fields_are_counted_among_those_looked_at() {
        let mut seen = healthy();
        assert_eq!(
            (customer_email(&seen).state, customer_name(&seen).state),
            (Fine, Fine)
        );
        seen.stored.blanks.without_email = vec!["cus_1".to_owned()];
        let found = customer_email(&seen);
        assert_eq!(found.state, Warning);
        assert!(
            found.seen.contains("1 of 40 customers have no email (3 %)"),
            "{found:?}"
        );
        assert_eq!(found.examples, ["cus_1"]);
        assert_eq!(customer_name(&nothing()).state, NotLookedAt);
    }

    #[test]
    fn what_is_shared_is_named() {
        let mut seen = healthy();
        seen.stored.shared_emails = vec![("cus_1".into(), 3), ("cus_9".into(), 2)];
        let found = customers_sharing_email(&seen);
        assert_eq!(found.state, Warning);
        assert!(
            found.seen.contains("5 customers share 2 emails"),
            "{found:?}"
        );
        assert_eq!(found.examples, ["cus_1 and 2 more", "cus_9 and 1 more"]);
        seen.stored.shared_codes = vec![("ana".to_owned(), 2)];
        assert_eq!(promoters_sharing_code(&seen).state, Problem);
    }
}
