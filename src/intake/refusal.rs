//! The words of every refusal of the webhook endpoint. Statuses follow what Stripe does with
//! them: 4xx means this will never do, 503 means please send it again.

use axum::http::StatusCode;

use super::BODY_BYTES_MAX;
use super::writer::Refused;
use crate::http::Problem;
use crate::http::body::BodyError;
use crate::http::words::sentence;
use crate::stripe::EnvelopeError;
use crate::stripe::signature::SignatureError;

/// Seconds after which a busy or failing server may be tried again.
const RETRY_SECONDS: u32 = 5;
/// Seconds after which a server without a secret may have one.
const RETRY_UNCONFIGURED_SECONDS: u32 = 60;

pub(super) fn unknown_connection() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "connection_unknown",
        "Unknown connection",
        "There is no connection at this address; check the webhook endpoint's URL in Stripe.",
    )
}

pub(super) fn secret_missing() -> Problem {
    Problem::unavailable(
        "webhook_secret_missing",
        RETRY_UNCONFIGURED_SECONDS,
        "No signing secret is configured, so nothing can be verified; set STRIPE_WEBHOOK_SECRET \
         to the endpoint's whsec_… secret and restart.",
    )
}

pub(super) fn shutting_down() -> Problem {
    Problem::unavailable(
        "shutting_down",
        RETRY_SECONDS,
        "This server is shutting down; please send the event again.",
    )
}

pub(super) fn encoded() -> Problem {
    Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "encoding_unsupported",
        "Compressed body",
        "The body has a Content-Encoding; signatures are made over the plain bytes, and Stripe \
         sends them plain. Check what compresses requests on the way.",
    )
}

pub(super) fn signature(error: &SignatureError) -> Problem {
    let title = match error {
        SignatureError::Missing => "No signature",
        SignatureError::Malformed(_) => "Malformed signature",
        SignatureError::Mismatch => "Wrong signature",
        SignatureError::Expired { .. } => "Signature too old",
    };
    Problem::new(
        StatusCode::BAD_REQUEST,
        error.code(),
        title,
        sentence(&error.to_string()),
    )
}

pub(super) fn foreign(error: &EnvelopeError) -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        error.code(),
        "Not a webhook of Stripe's own",
        sentence(&error.to_string()),
    )
}

pub(super) fn body(error: BodyError) -> Problem {
    match error {
        BodyError::TooLarge => Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "payload_too_large",
            "Body too large",
            format!("The body is longer than {BODY_BYTES_MAX} bytes; no Stripe event is."),
        ),
        BodyError::TooSlow => Problem::new(
            StatusCode::REQUEST_TIMEOUT,
            "body_timeout",
            "Body too slow",
            "The body did not arrive in time; please send it again.",
        ),
        BodyError::Broken => Problem::new(
            StatusCode::BAD_REQUEST,
            "body_incomplete",
            "Body incomplete",
            "The body ended before its announced length; please send it again.",
        ),
    }
}

pub(super) fn not_stored(refused: Refused) -> Problem {
    let (code, detail) = match refused {
        Refused::QueueFull => (
            "queue_full",
            "More events arrive than can be stored; please send this one again.",
        ),
        Refused::Database => (
            "database_unavailable",
            "The event could not be stored; please send it again.",
        ),
        Refused::Stopped => return shutting_down(),
    };
    Problem::unavailable(code, RETRY_SECONDS, detail)
}
