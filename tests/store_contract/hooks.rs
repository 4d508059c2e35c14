//! Webhook endpoints, and what became of telling them.

use qualify::domain::ids::{ConnectionId, MessageId};
use qualify::domain::time::Timestamp;
use qualify::domain::topic::Topic;
use qualify::store::webhook_deliveries::{
    Delivery, DeliveryState, Ended, due_endpoints, end_deliveries, forget_deliveries,
    forget_deliveries_of, get_delivery, insert_deliveries, list_deliveries, redeliver,
    take_deliveries,
};
use qualify::store::webhook_endpoints::{
    WebhookEndpoint, change_endpoint, delete_endpoint, disable_endpoint, get_endpoint,
    insert_endpoint, list_endpoints, note_outcome, wanted_topics,
};
use qualify::store::{Db, StoreError, Tx};

contract!(
    an_endpoint_is_changed_from_what_it_was,
    failures_are_counted_and_end,
    a_delivery_is_taken_by_one,
    an_attempt_ends_and_may_begin_again,
    deliveries_are_listed_and_forgotten,
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

fn endpoint(id: &str, topics: &str) -> WebhookEndpoint {
    WebhookEndpoint {
        endpoint_id: id.into(),
        url: format!("https://{id}.example/"),
        description: String::new(),
        topics: topics.to_owned(),
        enabled: 1,
        since: 1,
        disabled_reason: None,
        secret: vec![0, 1, 255],
        previous_secret: None,
        previous_until: None,
        failures: 0,
        failing_since: None,
        version: 1,
        created_at: 1,
        changed_at: 1,
    }
}

fn delivery(endpoint: &str, message: &str, created_at: i64) -> Delivery {
    Delivery {
        endpoint_id: endpoint.into(),
        message_id: message.into(),
        outbox_id: format!("out_{message}").into(),
        topic: "case.opened".to_owned(),
        created_at,
        attempts: 0,
        due_at: Some(created_at),
        tried_at: None,
        status: None,
        failure: None,
        delivered_at: None,
    }
}

async fn add(tx: &mut Tx, endpoints: &[WebhookEndpoint]) {
    for endpoint in endpoints {
        insert_endpoint(tx, &conn(), endpoint).await.unwrap();
    }
}

async fn an_endpoint_is_changed_from_what_it_was(db: &Db) {
    let mut tx = db.begin().await.unwrap();
    let (a, b) = (endpoint("a", "*"), endpoint("b", "case.opened"));
    add(&mut tx, &[b.clone(), a.clone()]).await;
    assert_eq!(
        list_endpoints(&mut tx, &conn()).await.unwrap(),
        [a.clone(), b.clone()]
    );
    assert!(list_endpoints(&mut tx, &other()).await.unwrap().is_empty());
    assert_eq!(
        get_endpoint(&mut tx, &conn(), &"a".into()).await.unwrap(),
        Some(a.clone())
    );
    assert_eq!(
        get_endpoint(&mut tx, &other(), &"a".into()).await.unwrap(),
        None
    );
    assert!(a.wants("batch.settled") && b.wants("case.opened") && !b.wants("batch.settled"));
    let after = WebhookEndpoint {
        url: "https://new.example/".to_owned(),
        topics: "batch.settled".to_owned(),
        enabled: 0,
        previous_secret: Some(a.secret.clone()),
        previous_until: Some(99),
        secret: vec![7],
        changed_at: 5,
        ..a.clone()
    };
    change_endpoint(&mut tx, &conn(), &after).await.unwrap();
    let read = get_endpoint(&mut tx, &conn(), &"a".into())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        read,
        WebhookEndpoint {
            version: 2,
            ..after.clone()
        }
    );
    let stale = change_endpoint(&mut tx, &conn(), &after).await;
    assert!(matches!(stale, Err(StoreError::Stale { .. })), "{stale:?}");

    let all = Topic::ALL;
    let wanted = wanted_topics(&mut tx, &conn(), all).await.unwrap();
    assert_eq!(wanted, [Topic::CaseOpened], "who is off wants nothing");
    assert!(
        wanted_topics(&mut tx, &other(), all)
            .await
            .unwrap()
            .is_empty()
    );
    add(&mut tx, &[endpoint("c", "*")]).await;
    assert_eq!(wanted_topics(&mut tx, &conn(), all).await.unwrap(), all);
    assert!(
        !delete_endpoint(&mut tx, &other(), &"c".into())
            .await
            .unwrap()
    );
    assert!(
        delete_endpoint(&mut tx, &conn(), &"c".into())
            .await
            .unwrap()
    );
    assert!(
        !delete_endpoint(&mut tx, &conn(), &"c".into())
            .await
            .unwrap()
    );
    tx.commit().await.unwrap();
}

async fn failures_are_counted_and_end(db: &Db) {
    let mut tx = db.begin().await.unwrap();
    add(&mut tx, &[endpoint("a", "*")]).await;
    let note = async |tx: &mut Tx, succeeded, failures, seconds| {
        note_outcome(tx, &conn(), &"a".into(), (succeeded, failures), at(seconds))
            .await
            .unwrap()
    };
    assert_eq!(note(&mut tx, false, 2, 10).await, Some(10));
    assert_eq!(
        note(&mut tx, false, 3, 20).await,
        Some(10),
        "since the first"
    );
    let read = get_endpoint(&mut tx, &conn(), &"a".into())
        .await
        .unwrap()
        .unwrap();
    assert_eq!((read.failures, read.version), (5, 1));
    assert_eq!(note(&mut tx, true, 1, 30).await, None);
    let read = get_endpoint(&mut tx, &conn(), &"a".into())
        .await
        .unwrap()
        .unwrap();
    assert_eq!((read.failures, read.failing_since), (0, None));
    let nobody = note_outcome(&mut tx, &other(), &"a".into(), (false, 1), at(1)).await;
    assert_eq!(nobody.unwrap(), None);

    assert!(
        disable_endpoint(&mut tx, &conn(), &"a".into(), "gone", at(40))
            .await
            .unwrap()
    );
    assert!(
        !disable_endpoint(&mut tx, &conn(), &"a".into(), "again", at(41))
            .await
            .unwrap()
    );
    let read = get_endpoint(&mut tx, &conn(), &"a".into())
        .await
        .unwrap()
        .unwrap();
    let seen = (
        read.is_enabled(),
        read.disabled_reason.as_deref(),
        read.changed_at,
        read.version,
    );
    assert_eq!(seen, (false, Some("gone"), 40, 2));
    tx.commit().await.unwrap();
}

async fn a_delivery_is_taken_by_one(db: &Db) {
    let mut tx = db.begin().await.unwrap();
    add(
        &mut tx,
        &[endpoint("a", "*"), endpoint("b", "*"), endpoint("off", "*")],
    )
    .await;
    disable_endpoint(&mut tx, &conn(), &"off".into(), "gone", at(1))
        .await
        .unwrap();
    let mut all: Vec<Delivery> = (0..6)
        .map(|n| delivery("a", &format!("m{n}"), 10 + n))
        .collect();
    all.push(delivery("b", "m0", 50));
    all.push(delivery("off", "m0", 10));
    insert_deliveries(&mut tx, &conn(), &all).await.unwrap();
    insert_deliveries(&mut tx, &conn(), &all[..2])
        .await
        .unwrap();
    assert!(
        due_endpoints(&mut tx, &conn(), at(9))
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(
        due_endpoints(&mut tx, &conn(), at(10)).await.unwrap(),
        ["a".into()]
    );
    assert_eq!(
        due_endpoints(&mut tx, &conn(), at(50)).await.unwrap(),
        ["a".into(), "b".into()]
    );
    assert!(
        due_endpoints(&mut tx, &other(), at(50))
            .await
            .unwrap()
            .is_empty()
    );
    tx.commit().await.unwrap();

    let take = |seconds: i64| async move {
        let mut tx = db.begin().await.unwrap();
        let times = (at(seconds), at(seconds + 100));
        let taken = take_deliveries(&mut tx, &conn(), &"a".into(), times, 3)
            .await
            .unwrap();
        tokio::task::yield_now().await;
        tx.commit().await.unwrap();
        taken
            .into_iter()
            .map(|d| (d.message_id, d.attempts))
            .collect::<Vec<_>>()
    };
    let (one, two) = tokio::join!(take(20), take(20));
    let mut taken = [one, two].concat();
    taken.sort();
    let expected: Vec<(MessageId, i64)> = (0..6).map(|n| (format!("m{n}").into(), 1)).collect();
    assert_eq!(taken, expected, "each by one");
    assert!(take(119).await.is_empty(), "held");
}

async fn an_attempt_ends_and_may_begin_again(db: &Db) {
    let mut tx = db.begin().await.unwrap();
    let all: Vec<Delivery> = (0..4)
        .map(|n| delivery("a", &format!("m{n}"), 10))
        .collect();
    insert_deliveries(&mut tx, &conn(), &all).await.unwrap();
    let times = (at(20), at(120));
    let taken = take_deliveries(&mut tx, &conn(), &"a".into(), times, 9).await;
    assert_eq!(taken.unwrap().len(), 4);
    tx.commit().await.unwrap();
    let ended = |message: &str, failure: Option<&str>, again_at: Option<i64>| Ended {
        message_id: message.into(),
        status: Some(if failure.is_some() { 500 } else { 200 }),
        failure: failure.map(str::to_owned),
        again_at: again_at.map(at),
    };
    let mut tx = db.begin().await.unwrap();
    let all = [
        ended("m0", None, None),
        ended("m1", Some("answered 500"), Some(60)),
        ended("m2", Some("answered 500"), None),
    ];
    end_deliveries(&mut tx, &conn(), &"a".into(), &all, at(21))
        .await
        .unwrap();
    // What is delivered stays delivered.
    let late = [ended("m0", Some("late"), Some(70))];
    end_deliveries(&mut tx, &conn(), &"a".into(), &late, at(22))
        .await
        .unwrap();
    let mut states = Vec::new();
    for message in ["m0", "m1", "m2", "m3"] {
        let found = get_delivery(&mut tx, &conn(), &"a".into(), &message.into())
            .await
            .unwrap()
            .unwrap();
        states.push((found.state(), found.status, found.tried_at));
    }
    let expected = [
        (DeliveryState::Delivered, Some(200), Some(20)),
        (DeliveryState::Waiting, Some(500), Some(20)),
        (DeliveryState::GivenUp, Some(500), Some(20)),
        (DeliveryState::Waiting, None, Some(20)),
    ];
    assert_eq!(states, expected);
    assert_eq!(
        get_delivery(&mut tx, &other(), &"a".into(), &"m0".into())
            .await
            .unwrap(),
        None
    );

    for (message, done) in [
        ("m0", true),
        ("m1", false),
        ("m2", true),
        ("nothing", false),
    ] {
        let again = redeliver(&mut tx, &conn(), &"a".into(), &message.into(), at(30)).await;
        assert_eq!(again.unwrap(), done, "{message}");
    }
    let again = get_delivery(&mut tx, &conn(), &"a".into(), &"m0".into())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (again.state(), again.attempts, again.due_at),
        (DeliveryState::Waiting, 0, Some(30))
    );
    let times = (at(60), at(160));
    let due = take_deliveries(&mut tx, &conn(), &"a".into(), times, 9).await;
    let due = due.unwrap().into_iter();
    let mut due: Vec<(MessageId, i64)> = due.map(|d| (d.message_id, d.attempts)).collect();
    due.sort();
    assert_eq!(due, [("m0".into(), 1), ("m1".into(), 2), ("m2".into(), 1)]);
    tx.commit().await.unwrap();
}

async fn deliveries_are_listed_and_forgotten(db: &Db) {
    let mut tx = db.begin().await.unwrap();
    let mut all: Vec<Delivery> = (0..5)
        .map(|n| delivery("a", &format!("m{n}"), 10 + n / 2))
        .collect();
    all.push(delivery("gone", "m9", 10));
    insert_deliveries(&mut tx, &conn(), &all).await.unwrap();
    let ended = [Ended {
        message_id: "m1".into(),
        status: Some(200),
        failure: None,
        again_at: None,
    }];
    end_deliveries(&mut tx, &conn(), &"a".into(), &ended, at(20))
        .await
        .unwrap();
    let ids = async |tx: &mut Tx, state, after, limit| {
        let rows = list_deliveries(tx, &conn(), &"a".into(), state, after, limit)
            .await
            .unwrap();
        rows.into_iter()
            .map(|row| row.message_id.to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(ids(&mut tx, None, None, 3).await, ["m4", "m3", "m2"]);
    let last = MessageId::from("m2");
    assert_eq!(ids(&mut tx, None, Some((11, &last)), 9).await, ["m1", "m0"]);
    assert_eq!(
        ids(&mut tx, Some(DeliveryState::Delivered), None, 9).await,
        ["m1"]
    );
    assert_eq!(
        ids(&mut tx, Some(DeliveryState::Waiting), None, 9)
            .await
            .len(),
        4
    );
    assert!(
        ids(&mut tx, Some(DeliveryState::GivenUp), None, 9)
            .await
            .is_empty()
    );
    let of_another = list_deliveries(&mut tx, &other(), &"a".into(), None, None, 9).await;
    assert!(of_another.unwrap().is_empty());

    assert_eq!(
        forget_deliveries(&mut tx, &other(), at(99), 9)
            .await
            .unwrap(),
        0
    );
    assert_eq!(
        forget_deliveries(&mut tx, &conn(), at(11), 2)
            .await
            .unwrap(),
        2
    );
    assert_eq!(
        forget_deliveries(&mut tx, &conn(), at(11), 2)
            .await
            .unwrap(),
        1,
        "the rest"
    );
    assert_eq!(ids(&mut tx, None, None, 9).await, ["m4", "m3", "m2"]);
    assert_eq!(
        forget_deliveries_of(&mut tx, &conn(), &"a".into(), 2)
            .await
            .unwrap(),
        2
    );
    assert_eq!(
        forget_deliveries_of(&mut tx, &conn(), &"a".into(), 2)
            .await
            .unwrap(),
        1
    );
    tx.commit().await.unwrap();
}
