//! Carries out a stored plan, chunk by chunk, each chunk in one transaction: ledger entries,
//! state and outbox row of an item together or not at all. It may be repeated, resumed, or
//! run by two nodes: an item is carried out once, the second time finds it done.

use std::collections::{BTreeSet, HashMap};

use super::CHUNK_ITEMS;
use crate::domain::ids::{BatchId, ConnectionId, QualificationId};
use crate::domain::time::Timestamp;
use crate::domain::verdict::Reward;
use crate::ledger::entries::entries;
use crate::store::batches::{
    Batch, BatchItem, BatchState, BatchTotals, ItemAction, ItemState, batch_items, change_batch,
    count_items, finish_items, get_batch, open_batches,
};
use crate::store::dirty::{DirtyKind, mark_dirty};
use crate::store::json::to_json;
use crate::store::ledger::{Transaction, TransactionKind, insert_transactions};
use crate::store::outbox::{OutboxMessage, insert_messages};
use crate::store::qualifications::{
    Qualification, QualificationState, Transition, change_qualifications, load_qualifications,
};
use crate::store::{Db, StoreError, Tx};

/// Executes a batch to its end; its totals. An unknown batch has none.
pub async fn execute(
    db: &Db,
    connection: &ConnectionId,
    batch: &BatchId,
    now: Timestamp,
) -> Result<BatchTotals, StoreError> {
    loop {
        match chunk(db, connection, batch, now, CHUNK_ITEMS).await {
            Ok(0) => break,
            Ok(_) => {}
            // One item that cannot be booked must not hold up the others.
            Err(StoreError::Taken(_) | StoreError::Refused(_)) => {
                one_by_one(db, connection, batch, now).await?;
            }
            Err(error) => return Err(error),
        }
    }
    let mut tx = db.begin().await?;
    let Some(stored) = get_batch(&mut tx, connection, batch).await? else {
        return Ok(BatchTotals::default());
    };
    let totals = finish(&mut tx, connection, &stored, now).await?;
    tx.commit().await?;
    Ok(totals)
}

/// Executes every batch that was planned and not finished, as after a crash.
pub async fn resume(
    db: &Db,
    connection: &ConnectionId,
    now: Timestamp,
) -> Result<usize, StoreError> {
    let mut tx = db.read().await?;
    let open = open_batches(&mut tx, connection).await?;
    tx.rollback().await?;
    for batch in &open {
        execute(db, connection, &batch.id, now).await?;
    }
    Ok(open.len())
}

async fn finish(
    tx: &mut Tx,
    connection: &ConnectionId,
    batch: &Batch,
    now: Timestamp,
) -> Result<BatchTotals, StoreError> {
    if batch.state == BatchState::Done {
        return Ok(batch.totals);
    }
    let mut totals = BatchTotals::default();
    for (action, state, count) in count_items(tx, connection, &batch.id).await? {
        match (action, state) {
            (ItemAction::Settle, ItemState::Done) => totals.settled += count,
            (ItemAction::Reverse, ItemState::Done) => totals.reversed += count,
            (ItemAction::Reinstate, ItemState::Done) => totals.reinstated += count,
            _ => totals.skipped += count,
        }
    }
    let step = (batch.state, BatchState::Done);
    change_batch(tx, connection, &batch.id, step, totals, Some(now)).await?;
    Ok(totals)
}

/// Carries out the next chunk item by item; the one that the database refuses gets its words
/// as the outcome, and its qualification is looked at again by the next batch.
async fn one_by_one(
    db: &Db,
    connection: &ConnectionId,
    batch: &BatchId,
    now: Timestamp,
) -> Result<(), StoreError> {
    for _ in 0..CHUNK_ITEMS {
        match chunk(db, connection, batch, now, 1).await {
            Ok(0) => break,
            Ok(_) => {}
            Err(StoreError::Taken(words) | StoreError::Refused(words)) => {
                let mut tx = db.begin().await?;
                let pending = Some(ItemState::Pending);
                let next = batch_items(&mut tx, connection, batch, pending, None, 1).await?;
                let outcomes: Vec<_> = next
                    .iter()
                    .map(|item| (item.position, ItemState::Superseded, words.clone()))
                    .collect();
                finish_items(&mut tx, connection, batch, &outcomes).await?;
                tx.commit().await?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Carries out the next pending items in one transaction; how many there were.
async fn chunk(
    db: &Db,
    connection: &ConnectionId,
    batch: &BatchId,
    now: Timestamp,
    most: u32,
) -> Result<usize, StoreError> {
    let mut tx = db.begin().await?;
    let pending = Some(ItemState::Pending);
    let items = batch_items(&mut tx, connection, batch, pending, None, most).await?;
    if items.is_empty() {
        tx.rollback().await?;
        return Ok(0);
    }
    let ids: Vec<QualificationId> = items
        .iter()
        .map(|item| item.qualification.clone())
        .collect();
    let loaded = load_qualifications(&mut tx, connection, &ids).await?;
    let loaded: HashMap<QualificationId, Qualification> =
        loaded.into_iter().map(|q| (q.id.clone(), q)).collect();
    let mut work = Work::default();
    for item in &items {
        work.take(batch, item, loaded.get(&item.qualification), now)?;
    }
    change_qualifications(&mut tx, connection, &work.transitions).await?;
    insert_transactions(&mut tx, connection, &work.transactions).await?;
    insert_messages(&mut tx, connection, &work.messages).await?;
    finish_items(&mut tx, connection, batch, &work.outcomes).await?;
    // Whoever else has the better claim by now could not be queued while this one was settled.
    let now_us = now.unix().saturating_mul(crate::clock::SECOND_US);
    let free = &work.free_again;
    mark_dirty(&mut tx, connection, DirtyKind::Customer, free, now_us).await?;
    tx.commit().await?;
    Ok(items.len())
}

/// What a chunk writes.
#[derive(Default)]
struct Work {
    transitions: Vec<Transition>,
    transactions: Vec<Transaction>,
    messages: Vec<OutboxMessage>,
    /// Persons whose reward was taken back in full.
    free_again: BTreeSet<String>,
    outcomes: Vec<(i64, ItemState, String)>,
}

impl Work {
    fn take(
        &mut self,
        batch: &BatchId,
        item: &BatchItem,
        qualification: Option<&Qualification>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let outcome = match qualification {
            None => Err("the qualification is gone".to_owned()),
            Some(_) if item.action == ItemAction::Skip => {
                self.outcomes
                    .push((item.position, ItemState::Done, item.reason.clone()));
                return Ok(());
            }
            Some(qualification) => applicable(item, qualification).map(|()| qualification),
        };
        match outcome {
            Ok(qualification) => self.carry_out(batch, item, qualification, now),
            Err(why) => {
                self.outcomes
                    .push((item.position, ItemState::Superseded, why));
                Ok(())
            }
        }
    }

    fn carry_out(
        &mut self,
        batch: &BatchId,
        item: &BatchItem,
        qualification: &Qualification,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let given = sum(&qualification.given, &item.amounts);
        let empty = given.iter().all(|reward| reward.amount_minor == 0);
        let sequence = qualification.sequence.saturating_add(1);
        let (kind, topic) = match item.action {
            ItemAction::Reverse => (TransactionKind::Reversal, "qualification.reversed"),
            ItemAction::Reinstate => (TransactionKind::Reinstatement, "qualification.reinstated"),
            ItemAction::Settle | ItemAction::Skip => {
                (TransactionKind::Accrual, "qualification.settled")
            }
        };
        let reversed = item.action == ItemAction::Reverse && empty;
        if reversed {
            self.free_again.insert(qualification.person.clone());
        }
        let to = Qualification {
            state: if reversed {
                QualificationState::Reversed
            } else {
                QualificationState::Settled
            },
            reason: item.reason.clone(),
            given,
            adjust_due: false,
            sequence,
            changed_at: now,
            ..qualification.clone()
        };
        let id = format!("{}.{sequence}", qualification.id);
        self.transactions.push(Transaction {
            id: id.clone(),
            qualification: qualification.id.clone(),
            sequence,
            kind,
            cause: item.reason.clone(),
            campaign: qualification.campaign.clone(),
            promoter: qualification.promoter.clone(),
            referral: qualification.referral.clone(),
            batch: batch.clone(),
            revision: qualification.revision.clone(),
            booked_at: now,
            entries: entries(
                &qualification.campaign,
                &qualification.promoter,
                &qualification.referral,
                &item.amounts,
            ),
        });
        self.messages.push(OutboxMessage {
            outbox_id: id,
            topic: topic.to_owned(),
            subject_id: qualification.id.as_str().to_owned(),
            payload: to_json("outbox", &payload(qualification, item))?,
            created_at: now.unix(),
            delivered_at: None,
            attempts: 0,
        });
        let from = (qualification.state, qualification.sequence);
        self.transitions.push(Transition { from, to });
        self.outcomes
            .push((item.position, ItemState::Done, topic.to_owned()));
        Ok(())
    }
}

/// Whether the plan still fits what it was made for.
fn applicable(item: &BatchItem, qualification: &Qualification) -> Result<(), String> {
    use QualificationState::{Queued, Reversed, Settled};
    let fits = match item.action {
        ItemAction::Settle | ItemAction::Skip => qualification.state == Queued,
        ItemAction::Reverse => qualification.state == Settled && qualification.adjust_due,
        ItemAction::Reinstate => {
            matches!(qualification.state, Settled | Reversed) && qualification.adjust_due
        }
    };
    let same = item.action != ItemAction::Settle || item.amounts == qualification.rewards;
    if fits && same {
        return Ok(());
    }
    Err(format!(
        "it is {} by now; nothing was booked",
        qualification.state.name()
    ))
}

/// Amounts by whom and currency, added up; zeros stay, so that what was given shows in full.
fn sum(given: &[Reward], changes: &[Reward]) -> Vec<Reward> {
    let mut total = given.to_vec();
    for change in changes {
        let same = |r: &&mut Reward| r.to == change.to && r.currency == change.currency;
        match total.iter_mut().find(same) {
            Some(reward) => {
                reward.amount_minor = reward.amount_minor.saturating_add(change.amount_minor);
            }
            None => total.push(*change),
        }
    }
    total
}

#[derive(serde::Serialize)]
struct Payload<'a> {
    qualification: &'a QualificationId,
    campaign: &'a str,
    referral: &'a str,
    promoter: &'a str,
    amounts: &'a [Reward],
    reason: &'a str,
}

fn payload<'a>(qualification: &'a Qualification, item: &'a BatchItem) -> Payload<'a> {
    Payload {
        qualification: &qualification.id,
        campaign: qualification.campaign.as_str(),
        referral: qualification.referral.as_str(),
        promoter: qualification.promoter.as_str(),
        amounts: &item.amounts,
        reason: &item.reason,
    }
}
