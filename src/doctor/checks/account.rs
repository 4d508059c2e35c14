//! The key to Stripe: whether it works, whose it is, what it may do, and the clocks.

use super::{Seen, plural, span, unanswered};
use crate::doctor::asked::Answers;
use crate::doctor::finding::{Area, Check, Finding};
use crate::domain::campaign::Mode;
use crate::domain::ids::AccountId;
use crate::stripe::client::Failure;
use crate::stripe::signature::TOLERANCE_SECONDS;

const REACHABLE: Check = Check::new(Area::Stripe, "stripe_reachable", "Stripe can be reached");
const KEY: Check = Check::new(Area::Stripe, "api_key", "API key works");
const ACCOUNT: Check = Check::new(Area::Stripe, "account", "Account is the expected one");
const MODE: Check = Check::new(Area::Stripe, "key_mode", "Key is of the connection's mode");
const PERMISSIONS: Check = Check::new(Area::Stripe, "key_permissions", "Key may read enough");
const CLOCK: Check = Check::new(Area::Stripe, "clock", "Clocks agree");

/// A difference of the clocks that is worth a look, in seconds.
const SKEW_SECONDS: i64 = 30;

pub(super) fn stripe_reachable(seen: &Seen) -> Finding {
    let answers = match seen.answers(REACHABLE) {
        Ok(answers) => answers,
        Err(finding) => return finding,
    };
    match answers.unreachable() {
        None => REACHABLE.ok("it answers"),
        Some(why) => REACHABLE.warning(
            format!("could not be reached: {why}"),
            "Try again; if it stays so, check that this machine may connect to api.stripe.com.",
        ),
    }
}

pub(super) fn api_key(seen: &Seen) -> Finding {
    let answers = match seen.answers(KEY) {
        Ok(answers) => answers,
        Err(finding) if seen.settings.key.is_none() => {
            return finding.and_next(
                "Make a restricted key that may read webhook endpoints, events, coupons and \
                 promotion codes, and set it as STRIPE_API_KEY.",
            );
        }
        Err(finding) => return finding,
    };
    for failure in answers.failures() {
        if let Failure::KeyRefused { expired } = failure {
            let why = if *expired {
                "it has expired"
            } else {
                "no key of Stripe's"
            };
            return KEY.problem(
                format!("Stripe does not accept it: {why}"),
                "Make a new key in Stripe's dashboard under Developers, API keys, and set it as \
                 STRIPE_API_KEY.",
            );
        }
    }
    match answers.unreachable() {
        Some(why) => unanswered(KEY, why),
        None => KEY.ok("Stripe accepts it"),
    }
}

pub(super) fn account(seen: &Seen) -> Finding {
    let answers = match seen.answers(ACCOUNT) {
        Ok(answers) => answers,
        Err(finding) => return finding,
    };
    let found = match whose(answers) {
        Ok(found) => found,
        Err(failure) => return unanswered(ACCOUNT, failure),
    };
    let set = seen.settings.account.as_ref();
    match set.or(seen.stored.account.as_ref()) {
        Some(expected) if expected == found => ACCOUNT.ok(format!("the key is of {found}")),
        Some(expected) => ACCOUNT.problem(
            format!("the key is of {found}, this connection is of {expected}"),
            format!(
                "Set STRIPE_API_KEY to a key of {expected}, or use another database for {found}."
            ),
        ),
        None => ACCOUNT.warning(
            format!("the key is of {found}; which account is expected is not set"),
            format!("Set STRIPE_ACCOUNT={found}, so that events of other accounts are not used."),
        ),
    }
}

/// The key's account: asked for, or named by the refusal of a key that may not ask.
fn whose(answers: &Answers) -> Result<&AccountId, &Failure> {
    let failure = match &answers.account {
        Ok(account) => return Ok(account),
        Err(failure) => failure,
    };
    let named = answers.failures().find_map(|failure| match failure {
        Failure::Forbidden { account, .. } => account.as_ref(),
        _ => None,
    });
    named.ok_or(failure)
}

pub(super) fn key_mode(seen: &Seen) -> Finding {
    let Some(key) = &seen.settings.key else {
        return MODE.not_looked_at("no STRIPE_API_KEY is set");
    };
    let expected = seen.settings.mode;
    let answered = match seen.answers(MODE) {
        Ok(answers) => answers.livemodes().map(Mode::from_livemode).collect(),
        Err(_) => Vec::new(),
    };
    let mut told = key.mode.iter().chain(&answered);
    match told.find(|mode| **mode != expected) {
        Some(other) => MODE.problem(
            format!(
                "the key reads {} data, this connection is {}",
                other.name(),
                expected.name()
            ),
            format!("Set STRIPE_API_KEY to a {} key.", expected.name()),
        ),
        None if key.mode.is_none() && answered.is_empty() => {
            MODE.not_looked_at("neither the key nor anything it read says live or test")
        }
        None => MODE.ok(format!("both are {}", expected.name())),
    }
}

/// What is read of Stripe, and the permission that Stripe has for it.
fn needs(answers: &Answers) -> [(&'static str, Option<&Failure>); 4] {
    [
        ("Webhook endpoints: read", answers.endpoints.as_ref().err()),
        ("Events: read", answers.undelivered.as_ref().err()),
        ("Coupons: read", answers.coupons_readable.as_ref().err()),
        (
            "Promotion codes: read",
            answers.codes_readable.as_ref().err(),
        ),
    ]
}

pub(super) fn key_permissions(seen: &Seen) -> Finding {
    let answers = match seen.answers(PERMISSIONS) {
        Ok(answers) => answers,
        Err(finding) => return finding,
    };
    let (mut missing, mut unknown) = (Vec::new(), None);
    for (need, failure) in needs(answers) {
        match failure {
            Some(Failure::Forbidden { permission, .. }) => missing.push(match permission {
                Some(permission) => format!("{need} ({permission})"),
                None => need.to_owned(),
            }),
            Some(other) => unknown = unknown.or(Some(other)),
            None => {}
        }
    }
    if !missing.is_empty() {
        let count = plural(missing.len(), "permission");
        return PERMISSIONS
            .problem(
                format!("the key lacks {count}"),
                "Edit the restricted key in Stripe's dashboard and give it what is named here.",
            )
            .naming(missing);
    }
    match unknown {
        Some(failure) => unanswered(PERMISSIONS, failure),
        None => PERMISSIONS.ok("webhook endpoints, events, coupons and promotion codes"),
    }
}

pub(super) fn clock(seen: &Seen) -> Finding {
    let asked = match seen.answers(CLOCK) {
        Ok(answers) => answers.ahead_seconds,
        Err(_) => None,
    };
    if let Some(ahead) = asked {
        return compared(ahead);
    }
    // An event cannot come before it has happened; how long it took says nothing.
    let ahead = seen.stored.webhook.as_ref().map(|webhook| {
        let received = webhook.received_at_us.div_euclid(crate::clock::SECOND_US);
        webhook.created_at.saturating_sub(received)
    });
    match ahead {
        Some(ahead) if ahead > SKEW_SECONDS => compared(ahead),
        Some(_) => CLOCK.ok("the last event did not come before it had happened"),
        None => CLOCK.not_looked_at("nothing has come from Stripe to compare with"),
    }
}

fn compared(ahead: i64) -> Finding {
    let words = if ahead > 0 { "behind" } else { "ahead of" };
    let seen = format!("this machine is {} {words} Stripe", span(ahead));
    let next = "Have this machine's clock set by NTP.";
    match ahead.saturating_abs() {
        0..=SKEW_SECONDS => CLOCK.ok(format!("within {SKEW_SECONDS} seconds of Stripe")),
        TOLERANCE_SECONDS.. => {
            CLOCK.problem(format!("{seen}; signatures are refused for it"), next)
        }
        _ => CLOCK.warning(seen, next),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{asked, forbidden, healthy, nothing};
    use super::*;
    use crate::doctor::State::{NotLookedAt, Ok as Fine, Problem, Warning};
    use crate::doctor::asked::{Asked, NotAsked};
    use crate::doctor::checks::Key;

    #[test]
    fn a_key_is_valid_refused_or_not_known() {
        assert_eq!(api_key(&healthy()).state, Fine);
        let none = api_key(&nothing());
        assert_eq!(none.state, NotLookedAt);
        assert!(none.next.unwrap().contains("STRIPE_API_KEY"));
        for expired in [true, false] {
            let seen = asked(|answers| {
                *answers = Answers::none(&Failure::KeyRefused { expired }, 0, answers.at);
            });
            let found = api_key(&seen);
            assert_eq!(found.state, Problem);
            assert_eq!(found.seen.contains("expired"), expired);
            assert_eq!(stripe_reachable(&seen).state, Fine, "it did answer");
        }
        let seen = asked(|answers| *answers = Answers::none(&Failure::TooSlow, 0, answers.at));
        assert_eq!(api_key(&seen).state, NotLookedAt);
        let reach = stripe_reachable(&seen);
        assert_eq!(reach.state, Warning);
        assert!(reach.seen.contains("no answer in time"), "{reach:?}");
    }

    #[test]
    fn the_account_is_compared_with_settings_then_with_what_is_stored() {
        assert_eq!(account(&healthy()).state, Fine);
        let mut seen = healthy();
        seen.settings.account = Some("acct_2".into());
        let found = account(&seen);
        assert_eq!(found.state, Problem);
        assert!(found.seen.contains("acct_1") && found.seen.contains("acct_2"));
        seen.settings.account = None;
        seen.stored.account = Some("acct_3".into());
        assert_eq!(account(&seen).state, Problem);
        seen.stored.account = None;
        let found = account(&seen);
        assert_eq!(found.state, Warning);
        assert!(found.next.unwrap().contains("STRIPE_ACCOUNT=acct_1"));
        // A restricted key may not ask, and is told whose it is all the same.
        let seen = asked(|answers| answers.account = Err(forbidden("rak_accounts_kyc_basic_read")));
        assert_eq!(account(&seen).state, Fine);
        let seen = asked(|answers| answers.account = Err(Failure::Busy));
        assert_eq!(account(&seen).state, NotLookedAt);
    }

    #[test]
    fn modes_are_compared_by_prefix_and_by_what_was_read() {
        assert_eq!(key_mode(&healthy()).state, Fine);
        let mut seen = healthy();
        seen.settings.key = Some(Key {
            mode: Some(Mode::Test),
        });
        assert_eq!(key_mode(&seen).state, Problem);
        seen.settings.key = Some(Key { mode: None });
        assert_eq!(key_mode(&seen).state, Fine, "what it reads is live");
        let mut seen = asked(|answers| {
            for endpoint in answers.endpoints.iter_mut().flatten() {
                endpoint.livemode = false;
            }
        });
        assert_eq!(key_mode(&seen).state, Problem);
        seen.settings.key = Some(Key { mode: None });
        seen.asked = Asked::Not(NotAsked::Offline);
        assert_eq!(key_mode(&seen).state, NotLookedAt);
        seen.settings.key = None;
        assert_eq!(key_mode(&seen).state, NotLookedAt);
    }

    #[test]
    fn missing_permissions_are_named() {
        assert_eq!(key_permissions(&healthy()).state, Fine);
        let seen = asked(|answers| {
            answers.coupons_readable = Err(forbidden("rak_coupon_read"));
            answers.undelivered = Err(Failure::Forbidden {
                permission: None,
                account: None,
            });
        });
        let found = key_permissions(&seen);
        assert_eq!(found.state, Problem);
        assert_eq!(
            found.examples,
            ["Events: read", "Coupons: read (rak_coupon_read)"]
        );
        let seen = asked(|answers| answers.coupons_readable = Err(Failure::Busy));
        assert_eq!(key_permissions(&seen).state, NotLookedAt);
    }

    #[test]
    fn clocks_are_compared_by_answers_else_by_the_last_event() {
        for (ahead, state) in [
            (0, Fine),
            (-30, Fine),
            (31, Warning),
            (-299, Warning),
            (300, Problem),
            (-900, Problem),
        ] {
            let seen = asked(|answers| answers.ahead_seconds = Some(ahead));
            assert_eq!(clock(&seen).state, state, "{ahead}");
        }
        let behind = clock(&asked(|answers| answers.ahead_seconds = Some(60)));
        assert!(behind.seen.contains("60 seconds behind"), "{behind:?}");
        let mut seen = nothing();
        assert_eq!(clock(&seen).state, NotLookedAt);
        seen.stored.webhook = healthy().stored.webhook;
        assert_eq!(clock(&seen).state, Fine);
        if let Some(webhook) = &mut seen.stored.webhook {
            webhook.created_at = webhook.received_at_us / 1_000_000 + 90;
        }
        assert_eq!(clock(&seen).state, Warning);
    }
}
