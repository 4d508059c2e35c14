//! A real server tells a real endpoint of what Stripe's events lead to, in the shapes that its
//! API answers.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::bench::KEY;
use crate::client::{Answer, Request, send};
use crate::receiver::{Mood, Receiver};

#[path = "../support/served.rs"]
mod served;

use served::{Served, at};

pub const RULES: &str = r#"schema = 1
id     = "spring"
name   = "Spring: spend $50 in 30 days"

[qualify]
spend       = [ { at_least = "50.00", currency = "usd" } ]
within_days = 30
hold_days   = 7

[reward.promoter]
fixed = { amount = "20.00", currency = "usd" }
"#;

struct Api {
    served: Served,
    key: String,
}

impl Api {
    async fn start(settings: &[(&str, &str)]) -> Self {
        let served = Served::start(settings).await;
        let connection = served.server.app.connection.clone();
        let key = served.key_of(&connection, "tests", &["*"], 7).await;
        Self { served, key }
    }

    async fn ask(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        let mut headers = vec![("authorization".to_owned(), format!("Bearer {}", self.key))];
        if body.is_some() {
            headers.push(("content-type".to_owned(), "application/json".to_owned()));
        }
        if method == "PUT" {
            headers.push(("if-none-match".to_owned(), "*".to_owned()));
        }
        let request = Request {
            method: method.to_owned(),
            path: format!("/api/v1{path}"),
            headers,
            body: body
                .map(|body| body.to_string().into_bytes())
                .unwrap_or_default(),
            ..Request::default()
        };
        send(self.served.server.local_addr, &request).await
    }

    async fn done(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        let answer = self.ask(method, path, body).await;
        assert!(answer.status < 300, "{method} {path}: {answer:?}");
        serde_json::from_str(&answer.body).unwrap()
    }

    async fn get(&self, path: &str) -> Value {
        self.done("GET", path, None).await
    }

    async fn furnish(&self) {
        let rules = json!({ "source": RULES, "reason": "first" });
        self.done("PUT", "/campaigns/spring", Some(rules)).await;
        let ana = json!({ "id": "prom_ana", "name": "Ana" });
        self.done("POST", "/promoters", Some(ana)).await;
    }

    /// Somebody of Ana's who was referred on 1 March.
    async fn refer(&self, name: &str) -> String {
        let email = format!("{name}@invited.example");
        let body = json!({
            "id": format!("ref_{name}"), "campaign": "spring", "promoter": "prom_ana",
            "email": email, "referred_at": "2026-03-01T09:00:00Z",
        });
        self.done("POST", "/referrals", Some(body)).await;
        email
    }

    /// Somebody of Ana's who pays enough.
    async fn wins(&self, name: &str) {
        let email = self.refer(name).await;
        let customer = format!("cus_{name}");
        self.served
            .customer(&customer, &email, "2026-03-02T10:00:00Z")
            .await;
        let charge = format!("ch_{name}");
        self.served
            .payment(&charge, &customer, 6_000, "2026-03-03T10:00:00Z")
            .await;
    }
}

/// The message of that type about something, once it has come.
async fn told(receiver: &Receiver, kind: &str, about: &str) -> Value {
    loop {
        let all = receiver.got().into_iter().map(|got| got.json());
        let found = all
            .into_iter()
            .find(|body| body["type"] == kind && body["data"].to_string().contains(about));
        if let Some(found) = found {
            return found;
        }
        tokio::task::yield_now().await;
    }
}

fn keys(value: &Value) -> BTreeSet<&str> {
    value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_is_told_in_the_shapes_of_the_api() {
    let receiver = Receiver::start().await;
    let settings = [("APP_SECRET_KEY", KEY), ("WEBHOOKS_ALLOW_PRIVATE", "true")];
    let api = Api::start(&settings).await;
    api.furnish().await;
    let new = json!({ "url": receiver.url(), "description": "the shop" });
    let made = api.done("POST", "/webhook_endpoints", Some(new)).await;
    let id = made["id"].as_str().unwrap().to_owned();
    assert_eq!(made["topics"], json!(["*"]));

    // Two customers of one email are a case, somebody who paid is on the queue.
    let email = api.refer("cy").await;
    for id in ["cus_cy1", "cus_cy2"] {
        api.served
            .customer(id, &email, "2026-03-02T10:00:00Z")
            .await;
    }
    api.served
        .payment("ch_cy", "cus_cy2", 9_000, "2026-03-03T10:00:00Z")
        .await;
    api.wins("bo").await;
    api.wins("di").await;

    let opened = told(&receiver, "case.opened", "ref_cy").await;
    let cases = api.get("/cases").await;
    assert_eq!(opened["data"], cases["data"][0], "as the API answers it");
    let qualified = told(&receiver, "qualification.qualified", "ref_bo").await;
    let queue = api.get("/qualifications?campaign=spring").await;
    let rows = queue["data"].as_array().unwrap();
    let bo = rows.iter().find(|row| row["referral"] == "ref_bo").unwrap();
    assert_eq!(&qualified["data"], bo, "as the API answers it");
    assert_eq!(
        (&qualified["livemode"], &qualified["created_at"]),
        (&json!(true), &bo["created_at"])
    );

    // Taken off the queue before it was settled.
    let refund = json!({ "id": "re_1", "object": "refund", "charge": "ch_di", "amount": 6000, "currency": "usd", "status": "succeeded", "created": at("2026-03-04T10:00:00Z").unix() });
    api.served
        .event("evt_re_1", "refund.created", "2026-03-04T10:00:00Z", refund)
        .await;
    let withdrawn = told(&receiver, "qualification.withdrawn", "ref_di").await;
    assert_eq!(withdrawn["data"]["state"], "withdrawn");
    assert_eq!(keys(&withdrawn["data"]), keys(bo));

    // Settled, and taken back.
    api.served.clock.set(at("2026-03-20T10:00:00Z"));
    api.served.catch_up().await;
    let ran = api.done("POST", "/batches/run", Some(json!({}))).await;
    let batch = ran["batch"]["id"].as_str().unwrap();
    let settled = told(&receiver, "qualification.settled", "ref_bo").await;
    assert_eq!(settled["data"]["batch"], batch);
    assert_eq!(settled["data"]["qualification"], bo["id"]);
    let twenty = json!([{ "to": "promoter", "amount_minor": 2000, "currency": "usd" }]);
    assert_eq!(settled["data"]["amounts"], twenty);
    let done = told(&receiver, "batch.settled", batch).await;
    assert_eq!(
        done["data"],
        api.get(&format!("/batches/{batch}")).await,
        "as the API answers it"
    );
    let refund = json!({ "id": "re_2", "object": "refund", "charge": "ch_bo", "amount": 6000, "currency": "usd", "status": "succeeded", "created": at("2026-03-20T09:00:00Z").unix() });
    api.served
        .event("evt_re_2", "refund.created", "2026-03-20T09:00:00Z", refund)
        .await;
    api.served.clock.advance(60);
    api.done("POST", "/batches/run", Some(json!({}))).await;
    let reversed = told(&receiver, "qualification.reversed", "ref_bo").await;
    assert_eq!(reversed["data"]["amounts"][0]["amount_minor"], -2000);

    // What was invited is named by no email, and each message came once.
    let all = receiver.got();
    assert!(all.iter().all(|got| !got.body.contains("invited.example")));
    let ids: BTreeSet<String> = all.iter().map(crate::receiver::Got::id).collect();
    assert_eq!(ids.len(), all.len());
    let listed = api
        .get(&format!("/webhook_endpoints/{id}/deliveries?limit=100"))
        .await;
    let listed = listed["data"].as_array().unwrap().len();
    assert!(listed >= 6, "{listed}");
    api.served.end().await;
}

/// What an endpoint's addresses refuse.
async fn refused(api: &Api, here: &str, url: &str) {
    for (method, path, body, status, code) in [
        (
            "POST",
            "/webhook_endpoints".to_owned(),
            json!({ "url": "ftp://a.example" }),
            422,
            "url_invalid",
        ),
        (
            "POST",
            "/webhook_endpoints".to_owned(),
            json!({ "url": url, "topics": ["x"] }),
            422,
            "topics_invalid",
        ),
        (
            "PATCH",
            here.to_owned(),
            json!({ "urll": "x" }),
            422,
            "unknown_field",
        ),
        (
            "PATCH",
            "/webhook_endpoints/we_nothing".to_owned(),
            json!({}),
            404,
            "not_found",
        ),
        (
            "POST",
            format!("{here}/redeliver"),
            json!({ "message": "msg_x" }),
            404,
            "not_found",
        ),
        (
            "GET",
            format!("{here}/deliveries?state=odd"),
            Value::Null,
            400,
            "parameter_invalid",
        ),
        (
            "GET",
            format!("{here}/deliveries?starting_after=msg_x"),
            Value::Null,
            400,
            "parameter_invalid",
        ),
    ] {
        let body = (!body.is_null()).then_some(body);
        let answer = api.ask(method, &path, body).await;
        assert_eq!(
            (answer.status, answer.text("code").as_deref()),
            (status, Some(code)),
            "{method} {path}"
        );
        assert_eq!(answer.headers["content-type"], "application/problem+json");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_is_kept_by_the_api() {
    let receiver = Receiver::start().await;
    let settings = [("APP_SECRET_KEY", KEY), ("WEBHOOKS_ALLOW_PRIVATE", "true")];
    let api = Api::start(&settings).await;
    let new = json!({ "url": receiver.url(), "topics": ["batch.settled"] });
    let made = api.done("POST", "/webhook_endpoints", Some(new)).await;
    let secret = made["secret"].as_str().unwrap().to_owned();
    let path = format!("/webhook_endpoints/{}", made["id"].as_str().unwrap());
    let shown = api.get(&path).await;
    assert!(!shown.to_string().contains(&secret) && shown.get("secret").is_none());
    let tried = api.done("POST", &format!("{path}/test"), None).await;
    assert_eq!(
        (&tried["delivered"], &tried["status"]),
        (&json!(true), &json!(200))
    );
    assert_eq!(receiver.got()[0].json()["type"], "test");
    receiver.is(Mood::Status(500));
    let tried = api.done("POST", &format!("{path}/test"), None).await;
    assert_eq!(
        (&tried["delivered"], &tried["failure"]),
        (&json!(false), &json!("answered 500"))
    );

    let changed = json!({ "topics": ["*"], "enabled": false, "description": "the shop" });
    let changed = api.done("PATCH", &path, Some(changed)).await;
    assert_eq!(
        (&changed["enabled"], &changed["topics"]),
        (&json!(false), &json!(["*"]))
    );
    let rotated = api.done("POST", &format!("{path}/rotate"), None).await;
    assert_ne!(rotated["secret"], made["secret"]);
    assert!(rotated["rotating_until"].is_string());
    refused(&api, &path, &receiver.url()).await;
    let gone = api.done("DELETE", &path, None).await;
    assert_eq!(gone["deleted"], true);
    assert_eq!(api.ask("GET", &path, None).await.status, 404);
    let log = api.get("/audit?limit=100").await.to_string();
    for action in [
        "webhook.created",
        "webhook.changed",
        "webhook.secret_rotated",
        "webhook.deleted",
    ] {
        assert!(log.contains(action), "{action}: {log}");
    }
    assert!(!log.contains(&secret) && !log.contains(rotated["secret"].as_str().unwrap()));
    api.served.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_settings_it_says_what_to_set() {
    let api = Api::start(&[]).await;
    let new = json!({ "url": "https://shop.example.com/hooks" });
    let answer = api.ask("POST", "/webhook_endpoints", Some(new)).await;
    assert_eq!(
        (answer.status, answer.text("code").as_deref()),
        (409, Some("app_secret_key_missing"))
    );
    assert!(answer.body.contains("APP_SECRET_KEY"), "{}", answer.body);
    api.served.end().await;

    let api = Api::start(&[("APP_SECRET_KEY", KEY)]).await;
    for (url, says) in [
        ("http://shop.example.com/", "WEBHOOKS_ALLOW_PRIVATE"),
        ("https://169.254.169.254/latest", "private"),
        ("https://localhost/", "private"),
    ] {
        let answer = api
            .ask("POST", "/webhook_endpoints", Some(json!({ "url": url })))
            .await;
        assert_eq!(
            (answer.status, answer.text("code").as_deref()),
            (422, Some("url_invalid")),
            "{url}"
        );
        assert!(answer.body.contains(says), "{url}: {}", answer.body);
    }
    api.served.end().await;
}

/// A server with endpoints of nobody writes nothing that only endpoints would read.
#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_is_told_nothing_more_is_written() {
    let api = Api::start(&[]).await;
    api.furnish().await;
    api.wins("bo").await;
    api.served.clock.set(at("2026-03-20T10:00:00Z"));
    api.served.catch_up().await;
    let app = &api.served.server.app;
    api.done("POST", "/batches/run", Some(json!({}))).await;
    let mut tx = app.db.read().await.unwrap();
    let text = "SELECT topic, count(*) FROM outbox GROUP BY topic";
    let topics: Vec<(String, i64)> = qualify::store::Statement::new(text)
        .fetch_all(&mut tx)
        .await
        .unwrap();
    assert_eq!(topics, [("qualification.settled".to_owned(), 1)]);
    tx.rollback().await.unwrap();
    api.served.end().await;
}
