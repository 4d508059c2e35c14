//! Objects, payments and the keys that lead to customers.

use std::collections::BTreeSet;

use qualify::domain::fact::{ChargeState, CustomerState, ObjectKey, ObjectKind, ObjectState};
use qualify::domain::ids::{ConnectionId, CustomerId};
use qualify::store::Db;
use qualify::store::customer_keys::{
    CustomerKeys, KeyKind, find_customers, load_customer_keys, replace_customer_keys, shared_values,
};
use qualify::store::objects::{
    StoredObject, load_for_customers, load_groups, load_objects, object_page, objects_of_kind,
    upsert_objects,
};
use qualify::store::payments::{
    StoredPayment, delete_payments, load_payment_groups, load_payments, payment_page,
    payment_page_by_customer, upsert_payments,
};

contract!(
    objects_are_written_over_and_found_by_every_key,
    many_objects_go_in_and_come_out,
    payments_follow_their_groups,
    keys_of_a_customer_are_replaced_as_a_whole,
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
    let found = load_for_customers(&mut tx, &conn(), &["cus_1".into()])
        .await
        .unwrap();
    assert_eq!(ids(&found), ["ch_2", "same_id"]);
    let other = ConnectionId::new("other");
    assert!(
        load_objects(&mut tx, &other, &keys)
            .await
            .unwrap()
            .is_empty()
    );

    let page = object_page(&mut tx, &conn(), None, 2).await.unwrap();
    assert_eq!(page, [second.clone(), first.clone()]);
    let rest = object_page(&mut tx, &conn(), Some(&page[1].key), 2)
        .await
        .unwrap();
    assert_eq!(rest, [customer]);
    let charges = objects_of_kind(&mut tx, &conn(), ObjectKind::Charge, Some("ch_2"), 9)
        .await
        .unwrap();
    assert_eq!(charges, [first]);
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
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let cursor = after
            .as_ref()
            .map(|(c, g): &(String, String)| (c.as_str(), g.as_str()));
        let page = payment_page_by_customer(&mut tx, &conn(), cursor, 2)
            .await
            .unwrap();
        let Some(last) = page.last() else { break };
        after = Some((last.customer_id.clone().unwrap(), last.group_id.clone()));
        seen.extend(page.into_iter().map(|p| p.group_id));
    }
    assert_eq!(seen, ["g2", "g3", "g1"]);
    assert_eq!(delete_payments(&mut tx, &conn(), &groups).await.unwrap(), 1);
}

async fn keys_of_a_customer_are_replaced_as_a_whole(db: &Db) {
    let key = |kind: KeyKind, value: &str| (kind, value.to_owned());
    let wanted = |keys: &[(KeyKind, String)], customer: &str| -> CustomerKeys {
        [(
            CustomerId::from(customer),
            keys.iter().cloned().collect::<BTreeSet<_>>(),
        )]
        .into()
    };
    let fp_uid = KeyKind::Metadata("fp_uid".to_owned());
    let mut tx = db.begin().await.unwrap();
    let before = [key(KeyKind::Email, "a@x.io"), key(fp_uid.clone(), "u1")];
    replace_customer_keys(&mut tx, &conn(), &wanted(&before, "cus_1"))
        .await
        .unwrap();
    let other = [key(KeyKind::Email, "a@x.io")];
    replace_customer_keys(&mut tx, &conn(), &wanted(&other, "cus_2"))
        .await
        .unwrap();
    let shared = shared_values(&mut tx, &conn(), &KeyKind::Email, 9)
        .await
        .unwrap();
    assert_eq!(shared, [("a@x.io".to_owned(), 2)]);

    let after = [key(KeyKind::Email, "b@x.io"), key(fp_uid.clone(), "u1")];
    let after = wanted(&after, "cus_1");
    replace_customer_keys(&mut tx, &conn(), &after)
        .await
        .unwrap();
    replace_customer_keys(&mut tx, &conn(), &after)
        .await
        .unwrap();
    let loaded = load_customer_keys(&mut tx, &conn(), &["cus_1".into()])
        .await
        .unwrap();
    assert_eq!(loaded, after);
    let emails = ["a@x.io", "b@x.io", "c@x.io"].map(str::to_owned);
    let found = find_customers(&mut tx, &conn(), &KeyKind::Email, &emails)
        .await
        .unwrap();
    let found: Vec<_> = found
        .iter()
        .map(|(v, c)| (v.as_str(), c.as_str()))
        .collect();
    assert_eq!(found, [("a@x.io", "cus_2"), ("b@x.io", "cus_1")]);

    replace_customer_keys(&mut tx, &conn(), &wanted(&[], "cus_1"))
        .await
        .unwrap();
    let none = find_customers(&mut tx, &conn(), &fp_uid, &["u1".to_owned()])
        .await
        .unwrap();
    assert!(none.is_empty());
}
