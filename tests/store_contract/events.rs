//! Stored events: once per id, whatever comes again.

use qualify::domain::campaign::Mode;
use qualify::domain::ids::{ConnectionId, EventId};
use qualify::store::events::{
    EventCursor, EventFilter, EventMark, EventReason, EventState, Inserted, NewEvent, StoredEvent,
    conflicting_bodies, count_by_reason, count_by_state, event_page, get_event, insert_events,
    insert_with_repeats, list_events, load_events, mark_events, newest_created, newest_received,
    received_batch, requeue, requeue_events, waiting,
};
use qualify::store::{Db, Statement, StoreError, Tx};
use sha2::{Digest as _, Sha256};

contract!(
    a_group_is_stored_once_whatever_is_repeated,
    repeats_in_one_transaction_are_what_they_are_in_two,
    groups_that_overlap_at_once_are_all_stored,
    waiting_events_are_read_and_marked,
    events_are_listed_counted_and_replayed,
    connections_never_meet,
    what_cannot_be_stored_is_refused,
    long_bodies_come_back_however_they_are_stored,
    a_batch_ends_where_its_bodies_grow_too_long,
);

pub fn conn() -> ConnectionId {
    ConnectionId::new("acct_1:live")
}

pub fn event(id: &str, at_us: i64, body: &str) -> NewEvent {
    NewEvent {
        event_id: EventId::new(id),
        event_type: "charge.succeeded".to_owned(),
        api_version: None,
        created_at: at_us / 1_000_000,
        received_at_us: at_us,
        mode: Mode::Live,
        body: body.as_bytes().to_vec(),
        packed: None,
        state: EventState::Received,
        reason: None,
        secret_index: Some(1),
    }
}

pub fn mark(id: &str, at_us: i64, state: EventState) -> EventMark {
    let reason = (state != EventState::Done).then(|| EventReason {
        code: "type_unknown".to_owned(),
        text: "nothing is known of this type".to_owned(),
    });
    EventMark {
        event_id: EventId::new(id),
        received_at_us: at_us,
        state,
        reason,
    }
}

async fn a_group_is_stored_once_whatever_is_repeated(db: &Db) {
    use Inserted::{Conflict, Duplicate, New};
    let group = [
        event("evt_2", 2_000_000, "two"),
        event("evt_1", 1_000_000, "one"),
        event("evt_2", 3_000_000, "two"),
        event("evt_2", 4_000_000, "another two"),
    ];
    let first = insert_events(db, &conn(), &group).await.unwrap();
    assert_eq!(first, [New, New, Duplicate, Conflict]);
    let again = insert_events(db, &conn(), &group).await.unwrap();
    assert_eq!(again, [Duplicate, Duplicate, Duplicate, Conflict]);
    assert!(insert_events(db, &conn(), &[]).await.unwrap().is_empty());

    let mut tx = db.read().await.unwrap();
    let two = EventId::new("evt_2");
    let kept = get_event(&mut tx, &conn(), &two).await.unwrap().unwrap();
    assert_eq!((kept.deliveries, kept.conflicts), (6, 2));
    assert_eq!(
        (kept.received_at_us, kept.secret_index),
        (2_000_000, Some(1))
    );
    let others = conflicting_bodies(&mut tx, &conn(), &two).await.unwrap();
    assert_eq!(others.len(), 1);
    assert_eq!(others[0].body, b"another two");
    assert_eq!(others[0].digest, Sha256::digest(b"another two").to_vec());
    let bodies = load_events(&mut tx, &conn(), &[two, EventId::new("evt_9")])
        .await
        .unwrap();
    assert_eq!(bodies.len(), 1);
    assert_eq!(bodies[0].body, b"two");
}

async fn repeats_in_one_transaction_are_what_they_are_in_two(db: &Db) {
    use Inserted::{Conflict, Duplicate, New};
    let group = [
        event("evt_2", 2_000_000, "two"),
        event("evt_1", 1_000_000, "one"),
        event("evt_2", 3_000_000, "two"),
        event("evt_2", 4_000_000, "another two"),
    ];
    let first = insert_with_repeats(db, &conn(), &group).await.unwrap();
    assert_eq!(first, [New, New, Duplicate, Conflict]);
    let mut more = vec![event("evt_3", 5_000_000, "three")];
    more.extend(group.iter().cloned());
    let again = insert_with_repeats(db, &conn(), &more).await.unwrap();
    assert_eq!(again, [New, Duplicate, Duplicate, Duplicate, Conflict]);
    // Some that end at once among them.
    more[0] = event("evt_4", 6_000_000, "four");
    more[0].state = EventState::Ignored;
    let mixed = insert_with_repeats(db, &conn(), &more).await.unwrap();
    assert_eq!(mixed, [New, Duplicate, Duplicate, Duplicate, Conflict]);
    let none = insert_with_repeats(db, &conn(), &[]).await.unwrap();
    assert!(none.is_empty());

    let mut tx = db.read().await.unwrap();
    let two = EventId::new("evt_2");
    let kept = get_event(&mut tx, &conn(), &two).await.unwrap().unwrap();
    assert_eq!((kept.deliveries, kept.conflicts), (9, 3));
    let others = conflicting_bodies(&mut tx, &conn(), &two).await.unwrap();
    assert_eq!(others.len(), 1);
    let counts = count_by_state(&mut tx, &conn()).await.unwrap();
    assert_eq!(counts.get(&EventState::Received), Some(&3));
    assert_eq!(counts.get(&EventState::Ignored), Some(&1));
}

async fn groups_that_overlap_at_once_are_all_stored(db: &Db) {
    let ids = |from: i64| async move {
        let mut group: Vec<_> = (from..from + 700)
            .map(|n| event(&format!("evt_{n:05}"), n, "body"))
            .collect();
        group.reverse();
        insert_events(db, &conn(), &group).await.unwrap()
    };
    let (a, b, c) = tokio::join!(ids(0), ids(300), ids(600));
    let fresh = [a, b, c].concat();
    let fresh = fresh.iter().filter(|i| **i == Inserted::New).count();
    assert_eq!(fresh, 1300);
    let mut tx = db.read().await.unwrap();
    let counts = count_by_state(&mut tx, &conn()).await.unwrap();
    assert_eq!(counts.get(&EventState::Received), Some(&1300));
}

async fn waiting_events_are_read_and_marked(db: &Db) {
    let group = ["evt_a", "evt_b", "evt_c", "evt_d"]
        .iter()
        .zip(1_i64..)
        .map(|(id, n)| event(id, n, id))
        .collect::<Vec<_>>();
    insert_events(db, &conn(), &group).await.unwrap();

    let mut tx = db.begin().await.unwrap();
    assert_eq!(waiting(&mut tx, &conn()).await.unwrap(), (4, Some(1)));
    let batch = received_batch(&mut tx, &conn(), 3).await.unwrap();
    let ids: Vec<_> = batch.iter().map(|e| e.event_id.as_str()).collect();
    assert_eq!(ids, ["evt_a", "evt_b", "evt_c"]);
    let marks = [
        mark("evt_a", 1, EventState::Done),
        mark("evt_b", 2, EventState::Ignored),
        mark("evt_c", 3, EventState::Quarantined),
    ];
    mark_events(&mut tx, &conn(), &marks).await.unwrap();
    tx.commit().await.unwrap();

    let mut tx = db.begin().await.unwrap();
    assert_eq!(waiting(&mut tx, &conn()).await.unwrap(), (1, Some(4)));
    let stale = mark_events(&mut tx, &conn(), &marks).await;
    assert!(matches!(
        stale,
        Err(StoreError::Stale {
            expected: 3,
            seen: 0,
            ..
        })
    ));
    tx.rollback().await.unwrap();

    let mut tx = db.read().await.unwrap();
    let b = get_event(&mut tx, &conn(), &EventId::new("evt_b"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(b.state, EventState::Ignored.name());
    assert_eq!(b.reason_code.as_deref(), Some("type_unknown"));
}

/// Whatever waits has its body's length in the queue, by which a batch is measured.
async fn lengths_are_queued(tx: &mut Tx) {
    let lengths = "SELECT q.body_bytes, COALESCE(e.unpacked_bytes, length(e.body))
         FROM event_queue AS q JOIN events AS e
           ON e.connection_id = q.connection_id AND e.event_id = q.event_id
         WHERE q.connection_id = $1";
    let lengths: Vec<(i64, i64)> = Statement::new(lengths)
        .bind(&conn())
        .fetch_all(tx)
        .await
        .unwrap();
    assert!(!lengths.is_empty());
    assert!(
        lengths.iter().all(|(queued, body)| queued == body),
        "{lengths:?}"
    );
}

async fn events_are_listed_counted_and_replayed(db: &Db) {
    let mut group: Vec<_> = (0..5)
        .map(|n| event(&format!("evt_{n}"), 10, "x"))
        .collect();
    group[4].received_at_us = 20;
    group[4].created_at = 7;
    group[4].state = EventState::Quarantined;
    group[4].reason = mark("", 0, EventState::Quarantined).reason;
    group[3].event_type = String::from("customer.created");
    insert_events(db, &conn(), &group).await.unwrap();

    let mut tx = db.begin().await.unwrap();
    let any = EventFilter::default();
    let mut seen = Vec::new();
    let mut cursor = None;
    loop {
        let page = list_events(&mut tx, &conn(), &any, cursor.as_ref(), 2)
            .await
            .unwrap();
        let Some(last) = page.last() else { break };
        cursor = Some(EventCursor {
            received_at_us: last.received_at_us,
            event_id: EventId::new(last.event_id.clone()),
        });
        seen.extend(page.into_iter().map(|e| e.event_id));
    }
    assert_eq!(seen, ["evt_4", "evt_3", "evt_2", "evt_1", "evt_0"]);

    let only = EventFilter {
        event_type: Some("customer.created".to_owned()),
        state: Some(EventState::Received),
        from_us: Some(10),
        until_us: Some(11),
        reason_code: None,
        only_conflicts: false,
    };
    let listed = list_events(&mut tx, &conn(), &only, None, 9).await.unwrap();
    assert_eq!(listed.len(), 1);
    let conflicts = EventFilter {
        only_conflicts: true,
        ..EventFilter::default()
    };
    assert!(
        list_events(&mut tx, &conn(), &conflicts, None, 9)
            .await
            .unwrap()
            .is_empty()
    );

    let first = event_page(&mut tx, &conn(), None, 3).await.unwrap();
    let last = first.last().unwrap();
    let cursor = EventCursor {
        received_at_us: last.received_at_us,
        event_id: EventId::new(last.event_id.clone()),
    };
    let rest = event_page(&mut tx, &conn(), Some(&cursor), 9)
        .await
        .unwrap();
    assert_eq!((first.len(), rest.len()), (3, 2));
    assert_eq!(rest[1].event_id, "evt_4");

    assert_eq!(newest_received(&mut tx, &conn()).await.unwrap(), Some(20));
    assert_eq!(newest_created(&mut tx, &conn()).await.unwrap(), Some(7));
    let quarantined = EventFilter {
        state: Some(EventState::Quarantined),
        ..EventFilter::default()
    };
    let why = count_by_reason(&mut tx, &conn(), EventState::Quarantined).await;
    assert_eq!(why.unwrap(), [("type_unknown".to_owned(), 1)]);
    let ignored = count_by_reason(&mut tx, &conn(), EventState::Ignored).await;
    assert_eq!(ignored.unwrap(), []);
    for (code, count) in [("another", 0), ("type_unknown", 1)] {
        let filter = EventFilter {
            reason_code: Some(code.to_owned()),
            ..quarantined.clone()
        };
        let listed = list_events(&mut tx, &conn(), &filter, None, 9)
            .await
            .unwrap();
        assert_eq!(listed.len(), count, "{code}");
    }
    let another = EventFilter {
        reason_code: Some("another".to_owned()),
        ..quarantined.clone()
    };
    assert_eq!(requeue(&mut tx, &conn(), &another).await.unwrap(), 0);
    assert_eq!(requeue(&mut tx, &conn(), &quarantined).await.unwrap(), 1);
    assert_eq!(requeue(&mut tx, &conn(), &quarantined).await.unwrap(), 0);
    mark_events(&mut tx, &conn(), &[mark("evt_0", 10, EventState::Done)])
        .await
        .unwrap();
    let both = ["evt_0", "evt_1"].map(EventId::from);
    assert_eq!(requeue_events(&mut tx, &conn(), &both).await.unwrap(), 1);
    lengths_are_queued(&mut tx).await;
    let counts = count_by_state(&mut tx, &conn()).await.unwrap();
    assert_eq!(
        counts.into_iter().collect::<Vec<_>>(),
        [(EventState::Received, 5)]
    );
}

async fn connections_never_meet(db: &Db) {
    let other = ConnectionId::new("acct_1:test");
    let one = [event("evt_1", 1, "live")];
    insert_events(db, &conn(), &one).await.unwrap();
    let inserted = insert_events(db, &other, &[event("evt_1", 2, "test")])
        .await
        .unwrap();
    assert_eq!(inserted, [Inserted::New]);
    let mut tx = db.begin().await.unwrap();
    assert_eq!(newest_received(&mut tx, &other).await.unwrap(), Some(2));
    let nobody = ConnectionId::new("nobody");
    assert_eq!(newest_created(&mut tx, &nobody).await.unwrap(), None);
    mark_events(&mut tx, &other, &[mark("evt_1", 2, EventState::Done)])
        .await
        .unwrap();
    assert_eq!(waiting(&mut tx, &conn()).await.unwrap(), (1, Some(1)));
    assert_eq!(waiting(&mut tx, &other).await.unwrap(), (0, None));
}

async fn what_cannot_be_stored_is_refused(db: &Db) {
    let mut bad = event("evt_\0", 1, "x");
    let refused = insert_events(db, &conn(), &[bad.clone()]).await;
    assert!(matches!(refused, Err(StoreError::Nul)));
    bad.event_id = EventId::new("evt_1");
    bad.body = vec![0, 255, 0];
    insert_events(db, &conn(), &[bad]).await.unwrap();
    let mut tx = db.read().await.unwrap();
    let page = event_page(&mut tx, &conn(), None, 9).await.unwrap();
    assert_eq!(page[0].body, [0, 255, 0]);
}

/// A body of full size, which packs well.
fn long(id: &str) -> String {
    let object = "\n    \"object\": \"charge\",\n    \"amount_refunded\": 0,".repeat(60);
    format!("{{\"id\": \"{id}\",{object}}}")
}

/// Packed by the caller, packed by the store, or as they were stored before anything was packed.
async fn long_bodies_come_back_however_they_are_stored(db: &Db) {
    let mut before = event("evt_1", 10, &long("evt_1"));
    before.pack();
    assert!(
        before
            .packed
            .as_ref()
            .is_some_and(|packed| packed.len() < 200)
    );
    let group = [
        before,
        event("evt_2", 20, &long("evt_2")),
        event("evt_3", 30, "{}"),
    ];
    insert_events(db, &conn(), &group).await.unwrap();
    let mut tx = db.begin().await.unwrap();
    Statement::new(
        "INSERT INTO events (connection_id, event_id, event_type, api_version, created_at,
                             received_at_us, mode, secret_index, unpacked_bytes, body)
         {rows}",
    )
    .rows([[
        (&conn()).into(),
        "evt_4".into(),
        "charge.succeeded".into(),
        None::<&str>.into(),
        0_i64.into(),
        40_i64.into(),
        "live".into(),
        None::<i64>.into(),
        None::<i64>.into(),
        long("evt_4").as_bytes().into(),
    ]])
    .execute(&mut tx)
    .await
    .unwrap();
    let fourth = [EventId::new("evt_4")];
    assert_eq!(requeue_events(&mut tx, &conn(), &fourth).await.unwrap(), 1);
    tx.commit().await.unwrap();

    let expected = [long("evt_1"), long("evt_2"), "{}".to_owned(), long("evt_4")];
    let bodies = |events: Vec<StoredEvent>| -> Vec<String> {
        let text = |event: StoredEvent| String::from_utf8(event.body).unwrap();
        events.into_iter().map(text).collect()
    };
    let ids = ["evt_1", "evt_2", "evt_3", "evt_4"].map(EventId::new);
    let mut tx = db.begin().await.unwrap();
    assert_eq!(
        bodies(load_events(&mut tx, &conn(), &ids).await.unwrap()),
        expected
    );
    assert_eq!(
        bodies(event_page(&mut tx, &conn(), None, 9).await.unwrap()),
        expected
    );
    assert_eq!(
        bodies(received_batch(&mut tx, &conn(), 9).await.unwrap()),
        expected
    );
    tx.rollback().await.unwrap();

    let again = ["evt_1", "evt_4"].map(|id| event(id, 50, &long(id)));
    let again = insert_with_repeats(db, &conn(), &again).await.unwrap();
    assert_eq!(again, [Inserted::Duplicate; 2]);
    let other = [event("evt_1", 60, &long("evt_other"))];
    let other = insert_events(db, &conn(), &other).await.unwrap();
    assert_eq!(other, [Inserted::Conflict]);
    let mut tx = db.read().await.unwrap();
    let kept = conflicting_bodies(&mut tx, &conn(), &ids[0]).await.unwrap();
    assert_eq!(kept[0].body, long("evt_other").into_bytes());
}

/// By what the bodies are, however little of the disk they take.
async fn a_batch_ends_where_its_bodies_grow_too_long(db: &Db) {
    let body = |bytes: usize| format!("[{}]", " ".repeat(bytes - 2));
    for (id, at_us, bytes) in [
        ("evt_1", 10, 9 << 20),
        ("evt_2", 20, 7 << 20),
        ("evt_3", 30, 10),
        ("evt_4", 40, 17 << 20),
        ("evt_5", 50, 10),
    ] {
        let one = [event(id, at_us, &body(bytes))];
        insert_events(db, &conn(), &one).await.unwrap();
    }
    let mut batches = Vec::new();
    loop {
        let mut tx = db.begin().await.unwrap();
        let batch = received_batch(&mut tx, &conn(), 9).await.unwrap();
        if batch.is_empty() {
            break;
        }
        let done = |e: &StoredEvent| mark(&e.event_id, e.received_at_us, EventState::Done);
        let marks: Vec<EventMark> = batch.iter().map(done).collect();
        mark_events(&mut tx, &conn(), &marks).await.unwrap();
        tx.commit().await.unwrap();
        batches.push(batch.into_iter().map(|e| e.event_id).collect::<Vec<_>>());
    }
    let expected: [&[&str]; 4] = [&["evt_1", "evt_2"], &["evt_3"], &["evt_4"], &["evt_5"]];
    assert_eq!(batches, expected);
}
