//! The code in a link belongs to one promoter, compared as links resolve it.

use qualify::domain::people::Promoter;
use qualify::store::promoters::{get_promoter, upsert_promoters};
use serde_json::{Value, json};

use crate::bench::{Bench, body};
use crate::client::Answer;

async fn change(bench: &Bench, promoter: &str, change: Value) -> Answer {
    let path = format!("/promoters/{promoter}");
    bench.ask("PATCH", &path, &[], Some(change)).await
}

fn refused(answer: &Answer, says: &str) {
    assert_eq!(answer.status, 409, "{answer:?}");
    assert_eq!(answer.text("code").unwrap(), "code_in_use");
    let detail = answer.text("detail").unwrap();
    assert!(detail.contains(says), "{detail}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_given_once() {
    let bench = Bench::furnished().await;
    let given = change(&bench, "prom_ana", json!({ "code": "GLOW" })).await;
    assert_eq!(given.status, 200, "{given:?}");
    let taken = change(&bench, "prom_ben", json!({ "code": " GLOW " })).await;
    refused(&taken, "the link of Ana (prom_ana)");
    let new = json!({ "name": "Cy", "code": "GLOW" });
    refused(
        &bench.post("/promoters", new.clone()).await,
        "Ana (prom_ana)",
    );
    // Whoever may not look at promoters is not told whose it is.
    let mut blind = bench.make_key("blind", &["promoters:write"], 9).await;
    let mut bench = bench;
    std::mem::swap(&mut bench.key, &mut blind);
    let told = bench.post("/promoters", new).await;
    refused(&told, "the link of another promoter");
    assert!(!told.body.contains("prom_ana"), "{told:?}");
    std::mem::swap(&mut bench.key, &mut blind);

    // Links tell capitals apart, and so do codes. One's own stays one's own.
    for (promoter, fields) in [
        ("prom_ben", json!({ "code": "glow" })),
        ("prom_ana", json!({ "code": "GLOW", "name": "Ana Lima" })),
        ("prom_ana", json!({ "code": null })),
        ("prom_ben", json!({ "code": "GLOW" })),
    ] {
        let answer = change(&bench, promoter, fields.clone()).await;
        assert_eq!(answer.status, 200, "{promoter} {fields} {answer:?}");
    }
    let mine = change(&bench, "prom_ana", json!({ "code": "GLOW" })).await;
    refused(&mine, "Ben (prom_ben)");
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_two_share_already_stays_and_can_be_mended() {
    let bench = Bench::furnished().await;
    let app = &bench.server.app;
    let mut tx = app.db.begin().await.unwrap();
    for id in ["prom_ana", "prom_ben"] {
        let found = get_promoter(&mut tx, &app.connection, &id.into()).await;
        let found = found.unwrap().unwrap();
        let shared = Promoter {
            code: Some("SHARED".to_owned()),
            ..found.promoter
        };
        upsert_promoters(&mut tx, &app.connection, &[shared], found.created_at)
            .await
            .unwrap();
    }
    tx.commit().await.unwrap();
    let found = body(&bench.get("/promoters?code=SHARED").await);
    assert_eq!(found["data"].as_array().unwrap().len(), 2);
    for fields in [
        json!({ "name": "Ana Lima" }),
        json!({ "name": "Ana", "code": "SHARED" }),
    ] {
        let kept = change(&bench, "prom_ana", fields).await;
        assert_eq!(body(&kept)["code"], "SHARED", "{kept:?}");
    }
    let third = bench
        .post("/promoters", json!({ "name": "Cy", "code": "SHARED" }))
        .await;
    refused(&third, "(prom_ana)");
    let mended = change(&bench, "prom_ana", json!({ "code": "OWN" })).await;
    assert_eq!(mended.status, 200, "{mended:?}");
    let back = change(&bench, "prom_ana", json!({ "code": "SHARED" })).await;
    refused(&back, "Ben (prom_ben)");
    bench.end().await;
}
