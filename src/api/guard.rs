//! What every request of the API passes through: who asks and whether they may, the body
//! within its cap, and the idempotency key.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_ENCODING;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use percent_encoding::percent_decode_str;

use super::caller::authenticate;
use super::params::Params;
use super::{Api, BODY_BYTES_MAX, document, idempotency, method_not_allowed, refusal};
use crate::access::routes::{self, Needs, Route};
use crate::http::{Problem, body};

/// What answers with a secret, which must not be kept.
const HOLD_SECRETS: [Route; 3] = [
    routes::API_KEY_ADD,
    routes::API_WEBHOOK_ADD,
    routes::API_WEBHOOK_ROTATE,
];

/// Refuses parameters that the document does not name, and ids that nothing can have: those
/// that are no UTF-8, or have control characters, which PostgreSQL could not even compare.
fn check_address(parts: &Parts, route: Route) -> Result<(), Problem> {
    let known = document::parameters(route).unwrap_or_default();
    Params::of(&parts.uri)?.only(known)?;
    let path = percent_decode_str(parts.uri.path()).decode_utf8();
    let is_plain = path.is_ok_and(|path| !path.chars().any(char::is_control));
    if is_plain {
        return Ok(());
    }
    Err(Problem::not_found("There is nothing of this id."))
}

/// Answers a request, or says why not.
pub(super) async fn guard(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    answer(&api, request, next)
        .await
        .unwrap_or_else(IntoResponse::into_response)
}

async fn answer(api: &Arc<Api>, request: Request, next: Next) -> Result<Response, Problem> {
    let (mut parts, stream) = request.into_parts();
    let Some(route) = Route::of(&parts) else {
        return Err(method_not_allowed());
    };
    let caller = authenticate(api, &parts.headers).await?;
    if let Needs::May(permission) = route.needs() {
        caller.may(permission)?;
    }
    check_address(&parts, route)?;
    let encoding = parts.headers.get(CONTENT_ENCODING);
    if encoding.is_some_and(|e| !e.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "encoding_unsupported",
            "Compressed body",
            "The body has a Content-Encoding; send it plain.",
        ));
    }
    let bytes = body::read(stream, BODY_BYTES_MAX, api.body_read)
        .await
        .map_err(refusal::body)?;
    let key = idempotency::key(&parts.method, &parts.headers)?;
    if key.is_some() && HOLD_SECRETS.contains(&route) {
        return Err(idempotency::unsupported());
    }
    parts.extensions.insert(caller.by.clone());
    parts.extensions.insert(caller.clone());
    let request = Request::from_parts(parts, Body::from(bytes.clone()));
    let Some(key) = key else {
        return Ok(next.run(request).await);
    };
    let digest = idempotency::digest(&request, &bytes);
    idempotency::once(api, &caller, (&key, digest), next.run(request)).await
}
