//! Whether the stages keep up: events read, referrals judged, batches settled.

use super::{Seen, plural, plural_of, span};
use crate::clock::SECOND_US;
use crate::doctor::finding::{Area, Check, Finding};
use crate::store::batches::BatchState;

const EVENTS: Check = Check::new(Area::Work, "events_on_time", "Events are read on time");
const JUDGING: Check = Check::new(
    Area::Work,
    "judging_on_time",
    "Referrals are judged on time",
);
const BATCH: Check = Check::new(Area::Work, "batch_on_time", "Batches settle on time");
const QUARANTINED: Check = Check::new(
    Area::Work,
    "events_quarantined",
    "Every event could be read",
);

/// What waits longer than this is worth a look, in seconds.
const LATE_SECONDS: i64 = 300;
/// What waits longer than this does not work.
const STUCK_SECONDS: i64 = 3_600;
/// How long after its instant a batch may begin.
const BATCH_SECONDS: i64 = 900;

const RUNS: &str = "Check that `qualify serve` runs, and what its log says.";

fn waited(seen: &Seen, since_us: i64) -> i64 {
    let since = since_us.div_euclid(SECOND_US);
    seen.now.unix().saturating_sub(since).max(0)
}

fn on_time(check: Check, waited: i64, words: String) -> Finding {
    match waited {
        ..=LATE_SECONDS => check.ok(words),
        STUCK_SECONDS.. => check.problem(words, RUNS),
        _ => check.warning(words, RUNS),
    }
}

pub(super) fn events_on_time(seen: &Seen) -> Finding {
    let (count, oldest) = seen.stored.events_waiting;
    let Some(oldest) = oldest.filter(|_| count > 0) else {
        return EVENTS.ok("none waits");
    };
    let waited = waited(seen, oldest);
    let words = format!(
        "{} waiting, the oldest for {}",
        plural_of(count, "event"),
        span(waited)
    );
    on_time(EVENTS, waited, words)
}

pub(super) fn judging_on_time(seen: &Seen) -> Finding {
    match seen.stored.judging_since_us {
        None => JUDGING.ok("nobody waits to be judged"),
        Some(since) => {
            let waited = waited(seen, since);
            let words = format!("the oldest on the list waits for {}", span(waited));
            on_time(JUDGING, waited, words)
        }
    }
}

pub(super) fn batch_on_time(seen: &Seen) -> Finding {
    if let Some(open) = seen.stored.open_batches.first() {
        let waited = seen
            .now
            .unix()
            .saturating_sub(open.planned_at.unix())
            .max(0);
        let words = format!(
            "the batch of {} is at work since {}",
            open.slot_at.words(),
            span(waited)
        );
        return on_time(BATCH, waited, words);
    }
    let Some(slot) = &seen.stored.slot else {
        return BATCH.ok("the schedule has had no instant in the last months; batches run by hand");
    };
    let at = slot.at.words();
    match &slot.batch {
        Some(batch) if batch.state == BatchState::Done => {
            BATCH.ok(format!("the one of {at} is done"))
        }
        Some(_) => BATCH.ok(format!("the one of {at} is at work")),
        None if slot.at < seen.stored.since => {
            BATCH.ok(format!("the last slot, {at}, was before this installation"))
        }
        None => {
            let late = seen.now.unix().saturating_sub(slot.at.unix());
            let words = format!(
                "the one of {at} has not run for {}; {} due",
                span(late),
                match slot.due {
                    0 => "nothing is".to_owned(),
                    1 => "1 reward is".to_owned(),
                    more => format!("{more} rewards are"),
                }
            );
            let next = "Check that `qualify serve` runs; `qualify settle` runs the batch by hand.";
            match late {
                ..=BATCH_SECONDS => BATCH.ok(format!("the one of {at} is about to run")),
                _ if slot.due > 0 => BATCH.problem(words, next),
                _ => BATCH.warning(words, next),
            }
        }
    }
}

pub(super) fn events_quarantined(seen: &Seen) -> Finding {
    let waiting = &seen.stored.quarantined;
    let count: i64 = waiting.iter().map(|(_, count)| *count).sum();
    if count == 0 {
        return QUARANTINED.ok("none is quarantined");
    }
    QUARANTINED
        .warning(
            format!("{} quarantined for {}", plural_of(count, "event"), plural(waiting.len(), "reason")),
            "Look at them under Events. After an update of qualify, read them again from there or with `qualify replay`.",
        )
        .such_as(waiting.iter().map(|(code, count)| format!("{code}: {count}")))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{batch, healthy};
    use super::*;
    use crate::doctor::State::{Ok as Fine, Problem, Warning};
    use crate::doctor::stored::Slot;

    #[test]
    fn what_waits_is_late_and_then_stuck() {
        for (age, state) in [(0, Fine), (300, Fine), (301, Warning), (3_600, Problem)] {
            let mut seen = healthy();
            let since = (seen.now.unix() - age) * SECOND_US;
            seen.stored.events_waiting = (3, Some(since));
            seen.stored.judging_since_us = Some(since);
            assert_eq!(events_on_time(&seen).state, state, "{age}");
            assert_eq!(judging_on_time(&seen).state, state, "{age}");
            let mut open = batch(BatchState::Executing);
            open.planned_at = seen.now.plus_seconds(-age);
            seen.stored.open_batches = vec![open];
            assert_eq!(batch_on_time(&seen).state, state, "{age}");
        }
    }

    #[test]
    fn a_slot_that_was_missed_is_worse_when_something_is_due() {
        let missed = |late: i64, due| {
            let mut seen = healthy();
            seen.stored.slot = Some(Slot {
                at: seen.now.plus_seconds(-late),
                batch: None,
                due,
            });
            batch_on_time(&seen).state
        };
        assert_eq!(missed(900, 5), Fine);
        assert_eq!(missed(901, 0), Warning);
        assert_eq!(missed(901, 5), Problem);
        let mut seen = healthy();
        seen.stored.since = seen.now;
        seen.stored.slot = Some(Slot {
            at: seen.now.plus_seconds(-9_000),
            batch: None,
            due: 0,
        });
        assert_eq!(batch_on_time(&seen).state, Fine);
    }

    #[test]
    fn quarantined_events_are_counted_by_reason() {
        let mut seen = healthy();
        assert_eq!(events_quarantined(&seen).state, Fine);
        seen.stored.quarantined = vec![
            ("amount_invalid".to_owned(), 2),
            ("unreadable".to_owned(), 1),
        ];
        let found = events_quarantined(&seen);
        assert_eq!(found.state, Warning);
        assert!(
            found.seen.contains("3 events quarantined for 2 reasons"),
            "{found:?}"
        );
    }
}
