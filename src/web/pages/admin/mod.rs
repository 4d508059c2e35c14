//! What admins work with: the inbox of cases and the conflict desk, events and near misses.

pub mod case;
mod case_parts;
pub mod cases;
mod effects;
pub mod event;
pub mod events;
pub mod near_miss;
pub mod near_misses;
mod pretty;
#[cfg(test)]
mod samples;
mod stake;
mod words;

use crate::http::Problem;
use crate::registry::RegistryError;

/// What a refused command says to somebody who may try again, as a sentence; what nobody can
/// mend on the page is a problem.
pub(crate) fn refusal(error: RegistryError) -> Result<String, Problem> {
    match error {
        RegistryError::Invalid { message, .. } | RegistryError::Conflict { message, .. } => {
            Ok(words::sentence(&message))
        }
        RegistryError::Stale => {
            let words = "It was changed at the same moment. Look at it again before you decide.";
            Ok(words.to_owned())
        }
        other => Err(other.into()),
    }
}
