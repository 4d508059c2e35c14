//! `/audit`: who did what, the newest first.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use serde::Serialize;
use serde_json::Value;

use super::Api;
use super::answer::{Answer, List, instant, ok};
use super::caller::Caller;
use super::params::{Params, bad_cursor};
use crate::access::audit::Action;
use crate::access::routes::{self, On};
use crate::clock::SECOND_US;
use crate::domain::time::Timestamp;
use crate::store::audit::{AuditFilter, AuditRow, list_audit};

pub(super) fn routes() -> Router<Arc<Api>> {
    Router::new().on(routes::API_AUDIT, list)
}

/// A row as it is answered.
#[derive(Debug, Serialize)]
struct Shown {
    number: i64,
    at: Timestamp,
    actor: String,
    action: String,
    subject: String,
    detail: Value,
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
