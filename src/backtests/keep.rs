//! How far a backtest is, kept in the database: written by the node that runs it, a word when it
//! moves on and a sign of life in between; read by all others.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{Draft, Job, Standing};
use crate::domain::ids::{BacktestId, ConnectionId};
use crate::domain::time::DAY_SECONDS;
use crate::shared::App;
use crate::store::backtests::{StoredBacktest, get_backtest, insert_backtest, move_backtest};
use crate::store::{StoreError, retry};

const TABLE: &str = "backtests";

/// How often the node that runs a backtest says that it still does, and notices that another
/// one stopped it.
const SIGN_EVERY: Duration = Duration::from_secs(5);
/// Without a sign for so many seconds the process that ran it has ended.
const SILENT_SECONDS_MAX: i64 = 30;
/// Seconds after which a backtest is forgotten.
const KEPT_SECONDS: i64 = 7 * DAY_SECONDS;

/// What is told of a backtest whose process has ended.
const ENDED: &str = "The server that ran this backtest has been stopped or started again, so \
                     nothing came of it. Try the draft again.";

fn text<T: serde::Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::unreadable(TABLE, error))
}

/// Stores a backtest that was asked for.
pub(super) async fn insert(app: &App, job: &Job) -> Result<(), StoreError> {
    let standing = job.standing();
    let stored = StoredBacktest {
        id: job.id.clone(),
        node: app.node.to_string(),
        draft: text(&job.draft)?,
        days: job.days,
        asked_at: job.asked_at,
        is_over: standing.is_over(),
        standing: text(&standing)?,
        seen_at: job.asked_at,
    };
    let keep_from = job.asked_at.plus_seconds(-KEPT_SECONDS);
    retry(|| async {
        let mut tx = app.db.begin().await?;
        insert_backtest(&mut tx, &job.connection, &stored, keep_from).await?;
        tx.commit().await
    })
    .await
}

/// Says how far a backtest is; `false` if it was stopped elsewhere.
async fn note(app: &App, job: &Job, standing: &Standing) -> Result<bool, StoreError> {
    let said = text(standing)?;
    let said = (said.as_str(), standing.is_over());
    retry(|| async {
        let mut tx = app.db.begin().await?;
        let now = app.clock.now();
        let moved = move_backtest(&mut tx, &job.connection, &job.id, said, now).await?;
        tx.commit().await?;
        Ok::<_, StoreError>(moved)
    })
    .await
}

/// Keeps what is stored of a backtest up to date until it is over.
pub(super) async fn keep(app: Arc<App>, job: Arc<Job>) {
    let mut seen = job.standing.subscribe();
    loop {
        let standing = seen.borrow_and_update().clone();
        match note(&app, &job, &standing).await {
            Ok(true) if standing.is_over() => return,
            Ok(true) => {}
            Ok(false) => {
                job.stop();
                return;
            }
            Err(error) => {
                tracing::warn!(%error, "how far a backtest is could not be stored");
                if job.stop.is_cancelled() {
                    return;
                }
                tokio::time::sleep(SIGN_EVERY).await;
                continue;
            }
        }
        // Whether it has moved on or not, it is told again.
        let _ = tokio::time::timeout(SIGN_EVERY, seen.changed()).await;
    }
}

/// A backtest as the database has it; its process may be another, or have ended.
pub(super) async fn elsewhere(
    app: &App,
    connection: &ConnectionId,
    id: &BacktestId,
) -> Result<Option<Arc<Job>>, StoreError> {
    let mut tx = app.db.read().await?;
    let stored = get_backtest(&mut tx, connection, id).await?;
    tx.rollback().await?;
    let Some(stored) = stored else {
        return Ok(None);
    };
    let unreadable = |error| StoreError::unreadable(TABLE, error);
    let draft: Draft = serde_json::from_str(&stored.draft).map_err(unreadable)?;
    let silent = app.clock.now().unix().saturating_sub(stored.seen_at.unix());
    let standing = if !stored.is_over && silent > SILENT_SECONDS_MAX {
        Standing::Failed(ENDED.to_owned())
    } else {
        serde_json::from_str(&stored.standing).map_err(unreadable)?
    };
    Ok(Some(Arc::new(Job {
        id: stored.id,
        connection: connection.clone(),
        draft,
        days: stored.days,
        asked_at: stored.asked_at,
        standing: watch::Sender::new(standing),
        stop: CancellationToken::new(),
    })))
}

/// Has the node that runs a backtest stop it.
pub(super) async fn stop(app: &App, job: &Job) -> Result<(), StoreError> {
    note(app, job, &Standing::Stopped).await?;
    Ok(())
}
