//! `/keys`: API keys, made by a key that gives no more than it has. A key is answered once,
//! when it is made.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Api;
use super::answer::{Answer, List, instant, ok, with};
use super::caller::Caller;
use super::document::operation::{Operation, Resource};
use super::input::{Input, Nothing};
use super::params::{Params, bad_cursor};
use super::refusal::{self, not_found};
use crate::access::keys::{self, KeyError};
use crate::access::routes::{self, On};
use crate::domain::ids::KeyId;
use crate::domain::time::Timestamp;
use crate::http::Problem;
use crate::random;
use crate::store::api_keys::ApiKey;

pub(super) fn routes() -> Router<Arc<Api>> {
    Router::new()
        .on(routes::API_KEYS, list)
        .on(routes::API_KEY_ADD, add)
        .on(routes::API_KEY, one)
        .on(routes::API_KEY_REVOKE, revoke)
}

pub(super) fn describe() -> Resource {
    Resource {
        name: "keys",
        says: "API keys. A key is shown once, when it is made, and gives no scope that it does not have.",
        operations: vec![
            Operation::new(routes::API_KEYS, "list_keys", "List keys")
                .lists::<Shown>("The `id` of the last row of the page before."),
            Operation::new(routes::API_KEY_ADD, "make_key", "Make a key")
                .says("The answer holds the key itself, so no `Idempotency-Key` is taken.")
                .takes::<New>()
                .secret()
                .refuses(403, &["scope_not_yours"])
                .refuses(422, &["name_invalid", "scope_invalid"])
                .answers::<Made>(201, "The key, the only time that it can be seen."),
            Operation::new(routes::API_KEY, "get_key", "Get a key")
                .answers::<Shown>(200, "What is known of the key, without the key itself."),
            Operation::new(routes::API_KEY_REVOKE, "revoke_key", "Revoke a key")
                .says("It opens nothing from now on, for ever.")
                .may_take::<Nothing>()
                .refuses(409, &["nothing_to_change"])
                .answers::<Shown>(200, "The key, revoked."),
        ],
    }
}

/// A key as it is answered.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Key")]
struct Shown {
    id: KeyId,
    name: String,
    /// What it may do; `*` is everything.
    scopes: Vec<String>,
    created_at: Timestamp,
    last_used_at: Option<Timestamp>,
    revoked_at: Option<Timestamp>,
}

fn shown(key: ApiKey) -> Shown {
    Shown {
        id: key.key_id,
        name: key.name,
        scopes: key.scopes.split(' ').map(str::to_owned).collect(),
        created_at: instant(key.created_at),
        last_used_at: key.last_used_at.map(instant),
        revoked_at: key.revoked_at.map(instant),
    }
}

async fn list(State(api): State<Arc<Api>>, caller: Caller, params: Params) -> Answer {
    let page = params.page(&[])?;
    let mut rows = keys::list(&api.app.db, &caller.connection).await?;
    if let Some(after) = &page.after {
        let at = rows.iter().position(|row| row.key_id.as_str() == after);
        rows.drain(..=at.ok_or_else(bad_cursor)?);
    }
    ok(&List::cut(rows, &page).map(shown))
}

async fn one(State(api): State<Arc<Api>>, caller: Caller, Path(id): Path<KeyId>) -> Answer {
    ok(&find(&api, &caller, &id).await?)
}

async fn find(api: &Api, caller: &Caller, id: &KeyId) -> Result<Shown, Problem> {
    let rows = keys::list(&api.app.db, &caller.connection).await?;
    let found = rows.into_iter().find(|row| row.key_id == *id);
    found.map(shown).ok_or_else(|| not_found("key"))
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "KeyInput")]
struct New {
    /// What people call it.
    name: String,
    /// What it may do.
    scopes: Vec<String>,
}

/// A new key, the only time that it can be seen.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "NewKey")]
struct Made {
    /// The key itself.
    key: String,
    #[serde(flatten)]
    shown: Shown,
}

async fn add(State(api): State<Arc<Api>>, caller: Caller, input: Input) -> Answer {
    let new: New = input.json()?;
    let app = &api.app;
    let chance = random::secret_bytes().map_err(|error| {
        tracing::error!(%error, "a key could not be made");
        Problem::internal()
    })?;
    let made = keys::create(
        &app.db,
        &caller.connection,
        app.clock.as_ref(),
        chance,
        (&new.name, &new.scopes),
        &caller.by,
    );
    let made = made.await.map_err(refused)?;
    let answer = Made {
        key: made.key,
        shown: shown(made.stored),
    };
    with(StatusCode::CREATED, &answer)
}

fn refused(error: KeyError) -> Problem {
    let words = error.to_string();
    match error {
        KeyError::Name => Problem::field("name_invalid", "/name", words),
        KeyError::NoScopes | KeyError::UnknownScope(_) => {
            Problem::field("scope_invalid", "/scopes", words)
        }
        KeyError::NotYours(_) => Problem::new(
            StatusCode::FORBIDDEN,
            "scope_not_yours",
            "Not allowed",
            words,
        )
        .at("/scopes"),
        KeyError::Store(error) => refusal::store(error),
    }
}

async fn revoke(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<KeyId>,
    input: Input,
) -> Answer {
    let Nothing {} = input.json()?;
    let app = &api.app;
    let clock = app.clock.as_ref();
    find(&api, &caller, &id).await?;
    if !keys::revoke(&app.db, &caller.connection, clock, &id, &caller.by).await? {
        let detail = "The key is revoked already.";
        return Err(Problem::conflict("nothing_to_change", detail));
    }
    ok(&find(&api, &caller, &id).await?)
}
