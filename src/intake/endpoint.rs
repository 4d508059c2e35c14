//! `POST /webhooks/stripe` and `/webhooks/stripe/{connection}`. 2xx if and only if stored;
//! 4xx: not ours; 503: please send it again.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use axum::extract::{Path, Request, State};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::{Router, http::HeaderName};
use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use super::admit::admit;
use super::endpoints::{Endpoints, Ready};
use super::writer::Writer;
use super::{BODY_BYTES_MAX, refusal};
use crate::access::routes::{self, On};
use crate::clock::{SECOND_US, SharedClock};
use crate::domain::time::Timestamp;
use crate::http::Problem;
use crate::http::body;
use crate::store::events::{EventState, Inserted};
use crate::stripe::signature::{self, SignatureError, Verified};
use crate::stripe::{EnvelopeError, read_envelope};
use crate::telemetry::metric;

const SIGNATURE: HeaderName = HeaderName::from_static("stripe-signature");
const RECEIVED: &str = r#"{"received":true}"#;
/// A sender that is ahead of our clock by more seconds than this is worth a warning.
const SKEW_WARN_SECONDS: i64 = 30;
/// At most one such warning in this many seconds.
const SKEW_WARN_EVERY_SECONDS: i64 = 60;

/// What the endpoint works with.
#[derive(Debug)]
pub struct Intake {
    /// The connections that take webhooks.
    pub endpoints: Arc<Endpoints>,
    /// Where verified events go.
    pub writer: Writer,
    /// Our clock.
    pub clock: SharedClock,
    /// Time to send a body.
    pub body_read: Duration,
    /// Cancelled once the server is about to end: new events are refused with 503.
    pub closing: CancellationToken,
    /// When a clock skew was last warned about, in unix seconds.
    pub skew_warned_at: AtomicI64,
}

/// The routes of this room.
pub fn routes(intake: Arc<Intake>) -> Router {
    Router::new()
        .on(routes::WEBHOOK, receive)
        .on(routes::WEBHOOK_OF, receive)
        .method_not_allowed_fallback(|| async { Problem::method_not_allowed("POST") })
        .with_state(intake)
}

async fn receive(
    State(intake): State<Arc<Intake>>,
    connection: Option<Path<String>>,
    request: Request,
) -> Response {
    let connection = connection.as_ref().map(|Path(id)| id.as_str());
    match intake.take(connection, request).await {
        Ok(result) => {
            metrics::counter!(metric::WEBHOOKS, "result" => result).increment(1);
            ([(CONTENT_TYPE, "application/json")], RECEIVED).into_response()
        }
        Err(problem) => {
            metrics::counter!(metric::WEBHOOKS, "result" => problem.code).increment(1);
            tracing::info!(code = problem.code, "webhook refused");
            problem.into_response()
        }
    }
}

impl Intake {
    /// Reads, verifies and stores one delivery; answers the metric's `result`.
    async fn take(
        &self,
        connection: Option<&str>,
        request: Request,
    ) -> Result<&'static str, Problem> {
        let ready = self.ready(connection)?;
        let (head, stream) = request.into_parts();
        if is_encoded(&head.headers) {
            return Err(refusal::encoded());
        }
        let bytes = body::read(stream, BODY_BYTES_MAX, self.body_read)
            .await
            .map_err(refusal::body)?;
        let header = head
            .headers
            .get(SIGNATURE)
            .map(axum::http::HeaderValue::as_bytes);
        let now_us = self.clock.now_us();
        let now = Timestamp::from_unix(now_us.div_euclid(SECOND_US)).unwrap_or_default();
        let verified = signature::verify(header, &bytes, &ready.keys, now)
            .map_err(|error| unverified(&error, &bytes))?;
        self.observe(&ready, &verified);

        let endpoint = &ready.endpoint;
        let event = admit(endpoint, bytes.into(), Some(verified.secret_index), now_us)
            .map_err(|error| refusal::foreign(&error))?;
        let (state, code) = (event.state, event.reason.as_ref().map(|r| r.code.clone()));
        let inserted = self
            .writer
            .store(endpoint.connection.clone(), event)
            .await
            .map_err(refusal::not_stored)?;
        Ok(tell(inserted, state, code.as_deref()))
    }

    fn ready(&self, connection: Option<&str>) -> Result<Arc<Ready>, Problem> {
        let ready = self
            .endpoints
            .find(connection)
            .ok_or_else(refusal::unknown_connection)?;
        if self.closing.is_cancelled() {
            return Err(refusal::shutting_down());
        }
        if ready.keys.is_empty() {
            return Err(refusal::secret_missing());
        }
        Ok(ready)
    }

    /// Counts which secret matched and how far the clocks are apart.
    fn observe(&self, ready: &Ready, verified: &Verified) {
        if let Some(used) = ready.used.get(verified.secret_index) {
            used.increment(1);
        }
        let behind = verified.skew_seconds.saturating_neg();
        let behind = i32::try_from(behind).unwrap_or(if behind < 0 { i32::MIN } else { i32::MAX });
        metrics::gauge!(metric::SKEW).set(behind);
        if verified.skew_seconds > SKEW_WARN_SECONDS {
            let now = self.clock.now().unix();
            let last = self.skew_warned_at.load(Ordering::Relaxed);
            if now.saturating_sub(last) >= SKEW_WARN_EVERY_SECONDS {
                self.skew_warned_at.store(now, Ordering::Relaxed);
                let seconds = verified.skew_seconds;
                tracing::warn!(
                    seconds,
                    "Stripe's clock is ahead of ours; check this machine's"
                );
            }
        }
    }
}

/// `identity` is no encoding; everything else is.
fn is_encoded(headers: &HeaderMap) -> bool {
    headers
        .get_all(CONTENT_ENCODING)
        .iter()
        .any(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity"))
}

/// A body without a signature may come from a relay that wraps events; say so if it does.
fn unverified(error: &SignatureError, body: &Bytes) -> Problem {
    if *error == SignatureError::Missing
        && let Err(foreign @ (EnvelopeError::EventBridge | EnvelopeError::EventGrid)) =
            read_envelope(body)
    {
        return refusal::foreign(&foreign);
    }
    refusal::signature(error)
}

/// Counts and logs what became of a stored event; answers the metric's `result`.
fn tell(inserted: Inserted, state: EventState, code: Option<&str>) -> &'static str {
    match (inserted, state) {
        (Inserted::Duplicate, _) => "duplicate",
        (Inserted::Conflict, _) => {
            tracing::warn!("another body came under the id of a stored event; both are kept");
            "conflict"
        }
        (Inserted::New, EventState::Received | EventState::Done) => "new",
        (Inserted::New, EventState::Ignored) => {
            // Only thin events are ignored at the door.
            metrics::counter!(metric::THIN).increment(1);
            tracing::warn!(
                code,
                "this destination sends thin events; choose snapshot payloads"
            );
            "ignored"
        }
        (Inserted::New, EventState::Quarantined) => {
            tracing::warn!(code, "an event is quarantined");
            "quarantined"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use crate::domain::campaign::Mode;
    use crate::intake::Endpoint;
    use crate::intake::sink::Storing;
    use crate::intake::{EventSink, WriterLimits};
    use crate::store::events::NewEvent;
    use axum::body::Body;
    use tokio::sync::Notify;
    use tower::ServiceExt;

    #[derive(Debug)]
    struct Accepts;

    impl EventSink for Accepts {
        fn insert<'a>(
            &'a self,
            _: &'a crate::domain::ids::ConnectionId,
            events: &'a [NewEvent],
        ) -> Storing<'a> {
            Box::pin(async { Ok(vec![Inserted::New; events.len()]) })
        }
    }

    /// Everything in order but for what the test changes.
    fn intake(secrets: &[&str], closing: &CancellationToken) -> Router {
        let stop = CancellationToken::new();
        let committed = Arc::new(Notify::new());
        let (writer, _) =
            Writer::start(Arc::new(Accepts), WriterLimits::default(), committed, stop);
        let endpoints = Endpoints::new(Endpoint {
            connection: "live".into(),
            mode: Mode::Live,
            account: None,
            secrets: secrets
                .iter()
                .filter_map(|s| crate::config::Secret::new(s))
                .collect(),
        });
        routes(Arc::new(Intake {
            endpoints: Arc::new(endpoints),
            writer,
            clock: Arc::new(ManualClock::at(crate::domain::time::Timestamp::default())),
            body_read: Duration::from_secs(1),
            closing: closing.clone(),
            skew_warned_at: AtomicI64::new(0),
        }))
    }

    async fn post_signed(routes: &Router) -> u16 {
        let at = crate::domain::time::Timestamp::default();
        let request = Request::post("/webhooks/stripe")
            .header(SIGNATURE, signature::sign("whsec_1", b"{}", at))
            .body(Body::from("{}"));
        let answer = routes.clone().oneshot(request.unwrap()).await.unwrap();
        if answer.status() == 503 {
            assert!(answer.headers().contains_key("retry-after"));
        }
        answer.status().as_u16()
    }

    #[tokio::test]
    async fn a_server_that_is_shutting_down_takes_no_more() {
        let closing = CancellationToken::new();
        let routes = intake(&["whsec_1"], &closing);
        assert_eq!(post_signed(&routes).await, 200);
        closing.cancel();
        assert_eq!(post_signed(&routes).await, 503);
    }

    #[tokio::test]
    async fn without_a_secret_nothing_is_taken() {
        let routes = intake(&[], &CancellationToken::new());
        assert_eq!(post_signed(&routes).await, 503);
    }
}
