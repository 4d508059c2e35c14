//! Nothing of promoter B is in any answer to promoter A, whatever A asks for: the table of
//! routes is walked, with A's session, for A's things and for B's.

use qualify::access::routes::{ALL, Verb};
use qualify::domain::access::Role;

use crate::bench::{Bench, cookie};

const MARK: &str = "canary7731";

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_another_promoter_is_answered() {
    let bench = Bench::start().await;
    let key = bench.furnish(MARK).await;
    let ana = bench.person("ana@people.example", Role::Promoter, Some("prom_ana"));
    let ana = cookie(&ana.await);
    // What is looked for is there: an admin's key sees it.
    let auth = [("authorization", key.as_str())];
    for path in ["/api/v1/promoters", "/api/v1/referrals", "/api/v1/cases"] {
        let seen = bench.ask("GET", path, &auth).await;
        let body = seen.body;
        assert!(
            body.contains(MARK) || body.contains("ref_2"),
            "{path}: {body}"
        );
    }
    let mut asked = 0;
    for route in ALL.iter().filter(|route| route.verb() == Verb::Get) {
        for id in ["prom_ana", "prom_ben", "ref_1", "ref_2", "spring"] {
            let path = route.path().replace("{id}", id).replace("{connection}", id);
            let path = path.replace("{code}", "ana");
            for query in ["", "?promoter=prom_ben", "?q=canary"] {
                let path = format!("{path}{query}");
                let answer = bench.ask("GET", &path, &[("cookie", &ana)]).await;
                asked += 1;
                // An address may be repeated in an answer; it was A who knew it.
                let body = answer.body.replace("?q=canary", "");
                for mark in [MARK, "two-", "ref_2"] {
                    assert!(!body.contains(mark), "{path} tells {mark}: {body}");
                }
            }
        }
    }
    assert!(asked > 100, "only {asked} were asked");
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_portal_tells_nothing_of_invited_people_and_of_nobody_else() {
    let bench = Bench::start().await;
    let key = bench.furnish(MARK).await;
    let auth = [("authorization", key.as_str())];
    // What Ana has earned is in the ledger, so that she has a statement.
    let body = serde_json::json!({});
    let batch = bench.json("POST", "/api/v1/batches/run", &auth, body).await;
    assert!(batch.status < 300, "{batch:?}");
    let link = serde_json::json!({ "landing_page": "https://shop.example/" });
    let put = bench.json("PUT", "/api/v1/campaigns/spring/link", &auth, link);
    assert_eq!(put.await.status, 200);
    let ana = bench.person("ana@people.example", Role::Promoter, Some("prom_ana"));
    let ana = cookie(&ana.await);
    let portal: Vec<&str> = ALL
        .iter()
        .map(qualify::access::routes::Route::path)
        .filter(|path| path.starts_with("/portal"))
        .collect();
    assert!(portal.len() >= 3, "{portal:?}");
    for path in portal {
        for query in ["", "?page=2", "?promoter=prom_ben", "?id=ref_2"] {
            let path = format!("{path}{query}");
            let answer = bench.ask("GET", &path, &[("cookie", &ana)]).await;
            assert_eq!(answer.status, 200, "{path}");
            let marks = [
                MARK, "two-", "ref_", "cus_", "one@", "Ben", "qual_", "batch_", "ch_",
            ];
            for mark in marks {
                assert!(
                    !answer.body.contains(mark),
                    "{path} tells {mark}: {}",
                    answer.body
                );
            }
            let is_own = query != "?page=2" || path.contains(".csv");
            let own = answer.body.contains("o***@e***.com");
            assert!(
                own || !is_own,
                "{path} does not show what is Ana's: {}",
                answer.body
            );
        }
    }
    bench.end().await;
}
