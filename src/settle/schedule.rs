//! When batches run: the latest instant of the schedule decides the slot, so that one batch
//! catches up after downtime, however many slots were missed. Of several nodes that find a slot
//! due, the one that has the duty runs it, and the others do nothing.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::duty::{Duty, LEASE_SECONDS, is_lost};
use super::execute::execute;
use super::plan::{Request, plan, plan_again};
use crate::clock::Clock;
use crate::domain::access::By;
use crate::domain::ids::{BatchId, ConnectionId, NodeId};
use crate::domain::time::{DAY_SECONDS, Timestamp};
use crate::store::batches::{BatchKind, BatchState, BatchTotals, batch_by_key, open_batches};
use crate::store::{Db, StoreError};

/// The span first searched for a schedule's latest instant: half a day, as batches are apart.
const SPAN_SECONDS: i64 = 43_200;
/// How far back a schedule is searched for its latest instant: four hundred days.
const LOOK_BACK_SECONDS: i64 = 400 * DAY_SECONDS;
/// How long a run by hand waits for the duty: as long as one that was left behind lasts, and more.
const PATIENCE: Duration = Duration::from_secs(LEASE_SECONDS.unsigned_abs() + 10);
/// How often it looks.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// What a run by hand is called that found another node at it.
const BY_HAND: &str = "settling by hand while another node settles";

/// The latest instant of the schedule that is not after `now`.
pub fn latest(schedule: &cron::Schedule, now: Timestamp) -> Option<Timestamp> {
    // Schedules are walked forwards only; the span doubles until an instant falls inside.
    let mut span = SPAN_SECONDS;
    loop {
        let from: DateTime<Utc> = now.plus_seconds(-span).to_chrono();
        let until = now.to_chrono();
        if let Some(last) = schedule.after(&from).take_while(|at| *at <= until).last() {
            return Timestamp::from_unix(last.timestamp());
        }
        if span >= LOOK_BACK_SECONDS {
            return None;
        }
        span = span.saturating_mul(2).min(LOOK_BACK_SECONDS);
    }
}

/// The next instant of the schedule after `now`.
pub fn next(schedule: &cron::Schedule, now: Timestamp) -> Option<Timestamp> {
    let next = schedule.after(&now.to_chrono()).next()?;
    Timestamp::from_unix(next.timestamp())
}

/// What a run did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// The batch.
    pub batch: BatchId,
    /// What came of it.
    pub totals: BatchTotals,
}

/// Finishes what a crash left, then runs the latest slot if it has not run yet; the last batch that
/// ran. `None` if there was nothing to do, or another node does it.
pub async fn run_due(
    db: &Db,
    connection: &ConnectionId,
    schedule: &cron::Schedule,
    node: &NodeId,
    clock: &dyn Clock,
) -> Result<Option<Ran>, StoreError> {
    let request = latest(schedule, clock.now()).map(|slot_at| Request {
        kind: BatchKind::Scheduled,
        key: format!("slot.{}", slot_at.unix()),
        slot_at,
        cut_off: slot_at,
        by: None,
    });
    if nothing_to_do(db, connection, request.as_ref()).await? {
        return Ok(None);
    }
    match Duty::take(db, connection, node, clock).await? {
        None => Ok(None),
        Some(duty) => {
            let outcome = run(&duty, request.as_ref()).await;
            ended(duty, outcome).await
        }
    }
}

/// Settles by hand what is due now, for nobody in particular.
pub async fn run_now(
    db: &Db,
    connection: &ConnectionId,
    node: &NodeId,
    clock: &dyn Clock,
) -> Result<Option<Ran>, StoreError> {
    run_now_for(db, connection, node, clock, None).await
}

/// Settles by hand what is due now, and notes who asked for it; the last batch that ran, which may
/// be one that a failure had left open. Again at once, it finds nothing to do. An error for which
/// [`is_elsewhere`] holds if another node settles and goes on doing so, or has taken over.
pub async fn run_now_for(
    db: &Db,
    connection: &ConnectionId,
    node: &NodeId,
    clock: &dyn Clock,
    by: Option<&By>,
) -> Result<Option<Ran>, StoreError> {
    let taken = async {
        loop {
            match Duty::take(db, connection, node, clock).await {
                Ok(None) => tokio::time::sleep(LOOK_EVERY).await,
                taken => return taken,
            }
        }
    };
    let taken = tokio::time::timeout(PATIENCE, taken).await;
    let elsewhere = StoreError::Stale {
        what: BY_HAND,
        expected: 1,
        seen: 0,
    };
    let Some(duty) = taken.unwrap_or(Ok(None))? else {
        return Err(elsewhere);
    };
    let now = clock.now();
    let request = Request {
        kind: BatchKind::RunNow,
        key: format!("now.{}", clock.now_us()),
        slot_at: now,
        cut_off: now,
        by: by.map(|by| by.actor.label()),
    };
    match run(&duty, Some(&request)).await {
        Err(error) if is_lost(&error) => Err(elsewhere),
        outcome => ended(duty, outcome).await,
    }
}

/// Whether a run by hand was left because another node settles.
pub fn is_elsewhere(error: &StoreError) -> bool {
    matches!(error, StoreError::Stale { what, .. } if *what == BY_HAND)
}

/// Looked at before the duty is asked for: on most looks the slot has run.
async fn nothing_to_do(
    db: &Db,
    connection: &ConnectionId,
    request: Option<&Request>,
) -> Result<bool, StoreError> {
    let mut tx = db.read().await?;
    let open = open_batches(&mut tx, connection).await?;
    let has_run = match request {
        Some(request) => batch_by_key(&mut tx, connection, &request.key)
            .await?
            .is_some(),
        None => true,
    };
    tx.rollback().await?;
    Ok(open.is_empty() && has_run)
}

/// Finishes what is open, and runs one more. If there is no more to run, the last one that was
/// finished is what ran: whoever comes after a failure is not told that nothing was due.
async fn run(duty: &Duty<'_>, request: Option<&Request>) -> Result<Option<Ran>, StoreError> {
    let mut tx = duty.db.read().await?;
    let open = open_batches(&mut tx, duty.connection).await?;
    tx.rollback().await?;
    let mut finished = None;
    for stored in open {
        let batch = if stored.state == BatchState::Planning {
            plan_again(duty, &stored).await?
        } else {
            Some(stored.id)
        };
        if let Some(batch) = batch {
            let totals = execute(duty, &batch).await?;
            finished = Some(Ran { batch, totals });
        }
    }
    let Some(request) = request else {
        return Ok(finished);
    };
    let Some(batch) = plan(duty, request).await? else {
        return Ok(finished);
    };
    let totals = execute(duty, &batch).await?;
    Ok(Some(Ran { batch, totals }))
}

/// Gives the duty back, unless another node has taken it: that is no failure, the batch goes on.
async fn ended(
    duty: Duty<'_>,
    outcome: Result<Option<Ran>, StoreError>,
) -> Result<Option<Ran>, StoreError> {
    match outcome {
        Err(error) if is_lost(&error) => {
            tracing::info!("another node has taken over the settling");
            Ok(None)
        }
        outcome => {
            duty.give_back().await?;
            outcome
        }
    }
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use super::*;

    #[test]
    fn one_slot_catches_up_and_slots_follow_the_schedule() {
        let at = |text| Timestamp::parse(text).unwrap();
        let twice_a_day = cron::Schedule::from_str("0 0 0,12 * * *").unwrap();
        let noon = at("2026-03-10T12:00:00Z");
        assert_eq!(
            latest(&twice_a_day, noon),
            Some(noon),
            "the instant itself belongs to it"
        );
        assert_eq!(latest(&twice_a_day, at("2026-03-10T23:59:59Z")), Some(noon));
        assert_eq!(next(&twice_a_day, noon), Some(at("2026-03-11T00:00:00Z")));
        let monthly = cron::Schedule::from_str("0 0 0 1 * *").unwrap();
        assert_eq!(
            latest(&monthly, at("2026-03-30T00:00:00Z")),
            Some(at("2026-03-01T00:00:00Z"))
        );
    }

    #[test]
    fn a_year_back_is_searched_and_no_further_than_it_says() {
        let at = |text| Timestamp::parse(text).unwrap();
        let yearly = cron::Schedule::from_str("0 0 0 1 1 *").unwrap();
        assert_eq!(
            latest(&yearly, at("2026-12-31T23:59:59Z")),
            Some(at("2026-01-01T00:00:00Z"))
        );
        let once = cron::Schedule::from_str("0 0 0 1 1 * 2025").unwrap();
        let days = |days| at("2025-01-01T00:00:00Z").plus_days(days);
        assert_eq!(latest(&once, days(399)), Some(days(0)));
        assert_eq!(latest(&once, days(401)), None);
    }
}
