//! What the pages of batches, users and reassigning read and write.

use qualify::domain::access::Role;
use qualify::domain::email::CanonicalEmail;
use qualify::domain::ids::{BatchId, ConnectionId};
use qualify::domain::people::Referral;
use qualify::domain::time::Timestamp;
use qualify::store::batch_items::{
    ItemAction, ItemState, count_left, insert_items, left_items, reasons_left,
};
use qualify::store::batches::{Origin, get_batch, insert_batch};
use qualify::store::dirty::{Weight, claim_dirty, mark_promoters};
use qualify::store::ledger::{TransactionKind, insert_transactions, sums_of_batches};
use qualify::store::qualifications::settle_qualifications;
use qualify::store::referrals::{get_referral, insert_referrals, reassign_referral};
use qualify::store::users::{User, UserState, insert_user, load_users};
use qualify::store::{Db, StoreError};

use super::settlement::{batch, item, qualification, start, transaction};

contract!(
    a_referral_is_given_from_one_to_another,
    what_was_settled_for_a_promoter_is_marked_with_them,
    a_batch_says_where_it_comes_from_and_what_it_left,
    batches_are_summed_apart,
    users_are_found_together,
);

fn conn() -> ConnectionId {
    ConnectionId::new("main")
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix(seconds).unwrap()
}

fn referral() -> Referral {
    Referral {
        id: "ref_p1".into(),
        campaign: "spring".into(),
        promoter: Some("ana".into()),
        email: None,
        uid: Some("u1".to_owned()),
        stripe_customer_id: None,
        referred_at: at(1),
    }
}

async fn a_referral_is_given_from_one_to_another(db: &Db) {
    let mut tx = start(db, &[]).await;
    insert_referrals(&mut tx, &conn(), &[referral()], at(1))
        .await
        .unwrap();
    let id = "ref_p1".into();
    let (ana, ben) = ("ana".into(), "ben".into());
    let elsewhere = ConnectionId::new("other");
    let refused = reassign_referral(&mut tx, &elsewhere, &id, (&ana, &ben)).await;
    assert!(
        matches!(refused, Err(StoreError::Stale { .. })),
        "{refused:?}"
    );
    reassign_referral(&mut tx, &conn(), &id, (&ana, &ben))
        .await
        .unwrap();
    let given = get_referral(&mut tx, &conn(), &id).await.unwrap().unwrap();
    assert_eq!(
        given,
        Referral {
            promoter: Some("ben".into()),
            ..referral()
        }
    );
    // Somebody else was faster.
    let late = reassign_referral(&mut tx, &conn(), &id, (&ana, &ben)).await;
    assert!(matches!(late, Err(StoreError::Stale { .. })), "{late:?}");
    tx.commit().await.unwrap();
    let mut tx = db.begin().await.unwrap();
    let nobody = reassign_referral(&mut tx, &conn(), &id, (&ben, &"zoe".into())).await;
    assert!(matches!(nobody, Err(StoreError::Refused(_))), "{nobody:?}");
}

async fn what_was_settled_for_a_promoter_is_marked_with_them(db: &Db) {
    let queued = qualification("q1", "p1", 5);
    let mut tx = start(db, std::slice::from_ref(&queued)).await;
    insert_referrals(&mut tx, &conn(), &[referral()], at(1))
        .await
        .unwrap();
    let (ana, ben) = ("ana".into(), "ben".into());
    reassign_referral(&mut tx, &conn(), &"ref_p1".into(), (&ana, &ben))
        .await
        .unwrap();
    let ids = [ana];
    mark_promoters(&mut tx, &conn(), &ids, &[], 10)
        .await
        .unwrap();
    let marked = claim_dirty(&mut tx, &conn(), Weight::Light, 9).await;
    assert_eq!(marked.unwrap(), [], "what is queued goes with the referral");
    settle_qualifications(&mut tx, &conn(), &[queued.id], at(9))
        .await
        .unwrap();
    mark_promoters(&mut tx, &conn(), &ids, &[], 20)
        .await
        .unwrap();
    mark_promoters(&mut tx, &conn(), &[ben], &[], 30)
        .await
        .unwrap();
    let marked = claim_dirty(&mut tx, &conn(), Weight::Light, 9)
        .await
        .unwrap();
    let marked: Vec<(&str, i64)> = marked
        .iter()
        .map(|d| (d.id.as_str(), d.marked_at_us))
        .collect();
    assert_eq!(
        marked,
        [("ref_p1", 20)],
        "by whom it was settled for, and by whose it is"
    );
    tx.commit().await.unwrap();
}

async fn a_batch_says_where_it_comes_from_and_what_it_left(db: &Db) {
    let mut tx = start(db, &[]).await;
    let mut made = batch("b1", "k", 1);
    made.origin = Origin {
        node: Some("node_a".to_owned()),
        by: Some("user:Mara".to_owned()),
        digest: Some("00".to_owned()),
    };
    insert_batch(&mut tx, &conn(), &made).await.unwrap();
    let id = BatchId::from("b1");
    let found = get_batch(&mut tx, &conn(), &id).await.unwrap();
    assert_eq!(found, Some(made));
    let mut items = vec![
        item(0, "q1"),
        item(1, "q2"),
        item(2, "q3"),
        item(3, "q4"),
        item(4, "q5"),
    ];
    for (position, reason) in [
        (1, "budget_exhausted"),
        (2, "promoter_limit_reached"),
        (4, "budget_exhausted"),
    ] {
        items[position].action = ItemAction::Skip;
        reason.clone_into(&mut items[position].reason);
    }
    items[3].state = ItemState::Superseded;
    insert_items(&mut tx, &conn(), &id, &items).await.unwrap();
    let left = left_items(&mut tx, &conn(), &id, None, 3).await.unwrap();
    assert_eq!(left, items[1..4]);
    let rest = left_items(&mut tx, &conn(), &id, Some(3), 3).await.unwrap();
    assert_eq!(rest, items[4..]);
    let why = count_left(&mut tx, &conn(), &id).await.unwrap();
    let expected = [("budget_exhausted", 2), ("promoter_limit_reached", 1)];
    assert_eq!(
        why,
        expected.map(|(reason, count)| (reason.to_owned(), count))
    );
    let elsewhere = ConnectionId::new("other");
    assert_eq!(
        left_items(&mut tx, &elsewhere, &id, None, 3).await.unwrap(),
        []
    );
    assert_eq!(count_left(&mut tx, &elsewhere, &id).await.unwrap(), []);

    // A later batch left one of them for another reason.
    let mut later = batch("b2", "k2", 2);
    later.planned_at = at(9_000_000);
    insert_batch(&mut tx, &conn(), &later).await.unwrap();
    let mut again = item(0, "q2");
    again.action = ItemAction::Skip;
    "promoter_limit_reached".clone_into(&mut again.reason);
    insert_items(&mut tx, &conn(), &BatchId::from("b2"), &[again])
        .await
        .unwrap();
    let asked = ["q1", "q2", "q4", "q5", "q9"].map(Into::into);
    let left = reasons_left(&mut tx, &conn(), &asked).await.unwrap();
    let expected = [("q2", "promoter_limit_reached"), ("q5", "budget_exhausted")];
    let expected = expected.map(|(id, reason)| (id.into(), reason.to_owned()));
    assert_eq!(left, expected);
    assert_eq!(reasons_left(&mut tx, &elsewhere, &asked).await.unwrap(), []);
    tx.commit().await.unwrap();
}

async fn batches_are_summed_apart(db: &Db) {
    let all = ["q1", "q2"].map(|id| qualification(id, id, 5));
    let mut tx = start(db, &all).await;
    for (id, key) in [("b1", "k1"), ("b2", "k2"), ("b3", "k3")] {
        insert_batch(&mut tx, &conn(), &batch(id, key, 1))
            .await
            .unwrap();
    }
    let second = |kind, item, sequence, minor| {
        let mut booked = transaction(item, "q1", sequence, minor);
        booked.batch = "b2".into();
        booked.kind = kind;
        booked
    };
    let booked = [
        transaction(0, "q1", 1, 2_000),
        transaction(1, "q2", 1, 500),
        second(TransactionKind::Reversal, 0, 2, -1_200),
        second(TransactionKind::Reinstatement, 1, 3, 700),
    ];
    insert_transactions(&mut tx, &conn(), &booked)
        .await
        .unwrap();
    let ids: Vec<BatchId> = ["b1", "b2", "b3"].map(BatchId::from).to_vec();
    let sums = sums_of_batches(&mut tx, &conn(), &ids).await.unwrap();
    let told: Vec<_> = sums
        .iter()
        .flat_map(|(id, sums)| {
            sums.iter()
                .map(move |s| (id.as_str(), s.accrued, s.taken_back, s.given_again))
        })
        .collect();
    assert_eq!(told, [("b1", 2_500, 0, 0), ("b2", 0, -1_200, 700)]);
    let one = sums_of_batches(&mut tx, &conn(), &ids[1..2]).await.unwrap();
    assert_eq!(one.len(), 1);
    let elsewhere = ConnectionId::new("other");
    assert!(
        sums_of_batches(&mut tx, &elsewhere, &ids)
            .await
            .unwrap()
            .is_empty()
    );
    tx.commit().await.unwrap();
}

async fn users_are_found_together(db: &Db) {
    let mut tx = db.begin().await.unwrap();
    let user = |id: &str| User {
        id: id.into(),
        email: CanonicalEmail::parse(&format!("{id}@x.io")).unwrap(),
        name: id.to_owned(),
        role: Role::Viewer,
        promoter: None,
        state: UserState::Active,
        created_at: at(1),
        changed_at: at(1),
        signed_in_at: None,
        has_password: false,
    };
    for id in ["usr_a", "usr_b", "usr_c"] {
        insert_user(&mut tx, &conn(), &user(id)).await.unwrap();
    }
    let ids = ["usr_a", "usr_c", "usr_none"].map(Into::into);
    let mut found = load_users(&mut tx, &conn(), &ids).await.unwrap();
    found.sort_by(|a, b| a.id.cmp(&b.id));
    assert_eq!(found, [user("usr_a"), user("usr_c")]);
    let elsewhere = ConnectionId::new("other");
    assert!(
        load_users(&mut tx, &elsewhere, &ids)
            .await
            .unwrap()
            .is_empty()
    );
    assert!(load_users(&mut tx, &conn(), &[]).await.unwrap().is_empty());
    tx.commit().await.unwrap();
}
