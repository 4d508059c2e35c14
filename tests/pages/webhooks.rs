//! Webhook endpoints as an owner keeps them, in a browser without scripts.

use qualify::domain::access::Role;

use crate::bench::body;
use crate::browser::Browser;

/// Somebody who answers with that status, and the address of it.
async fn receiver(status: u16) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let status = axum::http::StatusCode::from_u16(status).unwrap();
    let routes = axum::Router::new().fallback(move || async move { status });
    tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
    format!("http://{address}/hooks")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_is_added_and_its_secret_shown_once() {
    let browser = Browser::owner().await;
    let empty = browser.page("/admin/webhooks").await;
    assert!(
        empty.contains("No webhook endpoints yet") && empty.contains("/admin/new-webhook"),
        "{empty}"
    );
    let form = browser.page("/admin/new-webhook").await;
    assert!(
        form.contains("batch.settled") && form.contains("Everything, and what later versions add")
    );
    let wrong = [
        ("url", "ftp://shop.example"),
        ("description", ""),
        ("topics", "*"),
    ];
    let refused = browser.post("/admin/new-webhook", &wrong).await;
    assert_eq!(refused.status, 422);
    assert!(
        refused.body.contains("begins with https://")
            && refused.body.contains("ftp://shop.example"),
        "{}",
        refused.body
    );
    let none = browser
        .post("/admin/new-webhook", &[("url", "https://shop.example")])
        .await;
    assert!(
        none.status == 422 && none.body.contains("at least one topic"),
        "{none:?}"
    );

    let url = receiver(204).await;
    let filled = [
        ("url", url.as_str()),
        ("description", "the shop"),
        ("topics", "batch.settled"),
        ("topics", "case.opened"),
    ];
    let made = browser.post("/admin/new-webhook", &filled).await;
    assert_eq!(made.status, 200, "{made:?}");
    let secret = made
        .body
        .split("<code>whsec_")
        .nth(1)
        .unwrap()
        .split('<')
        .next()
        .unwrap()
        .to_owned();
    let list = browser.page("/admin/webhooks").await;
    assert!(
        list.contains(&url) && list.contains("the shop") && !list.contains(&secret),
        "{list}"
    );
    let at = list.split("/admin/webhooks/we_").nth(1).unwrap();
    let here = format!("/admin/webhooks/we_{}", at.split('"').next().unwrap());
    let page = browser.page(&here).await;
    assert!(
        page.contains("Nothing was sent yet") && page.contains("case.opened, batch.settled"),
        "{page}"
    );
    assert!(!page.contains(&secret));
}

/// An endpoint at that address: its page, and its secret without the prefix.
async fn added(browser: &Browser, url: &str) -> (String, String) {
    let made = browser
        .post("/admin/new-webhook", &[("url", url), ("topics", "*")])
        .await;
    let secret = made.body.split("<code>whsec_").nth(1).unwrap();
    let list = browser.bench.get("/webhook_endpoints").await;
    let id = body(&list)["data"][0]["id"].as_str().unwrap().to_owned();
    let secret = secret.split('<').next().unwrap().to_owned();
    (format!("/admin/webhooks/{id}"), secret)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_is_tested_changed_turned_off_and_deleted() {
    let browser = Browser::owner().await;
    let url = receiver(204).await;
    let (here, secret) = added(&browser, &url).await;
    let tried = browser.post(&format!("{here}/test"), &[]).await;
    assert!(
        tried.status == 200
            && tried.body.contains("The test message arrived")
            && tried.body.contains("Answered 204"),
        "{tried:?}"
    );
    let rotate = browser.page(&format!("{here}/rotate")).await;
    assert!(rotate.contains("For 24 hours"), "{rotate}");
    let rotated = browser.post(&format!("{here}/rotate"), &[]).await;
    assert!(rotated.body.contains("whsec_") && !rotated.body.contains(&secret));
    assert!(
        browser
            .page(&here)
            .await
            .contains("The old secret signs until")
    );

    let busy = receiver(503).await;
    let edit = browser.page(&format!("{here}/edit")).await;
    assert!(edit.contains(&url), "{edit}");
    let changed = [
        ("url", busy.as_str()),
        ("description", "the other shop"),
        ("topics", "*"),
    ];
    assert_eq!(browser.done(&format!("{here}/edit"), &changed).await, here);
    let page = browser.page(&here).await;
    assert!(
        page.contains("Endpoint saved.")
            && page.contains("the other shop")
            && page.contains("everything"),
        "{page}"
    );
    let tried = browser.post(&format!("{here}/test"), &[]).await;
    assert!(
        tried.body.contains("was not taken") && tried.body.contains("Answered 503"),
        "{tried:?}"
    );

    assert_eq!(
        browser
            .done(&format!("{here}/state"), &[("enabled", "false")])
            .await,
        here
    );
    let page = browser.page(&here).await;
    assert!(
        page.contains("Nothing is sent to it.") && page.contains("Turn it on"),
        "{page}"
    );
    browser
        .done(&format!("{here}/state"), &[("enabled", "true")])
        .await;
    assert!(browser.page(&here).await.contains("Turn it off"));
    let ask = browser.page(&format!("{here}/delete")).await;
    assert!(ask.contains("cannot be taken back"), "{ask}");
    assert_eq!(
        browser.done(&format!("{here}/delete"), &[]).await,
        "/admin/webhooks"
    );
    assert!(
        browser
            .page("/admin/webhooks")
            .await
            .contains("Endpoint deleted.")
    );
    assert_eq!(browser.get(&here).await.status, 404);
    let log = browser.page("/admin/audit").await;
    for says in [
        "Added a webhook endpoint",
        "Gave a webhook endpoint a new secret",
        "Deleted a webhook endpoint",
    ] {
        assert!(log.contains(says), "no {says}: {log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_is_shown_and_sent_again() {
    let browser = Browser::owner().await;
    let url = receiver(200).await;
    browser
        .post("/admin/new-webhook", &[("url", &url), ("topics", "*")])
        .await;
    let list = browser.bench.get("/webhook_endpoints").await;
    let id = body(&list)["data"][0]["id"].as_str().unwrap().to_owned();
    let here = format!("/admin/webhooks/{id}");
    // Two customers of one email: a case is opened.
    browser.bench.refer("ref_cy", "cy@invited.example").await;
    for id in ["cus_cy1", "cus_cy2"] {
        browser
            .bench
            .customer(id, "cy@invited.example", "2026-03-02T10:00:00Z")
            .await;
    }
    browser
        .bench
        .payment("ch_cy", "cus_cy1", 9_000, "2026-03-03T10:00:00Z")
        .await;
    let delivered = async || {
        let mut looked_at = std::time::Instant::now();
        loop {
            let page = browser.page(&here).await;
            if page.contains("Answered 200") && !page.contains("Waiting</span>") {
                return page;
            }
            // What was not heard in time, on a busy machine, is sent again minutes later.
            if looked_at.elapsed().as_secs() > 12 {
                looked_at = std::time::Instant::now();
                browser.bench.clock.advance(600);
            }
            tokio::task::yield_now().await;
        }
    };
    let page = delivered().await;
    assert!(
        page.contains("case.opened") && page.contains("Delivered"),
        "{page}"
    );
    let message = page
        .split("name=\"message\" value=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    let again = [("message", message)];
    assert_eq!(
        browser.done(&format!("{here}/redeliver"), &again).await,
        here
    );
    delivered().await;
    assert!(
        browser
            .page(&format!("{here}?show=given_up"))
            .await
            .contains("Nothing here")
    );
    browser
        .done(&format!("{here}/state"), &[("enabled", "false")])
        .await;
    let refused = browser.post(&format!("{here}/redeliver"), &again).await;
    assert!(
        refused.status == 422 && refused.body.contains("enable it first"),
        "{refused:?}"
    );

    browser.become_a(Role::Marketer).await;
    for path in ["/admin/webhooks", &here] {
        assert_eq!(browser.get(path).await.status, 403, "{path}");
    }
}
