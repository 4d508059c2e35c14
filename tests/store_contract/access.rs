//! API keys, kept answers, leases, and what two nodes may do at once.

use qualify::domain::ids::ConnectionId;
use qualify::domain::time::Timestamp;
use qualify::store::api_keys::{ApiKey, insert_key, key_by_hash, list_keys, revoke_key, touch_key};
use qualify::store::dirty::{DirtyKind, Weight, claim_dirty, clear_dirty, mark_dirty};
use qualify::store::idempotency::{
    forget_before, keep_answer, release_key, release_stuck, take_key,
};
use qualify::store::leases::{
    FENCED, Stage, enter, fence_until, give_back, take_lease, times_entered,
};
use qualify::store::{ConnectOptions, Db, Statement, StoreError, retry};

contract!(
    a_key_opens_until_it_is_revoked,
    a_repeated_request_gets_the_first_answer,
    a_request_that_failed_gives_its_key_back,
    a_lease_has_one_holder_and_fences_the_last,
    one_transaction_at_a_time_is_in_a_stage,
    a_write_under_a_lease_puts_its_end_off,
    whoever_enters_a_stage_is_counted,
    readers_do_not_write_and_see_one_state,
    two_workers_never_claim_the_same,
);

fn conn() -> ConnectionId {
    ConnectionId::new("main")
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix(seconds).unwrap()
}

async fn a_key_opens_until_it_is_revoked(db: &Db) {
    let key = ApiKey {
        connection_id: "main".into(),
        key_id: "key_1".into(),
        name: "CI".to_owned(),
        hash: vec![7; 32],
        scopes: "read".to_owned(),
        created_at: 1,
        last_used_at: None,
        revoked_at: None,
    };
    let mut tx = db.begin().await.unwrap();
    insert_key(&mut tx, &key).await.unwrap();
    assert_eq!(key_by_hash(&mut tx, &[7; 32]).await.unwrap(), Some(key));
    assert_eq!(key_by_hash(&mut tx, &[8; 32]).await.unwrap(), None);
    touch_key(&mut tx, &conn(), &"key_1".into(), at(5))
        .await
        .unwrap();
    assert!(
        !revoke_key(&mut tx, &"other".into(), &"key_1".into(), at(6))
            .await
            .unwrap()
    );
    assert!(
        revoke_key(&mut tx, &conn(), &"key_1".into(), at(6))
            .await
            .unwrap()
    );
    assert!(
        !revoke_key(&mut tx, &conn(), &"key_1".into(), at(7))
            .await
            .unwrap()
    );
    assert_eq!(key_by_hash(&mut tx, &[7; 32]).await.unwrap(), None);
    let listed = list_keys(&mut tx, &conn()).await.unwrap();
    assert_eq!(
        (listed[0].last_used_at, listed[0].revoked_at),
        (Some(5), Some(6))
    );
}

async fn a_repeated_request_gets_the_first_answer(db: &Db) {
    let mut tx = db.begin().await.unwrap();
    let digest = [1; 32];
    let first = take_key(&mut tx, &conn(), &"key_1".into(), "abc", &digest, at(1))
        .await
        .unwrap();
    assert_eq!(first, None);
    let at_work = take_key(&mut tx, &conn(), &"key_1".into(), "abc", &digest, at(1))
        .await
        .unwrap();
    assert_eq!(at_work.unwrap().status, None);
    keep_answer(&mut tx, &conn(), &"key_1".into(), "abc", (201, b"{}"))
        .await
        .unwrap();
    let twice = keep_answer(&mut tx, &conn(), &"key_1".into(), "abc", (500, b"")).await;
    assert!(matches!(twice, Err(StoreError::Stale { .. })));
    let kept = take_key(&mut tx, &conn(), &"key_1".into(), "abc", &[2; 32], at(2))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (kept.status, kept.body.as_deref()),
        (Some(201), Some(&b"{}"[..]))
    );
    assert_eq!(kept.request_digest, digest);
    let others = take_key(&mut tx, &conn(), &"key_2".into(), "abc", &digest, at(9))
        .await
        .unwrap();
    assert_eq!(others, None);
    assert_eq!(forget_before(&mut tx, &conn(), at(9)).await.unwrap(), 1);
}

async fn a_request_that_failed_gives_its_key_back(db: &Db) {
    let mut tx = db.begin().await.unwrap();
    let digest = [1; 32];
    for (key_id, key, seconds) in [("k", "a", 1), ("k", "b", 2), ("other", "a", 3)] {
        let taken = take_key(&mut tx, &conn(), &key_id.into(), key, &digest, at(seconds)).await;
        assert_eq!(taken.unwrap(), None);
    }
    keep_answer(&mut tx, &conn(), &"k".into(), "b", (200, b"{}"))
        .await
        .unwrap();
    // Of the one request, and not one that is answered.
    for key in ["a", "b"] {
        release_key(&mut tx, &conn(), &"k".into(), key)
            .await
            .unwrap();
    }
    let free = take_key(&mut tx, &conn(), &"k".into(), "a", &digest, at(4)).await;
    assert_eq!(free.unwrap(), None);
    let kept = take_key(&mut tx, &conn(), &"k".into(), "b", &digest, at(4)).await;
    assert_eq!(kept.unwrap().unwrap().status, Some(200));
    // Of what began before an instant and never ended: the other key's.
    let stuck = release_stuck(&mut tx, &"elsewhere".into(), at(4)).await;
    assert_eq!(stuck.unwrap(), 0);
    let stuck = release_stuck(&mut tx, &conn(), at(4)).await;
    assert_eq!(stuck.unwrap(), 1);
    let free = take_key(&mut tx, &conn(), &"other".into(), "a", &digest, at(5)).await;
    assert_eq!(free.unwrap(), None);
}

/// Two add to what they have read: with the stage entered first, neither loses the other's.
async fn one_transaction_at_a_time_is_in_a_stage(db: &Db) {
    const READ: &str = "SELECT epoch FROM leases WHERE name = 'sum'";
    let mut tx = db.begin().await.unwrap();
    take_lease(&mut tx, "sum", "x", 0, 10).await.unwrap();
    tx.commit().await.unwrap();
    let add = |connection: ConnectionId, stage: Stage| async move {
        for _ in 0..10 {
            let mut tx = db.begin().await.unwrap();
            enter(&mut tx, &connection, stage).await.unwrap();
            // Again in the same transaction, as a command does that judges what it has written.
            enter(&mut tx, &connection, stage).await.unwrap();
            let (sum,): (i64,) = Statement::new(READ).fetch_one(&mut tx).await.unwrap();
            tokio::task::yield_now().await;
            Statement::new("UPDATE leases SET epoch = $1 WHERE name = 'sum'")
                .bind(sum + 1)
                .execute(&mut tx)
                .await
                .unwrap();
            tx.commit().await.unwrap();
        }
    };
    tokio::join!(
        add(conn(), Stage::Fold),
        add(conn(), Stage::Fold),
        add(conn(), Stage::Fold)
    );
    let mut tx = db.read().await.unwrap();
    let (sum,): (i64,) = Statement::new(READ).fetch_one(&mut tx).await.unwrap();
    assert_eq!(sum, 31);
    drop(tx);

    // The other stage, and another connection, wait for nobody; SQLite has one writer anyway.
    if db.engine() == qualify::store::dialect::Engine::Postgres {
        let mut held = db.begin().await.unwrap();
        enter(&mut held, &conn(), Stage::Fold).await.unwrap();
        let mut tx = db.begin().await.unwrap();
        enter(&mut tx, &conn(), Stage::Judge).await.unwrap();
        enter(&mut tx, &"other".into(), Stage::Fold).await.unwrap();
        tx.commit().await.unwrap();
        held.rollback().await.unwrap();
    }
    // The rows that are waited at are of PostgreSQL alone.
    let mut tx = db.begin().await.unwrap();
    let gone = Statement::new("DELETE FROM leases WHERE name LIKE 'stage:%'");
    gone.execute(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
}

async fn a_write_under_a_lease_puts_its_end_off(db: &Db) {
    let mut tx = db.begin().await.unwrap();
    let a = take_lease(&mut tx, "settle", "a", 0, 10).await.unwrap();
    let a = a.unwrap();
    fence_until(&mut tx, &a, 20).await.unwrap();
    let early = take_lease(&mut tx, "settle", "b", 15, 30).await.unwrap();
    assert_eq!(early, None);
    // Nobody has taken it: it is held on to, however late.
    fence_until(&mut tx, &a, 40).await.unwrap();
    let b = take_lease(&mut tx, "settle", "b", 40, 50).await.unwrap();
    assert_eq!(b.unwrap().epoch, a.epoch + 1);
    let late = fence_until(&mut tx, &a, 90).await;
    assert!(matches!(late, Err(StoreError::Stale { what, .. }) if what == FENCED));
    let still = take_lease(&mut tx, "settle", "c", 49, 60).await.unwrap();
    assert_eq!(still, None, "the late one has put nothing off");
}

async fn a_lease_has_one_holder_and_fences_the_last(db: &Db) {
    let mut tx = db.begin().await.unwrap();
    let a = take_lease(&mut tx, "settle", "a", 0, 10)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((a.epoch, a.expires_at_us), (1, 10));
    assert_eq!(
        take_lease(&mut tx, "settle", "b", 9, 20).await.unwrap(),
        None
    );
    let renewed = take_lease(&mut tx, "settle", "a", 9, 20)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((renewed.epoch, renewed.expires_at_us), (1, 20));
    fence_until(&mut tx, &renewed, 20).await.unwrap();
    let b = take_lease(&mut tx, "settle", "b", 20, 30)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(b.epoch, 2);
    assert!(matches!(
        fence_until(&mut tx, &renewed, 50).await,
        Err(StoreError::Stale { .. })
    ));
    give_back(&mut tx, &renewed).await.unwrap();
    assert_eq!(
        take_lease(&mut tx, "settle", "a", 21, 40).await.unwrap(),
        None
    );
    give_back(&mut tx, &b).await.unwrap();
    let again = take_lease(&mut tx, "settle", "b", 21, 40)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(again.epoch, 3);
}

async fn whoever_enters_a_stage_is_counted(db: &Db) {
    let mut tx = db.begin().await.unwrap();
    let entered = times_entered(&mut tx, &conn(), Stage::Fold).await.unwrap();
    assert_eq!(entered, 0);
    for time in 1..3 {
        let now = enter(&mut tx, &conn(), Stage::Fold).await.unwrap();
        assert_eq!(now, time);
    }
    enter(&mut tx, &conn(), Stage::Judge).await.unwrap();
    let other = ConnectionId::new("other");
    enter(&mut tx, &other, Stage::Fold).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = db.read().await.unwrap();
    let entered = times_entered(&mut tx, &conn(), Stage::Fold).await.unwrap();
    assert_eq!(entered, 2);
}

async fn readers_do_not_write_and_see_one_state(db: &Db) {
    let count = || Statement::new("SELECT COUNT(*) FROM leases");
    let mut reader = db.read().await.unwrap();
    let (before,): (i64,) = count().fetch_one(&mut reader).await.unwrap();
    let mut tx = db.begin().await.unwrap();
    take_lease(&mut tx, "settle", "a", 0, 10).await.unwrap();
    tx.commit().await.unwrap();
    let (same,): (i64,) = count().fetch_one(&mut reader).await.unwrap();
    assert_eq!((before, same), (0, 0));
    assert!(take_lease(&mut reader, "other", "a", 0, 10).await.is_err());
    drop(reader);
    let mut reader = db.read().await.unwrap();
    let (after,): (i64,) = count().fetch_one(&mut reader).await.unwrap();
    assert_eq!(after, 1);
    drop(reader);

    // Not committed is not there.
    let mut tx = db.begin().await.unwrap();
    take_lease(&mut tx, "other", "a", 0, 10).await.unwrap();
    drop(tx);
    let mut reader = db.read().await.unwrap();
    let (after,): (i64,) = count().fetch_one(&mut reader).await.unwrap();
    assert_eq!(after, 1);
}

async fn two_workers_never_claim_the_same(db: &Db) {
    let ids = (0..40).map(|n| format!("cus_{n:02}")).collect();
    let mut tx = db.begin().await.unwrap();
    mark_dirty(&mut tx, &conn(), DirtyKind::Customer, &ids, 1)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let work = || async {
        let mut tx = db.begin().await.unwrap();
        let claimed = claim_dirty(&mut tx, &conn(), Weight::Light, 25)
            .await
            .unwrap();
        clear_dirty(&mut tx, &conn(), Weight::Light, &claimed)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        claimed
            .into_iter()
            .map(|dirty| dirty.id)
            .collect::<Vec<_>>()
    };
    let (a, b) = tokio::join!(work(), work());
    let mut all = [a, b].concat();
    all.sort();
    assert_eq!(all, ids.into_iter().collect::<Vec<_>>());
}

#[tokio::test]
async fn a_deadlock_is_tried_again() {
    let db = crate::support::postgres().await;
    let mut tx = db.begin().await.unwrap();
    for name in ["a", "b"] {
        take_lease(&mut tx, name, "x", 0, 10).await.unwrap();
    }
    tx.commit().await.unwrap();
    let barrier = tokio::sync::Barrier::new(2);
    let met = std::sync::atomic::AtomicU32::new(0);
    let swap = |first: &'static str, second: &'static str| {
        let (db, barrier, met) = (&db, &barrier, &met);
        retry(move || async move {
            let mut tx = db.begin().await?;
            let touch = || Statement::new("UPDATE leases SET epoch = epoch + 1 WHERE name = $1");
            touch().bind(first).execute(&mut tx).await?;
            // Only the first attempts meet: each holds what the other wants.
            if met.fetch_add(1, std::sync::atomic::Ordering::SeqCst) < 2 {
                barrier.wait().await;
            }
            touch().bind(second).execute(&mut tx).await?;
            tx.commit().await
        })
    };
    let (a, b) = tokio::join!(swap("a", "b"), swap("b", "a"));
    a.unwrap();
    b.unwrap();
    assert!(
        met.into_inner() > 2,
        "there was no deadlock to recover from"
    );
}

#[tokio::test]
async fn an_address_that_is_none_is_refused_without_its_password() {
    for url in ["mysql://root:secret@host/db", "secret", "sqlite::memory:"] {
        let error = Db::connect(url, &ConnectOptions::default())
            .await
            .unwrap_err();
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}
