//! The API's description, `OpenAPI` 3.1, made from the table of routes, the types of bodies and
//! what each resource says beside its handlers ([`operation`]). It is the same in every
//! installation and says nothing about this one, so it is answered to anybody: tools that make
//! clients fetch it without a key.

pub mod codes;
pub mod examples;
pub mod names;
pub mod operation;
mod webhooks;
mod write;

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use self::operation::Resource;
use super::{
    Api, audit, batches, campaigns, cases, connections, customers, doctor, events, keys, ledger,
    payments, promoters, qualifications, referrals, rewards, users, webhook_endpoints,
};
use crate::access::routes::{self, On, Route};

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| write::document(&resources()));
static BYTES: LazyLock<Bytes> =
    LazyLock::new(|| serde_json::to_vec(&*DOCUMENT).unwrap_or_default().into());
static PARAMETERS: LazyLock<HashMap<(&'static str, &'static str), Vec<&'static str>>> =
    LazyLock::new(|| {
        let resources = resources();
        let all = resources.iter().flat_map(|resource| &resource.operations);
        all.map(|operation| {
            let route = operation.route;
            let names = operation.parameter_names();
            ((route.verb().name(), route.path()), names)
        })
        .collect()
    });

pub(super) fn routes() -> Router<Arc<Api>> {
    Router::new().on(routes::API_DOCUMENT, serve)
}

/// The document.
pub fn document() -> &'static Value {
    &DOCUMENT
}

/// The parameters of the address that a row takes; none if it is not described.
pub(super) fn parameters(route: Route) -> Option<&'static [&'static str]> {
    let key = (route.verb().name(), route.path());
    PARAMETERS.get(&key).map(Vec::as_slice)
}

async fn serve() -> Response {
    ([(CONTENT_TYPE, "application/json")], BYTES.clone()).into_response()
}

/// Everything that is described, in the order of the pages.
pub fn resources() -> Vec<Resource> {
    vec![
        campaigns::describe(),
        promoters::describe(),
        referrals::describe(),
        customers::describe(),
        payments::describe(),
        cases::describe(),
        qualifications::describe(),
        batches::describe(),
        rewards::describe(),
        ledger::describe(),
        events::describe(),
        events::describe_near_misses(),
        connections::describe(),
        doctor::describe(),
        users::describe(),
        keys::describe(),
        webhook_endpoints::describe(),
        audit::describe(),
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::access::routes::{ALL, Area};

    /// What to do when this fails: describe the row in `describe()` of its resource's file in
    /// `src/api`, and have `tests/api/examples.rs` ask for it.
    #[test]
    fn the_document_and_the_table_have_the_same_rows() {
        let name = |route: &Route| format!("{} {}", route.verb().name(), route.path());
        let api = ALL.iter().filter(|route| route.area() == Area::Api);
        let table: BTreeSet<String> = api.map(name).collect();
        let resources = resources();
        let all = resources.iter().flat_map(|resource| &resource.operations);
        let described: Vec<String> = all.map(|operation| name(&operation.route)).collect();
        let once: BTreeSet<String> = described.iter().cloned().collect();
        assert_eq!(once.len(), described.len(), "a row is described twice");
        let missing: Vec<&String> = table.difference(&once).collect();
        assert!(
            missing.is_empty(),
            "describe these rows of access/routes.rs in `describe()` of their resource: {missing:#?}"
        );
        let too_many: Vec<&String> = once.difference(&table).collect();
        assert!(too_many.is_empty(), "these have no row: {too_many:#?}");
    }

    #[test]
    fn operations_have_names_of_their_own() {
        let resources = resources();
        let all: Vec<&str> = resources
            .iter()
            .flat_map(|resource| &resource.operations)
            .map(|operation| operation.id)
            .collect();
        let once: BTreeSet<&str> = all.iter().copied().collect();
        assert_eq!(once.len(), all.len());
    }
}
