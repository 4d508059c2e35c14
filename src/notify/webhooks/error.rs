//! Why a command on webhook endpoints was refused, and how it is answered.

use axum::http::StatusCode;

use crate::access::seal::CannotOpen;
use crate::http::Problem;
use crate::random::NoChance;
use crate::store::{Passing, StoreError};

/// Why it was refused.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// Secrets cannot be kept.
    #[error(
        "signing secrets are kept encrypted, and there is nothing to encrypt them with; set \
         APP_SECRET_KEY to at least 32 random characters (`openssl rand -hex 32`) and restart"
    )]
    NoKey,
    /// The secret was stored under another key.
    #[error(
        "the signing secret was stored under another APP_SECRET_KEY; set that one again, or \
         rotate the secret"
    )]
    CannotOpen(#[from] CannotOpen),
    /// There is none.
    #[error("there is no {0} of this id")]
    NotFound(&'static str),
    /// A field is not acceptable.
    #[error("{message}")]
    Invalid {
        /// Stable code, such as `url_invalid`.
        code: &'static str,
        /// The field, such as `/url`.
        pointer: &'static str,
        /// What is accepted.
        message: String,
    },
    /// It contradicts what is there.
    #[error("{message}")]
    Conflict {
        /// Stable code, such as `delivery_waiting`.
        code: &'static str,
        /// What is there.
        message: String,
    },
    /// No random bytes.
    #[error(transparent)]
    NoChance(#[from] NoChance),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl WebhookError {
    pub(super) fn invalid(
        code: &'static str,
        pointer: &'static str,
        message: impl Into<String>,
    ) -> Self {
        Self::Invalid {
            code,
            pointer,
            message: message.into(),
        }
    }

    pub(super) fn conflict(code: &'static str, message: impl Into<String>) -> Self {
        Self::Conflict {
            code,
            message: message.into(),
        }
    }
}

impl Passing for WebhookError {
    fn is_transient(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_transient())
    }
}

impl From<WebhookError> for Problem {
    fn from(error: WebhookError) -> Self {
        let words = sentence(&error.to_string());
        let conflict = |code, words| {
            let title = "It contradicts what is there";
            Self::new(StatusCode::CONFLICT, code, title, words)
        };
        match error {
            WebhookError::NoKey => conflict("app_secret_key_missing", words),
            WebhookError::CannotOpen(_) => conflict("app_secret_key_changed", words),
            WebhookError::NotFound(_) => Self::not_found(words),
            WebhookError::Invalid { code, pointer, .. } => {
                let title = "A field is not acceptable";
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, title, words).at(pointer)
            }
            WebhookError::Conflict { code, .. } => conflict(code, words),
            WebhookError::Store(StoreError::Stale { .. }) => {
                let words = "It was changed at the same moment; read it again and repeat.";
                conflict("changed_meanwhile", words.to_owned())
            }
            WebhookError::Store(error) => {
                tracing::error!(%error, "a request on webhook endpoints failed");
                if error.is_unavailable() {
                    let words = "The database does not answer; please repeat the request.";
                    return Self::unavailable("database_unavailable", 5, words);
                }
                Self::internal()
            }
            WebhookError::NoChance(error) => {
                tracing::error!(%error, "a request on webhook endpoints failed");
                Self::internal()
            }
        }
    }
}

/// An error's words as a sentence.
pub fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    let first = letters.next().map(|c| c.to_ascii_uppercase());
    let end = if words.ends_with('.') { "" } else { "." };
    first
        .into_iter()
        .chain(letters)
        .chain(end.chars())
        .collect()
}
