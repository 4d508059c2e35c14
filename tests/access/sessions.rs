//! Sessions and the guard of pages: stolen, fixed, rotated, expired; forms of other sites;
//! headers. The guard stands before a router of its own, built from rows of the table.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use axum::middleware::from_fn_with_state;
use qualify::access::guard::guard;
use qualify::access::routes::{self, On};
use qualify::access::{Access, AccessError};
use qualify::domain::access::{By, Role, Signed};
use qualify::domain::time::DAY_SECONDS;
use tower::ServiceExt;

use crate::bench::{Bench, PASSWORD, cookie};

async fn who(signed: Option<axum::Extension<Signed>>) -> String {
    signed.map_or("nobody".to_owned(), |signed| signed.name.clone())
}

async fn needed(signed: Signed, by: By) -> String {
    format!(
        "{} as {}",
        signed.email,
        by.actor.id().split('_').next().unwrap()
    )
}

/// Rows of three kinds: of nobody's, of admins to look, of admins to change.
fn pages(access: &Arc<Access>) -> Router {
    Router::new()
        .on(routes::HEALTH, who)
        .on(routes::API_USERS, needed)
        .on(routes::API_USER_INVITE, needed)
        .route_layer(from_fn_with_state(Arc::clone(access), guard))
}

async fn ask(
    bench: &Bench,
    (method, path): (&str, &str),
    headers: &[(&str, &str)],
) -> Response<Body> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::empty()).unwrap();
    pages(&bench.server.app.access)
        .oneshot(request)
        .await
        .unwrap()
}

const PUBLIC: (&str, &str) = ("GET", "/healthz");
const LOOK: (&str, &str) = ("GET", "/api/v1/users");
const CHANGE: (&str, &str) = ("POST", "/api/v1/users");

async fn text(response: Response<Body>) -> String {
    let bytes = axum::body::to_bytes(response.into_body(), 4096).await;
    String::from_utf8(bytes.unwrap().to_vec()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_opens_what_its_role_may_until_it_ends() {
    let bench = Bench::start().await;
    let admin = bench.person("ana@example.com", Role::Admin, None).await;
    let viewer = cookie(&bench.person("vi@example.com", Role::Viewer, None).await);
    let set = admin.cookie.to_str().unwrap();
    assert!(set.starts_with("qualify_session=") && set.contains("; HttpOnly; SameSite=Lax"));
    assert!(
        !set.contains("Secure"),
        "over plain HTTP it would never be sent: {set}"
    );
    let admin = cookie(&admin);

    assert_eq!(ask(&bench, LOOK, &[]).await.status(), 401);
    assert_eq!(text(ask(&bench, PUBLIC, &[]).await).await, "nobody");
    let answer = ask(&bench, LOOK, &[("cookie", &admin)]).await;
    assert_eq!(answer.headers()["cache-control"], "no-store");
    assert_eq!(text(answer).await, "ana@example.com as user:usr");
    assert_eq!(
        ask(&bench, LOOK, &[("cookie", &viewer)]).await.status(),
        403
    );
    assert_eq!(
        text(ask(&bench, PUBLIC, &[("cookie", &viewer)]).await).await,
        "vi"
    );
    for forged in [
        "qualify_session=".to_owned(),
        "qualify_session=x".to_owned(),
        format!("qualify_session={}", "A".repeat(43)),
        admin.replace("qualify_session", "session"),
        admin.replace("qualify_session", "__Host-qualify_session"),
        format!("{admin}A"),
    ] {
        assert_eq!(
            ask(&bench, LOOK, &[("cookie", &forged)]).await.status(),
            401,
            "{forged}"
        );
    }
    // What is kept of a session opens nothing.
    let app = &bench.server.app;
    let user = bench
        .access()
        .user_of("ana@example.com")
        .await
        .unwrap()
        .unwrap();
    let kept = bench.access().sessions(&user.id).await.unwrap();
    let stolen = format!("qualify_session={}", kept[0].session_id);
    assert_eq!(
        ask(&bench, LOOK, &[("cookie", &stolen)]).await.status(),
        401
    );
    // Another connection's server takes no session of this one.
    let elsewhere = Access::new(
        app.db.clone(),
        Arc::clone(&app.clock),
        "test".into(),
        "http://127.0.0.1".to_owned(),
        qualify::access::Proxies::default(),
    );
    let mut headers = axum::http::HeaderMap::new();
    headers.insert("cookie", admin.parse().unwrap());
    assert_eq!(elsewhere.signed(&headers).await.unwrap(), None);
    assert!(bench.access().signed(&headers).await.unwrap().is_some());
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_idle_and_in_any_case() {
    let bench = Bench::start().await;
    let admin = cookie(&bench.person("ana@example.com", Role::Admin, None).await);
    let status = async || {
        ask(&bench, LOOK, &[("cookie", &admin)])
            .await
            .status()
            .as_u16()
    };
    // Used every eleven hours it lives on, for a week.
    for _ in 0..15 {
        bench.clock.advance(11 * 3600);
        assert_eq!(status().await, 200);
        // The use is noted beside the request.
        let user = bench
            .access()
            .user_of("ana@example.com")
            .await
            .unwrap()
            .unwrap();
        let now = bench.server.app.clock.now().unix();
        while bench.access().sessions(&user.id).await.unwrap()[0].seen_at != now {
            tokio::task::yield_now().await;
        }
    }
    bench.clock.advance(7 * DAY_SECONDS - 15 * 11 * 3600 - 1);
    assert_eq!(status().await, 200);
    bench.clock.advance(1);
    assert_eq!(status().await, 401, "a week is over");
    let again = bench.visitor("10.1.1.1");
    let again = bench
        .access()
        .sign_in("ana@example.com", PASSWORD, &again)
        .await;
    let again = cookie(&again.unwrap());
    bench.clock.advance(12 * 3600);
    assert_eq!(
        ask(&bench, LOOK, &[("cookie", &again)]).await.status(),
        401,
        "idle"
    );
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_is_new_at_every_sign_in_and_old_ones_are_dead() {
    let bench = Bench::start().await;
    let access = bench.access();
    let first = cookie(&bench.person("ana@example.com", Role::Admin, None).await);
    let alive = async |cookie: &str| {
        let answer = ask(&bench, LOOK, &[("cookie", cookie)]).await;
        answer.status() == 200
    };
    // Fixation: whatever the browser brings, it gets another one, and what it brought is dead.
    let chosen = format!("qualify_session={}", "B".repeat(43));
    let visitor = bench.visitor_with("10.1.1.1", Some(&chosen));
    let second = access
        .sign_in("ana@example.com", PASSWORD, &visitor)
        .await
        .unwrap();
    let second = cookie(&second);
    assert_ne!(second, chosen);
    assert!(!alive(&chosen).await && alive(&first).await && alive(&second).await);
    let visitor = bench.visitor_with("10.1.1.2", Some(&second));
    let third = access
        .sign_in("ana@example.com", PASSWORD, &visitor)
        .await
        .unwrap();
    assert!(!alive(&second).await && alive(&cookie(&third)).await);

    // A new password ends every session, and this one goes on under a new token.
    let visitor = bench.visitor_with("10.1.1.3", Some(&cookie(&third)));
    let new = "another seven words for ana";
    let refused = access
        .change_password(&third.signed, "wrong", new, &visitor)
        .await;
    assert!(matches!(
        refused,
        Err(AccessError::Invalid {
            code: "password_wrong",
            ..
        })
    ));
    let fourth = access.change_password(&third.signed, PASSWORD, new, &visitor);
    let fourth = fourth.await.unwrap();
    assert!(!alive(&first).await && !alive(&cookie(&third)).await);
    assert!(alive(&cookie(&fourth)).await);
    let old = access
        .sign_in("ana@example.com", PASSWORD, &bench.visitor("10.1.1.4"))
        .await;
    assert!(matches!(old, Err(AccessError::Refused)));

    // Signing out ends one session; everywhere ends all.
    let visitor = bench.visitor("10.1.1.5");
    let fifth = access
        .sign_in("ana@example.com", new, &visitor)
        .await
        .unwrap();
    let by = fifth.signed.by(None);
    let taken = access.sign_out(&fifth.signed, &by).await.unwrap();
    assert!(taken.to_str().unwrap().starts_with("qualify_session=;"));
    assert!(!alive(&cookie(&fifth)).await && alive(&cookie(&fourth)).await);
    let sixth = access
        .sign_in("ana@example.com", new, &visitor)
        .await
        .unwrap();
    access
        .sign_out_everywhere(&sixth.signed, &by)
        .await
        .unwrap();
    assert!(!alive(&cookie(&sixth)).await && !alive(&cookie(&fourth)).await);
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_of_another_site_changes_nothing() {
    let bench = Bench::start().await;
    let admin = cookie(&bench.person("ana@example.com", Role::Admin, None).await);
    let base = bench.access().base_url().to_owned();
    for (header, status) in [
        (("sec-fetch-site", "same-origin"), 200),
        (("sec-fetch-site", "cross-site"), 403),
        (("sec-fetch-site", "same-site"), 403),
        (("sec-fetch-site", "none"), 403),
        (("origin", base.as_str()), 200),
        (("origin", "https://evil.example"), 403),
        (("origin", "null"), 403),
        (("x-nothing", "said"), 403),
    ] {
        let answer = ask(&bench, CHANGE, &[("cookie", &admin), header]).await;
        assert_eq!(answer.status(), status, "{header:?}");
        // To look is harmless wherever the link was.
        let answer = ask(&bench, LOOK, &[("cookie", &admin), header]).await;
        assert_eq!(answer.status(), 200, "{header:?}");
    }
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_is_for_keys_alone() {
    let bench = Bench::start().await;
    let owner = cookie(&bench.person("ana@example.com", Role::Owner, None).await);
    for path in ["/api/v1/users", "/api/v1/audit", "/api/v1/promoters"] {
        let own = [
            ("cookie", owner.as_str()),
            ("sec-fetch-site", "same-origin"),
        ];
        let answer = bench.ask("GET", path, &own).await;
        assert_eq!(answer.status, 401, "{path}: {answer:?}");
    }
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_tells_browsers_what_they_may() {
    let bench = Bench::start().await;
    for path in ["/healthz", "/nothing", "/api/v1/users", "/webhooks/stripe"] {
        let answer = bench.ask("GET", path, &[]).await;
        let csp = &answer.headers["content-security-policy"];
        assert!(
            csp.starts_with("default-src 'none'; script-src 'self';"),
            "{csp}"
        );
        assert!(csp.contains("frame-ancestors 'none'") && !csp.contains("unsafe"));
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "same-origin"),
            ("x-frame-options", "DENY"),
            ("cross-origin-opener-policy", "same-origin"),
        ] {
            assert_eq!(answer.headers[name], value, "{path}");
        }
        assert!(answer.headers["permissions-policy"].contains("camera=()"));
        assert!(!answer.headers.contains_key("strict-transport-security"));
    }
    bench.end().await;
    let bench = Bench::start_with(&[("BASE_URL", "https://q.example.com")]).await;
    let answer = bench.ask("GET", "/healthz", &[]).await;
    assert!(answer.headers["strict-transport-security"].starts_with("max-age=31536000"));
    let started = bench.person("ana@example.com", Role::Admin, None).await;
    let set = started.cookie.to_str().unwrap();
    assert!(
        set.starts_with("__Host-qualify_session=") && set.ends_with("; Secure"),
        "{set}"
    );
    bench.end().await;
}
