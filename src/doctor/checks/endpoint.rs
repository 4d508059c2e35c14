//! The webhook endpoint as Stripe has it, and the secret that it signs with.

use super::{Answers, Seen, plural, unanswered};
use crate::doctor::finding::{Area, Check, Finding};
use crate::domain::campaign::Mode;
use crate::stripe::EVENTS_NEEDED;
use crate::stripe::client::WebhookEndpoint;

const SECRET: Check = Check::new(Area::Webhooks, "webhook_secret", "Signing secret works");
const ENDPOINT: Check = Check::new(
    Area::Webhooks,
    "webhook_endpoint",
    "Webhook endpoint exists",
);
const ENABLED: Check = Check::new(Area::Webhooks, "webhook_enabled", "Endpoint is enabled");
const EVENTS: Check = Check::new(
    Area::Webhooks,
    "webhook_events",
    "Endpoint sends all events",
);
const VERSION: Check = Check::new(
    Area::Webhooks,
    "webhook_api_version",
    "API version is known",
);

/// Every type of event but those that have to be named; none of ours does.
const EVERYTHING: &str = "*";
/// Since this version an invoice names its discounts, and no longer the coupons.
const DISCOUNTS_ONLY: &str = "2025-09-30";
/// The newest version whose shapes were looked at.
const NEWEST_KNOWN: &str = "2026-05-27";

const CHOOSE: &str = "Open the endpoint in Stripe's dashboard under Developers, Webhooks";

pub(super) fn webhook_secret(seen: &Seen) -> Finding {
    let secrets = seen.settings.webhook_secrets;
    if secrets == 0 {
        return SECRET.problem(
            "no STRIPE_WEBHOOK_SECRET is set, so every event is refused with 503",
            "Set STRIPE_WEBHOOK_SECRET to the endpoint's signing secret, which begins with whsec_.",
        );
    }
    let set = plural(secrets, "secret");
    match &seen.stored.webhook {
        Some(webhook) if usize::try_from(webhook.secret_index).is_ok_and(|at| at >= secrets) => {
            SECRET.ok(format!(
                "{set} set; the last event was signed with one that is gone since"
            ))
        }
        Some(webhook) if secrets > 1 => {
            let number = webhook.secret_index.saturating_add(1);
            SECRET.ok(format!(
                "{set} set; the last event was signed with number {number}"
            ))
        }
        Some(_) => SECRET.ok(format!(
            "{set} set, and events come that are signed with it"
        )),
        None => SECRET.warning(
            format!("{set} set, but no signed event has come yet"),
            "Send a test event from Stripe's dashboard; a wrong secret is answered 400 there.",
        ),
    }
}

/// The endpoints of this mode that send here.
fn ours<'a>(seen: &Seen, endpoints: &'a [WebhookEndpoint]) -> Option<Vec<&'a WebhookEndpoint>> {
    let urls = seen.settings.webhook_urls.as_ref()?;
    let live = seen.settings.mode == Mode::Live;
    let same = |url: &str| urls.iter().any(|own| is_same(own, url));
    let ours = endpoints
        .iter()
        .filter(|one| one.livemode == live && same(&one.url));
    Some(ours.collect())
}

/// Whether two addresses are one; hosts are compared as addresses are, not as they are written.
fn is_same(one: &str, other: &str) -> bool {
    match (url::Url::parse(one), url::Url::parse(other)) {
        (Ok(one), Ok(other)) => {
            one.host_str() == other.host_str()
                && one.port_or_known_default() == other.port_or_known_default()
                && one.scheme() == other.scheme()
                && one.path().trim_end_matches('/') == other.path().trim_end_matches('/')
        }
        _ => false,
    }
}

/// An address as it may be shown: parameters may hold secrets of somebody else's.
fn shown(url: &str) -> String {
    let end = url.find(['?', '#']).unwrap_or(url.len());
    url.get(..end).unwrap_or_default().to_owned()
}

/// The endpoints that send here, or why nothing can be said of them.
fn found<'a>(
    seen: &Seen,
    check: Check,
    answers: &'a Answers,
) -> Result<Vec<&'a WebhookEndpoint>, Finding> {
    let endpoints = match &answers.endpoints {
        Ok(endpoints) => endpoints,
        Err(failure) => return Err(unanswered(check, failure)),
    };
    match ours(seen, endpoints) {
        None => {
            Err(check.not_looked_at("BASE_URL is not set, so this server's address is not known"))
        }
        Some(ours) if ours.is_empty() => Err(check.not_looked_at("there is no such endpoint")),
        Some(ours) => Ok(ours),
    }
}

pub(super) fn webhook_endpoint(seen: &Seen) -> Finding {
    let answers = match seen.answers(ENDPOINT) {
        Ok(answers) => answers,
        Err(finding) => return finding,
    };
    let endpoints = match &answers.endpoints {
        Ok(endpoints) => endpoints,
        Err(failure) => return unanswered(ENDPOINT, failure),
    };
    let own = seen
        .settings
        .webhook_urls
        .as_ref()
        .and_then(|urls| urls.first());
    let (Some(own), Some(ours)) = (own, ours(seen, endpoints)) else {
        return ENDPOINT
            .not_looked_at("BASE_URL is not set, so this server's address is not known")
            .and_next("Set BASE_URL to the address that Stripe reaches this server at.");
    };
    match ours.len() {
        0 => ENDPOINT
            .problem(
                format!("none of the account's {} sends to {own}", plural(endpoints.len(), "endpoint")),
                format!("Add a webhook endpoint for {own} with snapshot payloads in Stripe's dashboard, and set its signing secret as STRIPE_WEBHOOK_SECRET. If BASE_URL is wrong, correct it."),
            )
            .such_as(endpoints.iter().map(|one| shown(&one.url))),
        1 => ENDPOINT.ok(format!("sends to {own}")),
        several => ENDPOINT
            .warning(
                format!("{several} endpoints send to {own}, so that every event comes several times"),
                "Keep one of them; until then STRIPE_WEBHOOK_SECRET needs the secret of each, separated by commas.",
            )
            .such_as(ours.iter().map(|one| one.id.clone())),
    }
}

pub(super) fn webhook_enabled(seen: &Seen) -> Finding {
    let answers = match seen.answers(ENABLED) {
        Ok(answers) => answers,
        Err(finding) => return finding,
    };
    let ours = match found(seen, ENABLED, answers) {
        Ok(ours) => ours,
        Err(finding) => return finding,
    };
    let disabled = ours.iter().filter(|one| one.status != "enabled");
    let disabled: Vec<&str> = disabled.map(|one| one.id.as_str()).collect();
    if disabled.is_empty() {
        return ENABLED.ok("it is enabled");
    }
    let next = format!(
        "{CHOOSE} and enable it. Stripe disables endpoints that failed for days; what was missed can be sent again from there."
    );
    let finding = if disabled.len() == ours.len() {
        ENABLED.problem("it is disabled, so no event is sent", next)
    } else {
        ENABLED.warning("one of several is disabled", next)
    };
    finding.such_as(disabled)
}

pub(super) fn webhook_events(seen: &Seen) -> Finding {
    let answers = match seen.answers(EVENTS) {
        Ok(answers) => answers,
        Err(finding) => return finding,
    };
    let ours = match found(seen, EVENTS, answers) {
        Ok(ours) => ours,
        Err(finding) => return finding,
    };
    let sends = |name: &str| {
        let mut all = ours.iter().flat_map(|one| &one.enabled_events);
        all.any(|sent| sent == name || sent == EVERYTHING)
    };
    let missing: Vec<&str> = EVENTS_NEEDED
        .into_iter()
        .filter(|name| !sends(name))
        .collect();
    if missing.is_empty() {
        return EVENTS.ok(format!("all {} that are needed", EVENTS_NEEDED.len()));
    }
    EVENTS
        .problem(
            format!(
                "{} of {} needed types are not sent",
                missing.len(),
                EVENTS_NEEDED.len()
            ),
            format!("{CHOOSE}, and add the types that are named here."),
        )
        .naming(missing)
}

pub(super) fn webhook_api_version(seen: &Seen) -> Finding {
    let set = match &seen.asked {
        super::Asked::Yes(answers) => found(seen, VERSION, answers)
            .ok()
            .and_then(|ours| ours.first().and_then(|one| one.api_version.clone())),
        super::Asked::Not(_) => None,
    };
    let came = seen
        .stored
        .webhook
        .as_ref()
        .and_then(|webhook| webhook.api_version.clone());
    let (version, whose) = match (set, came) {
        (Some(set), _) => (set, "the endpoint's"),
        (None, Some(came)) => (came, "the last event's"),
        (None, None) => return VERSION.not_looked_at("no event has come yet that names one"),
    };
    let date = version.get(..10).unwrap_or(&version);
    if date >= DISCOUNTS_ONLY && !seen.stored.coupons.is_empty() {
        return VERSION.warning(
            format!("{version} ({whose}): invoices name their discounts, and not the coupons"),
            "Nothing, for customers whose discount is made from now on: its coupon is learnt from \
             customer.discount.created, checkout.session.completed and promotion_code events. A \
             coupon that was on a customer before the first event came here is not recognised.",
        );
    }
    let newer = if date > NEWEST_KNOWN {
        format!("; it is newer than {NEWEST_KNOWN}, the newest whose shapes were looked at")
    } else {
        String::new()
    };
    VERSION.ok(format!("{version} ({whose}){newer}"))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{asked, healthy, nothing};
    use super::*;
    use crate::doctor::State::{NotLookedAt, Ok as Fine, Problem, Warning};

    /// A healthy world with one thing changed at the endpoint.
    fn with(change: impl Fn(&mut WebhookEndpoint)) -> Seen {
        asked(|answers| answers.endpoints.iter_mut().flatten().for_each(&change))
    }

    #[test]
    fn a_secret_is_missing_unused_or_works() {
        assert_eq!(webhook_secret(&healthy()).state, Fine);
        let mut seen = nothing();
        assert_eq!(webhook_secret(&seen).state, Problem);
        seen.settings.webhook_secrets = 2;
        assert_eq!(webhook_secret(&seen).state, Warning);
        seen.stored.webhook = healthy().stored.webhook;
        assert!(webhook_secret(&seen).seen.contains("number 1"));
    }

    #[test]
    fn the_endpoint_is_found_by_its_address_and_mode() {
        assert_eq!(webhook_endpoint(&healthy()).state, Fine);
        for url in [
            "https://Refer.example.com:443/webhooks/stripe/",
            "https://refer.example.com/webhooks/stripe/live",
        ] {
            let seen = with(|one| one.url = url.to_owned());
            assert_eq!(webhook_endpoint(&seen).state, Fine, "{url}");
        }
        for url in [
            "http://refer.example.com/webhooks/stripe",
            "https://refer.example.com/webhook?token=verysecret",
        ] {
            let seen = with(|one| one.url = url.to_owned());
            let found = webhook_endpoint(&seen);
            assert_eq!(found.state, Problem, "{url}");
            assert!(!format!("{found:?}").contains("verysecret"));
            assert_eq!(webhook_events(&seen).state, NotLookedAt);
        }
        let seen = with(|one| one.livemode = false);
        assert_eq!(webhook_endpoint(&seen).state, Problem);
        let mut seen = healthy();
        seen.settings.webhook_urls = None;
        assert_eq!(webhook_endpoint(&seen).state, NotLookedAt);
        let seen = asked(|answers| {
            let two = answers.endpoints.clone().unwrap();
            answers.endpoints.as_mut().unwrap().extend(two);
        });
        assert_eq!(webhook_endpoint(&seen).state, Warning);
    }

    #[test]
    fn a_disabled_endpoint_and_missing_events_are_named() {
        let found = webhook_enabled(&with(|one| one.status = "disabled".to_owned()));
        assert_eq!((found.state, found.examples.len()), (Problem, 1));
        let found = webhook_events(&with(|one| {
            one.enabled_events
                .retain(|name| !name.starts_with("invoice_payment"));
        }));
        assert_eq!(found.state, Problem);
        assert_eq!(found.examples, ["invoice_payment.paid"]);
        let all = with(|one| one.enabled_events = vec!["*".to_owned()]);
        assert_eq!(webhook_events(&all).state, Fine);
        let none = webhook_events(&with(|one| one.enabled_events.clear()));
        assert_eq!(none.examples.len(), EVENTS_NEEDED.len(), "all are named");
    }

    #[test]
    fn versions_matter_where_coupons_do() {
        let at = |version: &str| with(|one| one.api_version = Some(version.to_owned()));
        assert_eq!(webhook_api_version(&at("2025-09-30.clover")).state, Warning);
        assert_eq!(webhook_api_version(&at("2025-03-31.basil")).state, Fine);
        let mut newer = at("2027-01-01.f");
        assert_eq!(webhook_api_version(&newer).state, Warning);
        newer.stored.coupons.clear();
        let found = webhook_api_version(&newer);
        assert!(found.state == Fine && found.seen.contains("newer than"));
        let of_event = with(|one| one.api_version = None);
        assert!(webhook_api_version(&of_event).seen.contains("last event's"));
        assert_eq!(webhook_api_version(&nothing()).state, NotLookedAt);
    }
}
