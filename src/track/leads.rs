//! `POST /t/lead`: a landing page says who has signed up. Whoever sends one learns nothing:
//! the answer, and the time that it takes, are the same for everybody.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_MAX_AGE,
    CACHE_CONTROL,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;
use tokio::time::Instant;

use super::Track;
use super::cors::{origin, readable_by};
use super::resolve::targets;
use super::settings::{not_here, target};
use crate::access::request_id;
use crate::clock::SECOND_US;
use crate::domain::access::By;
use crate::http::Problem;
use crate::http::body::{self, BodyError};
use crate::registry::leads::{LeadInput, Outcome, check, register_lead};

/// Longest body, in bytes: an address, an id and a code of full length, and room around them.
const BODY_BYTES_MAX: usize = 4096;
/// A lead is answered no sooner: what is looked up for somebody who is known and for somebody
/// who is not takes different times, all of them shorter.
const ANSWERED_AFTER: Duration = Duration::from_millis(300);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sent {
    campaign: Option<String>,
    code: String,
    email: Option<String>,
    uid: Option<String>,
}

/// `OPTIONS /t/lead`: whether a page of another site may send leads as JSON.
pub(super) async fn asked(State(track): State<Arc<Track>>, headers: HeaderMap) -> Response {
    match may_send(&track, &headers).await {
        Ok(from) => {
            let allowed = [
                (ACCESS_CONTROL_ALLOW_METHODS, "POST"),
                (ACCESS_CONTROL_ALLOW_HEADERS, "content-type"),
                (ACCESS_CONTROL_MAX_AGE, "600"),
            ];
            readable_by(Some(&from), (StatusCode::NO_CONTENT, allowed))
        }
        Err(problem) => readable_by(None, problem),
    }
}

async fn may_send(track: &Track, headers: &HeaderMap) -> Result<String, Problem> {
    let from = origin(headers).ok_or_else(not_here)?;
    let mut tx = track.app.db.read().await?;
    let all = targets(&mut tx, &track.app.connection).await?;
    tx.rollback().await?;
    let takes = all.iter().any(|target| target.link.takes(from));
    takes.then(|| from.to_owned()).ok_or_else(not_here)
}

/// `POST /t/lead`, with JSON in the body, as `application/json` or `text/plain`.
pub(super) async fn take(State(track): State<Arc<Track>>, request: Request) -> Response {
    let begun = Instant::now();
    let (parts, body) = request.into_parts();
    let mut readable = None;
    let answer = match taken(&track, &parts, body, &mut readable).await {
        Ok(()) => {
            tokio::time::sleep_until(begun + ANSWERED_AFTER).await;
            let accepted = Json(json!({ "accepted": true }));
            (
                StatusCode::ACCEPTED,
                [(CACHE_CONTROL, "no-store")],
                accepted,
            )
                .into_response()
        }
        Err(problem) => problem.into_response(),
    };
    readable_by(readable.as_deref(), answer)
}

/// `readable` becomes the origin whose pages may read the answer, as soon as it is known.
async fn taken(
    track: &Track,
    parts: &Parts,
    body: Body,
    readable: &mut Option<String>,
) -> Result<(), Problem> {
    let app = &track.app;
    let address = app.access.visitor(parts).address;
    track.leads.take(address, app.clock.now_us())?;
    // Browsers say where a page is from whenever it sends something; servers use the API.
    let from = origin(&parts.headers).ok_or_else(not_here)?;
    let bytes = body::read(body, BODY_BYTES_MAX, track.body_read).await;
    let bytes = bytes.map_err(bad_body)?;
    let sent: Sent = serde_json::from_slice(&bytes).map_err(|_| not_a_lead())?;
    let target = target(track, sent.campaign.as_deref(), Some(from)).await?;
    *readable = Some(from.to_owned());
    let campaign = &target.campaign.id;
    let input = LeadInput {
        code: sent.code,
        email: sent.email,
        uid: sent.uid,
    };
    let lead = check(&input)?;
    let by = By {
        request: request_id(&parts.headers),
        ..By::system()
    };
    let clock = app.clock.as_ref();
    let outcome = register_lead(&app.db, &app.connection, clock, campaign, &lead, &by).await?;
    match outcome {
        Outcome::New => app.touched.notify_one(),
        Outcome::TooMany(wait_us) => return Err(too_many(wait_us)),
        Outcome::Known | Outcome::Claimed | Outcome::NoPromoter => {}
    }
    Ok(())
}

fn too_many(wait_us: i64) -> Problem {
    let seconds = wait_us.saturating_add(SECOND_US - 1).div_euclid(SECOND_US);
    let detail = "This link has brought too many leads in a short time; try again later.";
    let title = "Too many leads";
    Problem {
        retry_after: Some(u32::try_from(seconds.max(1)).unwrap_or(u32::MAX)),
        ..Problem::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", title, detail)
    }
}

fn not_a_lead() -> Problem {
    let detail = "A lead is a JSON object with code and at least one of email and uid; campaign \
                  may be named. There are no other fields.";
    Problem::new(
        StatusCode::BAD_REQUEST,
        "lead_invalid",
        "Not a lead",
        detail,
    )
}

fn bad_body(error: BodyError) -> Problem {
    match error {
        BodyError::TooLarge => {
            let detail = format!("A lead has at most {BODY_BYTES_MAX} bytes.");
            let status = StatusCode::PAYLOAD_TOO_LARGE;
            Problem::new(status, "payload_too_large", "Body too large", detail)
        }
        BodyError::TooSlow | BodyError::Broken => {
            let detail = "The lead did not arrive in time; send it again.";
            let status = StatusCode::REQUEST_TIMEOUT;
            Problem::new(status, "body_timeout", "Body incomplete", detail)
        }
    }
}
