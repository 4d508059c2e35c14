//! Batches: what is noted of one against its items, and its items against the ledger.

use std::collections::{BTreeMap, BTreeSet};

use super::{Check, PAGE};
use crate::domain::ids::{BatchId, ConnectionId, QualificationId};
use crate::domain::time::Timestamp;
use crate::settle::manifest::Manifest;
use crate::store::batch_items::{BatchItem, ItemAction, ItemState, batch_items};
use crate::store::batches::{Batch, BatchState, BatchTotals, list_batches};
use crate::store::ledger::{TransactionKind, transaction_page};
use crate::store::{StoreError, Tx};

pub(super) const NAME: &str = "batches";
const RESTORE: &str = "restore the batch from a backup; running it again books nothing twice";

pub(super) async fn check(tx: &mut Tx, connection: &ConnectionId) -> Result<Check, StoreError> {
    let mut check = Check::new(NAME);
    let mut after: Option<(Timestamp, BatchId)> = None;
    loop {
        let place = after.as_ref().map(|(at, id)| (*at, id));
        let page = list_batches(tx, connection, place, PAGE).await?;
        for batch in &page {
            check.looked_at += 1;
            let items = items(tx, connection, &batch.id).await?;
            let booked = booked(tx, connection, &batch.id).await?;
            one(batch, &items, booked, &mut check);
            plan_is_as_made(batch, &items, &mut check)?;
        }
        match page.last() {
            Some(last) if page.len() >= PAGE as usize => {
                after = Some((last.planned_at, last.id.clone()));
            }
            _ => return Ok(check),
        }
    }
}

async fn items(
    tx: &mut Tx,
    connection: &ConnectionId,
    batch: &BatchId,
) -> Result<Vec<BatchItem>, StoreError> {
    let mut all: Vec<BatchItem> = Vec::new();
    loop {
        let after = all.last().map(|item| item.position);
        let page = batch_items(tx, connection, batch, None, after, PAGE).await?;
        let full = page.len() >= PAGE as usize;
        all.extend(page);
        if !full {
            return Ok(all);
        }
    }
}

type Booked = BTreeSet<(QualificationId, TransactionKind)>;

async fn booked(
    tx: &mut Tx,
    connection: &ConnectionId,
    batch: &BatchId,
) -> Result<Booked, StoreError> {
    let mut all = Booked::new();
    let mut after: Option<(BatchId, i64)> = None;
    loop {
        let page = transaction_page(tx, connection, Some(batch), after.as_ref(), PAGE).await?;
        all.extend(page.iter().map(|t| (t.qualification.clone(), t.kind)));
        match page.last() {
            Some(last) if page.len() >= PAGE as usize => {
                after = Some((last.batch.clone(), last.item));
            }
            _ => return Ok(all),
        }
    }
}

/// The digest of the items against the one that was noted when the plan was made.
fn plan_is_as_made(
    batch: &Batch,
    items: &[BatchItem],
    check: &mut Check,
) -> Result<(), StoreError> {
    let Some(noted) = &batch.origin.digest else {
        return Ok(());
    };
    let mut manifest = Manifest::default();
    manifest.take(items)?;
    let made = manifest.digest();
    if *noted != made {
        let seen = format!("its plan had the digest {noted}, its items have {made}");
        check.differs(format!("batches {}", batch.id), seen, RESTORE);
    }
    Ok(())
}

fn one(batch: &Batch, items: &[BatchItem], mut booked: Booked, check: &mut Check) {
    let place = || format!("batches {}", batch.id);
    if batch.state == BatchState::Planning {
        // Its items come and go until it is planned; what must not be is money booked for it.
        if !booked.is_empty() {
            let seen = "its plan is still being made, and the ledger has transactions of it";
            check.differs(place(), seen, RESTORE);
        }
        return;
    }
    if usize::try_from(batch.plan_items).ok() != Some(items.len()) {
        let seen = format!(
            "its plan has {} items, {} are stored",
            batch.plan_items,
            items.len()
        );
        check.differs(place(), seen, RESTORE);
    }
    let mut totals = BatchTotals::default();
    let mut pending = 0_u64;
    for item in items {
        let kind = match (item.state, item.action) {
            (ItemState::Pending, _) => {
                pending += 1;
                continue;
            }
            (ItemState::Done, ItemAction::Settle) => {
                totals.settled += 1;
                TransactionKind::Accrual
            }
            (ItemState::Done, ItemAction::Reverse) => {
                totals.reversed += 1;
                TransactionKind::Reversal
            }
            (ItemState::Done, ItemAction::Reinstate) => {
                totals.reinstated += 1;
                TransactionKind::Reinstatement
            }
            _ => {
                totals.skipped += 1;
                continue;
            }
        };
        if !booked.remove(&(item.qualification.clone(), kind)) {
            let seen = format!(
                "item {} is done, and the ledger has no {} of {}",
                item.position,
                kind.name(),
                item.qualification
            );
            check.differs(place(), seen, RESTORE);
        }
    }
    for (qualification, kind) in booked {
        let seen = format!(
            "the ledger has the {} of {qualification}, and no item",
            kind.name()
        );
        check.differs(place(), seen, RESTORE);
    }
    if batch.state != BatchState::Done {
        return;
    }
    if pending > 0 {
        let seen = format!("it is done, and {pending} items are not");
        check.differs(
            place(),
            seen,
            "run `qualify settle`: what is open is carried out",
        );
    }
    if totals != batch.totals {
        let told = told(batch.totals);
        let seen = format!("noted are {told}, its items give {}", self::told(totals));
        check.differs(place(), seen, RESTORE);
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
