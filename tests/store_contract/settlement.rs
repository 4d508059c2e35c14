//! Qualifications, batches, the ledger and the outbox.

use qualify::domain::currency::Currency;
use qualify::domain::ids::{BatchId, ConnectionId, OutboxId};
use qualify::domain::ledger::{Account, Entry};
use qualify::domain::money::Money;
use qualify::domain::time::Timestamp;
use qualify::domain::verdict::{Reward, RewardTo};
use qualify::store::batch_items::{
    BatchItem, ItemAction, ItemState, batch_items, count_items, drop_items, finish_items,
    finish_run, insert_items, items_of_qualification,
};
use qualify::store::batches::{
    Batch, BatchKind, BatchState, BatchTotals, Origin, batch_by_key, begin_execution, change_batch,
    delete_batch, end_planning, get_batch, insert_batch, list_batches, open_batches,
};
use qualify::store::ledger::{
    StatementFilter, Transaction, TransactionKind, accounts_without_balance, balance_page,
    balances, bookings_of_batch, count_transactions, entry_page, grand_total, insert_transactions,
    list_transactions, qualifications_that_are_gone, transaction_page,
    transactions_of_qualifications,
};
use qualify::store::outbox::{
    OutboxMessage, forget_messages, insert_messages, is_untold, load_messages, queue_messages,
    tell_messages,
};
use qualify::store::promoters::upsert_promoters;
use qualify::store::qualifications::{
    Due, Qualification, QualificationFilter, QualificationState, RewardFilter, Transition,
    active_of_persons, change_qualifications, due_qualifications, due_to_settle,
    insert_qualifications, list_qualifications, list_rewards, load_qualifications,
    persons_with_several, qualifications_of_referrals, qualifications_to_adjust,
    settle_qualifications, settled_counts,
};
use qualify::store::{Db, Statement, StoreError, Tx};

contract!(
    a_person_has_one_active_qualification,
    persons_with_several_are_counted,
    a_transition_holds_only_from_what_was_read,
    what_is_queued_is_settled_once,
    what_is_due_comes_in_order_and_in_pages,
    a_slot_is_planned_once,
    items_are_finished_once,
    a_plan_in_the_making_can_be_dropped_and_no_other,
    a_qualification_is_accrued_once,
    the_ledger_is_append_only_and_sums_to_zero,
    balances_and_statements_follow_the_entries,
    what_belongs_to_nothing_is_found,
    a_batch_says_that_it_is_carried_out,
    messages_are_told_once,
);

fn conn() -> ConnectionId {
    ConnectionId::new("main")
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix(seconds).unwrap()
}

fn reward(amount_minor: i64) -> Vec<Reward> {
    vec![Reward {
        to: RewardTo::Promoter,
        amount_minor,
        currency: Currency::USD,
    }]
}

pub fn qualification(id: &str, person: &str, settle_after: i64) -> Qualification {
    Qualification {
        id: id.into(),
        campaign: "spring".into(),
        referral: format!("ref_{person}").into(),
        person: person.to_owned(),
        promoter: "ana".into(),
        revision: "sha256:a".into(),
        state: QualificationState::Queued,
        reason: "threshold_met".to_owned(),
        qualified_at: at(1),
        settle_after: at(settle_after),
        rewards: reward(2000),
        given: Vec::new(),
        adjust_due: false,
        sequence: 0,
        created_at: at(2),
        changed_at: at(2),
    }
}

fn moved(before: &Qualification, state: QualificationState, sequence: i64) -> Transition {
    Transition {
        from: (before.state, before.sequence),
        to: Qualification {
            state,
            sequence,
            changed_at: at(9),
            ..before.clone()
        },
    }
}

pub async fn start(db: &Db, qualifications: &[Qualification]) -> Tx {
    let mut tx = db.begin().await.unwrap();
    let people = ["ana", "ben"].map(|id| super::people::promoter(id, &[]));
    upsert_promoters(&mut tx, &conn(), &people, at(1))
        .await
        .unwrap();
    insert_qualifications(&mut tx, &conn(), qualifications)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    db.begin().await.unwrap()
}

async fn a_person_has_one_active_qualification(db: &Db) {
    let first = qualification("q1", "p1", 5);
    let mut tx = start(db, std::slice::from_ref(&first)).await;
    let second = qualification("q2", "p1", 5);
    let both = [second.clone(), qualification("q3", "p3", 5)];
    assert_eq!(
        insert_qualifications(&mut tx, &conn(), &both)
            .await
            .unwrap(),
        1
    );
    let active = active_of_persons(&mut tx, &conn(), &"spring".into(), &["p1".to_owned()]).await;
    assert_eq!(active.unwrap(), [first.clone()]);

    let withdraw = moved(&first, QualificationState::Withdrawn, 0);
    change_qualifications(&mut tx, &conn(), std::slice::from_ref(&withdraw))
        .await
        .unwrap();
    assert_eq!(
        insert_qualifications(&mut tx, &conn(), &[second])
            .await
            .unwrap(),
        1
    );
    let of = qualifications_of_referrals(&mut tx, &conn(), &["ref_p1".into()])
        .await
        .unwrap();
    assert_eq!(
        of.iter().map(|q| q.id.as_str()).collect::<Vec<_>>(),
        ["q1", "q2"]
    );
    tx.commit().await.unwrap();

    let mut tx = db.begin().await.unwrap();
    let back = moved(&withdraw.to, QualificationState::Queued, 0);
    let taken = change_qualifications(&mut tx, &conn(), &[back]).await;
    assert!(matches!(taken, Err(StoreError::Taken(_))), "{taken:?}");
}

async fn persons_with_several_are_counted(db: &Db) {
    let first = [qualification("q1", "p1", 5), qualification("q2", "p2", 5)];
    let mut tx = start(db, &first).await;
    let none = persons_with_several(&mut tx, &conn(), 9).await;
    assert_eq!(none.unwrap(), (Vec::new(), 0));
    Statement::new("DROP INDEX qualifications_one_per_person")
        .execute(&mut tx)
        .await
        .unwrap();
    let other = |id: &str, person: &str| Qualification {
        referral: format!("ref_{id}").into(),
        ..qualification(id, person, 5)
    };
    let second = [other("q3", "p1"), other("q4", "p2"), other("q5", "p3")];
    let queued = insert_qualifications(&mut tx, &conn(), &second).await;
    assert_eq!(queued.unwrap(), 3);
    let found = persons_with_several(&mut tx, &conn(), 1).await;
    assert_eq!(
        found.unwrap(),
        (vec![("spring".into(), "p1".to_owned())], 2)
    );
    let foreign = persons_with_several(&mut tx, &"other".into(), 9).await;
    assert_eq!(foreign.unwrap(), (Vec::new(), 0));
}

async fn a_transition_holds_only_from_what_was_read(db: &Db) {
    let all = [qualification("q1", "p1", 5), qualification("q2", "p2", 5)];
    let mut tx = start(db, &all).await;
    let mut settle = all
        .each_ref()
        .map(|q| moved(q, QualificationState::Settled, 1));
    settle[0].to.given = reward(2000);
    settle[1].to.adjust_due = true;
    change_qualifications(&mut tx, &conn(), &settle)
        .await
        .unwrap();
    let loaded = load_qualifications(&mut tx, &conn(), &["q2".into(), "q1".into()])
        .await
        .unwrap();
    assert_eq!(loaded, [settle[0].to.clone(), settle[1].to.clone()]);
    let flagged = qualifications_to_adjust(&mut tx, &conn(), None, 9).await;
    assert_eq!(flagged.unwrap(), loaded[1..]);
    let after = (at(9), "q2".into());
    let rest = qualifications_to_adjust(&mut tx, &conn(), Some(&after), 9).await;
    assert_eq!(rest.unwrap(), []);
    let promoters = ["ana".into(), "ben".into()];
    let counts = settled_counts(&mut tx, &conn(), &"spring".into(), &promoters).await;
    assert_eq!(counts.unwrap().into_values().collect::<Vec<_>>(), [2]);
    let others = settled_counts(&mut tx, &conn(), &"autumn".into(), &promoters).await;
    assert!(others.unwrap().is_empty());
    let again = change_qualifications(&mut tx, &conn(), &settle).await;
    assert!(matches!(
        again,
        Err(StoreError::Stale {
            expected: 2,
            seen: 0,
            ..
        })
    ));
}

async fn what_is_queued_is_settled_once(db: &Db) {
    let all = [qualification("q1", "p1", 5), qualification("q2", "p2", 5)];
    let mut tx = start(db, &all).await;
    let settled = all.each_ref().map(|q| Qualification {
        state: QualificationState::Settled,
        given: reward(2000),
        sequence: 1,
        changed_at: at(9),
        ..q.clone()
    });
    let ids = ["q1".into(), "q2".into()];
    settle_qualifications(&mut tx, &conn(), &ids, at(9))
        .await
        .unwrap();
    let loaded = load_qualifications(&mut tx, &conn(), &ids).await.unwrap();
    assert_eq!(loaded, settled);
    let persons = ["p1".to_owned(), "p2".to_owned()];
    let active = active_of_persons(&mut tx, &conn(), &"spring".into(), &persons).await;
    assert_eq!(active.unwrap(), settled, "it keeps its person's place");
    let again = settle_qualifications(&mut tx, &conn(), &ids[..1], at(9)).await;
    assert!(matches!(again, Err(StoreError::Stale { seen: 0, .. })));
}

async fn what_is_due_comes_in_order_and_in_pages(db: &Db) {
    let qualified = |id, person, qualified_at, settle_after| Qualification {
        qualified_at: at(qualified_at),
        ..qualification(id, person, settle_after)
    };
    let all = [
        qualified("q1", "p1", 9, 10),
        qualified("q2", "p2", 5, 30),
        qualified("q3", "p3", 5, 12),
        qualified("q4", "p4", 1, 31),
    ];
    let mut tx = start(db, &all).await;
    let first = due_qualifications(&mut tx, &conn(), at(30), None, 2)
        .await
        .unwrap();
    let (q3, filter) = (&first[1], QualificationFilter::default());
    let after = (at(5), q3.id.clone());
    let next = due_qualifications(&mut tx, &conn(), at(30), Some(&after), 2).await;
    let ids: Vec<_> = first
        .iter()
        .chain(next.as_ref().unwrap())
        .map(|q| q.id.as_str())
        .collect();
    assert_eq!(ids, ["q2", "q3", "q1"]);
    let whole = first.iter().chain(next.as_ref().unwrap());
    let mut slim = due_to_settle(&mut tx, &conn(), at(30), None, 2)
        .await
        .unwrap();
    let next = due_to_settle(&mut tx, &conn(), at(30), Some(&after), 2).await;
    slim.extend(next.unwrap());
    let same = whole.cloned().map(|q| Due {
        id: q.id,
        campaign: q.campaign,
        referral: q.referral,
        promoter: q.promoter,
        revision: q.revision,
        qualified_at: q.qualified_at,
        rewards: q.rewards,
    });
    assert_eq!(slim, same.collect::<Vec<_>>());

    let listed = list_qualifications(&mut tx, &conn(), &filter, Some(&q3.id), 9)
        .await
        .unwrap();
    assert_eq!(listed, all[3..]);
    for (due_by, due_after, expected) in [
        (None, None, vec!["q1", "q2", "q3", "q4"]),
        (Some(at(12)), None, vec!["q1", "q3"]),
        (None, Some(at(12)), vec!["q2", "q4"]),
    ] {
        let filter = RewardFilter {
            campaign: Some("spring".into()),
            promoter: Some("ana".into()),
            state: Some(QualificationState::Queued),
            due_by,
            due_after,
        };
        let page = list_rewards(&mut tx, &conn(), &filter, None, 9).await;
        let page = page.unwrap();
        let ids: Vec<&str> = page.iter().map(|q| q.id.as_str()).collect();
        assert_eq!(ids, expected);
    }
    let gone = [moved(&all[0], QualificationState::Withdrawn, 0)];
    change_qualifications(&mut tx, &conn(), &gone)
        .await
        .unwrap();
    let owed = list_rewards(&mut tx, &conn(), &RewardFilter::default(), None, 2).await;
    assert_eq!(
        owed.unwrap(),
        all[1..3],
        "what is withdrawn is owed to nobody"
    );
    let nobodys = QualificationFilter {
        campaign: Some("spring".into()),
        promoter: Some("ben".into()),
        state: Some(QualificationState::Queued),
    };
    assert!(
        list_qualifications(&mut tx, &conn(), &nobodys, None, 9)
            .await
            .unwrap()
            .is_empty()
    );
}

pub fn batch(id: &str, key: &str, seconds: i64) -> Batch {
    Batch {
        id: id.into(),
        key: key.to_owned(),
        kind: BatchKind::Scheduled,
        slot_at: at(43_200),
        cut_off: at(43_200),
        state: BatchState::Planned,
        planned_at: at(seconds),
        done_at: None,
        plan_items: 2,
        totals: BatchTotals::default(),
        origin: Origin::default(),
    }
}

pub fn item(position: i64, qualification: &str) -> BatchItem {
    BatchItem {
        position,
        qualification: qualification.into(),
        action: ItemAction::Settle,
        amounts: reward(2000),
        reason: "threshold_met".to_owned(),
        state: ItemState::Pending,
        outcome: None,
    }
}

async fn a_slot_is_planned_once(db: &Db) {
    let mut tx = start(db, &[]).await;
    let one = batch("b1", "slot:1", 1);
    insert_batch(&mut tx, &conn(), &one).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = db.begin().await.unwrap();
    let taken = insert_batch(&mut tx, &conn(), &batch("b2", "slot:1", 2)).await;
    assert!(matches!(taken, Err(StoreError::Taken(_))), "{taken:?}");
    tx.rollback().await.unwrap();

    let mut tx = db.begin().await.unwrap();
    let two = batch("b2", "slot:2", 2);
    insert_batch(&mut tx, &conn(), &two).await.unwrap();
    assert_eq!(
        list_batches(&mut tx, &conn(), None, 1).await.unwrap(),
        [two.clone()]
    );
    assert_eq!(
        batch_by_key(&mut tx, &conn(), "slot:1").await.unwrap(),
        Some(one.clone())
    );
    let after = Some((at(2), &two.id));
    assert_eq!(
        list_batches(&mut tx, &conn(), after, 9).await.unwrap(),
        [one.clone()]
    );
    let totals = BatchTotals {
        settled: 1,
        skipped: 1,
        ..BatchTotals::default()
    };
    let step = (BatchState::Planned, BatchState::Done);
    change_batch(&mut tx, &conn(), &one.id, step, totals, Some(at(3)))
        .await
        .unwrap();
    let stale = change_batch(&mut tx, &conn(), &one.id, step, totals, None).await;
    assert!(matches!(stale, Err(StoreError::Stale { .. })));
    assert_eq!(open_batches(&mut tx, &conn()).await.unwrap(), [two]);
    let done = get_batch(&mut tx, &conn(), &one.id).await.unwrap().unwrap();
    assert_eq!((done.totals, done.done_at), (totals, Some(at(3))));
}

async fn items_are_finished_once(db: &Db) {
    let mut tx = start(db, &[]).await;
    let id = BatchId::new("b1");
    let items = [item(0, "q1"), item(1, "q2"), item(2, "q3")];
    insert_batch(&mut tx, &conn(), &batch("b1", "k", 1))
        .await
        .unwrap();
    insert_items(&mut tx, &conn(), &id, &items).await.unwrap();
    let page = batch_items(&mut tx, &conn(), &id, None, Some(0), 1)
        .await
        .unwrap();
    assert_eq!(page, items[1..2]);
    let overtaken = [(2, ItemState::Superseded, "refunded meanwhile".to_owned())];
    finish_items(&mut tx, &conn(), &id, &overtaken)
        .await
        .unwrap();
    let late = finish_items(&mut tx, &conn(), &id, &overtaken).await;
    assert!(matches!(late, Err(StoreError::Stale { .. })));
    let left = batch_items(&mut tx, &conn(), &id, Some(ItemState::Pending), None, 9)
        .await
        .unwrap();
    assert_eq!(left, items[..2]);
    let wrong = finish_run(&mut tx, &conn(), &id, (0, 2), 3).await;
    assert!(matches!(
        wrong,
        Err(StoreError::Stale {
            expected: 3,
            seen: 2,
            ..
        })
    ));
    tx.rollback().await.unwrap();
}

async fn a_plan_in_the_making_can_be_dropped_and_no_other(db: &Db) {
    let mut tx = start(db, &[qualification("q1", "p1", 5)]).await;
    let id = BatchId::new("b1");
    let planning = Batch {
        state: BatchState::Planning,
        plan_items: 0,
        ..batch("b1", "k", 1)
    };
    let skip = BatchItem {
        action: ItemAction::Skip,
        reason: "budget_exhausted".to_owned(),
        ..item(1, "q2")
    };
    let items = [item(0, "q1"), skip.clone(), item(2, "q3")];
    insert_batch(&mut tx, &conn(), &planning).await.unwrap();
    insert_items(&mut tx, &conn(), &id, &items).await.unwrap();
    assert_eq!(drop_items(&mut tx, &conn(), &id, 2).await.unwrap(), 2);
    let left = batch_items(&mut tx, &conn(), &id, None, None, 9).await;
    assert_eq!(left.unwrap(), items[2..]);
    let full = delete_batch(&mut tx, &conn(), &id).await;
    assert!(matches!(full, Err(StoreError::Stale { .. })));
    assert_eq!(drop_items(&mut tx, &conn(), &id, 2).await.unwrap(), 1);
    assert_eq!(drop_items(&mut tx, &conn(), &id, 2).await.unwrap(), 0);
    delete_batch(&mut tx, &conn(), &id).await.unwrap();

    insert_batch(&mut tx, &conn(), &planning).await.unwrap();
    insert_items(&mut tx, &conn(), &id, &items).await.unwrap();
    end_planning(&mut tx, &conn(), &id, (3, "abc"))
        .await
        .unwrap();
    let again = end_planning(&mut tx, &conn(), &id, (3, "abd")).await;
    assert!(matches!(again, Err(StoreError::Stale { .. })));
    assert_eq!(drop_items(&mut tx, &conn(), &id, 9).await.unwrap(), 0);
    let planned = get_batch(&mut tx, &conn(), &id).await.unwrap().unwrap();
    assert_eq!(
        (planned.state, planned.plan_items),
        (BatchState::Planned, 3)
    );

    let overtaken = [(2, ItemState::Superseded, "refunded meanwhile".to_owned())];
    finish_items(&mut tx, &conn(), &id, &overtaken)
        .await
        .unwrap();
    let booked = Transaction {
        batch: id.clone(),
        item: 0,
        ..transaction(0, "q1", 1, 2000)
    };
    insert_transactions(&mut tx, &conn(), &[booked])
        .await
        .unwrap();
    finish_run(&mut tx, &conn(), &id, (0, 2), 2).await.unwrap();
    let done = batch_items(&mut tx, &conn(), &id, None, None, 9).await;
    let outcomes: Vec<_> = done.unwrap().into_iter().map(|i| i.outcome).collect();
    let said = [
        "qualification.settled",
        "budget_exhausted",
        "refunded meanwhile",
    ];
    assert_eq!(outcomes, said.map(|text| Some(text.to_owned())));
    assert_eq!(count_items(&mut tx, &conn(), &id).await.unwrap().len(), 3);
    // Found by what they booked, or because they booked nothing.
    for (qualification, position) in [("q1", 0), ("q2", 1), ("q3", 2)] {
        let of = items_of_qualification(&mut tx, &conn(), &qualification.into()).await;
        let of: Vec<_> = of
            .unwrap()
            .into_iter()
            .map(|(b, i)| (b, i.position))
            .collect();
        assert_eq!(of, [(id.clone(), position)]);
    }
}

pub fn transaction(item: i64, qualification: &str, sequence: i64, minor: i64) -> Transaction {
    let entry = |account, minor| Entry {
        account,
        amount: Money {
            minor,
            currency: Currency::USD,
        },
    };
    Transaction {
        qualification: qualification.into(),
        sequence,
        kind: match sequence {
            1 => TransactionKind::Accrual,
            _ => TransactionKind::Reversal,
        },
        cause: "threshold_met".to_owned(),
        campaign: "spring".into(),
        promoter: "ana".into(),
        referral: "ref_p1".into(),
        batch: "b1".into(),
        item,
        revision: "sha256:a".into(),
        booked_at: at(100 + sequence),
        entries: vec![
            entry(Account::Promoter("ana".into()), minor),
            entry(Account::Budget("spring".into()), -minor),
        ],
    }
}

async fn a_qualification_is_accrued_once(db: &Db) {
    let tx = start(db, &[qualification("q1", "p1", 5)]).await;
    tx.rollback().await.unwrap();
    // Two nodes at once, with different items for the same thing: the second writes before the
    // first has committed, and waits for it.
    let mut first = db.begin().await.unwrap();
    insert_transactions(&mut first, &conn(), &[transaction(1, "q1", 1, 2000)])
        .await
        .unwrap();
    let late = async {
        let mut tx = db.begin().await.unwrap();
        insert_transactions(&mut tx, &conn(), &[transaction(2, "q1", 1, 2000)]).await?;
        tx.commit().await
    };
    let (late, first) = tokio::join!(late, first.commit());
    first.unwrap();
    assert!(matches!(late, Err(StoreError::Taken(_))), "{late:?}");

    let mut tx = db.begin().await.unwrap();
    let mut second = transaction(3, "q1", 2, 2000);
    second.kind = TransactionKind::Accrual;
    let refused = insert_transactions(&mut tx, &conn(), &[second]).await;
    let is_refused = matches!(refused, Err(StoreError::Refused(_)));
    assert!(is_refused, "an accrual is the first: {refused:?}");
}

async fn the_ledger_is_append_only_and_sums_to_zero(db: &Db) {
    let mut tx = start(db, &[qualification("q1", "p1", 5)]).await;
    insert_transactions(&mut tx, &conn(), &[transaction(1, "q1", 1, 2000)])
        .await
        .unwrap();
    tx.commit().await.unwrap();
    for text in [
        "UPDATE ledger_entries SET amount_minor = 1",
        "DELETE FROM ledger_entries",
        "UPDATE ledger_transactions SET cause = 'x'",
        "DELETE FROM ledger_transactions",
    ] {
        let mut tx = db.begin().await.unwrap();
        let refused = Statement::new(text).execute(&mut tx).await;
        assert!(
            matches!(refused, Err(StoreError::Refused(_))),
            "{text}: {refused:?}"
        );
        tx.rollback().await.unwrap();
    }
    let mut tx = db.begin().await.unwrap();
    let mut bad = transaction(2, "q1", 2, -500);
    bad.entries.pop();
    let refused = insert_transactions(&mut tx, &conn(), &[bad]).await;
    assert!(
        matches!(refused, Err(StoreError::Refused(_))),
        "{refused:?}"
    );
    let nobodys = insert_transactions(&mut tx, &conn(), &[transaction(3, "q9", 1, 1)]).await;
    assert!(
        matches!(nobodys, Err(StoreError::Refused(_))),
        "{nobodys:?}"
    );
}

async fn balances_and_statements_follow_the_entries(db: &Db) {
    let mut tx = start(
        db,
        &[qualification("q1", "p1", 5), qualification("q2", "p2", 5)],
    )
    .await;
    let all = [
        transaction(1, "q1", 1, 2000),
        transaction(2, "q1", 2, -500),
        transaction(3, "q2", 1, 70),
    ];
    insert_transactions(&mut tx, &conn(), &all).await.unwrap();
    let (ana, budget) = (
        Account::Promoter("ana".into()),
        Account::Budget("spring".into()),
    );
    let asked = [ana.clone(), Account::Clearing];
    let found = balances(&mut tx, &conn(), &asked).await.unwrap();
    assert_eq!(found, [((ana.clone(), Currency::USD), 1570)].into());
    let page = balance_page(&mut tx, &conn(), None, 1).await.unwrap();
    assert_eq!(page, [((budget.clone(), Currency::USD), -1570)].into());
    assert_eq!(
        balance_page(&mut tx, &conn(), Some(&budget), 9)
            .await
            .unwrap(),
        found
    );
    assert_eq!(
        grand_total(&mut tx, &conn()).await.unwrap(),
        [(Currency::USD, 0)].into()
    );

    let of = transactions_of_qualifications(&mut tx, &conn(), &["q1".into()])
        .await
        .unwrap();
    assert_eq!(of, all[..2]);
    let any = StatementFilter::default();
    let first = list_transactions(&mut tx, &conn(), &any, None, 2)
        .await
        .unwrap();
    assert_eq!(first, [all[1].clone(), all[2].clone()]);
    assert_eq!(
        list_transactions(&mut tx, &conn(), &any, Some(&all[2]), 9)
            .await
            .unwrap(),
        all[..1]
    );
    let narrow = StatementFilter {
        promoter: Some("ana".into()),
        campaign: Some("spring".into()),
        batch: Some("b1".into()),
        from: Some(at(102)),
        until: Some(at(103)),
    };
    assert_eq!(
        list_transactions(&mut tx, &conn(), &narrow, None, 9)
            .await
            .unwrap(),
        all[1..2]
    );
    let after = ("b1".into(), 2);
    let page = transaction_page(&mut tx, &conn(), None, Some(&after), 9).await;
    assert_eq!(page.unwrap(), all[2..]);
    for (batch, count) in [("b1", 3), ("b2", 0)] {
        let page = transaction_page(&mut tx, &conn(), Some(&batch.into()), None, 9).await;
        assert_eq!(page.unwrap().len(), count);
    }
    let entries = entry_page(&mut tx, &conn(), None, None, 9).await.unwrap();
    let booked: Vec<_> = all.iter().flat_map(|t| &t.entries).collect();
    assert_eq!(entries.iter().map(|e| &e.entry).collect::<Vec<_>>(), booked);
    assert_eq!(entries[2].transaction, all[1].id());
    assert_eq!(entries[2].kind, TransactionKind::Reversal);
    let batch = BatchId::from("b1");
    let rest = entry_page(&mut tx, &conn(), Some(&ana), Some((&batch, 1, 0)), 1).await;
    assert_eq!(rest.unwrap(), entries[2..3]);
    let other = ConnectionId::new("other");
    let foreign = entry_page(&mut tx, &other, None, None, 9).await;
    assert!(foreign.unwrap().is_empty());
    assert!(balances(&mut tx, &other, &asked).await.unwrap().is_empty());
}

/// What `verify` asks about the ledger as a whole.
async fn what_belongs_to_nothing_is_found(db: &Db) {
    let mut tx = start(
        db,
        &[qualification("q1", "p1", 5), qualification("q2", "p2", 5)],
    )
    .await;
    let all = [
        transaction(1, "q1", 1, 2000),
        transaction(2, "q1", 2, -500),
        transaction(3, "q2", 1, 70),
    ];
    insert_transactions(&mut tx, &conn(), &all).await.unwrap();
    assert_eq!(count_transactions(&mut tx, &conn()).await.unwrap(), 3);
    let batch = BatchId::from("b1");
    let first = bookings_of_batch(&mut tx, &conn(), &batch, None, 2).await;
    let expected = [
        (1, "q1".into(), TransactionKind::Accrual),
        (2, "q1".into(), TransactionKind::Reversal),
    ];
    assert_eq!(first.unwrap(), expected);
    let rest = bookings_of_batch(&mut tx, &conn(), &batch, Some(2), 2).await;
    let expected = [(3, "q2".into(), TransactionKind::Accrual)];
    assert_eq!(rest.unwrap(), expected);
    let gone = qualifications_that_are_gone(&mut tx, &conn()).await;
    assert_eq!(gone.unwrap(), []);
    let without = accounts_without_balance(&mut tx, &conn(), 9).await;
    assert_eq!(without.unwrap(), []);
    Statement::new("DELETE FROM ledger_balances WHERE account = 'promoter:ana'")
        .execute(&mut tx)
        .await
        .unwrap();
    let without = accounts_without_balance(&mut tx, &conn(), 9).await;
    assert_eq!(without.unwrap(), [Account::Promoter("ana".into())]);
    let other = ConnectionId::new("other");
    assert_eq!(count_transactions(&mut tx, &other).await.unwrap(), 0);
    let foreign = bookings_of_batch(&mut tx, &other, &batch, None, 2).await;
    assert_eq!(foreign.unwrap(), []);
}

async fn a_batch_says_that_it_is_carried_out(db: &Db) {
    let mut tx = start(db, &[]).await;
    let unplanned = Batch {
        state: BatchState::Planning,
        ..batch("b1", "slot.1", 1)
    };
    insert_batch(&mut tx, &conn(), &unplanned).await.unwrap();
    let id = BatchId::from("b1");
    begin_execution(&mut tx, &conn(), &id).await.unwrap();
    let stored = get_batch(&mut tx, &conn(), &id).await.unwrap();
    assert_eq!(stored.unwrap().state, BatchState::Planning);
    end_planning(&mut tx, &conn(), &id, (0, "digest"))
        .await
        .unwrap();
    for _ in 0..2 {
        begin_execution(&mut tx, &conn(), &id).await.unwrap();
        let stored = get_batch(&mut tx, &conn(), &id).await.unwrap();
        assert_eq!(stored.unwrap().state, BatchState::Executing);
    }
}

async fn messages_are_told_once(db: &Db) {
    let message = |id: &str, topic: &str, created_at| OutboxMessage {
        outbox_id: id.into(),
        topic: topic.to_owned(),
        subject_id: "q1".to_owned(),
        payload: "{}".to_owned(),
        created_at,
        delivered_at: None,
        attempts: 0,
    };
    let mut tx = db.begin().await.unwrap();
    let all = [
        message("m2", "settlement.made", 2),
        message("m1", "settlement.made", 1),
        message("m3", "settlement.made", 3),
        message("old", "settlement.made", 0),
    ];
    insert_messages(&mut tx, &conn(), &all).await.unwrap();
    insert_messages(&mut tx, &conn(), &all).await.unwrap();
    let mail = [message("m0", "mail.x", 5)];
    queue_messages(&mut tx, &conn(), &mail, at(5))
        .await
        .unwrap();
    assert_eq!(crate::waiting(&mut tx, &conn()).await, 5);
    assert!(is_untold(&mut tx, &conn(), at(3)).await.unwrap());
    assert!(
        !is_untold(&mut tx, &conn(), at(4)).await.unwrap(),
        "mail goes another way"
    );
    assert!(!is_untold(&mut tx, &"other".into(), at(0)).await.unwrap());
    tx.commit().await.unwrap();

    let take = async || {
        let mut tx = db.begin().await.unwrap();
        let told = tell_messages(&mut tx, &conn(), (at(1), at(9)), 2).await;
        tokio::task::yield_now().await;
        tx.commit().await.unwrap();
        told.unwrap()
    };
    let (a, b) = tokio::join!(take(), take());
    let mut told = [a, b].concat();
    told.sort_by_key(|message| message.created_at);
    let ids: Vec<&str> = told
        .iter()
        .map(|message| message.outbox_id.as_str())
        .collect();
    assert_eq!(ids, ["m1", "m2", "m3"], "each by one, and none from before");
    assert!(
        told.iter()
            .all(|one| one.delivered_at == Some(9) && one.attempts == 1)
    );
    assert!(take().await.is_empty());

    let mut tx = db.begin().await.unwrap();
    let ids = ["m3", "m1", "gone"].map(OutboxId::from);
    let found = load_messages(&mut tx, &conn(), &ids).await.unwrap();
    assert_eq!(found, [told[0].clone(), told[2].clone()]);
    let of_another = load_messages(&mut tx, &"other".into(), &ids).await;
    assert!(of_another.unwrap().is_empty());
    let other = forget_messages(&mut tx, &"other".into(), (true, at(9)), 9).await;
    assert_eq!(other.unwrap(), 0);
    let told = forget_messages(&mut tx, &conn(), (true, at(3)), 9).await;
    assert_eq!(told.unwrap(), 2, "m1 and m2");
    let untold = forget_messages(&mut tx, &conn(), (false, at(3)), 9).await;
    assert_eq!(untold.unwrap(), 1, "the old one");
    tx.commit().await.unwrap();
}
