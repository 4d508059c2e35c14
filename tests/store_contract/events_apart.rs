//! What becomes of events stands beside them: no part of their way makes a delivery wait, a
//! replay undoes an outcome, and a database of before is taken over with all it holds.

use std::time::Duration;

use qualify::domain::ids::{ConnectionId, EventId};
use qualify::store::events::{
    EventFilter, EventState, EventSummary, Inserted, conflicting_bodies, count_by_state,
    event_summaries, get_event, insert_events, list_events, mark_events, received_batch, requeue,
    requeue_events, waiting,
};
use qualify::store::{ConnectOptions, Db};
use sqlx::migrate::Migrator;

use crate::events::{conn, event, mark};

contract!(
    an_outcome_is_listed_and_goes_with_a_replay,
    every_state_is_listed_in_order_of_arrival,
    only_what_waits_and_only_once_is_claimed,
);

/// Longer than any of this takes, and shorter than a lock that is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

async fn states(db: &Db) -> Vec<(EventState, i64)> {
    let mut tx = db.read().await.unwrap();
    let counts = count_by_state(&mut tx, &conn()).await.unwrap();
    counts.into_iter().collect()
}

async fn one(db: &Db, id: &str) -> EventSummary {
    let mut tx = db.read().await.unwrap();
    let found = get_event(&mut tx, &conn(), &EventId::new(id)).await;
    found.unwrap().unwrap()
}

async fn an_outcome_is_listed_and_goes_with_a_replay(db: &Db) {
    use EventState::{Done, Ignored, Quarantined, Received};
    let mut group: Vec<_> = ["a", "b", "c", "d"]
        .iter()
        .zip(1..)
        .map(|(id, at)| event(id, at, id))
        .collect();
    // This one ends at the door.
    group[3].state = Ignored;
    group[3].reason = mark("", 0, Ignored).reason;
    insert_events(db, &conn(), &group).await.unwrap();
    assert_eq!(states(db).await, [(Received, 3), (Ignored, 1)]);
    assert_eq!(
        one(db, "d").await.reason_code.as_deref(),
        Some("type_unknown")
    );

    let mut tx = db.begin().await.unwrap();
    let marks = [
        mark("a", 1, Done),
        mark("b", 2, Ignored),
        mark("c", 3, Quarantined),
    ];
    mark_events(&mut tx, &conn(), &marks).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(
        states(db).await,
        [(Done, 1), (Ignored, 2), (Quarantined, 1)]
    );

    // By id, by state, and all of them; what waits already is not put back.
    let mut tx = db.begin().await.unwrap();
    let ids = ["a", "c", "nobody"].map(EventId::from);
    assert_eq!(requeue_events(&mut tx, &conn(), &ids).await.unwrap(), 2);
    tx.commit().await.unwrap();
    assert_eq!(states(db).await, [(Received, 2), (Ignored, 2)]);
    let mut tx = db.read().await.unwrap();
    let listed = event_summaries(&mut tx, &conn(), &["b", "a", "nobody"].map(EventId::from)).await;
    let mut listed: Vec<_> = listed
        .unwrap()
        .into_iter()
        .map(|event| (event.event_id, event.state))
        .collect();
    listed.sort();
    let said = |id: &str, state: EventState| (id.to_owned(), state.name().to_owned());
    assert_eq!(listed, [said("a", Received), said("b", Ignored)]);
    let elsewhere = event_summaries(&mut tx, &"other".into(), &["a".into()]).await;
    assert_eq!(elsewhere.unwrap(), []);
    drop(tx);
    let c = one(db, "c").await;
    assert_eq!((c.state.as_str(), c.reason_code), ("received", None));

    let mut tx = db.begin().await.unwrap();
    let ignored = EventFilter {
        state: Some(Ignored),
        until_us: Some(3),
        ..EventFilter::default()
    };
    assert_eq!(requeue(&mut tx, &conn(), &ignored).await.unwrap(), 1);
    tx.commit().await.unwrap();
    assert_eq!(states(db).await, [(Received, 3), (Ignored, 1)]);
    let mut tx = db.begin().await.unwrap();
    let all = EventFilter::default();
    assert_eq!(requeue(&mut tx, &conn(), &all).await.unwrap(), 1);
    assert_eq!(waiting(&mut tx, &conn()).await.unwrap(), (4, Some(1)));
    // Read again, it may end otherwise.
    mark_events(&mut tx, &conn(), &[mark("b", 2, Quarantined)])
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(states(db).await, [(Received, 3), (Quarantined, 1)]);
}

async fn every_state_is_listed_in_order_of_arrival(db: &Db) {
    let group: Vec<_> = (0..40)
        .map(|n| event(&format!("evt_{n:02}"), 100 + n / 3, "x"))
        .collect();
    insert_events(db, &conn(), &group).await.unwrap();
    let mut tx = db.begin().await.unwrap();
    let marks: Vec<_> = group
        .iter()
        .zip(0_usize..)
        .map(|(event, n)| {
            let state = EventState::ALL[n % 4];
            mark(event.event_id.as_str(), event.received_at_us, state)
        })
        .filter(|mark| mark.state != EventState::Received)
        .collect();
    mark_events(&mut tx, &conn(), &marks).await.unwrap();
    for (state, n) in EventState::ALL.into_iter().zip(0_usize..) {
        let filter = EventFilter {
            state: Some(state),
            event_type: Some("charge.succeeded".to_owned()),
            ..EventFilter::default()
        };
        let mut seen = Vec::new();
        let mut after = None;
        loop {
            let page = list_events(&mut tx, &conn(), &filter, after.as_ref(), 3).await;
            let page = page.unwrap();
            assert!(page.iter().all(|event| event.state == state.name()));
            after = page.last().map(|last| qualify::store::events::EventCursor {
                received_at_us: last.received_at_us,
                event_id: EventId::new(last.event_id.clone()),
            });
            seen.extend(page.into_iter().map(|event| event.event_id));
            if seen.len() > 10 || after.is_none() {
                break;
            }
        }
        let expected: Vec<_> = (0..10)
            .rev()
            .map(|k| format!("evt_{:02}", 4 * k + n))
            .collect();
        assert_eq!(seen, expected, "{state:?}");
    }
}

async fn only_what_waits_and_only_once_is_claimed(db: &Db) {
    let group: Vec<_> = ["c", "b", "a"]
        .iter()
        .zip(1..)
        .map(|(id, at)| event(id, at, id))
        .collect();
    insert_events(db, &conn(), &group).await.unwrap();
    let mut tx = db.begin().await.unwrap();
    let claimed = received_batch(&mut tx, &conn(), 2).await.unwrap();
    let ids: Vec<_> = claimed
        .iter()
        .map(|event| event.event_id.as_str())
        .collect();
    assert_eq!(ids, ["c", "b"]);
    assert_eq!(claimed[0].body, b"c");
    assert_eq!(claimed[0].state, "received");
    tx.rollback().await.unwrap();
    // Given up, they wait as before.
    let mut tx = db.begin().await.unwrap();
    assert_eq!(received_batch(&mut tx, &conn(), 9).await.unwrap().len(), 3);
    let other = ConnectionId::new("another");
    assert!(received_batch(&mut tx, &other, 9).await.unwrap().is_empty());
}

/// On PostgreSQL, where both run at once: a transaction that reads events holds up neither a
/// delivery of the same events nor another reader, who is given others.
#[tokio::test]
async fn a_duplicate_of_an_event_that_is_being_read_waits_for_nobody() {
    let db = crate::support::postgres().await;
    let group = ["a", "b"].map(|id| event(id, 1, id));
    insert_events(&db, &conn(), &group).await.unwrap();

    let mut folding = db.begin().await.unwrap();
    assert_eq!(
        received_batch(&mut folding, &conn(), 9)
            .await
            .unwrap()
            .len(),
        2
    );
    let marks = [
        mark("a", 1, EventState::Done),
        mark("b", 1, EventState::Ignored),
    ];
    mark_events(&mut folding, &conn(), &marks).await.unwrap();

    let again = [
        event("a", 2, "a"),
        event("b", 2, "another b"),
        event("c", 2, "c"),
    ];
    let stored = tokio::time::timeout(PATIENCE, insert_events(&db, &conn(), &again)).await;
    let stored = stored.expect("a delivery does not wait for who reads the event");
    assert_eq!(
        stored.unwrap(),
        [Inserted::Duplicate, Inserted::Conflict, Inserted::New]
    );
    let mut other = db.begin().await.unwrap();
    let free = tokio::time::timeout(PATIENCE, received_batch(&mut other, &conn(), 9)).await;
    let free = free.expect("another reader does not wait").unwrap();
    assert_eq!(free.len(), 1);
    assert_eq!(free[0].event_id, "c");
    other.rollback().await.unwrap();
    folding.commit().await.unwrap();
    assert_eq!(
        states(&db).await,
        [
            (EventState::Received, 1),
            (EventState::Done, 1),
            (EventState::Ignored, 1)
        ]
    );
    let b = one(&db, "b").await;
    assert_eq!((b.deliveries, b.conflicts), (2, 1));
}

/// A database as it was before events and what becomes of them were apart.
const BEFORE: &str = "
    INSERT INTO events (connection_id, event_id, event_type, api_version, created_at,
        received_at_us, mode, body, digest, deliveries, conflicts, state, reason_code, reason,
        secret_index) VALUES
        ('acct_1:live', 'evt_1', 'x.y', '2025-09-30', 1, 10, 'live', BODY, DIGEST, 1, 0, 'received', NULL, NULL, 0),
        ('acct_1:live', 'evt_2', 'x.y', NULL, 2, 20, 'live', BODY, DIGEST, 3, 1, 'done', NULL, NULL, NULL),
        ('acct_1:live', 'evt_3', 'x.y', NULL, 3, 30, 'live', BODY, DIGEST, 1, 0, 'ignored', 'c_3', 'why 3', NULL),
        ('acct_1:live', 'evt_4', 'x.y', NULL, 4, 40, 'test', BODY, DIGEST, 2, 0, 'quarantined', 'c_4', 'why 4', NULL),
        ('another', 'evt_1', 'x.y', NULL, 5, 50, 'test', BODY, DIGEST, 1, 0, 'received', NULL, NULL, 1);
    INSERT INTO event_conflicts (connection_id, event_id, digest, received_at_us, body)
        VALUES ('acct_1:live', 'evt_2', DIGEST, 25, BODY);
";

/// The migrations that there were before.
fn before(all: &Migrator) -> Migrator {
    let earlier = all.iter().filter(|migration| migration.version < 8);
    Migrator {
        migrations: earlier.cloned().collect::<Vec<_>>().into(),
        ..Migrator::DEFAULT
    }
}

fn filled(bytes: &str) -> sqlx::AssertSqlSafe<String> {
    sqlx::AssertSqlSafe(BEFORE.replace("BODY", bytes).replace("DIGEST", bytes))
}

#[tokio::test]
async fn a_sqlite_database_of_before_is_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/old.db", folder.path().display());
    let options: sqlx::sqlite::SqliteConnectOptions = url.parse().unwrap();
    let pool = sqlx::SqlitePool::connect_with(options.create_if_missing(true)).await;
    let pool = pool.unwrap();
    let all = sqlx::migrate!("migrations/sqlite");
    before(&all).run(&pool).await.unwrap();
    sqlx::raw_sql(filled("x'7B7D'"))
        .execute(&pool)
        .await
        .unwrap();
    pool.close().await;
    is_taken_over(&url).await;
}

#[tokio::test]
async fn a_postgres_database_of_before_is_taken_over() {
    let url = crate::support::postgres::fresh_database().await;
    let pool = sqlx::PgPool::connect(&url).await.unwrap();
    let all = sqlx::migrate!("migrations/postgres");
    before(&all).run(&pool).await.unwrap();
    sqlx::raw_sql(filled("'\\x7B7D'"))
        .execute(&pool)
        .await
        .unwrap();
    pool.close().await;
    is_taken_over(&url).await;
}

async fn is_taken_over(url: &str) {
    let db = Db::connect(url, &ConnectOptions::default()).await.unwrap();
    assert!(!db.is_migrated().await.unwrap());
    db.migrate().await.unwrap();
    assert!(db.is_migrated().await.unwrap());
    let mut tx = db.read().await.unwrap();
    let all = list_events(&mut tx, &conn(), &EventFilter::default(), None, 9).await;
    let all: Vec<_> = all.unwrap();
    let seen: Vec<_> = all
        .iter()
        .map(|e| {
            (
                (e.event_id.as_str(), e.received_at_us, e.state.as_str()),
                (e.deliveries, e.conflicts),
                (e.reason_code.as_deref(), e.reason.as_deref()),
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            (
                ("evt_4", 40, "quarantined"),
                (2, 0),
                (Some("c_4"), Some("why 4"))
            ),
            (
                ("evt_3", 30, "ignored"),
                (1, 0),
                (Some("c_3"), Some("why 3"))
            ),
            (("evt_2", 20, "done"), (3, 1), (None, None)),
            (("evt_1", 10, "received"), (1, 0), (None, None)),
        ]
    );
    assert_eq!(
        (all[3].secret_index, all[3].api_version.as_deref()),
        (Some(0), Some("2025-09-30"))
    );
    assert_eq!(all[0].mode, "test");
    let others = conflicting_bodies(&mut tx, &conn(), &EventId::new("evt_2")).await;
    assert_eq!(others.unwrap()[0].body, b"{}");
    let another = ConnectionId::new("another");
    assert_eq!(waiting(&mut tx, &another).await.unwrap(), (1, Some(50)));
    tx.rollback().await.unwrap();

    // It works on: the one that waited is read, and one comes again with another body.
    let mut tx = db.begin().await.unwrap();
    let batch = received_batch(&mut tx, &conn(), 9).await.unwrap();
    assert_eq!((batch.len(), batch[0].body.as_slice()), (1, &b"{}"[..]));
    mark_events(&mut tx, &conn(), &[mark("evt_1", 10, EventState::Done)])
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let again = insert_events(&db, &conn(), &[event("evt_1", 60, "other")]).await;
    assert_eq!(again.unwrap(), [Inserted::Conflict]);
    db.close().await;
}
