//! API keys: how they look, how they are made and taken back. A key is shown once, when it is
//! made; only its SHA-256 is kept.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use serde_json::json;

use super::audit::{Action, note};
use crate::clock::Clock;
use crate::domain::access::{By, EVERYTHING, Permission, is_scope};
use crate::domain::ids::{ConnectionId, KeyId};
use crate::store::api_keys::{ApiKey, insert_key, list_keys, revoke_key};
use crate::store::{Db, StoreError, retry};

/// What every key begins with, so that people and scanners know one when they see it.
pub const PREFIX: &str = "qk_";
/// Characters behind the prefix: 256 bits as base64url without padding (RFC 4648 §5).
const CHARACTERS: usize = 43;
/// Longest name, in characters.
const NAME_CHARS_MAX: usize = 120;

/// Why a key could not be made.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Not a name.
    #[error("a key's name has 1 to 120 characters and no control characters")]
    Name,
    /// No scopes at all.
    #[error("a key needs at least one scope; there are: {all}", all = names())]
    NoScopes,
    /// A scope that does not exist.
    #[error("there is no scope `{0}`; there are: {all}", all = names())]
    UnknownScope(String),
    /// A scope that whoever makes the key does not have.
    #[error("nobody gives what they do not have, and `{0}` is not among your permissions")]
    NotYours(String),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn names() -> String {
    let names = Permission::ALL.iter().filter(|scope| scope.is_for_keys());
    let names: Vec<&str> = names.map(|scope| scope.name()).collect();
    format!("{}, {EVERYTHING}", names.join(", "))
}

/// A new key, the only time that it can be seen.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// What is kept of it.
    pub stored: ApiKey,
    /// The key itself.
    pub key: String,
}

/// Makes a key from 256 bits of chance. Nobody gives scopes that they do not have.
pub async fn create(
    db: &Db,
    connection: &ConnectionId,
    clock: &dyn Clock,
    chance: [u8; 32],
    (name, scopes): (&str, &[String]),
    by: &By,
) -> Result<NewKey, KeyError> {
    let name = name.trim();
    if name.is_empty()
        || name.chars().count() > NAME_CHARS_MAX
        || name.chars().any(char::is_control)
    {
        return Err(KeyError::Name);
    }
    let scopes = wanted(scopes, by)?;
    let key = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(chance));
    let hash = hash(&key);
    let digest = hex::encode(hash);
    let stored = ApiKey {
        connection_id: connection.clone(),
        key_id: KeyId::new(format!("key_{}", digest.get(..16).unwrap_or(&digest))),
        name: name.to_owned(),
        hash: hash.to_vec(),
        scopes: scopes.join(" "),
        created_at: clock.now().unix(),
        last_used_at: None,
        revoked_at: None,
    };
    retry(|| async {
        let mut tx = db.begin().await?;
        insert_key(&mut tx, &stored).await?;
        let what = json!({ "name": stored.name, "scopes": scopes });
        let entry = (Action::KeyCreated, format!("key:{}", stored.key_id), what);
        note(&mut tx, connection, clock.now_us(), by, entry).await?;
        tx.commit().await
    })
    .await?;
    Ok(NewKey { stored, key })
}

/// The scopes that were asked for, each once and in order.
fn wanted<'s>(scopes: &'s [String], by: &By) -> Result<Vec<&'s str>, KeyError> {
    let mut scopes: Vec<&str> = scopes.iter().map(|scope| scope.trim()).collect();
    scopes.retain(|scope| !scope.is_empty());
    scopes.sort_unstable();
    scopes.dedup();
    if scopes.is_empty() {
        return Err(KeyError::NoScopes);
    }
    if let Some(unknown) = scopes.iter().find(|scope| !is_scope(scope)) {
        return Err(KeyError::UnknownScope((*unknown).to_owned()));
    }
    match scopes.iter().find(|scope| !by.grants.may_give_scope(scope)) {
        Some(other) => Err(KeyError::NotYours((*other).to_owned())),
        None => Ok(scopes),
    }
}

/// Every key of a connection, newest first.
pub async fn list(db: &Db, connection: &ConnectionId) -> Result<Vec<ApiKey>, StoreError> {
    let mut tx = db.read().await?;
    list_keys(&mut tx, connection).await
}

/// Takes a key back at once; whether there was one to take back.
pub async fn revoke(
    db: &Db,
    connection: &ConnectionId,
    clock: &dyn Clock,
    key_id: &KeyId,
    by: &By,
) -> Result<bool, StoreError> {
    retry(|| async {
        let mut tx = db.begin().await?;
        let revoked = revoke_key(&mut tx, connection, key_id, clock.now()).await?;
        if revoked {
            let entry = (Action::KeyRevoked, format!("key:{key_id}"), json!({}));
            note(&mut tx, connection, clock.now_us(), by, entry).await?;
        }
        tx.commit().await?;
        Ok(revoked)
    })
    .await
}

/// The hash under which a key is looked up; `None` for text that cannot be a key.
pub fn looked_up_by(text: &str) -> Option<[u8; 32]> {
    let rest = text.strip_prefix(PREFIX)?;
    let is_key = rest.len() == CHARACTERS
        && rest
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    is_key.then(|| hash(text))
}

fn hash(key: &str) -> [u8; 32] {
    Sha256::digest(key).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_looks_like_a_key_is_looked_up() {
        let key = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode([0xfb; 32]));
        assert_eq!(key.len(), PREFIX.len() + CHARACTERS);
        assert!(looked_up_by(&key).is_some());
        for other in [
            "",
            "qk_",
            key.strip_prefix(PREFIX).unwrap(),
            &key[..45],
            &format!("{key}A"),
            &key.replace('-', "+"),
            &key.to_uppercase(),
        ] {
            assert!(looked_up_by(other).is_none(), "{other}");
        }
    }
}
