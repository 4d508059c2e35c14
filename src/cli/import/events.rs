//! Events of a file, stored as if they had been delivered: same bytes, same id, same state.
//! They are not deliveries: one that is stored already, in other white space, stays as it is.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Imported;
use crate::app::Opened;
use crate::domain::ids::EventId;
use crate::intake::{Endpoint, admit};
use crate::offline::Notes;
use crate::offline::lines::{LINE_BYTES_MAX, Line, next_line};
use crate::offline::source::Source;
use crate::store::events::{EventState, NewEvent, insert_events, is_digest_id, load_events};

/// Events stored in one transaction.
const GROUP_EVENTS: usize = 256;

/// Stores a file's events.
pub(super) async fn import(
    opened: &Opened,
    mut source: Source,
    notes: &mut Notes<'_>,
) -> anyhow::Result<Imported> {
    let endpoint = Endpoint {
        connection: opened.id().clone(),
        mode: opened.connection.mode,
        account: opened.connection.account.clone(),
        secrets: Vec::new(),
    };
    let mut imported = Imported::default();
    let mut group = Group::default();
    let mut buffer = Vec::new();
    let now_us = opened.clock.now_us();
    for number in 1_u64.. {
        match next_line(source.input.as_mut(), &mut buffer, LINE_BYTES_MAX)? {
            Line::End => break,
            Line::TooLong => {
                let problem = format!("the line is longer than {LINE_BYTES_MAX} bytes");
                notes.unusable(&source.name, number, problem);
                continue;
            }
            Line::Text => {}
        }
        let line = without_bom(&buffer, number).trim_ascii();
        if line.is_empty() {
            continue;
        }
        // The order of the file is the order of arrival.
        let received_at_us = now_us.saturating_add(i64::try_from(number).unwrap_or(0));
        let event = match admit(&endpoint, line.to_vec(), None, received_at_us) {
            Ok(event) => event,
            Err(foreign) => {
                notes.unusable(&source.name, number, foreign);
                continue;
            }
        };
        if is_digest_id(event.event_id.as_str()) {
            let why = event.reason.map_or_else(String::new, |reason| reason.text);
            notes.unusable(&source.name, number, why);
            continue;
        }
        if group.is_full_for(&event) {
            group
                .store(opened, &mut imported, &source.name, notes)
                .await?;
        }
        group.events.insert(event.event_id.clone(), (number, event));
    }
    group
        .store(opened, &mut imported, &source.name, notes)
        .await?;
    Ok(imported)
}

/// Events that are stored together, each id once.
#[derive(Default)]
struct Group {
    events: BTreeMap<EventId, (u64, NewEvent)>,
}

impl Group {
    fn is_full_for(&self, event: &NewEvent) -> bool {
        self.events.len() >= GROUP_EVENTS || self.events.contains_key(&event.event_id)
    }

    async fn store(
        &mut self,
        opened: &Opened,
        imported: &mut Imported,
        file: &str,
        notes: &mut Notes<'_>,
    ) -> anyhow::Result<()> {
        let ids: Vec<EventId> = self.events.keys().cloned().collect();
        let mut tx = opened.db.read().await?;
        let known = load_events(&mut tx, opened.id(), &ids).await?;
        tx.rollback().await?;
        for stored in known {
            let id = EventId::from(stored.event_id);
            let Some((number, event)) = self.events.get(&id) else {
                continue;
            };
            if says_the_same(&stored.body, &event.body) {
                imported.unchanged += 1;
                self.events.remove(&id);
            } else {
                let problem = format!(
                    "{id} is stored already and says something else; the first is kept, this one beside it"
                );
                notes.unusable(file, *number, problem);
            }
        }
        let told = std::mem::take(&mut self.events);
        let mut events: Vec<NewEvent> = told.into_values().map(|(_, event)| event).collect();
        events.sort_by_key(|event| event.received_at_us);
        let stored = insert_events(&opened.db, opened.id(), &events).await?;
        for (event, inserted) in events.iter().zip(stored) {
            use crate::store::events::Inserted::New;
            match (inserted, event.state) {
                (New, EventState::Received) => imported.new += 1,
                (New, _) => imported.set_aside += 1,
                _ => {}
            }
        }
        Ok(())
    }
}

/// Whether two bodies are one event: the same values, `pending_webhooks` aside, which Stripe
/// counts down between deliveries.
fn says_the_same(a: &[u8], b: &[u8]) -> bool {
    if a == b {
        return true;
    }
    let value = |body: &[u8]| {
        let mut value: Value = serde_json::from_slice(body).ok()?;
        value.as_object_mut()?.remove("pending_webhooks");
        Some(value)
    };
    value(a).is_some_and(|a| Some(a) == value(b))
}

/// The first line of a file saved by some editors begins with a byte order mark.
fn without_bom(line: &[u8], number: u64) -> &[u8] {
    match line.strip_prefix(b"\xef\xbb\xbf") {
        Some(rest) if number == 1 => rest,
        _ => line,
    }
}
