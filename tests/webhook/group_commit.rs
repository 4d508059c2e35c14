//! Many at once: every 200 is a row, whatever arrives together; never a 200 without one.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::bench::{Bench, Database, Settings, delivery};
use crate::client::send;

/// Posts each id at once; the statuses by id.
async fn post_all(bench: &Bench, ids: &[String]) -> Vec<(String, u16)> {
    let mut posts = JoinSet::new();
    for id in ids {
        let (to, id) = (bench.server.local_addr, id.clone());
        posts.spawn(async move {
            let answer = send(to, &delivery(&id)).await;
            (id, answer.status)
        });
    }
    posts.join_all().await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_200_is_a_row_and_duplicates_are_counted() {
    let bench = Bench::start(Settings::default()).await;
    // 200 deliveries of 150 events: the first 50 come twice.
    let ids: Vec<String> = (0..200).map(|n| format!("evt_{}", n % 150)).collect();
    let answers = post_all(&bench, &ids).await;
    assert!(
        answers.iter().all(|(_, status)| *status == 200),
        "{answers:?}"
    );

    let stored = bench.stored().await;
    let expected: BTreeSet<&str> = ids.iter().map(String::as_str).collect();
    let seen: BTreeSet<&str> = stored.iter().map(|e| e.event_id.as_str()).collect();
    assert_eq!(seen, expected);
    assert_eq!(stored.iter().map(|e| e.deliveries).sum::<i64>(), 200);
    assert!(stored.iter().all(|e| e.conflicts == 0));
    bench.server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_one_commit_is_stored_by_the_next_together() {
    let gate = Arc::new(Semaphore::new(0));
    let bench = Bench::start(Settings {
        database: Database::Gated(Arc::clone(&gate)),
        ..Settings::default()
    })
    .await;
    let ids: Vec<String> = (0..200).map(|n| format!("evt_{n}")).collect();
    // Far fewer permits than events: without groups the posts would never end.
    gate.add_permits(50);
    let answers = post_all(&bench, &ids).await;
    assert!(answers.iter().all(|(_, status)| *status == 200));
    assert_eq!(bench.stored().await.len(), 200);
    bench.server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_database_fails_every_request_hears_503() {
    let bench = Bench::start(Settings {
        database: Database::Fails,
        ..Settings::default()
    })
    .await;
    let ids: Vec<String> = (0..100).map(|n| format!("evt_{n}")).collect();
    let answers = post_all(&bench, &ids).await;
    assert!(
        answers.iter().all(|(_, status)| *status == 503),
        "{answers:?}"
    );
    assert!(bench.stored().await.is_empty());
    bench.server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_writer_is_503_and_not_ready_and_never_a_hang() {
    let bench = Bench::start(Settings {
        database: Database::Panics,
        ..Settings::default()
    })
    .await;
    let ids: Vec<String> = (0..20).map(|n| format!("evt_{n}")).collect();
    let answers = post_all(&bench, &ids).await;
    assert!(
        answers.iter().all(|(_, status)| *status == 503),
        "{answers:?}"
    );
    assert!(bench.server.has_died());

    let mut request = delivery("x");
    request.method = "GET".to_owned();
    request.body.clear();
    for (path, status, says) in [
        ("/readyz", 503, r#""intake":"stopped""#),
        ("/healthz", 200, r#""status":"ok""#),
    ] {
        request.path = path.to_owned();
        let answer = send(bench.server.local_addr, &request).await;
        assert_eq!(answer.status, status);
        assert!(answer.body.contains(says), "{answer:?}");
    }
    bench.server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn health_and_metrics_tell_what_happened() {
    let bench = Bench::start(Settings::default()).await;
    let to = bench.server.local_addr;
    assert_eq!(send(to, &delivery("evt_1")).await.status, 200);
    assert_eq!(bench.read().await.len(), 1);
    let mut request = delivery("x");
    request.method = "GET".to_owned();
    request.body.clear();

    request.path = "/readyz".to_owned();
    let ready = send(to, &request).await;
    assert_eq!(ready.status, 200);
    assert!(
        ready
            .body
            .contains(r#""ingest":{"waiting":0,"lag_seconds":0}"#),
        "{ready:?}"
    );
    request.path = "/metrics".to_owned();
    let metrics = send(to, &request).await.body;
    for name in [
        r#"qualify_webhook_requests_total{result="new"}"#,
        "qualify_intake_commit_seconds_bucket",
        "qualify_webhook_skew_seconds 0",
        r#"qualify_webhook_secret_used_total{connection="live",index="0"}"#,
    ] {
        assert!(metrics.contains(name), "{name} is missing in {metrics}");
    }
    bench.server.shutdown().await;
}
