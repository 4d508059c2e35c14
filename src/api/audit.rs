//! `/audit`: who did what, the newest first.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::Api;
use super::answer::{Answer, List, instant, ok};
use super::caller::Caller;
use super::document::names;
use super::document::operation::{Operation, Resource, Takes};
use super::params::{Params, bad_cursor};
use crate::access::audit::Action;
use crate::access::routes::{self, On};
use crate::clock::SECOND_US;
use crate::domain::time::Timestamp;
use crate::store::audit::{AuditFilter, AuditRow, list_audit};

pub(super) fn routes() -> Router<Arc<Api>> {
    Router::new().on(routes::API_AUDIT, list)
}

pub(super) fn describe() -> Resource {
    let list = Operation::new(routes::API_AUDIT, "list_audit", "List who did what")
        .says("The newest first. Rows are never changed; each has the hash of the one before.")
        .filter(
            "actor",
            Takes::Text,
            "Of this actor, `key:<id>` or `user:<id>`.",
        )
        .filter("action", Takes::one_of::<names::Action>(), "Of this kind.")
        .filter(
            "subject",
            Takes::Text,
            "About this, such as `promoter:<id>`.",
        )
        .lists::<Shown>("The `number` of the last row of the page before.");
    Resource {
        name: "audit",
        says: "Who did what, in the order in which it was done.",
        operations: vec![list],
    }
}

/// A row as it is answered.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AuditRow")]
struct Shown {
    /// Its place in the log, which is the cursor.
    number: i64,
    at: Timestamp,
    /// Who: `user:<id>`, `key:<id>`, `command_line` or `system`.
    actor: String,
    #[schemars(with = "names::Action")]
    action: String,
    /// What it was done to.
    subject: String,
    /// What was changed, by kind of action.
    detail: Value,
    /// The request's id.
    request: Option<String>,
    /// To be kept elsewhere: with it, a row that was changed later can be proved to be.
    hash: String,
}

fn shown(row: AuditRow) -> Shown {
    Shown {
        number: row.number,
        at: instant(row.at_us.div_euclid(SECOND_US)),
        actor: row.actor,
        action: row.action,
        subject: row.subject,
        detail: serde_json::from_str(&row.detail).unwrap_or_default(),
        request: row.request_id,
        hash: format!("sha256:{}", hex::encode(row.hash)),
    }
}

async fn list(State(api): State<Arc<Api>>, caller: Caller, params: Params) -> Answer {
    let page = params.page(&["actor", "action", "subject"])?;
    let actions: Vec<&str> = Action::ALL.iter().map(|action| action.name()).collect();
    let action = params.one_of("action", Action::parse, &actions)?;
    let filter = AuditFilter {
        actor: params.text("actor").map(str::to_owned),
        action: action.map(|action| action.name().to_owned()),
        subject: params.text("subject").map(str::to_owned),
    };
    let before = page.after.as_deref().map(str::parse::<i64>);
    let before = before.transpose().map_err(|_| bad_cursor())?;
    let mut tx = api.app.db.read().await?;
    let rows = list_audit(&mut tx, &caller.connection, &filter, before, page.rows());
    ok(&List::cut(rows.await?, &page).map(shown))
}
