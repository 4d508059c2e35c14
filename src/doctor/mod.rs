//! The doctor: one list of checks for the command line, the API and the page. What is looked at
//! is gathered first ([`stored`], [`asked`]); each check then says what it means, and is pure.

pub mod asked;
mod checks;
pub mod finding;
mod lately;
pub mod stored;

use std::time::Duration;

pub use checks::Seen;
pub use finding::{Area, Counts, Finding, Reach, Report, State};
pub use lately::Lately;

use crate::clock::Clock;
use crate::config::Config;
use crate::domain::campaign::Mode;
use crate::domain::ids::{ConnectionId, EventId};
use crate::store::events::event_summaries;
use crate::store::{Db, StoreError};
use asked::{Asked, NotAsked};
use checks::{Key, Settings};
use lately::Question;
use stored::{Stored, gather};

/// What is looked at.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The settings.
    pub config: &'a Config,
    /// The database.
    pub db: &'a Db,
    /// The connection that the settings are of.
    pub connection: &'a ConnectionId,
    /// Our clock.
    pub clock: &'a dyn Clock,
    /// What Stripe answered of late.
    pub lately: &'a Lately,
}

/// Whether Stripe is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// Only what is stored is looked at.
    Nobody,
    /// All questions together take no longer than this.
    Within(Duration),
}

/// Runs every check.
pub async fn run(subject: &Subject<'_>, whom: Ask) -> Result<Report, StoreError> {
    let now = subject.clock.now();
    let mode = subject.config.stripe.mode;
    let schedule = &subject.config.settle_cron.schedule;
    let mut tx = subject.db.read().await?;
    let stored = gather(&mut tx, subject.connection, mode, schedule, now).await?;
    // Not held while somebody else is waited for.
    tx.rollback().await?;
    let asked = consult(subject, whom, &stored).await?;
    let seen = Seen {
        now,
        settings: settings(subject),
        stored,
        asked,
    };
    let asked_at = match &seen.asked {
        Asked::Not(_) => None,
        Asked::Yes(answers) => Some(answers.at),
    };
    let reach = match &seen.asked {
        Asked::Not(_) => Reach::NotAsked,
        Asked::Yes(answers) if answers.unreachable().is_some() => Reach::Unreachable,
        Asked::Yes(_) => Reach::Asked,
    };
    Ok(Report::new(now, (reach, asked_at), checks::all(&seen)))
}

async fn consult(subject: &Subject<'_>, whom: Ask, stored: &Stored) -> Result<Asked, StoreError> {
    let Some(key) = &subject.config.stripe.api_key else {
        return Ok(Asked::Not(NotAsked::NoKey));
    };
    let Ask::Within(patience) = whom else {
        return Ok(Asked::Not(NotAsked::Offline));
    };
    let question = Question {
        base: &subject.config.stripe.api_base,
        // Exposed to be sent to Stripe, and to nobody else.
        key: key.expose(),
        coupons: &stored.coupons,
        patience,
    };
    let mut answers = subject.lately.ask(question, subject.clock).await;
    if let Ok(events) = &answers.undelivered {
        let ids: Vec<EventId> = events.data.iter().map(|e| e.id.as_str().into()).collect();
        let mut tx = subject.db.read().await?;
        let here = event_summaries(&mut tx, subject.connection, &ids).await?;
        tx.rollback().await?;
        answers.undelivered_but_here = here.into_iter().map(|event| event.event_id).collect();
    }
    Ok(Asked::Yes(Box::new(answers)))
}

fn settings(subject: &Subject<'_>) -> Settings {
    let stripe = &subject.config.stripe;
    let urls = subject.config.base_url.as_ref().map(|base| {
        let own = format!("{base}/webhooks/stripe/{}", subject.connection);
        vec![format!("{base}/webhooks/stripe"), own]
    });
    Settings {
        mode: stripe.mode,
        account: stripe.account.clone(),
        key: stripe.api_key.as_ref().map(|key| Key {
            mode: match key.expose().split('_').nth(1) {
                Some("live") => Some(Mode::Live),
                Some("test") => Some(Mode::Test),
                _ => None,
            },
        }),
        webhook_secrets: stripe.webhook_secrets.len(),
        webhook_urls: urls,
        has_mail_server: subject.config.smtp_url.is_some(),
    }
}
