//! When batches run: the latest instant of the schedule decides the slot, so that one batch
//! catches up after downtime, however many slots were missed.

use chrono::{DateTime, Utc};

use super::plan::Request;
use super::{execute, plan};
use crate::clock::Clock;
use crate::domain::ids::{BatchId, ConnectionId};
use crate::domain::time::{DAY_SECONDS, Timestamp};
use crate::store::batches::{BatchKind, BatchTotals};
use crate::store::{Db, StoreError};

/// How far back a schedule is searched for its latest instant: four hundred days.
const LOOK_BACK_SECONDS: i64 = 400 * DAY_SECONDS;

/// The latest instant of the schedule that is not after `now`.
pub fn latest(schedule: &cron::Schedule, now: Timestamp) -> Option<Timestamp> {
    // Schedules are walked forwards only; the span doubles until an instant falls inside.
    let mut span = super::slot::SLOT_SECONDS;
    while span <= LOOK_BACK_SECONDS {
        let from: DateTime<Utc> = now.plus_seconds(-span).to_chrono();
        let until = now.to_chrono();
        if let Some(last) = schedule.after(&from).take_while(|at| *at <= until).last() {
            return Timestamp::from_unix(last.timestamp());
        }
        span = span.saturating_mul(2);
    }
    None
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

/// Finishes what a crash left, then runs the latest slot if it has not run yet.
pub async fn run_due(
    db: &Db,
    connection: &ConnectionId,
    schedule: &cron::Schedule,
    clock: &dyn Clock,
) -> Result<Option<Ran>, StoreError> {
    let now = clock.now();
    execute::resume(db, connection, now).await?;
    let Some(slot_at) = latest(schedule, now) else {
        return Ok(None);
    };
    let request = Request {
        kind: BatchKind::Scheduled,
        key: format!("slot.{}", slot_at.unix()),
        slot_at,
        cut_off: slot_at,
    };
    run(db, connection, &request, now).await
}

/// Settles by hand what is due now. Again at once, it finds nothing to do.
pub async fn run_now(
    db: &Db,
    connection: &ConnectionId,
    clock: &dyn Clock,
) -> Result<Option<Ran>, StoreError> {
    let now = clock.now();
    execute::resume(db, connection, now).await?;
    let request = Request {
        kind: BatchKind::RunNow,
        key: format!("now.{}", clock.now_us()),
        slot_at: now,
        cut_off: now,
    };
    run(db, connection, &request, now).await
}

async fn run(
    db: &Db,
    connection: &ConnectionId,
    request: &Request,
    now: Timestamp,
) -> Result<Option<Ran>, StoreError> {
    let Some(batch) = plan::plan(db, connection, request, now).await? else {
        return Ok(None);
    };
    let totals = execute::execute(db, connection, &batch, now).await?;
    Ok(Some(Ran { batch, totals }))
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
}
