//! Delivers the mails that wait: each with a link of its own, made at that moment. A mail that
//! fails is tried again, each time after twice as long, and given up where everybody can see
//! it: in the log, the metrics and the audit log.

use serde_json::json;

use super::mail::{Telling, render};
use super::mailer::{Mailer, MailerError};
use crate::access::AccessError;
use crate::access::audit::{Action, note};
use crate::access::links::{self, MAIL_TOPICS, Mail, MailPayload};
use crate::clock::Clock;
use crate::domain::access::{By, Role};
use crate::domain::ids::{ConnectionId, UserId};
use crate::domain::time::{DAY_SECONDS, Timestamp};
use crate::store::limits::forget_whole;
use crate::store::links::{LinkPurpose, forget_ended_links};
use crate::store::outbox::{OutboxMessage, deliver, fail, take_due};
use crate::store::sessions::forget_ended_sessions;
use crate::store::users::{User, get_user};
use crate::store::{Db, StoreError, retry};
use crate::telemetry::metric;

/// Mails taken at once.
const BATCH: u32 = 20;
/// A mail whose node died while it was sent is due again after this long.
const HELD_SECONDS: i64 = 120;
/// The pause after the first failure; it doubles each time: 30 s, 1 min, 2 min, … 32 min.
const FIRST_PAUSE_SECONDS: i64 = 30;
/// Attempts before a mail is given up: about an hour.
const ATTEMPTS_MAX: i64 = 8;
/// How long links that have ended are remembered, so that they stay known as used.
const LINKS_KEPT_SECONDS: i64 = 30 * DAY_SECONDS;

/// What delivering works with.
#[derive(Debug, Clone, Copy)]
pub struct Post<'a> {
    /// The database.
    pub db: &'a Db,
    /// The connection.
    pub connection: &'a ConnectionId,
    /// Our clock.
    pub clock: &'a dyn Clock,
    /// What the server is reached at.
    pub base_url: &'a str,
    /// The mail server, if there is one.
    pub mailer: Option<&'a Mailer>,
}

/// How one mail ended.
enum Outcome {
    Delivered,
    /// There is nobody to send it to any more.
    Dropped,
    Failed {
        why: String,
        for_good: bool,
    },
}

/// Delivers what is due; how many mails were looked at.
pub async fn deliver_due(post: &Post<'_>) -> Result<usize, StoreError> {
    let due = retry(|| async {
        let now = post.clock.now();
        let again_at = now.plus_seconds(HELD_SECONDS);
        let mut tx = post.db.begin().await?;
        let times = (now, again_at);
        let due = take_due(&mut tx, post.connection, MAIL_TOPICS, times, BATCH).await?;
        tx.commit().await?;
        Ok::<_, StoreError>(due)
    });
    let due = due.await?;
    for message in &due {
        let outcome = one(post, message).await?;
        let result = match &outcome {
            Outcome::Delivered => "delivered",
            Outcome::Dropped => "dropped",
            Outcome::Failed { .. } => "failed",
        };
        metrics::counter!(metric::MAILS, "result" => result).increment(1);
        retry(|| ended(post, message, &outcome)).await?;
    }
    Ok(due.len())
}

async fn one(post: &Post<'_>, message: &OutboxMessage) -> Result<Outcome, StoreError> {
    let mail = Mail::parse(&message.topic);
    let Some((mail, user)) = mail.zip(reader(post, message).await?) else {
        return Ok(Outcome::Dropped);
    };
    let Some(purpose) = mail.purpose(&user) else {
        return Ok(Outcome::Dropped);
    };
    // Whoever asked to sign in an hour ago has given up waiting.
    let asked_at = Timestamp::from_unix(message.created_at).unwrap_or_default();
    let asked_by_themselves = purpose != LinkPurpose::Invitation;
    if asked_by_themselves
        && asked_at.plus_seconds(links::lasts(LinkPurpose::Reset)) < post.clock.now()
    {
        return Ok(Outcome::Dropped);
    }
    if post.mailer.is_none() && user.role != Role::Owner {
        tracing::warn!(
            user = user.id.as_str(),
            "there is no mail server (SMTP_URL); `qualify user link` prints a link by hand"
        );
        return Ok(no_server());
    }
    let link = match link(post, purpose, &user.id).await {
        Ok(link) => link,
        Err(AccessError::Store(error)) => return Err(error),
        Err(error) => return Ok(failed(error.to_string(), false)),
    };
    let Some(mailer) = post.mailer else {
        // Whoever reads the log of the server has the server.
        tracing::warn!(
            user = user.id.as_str(),
            link,
            "no mail server (SMTP_URL): an owner's link"
        );
        return Ok(Outcome::Delivered);
    };
    let payload: Option<MailPayload> = serde_json::from_str(&message.payload).ok();
    let inviter = payload.and_then(|payload| payload.inviter);
    let telling = Telling {
        purpose,
        name: &user.name,
        role: user.role,
        inviter: inviter.as_deref(),
        link: &link,
        ends_at: post.clock.now().plus_seconds(links::lasts(purpose)),
        base_url: post.base_url,
    };
    match mailer.send(&user.email, &render(&telling)).await {
        Ok(()) => Ok(Outcome::Delivered),
        Err(error) => {
            let for_good = !matches!(error, MailerError::Later(_));
            Ok(failed(error.to_string(), for_good))
        }
    }
}

fn no_server() -> Outcome {
    failed("there is no mail server; set SMTP_URL".to_owned(), true)
}

fn failed(why: String, for_good: bool) -> Outcome {
    Outcome::Failed { why, for_good }
}

async fn reader(post: &Post<'_>, message: &OutboxMessage) -> Result<Option<User>, StoreError> {
    let mut tx = post.db.read().await?;
    let id = UserId::from(message.subject_id.as_str());
    let user = get_user(&mut tx, post.connection, &id).await?;
    tx.rollback().await?;
    Ok(user)
}

async fn link(post: &Post<'_>, purpose: LinkPurpose, user: &UserId) -> Result<String, AccessError> {
    retry(|| async {
        let mut tx = post.db.begin().await?;
        let wanted = (purpose, Some(user));
        let token = links::make(&mut tx, post.connection, wanted, post.clock.now()).await?;
        tx.commit().await?;
        Ok(links::address(post.base_url, &token))
    })
    .await
}

async fn ended(
    post: &Post<'_>,
    message: &OutboxMessage,
    outcome: &Outcome,
) -> Result<(), StoreError> {
    let (id, now) = (&message.outbox_id, post.clock.now());
    let mut tx = post.db.begin().await?;
    match outcome {
        Outcome::Delivered | Outcome::Dropped => {
            deliver(&mut tx, post.connection, id, now).await?;
        }
        Outcome::Failed { why, for_good } => {
            let again_at = again_at(message.attempts, now).filter(|_| !for_good);
            fail(&mut tx, post.connection, id, why, again_at).await?;
            tracing::warn!(
                user = message.subject_id,
                topic = message.topic,
                attempts = message.attempts,
                error = why,
                given_up = again_at.is_none(),
                "a mail was not delivered"
            );
            if again_at.is_none() {
                let what = json!({
                    "topic": message.topic, "attempts": message.attempts, "why": why,
                });
                let entry = (
                    Action::MailFailed,
                    format!("user:{}", message.subject_id),
                    what,
                );
                let now_us = post.clock.now_us();
                note(&mut tx, post.connection, now_us, &By::system(), entry).await?;
            }
        }
    }
    tx.commit().await
}

/// When a mail is tried again after so many attempts; `None` if it is given up.
fn again_at(attempts: i64, now: Timestamp) -> Option<Timestamp> {
    if attempts >= ATTEMPTS_MAX {
        return None;
    }
    let doubled = u32::try_from(attempts.saturating_sub(1)).unwrap_or(0);
    let pause = FIRST_PAUSE_SECONDS.saturating_mul(2_i64.saturating_pow(doubled));
    Some(now.plus_seconds(pause))
}

/// Forgets what nobody needs any more: sessions and links that have ended, limits that are
/// whole. Mails of last month go with the other messages, in `webhooks::tidy`.
pub async fn tidy(db: &Db, connection: &ConnectionId, clock: &dyn Clock) -> Result<(), StoreError> {
    retry(|| async {
        let now = clock.now();
        let mut tx = db.begin().await?;
        forget_ended_sessions(&mut tx, connection, now).await?;
        let links_before = now.plus_seconds(-LINKS_KEPT_SECONDS);
        forget_ended_links(&mut tx, connection, links_before).await?;
        forget_whole(&mut tx, connection, clock.now_us()).await?;
        tx.commit().await
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_and_end() {
        let now = Timestamp::default();
        let pauses: Vec<Option<i64>> = (1..=ATTEMPTS_MAX)
            .map(|attempts| again_at(attempts, now).map(Timestamp::unix))
            .collect();
        let expected = [30, 60, 120, 240, 480, 960, 1920].map(Some);
        assert_eq!(pauses, [&expected[..], &[None]].concat());
    }
}
