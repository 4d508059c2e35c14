//! `/events`: what Stripe sent and what became of it, with replay; `/near-misses`: what almost
//! matched. Bodies of events are not answered: they hold customers' data that nobody asked for.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Api;
use super::answer::{self, Answer, List, ok, with};
use super::caller::Caller;
use super::document::names;
use super::document::operation::{Operation, Resource, Takes};
use super::input::{Input, Nothing};
use super::params::{Params, bad_cursor};
use super::refusal::not_found;
use crate::access::routes::{self, On};
use crate::clock::SECOND_US;
use crate::domain::decision::Decision;
use crate::domain::ids::{CampaignId, CustomerId, EventId, NearMissId, ReferralId};
use crate::domain::time::Timestamp;
use crate::http::Problem;
use crate::registry::decisions::Decider;
use crate::registry::near_misses;
use crate::registry::replay::{Again, replay as replayed};
use crate::store::events::{
    EventCursor, EventFilter, EventState, EventSummary, get_event, list_events,
};
use crate::store::near_misses::{NearMiss, get_near_miss, list_near_misses};

pub(super) fn routes() -> Router<Arc<Api>> {
    Router::new()
        .on(routes::API_EVENTS, list)
        .on(routes::API_EVENT, one)
        .on(routes::API_EVENT_REPLAY, replay)
        .on(routes::API_NEAR_MISSES, near)
        .on(routes::API_NEAR_MISS_LINK, link)
        .on(routes::API_NEAR_MISS_DISMISS, dismiss)
}

pub(super) fn describe() -> Resource {
    Resource {
        name: "events",
        says: "What Stripe sent and what became of it. Bodies are not answered: they hold customers' data.",
        operations: vec![
            Operation::new(routes::API_EVENTS, "list_events", "List events")
                .says("The newest first.")
                .filter(
                    "state",
                    Takes::one_of::<names::EventState>(),
                    "In this state.",
                )
                .filter(
                    "type",
                    Takes::Text,
                    "Of this type, such as `charge.succeeded`.",
                )
                .lists::<Shown>("The `id` of the last row of the page before."),
            Operation::new(routes::API_EVENT, "get_event", "Get an event")
                .answers::<Shown>(200, "The event."),
            Operation::new(
                routes::API_EVENT_REPLAY,
                "replay_event",
                "Read an event again",
            )
            .says("After a fix, an event that could not be used is read once more.")
            .may_take::<Nothing>()
            .refuses(409, &["already_waiting"])
            .answers::<Shown>(202, "It waits to be read."),
        ],
    }
}

pub(super) fn describe_near_misses() -> Resource {
    Resource {
        name: "near-misses",
        says: "What almost matched, and what kept it from matching.",
        operations: vec![
            Operation::new(
                routes::API_NEAR_MISSES,
                "list_near_misses",
                "List near misses",
            )
            .says("The newest first.")
            .lists::<ShownNear>("The `id` of the last row of the page before."),
            Operation::new(
                routes::API_NEAR_MISS_LINK,
                "link_near_miss",
                "Say that it is the same person",
            )
            .says("From then on the customer matches the referral; the decision can be taken back until what it led to is settled.")
            .takes::<Why>()
            .refuses(409, &["not_linkable"])
            .refuses(422, &["reason_missing"])
            .answers::<Decision>(200, "The decision."),
            Operation::new(
                routes::API_NEAR_MISS_DISMISS,
                "dismiss_near_miss",
                "Say that they are two people",
            )
            .says("It is no near miss any more.")
            .takes::<Why>()
            .refuses(409, &["not_linkable"])
            .refuses(422, &["reason_missing"])
            .answers::<Decision>(200, "The decision."),
        ],
    }
}

/// An event as it is answered.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Event")]
struct Shown {
    id: String,
    r#type: String,
    api_version: Option<String>,
    /// When it happened, by Stripe's clock.
    created: Timestamp,
    received_at: Timestamp,
    #[schemars(with = "names::EventState")]
    state: String,
    /// Why it was not used.
    reason: Option<Reason>,
    /// How often Stripe delivered it.
    deliveries: i64,
    /// How often another body came under its id.
    conflicts: i64,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "EventReason")]
struct Reason {
    /// The stable code.
    code: String,
    detail: Option<String>,
}

fn shown(event: EventSummary) -> Shown {
    Shown {
        id: event.event_id,
        r#type: event.event_type,
        api_version: event.api_version,
        created: answer::instant(event.created_at),
        received_at: answer::instant(event.received_at_us.div_euclid(SECOND_US)),
        state: event.state,
        reason: event.reason_code.map(|code| Reason {
            code,
            detail: event.reason,
        }),
        deliveries: event.deliveries,
        conflicts: event.conflicts,
    }
}

async fn list(State(api): State<Arc<Api>>, caller: Caller, params: Params) -> Answer {
    let page = params.page(&["state", "type"])?;
    let states = EventState::ALL.map(EventState::name);
    let filter = EventFilter {
        state: params.one_of("state", EventState::parse, &states)?,
        event_type: params.text("type").map(str::to_owned),
        ..EventFilter::default()
    };
    let mut tx = api.app.db.read().await?;
    let connection = &caller.connection;
    let after = match &page.after {
        None => None,
        Some(id) => {
            let id = EventId::from(id.as_str());
            let last = get_event(&mut tx, connection, &id).await?;
            Some(EventCursor {
                received_at_us: last.ok_or_else(bad_cursor)?.received_at_us,
                event_id: id,
            })
        }
    };
    let rows = list_events(&mut tx, connection, &filter, after.as_ref(), page.rows()).await?;
    ok(&List::cut(rows, &page).map(shown))
}

async fn one(State(api): State<Arc<Api>>, caller: Caller, Path(id): Path<String>) -> Answer {
    ok(&find(&api, &caller, &EventId::from(id)).await?)
}

async fn find(api: &Api, caller: &Caller, id: &EventId) -> Result<Shown, Problem> {
    let mut tx = api.app.db.read().await?;
    let found = get_event(&mut tx, &caller.connection, id).await?;
    found.map(shown).ok_or_else(|| not_found("event"))
}

async fn replay(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    input: Input,
) -> Answer {
    let Nothing {} = input.json()?;
    let id = EventId::from(id);
    let mut event = find(&api, &caller, &id).await?;
    let clock = api.app.clock.as_ref();
    let again = Again::One(&id);
    let requeued = replayed(&api.app.db, &caller.connection, clock, again, &caller.by).await?;
    api.app.committed.notify_one();
    if requeued == 0 {
        let detail = "The event waits to be read already.";
        return Err(Problem::conflict("already_waiting", detail));
    }
    EventState::Received.name().clone_into(&mut event.state);
    event.reason = None;
    with(StatusCode::ACCEPTED, &event)
}

/// A near miss as it is answered.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "NearMiss")]
struct ShownNear {
    id: NearMissId,
    /// What kept it from matching: a stable code.
    kind: String,
    campaign: Option<CampaignId>,
    referral: Option<ReferralId>,
    customer: Option<CustomerId>,
    detail: String,
    found_at: Timestamp,
}

async fn near(State(api): State<Arc<Api>>, caller: Caller, params: Params) -> Answer {
    let page = params.page(&[])?;
    let mut tx = api.app.db.read().await?;
    let connection = &caller.connection;
    let after: Option<NearMiss> = match &page.after {
        None => None,
        Some(id) => {
            let last = get_near_miss(&mut tx, connection, &id.as_str().into()).await?;
            Some(last.ok_or_else(bad_cursor)?)
        }
    };
    let after = after.as_ref().map(|n| (n.found_at, &n.near_miss_id));
    let rows = list_near_misses(&mut tx, connection, after, page.rows()).await?;
    ok(&List::cut(rows, &page).map(|near| ShownNear {
        id: near.near_miss_id,
        kind: near.kind,
        campaign: near.campaign_id,
        referral: near.referral_id,
        customer: near.customer_id,
        detail: near.detail,
        found_at: answer::instant(near.found_at),
    }))
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NearMissAnswer")]
struct Why {
    /// Why, in a few words, for whoever asks later.
    reason: String,
}

async fn link(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<NearMissId>,
    input: Input,
) -> Answer {
    say(&api, &caller, (&id, near_misses::Answer::Same), &input).await
}

async fn dismiss(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<NearMissId>,
    input: Input,
) -> Answer {
    say(&api, &caller, (&id, near_misses::Answer::Different), &input).await
}

/// Says of a near miss whether the two are one person; answered is the decision.
async fn say(
    api: &Api,
    caller: &Caller,
    said: (&NearMissId, near_misses::Answer),
    input: &Input,
) -> Answer {
    let Why { reason } = input.json()?;
    let decider = Decider {
        by: &caller.by,
        reason: &reason,
    };
    let (db, clock) = (&api.app.db, api.app.clock.as_ref());
    let made = near_misses::answer(db, &caller.connection, clock, said, decider).await?;
    api.app.touched.notify_one();
    ok(&made)
}
