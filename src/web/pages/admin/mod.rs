//! What admins and those who run it work with: the inbox of cases and the conflict desk, events,
//! near misses; batches, users, keys, the audit log, the doctor.

pub mod audit;
mod audit_words;
pub mod batch;
pub mod batch_run;
pub mod batches;
pub mod case;
mod case_parts;
pub mod cases;
pub mod doctor;
mod effects;
pub mod event;
pub mod events;
mod items;
pub mod keys;
pub mod near_miss;
pub mod near_misses;
mod pretty;
#[cfg(test)]
mod samples;
mod stake;
pub mod user;
pub mod users;
pub mod webhook;
pub mod webhooks;
pub(in crate::web::pages) mod words;

use std::collections::BTreeMap;

use crate::domain::ids::{ConnectionId, UserId};
use crate::http::Problem;
use crate::http::words::sentence;
use crate::registry::RegistryError;
use crate::store::api_keys::list_keys;
use crate::store::users::load_users;
use crate::store::{StoreError, Tx};

/// What a refused command says to somebody who may try again, as a sentence; what nobody can
/// mend on the page is a problem.
pub(crate) fn refusal(error: RegistryError) -> Result<String, Problem> {
    match error {
        RegistryError::Invalid { message, .. } | RegistryError::Conflict { message, .. } => {
            Ok(sentence(&message))
        }
        RegistryError::Stale => {
            let words = "It was changed at the same moment. Look at it again before you decide.";
            Ok(words.to_owned())
        }
        other => Err(other.into()),
    }
}

/// What people call those who did something, by the id that the audit log has.
pub(crate) async fn names_of<'a>(
    tx: &mut Tx,
    connection: &ConnectionId,
    actors: impl Iterator<Item = &'a str>,
) -> Result<BTreeMap<String, String>, StoreError> {
    let mut users: Vec<UserId> = Vec::new();
    let mut has_keys = false;
    for actor in actors {
        match actor.split_once(':') {
            Some(("user", id)) => users.push(id.into()),
            Some(("key", _)) => has_keys = true,
            _ => {}
        }
    }
    users.sort_unstable();
    users.dedup();
    let people = load_users(tx, connection, &users).await?;
    let people = people
        .into_iter()
        .map(|user| (format!("user:{}", user.id), user.name));
    let mut names: BTreeMap<String, String> = people.collect();
    if has_keys {
        let keys = list_keys(tx, connection).await?.into_iter();
        names.extend(keys.map(|key| {
            let name = format!("API key {}", key.name);
            (format!("key:{}", key.key_id), name)
        }));
    }
    names.insert("command_line".to_owned(), "The command line".to_owned());
    names.insert("system".to_owned(), "qualify itself".to_owned());
    Ok(names)
}

/// Somebody's name, or the id if nobody has it any more.
pub(crate) fn name_of(names: &BTreeMap<String, String>, actor: &str) -> String {
    names
        .get(actor)
        .cloned()
        .unwrap_or_else(|| actor.to_owned())
}
