//! The stages behind intake as loops: each works until nothing waits, then sleeps until it is
//! told or a moment has passed. What a stage does is in its own room.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::App;
use crate::domain::time::Timestamp;
use crate::ingest::read::Scope;
use crate::ingest::worker::ingest_batch;
use crate::notify::Mailer;
use crate::notify::worker::{Post, deliver_due, tidy};
use crate::queue::worker::{judge_batch, mark_due};
use crate::settle::schedule::run_due;
use crate::store::{StoreError, retry};
use crate::telemetry::field;
use crate::workers::Workers;

/// A stage that was not told looks by itself this often: another node may have left it work.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often the schedule is looked at.
const SCHEDULE_EVERY: Duration = Duration::from_secs(15);
/// A mail that failed is looked at again this often.
const MAIL_EVERY: Duration = Duration::from_secs(5);
/// What has ended is forgotten this often.
const TIDY_EVERY_SECONDS: i64 = 3600;
/// After an error a stage waits this long.
const ERROR_PAUSE: Duration = Duration::from_secs(1);

/// Starts every stage; the schedule of batches as well, unless they are run by hand.
pub(super) fn start(app: &Arc<App>, mailer: Option<Mailer>, batches_by_hand: bool) -> Workers {
    let mut workers = Workers::default();
    let stop = workers.stop();
    workers.spawn("ingest", ingest(Arc::clone(app), stop.clone()));
    workers.spawn("judge", judge(Arc::clone(app), stop.clone()));
    workers.spawn("mail", mail(Arc::clone(app), mailer, stop.clone()));
    if !batches_by_hand {
        workers.spawn("settle", settle(Arc::clone(app), stop));
    }
    workers
}

/// Mail, and forgetting what has ended.
async fn mail(app: Arc<App>, mailer: Option<Mailer>, stop: CancellationToken) {
    let told = app.access.mailed();
    let post = Post {
        db: &app.db,
        connection: &app.connection,
        clock: app.clock.as_ref(),
        base_url: app.access.base_url(),
        mailer: mailer.as_ref(),
    };
    let mut tidied_at = Timestamp::default();
    while !stop.is_cancelled() {
        let now = app.clock.now();
        if now > tidied_at.plus_seconds(TIDY_EVERY_SECONDS) {
            tidied_at = now;
            if let Err(error) = tidy(&app.db, &app.connection, app.clock.as_ref()).await {
                log("mail", &error);
            }
        }
        match worked("mail", deliver_due(&post).await) {
            Some(0) => rest(&told, MAIL_EVERY, &stop).await,
            Some(_) => {}
            None => rest(&told, ERROR_PAUSE, &stop).await,
        }
    }
}

async fn ingest(app: Arc<App>, stop: CancellationToken) {
    let scope = Scope {
        account: app.account.clone(),
        mode: app.config.stripe.mode,
    };
    while !stop.is_cancelled() {
        let batch = || ingest_batch(&app.db, &app.connection, &scope, app.clock.as_ref());
        let done = retry(batch).await;
        match worked("ingest", done) {
            Some(0) => rest(&app.committed, LOOK_EVERY, &stop).await,
            Some(_) => app.touched.notify_one(),
            None => rest(&app.committed, ERROR_PAUSE, &stop).await,
        }
    }
}

async fn judge(app: Arc<App>, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let clock = app.clock.as_ref();
        let due = retry(|| mark_due(&app.db, &app.connection, clock)).await;
        let judged = match due {
            Ok(_) => retry(|| judge_batch(&app.db, &app.connection, clock)).await,
            Err(error) => Err(error),
        };
        match worked("judge", judged) {
            Some(0) => rest(&app.touched, LOOK_EVERY, &stop).await,
            Some(_) => {}
            None => rest(&app.touched, ERROR_PAUSE, &stop).await,
        }
    }
}

async fn settle(app: Arc<App>, stop: CancellationToken) {
    let nobody = Notify::new();
    while !stop.is_cancelled() {
        let schedule = &app.config.settle_cron.schedule;
        match run_due(&app.db, &app.connection, schedule, app.clock.as_ref()).await {
            Ok(Some(ran)) => tracing::info!(
                batch = ran.batch.as_str(),
                settled = ran.totals.settled,
                reversed = ran.totals.reversed,
                reinstated = ran.totals.reinstated,
                skipped = ran.totals.skipped,
                "a batch has run"
            ),
            Ok(None) => {}
            Err(error) => log("settle", &error),
        }
        rest(&nobody, SCHEDULE_EVERY, &stop).await;
    }
}

fn worked(stage: &'static str, done: Result<usize, StoreError>) -> Option<usize> {
    match done {
        Ok(count) => Some(count),
        Err(error) => {
            log(stage, &error);
            None
        }
    }
}

fn log(stage: &'static str, error: &StoreError) {
    // Another node, or an admin, was faster: the work is looked at again.
    if matches!(error, StoreError::Stale { .. }) {
        tracing::debug!({ field::WORKER } = stage, %error, "work has changed meanwhile");
    } else {
        tracing::error!({ field::WORKER } = stage, %error, "a stage failed and tries again");
    }
}

async fn rest(told: &Notify, at_most: Duration, stop: &CancellationToken) {
    tokio::select! {
        () = told.notified() => {}
        () = tokio::time::sleep(at_most) => {}
        () = stop.cancelled() => {}
    }
}
