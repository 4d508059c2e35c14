//! `/connections`: the Stripe account and mode that a key opens. A key sees its own alone:
//! nothing crosses from one connection to another.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use schemars::JsonSchema;
use serde::Serialize;

use super::Api;
use super::answer::{self, Answer, List, ok};
use super::caller::Caller;
use super::document::operation::{Operation, Resource};
use super::params::{Params, bad_cursor};
use super::refusal::not_found;
use crate::access::routes::{self, On};
use crate::clock::SECOND_US;
use crate::domain::campaign::Mode;
use crate::domain::ids::{AccountId, ConnectionId};
use crate::domain::time::Timestamp;
use crate::http::Problem;
use crate::store::connections::get_connection;
use crate::store::events::{EventFilter, list_events};

pub(super) fn routes() -> Router<Arc<Api>> {
    Router::new()
        .on(routes::API_CONNECTIONS, list)
        .on(routes::API_CONNECTION, one)
}

pub(super) fn describe() -> Resource {
    Resource {
        name: "connections",
        says: "The Stripe account and mode that the key opens, and no other.",
        operations: vec![
            Operation::new(
                routes::API_CONNECTIONS,
                "list_connections",
                "List connections",
            )
            .says("One row: the key's own.")
            .refuses(404, &["not_found"])
            .lists::<Shown>("The `id` of the last row of the page before."),
            Operation::new(routes::API_CONNECTION, "get_connection", "Get a connection")
                .answers::<Shown>(200, "The connection."),
        ],
    }
}

/// A connection as it is answered.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Connection")]
struct Shown {
    id: ConnectionId,
    name: String,
    mode: Mode,
    /// The Stripe account, once it is known.
    account: Option<AccountId>,
    created_at: Timestamp,
    /// The path of this server that its webhooks are sent to.
    webhook_path: String,
    /// When the last event came.
    last_event_at: Option<Timestamp>,
}

async fn list(State(api): State<Arc<Api>>, caller: Caller, params: Params) -> Answer {
    let page = params.page(&[])?;
    let own = find(&api, &caller).await?;
    let rows = match &page.after {
        None => vec![own],
        Some(after) if *after == own.id.as_str() => Vec::new(),
        Some(_) => return Err(bad_cursor()),
    };
    ok(&List::cut(rows, &page))
}

async fn one(State(api): State<Arc<Api>>, caller: Caller, Path(id): Path<String>) -> Answer {
    if id != caller.connection.as_str() {
        return Err(not_found("connection"));
    }
    ok(&find(&api, &caller).await?)
}

async fn find(api: &Api, caller: &Caller) -> Result<Shown, Problem> {
    let mut tx = api.app.db.read().await?;
    let found = get_connection(&mut tx, &caller.connection).await?;
    let found = found.ok_or_else(|| not_found("connection"))?;
    let every = EventFilter::default();
    let last = list_events(&mut tx, &caller.connection, &every, None, 1).await?;
    let last = last
        .first()
        .map(|event| event.received_at_us.div_euclid(SECOND_US));
    Ok(Shown {
        webhook_path: format!("/webhooks/stripe/{}", found.id),
        id: found.id,
        name: found.name,
        mode: found.mode,
        account: found.account,
        created_at: found.created_at,
        last_event_at: last.map(answer::instant),
    })
}
