//! A real server on a real port over a fresh database, under a clock that stands still on
//! 10 March 2026, with signed events. What is built on it: the benches of `api`, `access` and
//! `pages`.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use qualify::access::keys;
use qualify::app::{App, Running};
use qualify::clock::{Clock, ManualClock};
use qualify::config::Config;
use qualify::domain::access::By;
use qualify::domain::ids::ConnectionId;
use qualify::domain::time::Timestamp;
use qualify::ingest::read::Scope;
use qualify::ingest::worker::ingest_batch;
use qualify::queue::worker::{judge_batch, mark_due};
use qualify::stripe::signature;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::{Request, send};

const SECRET: &str = "whsec_test_of_a_server";

pub fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

pub struct Served {
    pub server: Running,
    pub clock: Arc<ManualClock>,
    pub folder: TempDir,
}

impl Served {
    /// With nothing in it; settings beyond its own come last. So late a schedule leaves
    /// batches to the tests.
    pub async fn start(settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let rules = folder.path().join("rules").display().to_string();
        let database = format!("sqlite://{}/qualify.db", folder.path().display());
        let own = [
            ("DATABASE_URL", database.as_str()),
            ("LISTEN_ADDR", "127.0.0.1:0"),
            ("STRIPE_MODE", "live"),
            ("STRIPE_WEBHOOK_SECRET", SECRET),
            ("RULES_DIR", rules.as_str()),
            ("SETTLE_CRON", "0 0 0 1 1 *"),
        ];
        let all = own.iter().chain(settings);
        let env: BTreeMap<String, String> = all
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let none = |_: &Path| Ok(String::new());
        let config = Config::resolve(&BTreeMap::new(), &env, None, &none).unwrap();
        let clock = Arc::new(ManualClock::at(at("2026-03-10T12:34:56Z")));
        let server = App::start(config, Arc::clone(&clock) as Arc<dyn Clock>);
        Self {
            server: server.await.unwrap(),
            clock,
            folder,
        }
    }

    /// A key of a connection, always the same for the same chance.
    pub async fn key_of(
        &self,
        connection: &ConnectionId,
        name: &str,
        scopes: &[&str],
        chance: u8,
    ) -> String {
        let scopes: Vec<String> = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        let (clock, by) = (self.clock.as_ref(), By::command_line());
        let (db, chance) = (&self.server.app.db, [chance; 32]);
        let made = keys::create(db, connection, clock, chance, (name, &scopes), &by);
        made.await.unwrap().key
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

    /// A payment of a customer, in US cents.
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
            let read = ingest_batch(&app.db, &app.connection, &scope, clock).await;
            mark_due(&app.db, &app.connection, clock).await.unwrap();
            let judged = judge_batch(&app.db, &app.connection, clock).await;
            if read.unwrap() + judged.unwrap() == 0 {
                return;
            }
        }
    }

    pub async fn end(self) {
        self.server.shutdown().await;
        drop(self.folder);
    }
}
