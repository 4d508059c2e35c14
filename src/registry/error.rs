//! Why a command was refused, in words for the person who gave it.

use crate::rules::Problem;
use crate::store::{Passing, StoreError};

/// Why a command was refused. `code` is stable; `pointer` names the field as a JSON pointer.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// A field is not acceptable.
    #[error("{message}")]
    Invalid {
        /// Stable code, such as `email_invalid`.
        code: &'static str,
        /// The field, such as `/email`.
        pointer: String,
        /// What was found, and what is accepted.
        message: String,
    },
    /// It contradicts what is there.
    #[error("{message}")]
    Conflict {
        /// Stable code, such as `coupon_in_use`.
        code: &'static str,
        /// What is there.
        message: String,
    },
    /// Something named in the command does not exist, or is not the caller's.
    #[error("{0} was not found")]
    NotFound(String),
    /// It was changed by somebody else since it was read.
    #[error("it was changed since it was read; read it again and repeat the change")]
    Stale,
    /// A campaign's rules have problems.
    #[error("the rules have {} problem(s); the first: {}", .0.len(), .0.first().map(ToString::to_string).unwrap_or_default())]
    Rules(Vec<Problem>),
    /// The database.
    #[error(transparent)]
    Store(StoreError),
}

impl From<StoreError> for RegistryError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Stale { .. } => Self::Stale,
            other => Self::Store(other),
        }
    }
}

impl Passing for RegistryError {
    fn is_transient(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_transient())
    }
}

impl RegistryError {
    /// A field that is not acceptable.
    pub fn invalid(code: &'static str, pointer: &str, message: impl Into<String>) -> Self {
        Self::Invalid {
            code,
            pointer: pointer.to_owned(),
            message: message.into(),
        }
    }
}
