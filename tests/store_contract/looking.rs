//! Look-ups by id and by page, and keys of repeated requests that are given back.

use std::collections::BTreeSet;

use qualify::domain::campaign::Mode;
use qualify::domain::fact::{ChargeState, CustomerState, ObjectKey, ObjectKind, ObjectState};
use qualify::domain::ids::{ConnectionId, CustomerId, EventId};
use qualify::domain::time::Timestamp;
use qualify::store::Db;
use qualify::store::dirty::{DirtyKind, list_dirty, mark_dirty};
use qualify::store::events::{EventState, NewEvent, event_summaries, insert_events};
use qualify::store::idempotency::{keep_answer, release_key, release_stuck, take_key};
use qualify::store::near_misses::{NearMiss, get_near_miss, insert_near_misses};
use qualify::store::objects::{StoredObject, customer_page, object_text_page, upsert_objects};

contract!(
    events_are_summed_up_by_id,
    one_near_miss_is_found_by_its_id,
    the_work_list_is_looked_at_without_claiming,
    objects_are_paged_as_stored,
    a_key_is_given_back_unless_it_was_answered,
    keys_of_a_node_that_died_are_given_back,
);

fn conn() -> ConnectionId {
    ConnectionId::new("main")
}

fn other() -> ConnectionId {
    ConnectionId::new("other")
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix(seconds).unwrap()
}

fn event(id: &str, at_us: i64) -> NewEvent {
    NewEvent {
        event_id: EventId::new(id),
        event_type: "charge.succeeded".to_owned(),
        api_version: Some("2024-06-20".to_owned()),
        created_at: at_us / 1_000_000,
        received_at_us: at_us,
        mode: Mode::Live,
        body: id.as_bytes().to_vec(),
        packed: None,
        state: EventState::Received,
        reason: None,
        secret_index: None,
    }
}

async fn events_are_summed_up_by_id(db: &Db) {
    let group = [event("evt_1", 5_000_000), event("evt_2", 6_000_000)];
    insert_events(db, &conn(), &group).await.unwrap();
    insert_events(db, &conn(), &group[..1]).await.unwrap();
    insert_events(db, &other(), &[event("evt_3", 7)])
        .await
        .unwrap();
    let mut tx = db.read().await.unwrap();
    let ids = ["evt_2", "evt_1", "evt_3", "evt_9"].map(EventId::new);
    let mut found = event_summaries(&mut tx, &conn(), &ids).await.unwrap();
    found.sort_by(|a, b| a.event_id.cmp(&b.event_id));
    let seen = found.iter().map(|e| (e.event_id.as_str(), e.deliveries));
    assert_eq!(seen.collect::<Vec<_>>(), [("evt_1", 2), ("evt_2", 1)]);
    assert_eq!(found[0].received_at_us, 5_000_000);
    assert_eq!(found[0].api_version.as_deref(), Some("2024-06-20"));
    let none = event_summaries(&mut tx, &conn(), &[]).await.unwrap();
    assert!(none.is_empty());
}

async fn one_near_miss_is_found_by_its_id(db: &Db) {
    let near = NearMiss {
        near_miss_id: "near_1".into(),
        kind: "email_differs".to_owned(),
        campaign_id: Some("spring".into()),
        referral_id: None,
        customer_id: Some("cus_1".into()),
        detail: "a dot more".to_owned(),
        found_at: 5,
    };
    let mut tx = db.begin().await.unwrap();
    insert_near_misses(&mut tx, &conn(), &[near.clone()])
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let mut tx = db.read().await.unwrap();
    let found = get_near_miss(&mut tx, &conn(), &"near_1".into())
        .await
        .unwrap();
    assert_eq!(found, Some(near));
    for (connection, id) in [(conn(), "near_2"), (other(), "near_1")] {
        let found = get_near_miss(&mut tx, &connection, &id.into())
            .await
            .unwrap();
        assert_eq!(found, None);
    }
}

async fn the_work_list_is_looked_at_without_claiming(db: &Db) {
    let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect();
    let mut tx = db.begin().await.unwrap();
    let both: BTreeSet<String> = ids(&["x_1", "x_2"]);
    mark_dirty(&mut tx, &conn(), DirtyKind::Customer, &both, 1)
        .await
        .unwrap();
    mark_dirty(&mut tx, &conn(), DirtyKind::Referral, &ids(&["x_1"]), 2)
        .await
        .unwrap();
    mark_dirty(&mut tx, &other(), DirtyKind::Referral, &ids(&["x_3"]), 3)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let expected = [
        (DirtyKind::Customer, "x_1".to_owned()),
        (DirtyKind::Customer, "x_2".to_owned()),
        (DirtyKind::Referral, "x_1".to_owned()),
    ];
    // Twice: looking takes nothing off.
    for _ in 0..2 {
        let mut tx = db.read().await.unwrap();
        let listed = list_dirty(&mut tx, &conn()).await.unwrap();
        assert_eq!(listed, expected.clone().into());
    }
}

async fn objects_are_paged_as_stored(db: &Db) {
    let object = |kind, id: &str, state| StoredObject {
        key: ObjectKey::new(kind, id),
        group: Some(format!("g_{id}")),
        customer: None,
        state,
    };
    let charge = |id: &str| {
        let state = ObjectState::Charge(ChargeState::default());
        object(ObjectKind::Charge, id, state)
    };
    let customer = object(
        ObjectKind::Customer,
        "b",
        ObjectState::Customer(CustomerState::default()),
    );
    let all = [charge("c"), customer, charge("B"), charge("a")];
    let mut tx = db.begin().await.unwrap();
    upsert_objects(&mut tx, &conn(), &all).await.unwrap();
    upsert_objects(&mut tx, &other(), &all[..1]).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = db.read().await.unwrap();
    let (mut seen, mut after) = (Vec::new(), None::<(String, String)>);
    loop {
        let last = after
            .as_ref()
            .map(|(kind, id)| (kind.as_str(), id.as_str()));
        let page = object_text_page(&mut tx, &conn(), last, 3).await.unwrap();
        let Some(last) = page.last() else {
            break;
        };
        after = Some((last.kind.clone(), last.object_id.clone()));
        seen.extend(page);
    }
    for (after, found) in [(None, 1), (Some("a"), 1), (Some("b"), 0)] {
        let after = after.map(CustomerId::from);
        let page = customer_page(&mut tx, &conn(), after.as_ref(), 9)
            .await
            .unwrap();
        assert_eq!(page.len(), found, "customers after {after:?}");
    }
    // By bytes: capitals first, whatever the locale of the database.
    let keys = seen.iter().map(|o| (o.kind.as_str(), o.object_id.as_str()));
    let expected = [
        ("charge", "B"),
        ("charge", "a"),
        ("charge", "c"),
        ("customer", "b"),
    ];
    assert_eq!(keys.collect::<Vec<_>>(), expected);
    assert!(seen[0].state.starts_with("{\"kind\":\"charge\""));
    assert_eq!(seen[0].group_id.as_deref(), Some("g_B"));
}

async fn a_key_is_given_back_unless_it_was_answered(db: &Db) {
    let digest = [1; 32];
    let mut tx = db.begin().await.unwrap();
    for key in ["open", "answered"] {
        let free = take_key(&mut tx, &conn(), &"key_1".into(), key, &digest, at(1)).await;
        assert_eq!(free.unwrap(), None);
    }
    keep_answer(&mut tx, &conn(), &"key_1".into(), "answered", (200, b"{}"))
        .await
        .unwrap();
    for key in ["open", "answered", "never taken"] {
        release_key(&mut tx, &conn(), &"key_1".into(), key)
            .await
            .unwrap();
    }
    let again = take_key(&mut tx, &conn(), &"key_1".into(), "open", &digest, at(2)).await;
    assert_eq!(again.unwrap(), None);
    // Another connection and another API key have keys of their own.
    release_key(&mut tx, &other(), &"key_1".into(), "open")
        .await
        .unwrap();
    release_key(&mut tx, &conn(), &"key_2".into(), "open")
        .await
        .unwrap();
    for key in ["open", "answered"] {
        let taken = take_key(&mut tx, &conn(), &"key_1".into(), key, &digest, at(3)).await;
        assert!(taken.unwrap().is_some(), "{key}");
    }
    tx.commit().await.unwrap();
}

async fn keys_of_a_node_that_died_are_given_back(db: &Db) {
    let digest = [1; 32];
    let mut tx = db.begin().await.unwrap();
    for (connection, key, taken_at) in [
        (conn(), "old", 1),
        (conn(), "answered", 1),
        (conn(), "young", 9),
        (other(), "old", 1),
    ] {
        let free = take_key(
            &mut tx,
            &connection,
            &"k".into(),
            key,
            &digest,
            at(taken_at),
        )
        .await;
        assert_eq!(free.unwrap(), None);
    }
    keep_answer(&mut tx, &conn(), &"k".into(), "answered", (200, b"{}"))
        .await
        .unwrap();
    let released = release_stuck(&mut tx, &conn(), at(9)).await.unwrap();
    assert_eq!(released, 1);
    let free = take_key(&mut tx, &conn(), &"k".into(), "old", &digest, at(10)).await;
    assert_eq!(free.unwrap(), None);
    for (connection, key) in [(conn(), "answered"), (conn(), "young"), (other(), "old")] {
        let taken = take_key(&mut tx, &connection, &"k".into(), key, &digest, at(10)).await;
        assert!(taken.unwrap().is_some(), "{key}");
    }
    tx.commit().await.unwrap();
}
