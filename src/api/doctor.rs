//! `/doctor`: what is wrong with settings, the Stripe account and what is stored.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;

use super::Api;
use super::answer::{Answer, ok};
use super::caller::Caller;
use super::document::operation::{Operation, Resource, Takes};
use super::params::Params;
use crate::access::routes::{self, On};
use crate::doctor::{Ask, Report, Subject, run};

/// How long Stripe may take in all.
const PATIENCE: Duration = Duration::from_secs(15);

pub(super) fn routes() -> Router<Arc<Api>> {
    Router::new().on(routes::API_DOCTOR, look)
}

pub(super) fn describe() -> Resource {
    let look = Operation::new(routes::API_DOCTOR, "run_doctor", "Run every check")
        .says(
            "Each check answers `ok`, `warning`, `problem` or `not_looked_at`, with what was seen \
             and the next step. Stripe is asked if the server has a key, for 15 seconds at most, and \
             not again within a few seconds; that it could not be reached is an answer too. Nothing \
             is changed.",
        )
        .filter(
            "offline",
            Takes::one_of::<bool>(),
            "`true`: Stripe is not asked.",
        )
        .refuses(404, &["not_found"])
        .answers::<Report>(200, "What every check found.");
    Resource {
        name: "doctor",
        says: "What is wrong with settings, the Stripe account and what is stored.",
        operations: vec![look],
    }
}

async fn look(State(api): State<Arc<Api>>, caller: Caller, params: Params) -> Answer {
    params.only(&["offline"])?;
    let offline = params.one_of("offline", |text| text.parse().ok(), &["true", "false"])?;
    // The settings are of one connection; nobody of another sees what is wrong with them.
    api.access(&caller)?;
    let subject = Subject {
        config: &api.app.config,
        db: &api.app.db,
        connection: &caller.connection,
        clock: api.app.clock.as_ref(),
        lately: &api.app.doctor,
    };
    let whom = match offline {
        Some(true) => Ask::Nobody,
        _ => Ask::Within(PATIENCE),
    };
    ok(&run(&subject, whom).await?)
}
