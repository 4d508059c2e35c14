//! JSON under `/api/v1`: one file per resource, each handler extracts, makes one call below
//! and answers. What a command does is known to `registry`, `settle` and `access`.
//!
//! Only API keys open it, never a session's cookie: no page of another site can have anything
//! done here. [`guard`] is what every request passes through; what a route needs stands in
//! [`access::routes`](crate::access::routes). [`refusal`] has the words that resources share.

mod answer;
mod audit;
mod backtests;
mod batches;
mod caller;
mod campaign_link;
mod campaigns;
mod cases;
mod connections;
mod customers;
mod doctor;
pub mod document;
mod events;
mod guard;
mod idempotency;
mod input;
mod keys;
mod ledger;
mod params;
mod payments;
mod promoters;
mod qualifications;
mod reassign;
mod referral_view;
mod referrals;
mod refusal;
mod rewards;
mod users;
mod webhook_endpoints;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;

use self::caller::Caller;
use crate::access::Access;
use crate::backtests::Backtests;
use crate::domain::ids::KeyId;
use crate::http::Problem;
use crate::notify::webhooks::Webhooks;
use crate::shared::App;

/// Longest body that is read, in bytes: a campaign file and room around it.
const BODY_BYTES_MAX: usize = 256 * 1024;

/// What the handlers work with.
#[derive(Debug)]
struct Api {
    app: Arc<App>,
    /// Drafts that are tried on the past, shared with the pages.
    backtests: Arc<Backtests>,
    /// Time to send a body.
    body_read: Duration,
    /// When each key's use was written down last, unix seconds.
    noted: Mutex<BTreeMap<KeyId, i64>>,
}

impl Api {
    /// The services of users, for a key of the connection that they are for: a database may
    /// hold several connections, and nobody of one sees who is in another.
    fn access(&self, caller: &Caller) -> Result<&Access, Problem> {
        let access = &self.app.access;
        if *access.connection() == caller.connection {
            return Ok(access);
        }
        Err(Problem::not_found("There is nothing at this address."))
    }

    /// Outgoing webhooks, for a key of the connection that they are of.
    fn webhooks(&self, caller: &Caller) -> Result<&Webhooks, Problem> {
        let webhooks = &self.app.webhooks;
        if webhooks.connection == caller.connection {
            return Ok(webhooks);
        }
        Err(Problem::not_found("There is nothing at this address."))
    }
}

/// Every route of the API.
pub fn routes(app: &Arc<App>, body_read: Duration, backtests: &Arc<Backtests>) -> Router {
    let api = Arc::new(Api {
        app: Arc::clone(app),
        backtests: Arc::clone(backtests),
        body_read,
        noted: Mutex::default(),
    });
    let resources = Router::new()
        .merge(audit::routes())
        .merge(backtests::routes())
        .merge(batches::routes())
        .merge(campaign_link::routes())
        .merge(campaigns::routes())
        .merge(cases::routes())
        .merge(connections::routes())
        .merge(customers::routes())
        .merge(doctor::routes())
        .merge(events::routes())
        .merge(keys::routes())
        .merge(ledger::routes())
        .merge(payments::routes())
        .merge(promoters::routes())
        .merge(qualifications::routes())
        .merge(referrals::routes())
        .merge(reassign::routes())
        .merge(rewards::routes())
        .merge(users::routes())
        .merge(webhook_endpoints::routes())
        .route_layer(from_fn_with_state(Arc::clone(&api), guard::guard))
        .method_not_allowed_fallback(|| async { method_not_allowed() });
    document::routes().merge(resources).with_state(api)
}

fn method_not_allowed() -> Problem {
    let detail = "This address does not take this method; see the Allow header.";
    let title = "Method not allowed";
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        title,
        detail,
    )
}
