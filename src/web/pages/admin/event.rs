//! `/admin/events/{id}`: one event with what was stored of it, and reading it again.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};

use super::events::{AGAIN_SECONDS, HERE, next_step, received, repeats, state};
use super::pretty;
use crate::clock::SECOND_US;
use crate::domain::access::Permission;
use crate::domain::ids::EventId;
use crate::domain::time::Timestamp;
use crate::registry::replay::{Again, replay};
use crate::store::events::{
    ConflictingBody, EventState, EventSummary, conflicting_bodies, get_event, load_events,
};
use crate::web::answer::{Answer, on_to, page};
use crate::web::layout::{Page, Said};
use crate::web::pages::marketing::no_such;
use crate::web::parts::{State as Badge, When};
use crate::web::{View, Web, format, url};

/// `/admin/events/{id}`
#[derive(Debug, Template)]
#[template(path = "pages/admin/event.html", config = ".askama.toml")]
pub(crate) struct EventPage {
    pub page: Page,
    pub here: String,
    pub state: Badge,
    pub is_waiting: bool,
    /// Why it was not used: (code, words).
    pub reason: Option<(String, String)>,
    pub step: Option<&'static str>,
    pub about: Vec<(&'static str, String)>,
    pub received: When,
    pub created: When,
    pub body: String,
    pub is_whole: bool,
    /// Other bodies that came under its id: (when, body).
    pub others: Vec<(When, String)>,
    pub can_replay: bool,
}

/// `GET /admin/events/{id}`
pub(crate) async fn show(
    State(web): State<Arc<Web>>,
    view: View,
    Path(id): Path<String>,
) -> Answer {
    let (connection, id) = (view.connection(), EventId::from(id));
    let mut tx = web.app.db.read().await?;
    let event = get_event(&mut tx, connection, &id).await?;
    let event = event.ok_or_else(|| no_such("event"))?;
    let stored = load_events(&mut tx, connection, std::slice::from_ref(&id)).await?;
    let others = conflicting_bodies(&mut tx, connection, &id).await?;
    tx.rollback().await?;
    let body = stored.first().map_or(&[][..], |stored| &stored.body);
    let shown = view.page(format!("Event {id}"), HERE).under("Events", HERE);
    let can_replay = view.may(Permission::EventsWrite);
    page(&made(shown, view.now, &event, (body, &others), can_replay))
}

/// `POST /admin/events/{id}`: reads it again.
pub(crate) async fn read_again(
    State(web): State<Arc<Web>>,
    view: View,
    Path(id): Path<String>,
) -> Answer {
    let (app, event) = (&web.app, EventId::from(id.as_str()));
    let mut tx = app.db.read().await?;
    let found = get_event(&mut tx, view.connection(), &event).await?;
    tx.rollback().await?;
    if found.is_none() {
        return Err(no_such("event"));
    }
    let (clock, again) = (app.clock.as_ref(), Again::One(&event));
    let count = replay(&app.db, view.connection(), clock, again, &view.by).await?;
    app.committed.notify_one();
    let said = if count > 0 {
        Said::EventReplayed
    } else {
        Said::EventWaits
    };
    on_to(&url::at(HERE, &id), Some(said))
}

fn made(
    page: Page,
    now: Timestamp,
    event: &EventSummary,
    (body, others): (&[u8], &[ConflictingBody]),
    can_replay: bool,
) -> EventPage {
    let is_waiting = event.state == EventState::Received.name();
    let is_quarantined = event.state == EventState::Quarantined.name();
    let code = event.reason_code.as_deref();
    let (text, is_whole) = pretty::body(body);
    let created = Timestamp::from_unix(event.created_at).unwrap_or_default();
    let other = |one: &ConflictingBody| {
        let at = Timestamp::from_unix(one.received_at_us.div_euclid(SECOND_US));
        (
            When::bare(at.unwrap_or_default()),
            pretty::body(&one.body).0,
        )
    };
    EventPage {
        page: if is_waiting {
            page.refreshed(AGAIN_SECONDS, url::at(HERE, &event.event_id))
        } else {
            page
        },
        here: url::at(HERE, &event.event_id),
        state: state(&event.state),
        is_waiting,
        reason: code.map(|code| {
            let words = event.reason.clone().unwrap_or_default();
            (format::code_words(code), words)
        }),
        step: code.filter(|_| is_quarantined).map(next_step),
        about: about(event),
        received: When::new(received(event), now),
        created: When::new(created, now),
        body: text,
        is_whole,
        others: others.iter().map(other).collect(),
        can_replay: can_replay && !is_waiting,
    }
}

fn about(event: &EventSummary) -> Vec<(&'static str, String)> {
    let rows = [
        ("Type", event.event_type.clone()),
        ("API version", event.api_version.clone().unwrap_or_default()),
        ("Mode", event.mode.clone()),
        ("Repeats", repeats(event)),
    ];
    let rows = rows.into_iter();
    rows.filter(|(_, text)| !text.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::access::Role;
    use crate::web::samples::{frame, hold, now};

    #[test]
    fn an_event() {
        let mut event = EventSummary {
            event_id: "evt_1".to_owned(),
            event_type: "charge.succeeded".to_owned(),
            api_version: Some("2024-09-30.acacia".to_owned()),
            created_at: now().unix() - 90,
            received_at_us: (now().unix() - 60) * SECOND_US,
            mode: "live".to_owned(),
            deliveries: 2,
            conflicts: 1,
            state: EventState::Quarantined.name().to_owned(),
            reason_code: Some("amount_invalid".to_owned()),
            reason: Some("data.object.amount is not a whole number".to_owned()),
            secret_index: None,
        };
        let body = br#"{"id":"evt_1","data":{"object":{"amount":"<script>alert(1)</script>"}}}"#;
        let others = [ConflictingBody {
            digest: Vec::new(),
            received_at_us: now().unix() * SECOND_US,
            body: b"{}".to_vec(),
        }];
        let page = |event: &EventSummary, others: &[ConflictingBody]| {
            let page = frame(Role::Admin).page("Event evt_1", HERE);
            made(
                page.under("Events", HERE),
                now(),
                event,
                (body, others),
                true,
            )
        };
        hold("event_quarantined", &page(&event, &others));
        event.state = EventState::Received.name().to_owned();
        (event.reason_code, event.reason) = (None, None);
        hold("event_waiting", &page(&event, &[]));
    }
}
