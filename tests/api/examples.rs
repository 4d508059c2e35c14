//! The document's examples are answers of a real server. A fixed small world is made, every
//! operation of the document is asked once, and what was sent and answered is compared with
//! `src/api/document/examples.json`. `INSTA_UPDATE=always` writes that file anew.

use std::collections::BTreeSet;
use std::path::Path;

use qualify::api::document::document;
use serde_json::{Map, Value, json};

use crate::bench::{Bench, RULES, at, body};
use crate::client::{Answer, send};

/// What chance or the machine decides, and what stands in its place in the file.
struct Recorder {
    bench: Bench,
    operations: Map<String, Value>,
    problems: Map<String, Value>,
    replaced: Vec<(String, String)>,
}

/// The path, the method and what is asked of one operation.
struct Asked<'a> {
    id: &'a str,
    at: &'a str,
    headers: &'a [(&'a str, &'a str)],
    body: Option<Value>,
}

fn operation(id: &str) -> Asked<'_> {
    Asked {
        id,
        at: "",
        headers: &[],
        body: None,
    }
}

impl<'a> Asked<'a> {
    fn at(mut self, at: &'a str) -> Self {
        self.at = at;
        self
    }

    fn with(mut self, headers: &'a [(&'a str, &'a str)]) -> Self {
        self.headers = headers;
        self
    }

    fn body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }
}

/// Method and path of an operation of the document.
fn row(id: &str) -> (String, String) {
    for (path, methods) in document()["paths"].as_object().unwrap() {
        for (method, described) in methods.as_object().unwrap() {
            if described["operationId"] == id {
                return (method.to_ascii_uppercase(), path.clone());
            }
        }
    }
    panic!("the document has no operation {id}")
}

impl Recorder {
    async fn send(&self, asked: &Asked<'_>) -> Answer {
        let (method, path) = row(asked.id);
        let path = path.strip_prefix("/api/v1").unwrap();
        let path = match (path.find('{'), path.find('}')) {
            (Some(start), Some(end)) => {
                format!("{}{}{}", &path[..start], asked.at, &path[end + 1..])
            }
            _ => path.to_owned(),
        };
        // So that audit log and hashes are the same every time.
        let headers = [asked.headers, &[("x-request-id", "req_1")]].concat();
        self.bench
            .ask(&method, &path, &headers, asked.body.clone())
            .await
    }

    /// Asks, and keeps request and answer as the operation's example.
    async fn take(&mut self, asked: Asked<'_>) -> Value {
        let answer = self.send(&asked).await;
        self.keep(&asked, &answer)
    }

    fn keep(&mut self, asked: &Asked<'_>, answer: &Answer) -> Value {
        assert!(answer.status < 300, "{}: {answer:?}", asked.id);
        let answered = body(answer);
        let (_, path) = row(asked.id);
        let mut example = json!({ "status": answer.status, "answer": answered });
        if let Some(start) = path.find('{') {
            let name = &path[start + 1..path.find('}').unwrap()];
            example["at"] = json!({ name: asked.at });
        }
        if let Some(body) = &asked.body {
            example["body"] = body.clone();
        }
        self.operations.insert(asked.id.to_owned(), example);
        answered
    }

    /// A refusal, kept under its code.
    async fn refused(&mut self, code: &str, asked: Asked<'_>) {
        let answer = self.send(&asked).await;
        self.keep_refused(code, &answer);
    }

    fn keep_refused(&mut self, code: &str, answer: &Answer) {
        let problem = body(answer);
        assert_eq!(problem["code"], code, "{answer:?}");
        assert_eq!(answer.headers["content-type"], "application/problem+json");
        self.problems.insert(code.to_owned(), problem);
    }

    fn replace(&mut self, chance: &Value, word: &str) {
        let chance = chance.as_str().unwrap().to_owned();
        self.replaced.push((chance, word.to_owned()));
    }

    fn written(&self) -> String {
        let all = json!({ "operations": self.operations, "problems": self.problems });
        let mut text = serde_json::to_string_pretty(&all).unwrap();
        for (chance, word) in &self.replaced {
            text = text.replace(chance, word);
        }
        text + "\n"
    }
}

async fn people(r: &mut Recorder) {
    let new = [("if-none-match", "*")];
    let put = operation("save_campaign").at("spring").with(&new);
    let first = json!({ "source": RULES, "reason": "the first" });
    r.take(put.body(first)).await;
    r.take(operation("get_campaign").at("spring")).await;
    r.take(operation("list_campaigns")).await;
    r.take(operation("list_revisions").at("spring")).await;
    let link = json!({ "landing_page": "https://www.example.com/welcome", "origins": ["https://app.example.com"] });
    r.take(operation("set_campaign_link").at("spring").body(link))
        .await;
    r.take(operation("get_campaign_link").at("spring")).await;
    let ana = json!({ "id": "prom_ana", "name": "Ana", "email": "ana@promoters.example", "code": "ana", "coupons": ["ANA10"] });
    r.take(operation("add_promoter").body(ana)).await;
    let code = json!({ "code": "ana-2026", "coupons": ["ANA10", "ANA20"] });
    r.take(operation("change_promoter").at("prom_ana").body(code))
        .await;
    r.take(operation("get_promoter").at("prom_ana")).await;
    r.take(operation("list_promoters")).await;
    r.take(operation("suspend_promoter").at("prom_ana")).await;
    r.take(operation("unsuspend_promoter").at("prom_ana")).await;
    // Before mails are sent, of which the server writes down what became.
    r.take(operation("list_audit")).await;
    r.take(operation("invite_promoter").at("prom_ana")).await;
}

async fn money(r: &mut Recorder) {
    let bo = json!({ "id": "ref_bo", "campaign": "spring", "promoter": "prom_ana", "email": "bo@invited.example", "referred_at": "2026-03-01T09:00:00Z" });
    r.take(operation("register_referral").body(bo)).await;
    let bench = &r.bench;
    bench.refer("ref_cy", "cy@invited.example").await;
    bench
        .customer("cus_bo", "bo@invited.example", "2026-03-02T10:00:00Z")
        .await;
    // An hour before the referral, and so a near miss.
    bench
        .payment("ch_0", "cus_bo", 2500, "2026-03-01T08:00:00Z")
        .await;
    bench
        .payment("ch_1", "cus_bo", 6000, "2026-03-03T10:00:00Z")
        .await;
    let refund = json!({ "id": "re_1", "object": "refund", "charge": "ch_1", "amount": 500, "currency": "usd", "status": "succeeded", "created": at("2026-03-04T10:00:00Z").unix() });
    bench
        .event("evt_re_1", "refund.created", "2026-03-04T10:00:00Z", refund)
        .await;
    bench
        .event("evt_odd", "x.y", "2026-03-05T10:00:00Z", json!({}))
        .await;
    for id in ["cus_cy1", "cus_cy2"] {
        bench
            .customer(id, "cy@invited.example", "2026-03-02T11:00:00Z")
            .await;
    }
    bench
        .payment("ch_2", "cus_cy2", 9000, "2026-03-06T10:00:00Z")
        .await;
    r.take(operation("list_referrals")).await;
    r.take(operation("get_referral").at("ref_bo")).await;
    r.take(operation("list_customers")).await;
    r.take(operation("get_customer").at("cus_bo")).await;
    r.take(operation("list_payments")).await;
    r.take(operation("get_payment").at("ch_1")).await;
    r.take(operation("list_near_misses")).await;
    r.take(operation("list_events")).await;
    r.take(operation("get_event").at("evt_odd")).await;
    r.take(operation("replay_event").at("evt_odd")).await;
    r.bench.catch_up().await;
    r.take(operation("list_connections")).await;
    r.take(operation("get_connection").at("live")).await;
    r.take(operation("run_doctor")).await;
}

async fn decisions(r: &mut Recorder) {
    let list = r.take(operation("list_cases")).await;
    let case = list["data"][0]["id"].as_str().unwrap().to_owned();
    r.take(operation("get_case").at(&case)).await;
    let choice = json!({ "choose": "customer", "customer": "cus_cy2" });
    let preview = json!({ "choice": choice });
    r.take(operation("preview_case").at(&case).body(preview))
        .await;
    let resolve = json!({ "choice": choice, "reason": "she wrote to us" });
    r.take(operation("resolve_case").at(&case).body(resolve))
        .await;
    // A decision of the same second could not be told from the one before.
    r.bench.clock.set(at("2026-03-10T12:35:00Z"));
    let undo = json!({ "reason": "it was the other one" });
    r.take(operation("undo_case").at(&case).body(undo)).await;
}

/// Two people whose email is almost a referral's: one is that person, the other is not.
async fn near(r: &mut Recorder) {
    for (number, name, does) in [
        (1, "dina", "link_near_miss"),
        (2, "edda", "dismiss_near_miss"),
    ] {
        let (referral, customer) = (format!("ref_{name}"), format!("cus_{name}"));
        let email = format!("{name}.berg@invited.example");
        r.bench.refer(&referral, &email).await;
        let almost = email.replace('@', "+shop@");
        r.bench
            .customer(&customer, &almost, "2026-03-02T12:00:00Z")
            .await;
        r.bench
            .payment(
                &format!("ch_{name}"),
                &customer,
                7000,
                "2026-03-07T10:00:00Z",
            )
            .await;
        let list = body(&r.send(&operation("list_near_misses")).await);
        let rows = list["data"].as_array().unwrap();
        let row = rows.iter().find(|row| row["referral"] == referral.as_str());
        let id = row.unwrap()["id"].as_str().unwrap().to_owned();
        r.bench
            .clock
            .set(at(&format!("2026-03-10T12:36:0{number}Z")));
        let why = json!({ "reason": "we asked her" });
        r.take(operation(does).at(&id).body(why)).await;
    }
}

async fn settling(r: &mut Recorder) {
    r.take(operation("list_rewards")).await;
    r.take(operation("get_next_batch")).await;
    let ask = json!({ "cut_off": "2026-03-20T00:00:00Z" });
    r.take(operation("preview_batch").body(ask)).await;
    r.bench.clock.set(at("2026-03-20T10:00:00Z"));
    r.bench.catch_up().await;
    let ran = r.take(operation("run_batch")).await;
    let batch = ran["batch"]["id"].as_str().unwrap().to_owned();
    r.take(operation("list_batches")).await;
    r.take(operation("get_batch").at(&batch)).await;
    r.take(operation("list_batch_items").at(&batch)).await;
    let list = r.take(operation("list_qualifications")).await;
    let qualification = list["data"][0]["id"].as_str().unwrap().to_owned();
    r.take(operation("get_qualification").at(&qualification))
        .await;
    r.take(operation("explain_referral").at("ref_bo")).await;
    r.take(operation("get_referral_timeline").at("ref_bo"))
        .await;
    let zoe = json!({ "id": "prom_zoe", "name": "Zoe" });
    assert_eq!(
        r.send(&operation("add_promoter").body(zoe)).await.status,
        201
    );
    let to = json!({ "promoter": "prom_zoe", "reason": "Zoe brought her" });
    r.take(operation("reassign_referral").at("ref_cy").body(to))
        .await;
    r.take(operation("list_accounts")).await;
    r.take(operation("list_transactions")).await;
    r.take(operation("list_entries")).await;
}

async fn backtests(r: &mut Recorder) {
    let easier = RULES.replace("50.00", "20.00");
    let body = json!({ "source": easier, "days": 90 });
    let started = r
        .take(operation("start_backtest").at("spring").body(body.clone()))
        .await;
    let id = started["id"].as_str().unwrap().to_owned();
    // It may be a step further when it is answered.
    r.operations["start_backtest"]["answer"]["state"] = json!("waiting");
    loop {
        let job = r.take(operation("get_backtest").at(&id)).await;
        if job["state"] == "done" {
            break;
        }
        tokio::task::yield_now().await;
    }
    // Some are over before they can be stopped.
    let stopped = loop {
        let another = operation("start_backtest").at("spring").body(body.clone());
        let another = crate::bench::body(&r.send(&another).await);
        let Some(id) = another["id"].as_str() else {
            continue;
        };
        let stop = operation("stop_backtest").at(id);
        let answer = r.send(&stop).await;
        if answer.status == 200 {
            break r.keep(&stop, &answer);
        }
    };
    r.replace(&json!(id), "<backtest>");
    r.replace(&stopped["id"], "<backtest>");
}

async fn access(r: &mut Recorder) {
    let invite = json!({ "email": "mara@example.com", "name": "Mara", "role": "marketer" });
    let user = r.take(operation("invite_user").body(invite)).await;
    let id = user["id"].as_str().unwrap().to_owned();
    r.take(operation("get_user").at(&id)).await;
    let role = json!({ "role": "admin" });
    r.take(operation("change_user").at(&id).body(role)).await;
    r.take(operation("deactivate_user").at(&id)).await;
    r.take(operation("reactivate_user").at(&id)).await;
    r.take(operation("list_users")).await;
    let key = json!({ "name": "shop", "scopes": ["referrals:read", "referrals:write"] });
    let made = r.take(operation("make_key").body(key)).await;
    let id = made["id"].as_str().unwrap().to_owned();
    r.take(operation("get_key").at(&id)).await;
    r.take(operation("list_keys")).await;
    r.take(operation("revoke_key").at(&id)).await;
    r.replace(&made["key"], "<key>");
    r.replace(&made["id"], "<key id>");
}

/// The address of somebody who takes messages.
async fn receiver() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let routes = axum::Router::new().fallback(|| async { axum::http::StatusCode::OK });
    tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
    format!("http://{address}/hooks")
}

async fn webhooks(r: &mut Recorder) {
    // What was settled before there was an endpoint, it is not told.
    r.bench.clock.set(at("2026-03-20T10:05:00Z"));
    let url = receiver().await;
    let new = json!({ "url": url, "description": "the shop", "topics": ["qualification.settled", "qualification.reversed"] });
    let made = r.take(operation("add_webhook_endpoint").body(new)).await;
    let id = made["id"].as_str().unwrap().to_owned();
    r.take(operation("get_webhook_endpoint").at(&id)).await;
    r.take(operation("list_webhook_endpoints")).await;
    let change = json!({ "topics": ["*"] });
    r.take(operation("change_webhook_endpoint").at(&id).body(change))
        .await;
    r.take(operation("test_webhook_endpoint").at(&id)).await;
    r.operations["test_webhook_endpoint"]["answer"]["duration_ms"] = json!(31);
    let rotated = r.take(operation("rotate_webhook_secret").at(&id)).await;
    // Told by the server's own worker.
    let message = qualify::store::outbox::OutboxMessage {
        outbox_id: "example".into(),
        topic: "qualification.settled".to_owned(),
        subject_id: "example".to_owned(),
        payload: "{}".to_owned(),
        created_at: at("2026-03-20T10:05:00Z").unix(),
        delivered_at: None,
        attempts: 0,
    };
    let app = std::sync::Arc::clone(&r.bench.server.app);
    let mut tx = app.db.begin().await.unwrap();
    qualify::store::outbox::insert_messages(&mut tx, &app.connection, &[message])
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let delivered = loop {
        let list = operation("list_webhook_deliveries").at(&id);
        let answer = r.send(&list).await;
        let rows = body(&answer);
        if rows["data"][0]["state"] == "delivered" {
            break r.keep(&list, &answer);
        }
        tokio::task::yield_now().await;
    };
    let again = json!({ "message": delivered["data"][0]["id"] });
    r.take(operation("redeliver_webhook").at(&id).body(again))
        .await;
    r.take(operation("delete_webhook_endpoint").at(&id)).await;
    r.replace(&json!(url), "https://shop.example.com/hooks");
    r.replace(&made["secret"], "<secret>");
    r.replace(&rotated["secret"], "<secret>");
    r.replace(&made["id"], "<webhook endpoint>");
}

async fn refusals(r: &mut Recorder) {
    let none = [("authorization", "Bearer qk_nobody's")];
    r.refused("unauthenticated", operation("list_cases").with(&none))
        .await;
    let poor = r.bench.make_key("poor", &["cases:read"], 99).await;
    let poor = format!("Bearer {poor}");
    let header = [("authorization", poor.as_str())];
    r.refused("scope_missing", operation("list_promoters").with(&header))
        .await;
    r.refused("not_found", operation("get_referral").at("ref_nobody"))
        .await;
    let odd = r.bench.get("/promoters?promotor=ana").await;
    r.keep_refused("parameter_invalid", &odd);
    let typo = json!({ "campaign": "spring", "promotor": "prom_ana" });
    r.refused("unknown_field", operation("register_referral").body(typo))
        .await;
    let short = json!({ "name": "shop" });
    r.refused("field_missing", operation("make_key").body(short))
        .await;
    let odd = json!({ "email": 7 });
    r.refused(
        "field_invalid",
        operation("invite_promoter").at("prom_ana").body(odd),
    )
    .await;
    let ana = json!({ "id": "prom_ana", "name": "Ana" });
    r.refused("id_taken", operation("add_promoter").body(ana))
        .await;
    let same = [("idempotency-key", "signup-1")];
    for (name, status) in [("Cem", 201), ("Dan", 409)] {
        let asked = operation("add_promoter").with(&same);
        let answer = r.send(&asked.body(json!({ "name": name }))).await;
        assert_eq!(answer.status, status);
        if status == 409 {
            r.keep_refused("idempotency_key_reused", &answer);
        }
    }
    let rules = json!({ "source": RULES.replace("within_days", "within_dayz"), "reason": "" });
    let edited = [("if-match", "\"1\"")];
    let put = || operation("save_campaign").at("spring");
    r.refused("rules_invalid", put().with(&edited).body(rules))
        .await;
    let again = json!({ "source": RULES, "reason": "" });
    r.refused("precondition_required", put().body(again.clone()))
        .await;
    let new = [("if-none-match", "*")];
    r.refused("stale", put().with(&new).body(again)).await;
    let mut plain = r.bench.request("POST", "/promoters", &[]);
    plain.body = b"name=Ana".to_vec();
    let answer = send(r.bench.server.local_addr, &plain).await;
    r.keep_refused("content_type_unsupported", &answer);
}

#[tokio::test(flavor = "multi_thread")]
async fn examples_are_what_the_server_answers() {
    let mut r = Recorder {
        bench: Bench::start().await,
        operations: Map::new(),
        problems: Map::new(),
        replaced: Vec::new(),
    };
    people(&mut r).await;
    money(&mut r).await;
    decisions(&mut r).await;
    near(&mut r).await;
    settling(&mut r).await;
    backtests(&mut r).await;
    access(&mut r).await;
    webhooks(&mut r).await;
    refusals(&mut r).await;

    let asked: BTreeSet<&String> = r.operations.keys().collect();
    let described: Vec<String> = document()["paths"]
        .as_object()
        .unwrap()
        .values()
        .flat_map(|methods| methods.as_object().unwrap().values())
        .map(|described| described["operationId"].as_str().unwrap().to_owned())
        .collect();
    let missing: Vec<&String> = described.iter().filter(|id| !asked.contains(id)).collect();
    assert!(
        missing.is_empty(),
        "ask for these above, so that they have an example: {missing:#?}"
    );

    let written = r.written();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/api/document/examples.json");
    if std::env::var("INSTA_UPDATE").is_ok_and(|wanted| wanted == "always") {
        std::fs::write(&file, &written).unwrap();
    }
    let kept = std::fs::read_to_string(&file).unwrap();
    for (line, (kept, seen)) in kept.lines().zip(written.lines()).enumerate() {
        assert_eq!(
            kept,
            seen,
            "line {}; INSTA_UPDATE=always writes it anew",
            line + 1
        );
    }
    assert_eq!(
        kept.len(),
        written.len(),
        "INSTA_UPDATE=always writes it anew"
    );
    r.bench.end().await;
}
