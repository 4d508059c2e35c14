//! What wraps every route: request ids, a trace line without bodies, a panic turned into a
//! 500, and an end to requests that take too long.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use tower_http::catch_panic::CatchPanicLayer;

use crate::http::Problem;
use crate::random;
use crate::telemetry::metric;

/// The header that carries a request's id, in both directions.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Wraps the routes. Outermost first: request id, trace, time limit, panic, fallback; the first
/// three in one layer, because every layer is paid for by every webhook.
pub fn dress(routes: Router, limit: Duration) -> Router {
    let ids = Arc::new(RequestIds::new());
    routes
        .fallback(|| async { Problem::not_found("There is nothing at this address.") })
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn(move |request: Request, next: Next| {
            traced(limit, ids.of(&request), request, next)
        }))
}

/// Ids of requests that came without one: the process by chance, the request by its number.
#[derive(Debug)]
struct RequestIds {
    process: String,
    next: AtomicU64,
}

impl RequestIds {
    fn new() -> Self {
        // Without chance the ids of two runs may be the same; nothing but log lines hangs on them.
        let chance = random::secret_bytes().unwrap_or_default();
        Self {
            process: hex::encode(chance.get(..8).unwrap_or_default()),
            next: AtomicU64::new(1),
        }
    }

    /// The id that a request brings along, or its own.
    fn of(&self, request: &Request) -> Option<HeaderValue> {
        if let Some(id) = request.headers().get(REQUEST_ID) {
            return Some(id.clone());
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        HeaderValue::try_from(format!("{}-{number}", self.process)).ok()
    }
}

/// Runs every handler to its end in a task of its own: neither a client that goes away nor the
/// time limit cancels what it does at the database half-way.
async fn in_time(deadline: tokio::time::Instant, request: Request, next: Next) -> Response {
    let handler = tokio::spawn(next.run(request));
    match tokio::time::timeout_at(deadline, handler).await {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Problem::internal().into_response(),
        },
        Err(_) => {
            let detail = "The answer took too long; nothing is promised about the request.";
            Problem::unavailable("request_timeout", 5, detail).into_response()
        }
    }
}

/// Answers in time, with the request's id. Logs the method, the path without its query (tokens
/// travel there) and the status.
async fn traced(
    limit: Duration,
    id: Option<HeaderValue>,
    request: Request,
    next: Next,
) -> Response {
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let started = tokio::time::Instant::now();
    let mut response = in_time(started + limit, request, next).await;
    let status = response.status();
    metrics::counter!(metric::REQUESTS, "status" => class(status)).increment(1);
    let ms = || u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let request_id = id.as_ref().and_then(|id| id.to_str().ok()).unwrap_or("");
    let path = uri.path();
    if status.is_server_error() {
        tracing::warn!(%method, path, status = status.as_u16(), ms = ms(), request_id, "answered");
    } else {
        tracing::debug!(%method, path, status = status.as_u16(), ms = ms(), request_id, "answered");
    }
    if let Some(id) = id {
        response.headers_mut().entry(REQUEST_ID).or_insert(id);
    }
    response
}

fn class(status: StatusCode) -> &'static str {
    match status.as_u16() {
        0..300 => "2xx",
        300..400 => "3xx",
        400..500 => "4xx",
        _ => "5xx",
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the layer's signature")]
fn panicked(cause: Box<dyn Any + Send>) -> Response {
    let text = cause
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| cause.downcast_ref::<String>().cloned())
        .unwrap_or_default();
    metrics::counter!(metric::PANICS).increment(1);
    tracing::error!(error = text, "a request's handler panicked");
    Problem::internal().into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use axum::routing::get;
    use tower::ServiceExt;

    async fn ask(path: &str) -> Response {
        ask_as(path, None).await
    }

    async fn ask_as(path: &str, id: Option<&str>) -> Response {
        let routes = Router::new()
            .route("/ok", get(|| async { "ok" }))
            .route("/panic", get(|| async { panic!("SENTINEL") as &str }))
            .route("/never", get(std::future::pending::<&str>));
        let mut request = Request::get(path).body(Body::empty()).unwrap();
        if let Some(id) = id {
            let id = HeaderValue::try_from(id).unwrap();
            request.headers_mut().insert(REQUEST_ID, id);
        }
        let dressed = dress(routes, Duration::from_secs(30));
        dressed.oneshot(request).await.unwrap()
    }

    async fn text(response: Response) -> String {
        let bytes = axum::body::to_bytes(response.into_body(), 4096).await;
        String::from_utf8(bytes.unwrap().to_vec()).unwrap()
    }

    #[tokio::test]
    async fn a_handler_ends_although_its_client_is_gone() {
        let (begun, begins) = tokio::sync::oneshot::channel();
        let (go, goes) = tokio::sync::oneshot::channel::<()>();
        let (ended, ends) = tokio::sync::oneshot::channel();
        let parts = std::sync::Arc::new(std::sync::Mutex::new(Some((begun, goes, ended))));
        let handler = move || async move {
            let (begun, goes, ended) = parts.lock().unwrap().take().unwrap();
            begun.send(()).unwrap();
            goes.await.unwrap();
            ended.send(()).unwrap();
        };
        let routes = dress(
            Router::new().route("/", get(handler)),
            Duration::from_secs(30),
        );
        let request = Request::get("/").body(Body::empty()).unwrap();
        let client = tokio::spawn(routes.oneshot(request));
        begins.await.unwrap();
        client.abort();
        assert!(client.await.unwrap_err().is_cancelled());
        go.send(()).unwrap();
        ends.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn every_answer_has_a_request_id_and_a_shape() {
        let ok = ask("/ok").await;
        assert_eq!(ok.status(), 200);
        let id = |answer: &Response| answer.headers().get(REQUEST_ID).cloned().unwrap();
        let (first, second) = (id(&ok), id(&ask("/ok").await));
        assert!(first.len() > 17 && first != second, "{first:?} {second:?}");

        assert_eq!(id(&ask_as("/ok", Some("theirs")).await), "theirs");

        let panicked = ask("/panic").await;
        assert_eq!(panicked.status(), 500);
        let body = text(panicked).await;
        assert!(body.contains("internal_error") && !body.contains("SENTINEL"));

        let slow = ask("/never").await;
        assert_eq!(slow.status(), 503);
        assert!(text(slow).await.contains("request_timeout"));

        let missing = ask("/nothing").await;
        assert_eq!(missing.status(), 404);
        assert!(text(missing).await.contains("not_found"));
    }
}
