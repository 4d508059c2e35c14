//! `GET /t.js`: the script for landing pages, inside the binary.

use std::sync::LazyLock;

use axum::http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use super::cors::RESOURCE_POLICY;

const SCRIPT: &str = include_str!("t.js");
static TAG: LazyLock<String> = LazyLock::new(|| {
    let digest = hex::encode(Sha256::digest(SCRIPT));
    let short: String = digest.chars().take(16).collect();
    format!("\"{short}\"")
});

/// `GET /t.js`. Its address never changes, so that it is kept for an hour and then asked for.
pub(super) async fn serve(headers: HeaderMap) -> Response {
    let known = headers.get(IF_NONE_MATCH).and_then(|v| v.to_str().ok());
    let mut response = if known.is_some_and(|known| known.contains(TAG.as_str())) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        SCRIPT.into_response()
    };
    let headers = response.headers_mut();
    let mut add = |name, value| headers.insert(name, HeaderValue::from_static(value));
    add(CONTENT_TYPE, "text/javascript; charset=utf-8");
    add(CACHE_CONTROL, "public, max-age=3600");
    // Any page may load it, with integrity checks too; it says nothing about anybody.
    add(ACCESS_CONTROL_ALLOW_ORIGIN, "*");
    add(RESOURCE_POLICY, "cross-origin");
    if let Ok(tag) = HeaderValue::from_str(&TAG) {
        headers.insert(ETAG, tag);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_is_small() {
        assert!(SCRIPT.len() < 3000, "{} bytes", SCRIPT.len());
    }
}
