//! What a request of a page passes through: is it from our own page, who is signed in, and
//! may they. What is not allowed by the table of routes is denied.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::header::{CACHE_CONTROL, HOST, HeaderValue, ORIGIN};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::routes::{Needs, Route};
use super::visitor::request_id;
use super::{Access, Denied};
use crate::domain::access::{By, Signed};
use crate::http::Problem;

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Somebody who is signed in; put into the request by the guard.
impl<S: Send + Sync> FromRequestParts<S> for Signed {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let signed = parts.extensions.get::<Self>().cloned();
        signed.ok_or_else(|| Denied::SignIn.into())
    }
}

/// Who does it, and in which request; put into the request by the guard, of a page or of the
/// API.
impl<S: Send + Sync> FromRequestParts<S> for By {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let by = parts.extensions.get::<Self>().cloned();
        by.ok_or_else(|| Denied::SignIn.into())
    }
}

/// Lets a request through to its handler with [`Signed`] and [`By`] beside it, if somebody is
/// signed in; or answers why not, with the [`Denied`] in the answer's extensions, so that a
/// layer around this one can make a page of it.
pub async fn guard(State(access): State<Arc<Access>>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    if let Err(denied) = admit(&access, &mut parts).await {
        let mut response = Problem::from(denied.clone()).into_response();
        response.extensions_mut().insert(denied);
        // The page that says no still says to whom.
        if let Some(signed) = parts.extensions.remove::<Signed>() {
            response.extensions_mut().insert(signed);
        }
        return response;
    }
    let is_personal = parts.extensions.get::<Signed>().is_some();
    let mut response = next.run(Request::from_parts(parts, body)).await;
    if is_personal {
        let headers = response.headers_mut().entry(CACHE_CONTROL);
        headers.or_insert(HeaderValue::from_static("no-store"));
    }
    response
}

async fn admit(access: &Access, parts: &mut Parts) -> Result<(), Denied> {
    let route = Route::of(parts).ok_or(Denied::Method)?;
    if !route.verb().is_safe() && !is_own(&parts.headers, access.base_url()) {
        return Err(Denied::CrossSite);
    }
    let signed = access.signed(&parts.headers).await.map_err(|error| {
        tracing::error!(%error, "the database did not say who is signed in");
        Denied::Unavailable
    })?;
    match (route.needs(), &signed) {
        (Needs::Public, _) | (Needs::SignedIn, Some(_)) => {}
        (Needs::May(permission), Some(signed)) if signed.may(permission) => {}
        (Needs::May(permission), Some(signed)) => {
            parts.extensions.insert(signed.clone());
            return Err(Denied::Forbidden(permission));
        }
        (Needs::SignedIn | Needs::May(_), None) => return Err(Denied::SignIn),
    }
    if let Some(signed) = signed {
        let by = signed.by(request_id(&parts.headers));
        parts.extensions.insert(by);
        parts.extensions.insert(signed);
    }
    Ok(())
}

/// Whether a request that changes something comes from a page of our own. Browsers say so in
/// `Sec-Fetch-Site`, older ones and plain HTTP in `Origin`; who says neither is no browser and
/// has no business with a form.
fn is_own(headers: &HeaderMap, base_url: &str) -> bool {
    let text = |name| {
        headers
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok())
    };
    if let Some(site) = text(FETCH_SITE) {
        return site == "same-origin";
    }
    let Some(origin) = text(ORIGIN) else {
        return false;
    };
    if origin.eq_ignore_ascii_case(origin_of(base_url)) {
        return true;
    }
    // Without TLS the address people type may have several names, such as localhost.
    let host = text(HOST).unwrap_or_default();
    let named = origin.strip_prefix("http://").unwrap_or_default();
    base_url.starts_with("http://") && !named.is_empty() && named.eq_ignore_ascii_case(host)
}

/// Scheme, host and port of an address.
fn origin_of(url: &str) -> &str {
    let start = url.find("://").map_or(0, |at| at.saturating_add(3));
    let end = url.get(start..).and_then(|rest| rest.find('/'));
    end.and_then(|end| url.get(..start.saturating_add(end)))
        .unwrap_or(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_pages_send_forms() {
        let own = |base: &str, pairs: &[(&str, &str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                let name: HeaderName = name.parse().unwrap();
                headers.insert(name, value.parse().unwrap());
            }
            is_own(&headers, base)
        };
        let base = "https://q.example.com/app";
        for (pairs, expected) in [
            (&[("sec-fetch-site", "same-origin")][..], true),
            (&[("sec-fetch-site", "same-site")], false),
            (&[("sec-fetch-site", "cross-site")], false),
            (&[("sec-fetch-site", "none")], false),
            (
                &[
                    ("sec-fetch-site", "cross-site"),
                    ("origin", "https://q.example.com"),
                ],
                false,
            ),
            (&[("origin", "https://q.example.com")], true),
            (&[("origin", "https://q.example.com:8443")], false),
            (&[("origin", "http://q.example.com")], false),
            (&[("origin", "https://q.example.com.evil.example")], false),
            (&[("origin", "https://evil.example")], false),
            (&[("origin", "null")], false),
            (
                &[("origin", "https://evil.example"), ("host", "evil.example")],
                false,
            ),
            (&[], false),
            (&[("referer", "https://q.example.com/")], false),
        ] {
            assert_eq!(own(base, pairs), expected, "{pairs:?}");
        }
        let local = "http://127.0.0.1:8080";
        let typed = [
            ("origin", "http://localhost:8080"),
            ("host", "localhost:8080"),
        ];
        assert!(own(local, &typed));
        assert!(!own(
            local,
            &[
                ("origin", "http://evil.example"),
                ("host", "localhost:8080")
            ]
        ));
        assert!(!own(local, &[("origin", "null"), ("host", "")]));
    }
}
