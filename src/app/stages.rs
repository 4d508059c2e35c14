//! The stages behind intake as loops: each works until nothing waits, then sleeps until it is
//! told or a moment has passed. What a stage does is in its own room.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::App;
use crate::clock::SECOND_US;
use crate::domain::time::Timestamp;
use crate::ingest::read::Scope;
use crate::ingest::worker::{BATCH_EVENTS_MAX, ingest_batch};
use crate::notify::Mailer;
use crate::notify::webhooks::courier::Couriers;
use crate::notify::webhooks::fan_out::fan_out;
use crate::notify::webhooks::tidy::tidy as tidy_messages;
use crate::notify::worker::{Post, deliver_due, tidy};
use crate::queue::worker::{BATCH_JUDGED_MAX, Pace, judge_in_turn, mark_due};
use crate::settle::schedule::{next, run_due};
use crate::store::{Schema, StoreError, retry};
use crate::telemetry::field;
use crate::workers::Workers;

/// A stage that was not told looks by itself this often: another node may have left it work.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often the schedule is looked at besides its instants: a batch may have been left unfinished.
const SCHEDULE_EVERY: Duration = Duration::from_secs(15);
/// A mail that failed is looked at again this often.
const MAIL_EVERY: Duration = Duration::from_secs(5);
/// What has ended is forgotten this often.
const TIDY_EVERY_SECONDS: i64 = 3600;
/// A stage that has just worked begins again no sooner than this after it began, unless it left
/// a full batch's worth: events that come singly are read at once, and under load a transaction
/// (its statements, its wait for the disk) is shared by all that came meanwhile. A verdict comes
/// later by the sum of the two at most.
const GATHER_EVENTS: Duration = Duration::from_millis(25);
/// The same for judging. A customer's events mostly come within a moment of each other, and then
/// it is judged once for all of them.
const GATHER_TOUCHED: Duration = Duration::from_millis(50);
/// At the end, messages that are under way to webhook endpoints are waited for this long.
const LAST_WORDS: Duration = Duration::from_secs(3);
/// After an error a stage waits this long.
const ERROR_PAUSE: Duration = Duration::from_secs(1);

/// How often it is looked whether a later version has changed the tables.
const TABLES_EVERY: Duration = Duration::from_secs(5);

/// Starts every stage; the schedule of batches as well, unless they are run by hand. `outdated`
/// is cancelled once the tables are a later version's.
pub(super) fn start(
    app: &Arc<App>,
    mailer: Option<Mailer>,
    batches_by_hand: bool,
    outdated: &CancellationToken,
) -> Workers {
    let mut workers = Workers::default();
    let stop = workers.stop();
    let tables = tables(Arc::clone(app), outdated.clone(), stop.clone());
    workers.spawn("tables", tables);
    workers.spawn("ingest", ingest(Arc::clone(app), stop.clone()));
    workers.spawn("judge", judge(Arc::clone(app), stop.clone()));
    workers.spawn("mail", mail(Arc::clone(app), mailer, stop.clone()));
    workers.spawn("webhooks", webhooks(Arc::clone(app), stop.clone()));
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

/// Outgoing webhooks, and forgetting old messages. Who is slow to answer is waited for by a task
/// of its own.
async fn webhooks(app: Arc<App>, stop: CancellationToken) {
    let hooks = &app.webhooks;
    let mut couriers = Couriers::until(stop.clone());
    let mut tidied_at = Timestamp::default();
    while !stop.is_cancelled() {
        let now = app.clock.now();
        if now > tidied_at.plus_seconds(TIDY_EVERY_SECONDS) {
            tidied_at = now;
            if let Err(error) = tidy_messages(hooks).await {
                log("webhooks", &error);
            }
        }
        let told = worked("webhooks", fan_out(hooks).await);
        let sent_out = worked("webhooks", couriers.send_out(hooks).await);
        match told.zip(sent_out) {
            Some((0, _)) => rest(&hooks.changed, LOOK_EVERY, &stop).await,
            Some(_) => {}
            None => rest(&hooks.changed, ERROR_PAUSE, &stop).await,
        }
    }
    // What is under way may still be written down; what is cut comes again.
    tokio::time::timeout(LAST_WORDS, couriers.wait()).await.ok();
}

/// Looks whether the tables are still those of this version: what it would write to others
/// could be read by nobody.
async fn tables(app: Arc<App>, outdated: CancellationToken, stop: CancellationToken) {
    let nobody = Notify::new();
    while !stop.is_cancelled() {
        // An error is the business of whoever needs the database.
        if let Ok(Schema::Newer { found }) = app.db.schema().await {
            tracing::error!(
                found,
                "a later version has changed the tables; start that one here"
            );
            outdated.cancel();
            return;
        }
        rest(&nobody, TABLES_EVERY, &stop).await;
    }
}

async fn ingest(app: Arc<App>, stop: CancellationToken) {
    let scope = Scope {
        account: app.account.clone(),
        mode: app.config.stripe.mode,
    };
    while !stop.is_cancelled() {
        let began = Instant::now();
        let batch = || ingest_batch(&app.db, &app.connection, &scope, app.clock.as_ref());
        let done = retry(batch).await;
        match worked("ingest", done) {
            Some(0) => rest(&app.committed, LOOK_EVERY, &stop).await,
            Some(read) => {
                app.touched.notify_one();
                gather(read, BATCH_EVENTS_MAX, began + GATHER_EVENTS, &stop).await;
            }
            None => rest(&app.committed, ERROR_PAUSE, &stop).await,
        }
    }
}

async fn judge(app: Arc<App>, stop: CancellationToken) {
    let pace = Pace::default();
    let mut looked_at = Timestamp::default();
    while !stop.is_cancelled() {
        let began = Instant::now();
        let clock = app.clock.as_ref();
        // Verdicts fall due by the second: more often there is nothing new to see.
        let now = clock.now();
        let due = if now == looked_at {
            Ok(0)
        } else {
            retry(|| mark_due(&app.db, &app.connection, clock)).await
        };
        let judged = match due {
            Ok(due) => {
                if !is_full(due, BATCH_JUDGED_MAX) {
                    looked_at = now;
                }
                retry(|| judge_in_turn(&app.db, &app.connection, clock, &pace)).await
            }
            Err(error) => Err(error),
        };
        match worked("judge", judged) {
            Some(0) => rest(&app.touched, LOOK_EVERY, &stop).await,
            Some(judged) => gather(judged, BATCH_JUDGED_MAX, began + GATHER_TOUCHED, &stop).await,
            None => rest(&app.touched, ERROR_PAUSE, &stop).await,
        }
    }
}

/// Whether a batch has taken so much that more is likely to wait already.
fn is_full(done: usize, most: u32) -> bool {
    usize::try_from(most).is_ok_and(|most| done >= most / 2)
}

/// Waits for more to come until that instant, unless a batch was full and more is there already.
async fn gather(done: usize, most: u32, until: Instant, stop: &CancellationToken) {
    if is_full(done, most) {
        return;
    }
    tokio::select! {
        () = tokio::time::sleep_until(until) => {}
        () = stop.cancelled() => {}
    }
}

async fn settle(app: Arc<App>, stop: CancellationToken) {
    let nobody = Notify::new();
    while !stop.is_cancelled() {
        let schedule = &app.config.settle_cron.schedule;
        let run = || {
            run_due(
                &app.db,
                &app.connection,
                schedule,
                &app.node,
                app.clock.as_ref(),
            )
        };
        match retry(run).await {
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
        let wait = until_next(schedule, app.clock.now_us());
        rest(&nobody, wait, &stop).await;
    }
}

/// How long until the schedule's next instant, or until it is looked at anyway.
fn until_next(schedule: &cron::Schedule, now_us: i64) -> Duration {
    let now = Timestamp::from_unix(now_us.div_euclid(SECOND_US)).unwrap_or_default();
    let next_us = next(schedule, now).map(|at| at.unix().saturating_mul(SECOND_US));
    let wait_us = next_us.map(|next_us| next_us.saturating_sub(now_us));
    let wait = wait_us.and_then(|wait_us| u64::try_from(wait_us).ok());
    wait.map_or(SCHEDULE_EVERY, Duration::from_micros)
        .min(SCHEDULE_EVERY)
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

#[cfg(test)]
mod tests {
    use std::str::FromStr as _;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_stage_gathers_unless_much_waits_or_it_is_to_end() {
        let stop = CancellationToken::new();
        let pause = async |done: usize| {
            let began = Instant::now();
            gather(done, 256, began + GATHER_EVENTS, &stop).await;
            began.elapsed()
        };
        assert_eq!(pause(1).await, GATHER_EVENTS);
        assert_eq!(pause(127).await, GATHER_EVENTS);
        assert_eq!(pause(128).await, Duration::ZERO);
        assert_eq!(pause(256).await, Duration::ZERO);
        stop.cancel();
        assert_eq!(pause(1).await, Duration::ZERO);
    }

    #[test]
    fn a_batch_runs_at_its_instant() {
        let noon_us = 1_773_144_000 * SECOND_US; // 2026-03-10T12:00:00Z
        let every = |text| cron::Schedule::from_str(text).unwrap();
        let often = every("*/2 * * * * *");
        assert_eq!(until_next(&often, noon_us), Duration::from_secs(2));
        assert_eq!(
            until_next(&often, noon_us + 500_000),
            Duration::from_millis(1500)
        );
        assert_eq!(until_next(&every("0 0 0 * * *"), noon_us), SCHEDULE_EVERY);
    }
}
