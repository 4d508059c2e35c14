//! Why a sign-in or a command on users and keys was refused, and how it is answered.

use axum::http::StatusCode;

use crate::domain::access::Permission;
use crate::http::Problem;
use crate::http::words::sentence;
use crate::random::NoChance;
use crate::store::{Passing, StoreError};

/// Why it was refused.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// Unknown, wrong password, no password, invited only or deactivated: one answer for all.
    #[error("email or password is not right")]
    Refused,
    /// The link is unknown, used or too old: one answer for all.
    #[error("this link is used or too old; ask for a new one")]
    LinkGone,
    /// Too often.
    #[error("too many attempts; try again in {seconds} seconds")]
    Limited {
        /// Seconds after which to try again.
        seconds: u32,
    },
    /// A field is not acceptable.
    #[error("{message}")]
    Invalid {
        /// Stable code, such as `password_short`.
        code: &'static str,
        /// The field, such as `/password`.
        pointer: &'static str,
        /// What is accepted.
        message: String,
    },
    /// It contradicts what is there.
    #[error("{message}")]
    Conflict {
        /// Stable code, such as `last_owner`.
        code: &'static str,
        /// What is there.
        message: String,
    },
    /// They may not do this.
    #[error("{0}")]
    Forbidden(&'static str),
    /// There is no such user, key or promoter.
    #[error("there is no {0} of this id")]
    NotFound(&'static str),
    /// No random bytes.
    #[error(transparent)]
    NoChance(#[from] NoChance),
    /// A password could not be hashed.
    #[error("the password could not be hashed")]
    Hash,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl AccessError {
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

impl Passing for AccessError {
    fn is_transient(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_transient())
    }
}

impl From<AccessError> for Problem {
    fn from(error: AccessError) -> Self {
        let words = sentence(&error.to_string());
        match error {
            AccessError::Refused => Self::new(
                StatusCode::UNAUTHORIZED,
                "sign_in_refused",
                "Not signed in",
                words,
            ),
            AccessError::LinkGone => Self::new(StatusCode::GONE, "link_gone", "Link gone", words),
            AccessError::Limited { seconds } => Self {
                retry_after: Some(seconds),
                ..Self::new(
                    StatusCode::TOO_MANY_REQUESTS,
                    "rate_limited",
                    "Too many attempts",
                    words,
                )
            },
            AccessError::Invalid { code, pointer, .. } => Self::field(code, pointer, words),
            AccessError::Conflict { code, .. } => Self::conflict(code, words),
            AccessError::Forbidden(_) => {
                Self::new(StatusCode::FORBIDDEN, "forbidden", "Not allowed", words)
            }
            AccessError::NotFound(_) => Self::not_found(words),
            AccessError::Store(error) => error.into(),
            AccessError::NoChance(_) | AccessError::Hash => {
                tracing::error!(error = words, "a request of access failed");
                Self::internal()
            }
        }
    }
}

/// Why the guard let a request go no further.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Denied {
    /// Nobody is signed in.
    SignIn,
    /// Somebody is, without this permission.
    Forbidden(Permission),
    /// A form of another site, or of none.
    CrossSite,
    /// The address takes other methods only.
    Method,
    /// The database did not say who it is.
    Unavailable,
}

impl From<Denied> for Problem {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::SignIn => Self::new(
                StatusCode::UNAUTHORIZED,
                "unauthenticated",
                "Not signed in",
                "Sign in first.",
            ),
            Denied::Forbidden(permission) => {
                let name = permission.name();
                let detail =
                    format!("Your role does not include {name}; an owner can change that.");
                Self::new(StatusCode::FORBIDDEN, "forbidden", "Not allowed", detail)
                    .with("permission", name)
            }
            Denied::CrossSite => Self::new(
                StatusCode::FORBIDDEN,
                "cross_site",
                "Not from this site",
                "The request does not come from a page of this site; open the page and repeat it.",
            ),
            Denied::Method => Self::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                "Method not allowed",
                "This address does not take this method.",
            ),
            Denied::Unavailable => Self::unavailable(
                "database_unavailable",
                5,
                "The database does not answer; please repeat the request.",
            ),
        }
    }
}
