//! Batches: what is noted of one against its items, and its items against the ledger. Both lie in
//! the order of the plan, and are read side by side, page by page.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{Check, PAGE, Watch};
use crate::domain::ids::{BatchId, ConnectionId, QualificationId};
use crate::domain::time::Timestamp;
use crate::settle::manifest::Manifest;
use crate::store::batch_items::{BatchItem, ItemAction, ItemState, batch_items};
use crate::store::batches::{Batch, BatchState, BatchTotals, list_batches};
use crate::store::ledger::{Booking, TransactionKind, bookings_of_batch};
use crate::store::{StoreError, Tx};

pub(super) const NAME: &str = "batches";
const RESTORE: &str = "restore the batch from a backup; running it again books nothing twice";

pub(super) async fn check(
    tx: &mut Tx,
    connection: &ConnectionId,
    watch: &dyn Watch,
) -> Result<Check, StoreError> {
    let mut check = Check::new(NAME);
    let mut after: Option<(Timestamp, BatchId)> = None;
    let mut items = 0;
    loop {
        let place = after.as_ref().map(|(at, id)| (*at, id));
        let page = list_batches(tx, connection, place, PAGE).await?;
        for batch in &page {
            check.looked_at += 1;
            let mut seen = Seen::default();
            let mut last: Option<i64> = None;
            loop {
                let page = batch_items(tx, connection, &batch.id, None, last, PAGE).await?;
                last = page.last().map(|item| item.position);
                seen.manifest.take(&page)?;
                for item in &page {
                    let booked = seen.booked_by(tx, connection, batch, item).await?;
                    seen.take(item, booked);
                }
                items += page.len() as u64;
                watch.looked_at("batch items", items);
                if page.len() < PAGE as usize {
                    break;
                }
            }
            seen.rest(tx, connection, batch).await?;
            seen.tell(batch, &mut check);
        }
        match page.last() {
            Some(last) if page.len() >= PAGE as usize => {
                after = Some((last.planned_at, last.id.clone()));
            }
            _ => return Ok(check),
        }
    }
}

type Booked = (QualificationId, TransactionKind);

/// What was seen of one batch.
#[derive(Default)]
struct Seen {
    manifest: Manifest,
    items: i64,
    pending: u64,
    totals: BatchTotals,
    /// Items that are done, whose booking does not lie where they stand, by position.
    unbooked: Vec<(i64, Booked)>,
    /// Bookings that lie where no item stands that has made them.
    unplanned: BTreeSet<Booked>,
    /// The bookings that were read ahead, and the last one that was read.
    ahead: VecDeque<Booking>,
    /// How many there are in all.
    booked: usize,
    read: Option<i64>,
    is_read: bool,
}

impl Seen {
    /// What the ledger has at the place of an item. What lies before it belongs to no item.
    async fn booked_by(
        &mut self,
        tx: &mut Tx,
        connection: &ConnectionId,
        batch: &Batch,
        item: &BatchItem,
    ) -> Result<Option<Booked>, StoreError> {
        loop {
            while let Some((place, ..)) = self.ahead.front() {
                let place = *place;
                if place > item.position {
                    return Ok(None);
                }
                let next = self.ahead.pop_front();
                let next = next.map(|(_, qualification, kind)| (qualification, kind));
                if place == item.position {
                    return Ok(next);
                }
                self.unplanned.extend(next);
            }
            if self.is_read {
                return Ok(None);
            }
            self.read_on(tx, connection, batch).await?;
        }
    }

    async fn read_on(
        &mut self,
        tx: &mut Tx,
        connection: &ConnectionId,
        batch: &Batch,
    ) -> Result<(), StoreError> {
        let page = bookings_of_batch(tx, connection, &batch.id, self.read, PAGE).await?;
        self.is_read = page.len() < PAGE as usize;
        self.read = page.last().map(|(item, ..)| *item).or(self.read);
        self.booked += page.len();
        self.ahead.extend(page);
        Ok(())
    }

    /// Whatever the ledger has behind the last item.
    async fn rest(
        &mut self,
        tx: &mut Tx,
        connection: &ConnectionId,
        batch: &Batch,
    ) -> Result<(), StoreError> {
        loop {
            let ahead = self.ahead.drain(..);
            self.unplanned
                .extend(ahead.map(|(_, qualification, kind)| (qualification, kind)));
            if self.is_read {
                return Ok(());
            }
            self.read_on(tx, connection, batch).await?;
        }
    }

    fn take(&mut self, item: &BatchItem, booked: Option<Booked>) {
        self.items += 1;
        let kind = match (item.state, item.action) {
            (ItemState::Done, ItemAction::Settle) => {
                self.totals.settled += 1;
                Some(TransactionKind::Accrual)
            }
            (ItemState::Done, ItemAction::Reverse) => {
                self.totals.reversed += 1;
                Some(TransactionKind::Reversal)
            }
            (ItemState::Done, ItemAction::Reinstate) => {
                self.totals.reinstated += 1;
                Some(TransactionKind::Reinstatement)
            }
            (ItemState::Pending, _) => {
                self.pending += 1;
                None
            }
            _ => {
                self.totals.skipped += 1;
                None
            }
        };
        let wanted = kind.map(|kind| (item.qualification.clone(), kind));
        if wanted == booked {
            return;
        }
        self.unplanned.extend(booked);
        self.unbooked
            .extend(wanted.map(|wanted| (item.position, wanted)));
    }

    /// Tells what does not fit. What an earlier version booked may lie at another place than
    /// its item: then it is there all the same.
    fn tell(mut self, batch: &Batch, check: &mut Check) {
        let place = || format!("batches {}", batch.id);
        if batch.state == BatchState::Planning {
            // Its items come and go until it is planned; what must not be is money booked for it.
            if self.booked > 0 {
                let seen = "its plan is still being made, and the ledger has transactions of it";
                check.differs(place(), seen, RESTORE);
            }
        } else {
            if batch.plan_items != self.items {
                let seen = format!(
                    "its plan has {} items, {} are stored",
                    batch.plan_items, self.items
                );
                check.differs(place(), seen, RESTORE);
            }
            for (position, wanted) in std::mem::take(&mut self.unbooked) {
                if !self.unplanned.remove(&wanted) {
                    let (qualification, kind) = (wanted.0, wanted.1.name());
                    let seen = format!(
                        "item {position} is done, and the ledger has no {kind} of {qualification}"
                    );
                    check.differs(place(), seen, RESTORE);
                }
            }
            for (qualification, kind) in std::mem::take(&mut self.unplanned) {
                let seen = format!(
                    "the ledger has the {} of {qualification}, and no item",
                    kind.name()
                );
                check.differs(place(), seen, RESTORE);
            }
            self.ended(batch, check);
        }
        self.plan_is_as_made(batch, check);
    }

    /// What is noted of a batch once it is done.
    fn ended(&self, batch: &Batch, check: &mut Check) {
        let place = || format!("batches {}", batch.id);
        if batch.state != BatchState::Done {
            return;
        }
        if self.pending > 0 {
            let seen = format!("it is done, and {} items are not", self.pending);
            let todo = "run `qualify settle`: what is open is carried out";
            check.differs(place(), seen, todo);
        }
        if self.totals != batch.totals {
            let (noted, given) = (told(batch.totals), told(self.totals));
            let seen = format!("noted are {noted}, its items give {given}");
            check.differs(place(), seen, RESTORE);
        }
    }

    /// The digest of the items against the one that was noted when the plan was made.
    fn plan_is_as_made(self, batch: &Batch, check: &mut Check) {
        let Some(noted) = &batch.origin.digest else {
            return;
        };
        let made = self.manifest.digest();
        if *noted != made {
            let seen = format!("its plan had the digest {noted}, its items have {made}");
            check.differs(format!("batches {}", batch.id), seen, RESTORE);
        }
    }
}

fn told(totals: BatchTotals) -> String {
    let counts: BTreeMap<&str, i64> = BTreeMap::from([
        ("settled", totals.settled),
        ("reversed", totals.reversed),
        ("reinstated", totals.reinstated),
        ("skipped", totals.skipped),
    ]);
    let counts: Vec<String> = counts
        .iter()
        .map(|(what, n)| format!("{n} {what}"))
        .collect();
    counts.join(", ")
}
