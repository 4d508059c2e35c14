//! The campaign editor: form and file are one draft, saving is guarded, the past is tried.

use std::time::Duration;

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
