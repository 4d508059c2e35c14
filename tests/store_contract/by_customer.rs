//! Payments and customers in the order of customer ids, read by several that see one state.

use qualify::domain::fact::{CustomerState, ObjectKey, ObjectKind, ObjectState};
use qualify::domain::ids::ConnectionId;
use qualify::store::by_customer::{
    BETWEEN_RECORDS, Range, customer_bounds, customers_between, guest_bounds, records_between,
};
use qualify::store::objects::{StoredObject, upsert_objects};
use qualify::store::payments::{StoredPayment, upsert_payments};
use qualify::store::{Db, Tx};

contract!(
    customers_come_with_their_records_range_by_range,
    readers_that_start_together_see_one_state,
);

fn conn() -> ConnectionId {
    ConnectionId::new("main")
}

fn payment(group: &str, customer: Option<&str>) -> StoredPayment {
    StoredPayment {
        group_id: group.to_owned(),
        customer_id: customer.map(str::to_owned),
        record: format!("{{\"group\":\"{group}\"}}"),
    }
}

async fn fill(db: &Db) {
    let customers = ["cus_1", "cus_10", "cus_2", "Zed", "éva"].map(|id| StoredObject {
        key: ObjectKey::new(ObjectKind::Customer, id),
        group: None,
        customer: None,
        state: ObjectState::Customer(CustomerState::default()),
    });
    let payments = [
        payment("a", Some("cus_1")),
        payment("b", Some("cus_2")),
        payment("c", Some("cus_1")),
        payment("d", None),
        payment("e", Some("guest:a@x.de")),
        payment("f", Some("guest:b@x.de")),
        payment("g", Some("guest:b@x.de")),
        payment("h", Some("éva")),
    ];
    let mut tx = db.begin().await.unwrap();
    for connection in [conn(), ConnectionId::new("other")] {
        upsert_objects(&mut tx, &connection, &customers)
            .await
            .unwrap();
        upsert_payments(&mut tx, &connection, &payments)
            .await
            .unwrap();
    }
    tx.commit().await.unwrap();
}

async fn customers_come_with_their_records_range_by_range(db: &Db) {
    fill(db).await;
    let mut tx = db.read().await.unwrap();
    // Ids are in the order of their bytes on both engines, whatever a language would say.
    let bounds = customer_bounds(&mut tx, &conn(), 2).await.unwrap();
    assert_eq!(bounds, ["cus_1", "cus_2"]);
    let bounds = guest_bounds(&mut tx, &conn(), 2).await.unwrap();
    assert_eq!(bounds, ["guest:b@x.de"]);
    let bounds = guest_bounds(&mut tx, &conn(), 1).await.unwrap();
    assert_eq!(bounds, ["guest:a@x.de", "guest:b@x.de", "guest:b@x.de"]);

    let range = |after, until| Range { after, until };
    let everything = records_between(&mut tx, &conn(), range(None, None)).await;
    let mut everything = everything.unwrap();
    for (_, records) in &mut everything {
        let mut one_by_one: Vec<&str> = records.split(BETWEEN_RECORDS).collect();
        one_by_one.sort_unstable();
        *records = one_by_one.join("|");
    }
    let expected = [
        ("cus_1", "{\"group\":\"a\"}|{\"group\":\"c\"}"),
        ("cus_2", "{\"group\":\"b\"}"),
        ("guest:a@x.de", "{\"group\":\"e\"}"),
        ("guest:b@x.de", "{\"group\":\"f\"}|{\"group\":\"g\"}"),
        ("éva", "{\"group\":\"h\"}"),
    ];
    let expected = expected.map(|(id, records)| (id.to_owned(), records.to_owned()));
    assert_eq!(everything, expected);

    let part = range(Some("cus_1"), Some("guest:a@x.de"));
    let part = records_between(&mut tx, &conn(), part).await.unwrap();
    let ids: Vec<&str> = part.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(ids, ["cus_2", "guest:a@x.de"]);
    for (range, expected) in [
        (
            range(None, None),
            &["Zed", "cus_1", "cus_10", "cus_2", "éva"][..],
        ),
        (range(None, Some("cus_1")), &["Zed", "cus_1"]),
        (range(Some("cus_1"), Some("cus_2")), &["cus_10", "cus_2"]),
        (range(Some("cus_2"), None), &["éva"]),
    ] {
        let found = customers_between(&mut tx, &conn(), range).await.unwrap();
        let ids: Vec<&str> = found.iter().map(|(id, _)| id.as_str()).collect();
        assert_eq!(ids, expected);
        assert!(found[0].1.contains("\"kind\":\"customer\""));
    }
}

async fn readers_that_start_together_see_one_state(db: &Db) {
    async fn seen(tx: &mut Tx) -> usize {
        let range = Range {
            after: None,
            until: None,
        };
        records_between(tx, &conn(), range).await.unwrap().len()
    }
    let mut readers = db.read_together(3).await.unwrap();
    fill(db).await;
    for tx in &mut readers {
        assert_eq!(seen(tx).await, 0, "it was written after they started");
    }
    let mut late = db.read().await.unwrap();
    assert_eq!(seen(&mut late).await, 5);
    for reader in readers.into_iter().chain([late]) {
        reader.rollback().await.unwrap();
    }
    for mut tx in db.read_long(2).await.unwrap() {
        assert_eq!(seen(&mut tx).await, 5);
        tx.rollback().await.unwrap();
    }
}
