//! A server with one key that may do everything, and a way to ask it.

use std::ops::Deref;

use qualify::domain::time::Timestamp;
use qualify::settle::schedule::run_due;
use serde_json::{Value, json};

use crate::client::{Answer, Request, send};

#[path = "../support/served.rs"]
mod served;

use served::Served;

pub fn at(text: &str) -> Timestamp {
    served::at(text)
}

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

pub struct Bench {
    served: Served,
    pub key: String,
}

impl Deref for Bench {
    type Target = Served;

    fn deref(&self) -> &Served {
        &self.served
    }
}

impl Bench {
    /// With nothing in it but the empty batch of the year's first day.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// The same with further settings.
    pub async fn start_with(further: &[(&str, &str)]) -> Self {
        let mut settings = vec![
            ("APP_SECRET_KEY", "0123456789abcdef0123456789abcdef"),
            ("WEBHOOKS_ALLOW_PRIVATE", "true"),
        ];
        settings.extend(further);
        let served = Served::start(&settings).await;
        let (app, clock) = (&served.server.app, served.clock.as_ref());
        let schedule = &app.config.settle_cron.schedule;
        run_due(&app.db, &app.connection, schedule, &app.node, clock)
            .await
            .unwrap();
        let mut bench = Self {
            served,
            key: String::new(),
        };
        bench.key = bench.make_key("tests", &["*"], 7).await;
        bench
    }

    /// The same with a campaign and two promoters.
    pub async fn furnished() -> Self {
        Self::furnished_with(&[]).await
    }

    /// The same with further settings.
    pub async fn furnished_with(settings: &[(&str, &str)]) -> Self {
        let bench = Self::start_with(settings).await;
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
        let connection = &self.server.app.connection;
        self.key_of(connection, name, scopes, chance).await
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

    pub async fn end(self) {
        self.served.end().await;
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
