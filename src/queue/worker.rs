//! Claims what has to be judged again, loads its neighbourhood, judges, applies: one
//! transaction a batch.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::apply::apply;
use super::judging::{Judgements, judge};
use super::neighbourhood::Seeds;
pub use super::prepare::{Prepared, prepare};
use crate::clock::Clock;
use crate::domain::ids::{ConnectionId, CustomerId, ReferralId};
use crate::domain::time::Timestamp;
use crate::store::dialect::Engine;
use crate::store::dirty::{
    Dirty, DirtyKind, Weight, claim_dirty, clear_dirty, mark_dirty, set_aside,
};
use crate::store::leases::{Stage, enter, times_entered};
use crate::store::payments::count_payments;
use crate::store::verdicts::due_for_recheck;
use crate::store::{Db, StoreError, Tx};

pub use super::campaigns::campaigns;
pub use super::prepare::{Queue, in_force_last, load_settled};

/// Things judged in one transaction, at most.
pub const BATCH_JUDGED_MAX: u32 = 256;
/// Payments of the customers of one transaction, at most, so that it stays short.
const BATCH_PAYMENTS_MAX: u64 = 4_000;
/// A customer with more payments than this is judged apart, so that nobody waits for it who
/// merely came at the same time.
pub const HEAVY_PAYMENTS: u64 = 1_000;
/// After something heavy the others have this many times as long to themselves.
const REST_AFTER_HEAVY: u32 = 9;

/// How heavy work is spread in time: what took long is not done again at once.
#[derive(Debug, Default)]
pub struct Pace {
    heavy_from: Mutex<Option<Instant>>,
}

impl Pace {
    fn allows_heavy(&self) -> bool {
        let from = *self
            .heavy_from
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        from.is_none_or(|from| from <= Instant::now())
    }

    fn rest_after(&self, took: Duration) {
        let from = Instant::now().checked_add(took.saturating_mul(REST_AFTER_HEAVY));
        *self
            .heavy_from
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = from;
    }
}

/// Judges one batch of what waits, and one thing that is heavy; how much there was.
pub async fn judge_batch(
    db: &Db,
    connection: &ConnectionId,
    clock: &dyn Clock,
) -> Result<usize, StoreError> {
    judge_in_turn(db, connection, clock, &Pace::default()).await
}

/// The same again and again: what is heavy gets a tenth of the time, however much else waits,
/// and no more. With nothing judged there may still wait something heavy whose turn comes.
pub async fn judge_in_turn(
    db: &Db,
    connection: &ConnectionId,
    clock: &dyn Clock,
    pace: &Pace,
) -> Result<usize, StoreError> {
    let light = judge_some(db, connection, clock, Weight::Light).await?;
    if !pace.allows_heavy() {
        return Ok(light);
    }
    let began = Instant::now();
    let heavy = judge_some(db, connection, clock, Weight::Heavy).await?;
    pace.rest_after(began.elapsed());
    Ok(light + heavy)
}

/// What was taken from the work list, and what came of it.
struct Work {
    waiting: Vec<Dirty>,
    heavy: Vec<Dirty>,
    prepared: Prepared,
    judgements: Judgements,
}

impl Work {
    fn count(&self) -> usize {
        self.waiting.len() + self.heavy.len()
    }
}

async fn judge_some(
    db: &Db,
    connection: &ConnectionId,
    clock: &dyn Clock,
    weight: Weight,
) -> Result<usize, StoreError> {
    let now = clock.now();
    let judged = match db.engine() {
        Engine::Sqlite => judge_beside_the_writer(db, connection, now, weight).await?,
        Engine::Postgres => judge_alone(db, connection, now, weight).await?,
    };
    let Some((mut tx, work)) = judged else {
        return Ok(0);
    };
    let count = work.count();
    apply(&mut tx, connection, work.prepared, work.judgements, now).await?;
    clear_dirty(&mut tx, connection, weight, &work.waiting).await?;
    set_aside(&mut tx, connection, &work.heavy).await?;
    tx.commit().await?;
    Ok(count)
}

async fn judge_alone(
    db: &Db,
    connection: &ConnectionId,
    now: Timestamp,
    weight: Weight,
) -> Result<Option<(Tx, Work)>, StoreError> {
    let mut tx = db.begin().await?;
    enter(&mut tx, connection, Stage::Judge).await?;
    let Some(claimed) = claim(&mut tx, connection, weight).await? else {
        tx.rollback().await?;
        return Ok(None);
    };
    let work = look_and_judge(&mut tx, connection, now, claimed).await?;
    Ok(Some((tx, work)))
}

/// On SQLite everything up to the writing happens beside the one writer. Facts that change
/// meanwhile mark whom they touch, who then stays on the list; other judgements are seen by
/// the stage having been entered.
async fn judge_beside_the_writer(
    db: &Db,
    connection: &ConnectionId,
    now: Timestamp,
    weight: Weight,
) -> Result<Option<(Tx, Work)>, StoreError> {
    let mut look = db.read().await?;
    let entered = times_entered(&mut look, connection, Stage::Judge).await?;
    let Some(claimed) = claim(&mut look, connection, weight).await? else {
        look.rollback().await?;
        return Ok(None);
    };
    let work = look_and_judge(&mut look, connection, now, claimed).await?;
    look.rollback().await?;
    let mut tx = db.begin().await?;
    if enter(&mut tx, connection, Stage::Judge).await? == entered + 1 {
        return Ok(Some((tx, work)));
    }
    // Somebody has judged meanwhile, perhaps the same referrals on later facts.
    tx.rollback().await?;
    judge_alone(db, connection, now, weight).await
}

/// The next things of some weight: (to be judged now, to be set aside as heavy).
async fn claim(
    tx: &mut Tx,
    connection: &ConnectionId,
    weight: Weight,
) -> Result<Option<(Vec<Dirty>, Vec<Dirty>)>, StoreError> {
    let limit = match weight {
        Weight::Light => BATCH_JUDGED_MAX,
        Weight::Heavy => 1,
    };
    let claimed = claim_dirty(tx, connection, weight, limit).await?;
    if claimed.is_empty() {
        return Ok(None);
    }
    if weight == Weight::Heavy {
        return Ok(Some((claimed, Vec::new())));
    }
    let customers = claimed
        .iter()
        .filter(|dirty| dirty.kind == DirtyKind::Customer);
    let customers: Vec<CustomerId> = customers.map(|d| d.id.as_str().into()).collect();
    let counts = count_payments(tx, connection, &customers).await?;
    let (mut light, mut heavy, mut sum) = (Vec::new(), Vec::new(), 0_u64);
    for dirty in claimed {
        let count = match dirty.kind {
            DirtyKind::Customer => counts.get(&CustomerId::from(dirty.id.as_str())),
            DirtyKind::Referral => None,
        };
        let count = count.copied().unwrap_or_default();
        if count > HEAVY_PAYMENTS {
            heavy.push(dirty);
            continue;
        }
        sum = sum.saturating_add(count);
        if sum > BATCH_PAYMENTS_MAX && !light.is_empty() {
            break;
        }
        light.push(dirty);
    }
    Ok(Some((light, heavy)))
}

async fn look_and_judge(
    tx: &mut Tx,
    connection: &ConnectionId,
    now: Timestamp,
    (waiting, heavy): (Vec<Dirty>, Vec<Dirty>),
) -> Result<Work, StoreError> {
    let mut seeds = Seeds {
        without_bystanders: true,
        ..Seeds::default()
    };
    for dirty in &waiting {
        match dirty.kind {
            DirtyKind::Customer => seeds.customers.insert(CustomerId::from(dirty.id.as_str())),
            DirtyKind::Referral => seeds.referrals.insert(ReferralId::from(dirty.id.as_str())),
        };
    }
    let prepared = prepare(tx, connection, seeds).await?;
    let judgements = judge(&prepared.neighbourhood, now);
    Ok(Work {
        waiting,
        heavy,
        prepared,
        judgements,
    })
}

/// Puts verdicts that time alone has changed on the work list; how many.
pub async fn mark_due(
    db: &Db,
    connection: &ConnectionId,
    clock: &dyn Clock,
) -> Result<usize, StoreError> {
    // Nearly always nothing is due: looking takes no turn from those who write.
    let mut look = db.read().await?;
    let due = due_for_recheck(&mut look, connection, clock.now(), BATCH_JUDGED_MAX).await?;
    look.rollback().await?;
    if due.is_empty() {
        return Ok(0);
    }
    let mut tx = db.begin().await?;
    let ids: BTreeSet<String> = due.iter().map(|(_, id)| id.as_str().to_owned()).collect();
    mark_dirty(
        &mut tx,
        connection,
        DirtyKind::Referral,
        &ids,
        clock.now_us(),
    )
    .await?;
    tx.commit().await?;
    Ok(due.len())
}

/// Judges everything around the seeds on today's facts, and applies what changed.
pub async fn rejudge(
    tx: &mut Tx,
    connection: &ConnectionId,
    seeds: Seeds,
    now: Timestamp,
) -> Result<(), StoreError> {
    enter(tx, connection, Stage::Judge).await?;
    let prepared = prepare(tx, connection, seeds).await?;
    let judgements = judge(&prepared.neighbourhood, now);
    apply(tx, connection, prepared, judgements, now).await
}
