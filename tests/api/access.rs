//! Who may what: no key, a bad key, a key without the scope, a key that is taken back.

use qualify::api::keys;
use qualify::api::scope::Scope;
use qualify::clock::Clock;
use qualify::store::api_keys::list_keys;

use crate::bench::Bench;
use crate::client::send;

/// Every address with its scope.
const ROUTES: [(&str, &str, Scope); 29] = [
    ("GET", "/promoters", Scope::PromotersRead),
    ("POST", "/promoters", Scope::PromotersWrite),
    ("GET", "/promoters/x", Scope::PromotersRead),
    ("PATCH", "/promoters/x", Scope::PromotersWrite),
    ("POST", "/promoters/x/suspend", Scope::PromotersWrite),
    ("POST", "/promoters/x/unsuspend", Scope::PromotersWrite),
    ("GET", "/referrals", Scope::ReferralsRead),
    ("POST", "/referrals", Scope::ReferralsWrite),
    ("GET", "/referrals/x", Scope::ReferralsRead),
    ("GET", "/referrals/x/explanation", Scope::ReferralsRead),
    ("GET", "/campaigns", Scope::CampaignsRead),
    ("GET", "/campaigns/x", Scope::CampaignsRead),
    ("PUT", "/campaigns/x", Scope::CampaignsWrite),
    ("GET", "/campaigns/x/revisions", Scope::CampaignsRead),
    ("GET", "/cases", Scope::CasesRead),
    ("GET", "/cases/x", Scope::CasesRead),
    ("POST", "/cases/x/preview", Scope::CasesRead),
    ("POST", "/cases/x/resolve", Scope::CasesWrite),
    ("POST", "/cases/x/undo", Scope::CasesWrite),
    ("GET", "/qualifications", Scope::QualificationsRead),
    ("GET", "/qualifications/x", Scope::QualificationsRead),
    ("GET", "/batches", Scope::BatchesRead),
    ("GET", "/batches/next", Scope::BatchesRead),
    ("POST", "/batches/preview", Scope::BatchesRead),
    ("POST", "/batches/run", Scope::BatchesWrite),
    ("GET", "/ledger/statement", Scope::LedgerRead),
    ("GET", "/ledger/accounts", Scope::LedgerRead),
    ("GET", "/events", Scope::EventsRead),
    ("POST", "/events/x/replay", Scope::EventsWrite),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_address_wants_its_own_scope() {
    let bench = Bench::start().await;
    for (number, scope) in (10_u8..).zip(Scope::ALL) {
        let key = bench.make_key(scope.name(), &[scope.name()], number).await;
        let key = format!("Bearer {key}");
        for (method, path, needed) in ROUTES {
            let request = bench.request(method, path, &[("authorization", &key)]);
            let answer = send(bench.server.local_addr, &request).await;
            let allowed = scope == needed;
            assert_eq!(
                answer.status != 403,
                allowed,
                "{method} {path} with {scope:?}: {answer:?}"
            );
            if !allowed {
                assert_eq!(answer.text("code").unwrap(), "scope_missing");
                assert_eq!(answer.text("scope").unwrap(), needed.name());
            }
        }
    }
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_key_in_force_nothing_is_answered() {
    let bench = Bench::start().await;
    let app = &bench.server.app;
    let revoked = bench.make_key("old", &["*"], 9).await;
    let ask = async |value: &str| {
        let request = bench.request("GET", "/promoters", &[("authorization", value)]);
        send(bench.server.local_addr, &request).await
    };
    let revoked = format!("Bearer {revoked}");
    assert_eq!(ask(&revoked).await.status, 200);
    let mut tx = app.db.read().await.unwrap();
    let all = list_keys(&mut tx, &app.connection).await.unwrap();
    drop(tx);
    let old = all.iter().find(|key| key.name == "old").unwrap();
    let now = bench.clock.now();
    assert!(
        keys::revoke(&app.db, &app.connection, &old.key_id, now)
            .await
            .unwrap()
    );

    let unknown = format!("Bearer qk_{}", "A".repeat(43));
    let basic = format!("Basic {}", bench.key);
    for value in [
        "", "Bearer", "Bearer ", "Bearer x", &revoked, &unknown, &basic,
    ] {
        let answer = ask(value).await;
        assert_eq!(answer.status, 401, "{value}");
        assert_eq!(answer.text("code").unwrap(), "unauthenticated");
        assert!(answer.headers["www-authenticate"].starts_with("Bearer"));
        assert!(!answer.body.contains("AAAA"), "{answer:?}");
    }
    // What is kept of a key does not open anything.
    let kept = String::from_utf8_lossy(&old.hash).into_owned();
    assert!(!kept.contains("qk_"));
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_use_of_a_key_is_noted_once_a_minute() {
    let bench = Bench::start().await;
    let app = &bench.server.app;
    let started = bench.clock.now().unix();
    let last_used = async || {
        let mut tx = app.db.read().await.unwrap();
        list_keys(&mut tx, &app.connection).await.unwrap()[0].last_used_at
    };
    // It is noted beside the request, so it is there a moment later.
    let noted = async |at: i64| {
        while last_used().await != Some(at) {
            tokio::task::yield_now().await;
        }
    };
    bench.get("/promoters").await;
    noted(started).await;
    for seconds in [59, 1] {
        bench.clock.advance(seconds);
        bench.get("/promoters").await;
    }
    // The first of the two was within the minute: only the second is ever written.
    noted(started + 60).await;
    bench.end().await;
}
