//! A server with one key that may do everything, a way to ask it, and signed events.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use qualify::access::keys;
use qualify::app::{App, Running};
use qualify::clock::{Clock, ManualClock};
use qualify::config::Config;
use qualify::domain::access::By;
use qualify::domain::time::Timestamp;
use qualify::ingest::read::Scope;
use qualify::ingest::worker::ingest_batch;
use qualify::queue::worker::{judge_batch, mark_due};
use qualify::settle::schedule::run_due;
use qualify::stripe::signature;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::{Answer, Request, send};

const SECRET: &str = "whsec_test_of_the_api";

pub const RULES: &str = r#"schema = 1
id     = "spring"
name   = "Spring: spend $50 in 30 days"

[qualify]
spend       = [ { at_least = "50.00", currency = "usd" } ]
within_days = 30
hold_days   = 14

[reward.promoter]
fixed = { amount = "20.00", currency = "usd" }

[reward.invited]
fixed = { amount = "10.00", currency = "usd" }
"#;

pub fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

pub struct Bench {
    pub server: Running,
    pub clock: Arc<ManualClock>,
    pub key: String,
    folder: TempDir,
}

impl Bench {
    /// On 10 March 2026, with nothing in it but the empty batch of the year's first day: so
    /// late a schedule leaves batches to the tests.
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let rules = folder.path().join("rules").display().to_string();
        let database = format!("sqlite://{}/qualify.db", folder.path().display());
        let env = [
            ("DATABASE_URL", database.as_str()),
            ("LISTEN_ADDR", "127.0.0.1:0"),
            ("STRIPE_MODE", "live"),
            ("STRIPE_WEBHOOK_SECRET", SECRET),
            ("RULES_DIR", rules.as_str()),
            ("SETTLE_CRON", "0 0 0 1 1 *"),
        ];
        let env: BTreeMap<String, String> = env.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        let none = |_: &Path| Ok(String::new());
        let config = Config::resolve(&BTreeMap::new(), &env, None, &none).unwrap();
        let clock = Arc::new(ManualClock::at(at("2026-03-10T12:34:56Z")));
        let server = App::start(config, Arc::clone(&clock) as Arc<dyn Clock>);
        let server = server.await.unwrap();
        let app = &server.app;
        let schedule = &app.config.settle_cron.schedule;
        run_due(
            &app.db,
            &app.connection,
            schedule,
            &app.node,
            clock.as_ref(),
        )
        .await
        .unwrap();
        let mut bench = Self {
            server,
            clock,
            key: String::new(),
            folder,
        };
        bench.key = bench.make_key("tests", &["*"], 7).await;
        bench
    }

    /// The same with a campaign and two promoters.
    pub async fn furnished() -> Self {
        let bench = Self::start().await;
        bench.save_campaign().await;
        for (id, name, coupon) in [("prom_ana", "Ana", "ANA10"), ("prom_ben", "Ben", "BEN10")] {
            let email = format!("{}@promoters.example", name.to_lowercase());
            let body = json!({ "id": id, "name": name, "email": email, "coupons": [coupon] });
            assert_eq!(bench.post("/promoters", body).await.status, 201);
        }
        bench
    }

    pub async fn save_campaign(&self) -> Answer {
        let body = json!({ "source": RULES, "reason": "the first" });
        let new = [("if-none-match", "*")];
        let answer = self.ask("PUT", "/campaigns/spring", &new, Some(body)).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer
    }

    /// Registers a person of Ana's on 1 March.
    pub async fn refer(&self, id: &str, email: &str) -> Answer {
        let body = json!({
            "id": id,
            "campaign": "spring",
            "promoter": "prom_ana",
            "email": email,
            "referred_at": "2026-03-01T09:00:00Z",
        });
        self.post("/referrals", body).await
    }

    pub async fn make_key(&self, name: &str, scopes: &[&str], chance: u8) -> String {
        let app = &self.server.app;
        let scopes: Vec<String> = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        let by = By::command_line();
        let made = keys::create(
            &app.db,
            &app.connection,
            self.clock.as_ref(),
            [chance; 32],
            (name, &scopes),
            &by,
        );
        made.await.unwrap().key
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[], None).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.ask("POST", path, &[], Some(body)).await
    }

    pub async fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> Answer {
        let mut request = self.request(method, path, headers);
        if let Some(body) = body {
            request.body = body.to_string().into_bytes();
            let kind = ("content-type".to_owned(), "application/json".to_owned());
            request.headers.push(kind);
        }
        send(self.server.local_addr, &request).await
    }

    /// A request with the key, if no other is given, and without a body.
    pub fn request(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Request {
        let mut all: Vec<(String, String)> = headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        if !headers.iter().any(|(name, _)| *name == "authorization") {
            all.push(("authorization".to_owned(), format!("Bearer {}", self.key)));
        }
        Request {
            method: method.to_owned(),
            path: format!("/api/v1{path}"),
            headers: all,
            ..Request::default()
        }
    }

    /// Posts a signed event and waits until everything behind it has been done.
    pub async fn event(&self, id: &str, kind: &str, created: &str, object: Value) {
        let event = json!({
            "id": id,
            "object": "event",
            "type": kind,
            "created": at(created).unix(),
            "livemode": true,
            "api_version": "2024-09-30.acacia",
            "data": { "object": object },
        });
        let body = event.to_string().into_bytes();
        let signed = signature::sign(SECRET, &body, self.clock.now());
        let request = Request {
            method: "POST".to_owned(),
            path: "/webhooks/stripe".to_owned(),
            headers: vec![("stripe-signature".to_owned(), signed)],
            body,
            ..Request::default()
        };
        let answer = send(self.server.local_addr, &request).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        self.catch_up().await;
    }

    /// A customer of that email.
    pub async fn customer(&self, id: &str, email: &str, created: &str) {
        let object = json!({
            "id": id, "object": "customer", "email": email, "created": at(created).unix(),
            "livemode": true, "metadata": {},
        });
        let event = format!("evt_{id}");
        self.event(&event, "customer.created", created, object)
            .await;
    }

    /// A payment of a customer.
    pub async fn payment(&self, id: &str, customer: &str, amount: i64, created: &str) {
        let object = json!({
            "id": id, "object": "charge", "customer": customer, "amount": amount,
            "amount_captured": amount, "amount_refunded": 0, "captured": true, "paid": true,
            "status": "succeeded", "currency": "usd", "created": at(created).unix(),
            "livemode": true, "refunded": false, "invoice": null, "payment_intent": null,
        });
        let event = format!("evt_{id}");
        self.event(&event, "charge.succeeded", created, object)
            .await;
    }

    /// Works off whatever waits, beside the server's own workers.
    pub async fn catch_up(&self) {
        let app = &self.server.app;
        let scope = Scope {
            account: None,
            mode: app.config.stripe.mode,
        };
        let clock = self.clock.as_ref();
        loop {
            let read = ingest_batch(&app.db, &app.connection, &scope, clock);
            let read = read.await.unwrap();
            mark_due(&app.db, &app.connection, clock).await.unwrap();
            let judged = judge_batch(&app.db, &app.connection, clock).await.unwrap();
            if read + judged == 0 {
                return;
            }
        }
    }

    pub async fn end(self) {
        self.server.shutdown().await;
        drop(self.folder);
    }
}

/// An answer's body.
pub fn body(answer: &Answer) -> Value {
    serde_json::from_str(&answer.body).unwrap_or_else(|_| panic!("no JSON: {answer:?}"))
}

/// Status and body of an answer under a name.
#[macro_export]
macro_rules! shot {
    ($name:expr, $answer:expr) => {{
        let answer = $answer;
        let shown = serde_json::json!({
            "status": answer.status,
            "body": $crate::bench::body(&answer),
        });
        insta::assert_json_snapshot!($name, shown);
    }};
}
