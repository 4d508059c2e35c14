//! Every resource's answers that the story does not show.

use serde_json::json;

use crate::bench::{Bench, RULES, at, body};
use crate::shot;

#[tokio::test(flavor = "multi_thread")]
async fn promoters() {
    let bench = Bench::furnished().await;
    shot!("promoters", bench.get("/promoters").await);
    shot!(
        "promoters_by_email",
        bench.get("/promoters?email=BEN@promoters.example").await
    );
    let change = json!({ "name": "Ana Lima", "email": null, "coupons": ["ANA10", "ANA20"] });
    let changed = bench
        .ask("PATCH", "/promoters/prom_ana", &[], Some(change))
        .await;
    shot!("promoter_changed", changed);
    let suspended = bench
        .ask("POST", "/promoters/prom_ana/suspend", &[], None)
        .await;
    assert_eq!(body(&suspended)["suspended"], true);
    let read = body(&bench.get("/promoters/prom_ana").await);
    assert_eq!(read, body(&suspended));
    let lifted = bench.post("/promoters/prom_ana/unsuspend", json!({})).await;
    assert_eq!(body(&lifted)["suspended"], false);
    // Without an id the same promoter gets the same id, and is not made twice.
    let cleo = json!({ "name": "Cleo" });
    let made = bench.post("/promoters", cleo.clone()).await;
    assert_eq!(made.status, 201);
    let again = bench.post("/promoters", cleo).await;
    assert_eq!(
        (again.status, again.text("code").unwrap().as_str()),
        (409, "id_taken")
    );
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn campaigns() {
    let bench = Bench::start().await;
    let saved = bench.save_campaign().await;
    assert_eq!(saved.headers["etag"], "\"1\"");
    let read = bench.get("/campaigns/spring").await;
    assert_eq!(
        (&read.headers["etag"], body(&read)),
        (&saved.headers["etag"], body(&saved))
    );
    let body_of = |source: &str| json!({ "source": source, "reason": "more" });
    let put = async |condition: &[(&str, &str)], source: &str| {
        let body = Some(body_of(source));
        bench.ask("PUT", "/campaigns/spring", condition, body).await
    };
    let second = RULES.replace("50.00", "60.00");
    let changed = put(&[("if-match", "\"1\"")], &second).await;
    assert_eq!(
        (changed.status, changed.headers["etag"].as_str()),
        (200, "\"2\"")
    );
    let stale = put(&[("if-match", "\"1\"")], RULES).await;
    assert_eq!(
        (stale.status, stale.text("code").unwrap().as_str()),
        (412, "stale")
    );
    let not_new = put(&[("if-none-match", "*")], RULES).await;
    assert_eq!(not_new.status, 412);
    let unsaid = put(&[], RULES).await;
    assert_eq!(unsaid.status, 428);
    // The same rules again make no revision.
    let same = put(&[("if-match", "\"2\"")], &second).await;
    assert_eq!((same.status, same.headers["etag"].as_str()), (200, "\"2\""));
    shot!("campaigns", bench.get("/campaigns").await);
    shot!(
        "campaign_revisions",
        bench.get("/campaigns/spring/revisions").await
    );
    let older = bench
        .get("/campaigns/spring/revisions?starting_after=2")
        .await;
    assert_eq!(body(&older)["data"][0]["number"], 1);
    let wrong = RULES
        .replace("within_days", "within_dayz")
        .replace("50.00", "50.005");
    shot!(
        "campaign_refused",
        put(&[("if-match", "\"2\"")], &wrong).await
    );
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn referrals() {
    let bench = Bench::furnished().await;
    let first = bench.refer("ref_bo", "bo@invited.example").await;
    assert_eq!(first.status, 201);
    // The same promoter again: the referral that stands. Another one: refused, unnamed.
    let again = bench.refer("ref_other", "BO@invited.example").await;
    assert_eq!((again.status, body(&again)), (200, body(&first)));
    let body_of_ben = json!({
        "campaign": "spring", "promoter": "prom_ben", "email": "bo@invited.example",
    });
    let refused = bench.post("/referrals", body_of_ben).await;
    assert!(!refused.body.contains("ana"), "{refused:?}");
    shot!("referral_refused", refused);
    // One that a coupon made.
    bench
        .customer("cus_cy", "cy@invited.example", "2026-03-02T10:00:00Z")
        .await;
    let invoice = json!({
        "id": "in_1", "object": "invoice", "customer": "cus_cy", "currency": "usd",
        "status": "paid", "paid": true, "amount_paid": 9000, "amount_due": 9000, "total": 9000,
        "subtotal": 10000, "created": at("2026-03-05T10:00:00Z").unix(), "livemode": true,
        "status_transitions": { "paid_at": at("2026-03-05T10:00:00Z").unix() },
        "discount": { "id": "di_1", "object": "discount", "coupon": { "id": "BEN10", "object": "coupon" } },
        "lines": { "object": "list", "data": [], "has_more": false },
    });
    bench
        .event("evt_in_1", "invoice.paid", "2026-03-05T10:00:00Z", invoice)
        .await;
    let list = bench.get("/referrals?campaign=spring").await;
    assert_eq!(body(&list)["data"].as_array().unwrap().len(), 2);
    shot!("referrals", list);
    let coupon = bench.get("/referrals/coupon:spring:cus_cy").await;
    assert_eq!(body(&coupon)["promoter"], "prom_ben");
    assert_eq!(body(&coupon)["source"], "coupon");
    for (filter, count) in [
        ("promoter=prom_ben", 1),
        ("state=pending", 1),
        ("state=qualified", 1),
        ("state=review", 0),
        ("campaign=other", 0),
    ] {
        let list = body(&bench.get(&format!("/referrals?{filter}")).await);
        assert_eq!(list["data"].as_array().unwrap().len(), count, "{filter}");
    }
    let queue = bench.get("/qualifications?state=queued").await;
    let id = body(&queue)["data"][0]["id"].as_str().unwrap().to_owned();
    shot!("qualifications", queue);
    shot!(
        "qualification",
        bench.get(&format!("/qualifications/{id}")).await
    );
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_and_accounts() {
    let bench = Bench::furnished().await;
    bench
        .customer("cus_bo", "bo@invited.example", "2026-03-02T10:00:00Z")
        .await;
    bench
        .payment("ch_1", "cus_bo", 5000, "2026-03-03T10:00:00Z")
        .await;
    bench.refer("ref_bo", "bo@invited.example").await;
    bench.clock.set(at("2026-03-17T10:00:00Z"));
    bench.catch_up().await;
    let run = bench.post("/batches/run", json!({})).await;
    let id = body(&run)["batch"]["id"].as_str().unwrap().to_owned();
    shot!("batches", bench.get("/batches").await);
    shot!(
        "batch_items",
        bench.get(&format!("/batches/{id}/items")).await
    );
    shot!("batch_next", bench.get("/batches/next").await);
    assert_eq!(
        body(&bench.get(&format!("/batches/{id}")).await),
        body(&run)["batch"]
    );
    shot!("ledger_accounts", bench.get("/ledger/accounts").await);
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_and_near_misses() {
    let bench = Bench::furnished().await;
    bench.refer("ref_bo", "bo@invited.example").await;
    bench
        .customer("cus_bo", "bo@invited.example", "2026-03-02T10:00:00Z")
        .await;
    bench
        .event("evt_odd", "x.y", "2026-03-03T10:00:00Z", json!({}))
        .await;
    let ignored = bench.get("/events?state=ignored").await;
    shot!("events", ignored);
    let replayed = bench.post("/events/evt_odd/replay", json!({})).await;
    assert_eq!(
        (replayed.status, body(&replayed)["state"].as_str()),
        (202, Some("received"))
    );
    bench.catch_up().await;
    let read = body(&bench.get("/events/evt_odd").await);
    assert_eq!(read["state"], "ignored");
    // Paid an hour before the referral.
    bench
        .payment("ch_1", "cus_bo", 5000, "2026-03-01T08:00:00Z")
        .await;
    let near = bench.get("/near-misses").await;
    assert_eq!(body(&near)["data"][0]["kind"], "just_outside_window");
    shot!("near_misses", near);
    bench.end().await;
}
