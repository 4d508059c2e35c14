//! One item of a batch that the database refuses does not hold up the others, and the batch
//! ends: it says of that item why nothing was booked.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use qualify::clock::ManualClock;
use qualify::domain::currency::Currency;
use qualify::domain::ids::NodeId;
use qualify::domain::ids::{BatchId, ConnectionId};
use qualify::domain::people::Promoter;
use qualify::domain::time::Timestamp;
use qualify::domain::verdict::{Reward, RewardTo};
use qualify::settle::duty::Duty;
use qualify::settle::execute::execute;
use qualify::store::Db;
use qualify::store::batch_items::{BatchItem, ItemAction, ItemState, batch_items, insert_items};
use qualify::store::batches::{Batch, BatchKind, BatchState, BatchTotals, Origin, insert_batch};
use qualify::store::promoters::upsert_promoters;
use qualify::store::qualifications::{Qualification, QualificationState, insert_qualifications};
use qualify::store::verdicts::upsert_verdicts;

const REWARD: Reward = Reward {
    to: RewardTo::Promoter,
    amount_minor: 2000,
    currency: Currency::USD,
};

fn at() -> Timestamp {
    Timestamp::parse("2026-03-10T12:00:00Z").unwrap()
}

fn qualification(id: &str, person: &str, state: QualificationState) -> Qualification {
    let reversed = state == QualificationState::Reversed;
    Qualification {
        id: id.into(),
        campaign: "spring".into(),
        referral: format!("ref_{id}").into(),
        person: person.to_owned(),
        promoter: "prom_ana".into(),
        revision: "sha256:0".into(),
        state,
        reason: "threshold_met".to_owned(),
        qualified_at: at(),
        settle_after: at(),
        rewards: vec![REWARD],
        given: if reversed {
            vec![Reward {
                amount_minor: 0,
                ..REWARD
            }]
        } else {
            Vec::new()
        },
        adjust_due: reversed,
        sequence: if reversed { 2 } else { 0 },
        created_at: at(),
        changed_at: at(),
    }
}

fn item(position: i64, id: &str, action: ItemAction) -> BatchItem {
    BatchItem {
        position,
        qualification: id.into(),
        action,
        amounts: vec![REWARD],
        reason: "threshold_met".to_owned(),
        state: ItemState::Pending,
        outcome: None,
    }
}

async fn one_refused_item(db: &Db) {
    let connection = ConnectionId::from("live");
    let mut tx = db.begin().await.unwrap();
    let ana = Promoter {
        id: "prom_ana".into(),
        name: "Ana".to_owned(),
        email: None,
        code: None,
        coupons: Vec::new(),
        stripe_customer_id: None,
        suspended: false,
    };
    upsert_promoters(&mut tx, &connection, std::slice::from_ref(&ana), at())
        .await
        .unwrap();
    // Bea's place is held by another referral: reinstating the first one would pay her twice.
    let all = [
        qualification("a", "cus_bea", QualificationState::Reversed),
        qualification("b", "cus_bea", QualificationState::Queued),
        qualification("c", "cus_cy", QualificationState::Queued),
    ];
    assert_eq!(
        insert_qualifications(&mut tx, &connection, &all)
            .await
            .unwrap(),
        3
    );
    let items = [
        item(0, "a", ItemAction::Reinstate),
        item(1, "c", ItemAction::Settle),
    ];
    let batch = Batch {
        id: BatchId::from("batch_1"),
        key: "1".to_owned(),
        kind: BatchKind::Scheduled,
        slot_at: at(),
        cut_off: at(),
        state: BatchState::Planned,
        planned_at: at(),
        done_at: None,
        plan_items: 2,
        totals: BatchTotals::default(),
        origin: Origin::default(),
    };
    insert_batch(&mut tx, &connection, &batch).await.unwrap();
    insert_items(&mut tx, &connection, &batch.id, &items)
        .await
        .unwrap();
    // What was taken back of `a` is owed again, by its verdict.
    let verdict = support::verdicts::qualified("spring", "ref_a", "cus_bea", vec![REWARD], at());
    upsert_verdicts(&mut tx, &connection, &[verdict])
        .await
        .unwrap();
    tx.commit().await.unwrap();

    let (clock, node) = (ManualClock::at(at()), NodeId::from("node_a"));
    let duty = Duty::take(db, &connection, &node, &clock).await.unwrap();
    let duty = duty.unwrap();
    let totals = execute(&duty, &batch.id).await.unwrap();
    assert_eq!(
        (totals.settled, totals.reinstated, totals.skipped),
        (1, 0, 1)
    );
    let mut tx = db.read().await.unwrap();
    let done = batch_items(&mut tx, &connection, &batch.id, None, None, 10)
        .await
        .unwrap();
    assert_eq!(done[0].state, ItemState::Superseded);
    assert_eq!(done[1].state, ItemState::Done);
    drop(tx);
    let again = execute(&duty, &batch.id).await.unwrap();
    assert_eq!(again, totals, "a second execution changes nothing");
}

#[tokio::test]
async fn on_sqlite() {
    let (_folder, db) = support::sqlite().await;
    one_refused_item(&db).await;
}

#[tokio::test]
async fn on_postgres() {
    one_refused_item(&support::postgres().await).await;
}
