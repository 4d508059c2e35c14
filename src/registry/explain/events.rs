//! Which of the stored events are about some objects. Nothing indexes events by what they are
//! about, so bodies are looked through: from a day before the first thing that happened, as many
//! as [`EVENTS_LOOKED_AT_MAX`]; if there are more, then around each known instant, because Stripe
//! sends most events within minutes.

use std::collections::BTreeSet;

use super::timeline::{About, Moment, MomentKind};
use crate::clock::SECOND_US;
use crate::domain::ids::{ConnectionId, EventId};
use crate::domain::time::{DAY_SECONDS, Timestamp};
use crate::store::events::{EventCursor, StoredEvent, event_page};
use crate::store::{StoreError, Tx};

/// Events looked through from the beginning, and again around instants, at most.
const EVENTS_LOOKED_AT_MAX: usize = 2_000;
/// Events read at once.
const PAGE: u32 = 250;
/// How long before and after an instant its event is looked for, in seconds.
const AROUND: (i64, i64) = (60, 600);

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Looked {
    /// One moment an event.
    pub(super) found: Vec<Moment>,
    /// Whether not all events were looked through.
    pub(super) cut: bool,
}

/// A walk through events in order of arrival.
struct Walk<'w> {
    ids: &'w BTreeSet<String>,
    left: usize,
    at: EventCursor,
    looked: Looked,
}

/// The events that name one of these objects.
pub(super) async fn events_about(
    tx: &mut Tx,
    connection: &ConnectionId,
    ids: &BTreeSet<String>,
    instants: &BTreeSet<Timestamp>,
) -> Result<Looked, StoreError> {
    let Some(first) = instants.first().filter(|_| !ids.is_empty()) else {
        return Ok(Looked::default());
    };
    let mut walk = Walk {
        ids,
        left: EVENTS_LOOKED_AT_MAX,
        at: start(first.plus_seconds(-DAY_SECONDS)),
        looked: Looked::default(),
    };
    if walk.until(tx, connection, i64::MAX).await? {
        return Ok(walk.looked);
    }
    walk.looked.cut = true;
    walk.left = EVENTS_LOOKED_AT_MAX;
    for instant in instants {
        let from = start(instant.plus_seconds(-AROUND.0));
        if from.received_at_us > walk.at.received_at_us {
            walk.at = from;
        }
        let until = micros(instant.plus_seconds(AROUND.1));
        walk.until(tx, connection, until).await?;
    }
    Ok(walk.looked)
}

const fn micros(at: Timestamp) -> i64 {
    at.unix().saturating_mul(SECOND_US)
}

fn start(at: Timestamp) -> EventCursor {
    EventCursor {
        received_at_us: micros(at),
        event_id: EventId::new(""),
    }
}

impl Walk<'_> {
    /// Looks on until an instant (unix microseconds); whether it came there.
    async fn until(
        &mut self,
        tx: &mut Tx,
        connection: &ConnectionId,
        until_us: i64,
    ) -> Result<bool, StoreError> {
        while self.left > 0 {
            let page = event_page(tx, connection, Some(&self.at), PAGE).await?;
            self.left = self.left.saturating_sub(page.len().max(1));
            let full = page.len() >= PAGE as usize;
            for event in page {
                if event.received_at_us > until_us {
                    return Ok(true);
                }
                self.at = EventCursor {
                    received_at_us: event.received_at_us,
                    event_id: EventId::from(event.event_id.as_str()),
                };
                if names_one(&event.body, self.ids) {
                    self.looked.found.extend(moment(event));
                }
            }
            if !full {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn moment(event: StoredEvent) -> Option<Moment> {
    Some(Moment {
        at: Timestamp::from_unix(event.created_at)?,
        what: format!("{} ({})", event.event_type, event.event_id),
        kind: MomentKind::Event,
        about: Some(About::Event(event.event_id.into())),
    })
}

/// Whether a body has one of these ids as a text of its own: what stands between two quotation
/// marks. Ids have nothing in them that JSON would escape.
fn names_one(body: &[u8], ids: &BTreeSet<String>) -> bool {
    let mut texts = body.split(|byte| *byte == b'"');
    texts.any(|text| std::str::from_utf8(text).is_ok_and(|text| ids.contains(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_whole_text() {
        let ids = BTreeSet::from(["cus_1".to_owned()]);
        for (body, expected) in [
            (r#"{"customer":"cus_1"}"#, true),
            (r#"{"customer":{"id": "cus_1"}}"#, true),
            (r#"{"customer":"cus_12"}"#, false),
            (r#"{"note":"of cus_1"}"#, false),
            ("", false),
        ] {
            assert_eq!(names_one(body.as_bytes(), &ids), expected, "{body}");
        }
    }
}
