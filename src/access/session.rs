//! Sessions: the cookie, who it is, and how a session begins and ends. The token is new at
//! every sign-in, whatever the browser brought; only its hash is kept.

use axum::http::header::COOKIE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use serde_json::json;

use super::audit::{Action, note};
use super::token::{draw, looked_up_by};
use super::visitor::{Visitor, request_id};
use super::{Access, AccessError};
use crate::domain::access::{By, Role, Signed};
use crate::domain::ids::{SessionId, UserId};
use crate::domain::time::{DAY_SECONDS, Timestamp};
use crate::http::server::Peer;
use crate::store::sessions::{
    InForce, Session, end_session, end_session_by_hash, end_sessions_of, insert_session,
    session_by_hash, sessions_of_user, touch_session,
};
use crate::store::users::{User, note_sign_in};
use crate::store::{StoreError, Tx, retry};

/// A browser takes a cookie of this prefix only over TLS, for this host and every path
/// (RFC 6265bis §4.1.3.2); over plain HTTP on one's own machine there is no such thing.
const COOKIE_SECURE: &str = "__Host-qualify_session";
const COOKIE_PLAIN: &str = "qualify_session";
/// A session's use is written down this often at most.
const TOUCH_EVERY_SECONDS: i64 = 60;

/// How long a session lasts.
struct Life {
    /// Unused.
    idle_seconds: i64,
    /// In any case.
    seconds: i64,
}

/// People who can change something come in again every week; promoters look now and then.
const fn life(role: Role) -> Life {
    match role {
        Role::Promoter => Life {
            idle_seconds: 14 * DAY_SECONDS,
            seconds: 30 * DAY_SECONDS,
        },
        Role::Owner | Role::Admin | Role::Marketer | Role::Viewer => Life {
            idle_seconds: DAY_SECONDS / 2,
            seconds: 7 * DAY_SECONDS,
        },
    }
}

/// A session that has begun.
#[derive(Debug, Clone)]
pub struct Started {
    /// The value of the answer's `Set-Cookie`.
    pub cookie: HeaderValue,
    /// Who is signed in.
    pub signed: Signed,
}

impl Access {
    /// Who knocks with this request.
    pub fn visitor(&self, parts: &Parts) -> Visitor {
        let peer = parts.extensions.get::<Peer>();
        let peer = peer.map_or(std::net::Ipv4Addr::UNSPECIFIED.into(), |peer| peer.0.ip());
        Visitor {
            address: self.proxies.origin(peer, &parts.headers),
            request: request_id(&parts.headers),
            token: self.token(&parts.headers),
        }
    }

    /// Who is signed in with this request's cookie, if anybody is.
    pub async fn signed(&self, headers: &HeaderMap) -> Result<Option<Signed>, StoreError> {
        let Some(hash) = self.token(headers) else {
            return Ok(None);
        };
        let now = self.clock.now();
        let mut tx = self.db.read().await?;
        let found = session_by_hash(&mut tx, &hash, now).await?;
        tx.rollback().await?;
        // A database may hold several connections; a session of another is none here.
        let found = found.filter(|found| found.signed.connection == self.connection);
        if let Some(found) = &found {
            self.note_use(found, now);
        }
        Ok(found.map(|found| found.signed))
    }

    /// The hash of the cookie's token.
    fn token(&self, headers: &HeaderMap) -> Option<[u8; 32]> {
        let name = self.cookie_name();
        let mut pairs = headers
            .get_all(COOKIE)
            .iter()
            .filter_map(|cookies| cookies.to_str().ok())
            .flat_map(|cookies| cookies.split(';'))
            .filter_map(|pair| pair.trim().split_once('='));
        let (_, token) = pairs.find(|(found, _)| *found == name)?;
        looked_up_by(token)
    }

    fn cookie_name(&self) -> &'static str {
        if self.is_secure() {
            COOKIE_SECURE
        } else {
            COOKIE_PLAIN
        }
    }

    fn cookie(&self, token: &str, seconds: i64) -> HeaderValue {
        let secure = if self.is_secure() { "; Secure" } else { "" };
        let name = self.cookie_name();
        let text =
            format!("{name}={token}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}{secure}");
        HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""))
    }

    /// Beside the request, which does not wait for it.
    fn note_use(&self, found: &InForce, now: Timestamp) {
        if now.unix().saturating_sub(found.seen_at) < TOUCH_EVERY_SECONDS {
            return;
        }
        let (db, signed) = (self.db.clone(), found.signed.clone());
        let idle = now.plus_seconds(life(signed.role).idle_seconds);
        tokio::spawn(async move {
            let write = retry(|| async {
                let mut tx = db.begin().await?;
                touch_session(&mut tx, &signed.connection, &signed.session, now, idle).await?;
                tx.commit().await
            });
            if let Err(error) = write.await {
                tracing::debug!(%error, "the use of a session was not noted");
            }
        });
    }

    /// Begins a session in a transaction of the caller's, and ends the one they brought.
    pub(super) async fn begin(
        &self,
        tx: &mut Tx,
        user: &User,
        visitor: &Visitor,
        how: &'static str,
    ) -> Result<Started, AccessError> {
        let now = self.clock.now();
        if let Some(old) = &visitor.token {
            end_session_by_hash(tx, old).await?;
        }
        let (token, hash) = draw()?;
        let life = life(user.role);
        let digest = hex::encode(hash);
        let session = Session {
            session_id: SessionId::new(format!("ses_{}", digest.get(..20).unwrap_or(&digest))),
            user_id: user.id.clone(),
            created_at: now.unix(),
            seen_at: now.unix(),
            idle_ends_at: now.plus_seconds(life.idle_seconds).unix(),
            ends_at: now.plus_seconds(life.seconds).unix(),
        };
        insert_session(tx, &self.connection, &hash, &session).await?;
        note_sign_in(tx, &self.connection, &user.id, now).await?;
        let signed = Signed {
            user: user.id.clone(),
            name: user.name.clone(),
            email: user.email.clone(),
            role: user.role,
            connection: self.connection.clone(),
            promoter: user.promoter.clone(),
            session: session.session_id,
        };
        let by = signed.by(visitor.request.clone());
        let what = json!({ "session": signed.session.as_str(), "how": how });
        let subject = format!("user:{}", user.id);
        let entry = (Action::SignedIn, subject, what);
        note(tx, &self.connection, self.clock.now_us(), &by, entry).await?;
        let cookie = self.cookie(&token, life.seconds);
        Ok(Started { cookie, signed })
    }

    /// Ends this session; the answer's `Set-Cookie`, which takes the cookie away.
    pub async fn sign_out(&self, signed: &Signed, by: &By) -> Result<HeaderValue, AccessError> {
        let entry = || {
            let subject = format!("user:{}", signed.user);
            let what = json!({ "session": signed.session.as_str() });
            (Action::SignedOut, subject, what)
        };
        retry(|| async {
            let mut tx = self.db.begin().await?;
            if end_session(&mut tx, &self.connection, &signed.session).await? {
                note(&mut tx, &self.connection, self.clock.now_us(), by, entry()).await?;
            }
            tx.commit().await
        })
        .await?;
        Ok(self.cookie("", 0))
    }

    /// Ends every session of theirs, this one included.
    pub async fn sign_out_everywhere(
        &self,
        signed: &Signed,
        by: &By,
    ) -> Result<HeaderValue, AccessError> {
        retry(|| async {
            let mut tx = self.db.begin().await?;
            let ended = end_sessions_of(&mut tx, &self.connection, &signed.user).await?;
            let subject = format!("user:{}", signed.user);
            let entry = (Action::SignedOut, subject, json!({ "sessions": ended }));
            note(&mut tx, &self.connection, self.clock.now_us(), by, entry).await?;
            tx.commit().await
        })
        .await?;
        Ok(self.cookie("", 0))
    }

    /// The sessions of a person, the newest first.
    pub async fn sessions(&self, user: &UserId) -> Result<Vec<Session>, AccessError> {
        let mut tx = self.db.read().await?;
        Ok(sessions_of_user(&mut tx, &self.connection, user).await?)
    }
}
