//! What is never spoken to, and what is never shown: private addresses, redirects, secrets.

use qualify::domain::access::By;
use qualify::notify::webhooks::WebhookError;
use qualify::notify::webhooks::endpoints::{ENDPOINTS_MAX, Wanted};
use qualify::store::Statement;
use qualify::store::webhook_deliveries::DeliveryState;

use crate::bench::{Bench, KEY, work};
use crate::receiver::{Mood, Receiver};

fn at(url: &str) -> Wanted {
    Wanted {
        url: Some(url.to_owned()),
        ..Wanted::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_not_followed() {
    let bench = Bench::start().await;
    let (receiver, inside) = (Receiver::start().await, Receiver::start().await);
    let endpoint = bench.endpoint(&receiver.url(), &["*"]).await;
    receiver.is(Mood::Redirect(inside.url()));
    bench.settled("q1").await;
    bench.work().await;
    let delivery = bench.deliveries(&endpoint).await.remove(0);
    let words = delivery.failure.unwrap();
    assert_eq!(words, "answered 302; redirects are not followed");
    assert_eq!((receiver.got().len(), inside.got().len()), (1, 0));
}

/// Added while private addresses were allowed; then they are not any more.
#[tokio::test(flavor = "multi_thread")]
async fn private_addresses_are_not_spoken_to() {
    let (bench, receiver) = (Bench::start().await, Receiver::start().await);
    let port = receiver.address.port();
    let by = By::command_line();
    let strict = bench.another(Some(KEY), false);
    for (url, says) in [
        (format!("http://localhost:{port}/"), "https:// alone"),
        (
            format!("https://127.0.0.1:{port}/"),
            "127.0.0.1 is a private",
        ),
        (
            format!("https://[::ffff:127.0.0.1]:{port}/"),
            "is a private",
        ),
        (
            format!("https://localhost:{port}/"),
            "the host's name leads to",
        ),
        (format!("https://sub.localhost:{port}/"), "the host's name"),
    ] {
        let endpoint = bench.endpoint(&url, &["*"]).await;
        let id = &endpoint.endpoint.endpoint_id;
        let reply = strict.test(id).await.unwrap();
        let words = reply.failure.unwrap();
        assert!(words.contains(says), "{url}: {words}");
        assert_eq!(reply.status, None);
        bench.settled(&format!("to {url}")).await;
        work(&strict).await;
        let delivery = bench.deliveries(&endpoint).await.remove(0);
        assert_eq!(delivery.failure, Some(words), "{url}");
        assert_eq!(delivery.state(), DeliveryState::Waiting);
        let refused = strict.create(&at(&url), &by).await;
        let refused = refused.unwrap_err();
        assert!(
            matches!(
                refused,
                WebhookError::Invalid {
                    code: "url_invalid",
                    ..
                }
            ) || url.contains("sub."),
            "{refused}"
        );
        let refused = strict.change(id, &at(&url), &by).await;
        assert!(refused.is_err(), "{url}");
        bench.hooks.delete(id, &by).await.unwrap();
    }
    assert!(receiver.got().is_empty(), "nobody has connected");
    // The same by a name, where it is allowed.
    let url = format!("http://localhost:{port}/");
    let endpoint = bench.endpoint(&url, &["*"]).await;
    let reply = bench.hooks.test(&endpoint.endpoint.endpoint_id).await;
    assert_eq!(reply.unwrap().status, Some(200));
    assert_eq!(receiver.got()[0].json()["type"], "test");
    assert!(receiver.got()[0].is_signed_by(endpoint.secret.expose()));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_listen_or_exist_is_told_apart() {
    let bench = Bench::start().await;
    let receiver = Receiver::start().await;
    let url = receiver.url();
    drop(receiver);
    let by_name = "https://nobody.invalid/hooks?token=SENTINEL";
    for (url, says) in [
        (url.as_str(), "no connection"),
        (by_name, "the host's name does not resolve"),
    ] {
        let endpoint = bench.endpoint(url, &["*"]).await;
        let mut failure = bench
            .hooks
            .test(&endpoint.endpoint.endpoint_id)
            .await
            .unwrap()
            .failure;
        // The port is free once the task has ended.
        while failure.is_none() {
            failure = bench
                .hooks
                .test(&endpoint.endpoint.endpoint_id)
                .await
                .unwrap()
                .failure;
        }
        assert_eq!(failure.unwrap(), says);
    }
    let rows = bench.audited("webhook.created").await;
    assert!(
        rows.iter().all(|row| !row.detail.contains("SENTINEL")),
        "of an address the host alone"
    );
    assert!(rows.iter().any(|row| row.detail.contains("nobody.invalid")));
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_kept_encrypted_and_nowhere_else() {
    let (bench, receiver) = (Bench::start().await, Receiver::start().await);
    let endpoint = bench.endpoint(&receiver.url(), &["*"]).await;
    let id = &endpoint.endpoint.endpoint_id;
    let rotated = bench.hooks.rotate(id, &By::command_line()).await.unwrap();
    bench.settled("q1").await;
    bench.work().await;
    let secrets = [endpoint.secret.expose(), rotated.secret.expose()];
    let raw = secrets.map(|secret| {
        use base64::Engine as _;
        let encoded = secret.trim_start_matches("whsec_");
        base64::engine::general_purpose::STANDARD
            .decode(encoded)
            .unwrap()
    });
    bench.db.close().await;
    let file = bench.url.trim_start_matches("sqlite://");
    let bytes = std::fs::read(file).unwrap();
    let has = |needle: &[u8]| bytes.windows(needle.len()).any(|part| part == needle);
    assert!(
        has(id.as_str().as_bytes()),
        "the file is the one that was looked for"
    );
    for (secret, raw) in secrets.iter().zip(&raw) {
        assert!(
            !has(secret.as_bytes()) && !has(raw),
            "a secret lies in the database"
        );
        let shown = format!("{:?} {:?} {:?}", bench.hooks, endpoint, rotated);
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_key_nothing_is_made_and_nothing_is_lost() {
    let (bench, receiver) = (Bench::start().await, Receiver::start().await);
    let endpoint = bench.endpoint(&receiver.url(), &["*"]).await;
    let id = &endpoint.endpoint.endpoint_id;
    let by = By::command_line();
    let none = bench.another(None, true);
    for refused in [
        none.create(&at(&receiver.url()), &by).await,
        none.rotate(id, &by).await,
    ] {
        let error = refused.unwrap_err();
        assert!(matches!(error, WebhookError::NoKey), "{error}");
        assert!(error.to_string().contains("APP_SECRET_KEY"), "{error}");
    }
    bench.settled("q1").await;
    let mut couriers = qualify::notify::webhooks::courier::Couriers::default();
    qualify::notify::webhooks::fan_out::fan_out(&none)
        .await
        .unwrap();
    assert_eq!(couriers.send_out(&none).await.unwrap(), 0);
    assert_eq!(bench.deliveries(&endpoint).await[0].attempts, 0, "it waits");

    let other = bench.another(Some("another key, as long as it has to be"), true);
    work(&other).await;
    let delivery = bench.deliveries(&endpoint).await.remove(0);
    let words = delivery.failure.unwrap();
    assert!(words.contains("another APP_SECRET_KEY"), "{words}");
    assert!(receiver.got().is_empty());
    bench.clock.advance(200);
    bench.work().await;
    assert_eq!(receiver.got().len(), 1, "under the right key it goes on");
    // Rotating mends it under the other key: the old secret is of no use any more.
    let rotated = other.rotate(id, &by).await.unwrap();
    assert_eq!(other.test(id).await.unwrap().status, Some(200));
    let got = receiver.got().pop().unwrap();
    assert!(got.is_signed_by(rotated.secret.expose()));
}

#[tokio::test(flavor = "multi_thread")]
async fn endpoints_are_few_and_well_formed() {
    let bench = Bench::start().await;
    let by = By::command_line();
    let refused = async |wanted: Wanted| match bench.hooks.create(&wanted, &by).await.unwrap_err() {
        WebhookError::Invalid { code, .. } | WebhookError::Conflict { code, .. } => code,
        other => panic!("{other}"),
    };
    assert_eq!(refused(Wanted::default()).await, "url_invalid");
    assert_eq!(refused(at("not an address")).await, "url_invalid");
    let long = Wanted {
        description: Some("x".repeat(201)),
        ..at("https://a.example/")
    };
    assert_eq!(refused(long).await, "description_invalid");
    let unknown = Wanted {
        topics: Some(vec!["mail.sign_in".to_owned()]),
        ..at("https://a.example/")
    };
    assert_eq!(refused(unknown).await, "topics_invalid");
    for n in 0..ENDPOINTS_MAX {
        bench
            .endpoint(&format!("https://a{n}.example/"), &["*"])
            .await;
    }
    assert_eq!(
        refused(at("https://b.example/")).await,
        "endpoints_too_many"
    );
    let mut tx = bench.db.read().await.unwrap();
    let (count,): (i64,) = Statement::new("SELECT count(*) FROM webhook_endpoints")
        .fetch_one(&mut tx)
        .await
        .unwrap();
    assert_eq!(count, 20);
}
