//! What another site's page may read of an answer: nothing, unless its origin is one of the
//! campaign's.

use axum::http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, ORIGIN, VARY};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};

/// Which sites' pages may load an answer at all (Fetch standard §3.7).
pub(super) const RESOURCE_POLICY: HeaderName =
    HeaderName::from_static("cross-origin-resource-policy");

/// The origin a browser says that a request comes from.
pub(super) fn origin(headers: &HeaderMap) -> Option<&str> {
    headers.get(ORIGIN)?.to_str().ok()
}

/// An answer that pages of this origin may read, and no others.
pub(super) fn readable_by(origin: Option<&str>, answer: impl IntoResponse) -> Response {
    let mut response = answer.into_response();
    let headers = response.headers_mut();
    headers.append(VARY, HeaderValue::from_static("origin"));
    if let Some(origin) = origin.and_then(|origin| HeaderValue::from_str(origin).ok()) {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        let anybody = HeaderValue::from_static("cross-origin");
        headers.insert(RESOURCE_POLICY, anybody);
    }
    response
}
