//! Carries out a stored plan, page by page, each page in one transaction: ledger entries, state
//! and outbox row of an item together or not at all. It may be repeated, or resumed by another
//! node: an item is carried out once, the second time finds it done.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use super::CHUNK_ITEMS;
use super::booking::{Booking, Verdicts};
use super::duty::Duty;
use super::items::verdicts_on;
use crate::domain::ids::{BatchId, OutboxId, QualificationId};
use crate::domain::time::Timestamp;
use crate::domain::told::BatchTold;
use crate::domain::topic::Topic;
use crate::store::batch_items::{
    BatchItem, ItemAction, ItemState, batch_items, count_items, finish_items, finish_run,
};
use crate::store::batches::{
    Batch, BatchState, BatchTotals, begin_execution, change_batch, get_batch,
};
use crate::store::dirty::{DirtyKind, mark_dirty};
use crate::store::json::to_json;
use crate::store::leases::{Stage, enter, times_entered};
use crate::store::ledger::insert_transactions;
use crate::store::outbox::{OutboxMessage, insert_messages};
use crate::store::qualifications::{
    Due, Qualification, change_qualifications, due_to_settle, load_qualifications,
    settle_qualifications,
};
use crate::store::webhook_endpoints::wanted_topics;
use crate::store::{StoreError, Tx, retry};
use crate::telemetry::metric;

/// Between two pages whoever else writes gets its turn: within the process it stands in line
/// and is served first, another process that shares a SQLite file needs a moment to see it free.
const PAUSE: Duration = Duration::from_millis(1);

/// Executes a batch to its end; its totals. An unknown batch has none, and neither has one
/// whose plan is still being made.
pub async fn execute(duty: &Duty<'_>, batch: &BatchId) -> Result<BatchTotals, StoreError> {
    let now = duty.clock.now();
    loop {
        let mut tx = duty.db.read().await?;
        let stored = get_batch(&mut tx, duty.connection, batch).await?;
        tx.rollback().await?;
        let stored = match stored {
            None => return Ok(BatchTotals::default()),
            Some(stored) if matches!(stored.state, BatchState::Done | BatchState::Planning) => {
                return Ok(stored.totals);
            }
            Some(stored) => stored,
        };
        carry_out(duty, &stored, now).await?;
        if let Some(totals) = finish(duty, batch, now).await? {
            return Ok(totals);
        }
    }
}

/// Carries out what is pending, from the first position to the last. While one page is written,
/// the next one is read and decided.
async fn carry_out(duty: &Duty<'_>, batch: &Batch, now: Timestamp) -> Result<(), StoreError> {
    let is_first = batch.state == BatchState::Planned;
    let mut next = Page {
        is_first,
        ..prepare(duty, batch, None, now).await?
    };
    let (batch, whole) = (&batch.id, batch);
    let mut entered = 0;
    while !next.items.is_empty() {
        let page = next;
        // What is read meanwhile lies behind this page, and nobody else finishes it.
        let (done, read) = tokio::join!(
            book(duty, batch, &page, entered, now),
            prepare(duty, whole, Some(&page), now)
        );
        match done {
            Ok(by_us) => entered = by_us,
            // One item that cannot be booked must not hold up the others.
            Err(StoreError::Taken(_) | StoreError::Refused(_)) => {
                one_by_one(duty, batch, &page, now).await?;
            }
            Err(error) => return Err(error),
        }
        next = read?;
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}

/// A page of items that wait to be carried out, with what that would write.
struct Page {
    items: Vec<BatchItem>,
    /// Decided from one state of the database; none if it is to be decided when it is written.
    booking: Option<Booking>,
    /// How often that state had been judged in.
    judged: i64,
    /// Whether nothing of the batch is carried out yet.
    is_first: bool,
    /// Where in the order of what is due it ends.
    place: Place,
}

/// (`qualified_at`, id) of a qualification.
type Place = Option<(Timestamp, QualificationId)>;

/// Qualifications by id: of those that are next in the order of what is due only what settling
/// has to know, of any other all of it.
#[derive(Default)]
struct Loaded {
    due: HashMap<QualificationId, Due>,
    others: HashMap<QualificationId, Qualification>,
}

/// The next page of items that wait to be carried out.
async fn prepare(
    duty: &Duty<'_>,
    batch: &Batch,
    last: Option<&Page>,
    now: Timestamp,
) -> Result<Page, StoreError> {
    let mut tx = duty.db.read().await?;
    let (connection, state) = (duty.connection, Some(ItemState::Pending));
    let judged = times_entered(&mut tx, connection, Stage::Judge).await?;
    let after = last.and_then(|page| page.items.last());
    let after = after.map(|item| item.position);
    let items = batch_items(&mut tx, connection, &batch.id, state, after, CHUNK_ITEMS).await?;
    let place = last.and_then(|page| page.place.clone());
    let loaded = load_due(&mut tx, duty, batch, &items, place.as_ref()).await?;
    let ends = items.last().and_then(|last| loaded.place(last));
    let booking = decide(&mut tx, duty, &batch.id, &items, &loaded, now).await?;
    tx.rollback().await?;
    Ok(Page {
        items,
        booking: Some(booking),
        judged,
        is_first: false,
        place: ends.or(place),
    })
}

/// The qualifications of some items. A plan settles in the order of what is due, which an index
/// has: there, those of a page lie side by side, and by their ids each lies somewhere else. Those
/// that are not among the next due ones are looked up.
async fn load_due(
    tx: &mut Tx,
    duty: &Duty<'_>,
    batch: &Batch,
    items: &[BatchItem],
    place: Option<&(Timestamp, QualificationId)>,
) -> Result<Loaded, StoreError> {
    let is_due = |item: &BatchItem| matches!(item.action, ItemAction::Settle | ItemAction::Skip);
    let mut due = HashMap::new();
    if items.iter().any(is_due) {
        let next = due_to_settle(tx, duty.connection, batch.cut_off, place, CHUNK_ITEMS).await?;
        due.extend(next.into_iter().map(|one| (one.id.clone(), one)));
    }
    let others = items.iter().map(|item| &item.qualification);
    let others: Vec<QualificationId> = others
        .filter(|id| !due.contains_key(*id))
        .cloned()
        .collect();
    let loaded = load(tx, duty, &others).await?;
    Ok(Loaded { due, ..loaded })
}

async fn load(tx: &mut Tx, duty: &Duty<'_>, ids: &[QualificationId]) -> Result<Loaded, StoreError> {
    let others = load_qualifications(tx, duty.connection, ids).await?;
    Ok(Loaded {
        due: HashMap::new(),
        others: others.into_iter().map(|q| (q.id.clone(), q)).collect(),
    })
}

impl Loaded {
    fn place(&self, item: &BatchItem) -> Place {
        let id = &item.qualification;
        let due = self.due.get(id).map(|one| one.qualified_at);
        let at = due.or_else(|| self.others.get(id).map(|one| one.qualified_at))?;
        Some((at, id.clone()))
    }
}

/// Ends the batch; `None` if an item of it is still pending.
async fn finish(
    duty: &Duty<'_>,
    batch: &BatchId,
    now: Timestamp,
) -> Result<Option<BatchTotals>, StoreError> {
    // Counted outside of the transaction that writes: it reads every item, and what is finished
    // stays finished.
    let mut tx = duty.db.read().await?;
    let counts = count_items(&mut tx, duty.connection, batch).await?;
    let stored = get_batch(&mut tx, duty.connection, batch).await?;
    tx.rollback().await?;
    let Some(stored) = stored else {
        return Ok(Some(BatchTotals::default()));
    };
    let mut totals = BatchTotals::default();
    for (action, state, count) in counts {
        match (action, state) {
            (_, ItemState::Pending) => return Ok(None),
            (ItemAction::Settle, ItemState::Done) => totals.settled += count,
            (ItemAction::Reverse, ItemState::Done) => totals.reversed += count,
            (ItemAction::Reinstate, ItemState::Done) => totals.reinstated += count,
            _ => totals.skipped += count,
        }
    }
    // One without any item was never begun.
    let step = (stored.state, BatchState::Done);
    let end = async || {
        let mut tx = duty.begin().await?;
        change_batch(&mut tx, duty.connection, batch, step, totals, Some(now)).await?;
        tell(&mut tx, duty, &stored, totals, now).await?;
        tx.commit().await
    };
    retry(end).await?;
    Ok(Some(totals))
}

/// Tells webhook endpoints, if there are any, that a batch was carried out.
async fn tell(
    tx: &mut Tx,
    duty: &Duty<'_>,
    batch: &Batch,
    totals: BatchTotals,
    now: Timestamp,
) -> Result<(), StoreError> {
    let topic = Topic::BatchSettled;
    if wanted_topics(tx, duty.connection, &[topic])
        .await?
        .is_empty()
    {
        return Ok(());
    }
    let told = BatchTold {
        id: &batch.id,
        kind: batch.kind.name(),
        state: BatchState::Done.name(),
        slot_at: batch.slot_at,
        cut_off: batch.cut_off,
        planned_at: batch.planned_at,
        done_at: Some(now),
        items: batch.plan_items,
        settled: totals.settled,
        reversed: totals.reversed,
        reinstated: totals.reinstated,
        skipped: totals.skipped,
    };
    let message = OutboxMessage {
        outbox_id: OutboxId::new(format!("{}.{}", topic.name(), batch.id)),
        topic: topic.name().to_owned(),
        subject_id: batch.id.as_str().to_owned(),
        payload: to_json("outbox", &told)?,
        created_at: now.unix(),
        delivered_at: None,
        attempts: 0,
    };
    insert_messages(tx, duty.connection, &[message]).await
}

/// Carries out a page item by item; the one that the database refuses gets its words as the
/// outcome, and its qualification is looked at again by the next batch.
async fn one_by_one(
    duty: &Duty<'_>,
    batch: &BatchId,
    page: &Page,
    now: Timestamp,
) -> Result<(), StoreError> {
    for item in &page.items {
        let page = Page {
            items: vec![item.clone()],
            booking: None,
            judged: 0,
            is_first: page.is_first,
            place: None,
        };
        match book(duty, batch, &page, 0, now).await {
            Ok(_) => {}
            Err(StoreError::Taken(words) | StoreError::Refused(words)) => {
                let outcome = [(item.position, ItemState::Superseded, words)];
                let give_up = async || {
                    let mut tx = duty.begin().await?;
                    finish_items(&mut tx, duty.connection, batch, &outcome).await?;
                    tx.commit().await
                };
                retry(give_up).await?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Carries out a page of pending items in one transaction. `entered` is how often there had been
/// judging when the page before it was written, that time included; the same of this one.
async fn book(
    duty: &Duty<'_>,
    batch: &BatchId,
    page: &Page,
    entered: i64,
    now: Timestamp,
) -> Result<i64, StoreError> {
    retry(async || {
        let mut tx = duty.begin().await?;
        let started = Instant::now();
        // Nobody judges while what was judged is settled. If somebody has since the page was
        // read, it is read and decided anew; the page before it may have come in between.
        let times = enter(&mut tx, duty.connection, Stage::Judge).await?;
        let by_us = i64::from(entered > page.judged);
        let anew;
        let booking = match &page.booking {
            Some(booking) if times == page.judged + by_us + 1 => booking,
            _ => {
                let ids = page.items.iter().map(|item| item.qualification.clone());
                let loaded = load(&mut tx, duty, &ids.collect::<Vec<_>>()).await?;
                anew = decide(&mut tx, duty, batch, &page.items, &loaded, now).await?;
                &anew
            }
        };
        if page.is_first {
            begin_execution(&mut tx, duty.connection, batch).await?;
        }
        write(&mut tx, duty, batch, &page.items, booking, now).await?;
        tx.commit().await?;
        metrics::histogram!(metric::SETTLE_PAGE, "stage" => "book").record(started.elapsed());
        Ok(times)
    })
    .await
}

async fn decide(
    tx: &mut Tx,
    duty: &Duty<'_>,
    batch: &BatchId,
    page: &[BatchItem],
    loaded: &Loaded,
    now: Timestamp,
) -> Result<Booking, StoreError> {
    let adjusts =
        |item: &&BatchItem| matches!(item.action, ItemAction::Reverse | ItemAction::Reinstate);
    let adjusted = page.iter().filter(adjusts);
    let adjusted: Vec<Qualification> = adjusted
        .filter_map(|item| loaded.others.get(&item.qualification).cloned())
        .collect();
    let verdicts: Verdicts = verdicts_on(tx, duty.connection, &adjusted).await?;
    let mut booking = Booking::default();
    for item in page {
        if let Some(due) = loaded.due.get(&item.qualification) {
            booking.take_due(batch, item, due, now)?;
        } else {
            let qualification = loaded.others.get(&item.qualification);
            booking.take(batch, item, qualification, &verdicts, now)?;
        }
    }
    Ok(booking)
}

async fn write(
    tx: &mut Tx,
    duty: &Duty<'_>,
    batch: &BatchId,
    page: &[BatchItem],
    booking: &Booking,
    now: Timestamp,
) -> Result<(), StoreError> {
    let connection = duty.connection;
    settle_qualifications(tx, connection, &booking.settled, now).await?;
    change_qualifications(tx, connection, &booking.transitions).await?;
    insert_transactions(tx, connection, &booking.transactions).await?;
    insert_messages(tx, connection, &booking.messages).await?;
    finish_items(tx, connection, batch, &booking.superseded).await?;
    let done = page.len().saturating_sub(booking.superseded.len());
    if let (Some(first), Some(last)) = (page.first(), page.last()) {
        let run = (first.position, last.position);
        let done = u64::try_from(done).unwrap_or(u64::MAX);
        finish_run(tx, connection, batch, run, done).await?;
    }
    let now_us = now.unix().saturating_mul(crate::clock::SECOND_US);
    let free = &booking.free_again;
    mark_dirty(tx, connection, DirtyKind::Customer, free, now_us).await
}
