//! `Idempotency-Key`: a request that is repeated is answered as it was the first time and does
//! nothing again. Answers from 500 on are not kept, so that the repetition is a new attempt.

use axum::body::Bytes;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use super::caller::Caller;
use super::{Api, answer};
use crate::domain::time::{DAY_SECONDS, Timestamp};
use crate::http::Problem;
use crate::store::idempotency::{
    KeptAnswer, forget_before, keep_answer, release_key, release_stuck, take_key,
};
use crate::store::{StoreError, retry};

const KEY_HEADER: &str = "idempotency-key";
const REPLAYED: &str = "idempotent-replayed";
/// Longest key, in characters.
const KEY_CHARS_MAX: usize = 255;
/// How long answers are kept.
const KEPT_SECONDS: i64 = DAY_SECONDS;
/// A request that is still at work after this long has died with its node.
const STUCK_SECONDS: i64 = 600;
/// Longest answer that is read back to be kept, in bytes; a page of a list is far smaller.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// The key of a request that may carry one.
pub(super) fn key(method: &Method, headers: &HeaderMap) -> Result<Option<String>, Problem> {
    if *method != Method::POST && *method != Method::PUT {
        return Ok(None);
    }
    let Some(value) = headers.get(KEY_HEADER) else {
        return Ok(None);
    };
    let text = value.to_str().unwrap_or("");
    let printable = text.bytes().all(|b| (b' '..=b'~').contains(&b));
    if text.is_empty() || text.len() > KEY_CHARS_MAX || !printable {
        let detail = "The header Idempotency-Key has 1 to 255 printable ASCII characters.";
        return Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "idempotency_key_invalid",
            "Idempotency key not valid",
            detail,
        ));
    }
    Ok(Some(text.to_owned()))
}

/// Refuses a key where the answer holds a secret, which must not be kept.
pub(super) fn unsupported() -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "idempotency_key_unsupported",
        "No Idempotency-Key here",
        "The answer holds a secret that is not kept; leave the header Idempotency-Key out.",
    )
}

/// What makes a request the same request.
pub(super) fn digest(request: &Request, body: &Bytes) -> [u8; 32] {
    let mut hash = Sha256::new();
    let address = request.uri().path_and_query().map_or("", |p| p.as_str());
    for part in [request.method().as_str(), address] {
        hash.update(part);
        hash.update([0]);
    }
    hash.update(body);
    hash.finalize().into()
}

/// Answers as before, or does the work and keeps its answer.
pub(super) async fn once(
    api: &Api,
    caller: &Caller,
    (key, digest): (&str, [u8; 32]),
    work: impl Future<Output = Response>,
) -> Result<Response, Problem> {
    let now = api.app.clock.now();
    if let Some(kept) = take(api, caller, key, &digest, now).await? {
        return replay(&kept, &digest);
    }
    let (parts, body) = work.await.into_parts();
    let body = axum::body::to_bytes(body, ANSWER_BYTES_MAX)
        .await
        .map_err(|_| Problem::internal())?;
    let status = parts.status;
    let kept = retry(|| async {
        let mut tx = api.app.db.begin().await?;
        if status.is_server_error() {
            release_key(&mut tx, &caller.connection, &caller.key_id, key).await?;
        } else {
            let answer = (status.as_u16(), body.as_ref());
            keep_answer(&mut tx, &caller.connection, &caller.key_id, key, answer).await?;
        }
        tx.commit().await
    });
    if let Err(error) = kept.await {
        // The work is done and answered; only its repetition will have to wait.
        tracing::error!(%error, "the answer to an idempotent request was not kept");
    }
    Ok((parts, body).into_response())
}

async fn take(
    api: &Api,
    caller: &Caller,
    key: &str,
    digest: &[u8; 32],
    now: Timestamp,
) -> Result<Option<KeptAnswer>, StoreError> {
    retry(|| async {
        let mut tx = api.app.db.begin().await?;
        let connection = &caller.connection;
        forget_before(&mut tx, connection, now.plus_seconds(-KEPT_SECONDS)).await?;
        release_stuck(&mut tx, connection, now.plus_seconds(-STUCK_SECONDS)).await?;
        let kept = take_key(&mut tx, connection, &caller.key_id, key, digest, now).await?;
        tx.commit().await?;
        Ok(kept)
    })
    .await
}

fn replay(kept: &KeptAnswer, digest: &[u8; 32]) -> Result<Response, Problem> {
    if kept.request_digest != digest {
        let detail = "Another request was sent under this Idempotency-Key; use a new one.";
        return Err(Problem::conflict("idempotency_key_reused", detail));
    }
    let (Some(status), Some(body)) = (kept.status, kept.body.clone()) else {
        let detail = "The first request under this Idempotency-Key is still at work; wait for it.";
        return Err(Problem::conflict("idempotency_in_progress", detail));
    };
    let status = u16::try_from(status).ok();
    let status = status.and_then(|status| StatusCode::from_u16(status).ok());
    let mut response = answer::raw(status.unwrap_or(StatusCode::OK), body);
    let headers = response.headers_mut();
    headers.insert(REPLAYED, HeaderValue::from_static("true"));
    Ok(response)
}
