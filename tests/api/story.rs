//! What the product is for, through the API alone: campaign, promoter and referral are
//! created, Stripe reports, the referral qualifies, a batch settles it, once.

use serde_json::json;

use crate::bench::{Bench, at, body};
use crate::shot;

#[tokio::test(flavor = "multi_thread")]
async fn from_a_campaign_to_a_settled_statement() {
    let bench = Bench::start().await;
    shot!("story_1_campaign", bench.save_campaign().await);
    let ana = json!({ "id": "prom_ana", "name": "Ana", "email": "Ana@Promoters.example" });
    shot!("story_2_promoter", bench.post("/promoters", ana).await);
    let referral = bench.refer("ref_bo", "bo@invited.example").await;
    shot!("story_3_referral", referral);

    bench
        .customer("cus_bo", "Bo@invited.example", "2026-03-02T10:00:00Z")
        .await;
    bench
        .payment("ch_1", "cus_bo", 3000, "2026-03-03T10:00:00Z")
        .await;
    let early = body(&bench.get("/referrals/ref_bo").await);
    assert_eq!(early["state"], "pending");
    assert_eq!(early["reason"]["code"], "below_threshold");
    bench
        .payment("ch_2", "cus_bo", 2200, "2026-03-04T10:00:00Z")
        .await;
    let explained = bench.get("/referrals/ref_bo/explanation").await;
    assert_eq!(body(&explained)["verdict"]["verdict"], "qualified");
    shot!("story_4_qualified", explained);

    // Held for fourteen days.
    let run = body(&bench.post("/batches/run", json!({})).await);
    assert_eq!(run, json!({ "batch": null, "nothing_due": true }));

    bench.clock.set(at("2026-03-18T10:00:00Z"));
    bench.catch_up().await;
    shot!(
        "story_5_preview",
        bench.post("/batches/preview", json!({})).await
    );
    let run = bench.post("/batches/run", json!({})).await;
    assert_eq!(body(&run)["batch"]["settled"], 1);
    shot!("story_6_batch", run);
    let statement = bench.get("/ledger/statement?promoter=prom_ana").await;
    assert_eq!(body(&statement)["data"].as_array().unwrap().len(), 1);
    shot!("story_7_statement", statement);
    shot!(
        "story_8_settled",
        bench.get("/referrals/ref_bo/explanation").await
    );

    // Again, now and an hour later: nothing is settled twice.
    for seconds in [0, 1, 3600] {
        bench.clock.advance(seconds);
        let again = body(&bench.post("/batches/run", json!({})).await);
        assert_eq!(again["nothing_due"], true);
    }
    let accounts = bench.get("/ledger/accounts?promoter=prom_ana").await;
    shot!("story_9_balance", accounts);
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_came_before_the_referral_counts() {
    let bench = Bench::furnished().await;
    bench
        .customer("cus_bo", "bo@invited.example", "2026-03-02T10:00:00Z")
        .await;
    bench
        .payment("ch_1", "cus_bo", 5000, "2026-03-03T10:00:00Z")
        .await;
    let referral = bench.refer("ref_bo", "bo@invited.example").await;
    assert_eq!(referral.status, 201);
    assert_eq!(body(&referral)["state"], "qualified");
    bench.end().await;
}
