//! Who asks: the key of a request, and what it may do. Whether a key's use is noted does not
//! hold up the request.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};

use super::{Api, refusal};
use crate::access::keys::looked_up_by;
use crate::access::request_id;
use crate::domain::access::{Actor, By, Grants, Permission};
use crate::domain::ids::{ConnectionId, KeyId};
use crate::http::Problem;
use crate::store::api_keys::{ApiKey, key_by_hash, touch_key};
use crate::store::retry;

/// A key's use is written down this often at most.
const TOUCH_EVERY_SECONDS: i64 = 60;

/// The key that a request came with.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The connection it opens.
    pub connection: ConnectionId,
    /// The key's id.
    pub key_id: KeyId,
    /// The key as the one who does something.
    pub by: By,
}

impl Caller {
    /// 403 unless the key has this scope.
    pub(super) fn may(&self, scope: Permission) -> Result<(), Problem> {
        if self.by.grants.may(scope) {
            return Ok(());
        }
        let name = scope.name();
        let detail = format!("This key lacks the scope {name}; make a key that has it.");
        let title = "Scope missing";
        let problem = Problem::new(StatusCode::FORBIDDEN, "scope_missing", title, detail);
        Err(problem.with("scope", name))
    }
}

impl FromRequestParts<Arc<Api>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Api>) -> Result<Self, Problem> {
        // Put there by the guard; a route outside of it answers nobody.
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or_else(unauthenticated)
    }
}

/// Finds out whose key it is. A key that is unknown, revoked or malformed is one answer.
pub(super) async fn authenticate(api: &Arc<Api>, headers: &HeaderMap) -> Result<Caller, Problem> {
    let hash = bearer(headers)
        .and_then(looked_up_by)
        .ok_or_else(unauthenticated)?;
    let mut tx = api.app.db.read().await.map_err(refusal::store)?;
    let known = key_by_hash(&mut tx, &hash).await.map_err(refusal::store)?;
    drop(tx);
    let key = known.ok_or_else(unauthenticated)?;
    note_use(api, &key);
    Ok(Caller {
        connection: key.connection_id,
        by: By {
            actor: Actor::Key {
                id: key.key_id.clone(),
                name: key.name,
            },
            grants: Grants::Scopes(key.scopes),
            request: request_id(headers),
        },
        key_id: key.key_id,
    })
}

/// The token of `Authorization: Bearer …`; the scheme in any case (RFC 9110 §11.1).
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| token.trim_start())
}

fn unauthenticated() -> Problem {
    let detail = "Send a key that is in force as `Authorization: Bearer qk_…`; \
                  `qualify key create` makes one.";
    let title = "Not signed in";
    Problem::new(StatusCode::UNAUTHORIZED, "unauthenticated", title, detail)
}

fn note_use(api: &Arc<Api>, key: &ApiKey) {
    let now = api.app.clock.now();
    {
        let Ok(mut noted) = api.noted.lock() else {
            return;
        };
        let last = noted.get(&key.key_id).copied().or(key.last_used_at);
        if last.is_some_and(|last| now.unix().saturating_sub(last) < TOUCH_EVERY_SECONDS) {
            return;
        }
        noted.insert(key.key_id.clone(), now.unix());
    }
    let db = api.app.db.clone();
    let (connection, key_id) = (key.connection_id.clone(), key.key_id.clone());
    tokio::spawn(async move {
        let write = retry(|| async {
            let mut tx = db.begin().await?;
            touch_key(&mut tx, &connection, &key_id, now).await?;
            tx.commit().await
        });
        if let Err(error) = write.await {
            tracing::debug!(%error, "the use of a key was not noted");
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_bearer_token_is_read() {
        let headers = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, value.parse().unwrap());
            headers
        };
        assert_eq!(bearer(&headers("Bearer x")), Some("x"));
        assert_eq!(bearer(&headers("bearer  x")), Some("x"));
        for other in ["x", "Basic x", "Bearer"] {
            assert_eq!(bearer(&headers(other)), None, "{other}");
        }
        assert_eq!(bearer(&HeaderMap::new()), None);
    }
}
