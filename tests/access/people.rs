//! People: the first owner, links that open once, one answer for whoever may not come in,
//! limits, roles and what becomes of sessions, and keys that give no more than they have.

use qualify::access::links::LinkPurpose;
use qualify::access::users::{Invitation, UserState};
use qualify::access::{AccessError, Filled};
use qualify::domain::access::{By, Role};
use qualify::store::audit::{AuditFilter, list_audit};
use serde_json::json;

use crate::bench::{Bench, PASSWORD, cookie, token};

fn filled(email: &str, password: &str) -> Filled {
    Filled {
        email: email.to_owned(),
        name: "Ana Lima".to_owned(),
        password: password.to_owned(),
    }
}

fn code(error: &AccessError) -> &'static str {
    match error {
        AccessError::Invalid { code, .. } | AccessError::Conflict { code, .. } => code,
        AccessError::Refused => "refused",
        AccessError::LinkGone => "gone",
        AccessError::Limited { .. } => "limited",
        AccessError::Forbidden(_) => "forbidden",
        AccessError::NotFound(_) => "not_found",
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_owner_comes_by_a_link_that_works_once() {
    let bench = Bench::start().await;
    let access = bench.access();
    let first = access.setup_link().await.unwrap().unwrap();
    let second = access.setup_link().await.unwrap().unwrap();
    assert!(first.starts_with(&format!("{}/link?token=", access.base_url())));
    // Whoever only looks, such as a scanner of mail, uses nothing up.
    for _ in 0..3 {
        let view = access.look_at_link(token(&first)).await.unwrap();
        assert_eq!((view.purpose, view.role), (LinkPurpose::Setup, Role::Owner));
    }
    let visitor = bench.visitor("10.1.1.1");
    for (filled, expected) in [
        (filled("nonsense", PASSWORD), "email_invalid"),
        (filled("a@b.io\r\nBcc: c@d.io", PASSWORD), "email_invalid"),
        (filled("ana@example.com", "short"), "password_short"),
        (filled("ana@example.com", "password1234"), "password_common"),
        (
            filled("ana@example.com", "Ana@Example.com"),
            "password_is_email",
        ),
    ] {
        let refused = access.use_link(token(&first), &filled, &visitor).await;
        assert_eq!(code(&refused.unwrap_err()), expected);
    }
    let good = filled("Ana@Example.com", PASSWORD);
    let started = access
        .use_link(token(&first), &good, &visitor)
        .await
        .unwrap();
    assert_eq!(started.signed.role, Role::Owner);
    assert_eq!(started.signed.email.as_str(), "ana@example.com");
    for link in [&first, &second] {
        let again = access.use_link(token(link), &good, &visitor).await;
        assert_eq!(code(&again.unwrap_err()), "gone");
        assert_eq!(
            code(&access.look_at_link(token(link)).await.unwrap_err()),
            "gone"
        );
    }
    assert_eq!(
        access.setup_link().await.unwrap(),
        None,
        "there is an owner"
    );
    let back = access.sign_in("ana@example.com", PASSWORD, &visitor).await;
    assert_eq!(back.unwrap().signed.user, started.signed.user);
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn links_end_and_the_ones_in_the_mail_die_with_a_change() {
    let bench = Bench::start().await;
    let access = bench.access();
    let by = By::command_line();
    let setup = access.setup_link().await.unwrap().unwrap();
    bench.clock.advance(24 * 3600);
    assert_eq!(
        code(&access.look_at_link(token(&setup)).await.unwrap_err()),
        "gone"
    );

    bench.person("ana@example.com", Role::Owner, None).await;
    let vi = bench.person("vi@example.com", Role::Viewer, None).await;
    let visitor = bench.visitor("10.1.1.1");
    let id = &vi.signed.user;
    let blank = Filled::default();
    let link = access.link_for(id, false, &by).await.unwrap();
    assert_eq!(
        access.look_at_link(token(&link)).await.unwrap().purpose,
        LinkPurpose::SignIn
    );
    bench.clock.advance(15 * 60);
    let late = access.use_link(token(&link), &blank, &visitor).await;
    assert_eq!(code(&late.unwrap_err()), "gone");

    // Of two links, using one kills the other; so do a role and a deactivation.
    let [one, two] = [
        access.link_for(id, false, &by).await.unwrap(),
        access.link_for(id, true, &by).await.unwrap(),
    ];
    access
        .use_link(token(&one), &blank, &visitor)
        .await
        .unwrap();
    let other = access
        .use_link(token(&two), &filled("", PASSWORD), &visitor)
        .await;
    assert_eq!(code(&other.unwrap_err()), "gone");
    let link = access.link_for(id, false, &by).await.unwrap();
    access
        .set_role(id, (Role::Marketer, None), &by)
        .await
        .unwrap();
    assert_eq!(
        code(&access.look_at_link(token(&link)).await.unwrap_err()),
        "gone"
    );
    access.deactivate(id, &by).await.unwrap();
    assert_eq!(
        code(&access.link_for(id, false, &by).await.unwrap_err()),
        "user_deactivated"
    );

    // A reset needs a password, a sign-in link sets none.
    access.reactivate(id, &by).await.unwrap();
    let link = access.link_for(id, false, &by).await.unwrap();
    let sneaky = filled("", "a password that is not taken");
    access
        .use_link(token(&link), &sneaky, &visitor)
        .await
        .unwrap();
    let refused = access
        .sign_in("vi@example.com", &sneaky.password, &visitor)
        .await;
    assert_eq!(code(&refused.unwrap_err()), "refused");
    let link = access.link_for(id, true, &by).await.unwrap();
    let refused = access.use_link(token(&link), &blank, &visitor).await;
    assert_eq!(code(&refused.unwrap_err()), "password_short");
    let new = filled("", "vi has another password");
    access.use_link(token(&link), &new, &visitor).await.unwrap();
    access
        .sign_in("vi@example.com", &new.password, &visitor)
        .await
        .unwrap();
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_not_come_in_hears_one_answer() {
    let bench = Bench::start().await;
    let access = bench.access();
    let by = By::command_line();
    bench.person("ana@example.com", Role::Owner, None).await;
    let gone = bench.person("gone@example.com", Role::Viewer, None).await;
    access.deactivate(&gone.signed.user, &by).await.unwrap();
    let invitation = Invitation {
        email: "new@example.com".to_owned(),
        name: String::new(),
        role: Role::Viewer,
        promoter: None,
    };
    access.add(&invitation, &by).await.unwrap();
    let mut answers = Vec::new();
    for (number, (email, password)) in [
        ("ana@example.com", "wrong wrong wrong"),
        ("gone@example.com", PASSWORD),
        ("new@example.com", PASSWORD),
        ("nobody@example.com", PASSWORD),
        ("no address at all", PASSWORD),
        ("ana@example.com\r\nx", PASSWORD),
        ("ana@example.com", ""),
    ]
    .into_iter()
    .enumerate()
    {
        let visitor = bench.visitor(&format!("10.2.0.{number}"));
        let refused = access.sign_in(email, password, &visitor).await.unwrap_err();
        answers.push(refused.to_string());
    }
    answers.dedup();
    assert_eq!(answers, ["email or password is not right"]);
    // Also asking for mail is answered alike.
    for email in [
        "ana@example.com",
        "gone@example.com",
        "nobody@example.com",
        "nonsense",
    ] {
        let visitor = bench.visitor("10.3.0.1");
        access.send_sign_in_link(email, &visitor).await.unwrap();
        access.send_reset_link(email, &visitor).await.unwrap();
    }
    // Each of the seven is in the log, by an id that is made of the address.
    let app = &bench.server.app;
    let mut tx = app.db.read().await.unwrap();
    let failed = AuditFilter {
        action: Some("session.refused".to_owned()),
        ..AuditFilter::default()
    };
    let rows = list_audit(&mut tx, &app.connection, &failed, None, 100)
        .await
        .unwrap();
    assert_eq!(rows.len(), 7);
    assert!(
        rows.iter()
            .all(|row| !row.subject.contains('@') && row.actor == "system")
    );
    drop(tx);
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_and_an_address_have_their_attempts() {
    let bench = Bench::start().await;
    let access = bench.access();
    bench.person("ana@example.com", Role::Owner, None).await;
    let attempt = async |email: &str, address: &str, password: &str| {
        let visitor = bench.visitor(address);
        match access.sign_in(email, password, &visitor).await {
            Ok(_) => 0,
            Err(AccessError::Refused) => 1,
            Err(AccessError::Limited { seconds }) => i64::from(seconds),
            Err(other) => panic!("{other:?}"),
        }
    };
    // The account's, from ten addresses; then not even the right password is looked at.
    for n in 0..10 {
        assert_eq!(
            attempt("ana@example.com", &format!("10.4.0.{n}"), "x").await,
            1
        );
    }
    assert_eq!(attempt("ana@example.com", "10.4.1.1", PASSWORD).await, 60);
    bench.clock.advance(59);
    assert_eq!(
        attempt("ana@example.com", "10.4.1.2", PASSWORD).await,
        1,
        "seconds left"
    );
    bench.clock.advance(1);
    assert_eq!(attempt("ana@example.com", "10.4.1.3", PASSWORD).await, 0);
    // Having come in, all of them are back.
    for n in 0..10 {
        assert_eq!(
            attempt("ana@example.com", &format!("10.5.0.{n}"), "x").await,
            1
        );
    }
    // Nobody's account is limited just so.
    for n in 0..10 {
        assert_eq!(
            attempt("nobody@example.com", &format!("10.6.0.{n}"), "x").await,
            1
        );
    }
    assert_eq!(attempt("nobody@example.com", "10.6.1.1", "x").await, 60);
    // An address's, over many accounts.
    for n in 0..20 {
        assert_eq!(
            attempt(&format!("u{n}@example.com"), "10.7.0.1", "x").await,
            1
        );
    }
    assert_eq!(attempt("u20@example.com", "10.7.0.1", "x").await, 6);
    assert_eq!(attempt("u20@example.com", "10.7.0.2", "x").await, 1);
    // Mail too.
    let visitor = bench.visitor("10.8.0.1");
    for _ in 0..3 {
        access
            .send_sign_in_link("ana@example.com", &visitor)
            .await
            .unwrap();
    }
    let limited = access.send_sign_in_link("ana@example.com", &visitor).await;
    assert!(
        matches!(limited, Err(AccessError::Limited { seconds: 600 })),
        "{limited:?}"
    );
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_die_with_the_role_and_the_last_owner_stays() {
    let bench = Bench::start().await;
    let access = bench.access();
    let owner = bench.person("ana@example.com", Role::Owner, None).await;
    let admin = bench.person("bea@example.com", Role::Admin, None).await;
    let alive = async |started: &qualify::access::Started| {
        let mut headers = axum::http::HeaderMap::new();
        headers.insert("cookie", cookie(started).parse().unwrap());
        access.signed(&headers).await.unwrap().is_some()
    };
    let by_owner = owner.signed.by(Some("req_1".to_owned()));
    let by_admin = admin.signed.by(None);
    let (ana, bea) = (&owner.signed.user, &admin.signed.user);
    let refused = |result: Result<_, AccessError>| code(&result.err().unwrap());

    assert_eq!(
        refused(access.deactivate(ana, &by_owner).await),
        "last_owner"
    );
    let viewer = (Role::Viewer, None);
    assert_eq!(
        refused(access.set_role(ana, viewer.clone(), &by_owner).await),
        "last_owner"
    );
    // An admin neither makes owners nor touches one.
    assert_eq!(
        refused(access.set_role(bea, (Role::Owner, None), &by_admin).await),
        "forbidden"
    );
    assert_eq!(
        refused(access.deactivate(ana, &by_admin).await),
        "forbidden"
    );
    assert_eq!(
        refused(
            access
                .link_for(ana, true, &by_admin)
                .await
                .map(|_| unreachable())
        ),
        "forbidden"
    );

    assert!(alive(&admin).await);
    access
        .set_role(bea, (Role::Owner, None), &by_owner)
        .await
        .unwrap();
    assert!(!alive(&admin).await, "sessions end with the role");
    access.deactivate(ana, &by_owner).await.unwrap();
    assert!(!alive(&owner).await, "sessions end with the account");
    let state = access.user(ana).await.unwrap().state;
    assert_eq!(state, UserState::Deactivated);
    assert_eq!(
        refused(access.deactivate(bea, &By::command_line()).await),
        "last_owner"
    );
    bench.end().await;
}

fn unreachable() -> qualify::access::users::User {
    panic!("it was refused")
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_give_no_more_than_they_have() {
    let bench = Bench::start().await;
    bench.furnish("x").await;
    let maker = bench
        .key("live", &["keys:write", "keys:read", "cases:read"], 1)
        .await;
    let auth = [("authorization", maker.as_str())];
    let new_key = async |scopes: &[&str]| {
        let body = json!({ "name": "made", "scopes": scopes });
        bench.json("POST", "/api/v1/keys", &auth, body).await
    };
    let made = new_key(&["cases:read"]).await;
    assert_eq!(made.status, 201, "{made:?}");
    let key = format!("Bearer {}", made.text("key").unwrap());
    let with_it = bench
        .ask("GET", "/api/v1/cases", &[("authorization", &key)])
        .await;
    assert_eq!(with_it.status, 200);
    for (scopes, status, code) in [
        (&["cases:write"][..], 403, "scope_not_yours"),
        (&["*"], 403, "scope_not_yours"),
        (&["portal:read"], 422, "scope_invalid"),
        (&["cases"], 422, "scope_invalid"),
        (&[], 422, "scope_invalid"),
    ] {
        let refused = new_key(scopes).await;
        assert_eq!(
            (refused.status, refused.text("code").unwrap().as_str()),
            (status, code)
        );
    }
    let list = bench.ask("GET", "/api/v1/keys", &auth).await;
    assert!(list.body.contains("last_used_at") && !list.body.contains("qk_"));
    // Its answer holds a secret, so it is not kept to be repeated.
    let twice = [
        ("authorization", maker.as_str()),
        ("idempotency-key", "abc"),
    ];
    let body = json!({ "name": "made", "scopes": ["cases:read"] });
    let refused = bench.json("POST", "/api/v1/keys", &twice, body).await;
    assert_eq!(refused.text("code").unwrap(), "idempotency_key_unsupported");

    let id = made.text("id").unwrap();
    let path = format!("/api/v1/keys/{id}/revoke");
    assert_eq!(bench.ask("POST", &path, &auth).await.status, 200);
    assert_eq!(bench.ask("POST", &path, &auth).await.status, 409);
    let dead = bench
        .ask("GET", "/api/v1/cases", &[("authorization", &key)])
        .await;
    assert_eq!(dead.status, 401);

    // A key that writes users makes nobody who may do more than it.
    let with_users = bench
        .key("live", &["users:write", "promoters:write"], 2)
        .await;
    let auth = [("authorization", with_users.as_str())];
    for (role, promoter, status) in [
        ("owner", None, 403),
        ("admin", None, 403),
        ("viewer", None, 403),
        ("promoter", Some("prom_ana"), 201),
        ("promoter", None, 422),
        ("promoter", Some("nobody"), 422),
        ("king", None, 422),
    ] {
        let email = format!("{role}{status}@example.com");
        let body = json!({ "email": email, "role": role, "promoter": promoter });
        let answer = bench.json("POST", "/api/v1/users", &auth, body).await;
        assert_eq!(answer.status, status, "{role} {promoter:?}: {answer:?}");
    }
    let invited = bench
        .ask("POST", "/api/v1/promoters/prom_ben/invite", &auth)
        .await;
    assert_eq!(invited.status, 201, "{invited:?}");
    assert_eq!(invited.text("email").unwrap(), "ben-x@promoters.example");
    bench.end().await;
}
