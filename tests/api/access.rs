//! Keys: none, a bad one, one that is taken back. What each may do is the matrix of routes'.

use qualify::access::keys;
use qualify::clock::Clock;
use qualify::domain::access::By;
use qualify::store::api_keys::list_keys;

use crate::bench::Bench;
use crate::client::send;

#[tokio::test(flavor = "multi_thread")]
async fn without_a_key_in_force_nothing_is_answered() {
    let bench = Bench::start().await;
    let app = &bench.server.app;
    let revoked = bench.make_key("old", &["*"], 9).await;
    let ask = async |value: &str| {
        let request = bench.request("GET", "/promoters", &[("authorization", value)]);
        send(bench.server.local_addr, &request).await
    };
    let revoked = format!("Bearer {revoked}");
    assert_eq!(ask(&revoked).await.status, 200);
    let mut tx = app.db.read().await.unwrap();
    let all = list_keys(&mut tx, &app.connection).await.unwrap();
    drop(tx);
    let old = all.iter().find(|key| key.name == "old").unwrap();
    let (clock, by) = (bench.clock.as_ref(), By::command_line());
    assert!(
        keys::revoke(&app.db, &app.connection, clock, &old.key_id, &by)
            .await
            .unwrap()
    );

    let unknown = format!("Bearer qk_{}", "A".repeat(43));
    let basic = format!("Basic {}", bench.key);
    for value in [
        "", "Bearer", "Bearer ", "Bearer x", &revoked, &unknown, &basic,
    ] {
        let answer = ask(value).await;
        assert_eq!(answer.status, 401, "{value}");
        assert_eq!(answer.text("code").unwrap(), "unauthenticated");
        assert!(answer.headers["www-authenticate"].starts_with("Bearer"));
        assert!(!answer.body.contains("AAAA"), "{answer:?}");
    }
    // What is kept of a key does not open anything.
    let kept = String::from_utf8_lossy(&old.hash).into_owned();
    assert!(!kept.contains("qk_"));
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_use_of_a_key_is_noted_once_a_minute() {
    let bench = Bench::start().await;
    let app = &bench.server.app;
    let started = bench.clock.now().unix();
    let last_used = async || {
        let mut tx = app.db.read().await.unwrap();
        list_keys(&mut tx, &app.connection).await.unwrap()[0].last_used_at
    };
    // It is noted beside the request, so it is there a moment later.
    let noted = async |at: i64| {
        while last_used().await != Some(at) {
            tokio::task::yield_now().await;
        }
    };
    bench.get("/promoters").await;
    noted(started).await;
    for seconds in [59, 1] {
        bench.clock.advance(seconds);
        bench.get("/promoters").await;
    }
    // The first of the two was within the minute: only the second is ever written.
    noted(started + 60).await;
    bench.end().await;
}
