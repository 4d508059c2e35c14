//! The same report from a running server: the API for keys, the page for owners and admins.

use std::time::Instant;

use qualify::access::users::Invitation;
use qualify::domain::access::{By, Role};
use serde_json::{Value, json};

use crate::client::{Answer, Request, send};
use crate::command::check;
use crate::stripe::Stripe;

#[path = "../support/served.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod served;

use served::{Served, at};

const BASE_URL: &str = "http://refer.example.com";

async fn start(stripe: &Stripe) -> Served {
    let [(key_name, key), (base_name, base)] = stripe.settings();
    let settings = [
        (key_name, key.as_str()),
        (base_name, base.as_str()),
        ("BASE_URL", BASE_URL),
        ("STRIPE_ACCOUNT", "acct_1"),
    ];
    Served::start(&settings).await
}

async fn get(served: &Served, path: &str, header: (&str, &str)) -> Answer {
    let request = Request {
        method: "GET".to_owned(),
        path: path.to_owned(),
        headers: vec![
            (header.0.to_owned(), header.1.to_owned()),
            ("sec-fetch-site".to_owned(), "same-origin".to_owned()),
        ],
        ..Request::default()
    };
    send(served.server.local_addr, &request).await
}

async fn key(served: &Served, scope: &str, chance: u8) -> String {
    let connection = served.server.app.connection.clone();
    let key = served.key_of(&connection, "tests", &[scope], chance).await;
    format!("Bearer {key}")
}

/// The cookie of somebody new of that role.
async fn session(served: &Served, role: Role) -> String {
    let invitation = Invitation {
        email: format!("{}@example.com", role.name()),
        name: String::new(),
        role,
        promoter: None,
    };
    let access = &served.server.app.access;
    let (_, link) = access.add(&invitation, &By::command_line()).await.unwrap();
    let token = link.split_once("token=").unwrap().1;
    let form = format!("token={token}&name=Mara&password=four+words+that+nobody+guesses");
    let request = Request {
        method: "POST".to_owned(),
        path: "/link".to_owned(),
        headers: vec![
            (
                "content-type".to_owned(),
                "application/x-www-form-urlencoded".to_owned(),
            ),
            ("sec-fetch-site".to_owned(), "same-origin".to_owned()),
        ],
        body: form.into_bytes(),
        ..Request::default()
    };
    let answer = send(served.server.local_addr, &request).await;
    assert_eq!(answer.status, 303, "{answer:?}");
    let set = &answer.headers["set-cookie"];
    let session = set
        .lines()
        .find(|line| line.contains("qualify_session"))
        .unwrap();
    session.split(';').next().unwrap().to_owned()
}

fn report(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{answer:?}");
    serde_json::from_str(&answer.body).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_answers_for_keys_with_its_scope() {
    let stripe = Stripe::healthy(BASE_URL).await;
    let served = start(&stripe).await;
    served
        .customer("cus_1", "bo@example.com", "2026-03-09T10:00:00Z")
        .await;
    let bearer = key(&served, "doctor:read", 3).await;
    let found = report(&get(&served, "/api/v1/doctor", ("authorization", &bearer)).await);
    assert_eq!(found["stripe"], "asked");
    for id in [
        "api_key",
        "account",
        "key_mode",
        "webhook_endpoint",
        "webhook_events",
        "webhook_last_event",
    ] {
        assert_eq!(check(&found, id)["state"], "ok", "{}", check(&found, id));
    }
    // The test's clock stands still in March.
    assert_eq!(check(&found, "clock")["state"], "problem");
    assert_eq!(check(&found, "customer_name")["state"], "warning");
    assert!(!found.to_string().contains("stand_in"));

    stripe.world().asked.clear();
    let offline = get(
        &served,
        "/api/v1/doctor?offline=true",
        ("authorization", &bearer),
    )
    .await;
    assert_eq!(report(&offline)["stripe"], "not_asked");
    assert_eq!(stripe.world().asked.len(), 0);

    let refused = get(
        &served,
        "/api/v1/doctor?offline=maybe",
        ("authorization", &bearer),
    )
    .await;
    assert_eq!(
        (refused.status, refused.text("code").as_deref()),
        (400, Some("parameter_invalid"))
    );
    let other = key(&served, "events:read", 4).await;
    let refused = get(&served, "/api/v1/doctor", ("authorization", &other)).await;
    assert_eq!(refused.status, 403);
    served.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_never_came_is_told_from_one_that_did() {
    let stripe = Stripe::healthy(BASE_URL).await;
    let created = at("2026-03-09T10:00:00Z").unix();
    let event = |id: &str| {
        json!({ "id": id, "object": "event", "type": "customer.created", "created": created,
                "livemode": true, "data": {} })
    };
    stripe.world().events = vec![event("evt_cus_1"), event("evt_cus_2")];
    let served = start(&stripe).await;
    served
        .customer("cus_1", "bo@example.com", "2026-03-09T10:00:00Z")
        .await;
    let bearer = key(&served, "doctor:read", 5).await;
    let found = report(&get(&served, "/api/v1/doctor", ("authorization", &bearer)).await);
    let deliveries = check(&found, "webhook_deliveries");
    assert_eq!(deliveries["state"], "problem");
    assert_eq!(
        deliveries["examples"],
        json!(["evt_cus_2 customer.created"])
    );
    served.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_shows_what_is_stored_at_once_and_asks_on_the_second_look() {
    let stripe = Stripe::healthy(BASE_URL).await;
    let served = start(&stripe).await;
    let cookie = session(&served, Role::Admin).await;
    let first = get(&served, "/doctor", ("cookie", &cookie)).await;
    assert_eq!(first.status, 200);
    assert!(
        first.body.contains("Stripe has not been asked yet"),
        "{}",
        first.body
    );
    assert!(first.body.contains(r#"href="/doctor?stripe=now""#));
    assert!(first.body.contains("Batches settle on time"));
    assert_eq!(stripe.world().asked.len(), 0);
    let second = get(&served, "/doctor?stripe=now", ("cookie", &cookie)).await;
    assert!(
        second.body.contains("the key is of acct_1"),
        "{}",
        second.body
    );
    assert!(!second.body.contains("Stripe has not been asked"));
    // The dashboard leads there; nobody else is led there, or let in.
    assert!(
        get(&served, "/", ("cookie", &cookie))
            .await
            .body
            .contains(r#"href="/doctor""#)
    );
    let cookie = session(&served, Role::Marketer).await;
    assert!(
        !get(&served, "/", ("cookie", &cookie))
            .await
            .body
            .contains(r#"href="/doctor""#)
    );
    assert_eq!(
        get(&served, "/doctor", ("cookie", &cookie)).await.status,
        403
    );
    served.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_ask_at_one_time_are_told_one_answer() {
    let stripe = Stripe::healthy(BASE_URL).await;
    let served = start(&stripe).await;
    let cookie = session(&served, Role::Admin).await;
    let bearer = key(&served, "doctor:read", 6).await;
    // One that nobody else is beside, on a server of its own: what one look asks.
    let alone = start(&stripe).await;
    let other = session(&alone, Role::Owner).await;
    get(&alone, "/doctor?stripe=now", ("cookie", &other)).await;
    alone.end().await;
    let of_one = std::mem::take(&mut stripe.world().asked);
    assert!(of_one.len() >= 5, "{of_one:?}");

    let page = || get(&served, "/doctor?stripe=now", ("cookie", &cookie));
    let api = || get(&served, "/api/v1/doctor", ("authorization", &bearer));
    let (pages, answers) = tokio::join!(
        futures_util::future::join_all((0..6).map(|_| page())),
        futures_util::future::join_all((0..6).map(|_| api())),
    );
    for answer in pages {
        assert!(
            answer.body.contains("the key is of acct_1"),
            "{}",
            answer.body
        );
        assert!(
            answer.body.contains("Stripe was asked at <time"),
            "{}",
            answer.body
        );
    }
    for answer in answers {
        let found = report(&answer);
        assert_eq!(found["stripe"], "asked");
        assert_eq!(
            found["stripe_asked_at"], found["at"],
            "the test's clock stands still"
        );
    }
    assert_eq!(
        stripe.world().asked.len(),
        of_one.len(),
        "asked once for twelve"
    );
    // Nor again a moment later.
    page().await;
    api().await;
    assert_eq!(stripe.world().asked.len(), of_one.len());
    let offline = ("authorization", bearer.as_str());
    let offline = report(&get(&served, "/api/v1/doctor?offline=true", offline).await);
    assert!(offline["stripe_asked_at"].is_null());
    // A coupon of somebody new has not been asked about: that is asked.
    let ana = json!({ "id": "prom_ana", "name": "Ana", "coupons": ["ANA10"] });
    let writer = key(&served, "promoters:write", 8).await;
    let request = Request {
        method: "POST".to_owned(),
        path: "/api/v1/promoters".to_owned(),
        headers: vec![
            ("authorization".to_owned(), writer),
            ("content-type".to_owned(), "application/json".to_owned()),
        ],
        body: ana.to_string().into_bytes(),
        ..Request::default()
    };
    assert_eq!(send(served.server.local_addr, &request).await.status, 201);
    let found = report(&api().await);
    assert_eq!(check(&found, "coupons_exist")["state"], "ok");
    assert!(stripe.world().asked.len() > of_one.len());
    served.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stripe_that_never_answers_does_not_hold_the_page() {
    let stripe = Stripe::healthy(BASE_URL).await;
    stripe.world().is_silent = true;
    let served = start(&stripe).await;
    let cookie = session(&served, Role::Owner).await;
    let begun = Instant::now();
    let page = get(&served, "/doctor?stripe=now", ("cookie", &cookie)).await;
    assert_eq!(page.status, 200);
    assert!(begun.elapsed().as_secs() < 15, "{:?}", begun.elapsed());
    assert!(
        page.body
            .contains("could not be reached: no answer in time"),
        "{}",
        page.body
    );
    assert!(page.body.contains("Batches settle on time"));
    served.end().await;
}
