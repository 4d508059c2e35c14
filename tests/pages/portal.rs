//! The portal from the outside: a promoter comes by an invitation, and sees their own things.

use qualify::access::users::Invitation;
use qualify::domain::access::{By, Role};
use qualify::domain::ledger::Account;
use qualify::settle::schedule::run_now;
use qualify::store::ledger::balances;
use serde_json::json;

use crate::bench::{Bench, RULES};
use crate::browser::Browser;
use crate::tracking::share;

/// Somebody of that role with a browser of their own, on the same server.
async fn promoter(browser: &Browser, promoter: &str, email: &str) {
    let invitation = Invitation {
        email: email.to_owned(),
        name: String::new(),
        role: Role::Promoter,
        promoter: Some(promoter.into()),
    };
    let access = &browser.bench.server.app.access;
    let (_, link) = access.add(&invitation, &By::command_line()).await.unwrap();
    let token = link.split_once("token=").unwrap().1;
    browser.forget_cookies();
    // The first page after the link is the portal.
    assert_eq!(browser.done("/link", &[("token", token)]).await, "/");
    let first = browser.get("/").await;
    assert_eq!(first.headers["location"], "/portal");
}

async fn with_code(bench: &Bench, promoter: &str, code: &str) {
    let path = format!("/promoters/{promoter}");
    let body = Some(json!({ "code": code }));
    assert_eq!(bench.ask("PATCH", &path, &[], body).await.status, 200);
}

async fn settle(bench: &Bench) {
    let app = &bench.server.app;
    let clock = bench.clock.as_ref();
    run_now(&app.db, &app.connection, &app.node, clock)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promoter_sees_where_their_own_referrals_are_and_nobody_elses() {
    let browser = Browser::outside().await;
    let bench = &browser.bench;
    bench.refer("ref_1", "bo@invited.example").await;
    let other = json!({
        "id": "ref_b", "campaign": "spring", "promoter": "prom_ben",
        "email": "zed@canary.example", "referred_at": "2026-03-01T09:00:00Z",
    });
    assert_eq!(bench.post("/referrals", other).await.status, 201);
    let of_march = "2026-03-03T10:00:00Z";
    bench
        .customer("cus_bo", "bo@invited.example", of_march)
        .await;
    bench.payment("ch_1", "cus_bo", 3760, of_march).await;
    with_code(bench, "prom_ana", "ANA 10").await;
    with_code(bench, "prom_ben", "BENCANARY").await;
    let link = json!({ "landing_page": "https://shop.example/welcome" });
    let put = bench.ask("PUT", "/campaigns/spring/link", &[], Some(link));
    assert_eq!(put.await.status, 200);

    promoter(&browser, "prom_ana", "ana@promoters.example").await;
    let page = browser.page("/portal").await;
    for says in [
        "b***@i***.example",
        "Spring: spend $50 in 30 days",
        "12.40 USD more before 2026-03-31 09:00 UTC.",
        "37.60 of 50.00 USD",
        "<progress",
        "20 days left",
        "/r/ANA%2010\" readonly",
        "ANA10",
    ] {
        assert!(page.contains(says), "not there: {says}\n{page}");
    }
    for hidden in [
        "bo@invited",
        "cus_bo",
        "ref_1",
        "BENCANARY",
        "BEN10",
        "canary.example",
    ] {
        assert!(!page.contains(hidden), "{hidden}\n{page}");
    }
    for closed in [
        "/promoters/prom_ana",
        "/referrals/ref_1",
        "/referrals.csv",
        "/campaigns",
    ] {
        assert_eq!(browser.get(closed).await.status, 403, "{closed}");
    }
    let rewards = browser.page("/portal/rewards").await;
    assert!(rewards.contains("No rewards yet") && rewards.contains("nothing settled yet"));
    browser.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rewards_come_settle_and_go_and_the_statement_sums_to_the_ledger() {
    let browser = Browser::outside().await;
    let bench = &browser.bench;
    bench.refer("ref_1", "=cmd@invited.example").await;
    bench.refer("ref_2", "pia@invited.example").await;
    let of_march = "2026-03-03T10:00:00Z";
    for (customer, email) in [
        ("cus_1", "=cmd@invited.example"),
        ("cus_2", "pia@invited.example"),
    ] {
        bench.customer(customer, email, of_march).await;
        bench
            .payment(&format!("ch_{customer}"), customer, 6000, of_march)
            .await;
    }
    promoter(&browser, "prom_ana", "ana@promoters.example").await;
    let page = browser.page("/portal/rewards").await;
    assert!(
        page.contains("Pending") && page.contains("20.00 USD"),
        "{page}"
    );
    // Held for 14 days; batches run on the first day of a year here.
    assert!(page.contains("Due with the batch of") && page.contains("2027-01-01 00:00 UTC"));

    bench.clock.set(crate::bench::at("2026-03-20T12:00:00Z"));
    settle(bench).await;
    let refund = json!({
        "id": "ch_cus_2", "object": "charge", "customer": "cus_2", "amount": 6000,
        "amount_captured": 6000, "amount_refunded": 6000, "captured": true, "paid": true,
        "status": "succeeded", "currency": "usd", "livemode": true, "refunded": true,
        "created": crate::bench::at(of_march).unix(), "invoice": null, "payment_intent": null,
    });
    bench
        .event(
            "evt_refund",
            "charge.refunded",
            "2026-03-20T13:00:00Z",
            refund,
        )
        .await;
    bench.clock.set(crate::bench::at("2026-03-20T14:00:00Z"));
    settle(bench).await;

    // The session has outlived those days, or a new link would be needed.
    let page = browser.page("/portal/rewards").await;
    assert!(
        page.contains("Settled") && page.contains("Reversed"),
        "{page}"
    );
    assert!(page.contains("until money was refunded"), "{page}");
    let referrals = browser.page("/portal").await;
    assert!(referrals.contains("20.00 USD earned."), "{referrals}");

    let csv = browser.get("/portal/statement.csv").await;
    assert_eq!(csv.headers["content-type"], "text/csv; charset=utf-8");
    // The body comes in chunks, whose lengths the client leaves in between.
    let is_row = |line: &&str| line.starts_with("2026-");
    let lines: Vec<&str> = csv.body.lines().filter(is_row).collect();
    assert_eq!(lines.len(), 3, "{}", csv.body);
    assert!(
        csv.body.contains(",'=***@i***.example,"),
        "no formula: {}",
        csv.body
    );
    assert!(
        !csv.body.contains("cmd@") && !csv.body.contains("pia"),
        "{}",
        csv.body
    );
    let minor = |line: &&str| -> i64 {
        let amount = line.split(',').nth(4).unwrap();
        amount.replace('.', "").parse().unwrap()
    };
    let sum: i64 = lines.iter().map(minor).sum();
    let app = &bench.server.app;
    let mut tx = app.db.read().await.unwrap();
    let account = Account::Promoter("prom_ana".into());
    let ledger = balances(&mut tx, &app.connection, &[account])
        .await
        .unwrap();
    assert_eq!(ledger.values().copied().collect::<Vec<_>>(), [sum]);
    assert_eq!(sum, 2000);
    tx.rollback().await.unwrap();
    browser.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_nothing_is_told_what_to_do_and_whoever_is_suspended_sees_it() {
    let browser = Browser::outside().await;
    let bench = &browser.bench;
    promoter(&browser, "prom_ana", "ana@promoters.example").await;
    let page = browser.page("/portal").await;
    assert!(page.contains("No referrals yet") && page.contains("Share your coupon."));
    assert!(page.contains("because you have no code"), "{page}");
    with_code(bench, "prom_ana", "ANA10").await;
    let page = browser.page("/portal").await;
    assert!(page.contains("Your link leads nowhere yet"), "{page}");

    bench.refer("ref_1", "bo@invited.example").await;
    let reason = json!({});
    let suspended = bench.post("/promoters/prom_ana/suspend", reason).await;
    assert_eq!(suspended.status, 200, "{suspended:?}");
    bench.catch_up().await;
    for path in ["/portal", "/portal/rewards"] {
        let page = browser.page(path).await;
        assert!(
            page.contains("Your account is suspended."),
            "{path}: {page}"
        );
    }
    let page = browser.page("/portal").await;
    assert!(
        page.contains("b***@i***.example"),
        "their history stays: {page}"
    );
    assert!(page.contains("Rejected"), "{page}");
    browser.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn long_lists_have_pages_without_ids_in_their_addresses() {
    let browser = Browser::outside().await;
    for number in 0..30 {
        let answer = browser
            .bench
            .refer(
                &format!("ref_{number:03}"),
                &format!("p{number}@invited.example"),
            )
            .await;
        assert_eq!(answer.status, 201);
    }
    promoter(&browser, "prom_ana", "ana@promoters.example").await;
    let first = browser.page("/portal").await;
    assert_eq!(first.matches("p***@i***.example").count(), 25);
    assert!(first.contains("href=\"/portal?page=2\"") && !first.contains("ref_"));
    let second = browser.page("/portal?page=2").await;
    assert_eq!(second.matches("p***@i***.example").count(), 5);
    assert!(second.contains("First page") && !second.contains("page=3"));
    for odd in ["0", "-1", "999999999999", "x"] {
        assert_eq!(
            browser.get(&format!("/portal?page={odd}")).await.status,
            200
        );
    }
    browser.end().await;
}

/// Somebody whom a promoter referred, who has paid enough.
async fn referred(bench: &Bench, number: u32) {
    let of_march = "2026-03-03T10:00:00Z";
    let (customer, email) = (
        format!("cus_{number}"),
        format!("p{number}@invited.example"),
    );
    bench.refer(&format!("ref_{number}"), &email).await;
    bench.customer(&customer, &email, of_march).await;
    bench
        .payment(&format!("ch_{number}"), &customer, 6000, of_march)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reward_that_waits_says_for_what() {
    let browser = Browser::outside().await;
    let bench = &browser.bench;
    let source = format!("{RULES}\n[limits]\nper_promoter_settled = 1\n");
    let limited = Some(json!({ "source": source, "reason": "one each" }));
    let saved = bench
        .ask(
            "PUT",
            "/campaigns/spring",
            &[("if-match", "\"1\"")],
            limited,
        )
        .await;
    assert_eq!(saved.status, 200, "{saved:?}");
    for number in 1..=3 {
        referred(bench, number).await;
    }
    promoter(&browser, "prom_ana", "ana@promoters.example").await;
    let page = browser.page("/portal/rewards").await;
    assert_eq!(page.matches("Due with the batch of").count(), 3, "{page}");
    let on_hold = |page: &str| page.matches("On hold").count();
    assert_eq!(on_hold(&page), 0);

    bench.clock.set(crate::bench::at("2026-03-20T12:00:00Z"));
    settle(bench).await;
    let page = browser.page("/portal/rewards").await;
    assert_eq!(
        (page.matches("Settled").count(), on_hold(&page)),
        (1, 2),
        "{page}"
    );
    let says = "you have as many rewards as it gives to one promoter. It is looked at again with \
                the batch of";
    assert_eq!(page.matches(says).count(), 2, "{page}");
    assert!(!page.contains("Due with"), "nothing is promised: {page}");

    // One of the two is disputed: it is not queued any more, and not gone either.
    let dispute = json!({
        "id": "dp_1", "object": "dispute", "charge": "ch_3", "payment_intent": null,
        "amount": 6000, "currency": "usd", "status": "needs_response", "livemode": true,
        "created": crate::bench::at("2026-03-20T13:00:00Z").unix(), "balance_transactions": [],
    });
    let open = "charge.dispute.created";
    bench
        .event("evt_dispute", open, "2026-03-20T13:00:00Z", dispute)
        .await;
    bench.catch_up().await;
    let page = browser.page("/portal/rewards").await;
    assert_eq!(on_hold(&page), 2, "{page}");
    assert!(
        page.contains("If the dispute is won, the reward is due again."),
        "{page}"
    );
    assert_eq!(page.matches(says).count(), 1, "{page}");

    let suspended = bench.post("/promoters/prom_ana/suspend", json!({})).await;
    assert_eq!(suspended.status, 200, "{suspended:?}");
    bench.catch_up().await;
    let page = browser.page("/portal/rewards").await;
    assert!(
        page.contains("not settled while your account is suspended"),
        "{page}"
    );
    browser.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_is_nobodys_is_not_handed_out() {
    let browser = Browser::outside().await;
    let bench = &browser.bench;
    with_code(bench, "prom_ana", "GLOW").await;
    let link = json!({ "landing_page": "https://shop.example/welcome" });
    let put = bench.ask("PUT", "/campaigns/spring/link", &[], Some(link));
    assert_eq!(put.await.status, 200);
    promoter(&browser, "prom_ana", "ana@promoters.example").await;
    assert!(browser.page("/portal").await.contains("/r/GLOW"));
    share(bench, "prom_ben", "GLOW").await;
    let page = browser.page("/portal").await;
    assert!(!page.contains("/r/GLOW"), "{page}");
    assert!(
        page.contains("somebody else was given the same code"),
        "{page}"
    );
    assert!(!page.contains("Ben"), "nobody is named: {page}");
    browser.end().await;
}
