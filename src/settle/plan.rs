//! Makes a batch's plan, page by page: the batch is `planning` until its last item is stored, and
//! `planned` from then on, with nothing left to decide. Nothing is booked before that, so a plan
//! that a crash cut short is dropped, and made again by whoever has the duty next.

use tokio::time::Instant;

use super::CHUNK_ITEMS;
use super::duty::Duty;
use super::items::{Items, Planned};
use super::manifest::Manifest;
use super::today::judge_waiting;
use crate::clock::Clock;
use crate::domain::ids::{BatchId, ConnectionId};
use crate::domain::time::Timestamp;
use crate::store::batch_items::{BatchItem, ItemAction, drop_items, insert_items};
use crate::store::batches::{
    Batch, BatchKind, BatchState, BatchTotals, Origin, batch_by_key, delete_batch, end_planning,
    insert_batch,
};
use crate::store::{Db, StoreError, retry};
use crate::telemetry::metric;

/// What batch to make.
#[derive(Debug, Clone)]
pub struct Request {
    /// On schedule, or by hand.
    pub kind: BatchKind,
    /// Unique name: the slot, or the run.
    pub key: String,
    /// The instant that the batch belongs to.
    pub slot_at: Timestamp,
    /// What may settle by then is due.
    pub cut_off: Timestamp,
    /// Who asked for it; nobody if its slot came.
    pub by: Option<String>,
}

/// Makes and stores a plan; `None` if the slot has one already, or if a run by hand finds
/// nothing to do.
pub async fn plan(duty: &Duty<'_>, request: &Request) -> Result<Option<BatchId>, StoreError> {
    let mut tx = duty.db.read().await?;
    let there = batch_by_key(&mut tx, duty.connection, &request.key).await?;
    tx.rollback().await?;
    if there.is_some() {
        return Ok(None);
    }
    let planned_at = duty.clock.now();
    judge_waiting(duty.db, duty.connection, duty.clock, Some(duty)).await?;
    let (items, first) = begin(duty, request.cut_off).await?;
    if request.kind == BatchKind::RunNow && first.is_none() {
        return Ok(None);
    }
    let batch = Batch {
        id: BatchId::new(format!("batch_{}", request.key)),
        key: request.key.clone(),
        kind: request.kind,
        slot_at: request.slot_at,
        cut_off: request.cut_off,
        state: BatchState::Planning,
        planned_at,
        done_at: None,
        plan_items: 0,
        totals: BatchTotals::default(),
        origin: Origin {
            node: Some(duty.node.to_string()),
            by: request.by.clone(),
            digest: None,
        },
    };
    let inserted = retry(async || {
        let mut tx = duty.begin().await?;
        insert_batch(&mut tx, duty.connection, &batch).await?;
        tx.commit().await
    });
    match inserted.await {
        // A node that had the duty before was just as far.
        Err(StoreError::Taken(_)) => Ok(None),
        Err(error) => Err(error),
        Ok(()) => fill(duty, &batch, items, first).await,
    }
}

/// Makes a plan again that was not made to its end: the same slot, the same cut-off, today's
/// facts.
pub async fn plan_again(duty: &Duty<'_>, batch: &Batch) -> Result<Option<BatchId>, StoreError> {
    drop_all(duty, &batch.id).await?;
    judge_waiting(duty.db, duty.connection, duty.clock, Some(duty)).await?;
    let (items, first) = begin(duty, batch.cut_off).await?;
    fill(duty, batch, items, first).await
}

type Begun = (Items, Option<Vec<Planned>>);

async fn begin(duty: &Duty<'_>, cut_off: Timestamp) -> Result<Begun, StoreError> {
    let mut items = Items::at(duty.db, duty.connection, cut_off).await?;
    let first = items.page(duty.db, duty.connection).await?;
    Ok((items, first))
}

/// Stores page after page, reading the next one meanwhile, and ends the plan.
async fn fill(
    duty: &Duty<'_>,
    batch: &Batch,
    mut items: Items,
    first: Option<Vec<Planned>>,
) -> Result<Option<BatchId>, StoreError> {
    let mut next = first;
    let mut nothing = true;
    let mut manifest = Manifest::default();
    while let Some(page) = next {
        let page: Vec<BatchItem> = page.into_iter().map(|(item, _)| item).collect();
        manifest.take(&page)?;
        nothing &= page.iter().all(|item| item.action == ItemAction::Skip);
        let (stored, read) = tokio::join!(
            store(duty, &batch.id, &page),
            items.page(duty.db, duty.connection)
        );
        stored?;
        next = read?;
    }
    if batch.kind == BatchKind::RunNow && nothing {
        drop_all(duty, &batch.id).await?;
        let delete = async || {
            let mut tx = duty.begin().await?;
            delete_batch(&mut tx, duty.connection, &batch.id).await?;
            tx.commit().await
        };
        retry(delete).await?;
        return Ok(None);
    }
    let (count, digest) = (items.count(), manifest.digest());
    let end = async || {
        let mut tx = duty.begin().await?;
        end_planning(&mut tx, duty.connection, &batch.id, (count, &digest)).await?;
        tx.commit().await
    };
    retry(end).await?;
    Ok(Some(batch.id.clone()))
}

async fn store(duty: &Duty<'_>, batch: &BatchId, page: &[BatchItem]) -> Result<(), StoreError> {
    let store = async || {
        let mut tx = duty.begin().await?;
        let started = Instant::now();
        insert_items(&mut tx, duty.connection, batch, page).await?;
        tx.commit().await?;
        metrics::histogram!(metric::SETTLE_PAGE, "stage" => "plan").record(started.elapsed());
        Ok(())
    };
    retry(store).await
}

async fn drop_all(duty: &Duty<'_>, batch: &BatchId) -> Result<(), StoreError> {
    let drop_some = async || {
        let mut tx = duty.begin().await?;
        let dropped = drop_items(&mut tx, duty.connection, batch, CHUNK_ITEMS).await?;
        tx.commit().await?;
        Ok::<_, StoreError>(dropped)
    };
    while retry(drop_some).await? > 0 {}
    Ok(())
}

/// Shows what a batch at this cut-off would do, page by page, each item with its qualification.
/// Nothing is stored, and nobody waits for it; what waits to be judged is judged before, as the
/// judging stage does.
pub async fn preview(
    db: &Db,
    connection: &ConnectionId,
    clock: &dyn Clock,
    cut_off: Timestamp,
    mut show: impl FnMut(Vec<Planned>),
) -> Result<(), StoreError> {
    judge_waiting(db, connection, clock, None).await?;
    let mut items = Items::at(db, connection, cut_off).await?;
    while let Some(page) = items.page(db, connection).await? {
        show(page);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use crate::domain::ids::{NodeId, QualificationId, RevisionId};
    use crate::domain::people::Promoter;
    use crate::store::ConnectOptions;
    use crate::store::batch_items::batch_items;
    use crate::store::promoters::upsert_promoters;
    use crate::store::qualifications::{Qualification, QualificationState, insert_qualifications};

    fn at(day: u32) -> Timestamp {
        Timestamp::from_unix(0).unwrap().plus_days(day)
    }

    fn promoter() -> Promoter {
        Promoter {
            id: "prom_ana".into(),
            name: "Ana".to_owned(),
            email: None,
            code: None,
            coupons: Vec::new(),
            stripe_customer_id: None,
            suspended: false,
        }
    }

    fn queued(id: &str, qualified: u32, settle_after: u32) -> Qualification {
        Qualification {
            id: QualificationId::from(id),
            campaign: "spring".into(),
            referral: id.into(),
            person: id.to_owned(),
            promoter: "prom_ana".into(),
            revision: RevisionId::from("sha256:1"),
            state: QualificationState::Queued,
            reason: "threshold_met".to_owned(),
            qualified_at: at(qualified),
            settle_after: at(settle_after),
            rewards: Vec::new(),
            given: Vec::new(),
            adjust_due: false,
            sequence: 0,
            created_at: at(qualified),
            changed_at: at(qualified),
        }
    }

    /// A campaign with a hold settles later than it qualifies: planning comes to an end all
    /// the same, and whoever qualified first is first.
    #[tokio::test]
    async fn what_was_on_hold_is_planned_once_in_the_order_of_qualifying() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/q.db", folder.path().display());
        let db = Db::connect(&url, &ConnectOptions::default()).await.unwrap();
        db.migrate().await.unwrap();
        let live = ConnectionId::from("live");
        let mut tx = db.begin().await.unwrap();
        upsert_promoters(&mut tx, &live, &[promoter()], at(0))
            .await
            .unwrap();
        let waiting = [
            queued("qual_a", 3, 4),
            queued("qual_b", 1, 15),
            queued("qual_c", 2, 16),
            queued("qual_d", 8, 22),
        ];
        insert_qualifications(&mut tx, &live, &waiting)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let request = Request {
            kind: BatchKind::Scheduled,
            key: "slot.1".to_owned(),
            slot_at: at(20),
            cut_off: at(20),
            by: None,
        };
        let (clock, node) = (ManualClock::at(at(20)), NodeId::from("node_a"));
        let duty = Duty::take(&db, &live, &node, &clock)
            .await
            .unwrap()
            .unwrap();
        let planned = plan(&duty, &request);
        let planned = tokio::time::timeout(std::time::Duration::from_secs(30), planned)
            .await
            .expect("planning comes to an end");
        let batch = planned.unwrap().unwrap();
        let mut tx = db.read().await.unwrap();
        let items = batch_items(&mut tx, &live, &batch, None, None, 10)
            .await
            .unwrap();
        let order: Vec<&str> = items.iter().map(|i| i.qualification.as_str()).collect();
        assert_eq!(order, ["qual_b", "qual_c", "qual_a"]);
        tx.rollback().await.unwrap();
        db.close().await;
    }
}
