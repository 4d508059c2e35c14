//! Coming in, going out, and what is shown to whom.

use crate::browser::{Browser, EMAIL, PASSWORD};

#[tokio::test(flavor = "multi_thread")]
async fn the_setup_link_makes_the_first_owner_and_works_once() {
    let browser = Browser::outside().await;
    let link = browser.setup_link().await;
    let path = &link[link.find("/link").unwrap()..];
    // A mail scanner looks; that uses nothing up.
    for _ in 0..3 {
        let page = browser.page(path).await;
        assert!(page.contains("Make the account"), "{page}");
    }
    let token = path.split_once("token=").unwrap().1;
    let short = [
        ("token", token),
        ("email", EMAIL),
        ("name", "Mara"),
        ("password", "x"),
    ];
    let refused = browser.post("/link", &short).await;
    assert_eq!(refused.status, 422);
    assert!(refused.body.contains("There is a problem") && refused.body.contains("#password"));
    let form = [
        ("token", token),
        ("email", EMAIL),
        ("name", "Mara"),
        ("password", PASSWORD),
    ];
    assert_eq!(browser.done("/link", &form).await, "/");
    let page = browser.page("/").await;
    assert!(page.contains("<h1>Dashboard</h1>") && page.contains(EMAIL));
    let gone = browser.post("/link", &form).await;
    assert_eq!(gone.status, 410);
    assert!(gone.body.contains("<h1>"), "a page: {gone:?}");
    browser.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_not_signed_in_signs_in_and_comes_back() {
    let browser = Browser::owner().await;
    assert_eq!(browser.done("/sign-out", &[]).await, "/sign-in");
    let page = browser.page("/sign-in").await;
    assert!(page.contains("You are signed out."), "{page}");
    browser.forget_cookies();

    let wanted = browser.get("/referrals?state=pending").await;
    assert_eq!(wanted.status, 303);
    let place = &wanted.headers["location"];
    assert_eq!(place, "/sign-in?next=%2Freferrals%3Fstate%3Dpending");
    let next = ("next", "/referrals?state=pending");
    let wrong = [("email", EMAIL), ("password", "wrong"), next];
    let refused = browser.post("/sign-in", &wrong).await;
    assert_eq!(refused.status, 422);
    assert!(
        refused
            .body
            .contains("The email or the password is not right")
    );
    assert!(!refused.body.contains("value=\"wrong\""));
    let right = [("email", EMAIL), ("password", PASSWORD), next];
    assert_eq!(
        browser.done("/sign-in", &right).await,
        "/referrals?state=pending"
    );
    browser.page("/referrals?state=pending").await;

    let elsewhere = [
        ("email", EMAIL),
        ("password", PASSWORD),
        ("next", "//evil.example"),
    ];
    browser.forget_cookies();
    assert_eq!(browser.done("/sign-in", &elsewhere).await, "/");
    let mailed = [("email", "nobody@example.com"), ("do", "link")];
    let sent = browser.post("/sign-in", &mailed).await;
    assert!(sent.status == 200 && sent.body.contains("If there is an account"));
    browser.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_of_an_empty_connection_says_what_to_do() {
    let browser = Browser::owner().await;
    for (path, says) in [
        ("/", "No referrals yet"),
        ("/campaigns", "Spring: spend $50 in 30 days"),
        ("/campaigns/spring", "Rules in force"),
        ("/campaigns/spring/edit", "Try it on the past"),
        ("/new-campaign", "Begin with the sample"),
        ("/new-campaign?sample=tokyo-2026", "Save as a new revision"),
        ("/referrals", "No referrals yet"),
        ("/referrals?q=nobody@example.com", "Nothing found"),
        ("/promoters", "Ana"),
        ("/promoters/prom_ana", "No referrals yet"),
        ("/promoters/prom_ana/edit", "ANA10"),
        ("/promoters/prom_ana/suspend", "Suspend Ana?"),
        ("/new-promoter", "Coupon ids"),
        ("/new-referral?promoter=prom_ana", "prom_ana"),
        ("/reports", "No rewards"),
        ("/account", "this one"),
    ] {
        let answer = browser.says(path, says).await;
        assert_eq!(answer.headers["cache-control"], "no-store", "{path}");
        let policy = &answer.headers["content-security-policy"];
        assert!(
            policy.contains("default-src 'none'") && !policy.contains("unsafe"),
            "{policy}"
        );
    }
    browser.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_went_wrong_is_a_page_for_people_and_a_problem_for_machines() {
    let browser = Browser::owner().await;
    for (path, says) in [
        ("/campaigns/nothing", "There is no campaign of this id."),
        ("/referrals/ref_none", "There is no referral of this id."),
        ("/promoters/prom_none", "There is no promoter of this id."),
        ("/backtests/x", "There is no backtest of this id."),
    ] {
        let answer = browser.get(path).await;
        assert_eq!(answer.status, 404, "{path}");
        assert!(
            answer.body.contains("<h1>Not found</h1>"),
            "{}",
            answer.body
        );
        assert!(
            answer.body.contains(says) && answer.body.contains("Dashboard"),
            "{path}"
        );
    }
    let nowhere = browser.get("/nowhere/at/all").await;
    assert_eq!(nowhere.status, 404);
    assert!(nowhere.body.contains("There is nothing at this address."));
    let machine = browser.bench.get("/nowhere").await;
    assert_eq!(machine.status, 404);
    assert!(machine.body.starts_with('{'), "{machine:?}");
    browser.end().await;
}
