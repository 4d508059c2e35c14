//! What wraps every route: request ids, a trace line without bodies, a panic turned into a
//! 500, and an end to requests that take too long.

use std::any::Any;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderName, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};

use crate::http::Problem;
use crate::telemetry::metric;

/// The header that carries a request's id, in both directions.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Wraps the routes. Outermost first: request id, trace, panic, time limit, fallback.
pub fn dress(routes: Router, limit: Duration) -> Router {
    routes
        .fallback(|| async { Problem::not_found("There is nothing at this address.") })
        .layer(middleware::from_fn(move |request: Request, next: Next| {
            in_time(limit, request, next)
        }))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn(trace))
        .layer(PropagateRequestIdLayer::new(REQUEST_ID))
        .layer(SetRequestIdLayer::new(REQUEST_ID, MakeRequestUuid))
}

/// Runs every handler to its end in a task of its own: neither a client that goes away nor the
/// time limit cancels what it does at the database half-way.
async fn in_time(limit: Duration, request: Request, next: Next) -> Response {
    let handler = tokio::spawn(next.run(request));
    match tokio::time::timeout(limit, handler).await {
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

/// Logs the method, the path without its query (tokens travel there) and the status.
async fn trace(request: Request, next: Next) -> Response {
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let id = request.headers().get(REQUEST_ID).cloned();
    let started = tokio::time::Instant::now();
    let response = next.run(request).await;
    let status = response.status();
    metrics::counter!(metric::REQUESTS, "status" => class(status)).increment(1);
    let ms = started.elapsed().as_millis();
    let request_id = id.as_ref().and_then(|id| id.to_str().ok()).unwrap_or("");
    if status.is_server_error() {
        tracing::warn!(%method, path, status = status.as_u16(), ms, request_id, "answered");
    } else {
        tracing::debug!(%method, path, status = status.as_u16(), ms, request_id, "answered");
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
        let routes = Router::new()
            .route("/ok", get(|| async { "ok" }))
            .route("/panic", get(|| async { panic!("SENTINEL") as &str }))
            .route("/never", get(std::future::pending::<&str>));
        let request = Request::get(path).body(Body::empty()).unwrap();
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
        assert!(ok.headers().contains_key(REQUEST_ID));

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
