//! The words of refusals that several resources share, and the one place where errors of the
//! rooms below become problems. What is logged there is not said here.

use axum::http::StatusCode;

use super::BODY_BYTES_MAX;
use crate::http::Problem;
use crate::http::body::BodyError;
use crate::http::words::sentence;
use crate::registry::RegistryError;
use crate::store::StoreError;

/// Seconds after which a database that fails may be tried again.
const RETRY_SECONDS: u32 = 5;

/// 400 on a parameter of the address.
pub(super) fn parameter(name: &str, detail: impl Into<String>) -> Problem {
    let title = "A parameter is not acceptable";
    let problem = Problem::new(StatusCode::BAD_REQUEST, "parameter_invalid", title, detail);
    problem.with("parameter", name)
}

/// 404, in the same words for what is not there and what is not yours.
pub(super) fn not_found(what: &str) -> Problem {
    Problem::not_found(format!("There is no {what} of this id."))
}

/// An error of the database.
pub(super) fn store(error: StoreError) -> Problem {
    match error {
        StoreError::Nul => Problem::field(
            "text_invalid",
            "",
            "A text has a NUL character; leave it out.",
        ),
        StoreError::Taken(_) | StoreError::Stale { .. } => Problem::conflict(
            "changed_meanwhile",
            "It was changed at the same moment; read it again and repeat the request.",
        ),
        error if error.is_unavailable() => {
            tracing::error!(%error, "the database failed a request of the API");
            let detail = "The database does not answer; please repeat the request.";
            Problem::unavailable("database_unavailable", RETRY_SECONDS, detail)
        }
        error => {
            tracing::error!(%error, "a request of the API failed");
            Problem::internal()
        }
    }
}

/// A command that was refused.
pub(super) fn registry(error: RegistryError) -> Problem {
    match error {
        RegistryError::Invalid {
            code,
            pointer,
            message,
        } => Problem::field(code, &pointer, sentence(&message)),
        RegistryError::Conflict { code, message } => Problem::conflict(code, sentence(&message)),
        RegistryError::NotFound(_) => Problem::not_found("There is nothing of this id."),
        RegistryError::Stale => store(StoreError::Stale {
            what: "a command",
            expected: 1,
            seen: 0,
        }),
        RegistryError::Rules(problems) => rules(&problems),
        RegistryError::Store(error) => store(error),
    }
}

/// Every problem of a campaign's rules, with its place in the source.
fn rules(problems: &[crate::rules::Problem]) -> Problem {
    let list: Vec<serde_json::Value> = problems
        .iter()
        .map(|p| {
            serde_json::json!({
                "line": p.line,
                "column": p.column,
                "key": p.key,
                "code": p.code,
                "message": p.message,
            })
        })
        .collect();
    let detail = format!(
        "The rules have {} problem(s), each with its line; `qualify check` shows the same.",
        list.len()
    );
    Problem::field("rules_invalid", "/source", detail).with("problems", list)
}

/// A body that could not be read.
pub(super) fn body(error: BodyError) -> Problem {
    let (status, code, title, detail) = match error {
        BodyError::TooLarge => (
            StatusCode::PAYLOAD_TOO_LARGE,
            "payload_too_large",
            "Body too large",
            format!("A body has at most {BODY_BYTES_MAX} bytes."),
        ),
        BodyError::TooSlow => (
            StatusCode::REQUEST_TIMEOUT,
            "body_timeout",
            "Body too slow",
            "The body did not arrive in time.".to_owned(),
        ),
        BodyError::Broken => (
            StatusCode::BAD_REQUEST,
            "body_incomplete",
            "Body incomplete",
            "The body ended before its announced length.".to_owned(),
        ),
    };
    Problem::new(status, code, title, detail)
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        store(error)
    }
}

impl From<RegistryError> for Problem {
    fn from(error: RegistryError) -> Self {
        registry(error)
    }
}
