//! `/admin/events`: what Stripe sent and could not be read, with the next step; and everything
//! else that came, by what became of it.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;

use crate::clock::SECOND_US;
use crate::domain::access::Permission;
use crate::domain::ids::{ConnectionId, EventId};
use crate::domain::time::Timestamp;
use crate::registry::replay::{Again, replay};
use crate::store::events::{
    EventCursor, EventFilter, EventState, EventSummary, count_by_reason, get_event, list_events,
    waiting,
};
use crate::store::{StoreError, Tx};
use crate::web::answer::{Answer, on_to, page};
use crate::web::input::{Asked, Fields, Sent};
use crate::web::layout::{Page, Said};
use crate::web::pages::marketing::ROWS;
use crate::web::parts::{Empty, Icon, Link, Pager, State as Badge, Tabs, Tone, When};
use crate::web::{View, Web, format, url};

/// Where the list is.
pub(crate) const HERE: &str = "/admin/events";
const ALL: &str = "/admin/events?state=all";
const WAITING: &str = "/admin/events?state=received";
const IGNORED: &str = "/admin/events?state=ignored";
/// Seconds after which a page looks again while something waits to be read.
pub(crate) const AGAIN_SECONDS: u32 = 2;

/// `/admin/events`
#[derive(Debug, Template)]
#[template(path = "pages/admin/events.html", config = ".askama.toml")]
pub(crate) struct EventsPage {
    pub page: Page,
    pub tabs: Tabs,
    /// Why events are quarantined; on that tab alone.
    pub reasons: Vec<ReasonRow>,
    /// The reason that the list is narrowed to.
    pub narrowed: Option<String>,
    pub waiting: Option<String>,
    pub empty: Option<Empty>,
    pub rows: Vec<EventRow>,
    pub pager: Pager,
    pub can_replay: bool,
}

/// One reason, with what to do about it.
#[derive(Debug)]
pub(crate) struct ReasonRow {
    pub code: String,
    pub words: String,
    pub link: Link,
    pub step: &'static str,
}

/// An event's line.
#[derive(Debug)]
pub(crate) struct EventRow {
    pub link: Link,
    pub event_type: String,
    pub state: Badge,
    pub reason: String,
    pub received: When,
    pub repeats: String,
}

/// `GET /admin/events`
pub(crate) async fn list(State(web): State<Arc<Web>>, view: View, Asked(query): Asked) -> Answer {
    let connection = view.connection();
    let filter = filter_of(&query);
    let mut tx = web.app.db.read().await?;
    let (events, next) = next_page(&mut tx, connection, &filter, query.some("after")).await?;
    let is_first = filter.state == Some(EventState::Quarantined);
    let reasons = if is_first {
        count_by_reason(&mut tx, connection, EventState::Quarantined).await?
    } else {
        Vec::new()
    };
    let (waits, _) = waiting(&mut tx, connection).await?;
    tx.rollback().await?;
    let here = |after: &str| {
        let names = ["state", "reason"].map(|name| (name, query.text(name)));
        let all = [names.as_slice(), &[("after", after)]].concat();
        url::with(HERE, &all)
    };
    let shown = view.page("Events", HERE);
    page(&EventsPage {
        page: if waits > 0 {
            shown.refreshed(AGAIN_SECONDS, here(query.text("after")))
        } else {
            shown
        },
        tabs: tabs(filter.state),
        reasons: reasons.into_iter().map(reason_row).collect(),
        narrowed: filter.reason_code.as_deref().map(format::code_words),
        waiting: (waits > 0).then(|| format::plural(waits, "event")),
        empty: events.is_empty().then(|| empty(filter.state)),
        rows: events.iter().map(|event| row(event, view.now)).collect(),
        pager: Pager {
            first: query.some("after").map(|_| here("")),
            next: next.map(|last| here(&last)),
        },
        can_replay: view.may(Permission::EventsWrite),
    })
}

/// `POST /admin/events`: reads everything again that is quarantined for one reason.
pub(crate) async fn replay_all(
    State(web): State<Arc<Web>>,
    view: View,
    Sent(sent): Sent,
) -> Answer {
    let app = &web.app;
    let again = Again::Quarantined(sent.text("code"));
    let clock = app.clock.as_ref();
    let count = replay(&app.db, view.connection(), clock, again, &view.by).await?;
    app.committed.notify_one();
    let said = if count > 0 {
        Said::EventsReplayed
    } else {
        Said::NothingToReplay
    };
    on_to(HERE, Some(said))
}

fn filter_of(query: &Fields) -> EventFilter {
    let state = match query.some("state") {
        None => Some(EventState::Quarantined),
        Some(name) => EventState::parse(name),
    };
    EventFilter {
        state,
        reason_code: query.owned("reason"),
        ..EventFilter::default()
    }
}

async fn next_page(
    tx: &mut Tx,
    connection: &ConnectionId,
    filter: &EventFilter,
    after: Option<&str>,
) -> Result<(Vec<EventSummary>, Option<String>), StoreError> {
    let last = match after {
        Some(id) => get_event(tx, connection, &EventId::from(id)).await?,
        None => None,
    };
    let after = last.map(|last| EventCursor {
        received_at_us: last.received_at_us,
        event_id: EventId::from(last.event_id),
    });
    let mut events = list_events(tx, connection, filter, after.as_ref(), ROWS + 1).await?;
    let more = events.len() > ROWS as usize;
    events.truncate(ROWS as usize);
    let next = events
        .last()
        .filter(|_| more)
        .map(|last| last.event_id.clone());
    Ok((events, next))
}

fn reason_row((code, count): (String, i64)) -> ReasonRow {
    let words = format!(
        "{}: {}",
        format::code_words(&code),
        format::plural(count, "event")
    );
    ReasonRow {
        link: Link::new(words.clone(), url::with(HERE, &[("reason", &code)])),
        words,
        step: next_step(&code),
        code,
    }
}

fn row(event: &EventSummary, now: Timestamp) -> EventRow {
    EventRow {
        link: Link::new(&event.event_id, url::at(HERE, &event.event_id)),
        event_type: event.event_type.clone(),
        state: state(&event.state),
        reason: event.reason.clone().unwrap_or_default(),
        received: When::new(received(event), now),
        repeats: repeats(event),
    }
}

/// When it came.
pub(crate) fn received(event: &EventSummary) -> Timestamp {
    let seconds = event.received_at_us.div_euclid(SECOND_US);
    Timestamp::from_unix(seconds).unwrap_or_default()
}

/// How often it came, if more than once.
pub(crate) fn repeats(event: &EventSummary) -> String {
    let others = match event.conflicts {
        0 => String::new(),
        count => format!(", {} with another body", format::count(count)),
    };
    match event.deliveries {
        ..=1 => String::new(),
        count => format!("delivered {} times{others}", format::count(count)),
    }
}

/// What became of an event.
pub(crate) fn state(name: &str) -> Badge {
    match EventState::parse(name) {
        Some(EventState::Received) => Badge::new(Tone::Wait, Icon::Clock, "Waiting"),
        Some(EventState::Ignored) => Badge::new(Tone::Wait, Icon::Minus, "Not needed"),
        Some(EventState::Quarantined) => Badge::new(Tone::Warn, Icon::Alert, "Quarantined"),
        Some(EventState::Done) | None => Badge::new(Tone::Good, Icon::Check, "Read"),
    }
}

/// What to do about events that could not be read.
pub(crate) fn next_step(code: &str) -> &'static str {
    match code {
        "other_account" => {
            "Another Stripe account sends here. Remove the webhook endpoint there, or correct \
             STRIPE_ACCOUNT and read the events again."
        }
        "thin_event" => {
            "The endpoint sends thin events. Give it snapshot events in Stripe; what it sends from \
             then on can be read."
        }
        "event_bridge" | "event_grid" => {
            "The event came by a cloud’s event bus. Let Stripe send to the webhook address itself."
        }
        "not_json" | "too_deep" | "not_an_event" | "no_id" | "envelope_field_invalid" => {
            "This is no event as Stripe sends it. Look at what was stored, and at what sends it."
        }
        _ => {
            "This version cannot make sense of it. Update qualify and read it again; if the reason \
             stays, report it with the event’s type."
        }
    }
}

fn tabs(state: Option<EventState>) -> Tabs {
    let current = match state {
        Some(EventState::Quarantined) => HERE,
        Some(EventState::Received) => WAITING,
        Some(EventState::Ignored) => IGNORED,
        Some(EventState::Done) | None => ALL,
    };
    let all = [
        ("Quarantined", HERE),
        ("Waiting", WAITING),
        ("Not needed", IGNORED),
        ("Recent", ALL),
    ];
    Tabs::new("Events", current, &all)
}

fn empty(state: Option<EventState>) -> Empty {
    match state {
        Some(EventState::Quarantined) => {
            let text = "Every event that came could be read. One that cannot is kept here as it \
                        came, and can be read again once the cause is mended.";
            Empty::new("Nothing in quarantine", text).step("See recent events", ALL)
        }
        Some(EventState::Received) => {
            let text = "Events wait here for a moment only, until they are read.";
            Empty::new("Nothing waits", text).step("See recent events", ALL)
        }
        Some(EventState::Ignored) => {
            let text = "Events that say nothing a campaign can count are kept here.";
            Empty::new("No such events", text).step("See recent events", ALL)
        }
        Some(EventState::Done) | None => {
            let text = "Add the webhook endpoint in Stripe, or try one on this machine: stripe \
                        listen --forward-to followed by this server’s /webhooks/stripe.";
            Empty::new("No events yet", text).step("Check the connection", "/doctor")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::access::Role;
    use crate::web::samples::{frame, hold, now};

    fn event(id: &str, state: EventState) -> EventSummary {
        let quarantined = state == EventState::Quarantined;
        EventSummary {
            event_id: id.to_owned(),
            event_type: "charge.succeeded".to_owned(),
            api_version: None,
            created_at: now().unix() - 90,
            received_at_us: (now().unix() - 60) * SECOND_US,
            mode: "live".to_owned(),
            deliveries: 3,
            conflicts: 1,
            state: state.name().to_owned(),
            reason_code: quarantined.then(|| "amount_invalid".to_owned()),
            reason: quarantined.then(|| "data.object.amount is not a whole number".to_owned()),
            secret_index: None,
        }
    }

    fn list_page(state: Option<EventState>, events: &[EventSummary]) -> EventsPage {
        let is_first = state == Some(EventState::Quarantined) && !events.is_empty();
        let reasons = [("amount_invalid", 12), ("other_account", 1)];
        let reasons = reasons.map(|(code, count)| reason_row((code.to_owned(), count)));
        EventsPage {
            page: frame(Role::Admin).page("Events", HERE),
            tabs: tabs(state),
            reasons: if is_first { reasons.into() } else { Vec::new() },
            narrowed: None,
            waiting: is_first.then(|| format::plural(2, "event")),
            empty: events.is_empty().then(|| empty(state)),
            rows: events.iter().map(|event| row(event, now())).collect(),
            pager: Pager::default(),
            can_replay: true,
        }
    }

    #[test]
    fn the_lists() {
        let quarantined = Some(EventState::Quarantined);
        let events = [event("evt_1", EventState::Quarantined)];
        hold("events_quarantined", &list_page(quarantined, &events));
        hold("events_quarantined_empty", &list_page(quarantined, &[]));
        let events = EventState::ALL.map(|state| event(state.name(), state));
        hold("events_recent", &list_page(None, &events));
        for state in [None, Some(EventState::Received), Some(EventState::Ignored)] {
            let nothing = list_page(state, &[]).render().unwrap();
            assert!(nothing.contains("class=\"empty\""), "{state:?}");
        }
    }
}
