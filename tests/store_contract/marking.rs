//! What a saved campaign, a changed promoter and an admin's link put on the work list.

use std::collections::BTreeMap;

use qualify::domain::decision::{Choice, Decision, Subject};
use qualify::domain::ids::ConnectionId;
use qualify::domain::people::{Promoter, Referral};
use qualify::domain::time::Timestamp;
use qualify::store::Db;
use qualify::store::customer_keys::{KeyKind, add_customer_keys, find_customers};
use qualify::store::decisions::{insert_decision, linking_decisions};
use qualify::store::dirty::{Weight, claim_dirty, clear_dirty, mark_campaign, mark_promoters};
use qualify::store::promoters::upsert_promoters;
use qualify::store::referrals::insert_referrals;

contract!(
    whoever_a_change_touches_is_marked,
    keys_are_only_added,
    decisions_that_link_are_found_without_a_case,
);

fn conn() -> ConnectionId {
    ConnectionId::new("main")
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix(seconds).unwrap()
}

async fn marked(db: &Db) -> Vec<String> {
    let mut tx = db.begin().await.unwrap();
    let dirty = claim_dirty(&mut tx, &conn(), Weight::Light, 100)
        .await
        .unwrap();
    clear_dirty(&mut tx, &conn(), Weight::Light, &dirty)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let mut ids: Vec<String> = dirty.into_iter().map(|dirty| dirty.id).collect();
    ids.sort();
    ids
}

async fn whoever_a_change_touches_is_marked(db: &Db) {
    let mut tx = db.begin().await.unwrap();
    for (id, coupon) in [("ana", "ANA20"), ("ben", "BEN20")] {
        let promoter = Promoter {
            id: id.into(),
            name: id.to_owned(),
            email: None,
            code: None,
            coupons: vec![coupon.into()],
            stripe_customer_id: None,
            suspended: false,
        };
        upsert_promoters(&mut tx, &conn(), std::slice::from_ref(&promoter), at(1))
            .await
            .unwrap();
        let referral = Referral {
            id: format!("ref_{id}").into(),
            campaign: if id == "ana" { "spring" } else { "fall" }.into(),
            promoter: Some(id.into()),
            email: None,
            uid: Some(id.to_owned()),
            stripe_customer_id: None,
            referred_at: at(1),
        };
        insert_referrals(&mut tx, &conn(), &[referral], at(1))
            .await
            .unwrap();
    }
    let used = |coupon: &str| [(KeyKind::Coupon, coupon.to_owned())].into();
    let keys = BTreeMap::from([
        ("cus_ana".into(), used("ANA20")),
        ("cus_ben".into(), used("BEN20")),
        ("cus_nobody".into(), used("XMAS")),
    ]);
    add_customer_keys(&mut tx, &conn(), &keys).await.unwrap();
    mark_campaign(&mut tx, &conn(), &"spring".into(), 10)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(marked(db).await, ["cus_ana", "cus_ben", "ref_ana"]);

    let mut tx = db.begin().await.unwrap();
    let (promoters, coupons) = (["ben".into()], ["BEN20".into()]);
    mark_promoters(&mut tx, &conn(), &promoters, &coupons, 20)
        .await
        .unwrap();
    let elsewhere = ConnectionId::new("other");
    mark_promoters(&mut tx, &elsewhere, &promoters, &coupons, 20)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(marked(db).await, ["cus_ben", "ref_ben"]);
}

async fn keys_are_only_added(db: &Db) {
    let mut tx = db.begin().await.unwrap();
    let email = |text: &str| (KeyKind::Email, text.to_owned());
    let first = BTreeMap::from([("cus_1".into(), [email("a@x.de")].into())]);
    let more = BTreeMap::from([("cus_1".into(), [email("b@x.de")].into())]);
    for keys in [&first, &more, &first] {
        add_customer_keys(&mut tx, &conn(), keys).await.unwrap();
    }
    let both = ["a@x.de".to_owned(), "b@x.de".to_owned()];
    let found = find_customers(&mut tx, &conn(), &KeyKind::Email, &both)
        .await
        .unwrap();
    assert_eq!(found.len(), 2, "{found:?}");
}

async fn decisions_that_link_are_found_without_a_case(db: &Db) {
    let mut tx = db.begin().await.unwrap();
    let decision = |id: &str, subject, choice| Decision {
        id: id.into(),
        subject,
        choice: Some(choice),
        actor: "eva".to_owned(),
        reason: "seen".to_owned(),
        decided_at: at(5),
    };
    let link = Subject::Match {
        referral: "ref_1".into(),
        customer: "cus_1".into(),
    };
    let case = Subject::Case {
        case: "case_1".into(),
    };
    let link = decision("dec_1", link, Choice::Allow);
    for made in [&link, &decision("dec_2", case, Choice::Combine)] {
        insert_decision(&mut tx, &conn(), made, None, None)
            .await
            .unwrap();
    }
    assert_eq!(linking_decisions(&mut tx, &conn()).await.unwrap(), [link]);
}
