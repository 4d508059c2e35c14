//! Whether events arrive: their payload, the last one's age, and deliveries that failed.

use super::{Seen, plural, span, unanswered};
use crate::clock::SECOND_US;
use crate::doctor::finding::{Area, Check, Finding};
use crate::domain::time::DAY_SECONDS;
use crate::stripe::EVENTS_NEEDED;

const PAYLOAD: Check = Check::new(
    Area::Webhooks,
    "webhook_payload",
    "Events carry their objects",
);
const LAST: Check = Check::new(Area::Webhooks, "webhook_last_event", "Events come in");
const FAILED: Check = Check::new(Area::Webhooks, "webhook_deliveries", "Deliveries succeed");

/// A thin event that came before this is past.
const THIN_SECONDS: i64 = 7 * DAY_SECONDS;
/// Without any event for longer than this somebody should look.
const SILENT_SECONDS: i64 = 3 * DAY_SECONDS;

fn age(seen: &Seen, received_at_us: i64) -> i64 {
    let at = received_at_us.div_euclid(SECOND_US);
    seen.now.unix().saturating_sub(at).max(0)
}

/// Destinations of the newer kind are in no list that this key may read; their events tell.
pub(super) fn webhook_payload(seen: &Seen) -> Finding {
    match seen.stored.thin_at_us.map(|at| age(seen, at)) {
        Some(age) if age < THIN_SECONDS => PAYLOAD.problem(
            format!("an event without its object came {} ago; nothing can be read from such events", span(age)),
            "Choose snapshot payloads: an event destination with thin payloads has to be replaced by one with snapshots.",
        ),
        _ if seen.stored.webhook.is_some() => PAYLOAD.ok("no thin event in the last 7 days"),
        _ => PAYLOAD.not_looked_at("no signed event has come yet"),
    }
}

pub(super) fn webhook_last_event(seen: &Seen) -> Finding {
    let Some(webhook) = &seen.stored.webhook else {
        return LAST.warning(
            "no signed event has come yet",
            "Add a webhook endpoint for this server in Stripe's dashboard, or send it a test event.",
        );
    };
    let age = age(seen, webhook.received_at_us);
    let words = format!("the last one came {} ago", span(age));
    if age <= SILENT_SECONDS {
        return LAST.ok(words);
    }
    LAST.warning(
        words,
        "If there were payments since, look at the endpoint's deliveries in Stripe's dashboard.",
    )
}

pub(super) fn webhook_deliveries(seen: &Seen) -> Finding {
    let answers = match seen.answers(FAILED) {
        Ok(answers) => answers,
        Err(finding) => return finding,
    };
    let failed = match &answers.undelivered {
        Ok(failed) => failed,
        Err(failure) => return unanswered(FAILED, failure),
    };
    if failed.data.is_empty() {
        return FAILED.ok("all of the last 3 days");
    }
    let is_here = |id: &String| answers.undelivered_but_here.contains(id);
    let missing = failed
        .data
        .iter()
        .filter(|event| EVENTS_NEEDED.contains(&event.event_type.as_str()) && !is_here(&event.id));
    let missing: Vec<String> = missing
        .map(|event| format!("{} {}", event.id, event.event_type))
        .collect();
    let most = if failed.has_more { "at least " } else { "" };
    let all = plural(failed.data.len(), "event");
    if missing.is_empty() {
        return FAILED.ok(format!(
            "{most}{all} of the last 3 days did not reach some endpoint of the account; what is needed is here"
        ));
    }
    let count = missing.len();
    FAILED
        .problem(
            format!("{most}{} of the last 3 days did not arrive", plural(count, "needed event")),
            "Open the endpoint's deliveries in Stripe's dashboard: each says what was answered. Mend that, then resend them.",
        )
        .such_as(missing)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{asked, event, healthy, nothing};
    use super::*;
    use crate::doctor::State::{NotLookedAt, Ok as Fine, Problem, Warning};
    use crate::doctor::checks::Answers;
    use crate::stripe::client::Failure;

    fn undelivered(events: &[(&str, &str)], here: &[&str]) -> Seen {
        asked(|answers: &mut Answers| {
            let failed = answers.undelivered.as_mut().unwrap();
            failed.data = events.iter().map(|(id, kind)| event(id, kind)).collect();
            answers.undelivered_but_here = here.iter().map(|id| (*id).to_owned()).collect();
        })
    }

    #[test]
    fn events_that_did_not_arrive_are_named_if_they_are_needed() {
        assert_eq!(webhook_deliveries(&healthy()).state, Fine);
        let seen = undelivered(
            &[
                ("evt_1", "charge.succeeded"),
                ("evt_2", "payout.paid"),
                ("evt_3", "invoice.paid"),
            ],
            &["evt_3"],
        );
        let found = webhook_deliveries(&seen);
        assert_eq!(found.state, Problem);
        assert_eq!(found.examples, ["evt_1 charge.succeeded"]);
        let seen = undelivered(
            &[("evt_2", "payout.paid"), ("evt_3", "invoice.paid")],
            &["evt_3"],
        );
        let found = webhook_deliveries(&seen);
        assert!(
            found.state == Fine && found.seen.contains("2 events"),
            "{found:?}"
        );
        let seen = asked(|answers| answers.undelivered = Err(Failure::Busy));
        assert_eq!(webhook_deliveries(&seen).state, NotLookedAt);
    }

    #[test]
    fn thin_events_count_for_a_week() {
        let mut seen = healthy();
        assert_eq!(webhook_payload(&seen).state, Fine);
        seen.stored.thin_at_us = Some((seen.now.unix() - 3_600) * SECOND_US);
        assert_eq!(webhook_payload(&seen).state, Problem);
        seen.stored.thin_at_us = Some((seen.now.unix() - THIN_SECONDS) * SECOND_US);
        assert_eq!(webhook_payload(&seen).state, Fine);
        assert_eq!(webhook_payload(&nothing()).state, NotLookedAt);
    }

    #[test]
    fn silence_is_worth_a_look_after_three_days() {
        let mut seen = healthy();
        for (age, state) in [
            (60, Fine),
            (SILENT_SECONDS, Fine),
            (SILENT_SECONDS + 1, Warning),
        ] {
            if let Some(webhook) = &mut seen.stored.webhook {
                webhook.received_at_us = (seen.now.unix() - age) * SECOND_US;
            }
            assert_eq!(webhook_last_event(&seen).state, state, "{age}");
        }
        assert_eq!(webhook_last_event(&nothing()).state, Warning);
    }
}
