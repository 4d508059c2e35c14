//! Walking through lists: every row once, in one order, whatever the size of the pages.

use serde_json::json;

use crate::bench::{Bench, body};

async fn walk(bench: &Bench, path: &str, limit: usize) -> (Vec<String>, usize) {
    let (mut ids, mut pages) = (Vec::new(), 0);
    loop {
        let after = ids
            .last()
            .map_or(String::new(), |id| format!("&starting_after={id}"));
        let page = body(&bench.get(&format!("{path}?limit={limit}{after}")).await);
        let rows = page["data"].as_array().unwrap();
        ids.extend(
            rows.iter()
                .map(|row| row["id"].as_str().unwrap().to_owned()),
        );
        pages += 1;
        assert!(rows.len() <= limit && pages < 100);
        if page["has_more"] == false {
            return (ids, pages);
        }
        assert_eq!(rows.len(), limit, "only the last page is short");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_promoters_and_their_referrals() {
    let bench = Bench::start().await;
    bench.save_campaign().await;
    let mut promoters = Vec::new();
    for n in 0..60 {
        let id = format!("prom_{n:02}");
        let made = bench
            .post("/promoters", json!({ "id": id, "name": "P" }))
            .await;
        assert_eq!(made.status, 201);
        promoters.push(id);
    }
    for (limit, pages) in [(1, 60), (7, 9), (25, 3), (60, 1), (100, 1)] {
        let seen = walk(&bench, "/promoters", limit).await;
        assert_eq!(seen, (promoters.clone(), pages), "{limit}");
    }
    for n in 0..7 {
        let email = format!("{n}@invited.example");
        let body = json!({ "campaign": "spring", "promoter": "prom_00", "email": email });
        assert_eq!(bench.post("/referrals", body).await.status, 201);
    }
    let (all, _) = walk(&bench, "/referrals", 100).await;
    assert_eq!(all.len(), 7);
    assert_eq!(walk(&bench, "/referrals", 3).await, (all, 3));
    bench.end().await;
}
