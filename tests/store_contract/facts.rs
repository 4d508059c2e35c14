//! Objects, payments and the keys that lead to customers.

use std::collections::BTreeSet;

use qualify::domain::fact::{ChargeState, CustomerState, ObjectKey, ObjectKind, ObjectState};
use qualify::domain::ids::{ConnectionId, CustomerId};
use qualify::store::Db;
use qualify::store::customer_keys::{
    CustomerKeys, KeyKind, add_customer_keys, find_by_keys, find_customers, load_customer_keys,
};
use qualify::store::objects::{
    ObjectText, StoredObject, coupon_sources_of, known_objects, load_groups, load_objects,
    load_with_groups, object_text_page, objects_of_kind, upsert_objects,
};
use qualify::store::payments::{
    StoredPayment, count_payments, delete_payments, load_payment_groups, load_payments,
    payment_page, payment_page_of, upsert_payments,
};

contract!(
    objects_are_written_over_and_found_by_every_key,
    an_object_brings_its_group,
    every_kind_reads_back_as_it_was_written,
    what_leads_to_coupons_is_found_by_customer,
    objects_are_read_as_they_are_stored,
    many_objects_go_in_and_come_out,
    payments_follow_their_groups,
    keys_are_added_and_found_by_value,
    keys_of_several_kinds_are_found_at_once,
);

fn conn() -> ConnectionId {
    ConnectionId::new("main")
}

fn charge(id: &str, group: Option<&str>, customer: Option<&str>) -> StoredObject {
    StoredObject {
        key: ObjectKey::new(ObjectKind::Charge, id),
        group: group.map(str::to_owned),
        customer: customer.map(CustomerId::from),
        state: ObjectState::Charge(ChargeState {
            customer: customer.map(CustomerId::from),
            ..ChargeState::default()
        }),
    }
}

fn ids(objects: &[StoredObject]) -> Vec<&str> {
    let mut ids: Vec<_> = objects.iter().map(|o| o.key.id.as_str()).collect();
    ids.sort_unstable();
    ids
}

async fn objects_are_written_over_and_found_by_every_key(db: &Db) {
    let customer = StoredObject {
        key: ObjectKey::new(ObjectKind::Customer, "same_id"),
        group: None,
        customer: Some("cus_1".into()),
        state: ObjectState::Customer(CustomerState::default()),
    };
    let mut first = charge("same_id", Some("g1"), None);
    let second = charge("ch_2", Some("g1"), Some("cus_1"));
    let mut tx = db.begin().await.unwrap();
    let all = [customer.clone(), first.clone(), second.clone()];
    upsert_objects(&mut tx, &conn(), &all).await.unwrap();
    first = charge("same_id", Some("g2"), Some("cus_2"));
    upsert_objects(&mut tx, &conn(), &[first.clone()])
        .await
        .unwrap();
    upsert_objects(&mut tx, &conn(), &[]).await.unwrap();
    tx.commit().await.unwrap();

    let mut tx = db.read().await.unwrap();
    let keys = [
        first.key.clone(),
        ObjectKey::new(ObjectKind::Charge, "ch_9"),
    ];
    let found = load_objects(&mut tx, &conn(), &keys).await.unwrap();
    assert_eq!(found, [first.clone()]);
    let groups = ["g1".to_owned(), "g2".to_owned(), "g2".to_owned()];
    let found = load_groups(&mut tx, &conn(), &groups).await.unwrap();
    assert_eq!(ids(&found), ["ch_2", "same_id"]);
    // Each with its whole group, once; what is in no group comes alone.
    let keys_of_two = [second.key.clone(), customer.key.clone(), keys[1].clone()];
    let found = load_with_groups(&mut tx, &conn(), &keys_of_two)
        .await
        .unwrap();
    assert_eq!(ids(&found), ["ch_2", "same_id"]);
    assert!(found.contains(&customer) && found.contains(&second));
    let asked = ["same_id", "ch_9", "ch_2"].map(str::to_owned);
    let mut known = known_objects(&mut tx, &conn(), ObjectKind::Charge, &asked)
        .await
        .unwrap();
    known.sort();
    assert_eq!(known, ["ch_2", "same_id"]);
    let other = ConnectionId::new("other");
    let elsewhere = load_with_groups(&mut tx, &other, &keys).await.unwrap();
    assert!(elsewhere.is_empty());
    assert!(
        load_objects(&mut tx, &other, &keys)
            .await
            .unwrap()
            .is_empty()
    );

    let charges = objects_of_kind(&mut tx, &conn(), ObjectKind::Charge, Some("ch_2"), 9)
        .await
        .unwrap();
    assert_eq!(charges, [first]);
}

async fn an_object_brings_its_group(db: &Db) {
    let all = [
        charge("ch_1", Some("g1"), None),
        charge("ch_2", Some("g1"), None),
        charge("ch_3", Some("g1"), Some("cus_1")),
        charge("ch_4", Some("g2"), None),
        charge("ch_5", Some("g3"), None),
    ];
    let mut tx = db.begin().await.unwrap();
    upsert_objects(&mut tx, &conn(), &all).await.unwrap();
    let keys = ["ch_1", "ch_3", "ch_5", "ch_9"].map(|id| ObjectKey::new(ObjectKind::Charge, id));
    let found = load_with_groups(&mut tx, &conn(), &keys).await.unwrap();
    assert_eq!(ids(&found), ["ch_1", "ch_2", "ch_3", "ch_5"]);
    assert!(found.iter().all(|object| all.contains(object)));
    let none = load_with_groups(&mut tx, &conn(), &[]).await.unwrap();
    assert!(none.is_empty());
}

async fn every_kind_reads_back_as_it_was_written(db: &Db) {
    let object = |kind| StoredObject {
        key: ObjectKey::new(kind, "id"),
        group: None,
        customer: None,
        state: ObjectState::empty(kind),
    };
    let all = ObjectKind::ALL.map(object);
    let mut tx = db.begin().await.unwrap();
    upsert_objects(&mut tx, &conn(), &all).await.unwrap();
    let keys = ObjectKind::ALL.map(|kind| ObjectKey::new(kind, "id"));
    let mut found = load_objects(&mut tx, &conn(), &keys).await.unwrap();
    found.sort_by(|a, b| a.key.cmp(&b.key));
    assert_eq!(found, all);
}

async fn what_leads_to_coupons_is_found_by_customer(db: &Db) {
    let of = |kind, id: &str, customer: &str| StoredObject {
        key: ObjectKey::new(kind, id),
        group: None,
        customer: Some(customer.into()),
        state: ObjectState::empty(kind),
    };
    let all = [
        charge("ch_1", Some("g1"), Some("cus_1")),
        of(ObjectKind::Customer, "cus_1", "cus_1"),
        of(ObjectKind::Discount, "di_1", "cus_1"),
        of(ObjectKind::PromotionCode, "promo_1", "cus_2"),
        of(ObjectKind::Subscription, "sub_1", "cus_2"),
        of(ObjectKind::Subscription, "sub_3", "cus_3"),
    ];
    let mut tx = db.begin().await.unwrap();
    upsert_objects(&mut tx, &conn(), &all).await.unwrap();
    let customers = ["cus_1", "cus_2"].map(CustomerId::from);
    let found = coupon_sources_of(&mut tx, &conn(), &customers)
        .await
        .unwrap();
    assert_eq!(ids(&found), ["di_1", "promo_1", "sub_1"]);
    let other = ConnectionId::new("other");
    let elsewhere = coupon_sources_of(&mut tx, &other, &customers).await;
    assert!(elsewhere.unwrap().is_empty());
}

async fn objects_are_read_as_they_are_stored(db: &Db) {
    let mut tx = db.begin().await.unwrap();
    let all = [
        charge("ch_1", Some("g1"), Some("cus_1")),
        charge("ch_2", None, None),
    ];
    upsert_objects(&mut tx, &conn(), &all).await.unwrap();
    let page = object_text_page(&mut tx, &conn(), None, 1).await.unwrap();
    let first = ObjectText {
        kind: "charge".to_owned(),
        object_id: "ch_1".to_owned(),
        group_id: Some("g1".to_owned()),
        customer_id: Some("cus_1".to_owned()),
        state: serde_json::to_string(&all[0].state).unwrap(),
    };
    assert_eq!(page, [first]);
    let after = Some(("charge", "ch_1"));
    let rest = object_text_page(&mut tx, &conn(), after, 9).await.unwrap();
    assert_eq!(rest.len(), 1);
    assert_eq!((&*rest[0].object_id, &rest[0].group_id), ("ch_2", &None));
}

async fn many_objects_go_in_and_come_out(db: &Db) {
    let many: Vec<_> = (0..1_500)
        .map(|n| charge(&format!("ch_{n:05}"), Some("g"), Some("cus_1")))
        .collect();
    let mut tx = db.begin().await.unwrap();
    upsert_objects(&mut tx, &conn(), &many).await.unwrap();
    let keys: Vec<_> = many.iter().map(|o| o.key.clone()).collect();
    let mut found = load_objects(&mut tx, &conn(), &keys).await.unwrap();
    found.sort_by(|a, b| a.key.cmp(&b.key));
    assert_eq!(found, many);
}

async fn payments_follow_their_groups(db: &Db) {
    let payment = |group: &str, customer: Option<&str>| StoredPayment {
        group_id: group.to_owned(),
        customer_id: customer.map(str::to_owned),
        record: r#"{"amount":1}"#.to_owned(),
    };
    let all = [
        payment("g3", Some("cus_1")),
        payment("g1", Some("cus_2")),
        payment("g2", None),
    ];
    let mut tx = db.begin().await.unwrap();
    upsert_payments(&mut tx, &conn(), &all).await.unwrap();
    upsert_payments(&mut tx, &conn(), &[payment("g2", Some("cus_1"))])
        .await
        .unwrap();
    upsert_payments(&mut tx, &conn(), &[payment("g4", None)])
        .await
        .unwrap();
    let mine = load_payments(&mut tx, &conn(), &["cus_1".into()])
        .await
        .unwrap();
    assert_eq!(mine.len(), 2);
    let asked = ["cus_1", "cus_2", "cus_9"].map(CustomerId::from);
    let counts = count_payments(&mut tx, &conn(), &asked).await.unwrap();
    assert_eq!(
        counts,
        [("cus_1".into(), 2), ("cus_2".into(), 1)]
            .into_iter()
            .collect()
    );
    let groups = ["g4".to_owned(), "g9".to_owned()];
    assert_eq!(
        load_payment_groups(&mut tx, &conn(), &groups)
            .await
            .unwrap()
            .len(),
        1
    );

    let page = payment_page(&mut tx, &conn(), Some("g1"), 2).await.unwrap();
    assert_eq!([&page[0].group_id, &page[1].group_id], ["g2", "g3"]);
    let cus_1 = CustomerId::from("cus_1");
    for (after, limit, expected) in [
        (None, 9, vec!["g2", "g3"]),
        (None, 1, vec!["g2"]),
        (Some("g2"), 9, vec!["g3"]),
    ] {
        let page = payment_page_of(&mut tx, &conn(), &cus_1, after, limit).await;
        let page: Vec<String> = page.unwrap().into_iter().map(|p| p.group_id).collect();
        assert_eq!(page, expected);
    }
    let foreign = payment_page_of(&mut tx, &"other".into(), &cus_1, None, 9).await;
    assert!(foreign.unwrap().is_empty());
    assert_eq!(delete_payments(&mut tx, &conn(), &groups).await.unwrap(), 1);
}

async fn keys_are_added_and_found_by_value(db: &Db) {
    let key = |kind: KeyKind, value: &str| (kind, value.to_owned());
    let fp_uid = KeyKind::Metadata("fp_uid".to_owned());
    let keys: CustomerKeys = [
        (
            CustomerId::from("cus_1"),
            BTreeSet::from([key(KeyKind::Email, "a@x.io"), key(fp_uid.clone(), "u1")]),
        ),
        (
            CustomerId::from("cus_2"),
            BTreeSet::from([key(KeyKind::Email, "a@x.io")]),
        ),
    ]
    .into();
    let more: CustomerKeys = [(
        CustomerId::from("cus_1"),
        BTreeSet::from([key(KeyKind::Email, "b@x.io"), key(fp_uid.clone(), "u1")]),
    )]
    .into();
    let mut tx = db.begin().await.unwrap();
    for keys in [&keys, &more, &more] {
        add_customer_keys(&mut tx, &conn(), keys).await.unwrap();
    }
    let loaded = load_customer_keys(&mut tx, &conn(), &["cus_1".into()])
        .await
        .unwrap();
    let all = BTreeSet::from([
        key(KeyKind::Email, "a@x.io"),
        key(KeyKind::Email, "b@x.io"),
        key(fp_uid.clone(), "u1"),
    ]);
    assert_eq!(loaded, [(CustomerId::from("cus_1"), all)].into());
    let emails = ["a@x.io", "b@x.io", "c@x.io"].map(str::to_owned);
    let found = find_customers(&mut tx, &conn(), &KeyKind::Email, &emails)
        .await
        .unwrap();
    let found: BTreeSet<_> = found
        .iter()
        .map(|(v, c)| (v.as_str(), c.as_str()))
        .collect();
    let expected = [
        ("a@x.io", "cus_1"),
        ("a@x.io", "cus_2"),
        ("b@x.io", "cus_1"),
    ];
    assert_eq!(found, expected.into());
    let found = find_customers(&mut tx, &conn(), &fp_uid, &["u1".to_owned()])
        .await
        .unwrap();
    assert_eq!(found, [("u1".to_owned(), CustomerId::from("cus_1"))]);
    let elsewhere = find_customers(&mut tx, &"other".into(), &KeyKind::Email, &emails).await;
    assert!(elsewhere.unwrap().is_empty());
}

async fn keys_of_several_kinds_are_found_at_once(db: &Db) {
    let key = |kind: KeyKind, value: &str| (kind, value.to_owned());
    let mine: CustomerKeys = [
        (
            CustomerId::from("cus_1"),
            BTreeSet::from([key(KeyKind::Email, "a@x.io"), key(KeyKind::Coupon, "TEN")]),
        ),
        (
            CustomerId::from("cus_2"),
            BTreeSet::from([
                key(KeyKind::Coupon, "a@x.io"),
                key(KeyKind::Reference, "u2"),
            ]),
        ),
    ]
    .into();
    let mut tx = db.begin().await.unwrap();
    add_customer_keys(&mut tx, &conn(), &mine).await.unwrap();
    add_customer_keys(&mut tx, &conn(), &mine).await.unwrap();
    let asked = BTreeSet::from([
        key(KeyKind::Email, "a@x.io"),
        key(KeyKind::Reference, "u2"),
        key(KeyKind::Coupon, "ELEVEN"),
    ]);
    let found = find_by_keys(&mut tx, &conn(), &asked).await.unwrap();
    let expected = [
        (KeyKind::Email, "a@x.io".to_owned(), "cus_1".into()),
        (KeyKind::Reference, "u2".to_owned(), "cus_2".into()),
    ];
    assert_eq!(found, BTreeSet::from(expected));
    let none = find_by_keys(&mut tx, &conn(), &BTreeSet::new()).await;
    assert!(none.unwrap().is_empty());
}
