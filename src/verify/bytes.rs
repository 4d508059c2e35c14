//! Stored bodies against what is noted beside them. On the way the facts of every event that
//! was read are folded again, so that a body whose amounts have changed shows in the facts.

use super::{Check, PAGE, Watch};
use crate::domain::fact::FactBook;
use crate::domain::ids::{ConnectionId, EventId};
use crate::ingest::read::{Scope, read};
use crate::store::events::{
    EventCursor, EventState, StoredEvent, digest_id, event_page, is_digest_id,
};
use crate::store::{StoreError, Tx};
use crate::stripe::{EnvelopeError, read_envelope};

const RESTORE: &str = "restore the event from a backup, or have Stripe send it again";

/// Looks at every stored event; `book` takes in the facts.
pub(super) async fn check(
    tx: &mut Tx,
    connection: &ConnectionId,
    scope: &Scope,
    book: &mut FactBook,
    watch: &dyn Watch,
) -> Result<Check, StoreError> {
    let mut check = Check::new("stored_bytes");
    let mut after: Option<EventCursor> = None;
    loop {
        let page = event_page(tx, connection, after.as_ref(), PAGE).await?;
        for event in &page {
            check.looked_at += 1;
            body(event, &mut check);
        }
        watch.looked_at("events", check.looked_at);
        let full = page.len() >= PAGE as usize;
        after = page.last().map(|last| EventCursor {
            received_at_us: last.received_at_us,
            event_id: EventId::from(last.event_id.as_str()),
        });
        let done = page.into_iter();
        let done: Vec<StoredEvent> = done
            .filter(|event| event.state == EventState::Done.name())
            .collect();
        let readings = read(scope, &done);
        book.extend(readings.facts);
        for mark in readings
            .marks
            .iter()
            .filter(|m| m.state != EventState::Done)
        {
            let why = mark.reason.as_ref().map_or("", |reason| &reason.text);
            check.differs(
                format!("events {}", mark.event_id),
                format!(
                    "it was read before, and is {} now: {why}",
                    mark.state.name()
                ),
                "run `qualify replay` for it",
            );
        }
        if !full {
            return Ok(check);
        }
    }
}

fn body(event: &StoredEvent, check: &mut Check) {
    let place = || format!("events {}", event.event_id);
    let noted = (event.event_id.as_str(), event.event_type.as_str());
    match read_envelope(&event.body) {
        Ok(envelope) => {
            let says = (envelope.id.as_str(), envelope.event_type.as_str());
            if noted != says || event.created_at != envelope.created.unix() {
                let seen = format!(
                    "noted are {} {} {}, the body says {} {} {}",
                    noted.0,
                    noted.1,
                    event.created_at,
                    says.0,
                    says.1,
                    envelope.created.unix()
                );
                check.differs(place(), seen, RESTORE);
            }
            if event.mode != envelope.mode.name() {
                let seen = format!(
                    "noted is {}, the body says {}",
                    event.mode,
                    envelope.mode.name()
                );
                check.differs(place(), seen, RESTORE);
            }
        }
        Err(EnvelopeError::Thin { id, event_type }) => {
            if noted != (id.as_str(), event_type.as_str()) {
                let seen = format!(
                    "noted are {} {}, the body says {id} {event_type}",
                    noted.0, noted.1
                );
                check.differs(place(), seen, RESTORE);
            }
        }
        Err(_) if is_digest_id(noted.0) => {
            let is = digest_id(&event.body);
            if noted.0 != is.as_str() {
                check.differs(place(), format!("the body is that of {is}"), RESTORE);
            }
        }
        Err(error) => {
            let seen = format!("noted is {}, and {error}", noted.1);
            check.differs(place(), seen, RESTORE);
        }
    }
}
