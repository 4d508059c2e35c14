//! Events as stored → facts, and what became of each event. Pure.

use crate::domain::campaign::Mode;
use crate::domain::fact::Fact;
use crate::domain::ids::{AccountId, EventId};
use crate::store::events::{EventMark, EventReason, EventState, StoredEvent};
use crate::stripe::{self, Reading};

/// Whose events are read: facts of other accounts and of the other mode never meet these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// The connection's account, if it is known.
    pub account: Option<AccountId>,
    /// The connection's mode.
    pub mode: Mode,
}

/// What a batch of events says.
#[derive(Debug, Default)]
pub struct Readings {
    /// Facts, in no particular order.
    pub facts: Vec<Fact>,
    /// What became of each event.
    pub marks: Vec<EventMark>,
}

/// Reads a batch of stored events.
pub fn read(scope: &Scope, events: &[StoredEvent]) -> Readings {
    let mut readings = Readings::default();
    for event in events {
        let (state, reason) = match read_one(scope, event) {
            Ok(facts) => {
                readings.facts.extend(facts);
                (EventState::Done, None)
            }
            Err((state, reason)) => (state, Some(reason)),
        };
        readings.marks.push(EventMark {
            event_id: EventId::from(event.event_id.as_str()),
            received_at_us: event.received_at_us,
            state,
            reason,
        });
    }
    readings
}

fn read_one(scope: &Scope, event: &StoredEvent) -> Result<Vec<Fact>, (EventState, EventReason)> {
    let outcome = |state, code: &str, text: String| {
        Err((
            state,
            EventReason {
                code: code.to_owned(),
                text,
            },
        ))
    };
    let read = match stripe::read_event(&event.body) {
        Ok(read) => read,
        Err(error) => {
            return outcome(EventState::Quarantined, error.code(), error.to_string());
        }
    };
    if read.envelope.mode != scope.mode {
        let text = format!(
            "a {} event on a {} connection; add a connection for that mode to use it",
            read.envelope.mode.name(),
            scope.mode.name()
        );
        return outcome(EventState::Ignored, "other_mode", text);
    }
    if let (Some(ours), Some(theirs)) = (&scope.account, &read.envelope.account)
        && ours != theirs
    {
        let text = format!("an event of account {theirs}; this connection is for {ours}");
        return outcome(EventState::Quarantined, "other_account", text);
    }
    match read.reading {
        Reading::Facts(facts) => Ok(facts),
        Reading::Ignored { reason } => {
            outcome(EventState::Ignored, reason.code(), reason.to_string())
        }
        Reading::Quarantined { reason } => {
            outcome(EventState::Quarantined, reason.code(), reason.to_string())
        }
    }
}
