//! The headers that every answer carries: what a browser may load, frame, guess and tell.

use axum::http::header::{
    CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::response::Response;

/// Nothing but our own files, no inline script or style, in nobody's frame.
const CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
                   img-src 'self' data:; connect-src 'self'; form-action 'self'; \
                   frame-ancestors 'none'; base-uri 'none'";
/// A year: the least that browsers' preload lists take.
const HSTS: &str = "max-age=31536000; includeSubDomains";
const PERMISSIONS: &str = "camera=(), geolocation=(), microphone=(), payment=(), usb=()";

/// Adds the headers to an answer, where it does not have its own. `is_secure`: people reach
/// the server over TLS.
pub fn harden(response: &mut Response, is_secure: bool) {
    let headers = response.headers_mut();
    let mut add = |name: HeaderName, value: &'static str| {
        headers
            .entry(name)
            .or_insert_with(|| HeaderValue::from_static(value));
    };
    add(CONTENT_SECURITY_POLICY, CSP);
    add(X_CONTENT_TYPE_OPTIONS, "nosniff");
    // Not `no-referrer`: with it, browsers send forms of our own pages with `Origin: null`.
    add(REFERRER_POLICY, "same-origin");
    add(X_FRAME_OPTIONS, "DENY");
    add(HeaderName::from_static("permissions-policy"), PERMISSIONS);
    let same = "same-origin";
    add(HeaderName::from_static("cross-origin-opener-policy"), same);
    add(
        HeaderName::from_static("cross-origin-resource-policy"),
        same,
    );
    if is_secure {
        add(STRICT_TRANSPORT_SECURITY, HSTS);
    }
}
