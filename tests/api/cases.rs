//! The conflict desk: a case with its candidates, the preview of each choice, deciding, undoing.

use serde_json::{Value, json};

use crate::bench::{Bench, body};
use crate::shot;

/// Two customers with the invited person's email; one of them has paid enough.
async fn conflict() -> (Bench, String) {
    let bench = Bench::furnished().await;
    bench.refer("ref_bo", "bo@invited.example").await;
    bench
        .customer("cus_1", "bo@invited.example", "2026-03-02T10:00:00Z")
        .await;
    bench
        .customer("cus_2", "BO@invited.example", "2026-03-02T11:00:00Z")
        .await;
    bench
        .payment("ch_1", "cus_2", 6000, "2026-03-03T10:00:00Z")
        .await;
    let list = body(&bench.get("/cases").await);
    let id = list["data"][0]["id"].as_str().unwrap().to_owned();
    (bench, id)
}

fn customer(id: &str) -> Value {
    json!({ "choose": "customer", "customer": id })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_case_is_previewed_resolved_and_undone() {
    let (bench, id) = conflict().await;
    shot!("cases", bench.get("/cases").await);
    let open = bench.get(&format!("/cases/{id}")).await;
    let candidates = body(&open)["candidates"].clone();
    shot!("case_open", open);
    let path = format!("/cases/{id}/preview");
    let preview = bench
        .post(&path, json!({ "choice": customer("cus_2") }))
        .await;
    let money = body(&preview)["data"][0]["money"].clone();
    shot!("case_preview", preview);
    // A preview changes nothing.
    assert_eq!(
        body(&bench.get("/referrals/ref_bo").await)["state"],
        "review"
    );

    let decision = json!({ "choice": customer("cus_2"), "reason": "she wrote to us" });
    let resolved = bench.post(&format!("/cases/{id}/resolve"), decision).await;
    assert_eq!(
        body(&resolved)["candidates"],
        candidates,
        "they stay to be seen"
    );
    shot!("case_resolved", resolved);
    assert_eq!(
        body(&bench.get("/referrals/ref_bo").await)["state"],
        "qualified"
    );
    // What was told before is what came of it.
    let queued = body(&bench.get("/qualifications").await)["data"][0].clone();
    assert_eq!(money[0]["effect"], "queued", "{money}");
    for what in ["promoter", "rewards", "settle_after"] {
        assert!(!money[0][what].is_null(), "{what}: {money}");
        assert_eq!(money[0][what], queued[what], "{what}: {queued}");
    }

    bench.clock.advance(60);
    let undone = bench
        .post(
            &format!("/cases/{id}/undo"),
            json!({ "reason": "a mistake" }),
        )
        .await;
    assert_eq!(body(&undone)["state"], "open", "{undone:?}");
    assert_eq!(body(&undone)["decision"], Value::Null);
    assert_eq!(
        body(&bench.get("/referrals/ref_bo").await)["state"],
        "review"
    );
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_a_case_offers_is_taken() {
    let (bench, id) = conflict().await;
    for (choice, action) in [
        (customer("cus_3"), "preview"),
        (json!({ "choose": "link" }), "preview"),
        (
            json!({ "choose": "combine", "customer": "cus_1" }),
            "preview",
        ),
        (customer("cus_3"), "resolve"),
    ] {
        let mut sent = json!({ "choice": choice });
        if action == "resolve" {
            sent["reason"] = json!("why");
        }
        let refused = bench
            .post(&format!("/cases/{id}/{action}"), sent.clone())
            .await;
        assert_eq!(refused.status, 422, "{sent} {refused:?}");
        assert_eq!(refused.text("code").unwrap(), "choice_invalid");
    }
    let blank = json!({ "choice": customer("cus_1"), "reason": " " });
    let refused = bench.post(&format!("/cases/{id}/resolve"), blank).await;
    assert_eq!(refused.text("pointer").unwrap(), "/reason");
    let early = bench
        .post(&format!("/cases/{id}/undo"), json!({ "reason": "x" }))
        .await;
    assert_eq!(early.text("code").unwrap(), "case_not_resolved");
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_case_is_decided_once() {
    let (bench, id) = conflict().await;
    let path = format!("/cases/{id}/resolve");
    let decision = json!({ "choice": customer("cus_2"), "reason": "she wrote to us" });
    assert_eq!(bench.post(&path, decision).await.status, 200);
    let other = json!({ "choice": customer("cus_1"), "reason": "no, hers" });
    let refused = bench.post(&path, other).await;
    assert_eq!(refused.status, 409, "{refused:?}");
    assert_eq!(refused.text("code").unwrap(), "case_resolved");
    let open = bench.get("/cases?kind=duplicate_customers").await;
    assert_eq!(body(&open)["data"], json!([]));
    let resolved = bench
        .get("/cases?state=resolved&kind=duplicate_customers")
        .await;
    assert_eq!(body(&resolved)["data"][0]["id"], json!(id));
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_near_miss_is_answered() {
    let bench = Bench::furnished().await;
    for (referral, customer) in [("ref_bo", "cus_1"), ("ref_cy", "cus_2")] {
        let name = &referral[4..];
        bench
            .refer(referral, &format!("{name}@invited.example"))
            .await;
        let email = format!("{name}+x@invited.example");
        bench
            .customer(customer, &email, "2026-03-02T10:00:00Z")
            .await;
    }
    bench
        .payment("ch_1", "cus_1", 6000, "2026-03-03T10:00:00Z")
        .await;
    let near = body(&bench.get("/near-misses").await)["data"].clone();
    let of = |referral: &str| {
        let near = near.as_array().unwrap();
        let one = near
            .iter()
            .find(|near| near["referral"] == referral)
            .unwrap();
        format!("/near-misses/{}", one["id"].as_str().unwrap())
    };
    let blank = bench
        .post(&format!("{}/link", of("ref_bo")), json!({ "reason": "" }))
        .await;
    assert_eq!(blank.text("pointer").unwrap(), "/reason");
    let why = json!({ "reason": "the same person" });
    let linked = bench
        .post(&format!("{}/link", of("ref_bo")), why.clone())
        .await;
    assert_eq!(linked.status, 200, "{linked:?}");
    let decision = body(&linked);
    assert_eq!(decision["choice"], json!({ "choose": "allow" }));
    assert_eq!(
        (&decision["referral"], &decision["customer"]),
        (&json!("ref_bo"), &json!("cus_1"))
    );
    let referral = body(&bench.get("/referrals/ref_bo").await);
    assert_eq!(referral["state"], "qualified", "{referral}");
    let again = bench
        .post(&format!("{}/link", of("ref_bo")), why.clone())
        .await;
    assert_eq!(again.status, 404);
    let apart = bench.post(&format!("{}/dismiss", of("ref_cy")), why).await;
    assert_eq!(
        body(&apart)["choice"],
        json!({ "choose": "reject" }),
        "{apart:?}"
    );
    assert_eq!(body(&bench.get("/near-misses").await)["data"], json!([]));
    bench.end().await;
}
