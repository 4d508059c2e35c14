//! Requests that are repeated under their key.

use serde_json::json;

use crate::bench::{Bench, body};
use crate::client::Answer;

async fn post(bench: &Bench, key: &str, name: &str) -> Answer {
    let body = Some(json!({ "id": format!("prom_{name}"), "name": name }));
    bench
        .ask("POST", "/promoters", &[("idempotency-key", key)], body)
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_request_is_answered_the_same_and_done_once() {
    let bench = Bench::start().await;
    let first = post(&bench, "k 1", "ana").await;
    assert_eq!(first.status, 201);
    assert!(!first.headers.contains_key("idempotent-replayed"));
    let again = post(&bench, "k 1", "ana").await;
    assert_eq!((again.status, &again.body), (201, &first.body));
    assert_eq!(again.headers["idempotent-replayed"], "true");
    assert_eq!(again.headers["content-type"], "application/json");

    // A refusal is an answer as well.
    let refused = post(&bench, "k2", "ana").await;
    assert_eq!(refused.status, 409);
    let again = post(&bench, "k2", "ana").await;
    assert_eq!((again.status, &again.body), (409, &refused.body));
    assert_eq!(again.headers["content-type"], "application/problem+json");

    let other = post(&bench, "k 1", "ben").await;
    assert_eq!(other.text("code").unwrap(), "idempotency_key_reused");
    // Another caller's keys are another caller's.
    let key = format!("Bearer {}", bench.make_key("other", &["*"], 8).await);
    let headers = [("authorization", key.as_str()), ("idempotency-key", "k 1")];
    let body_of = Some(json!({ "id": "prom_ben", "name": "ben" }));
    let theirs = bench.ask("POST", "/promoters", &headers, body_of).await;
    assert_eq!(theirs.status, 201);
    // A day later it is a new request.
    bench.clock.advance(86_401);
    assert_eq!(post(&bench, "k 1", "cy").await.status, 201);
    let all = body(&bench.get("/promoters").await);
    assert_eq!(all["data"].as_array().unwrap().len(), 3);
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn at_the_same_time_it_is_done_once() {
    let bench = Bench::start().await;
    let both = tokio::join!(post(&bench, "k", "ana"), post(&bench, "k", "ana"));
    let statuses = [both.0.status, both.1.status];
    assert!(statuses.contains(&201), "{both:?}");
    for answer in [&both.0, &both.1] {
        let waits = answer.text("code").as_deref() == Some("idempotency_in_progress");
        assert!(answer.status == 201 || waits, "{answer:?}");
    }
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_have_a_shape() {
    let bench = Bench::start().await;
    let long = "x".repeat(256);
    for key in ["", long.as_str(), "caf\u{e9}"] {
        let answer = post(&bench, key, "ana").await;
        assert_eq!(answer.status, 400, "{key}");
        assert_eq!(answer.text("code").unwrap(), "idempotency_key_invalid");
    }
    assert_eq!(post(&bench, &"x".repeat(255), "ana").await.status, 201);
    bench.end().await;
}
