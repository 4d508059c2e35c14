//! Problems as pages, for browsers: the same words as the API's, inside the frame.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{ACCEPT, ALLOW, CONTENT_TYPE, RETRY_AFTER, SET_COOKIE};
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::layout::{COOKIE, Frame, ProblemPage};
use super::parts::Link;
use super::view::{cookie, frame_of, outside};
use super::{Web, answer, forbidden};
use crate::domain::access::Signed;
use crate::http::Problem;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Turns a problem into a page, where a browser asked and the address is not the API's. It
/// stands inside the guard, where it knows who is signed in, and once more outside of
/// everything.
pub async fn as_page(State(web): State<Arc<Web>>, request: Request, next: Next) -> Response {
    let headers = request.headers().clone();
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let signed = request.extensions().get::<Signed>().cloned();
    let mut response = next.run(request).await;
    let shown = method == Method::GET && response.status() == StatusCode::OK;
    let is_inner = signed.is_some() || !response.headers().contains_key(SET_COOKIE);
    let is_html = |response: &Response| {
        let media = response.headers().get(CONTENT_TYPE);
        media.is_some_and(|media| media.as_bytes().starts_with(b"text/html"))
    };
    if shown && is_inner && cookie(&headers, COOKIE).is_some() && is_html(&response) {
        response.headers_mut().append(SET_COOKIE, answer::said());
    }
    if !is_for_people(&uri, &headers) {
        return response;
    }
    let Some(mut problem) = response.extensions_mut().remove::<Problem>() else {
        return response;
    };
    // The guard, which stands between the two, says whom it has refused.
    let signed = signed.or_else(|| response.extensions_mut().remove::<Signed>());
    if let Some(signed) = &signed {
        forbidden::explain(&web, signed, &mut problem).await;
    }
    let frame = match &signed {
        Some(signed) => frame_of(&web, signed, &headers).await,
        None => Ok(outside(&web, &headers)),
    };
    // The database may be what fails: the page then says less.
    let frame = frame.unwrap_or_else(|_| outside(&web, &headers));
    render(&problem, frame, &uri, &response).unwrap_or(response)
}

fn is_for_people(uri: &Uri, headers: &HeaderMap) -> bool {
    const MACHINES: [&str; 6] = [
        "/api/",
        "/webhooks",
        "/metrics",
        "/healthz",
        "/readyz",
        "/t/",
    ];
    let path = uri.path();
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
    let is_docs = path.starts_with("/api/docs");
    (is_docs || !MACHINES.iter().any(|prefix| path.starts_with(prefix)))
        && accept.is_some_and(|accept| accept.contains("text/html"))
}

fn render(problem: &Problem, frame: Frame, uri: &Uri, was: &Response) -> Option<Response> {
    let again = uri.path_and_query().map_or("/", |it| it.as_str());
    let step = match problem.status {
        // Whoever follows somebody's link has no business at the first page.
        _ if problem.code == "referral_link_unknown" => Link::new("", ""),
        StatusCode::UNAUTHORIZED => Link::new("Sign in", "/sign-in"),
        StatusCode::GONE => Link::new("Have a new link sent", "/sign-in"),
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
            Link::new("Try again", again)
        }
        _ => Link::new("To the first page", "/"),
    };
    let request_id = was.headers().get(REQUEST_ID);
    let request_id = request_id.and_then(|id| id.to_str().ok()).unwrap_or("");
    let page = ProblemPage {
        page: frame.page(problem.title, ""),
        status: problem.status.as_u16(),
        detail: problem.detail.clone(),
        request_id: request_id.to_owned(),
        step,
    };
    let mut response = answer::page_as(problem.status, &page).ok()?.into_response();
    for name in [RETRY_AFTER, ALLOW, REQUEST_ID, SET_COOKIE] {
        if let Some(value) = was.headers().get(&name) {
            response.headers_mut().insert(name, value.clone());
        }
    }
    Some(response)
}
