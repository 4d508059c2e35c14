//! Giving a referral to another promoter: what moves, what stays, and whom a refund hits later.

use serde_json::{Value, json};

use crate::bench::{Bench, at, body};

const PROMOTER: &str = "prom_ana";

/// A referral of Ana's that has earned its reward by 4 March.
async fn earned() -> Bench {
    let bench = Bench::furnished().await;
    bench.refer("ref_bo", "bo@invited.example").await;
    bench
        .customer("cus_bo", "bo@invited.example", "2026-03-02T10:00:00Z")
        .await;
    bench
        .payment("ch_bo", "cus_bo", 5_000, "2026-03-04T10:00:00Z")
        .await;
    bench
}

async fn give(bench: &Bench, to: &str) -> crate::client::Answer {
    let wanted = json!({ "promoter": to, "reason": "they brought them" });
    let answer = bench.post("/referrals/ref_bo/reassign", wanted).await;
    bench.catch_up().await;
    answer
}

async fn settle(bench: &Bench) -> Value {
    bench.clock.set(at("2026-03-20T09:00:00Z"));
    bench.catch_up().await;
    run(bench).await
}

/// Runs a batch a minute later: at the same instant it would be the same one.
async fn run(bench: &Bench) -> Value {
    bench.clock.advance(60);
    let ran = bench.post("/batches/run", json!({})).await;
    assert_eq!(ran.status, 200, "{ran:?}");
    body(&ran)
}

/// What a promoter's account has, in minor units.
async fn balance(bench: &Bench, promoter: &str) -> i64 {
    let accounts = body(&bench.get("/ledger/accounts?limit=100").await);
    let rows = accounts["data"].as_array().unwrap();
    let name = format!("promoter:{promoter}");
    let mine = rows.iter().find(|row| row["id"] == name.as_str());
    mine.map_or(0, |row| {
        row["balances"][0]["amount_minor"].as_i64().unwrap()
    })
}

async fn refund(bench: &Bench) {
    let object = json!({
        "id": "ch_bo", "object": "charge", "customer": "cus_bo", "amount": 5_000,
        "amount_captured": 5_000, "amount_refunded": 5_000, "captured": true, "paid": true,
        "status": "succeeded", "currency": "usd", "created": at("2026-03-04T10:00:00Z").unix(),
        "livemode": true, "refunded": true, "invoice": null, "payment_intent": null,
    });
    bench
        .event(
            "evt_refund",
            "charge.refunded",
            "2026-03-20T10:00:00Z",
            object,
        )
        .await;
}

async fn verify(bench: &Bench) {
    let app = &bench.server.app;
    let scope = qualify::ingest::read::Scope {
        account: None,
        mode: app.config.stripe.mode,
    };
    let now = qualify::clock::Clock::now(bench.clock.as_ref());
    let report = qualify::verify::verify(&app.db, &app.connection, &scope, now).await;
    let report = report.unwrap();
    assert!(report.is_ok(), "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_queued_goes_along() {
    let bench = earned().await;
    let answer = give(&bench, "prom_ben").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let given = body(&answer);
    assert_eq!(
        (&given["from"], &given["to"]),
        (&json!(PROMOTER), &json!("prom_ben"))
    );
    assert_eq!(given["moved"][0]["promoter"], "prom_ben", "{given}");
    assert_eq!(given["moved"][0]["state"], "queued");
    assert_eq!(given["stayed"], json!([]));
    assert_eq!(
        body(&bench.get("/referrals/ref_bo").await)["promoter"],
        "prom_ben"
    );
    verify(&bench).await;
    settle(&bench).await;
    assert_eq!(balance(&bench, "prom_ben").await, 2_000);
    assert_eq!(balance(&bench, PROMOTER).await, 0);
    verify(&bench).await;
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_settled_stays_and_a_refund_hits_whom_it_was_settled_for() {
    let bench = earned().await;
    settle(&bench).await;
    assert_eq!(balance(&bench, PROMOTER).await, 2_000);
    let given = body(&give(&bench, "prom_ben").await);
    assert_eq!(given["moved"], json!([]), "{given}");
    assert_eq!(given["stayed"][0]["promoter"], PROMOTER);
    // Nothing about Ben touches Ana's money.
    let suspended = bench.post("/promoters/prom_ben/suspend", json!({})).await;
    assert_eq!(suspended.status, 200);
    bench.catch_up().await;
    assert_eq!(run(&bench).await["nothing_due"], true);
    assert_eq!(balance(&bench, PROMOTER).await, 2_000);
    verify(&bench).await;

    refund(&bench).await;
    let ran = run(&bench).await;
    assert_eq!(ran["batch"]["reversed"], 1, "{ran}");
    assert_eq!(balance(&bench, PROMOTER).await, 0);
    assert_eq!(balance(&bench, "prom_ben").await, 0);
    verify(&bench).await;
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_promoters_referral_earns_for_another() {
    let bench = earned().await;
    bench.post("/promoters/prom_ana/suspend", json!({})).await;
    bench.catch_up().await;
    let before = body(&bench.get("/referrals/ref_bo").await);
    assert_eq!(before["state"], "rejected", "{before}");
    let given = body(&give(&bench, "prom_ben").await);
    assert!(
        given["sentence"].as_str().unwrap().starts_with("Qualified"),
        "{given}"
    );
    settle(&bench).await;
    assert_eq!(balance(&bench, "prom_ben").await, 2_000);
    // Back to the suspended one: the money stays with Ben.
    assert_eq!(give(&bench, PROMOTER).await.status, 200);
    run(&bench).await;
    assert_eq!(balance(&bench, "prom_ben").await, 2_000);
    verify(&bench).await;
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_can_be_given_back_before_it_is_settled() {
    let bench = earned().await;
    bench.post("/promoters/prom_ben/suspend", json!({})).await;
    let given = body(&give(&bench, "prom_ben").await);
    assert!(
        given["sentence"].as_str().unwrap().contains("suspended"),
        "{given}"
    );
    assert_eq!(given["moved"][0]["state"], "withdrawn", "{given}");
    assert_eq!(give(&bench, PROMOTER).await.status, 200);
    settle(&bench).await;
    assert_eq!(balance(&bench, PROMOTER).await, 2_000);
    assert_eq!(balance(&bench, "prom_ben").await, 0);
    let log = body(&bench.get("/audit?action=referral.reassigned").await);
    let rows = log["data"].as_array().unwrap();
    assert_eq!(rows.len(), 2, "{log}");
    assert_eq!(rows[1]["detail"]["before"], PROMOTER);
    assert_eq!(rows[1]["detail"]["reason"], "they brought them");
    verify(&bench).await;
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_given_away_is_refused() {
    let bench = earned().await;
    bench
        .customer("cus_cy", "cy@invited.example", "2026-03-02T10:00:00Z")
        .await;
    for (path, wanted, status, code) in [
        (
            "ref_bo",
            json!({ "promoter": "prom_ben", "reason": " " }),
            422,
            "reason_missing",
        ),
        (
            "ref_bo",
            json!({ "promoter": "prom_ben", "reason": "x".repeat(501) }),
            422,
            "reason_invalid",
        ),
        (
            "ref_bo",
            json!({ "promoter": "prom_zoe", "reason": "why" }),
            422,
            "promoter_unknown",
        ),
        (
            "ref_bo",
            json!({ "promoter": PROMOTER, "reason": "why" }),
            422,
            "nothing_to_change",
        ),
        (
            "ref_bo",
            json!({ "promoter": "prom_ben" }),
            422,
            "field_missing",
        ),
        (
            "ref_no",
            json!({ "promoter": "prom_ben", "reason": "why" }),
            404,
            "not_found",
        ),
        (
            "coupon:spring:cus_cy",
            json!({ "promoter": "prom_ben", "reason": "why" }),
            409,
            "coupon_referral",
        ),
    ] {
        let answer = bench
            .post(&format!("/referrals/{path}/reassign"), wanted.clone())
            .await;
        assert_eq!(answer.status, status, "{path} {wanted}: {answer:?}");
        assert_eq!(body(&answer)["code"], code, "{path} {wanted}");
    }
    let key = bench.make_key("writer", &["referrals:write"], 31).await;
    let bearer = format!("Bearer {key}");
    let mine = [("authorization", bearer.as_str())];
    let wanted = json!({ "promoter": "prom_ben", "reason": "why" });
    let path = "/referrals/ref_bo/reassign";
    assert_eq!(
        bench.ask("POST", path, &mine, Some(wanted)).await.status,
        403
    );
    assert_eq!(
        body(&bench.get("/referrals/ref_bo").await)["promoter"],
        PROMOTER
    );
    let log = body(&bench.get("/audit?action=referral.reassigned").await);
    assert_eq!(log["data"], json!([]), "nothing was done");
    bench.end().await;
}
