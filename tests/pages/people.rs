//! Promoters and referrals by hand, their pages and their downloads.

use serde_json::json;

use crate::browser::{Browser, field};
use crate::tracking::share;

#[tokio::test(flavor = "multi_thread")]
async fn a_referral_is_registered_and_explained() {
    let browser = Browser::owner().await;
    let bench = &browser.bench;
    bench
        .customer("cus_bo", "bo@invited.example", "2026-03-02T10:00:00Z")
        .await;
    bench
        .payment("ch_1", "cus_bo", 3760, "2026-03-03T10:00:00Z")
        .await;
    let nobody = [
        ("campaign", "spring"),
        ("promoter", "zoe"),
        ("email", "bo@invited.example"),
    ];
    let refused = browser.post("/new-referral", &nobody).await;
    assert_eq!(refused.status, 422);
    assert!(refused.body.contains("No promoter has this") && refused.body.contains("#promoter"));
    assert_eq!(field(&refused.body, "email"), "bo@invited.example");
    let form = [
        ("campaign", "spring"),
        // By email, as people know them.
        ("promoter", "ana@promoters.example"),
        ("email", "Bo@Invited.example"),
        ("referred_at", "2026-03-01"),
    ];
    let place = browser.done("/new-referral", &form).await;
    let page = browser.page(&place).await;
    assert!(page.contains("Referral registered."));
    assert!(
        page.contains("Pending: 12.40 USD more before 2026-03-31 00:00 UTC"),
        "{page}"
    );
    assert!(page.contains("37.60 USD of 50.00 USD") && page.contains("<progress"));
    assert!(
        !browser.page(&place).await.contains("Referral registered."),
        "said once"
    );
    assert_eq!(browser.done("/new-referral", &form).await, place);

    for query in ["bo@invited.example", "cus_bo"] {
        let found = browser.page(&format!("/referrals?q={query}")).await;
        assert!(
            found.contains("bo@invited.example") && found.contains("Pending"),
            "{query}"
        );
    }
    let near = browser.page("/referrals?q=bo@invited.exampl").await;
    assert!(
        near.contains("Almost that") && near.contains("bo@invited.example"),
        "{near}"
    );
    let rejected = browser.page("/referrals?state=rejected").await;
    assert!(rejected.contains("Nothing found"));
    let dashboard = browser.page("/").await;
    assert!(dashboard.contains("1 pending"), "{dashboard}");
    browser.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promoter_is_added_changed_and_suspended() {
    let browser = Browser::owner().await;
    let wrong = [("name", "Zoe"), ("email", "zoe(at)x"), ("coupons", "ANA10")];
    let refused = browser.post("/new-promoter", &wrong).await;
    assert_eq!(refused.status, 422);
    assert!(refused.body.contains("href=\"#email\""), "{}", refused.body);
    let form = [
        ("id", "prom zoe/1"),
        ("name", "=cmd()"),
        ("email", "zoe@x.example"),
        ("coupons", "ZOE10\r\nZOE20\r\n"),
    ];
    let place = browser.done("/new-promoter", &form).await;
    let page = browser.page(&place).await;
    assert!(
        page.contains("ZOE10, ZOE20") && page.contains("Promoter added."),
        "{page}"
    );
    let csv = browser.get("/promoters.csv").await;
    assert_eq!(csv.headers["content-type"], "text/csv; charset=utf-8");
    assert!(csv.headers["content-disposition"].contains("promoters.csv"));
    assert!(csv.body.contains(",'=cmd(),zoe@x.example,"), "{}", csv.body);

    let changed = [("name", "Zoe"), ("email", ""), ("coupons", "ZOE10")];
    assert_eq!(
        browser.done(&format!("{place}/edit"), &changed).await,
        place
    );
    let page = browser.page(&place).await;
    assert!(page.contains("<h1>Zoe</h1>") && !page.contains("ZOE20") && !page.contains("zoe@x"));
    let ask = browser.page(&format!("{place}/suspend")).await;
    let value = field(&ask, "suspended");
    let suspended = browser
        .done(&format!("{place}/suspend"), &[("suspended", &value)])
        .await;
    assert!(browser.page(&suspended).await.contains("Suspended"));
    browser.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_have_pages_and_downloads_have_everything() {
    let browser = Browser::owner().await;
    for number in 0..60 {
        let id = format!("ref_{number:03}");
        let answer = browser
            .bench
            .refer(&id, &format!("p{number}@invited.example"))
            .await;
        assert_eq!(answer.status, 201);
    }
    let first = browser.page("/referrals?campaign=spring").await;
    assert!(first.contains("/referrals/ref_049") && !first.contains("/referrals/ref_050"));
    let next = first.split_once("rel=\"next\" href=\"").unwrap().1;
    let next = next[..next.find('"').unwrap()].replace("&#38;", "&");
    assert!(next.contains("campaign=spring"), "the filter stays: {next}");
    let second = browser.page(&next).await;
    assert!(second.contains("/referrals/ref_059") && second.contains("First page"));
    let csv = browser.get("/referrals.csv?campaign=spring").await.body;
    assert_eq!(csv.matches("@invited.example").count(), 60, "{csv}");
    assert!(
        csv.contains("ref_000,spring,prom_ana,Ana,p0@invited.example,"),
        "{csv}"
    );
    let rewards = browser.get("/reports.csv").await.body;
    assert!(
        rewards.contains("promoter,promoter_name,campaign,to,currency"),
        "{rewards}"
    );
    browser.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_is_taken_is_said_at_its_field_and_one_that_is_shared_on_the_page() {
    let browser = Browser::owner().await;
    let bench = &browser.bench;
    let code = Some(json!({ "code": "GLOW" }));
    let given = bench.ask("PATCH", "/promoters/prom_ana", &[], code).await;
    assert_eq!(given.status, 200, "{given:?}");
    let page = browser.page("/promoters/prom_ana").await;
    assert!(
        page.contains("leads nowhere yet: no campaign has a landing page"),
        "{page}"
    );
    assert!(page.contains("nobody is invited"), "{page}");
    for (place, name) in [("/promoters/prom_ben/edit", "Ben"), ("/new-promoter", "Cy")] {
        let form = [("name", name), ("code", "GLOW")];
        let refused = browser.post(place, &form).await;
        assert_eq!(refused.status, 422, "{refused:?}");
        for says in ["href=\"#code\"", "is in the link of Ana (prom_ana)"] {
            assert!(
                refused.body.contains(says),
                "{place} {says}: {}",
                refused.body
            );
        }
        assert_eq!(field(&refused.body, "code"), "GLOW", "what was typed stays");
    }
    share(bench, "prom_ben", "GLOW").await;
    let page = browser.page("/promoters/prom_ana").await;
    assert!(page.contains("Their link is nobody’s."), "{page}");
    assert!(
        page.contains("Ben (prom_ben) has the code GLOW too"),
        "{page}"
    );
    browser.end().await;
}
