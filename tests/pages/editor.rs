//! The campaign editor: form and file are one draft, saving is guarded, the past is tried.

use std::time::Duration;

use qualify::domain::time::Timestamp;
use qualify::store::backtests::{StoredBacktest, get_backtest, insert_backtest};
use serde_json::{Value, json};

use crate::bench::RULES;
use crate::browser::{Browser, area, field};

const FORM: &[(&str, &str)] = &[
    ("view", "form"),
    ("id", "summer"),
    ("name", "Summer"),
    ("match.keys", "stripe_id"),
    ("match.keys", "metadata"),
    ("match.keys", "email"),
    ("match.duplicates", "hold"),
    ("qualify.spend[0].bound", "at_least"),
    ("qualify.spend[0].amount", "40.00"),
    ("qualify.spend[0].currency", "usd"),
    ("qualify.within_days", "30"),
    ("qualify.from", "referral"),
    ("qualify.payments", "1"),
    ("qualify.each_payment.bound", "more_than"),
    ("qualify.each_payment.amount", "0.50"),
    ("qualify.amount", "paid"),
    ("qualify.hold_days", "14"),
    ("attribution.coupons", "yes"),
    ("attribution.prefer", "link"),
    ("attribution.touch", "first"),
    ("reward.promoter.kind", "fixed"),
    ("reward.promoter.amount", "20.00"),
    ("reward.promoter.currency", "usd"),
];

fn with(more: &[(&'static str, &'static str)]) -> Vec<(&'static str, &'static str)> {
    let kept = FORM
        .iter()
        .filter(|(name, _)| !more.iter().any(|(n, _)| n == name));
    kept.chain(more).copied().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_campaign_is_made_in_the_form_and_edited_as_a_file() {
    let browser = Browser::owner().await;
    let wrong = with(&[("qualify.within_days", "0"), ("do", "save")]);
    let refused = browser.post("/new-campaign", &wrong).await;
    assert_eq!(refused.status, 422);
    assert!(
        refused.body.contains("href=\"#qualify.within_days\""),
        "{}",
        refused.body
    );
    assert_eq!(
        field(&refused.body, "name"),
        "Summer",
        "what was typed stays"
    );
    let no_reason = browser
        .post("/new-campaign", &with(&[("do", "save")]))
        .await;
    assert_eq!(no_reason.status, 422);
    assert!(no_reason.body.contains("Say why"));
    let saving = with(&[("do", "save"), ("reason", "summer is here")]);
    assert_eq!(
        browser.done("/new-campaign", &saving).await,
        "/campaigns/summer"
    );
    let page = browser.page("/campaigns/summer").await;
    assert!(page.contains("Saved as a new revision") && page.contains("summer is here"));
    assert!(page.contains("Spending at least 40.00 USD."), "{page}");

    let file = browser.page("/campaigns/summer/edit?view=file").await;
    let source = area(&file, "source");
    let edited = source.replace("40.00", "45.00") + "# dearer\n";
    let save = |number: &'static str| {
        vec![
            ("view", "file"),
            ("source", edited.as_str()),
            ("base", source.as_str()),
            ("number", number),
            ("do", "save"),
            ("reason", "too cheap"),
        ]
    };
    let place = browser.done("/campaigns/summer/edit", &save("1")).await;
    assert_eq!(place, "/campaigns/summer");
    let stale = browser.post("/campaigns/summer/edit", &save("1")).await;
    assert_eq!(stale.status, 422);
    assert!(
        stale.body.contains("Somebody saved this campaign"),
        "{}",
        stale.body
    );

    let compared = browser.page("/campaigns/summer?from=1&to=2").await;
    assert!(compared.contains("<del>") && compared.contains("<ins>"));
    // A form that changes nothing leaves the file with its remark.
    let as_form = [
        ("view", "file"),
        ("source", edited.as_str()),
        ("do", "form"),
    ];
    let form = browser.post("/campaigns/summer/edit", &as_form).await;
    assert_eq!(form.status, 200, "{form:?}");
    assert_eq!(field(&form.body, "base"), edited);
    let other = edited.replace("summer", "autumn");
    let renamed = [
        ("view", "file"),
        ("source", other.as_str()),
        ("do", "check"),
    ];
    let renamed = browser.post("/campaigns/summer/edit", &renamed).await;
    assert!(renamed.status == 422 && renamed.body.contains("An id stays the same"));
    browser.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_is_tried_on_the_past() {
    let browser = Browser::owner().await;
    let bench = &browser.bench;
    bench.refer("ref_bo", "bo@invited.example").await;
    bench
        .customer("cus_bo", "bo@invited.example", "2026-03-02T10:00:00Z")
        .await;
    bench
        .payment("ch_1", "cus_bo", 4200, "2026-03-03T10:00:00Z")
        .await;

    let page = browser.page("/campaigns/spring/edit?view=file").await;
    let cheaper = area(&page, "source").replace("50.00", "40.00");
    let draft = [
        ("view", "file"),
        ("source", cheaper.as_str()),
        ("number", "1"),
        ("days", "90"),
        ("do", "try"),
    ];
    let place = browser.done("/campaigns/spring/edit", &draft).await;
    let id = place
        .split_once("backtest=")
        .unwrap()
        .1
        .trim_end_matches("#tried")
        .to_owned();
    let part = format!("/backtests/{id}");
    // Bounded: a backtest of one event is done at once, or never.
    let mut tried = browser.page(&part).await;
    for _ in 0..1_000 {
        if !tried.contains("hx-get") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
        tried = browser.page(&part).await;
    }
    let says = "1 would qualify: +1 against the rules in force, +30.00 USD.";
    assert!(tried.contains(says), "{tried}");
    assert!(
        tried.contains("/referrals/ref_bo"),
        "who newly qualifies is named: {tried}"
    );
    // The page itself has the draft and its result: no script is needed.
    let whole = browser.page(place.trim_end_matches("#tried")).await;
    assert!(whole.contains(says));
    assert_eq!(area(&whole, "source"), cheaper, "not a line more");
    assert_eq!(field(&whole, "number"), "1");
    browser.end().await;
}

/// A backtest that another node of the same database runs.
async fn of_another_node(browser: &Browser, id: &str) {
    let app = &browser.bench.server.app;
    let draft = json!({
        "campaign": "spring", "source": RULES.replace("50.00", "40.00"), "number": 1,
        "reason": "cheaper", "as_file": true,
    });
    let backtest = StoredBacktest {
        id: id.into(),
        node: "node_another".to_owned(),
        draft: draft.to_string(),
        days: Some(90),
        asked_at: app.clock.now(),
        standing: "\"judging\"".to_owned(),
        is_over: false,
        seen_at: app.clock.now(),
    };
    let mut tx = app.db.begin().await.unwrap();
    insert_backtest(&mut tx, &app.connection, &backtest, Timestamp::default())
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backtest_of_another_node_is_followed_stopped_and_found_ended() {
    let browser = Browser::owner().await;
    let bench = &browser.bench;
    of_another_node(&browser, "abc").await;
    let part = browser.page("/backtests/abc").await;
    assert!(
        part.contains("Judging every referral.") && part.contains("hx-get"),
        "{part}"
    );
    // The draft comes with it: nothing that was typed is lost.
    let whole = browser.page("/campaigns/spring/edit?backtest=abc").await;
    assert!(area(&whole, "source").contains("40.00"), "{whole}");
    let told = bench.get("/backtests/abc").await;
    assert_eq!(told.text("state").unwrap(), "judging", "{told:?}");

    let place = browser.done("/backtests/abc/stop", &[]).await;
    assert!(
        place.starts_with("/campaigns/spring/edit?backtest=abc"),
        "{place}"
    );
    let told = bench.get("/backtests/abc").await;
    assert_eq!(told.text("state").unwrap(), "stopped", "{told:?}");
    let again = bench.post("/backtests/abc/stop", json!({})).await;
    assert_eq!(again.text("code").unwrap(), "backtest_over", "{again:?}");

    // Without a sign of life for a while its process has ended.
    of_another_node(&browser, "def").await;
    bench.clock.advance(31);
    let part = browser.page("/backtests/def").await;
    assert!(!part.contains("hx-get"), "nothing more comes of it: {part}");
    assert!(part.contains("Try the draft again."), "{part}");
    let told = bench.get("/backtests/def").await;
    assert_eq!(told.text("state").unwrap(), "failed", "{told:?}");
    assert_eq!(bench.get("/backtests/xyz").await.status, 404);
    browser.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_of_a_backtest_outlives_the_memory_of_its_process() {
    let browser = Browser::owner().await;
    let bench = &browser.bench;
    let body = json!({ "source": RULES });
    let started = bench.post("/campaigns/spring/backtest", body).await;
    assert_eq!(started.status, 202, "{started:?}");
    let id = started.text("id").unwrap();
    let app = &bench.server.app;
    // Bounded: a backtest of nothing is done at once, or never.
    for _ in 0..1_000 {
        let mut tx = app.db.read().await.unwrap();
        let stored = get_backtest(&mut tx, &app.connection, &id.as_str().into())
            .await
            .unwrap();
        tx.rollback().await.unwrap();
        let stored = stored.unwrap();
        if stored.is_over {
            assert_eq!(stored.node, app.node.to_string());
            let told: Value = serde_json::from_str(&stored.standing).unwrap();
            assert_eq!(told["done"]["referrals"], 0, "{told}");
            browser.end().await;
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("it was not stored that it is done");
}
