//! Why a command on webhook endpoints was refused, and how it is answered.

use crate::access::seal::CannotOpen;
use crate::http::Problem;
use crate::http::words::sentence;
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
        match error {
            WebhookError::NoKey => Self::conflict("app_secret_key_missing", words),
            WebhookError::CannotOpen(_) => Self::conflict("app_secret_key_changed", words),
            WebhookError::NotFound(_) => Self::not_found(words),
            WebhookError::Invalid { code, pointer, .. } => Self::field(code, pointer, words),
            WebhookError::Conflict { code, .. } => Self::conflict(code, words),
            WebhookError::Store(error) => error.into(),
            WebhookError::NoChance(error) => {
                tracing::error!(%error, "a request on webhook endpoints failed");
                Self::internal()
            }
        }
    }
}
