//! `/webhook_endpoints`: where others are told what happened, and what became of telling them. A
//! secret is answered once, when it is made.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Api;
use super::answer::{Answer, List, instant, ok, with};
use super::caller::Caller;
use super::document::names;
use super::document::operation::{Operation, Resource, Takes};
use super::input::{Input, Nothing};
use super::params::{Params, bad_cursor};
use crate::access::routes::{self, On};
use crate::domain::ids::{EndpointId, MessageId};
use crate::domain::time::Timestamp;
use crate::notify::webhooks::endpoints::{Wanted, WithSecret};
use crate::store::webhook_deliveries::{Delivery, DeliveryState};
use crate::store::webhook_endpoints::WebhookEndpoint;

pub(super) fn routes() -> Router<Arc<Api>> {
    Router::new()
        .on(routes::API_WEBHOOKS, list)
        .on(routes::API_WEBHOOK_ADD, add)
        .on(routes::API_WEBHOOK, one)
        .on(routes::API_WEBHOOK_EDIT, change)
        .on(routes::API_WEBHOOK_ROTATE, rotate)
        .on(routes::API_WEBHOOK_TEST, test)
        .on(routes::API_WEBHOOK_DELIVERIES, deliveries)
        .on(routes::API_WEBHOOK_REDELIVER, redeliver)
        .on(routes::API_WEBHOOK_DELETE, delete)
}

pub(super) fn describe() -> Resource {
    Resource {
        name: "webhook_endpoints",
        says: "Where signed messages about what happened are posted. What each message holds is under `webhooks` in the OpenAPI document.",
        operations: vec![
            Operation::new(routes::API_WEBHOOKS, "list_webhook_endpoints", "List webhook endpoints")
                .says("In order of id.")
                .lists::<Shown>("The `id` of the last row of the page before."),
            Operation::new(routes::API_WEBHOOK_ADD, "add_webhook_endpoint", "Add a webhook endpoint")
                .says("It is told of what happens from now on. The answer holds the signing secret, so no `Idempotency-Key` is taken.")
                .takes::<New>()
                .secret()
                .refuses(409, &["app_secret_key_missing", "endpoints_too_many"])
                .refuses(422, &["description_invalid", "topics_invalid", "url_invalid"])
                .answers::<Made>(201, "The endpoint with its signing secret, the only time that it can be seen."),
            Operation::new(routes::API_WEBHOOK, "get_webhook_endpoint", "Get a webhook endpoint")
                .answers::<Shown>(200, "The endpoint, without its secret."),
            Operation::new(routes::API_WEBHOOK_EDIT, "change_webhook_endpoint", "Change a webhook endpoint")
                .says("What is left out stays. While it is not `enabled` nothing is sent; what happens meanwhile is not sent later either, and what waited goes on when it is enabled again.")
                .takes::<Change>()
                .refuses(422, &["description_invalid", "topics_invalid", "url_invalid"])
                .answers::<Shown>(200, "The endpoint as it is now."),
            Operation::new(routes::API_WEBHOOK_ROTATE, "rotate_webhook_secret", "Rotate a signing secret")
                .says("Messages are signed with the new and the old secret for 24 hours. The answer holds the new one, so no `Idempotency-Key` is taken.")
                .may_take::<Nothing>()
                .secret()
                .refuses(409, &["app_secret_key_missing"])
                .answers::<Made>(200, "The endpoint with its new secret, the only time that it can be seen."),
            Operation::new(routes::API_WEBHOOK_TEST, "test_webhook_endpoint", "Send a test message")
                .says("Posts a message of the type `test` now, once, and answers what came back.")
                .may_take::<Nothing>()
                .refuses(409, &["app_secret_key_changed", "app_secret_key_missing"])
                .answers::<Tried>(200, "What came back."),
            Operation::new(routes::API_WEBHOOK_DELIVERIES, "list_webhook_deliveries", "List deliveries")
                .says("The newest message first. They are kept for 30 days.")
                .filter("state", Takes::one_of::<names::DeliveryState>(), "In this state.")
                .lists::<ShownDelivery>("The `id` of the last row of the page before."),
            Operation::new(routes::API_WEBHOOK_REDELIVER, "redeliver_webhook", "Send a message again")
                .takes::<Again>()
                .refuses(409, &["delivery_waiting", "endpoint_disabled"])
                .answers::<ShownDelivery>(200, "The delivery, which waits to be tried."),
            Operation::new(routes::API_WEBHOOK_DELETE, "delete_webhook_endpoint", "Delete a webhook endpoint")
                .says("With its secret, and with all that waits for it.")
                .answers::<Deleted>(200, "That it is gone."),
        ],
    }
}

/// A webhook endpoint as it is answered.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "WebhookEndpoint")]
struct Shown {
    id: EndpointId,
    /// Where messages are posted.
    url: String,
    description: String,
    /// What it is told of; `*` is everything.
    topics: Vec<String>,
    /// Whether it is told.
    enabled: bool,
    /// Why it was disabled, unless somebody did it.
    disabled_reason: Option<String>,
    /// Attempts that failed since the last that did not.
    failures: i64,
    /// Since when nothing but failures came of it; after four days it is disabled.
    failing_since: Option<Timestamp>,
    /// Until when messages are signed with the secret before as well.
    rotating_until: Option<Timestamp>,
    created_at: Timestamp,
    changed_at: Timestamp,
}

fn shown(endpoint: WebhookEndpoint, now: Timestamp) -> Shown {
    let rotating_until = endpoint.previous_until.map(instant);
    Shown {
        enabled: endpoint.is_enabled(),
        topics: endpoint.topics.split(' ').map(str::to_owned).collect(),
        id: endpoint.endpoint_id,
        url: endpoint.url,
        description: endpoint.description,
        disabled_reason: endpoint.disabled_reason,
        failures: endpoint.failures,
        failing_since: endpoint.failing_since.map(instant),
        rotating_until: rotating_until.filter(|until| *until > now),
        created_at: instant(endpoint.created_at),
        changed_at: instant(endpoint.changed_at),
    }
}

/// An endpoint with its signing secret, the only time that it can be seen.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "NewWebhookEndpoint")]
struct Made {
    /// The signing secret: `whsec_` and 256 bits in base64.
    secret: String,
    #[serde(flatten)]
    shown: Shown,
}

fn made(made: WithSecret, now: Timestamp) -> Made {
    Made {
        secret: made.secret.expose().to_owned(),
        shown: shown(made.endpoint, now),
    }
}

/// What became of one message to an endpoint.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "WebhookDelivery")]
struct ShownDelivery {
    /// The message's id, as in the header `webhook-id`.
    id: MessageId,
    endpoint: EndpointId,
    /// What the message is of.
    #[serde(rename = "type")]
    kind: String,
    #[schemars(with = "names::DeliveryState")]
    state: &'static str,
    /// When it happened.
    created_at: Timestamp,
    attempts: i64,
    /// HTTP's number of the last answer, if there was one.
    last_status: Option<i64>,
    /// Why the last attempt failed.
    last_failure: Option<String>,
    last_tried_at: Option<Timestamp>,
    next_try_at: Option<Timestamp>,
    delivered_at: Option<Timestamp>,
}

fn shown_delivery(delivery: Delivery) -> ShownDelivery {
    ShownDelivery {
        state: delivery.state().name(),
        id: delivery.message_id,
        endpoint: delivery.endpoint_id,
        kind: delivery.topic,
        created_at: instant(delivery.created_at),
        attempts: delivery.attempts,
        last_status: delivery.status,
        last_failure: delivery.failure,
        last_tried_at: delivery.tried_at.map(instant),
        next_try_at: delivery.due_at.map(instant),
        delivered_at: delivery.delivered_at.map(instant),
    }
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "WebhookEndpointInput")]
struct New {
    /// Where messages are posted: an `https://` address that is reachable from the Internet.
    url: String,
    /// What people say of it.
    #[serde(default)]
    description: Option<String>,
    /// What it is told of; `*`, which is the default, is everything.
    #[serde(default)]
    topics: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "WebhookEndpointChange")]
struct Change {
    #[serde(default)]
    url: Option<String>,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    topics: Option<Vec<String>>,
    #[serde(default)]
    enabled: Option<bool>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "WebhookRedelivery")]
struct Again {
    /// The message's id.
    message: MessageId,
}

/// What came back of a test.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "WebhookTest")]
struct Tried {
    /// Whether a real message would count as delivered.
    delivered: bool,
    /// HTTP's number of the answer, if there was one.
    status: Option<u16>,
    /// Why it would not.
    failure: Option<String>,
    /// How long it took.
    duration_ms: u64,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "DeletedWebhookEndpoint")]
struct Deleted {
    id: EndpointId,
    deleted: bool,
}

async fn list(State(api): State<Arc<Api>>, caller: Caller, params: Params) -> Answer {
    let page = params.page(&[])?;
    let mut rows = api.webhooks(&caller)?.list().await?;
    if let Some(after) = &page.after {
        let at = rows
            .iter()
            .position(|row| row.endpoint_id.as_str() == after);
        rows.drain(..=at.ok_or_else(bad_cursor)?);
    }
    let now = api.app.clock.now();
    ok(&List::cut(rows, &page).map(|endpoint| shown(endpoint, now)))
}

async fn add(State(api): State<Arc<Api>>, caller: Caller, input: Input) -> Answer {
    let new: New = input.json()?;
    let wanted = Wanted {
        url: Some(new.url),
        description: new.description,
        topics: new.topics,
        enabled: None,
    };
    let created = api.webhooks(&caller)?.create(&wanted, &caller.by).await?;
    with(StatusCode::CREATED, &made(created, api.app.clock.now()))
}

async fn one(State(api): State<Arc<Api>>, caller: Caller, Path(id): Path<EndpointId>) -> Answer {
    let endpoint = api.webhooks(&caller)?.get(&id).await?;
    ok(&shown(endpoint, api.app.clock.now()))
}

async fn change(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<EndpointId>,
    input: Input,
) -> Answer {
    let change: Change = input.json()?;
    let wanted = Wanted {
        url: change.url,
        description: change.description,
        topics: change.topics,
        enabled: change.enabled,
    };
    let webhooks = api.webhooks(&caller)?;
    let endpoint = webhooks.change(&id, &wanted, &caller.by).await?;
    ok(&shown(endpoint, api.app.clock.now()))
}

async fn rotate(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<EndpointId>,
    input: Input,
) -> Answer {
    let Nothing {} = input.json()?;
    let rotated = api.webhooks(&caller)?.rotate(&id, &caller.by).await?;
    ok(&made(rotated, api.app.clock.now()))
}

async fn test(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<EndpointId>,
    input: Input,
) -> Answer {
    let Nothing {} = input.json()?;
    let reply = api.webhooks(&caller)?.test(&id).await?;
    ok(&Tried {
        delivered: reply.failure.is_none(),
        status: reply.status,
        failure: reply.failure,
        duration_ms: u64::try_from(reply.took.as_millis()).unwrap_or(u64::MAX),
    })
}

async fn deliveries(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<EndpointId>,
    params: Params,
) -> Answer {
    let page = params.page(&["state"])?;
    let states: Vec<&str> = DeliveryState::ALL.iter().map(|s| s.name()).collect();
    let state = params.one_of("state", DeliveryState::parse, &states)?;
    let webhooks = api.webhooks(&caller)?;
    let after = page.after.as_deref().map(MessageId::from);
    let rows = webhooks.deliveries(&id, state, after.as_ref(), page.rows());
    let rows = rows.await?.ok_or_else(bad_cursor)?;
    ok(&List::cut(rows, &page).map(shown_delivery))
}

async fn redeliver(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<EndpointId>,
    input: Input,
) -> Answer {
    let Again { message } = input.json()?;
    let webhooks = api.webhooks(&caller)?;
    ok(&shown_delivery(
        webhooks.redeliver(&id, &message, &caller.by).await?,
    ))
}

async fn delete(State(api): State<Arc<Api>>, caller: Caller, Path(id): Path<EndpointId>) -> Answer {
    api.webhooks(&caller)?.delete(&id, &caller.by).await?;
    ok(&Deleted { id, deleted: true })
}
