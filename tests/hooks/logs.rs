//! What a real process writes to its log at level debug, as text and as JSON: through a small
//! life in which every kind of secret is used, none of them is in it, and nobody's email.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

use qualify::clock::{Clock as _, SystemClock};
use qualify::stripe::signature::sign;
use qualify::web::url::encode;
use serde_json::{Value, json};

use crate::client::{Answer, Request, send};
use crate::receiver::Receiver;
use crate::smtp::Server;

const SIGNING: &str = "whsec_SENTINELsigning";
const SECRET_KEY: &str = "SENTINELsecretkey0123456789abcdef0123456789";
const STRIPE_KEY: &str = "rk_live_SENTINELstripekey";
const OWNER: &str = "sentinel.owner@shop.example";
const INVITED: &str = "sentinel.invited@shop.example";
const CUSTOMER: &str = "sentinel.customer@invited.example";
const PASSWORD: &str = "four SENTINEL words nobody guesses";

/// The program as a process; it is killed when it is dropped.
struct Life {
    child: Child,
    address: SocketAddr,
    cookie: String,
    key: String,
    /// What nobody may read in a log, with what it is.
    secrets: Vec<(&'static str, String)>,
}

impl Drop for Life {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn read(folder: &Path, name: &str) -> String {
    std::fs::read_to_string(folder.join(name)).unwrap()
}

/// Looks until there is something; a life takes seconds.
async fn seen<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    for _ in 0..6_000 {
        if let Some(found) = look() {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("waited for {what}");
}

fn between<'t>(text: &'t str, before: &str, end: char) -> &'t str {
    let (_, rest) = text
        .split_once(before)
        .unwrap_or_else(|| panic!("{before}: {text}"));
    rest.split(end).next().unwrap()
}

impl Life {
    async fn begin(folder: &Path, format: &str, receiver: &Receiver, smtp: &Server) -> Self {
        let file = |name: &str| std::fs::File::create(folder.join(name)).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_qualify"))
            .arg("serve")
            .current_dir(folder)
            .env_clear()
            .env("LISTEN_ADDR", "127.0.0.1:0")
            .env("RUST_LOG", "debug")
            .env("LOG_FORMAT", format)
            .env("STRIPE_WEBHOOK_SECRET", SIGNING)
            .env("STRIPE_API_KEY", STRIPE_KEY)
            .env("STRIPE_API_BASE", format!("http://{}", receiver.address))
            .env("APP_SECRET_KEY", SECRET_KEY)
            .env("WEBHOOKS_ALLOW_PRIVATE", "true")
            .env("SMTP_URL", smtp.url())
            .stdout(file("said"))
            .stderr(file("logged"))
            .spawn()
            .unwrap();
        let said = seen("the greeting", || {
            Some(read(folder, "said")).filter(|said| said.contains("stripe listen"))
        })
        .await;
        let address = between(&said, "stripe listen --forward-to http://", '/');
        let mut life = Self {
            child,
            address: address.parse().unwrap(),
            cookie: String::new(),
            key: String::new(),
            secrets: Vec::new(),
        };
        // It is printed to whoever starts the program, and logged nowhere.
        let token = between(&said, "token=", '\n').trim().to_owned();
        life.keeps("the token of the setup link", &token);
        let first = [
            ("token", token.as_str()),
            ("email", OWNER),
            ("name", "Mara"),
            ("password", PASSWORD),
        ];
        life.comes_in("/link", &first).await;
        life
    }

    fn keeps(&mut self, what: &'static str, secret: &str) {
        assert!(
            secret.len() >= 12,
            "{what} would be found by chance: {secret}"
        );
        self.secrets.push((what, secret.to_owned()));
    }

    async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let headers = headers
            .iter()
            .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
        let request = Request {
            method: method.to_owned(),
            path: path.to_owned(),
            headers: headers.collect(),
            body: body.as_bytes().to_vec(),
            ..Request::default()
        };
        send(self.address, &request).await
    }

    /// As a browser does.
    async fn form(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let pairs = fields
            .iter()
            .map(|(n, v)| format!("{}={}", encode(n), encode(v)));
        let headers = [
            ("accept", "text/html"),
            ("sec-fetch-site", "same-origin"),
            ("content-type", "application/x-www-form-urlencoded"),
            ("cookie", &self.cookie),
        ];
        let body: Vec<String> = pairs.collect();
        self.ask("POST", path, &headers, &body.join("&")).await
    }

    async fn page(&self, path: &str) -> Answer {
        let headers = [("accept", "text/html"), ("cookie", &self.cookie)];
        self.ask("GET", path, &headers, "").await
    }

    async fn comes_in(&mut self, path: &str, fields: &[(&str, &str)]) {
        let answer = self.form(path, fields).await;
        assert_eq!(answer.status, 303, "{answer:?}");
        let set = answer.headers["set-cookie"].lines();
        let mut set = set.filter(|line| line.contains("qualify_session="));
        let pair = set.next().unwrap().split(';').next().unwrap().to_owned();
        let (_, value) = pair.split_once('=').unwrap();
        self.keeps("a session", value);
        self.cookie = pair;
    }

    /// As a program with the key does.
    async fn api(&self, method: &str, path: &str, body: &Value) -> Value {
        let bearer = format!("Bearer {}", self.key);
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
        ];
        let text = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let headers = if text.is_empty() {
            &headers[..1]
        } else {
            &headers[..]
        };
        let answer = self
            .ask(method, &format!("/api/v1{path}"), headers, &text)
            .await;
        assert!(answer.status < 300, "{method} {path}: {answer:?}");
        serde_json::from_str(&answer.body).unwrap()
    }

    /// As Stripe does.
    async fn event(&mut self, id: &str, email: &str, secret: &str) -> u16 {
        let now = SystemClock.now();
        let body = json!({
            "id": format!("evt_{id}"), "object": "event", "type": "customer.created",
            "created": now.unix(), "livemode": true, "api_version": "2024-09-30.acacia",
            "data": { "object": {
                "id": format!("cus_{id}"), "object": "customer", "email": email,
                "created": now.unix(), "livemode": true, "metadata": {},
            } },
        });
        let body = body.to_string();
        let signature = sign(secret, body.as_bytes(), now);
        self.keeps("a signature of Stripe's", between(&signature, "v1=", ','));
        let headers = [("stripe-signature", signature.as_str())];
        self.ask("POST", "/webhooks/stripe", &headers, &body)
            .await
            .status
    }

    async fn is_told_by_stripe(&mut self) {
        assert_eq!(self.event("1", CUSTOMER, SIGNING).await, 200);
        assert_eq!(self.event("2", CUSTOMER, SIGNING).await, 200);
        assert_eq!(self.event("3", CUSTOMER, "whsec_SENTINELother").await, 400);
        let headers = [("stripe-signature", "t=1,v1=SENTINELmalformed")];
        let body = format!("{{\"email\":\"{CUSTOMER}\"");
        let refused = self.ask("POST", "/webhooks/stripe", &headers, &body).await;
        assert_eq!(refused.status, 400);
    }

    async fn signs_in(&mut self) {
        let wrong = [("email", OWNER), ("password", "SENTINELwrongpassword")];
        assert_eq!(self.form("/sign-in", &wrong).await.status, 422);
        let stranger = [("email", CUSTOMER), ("password", PASSWORD)];
        assert_eq!(self.form("/sign-in", &stranger).await.status, 422);
        let right = [("email", OWNER), ("password", PASSWORD)];
        self.comes_in("/sign-in", &right).await;
        let page = self
            .page(&format!("/referrals?q={}", encode(CUSTOMER)))
            .await;
        assert_eq!(page.status, 200);
    }

    async fn makes_a_key(&mut self) {
        let fields = [("name", "shop"), ("scopes", "*")];
        let made = self.form("/admin/new-key", &fields).await;
        assert_eq!(made.status, 200, "{made:?}");
        self.key = format!("qk_{}", between(&made.body, "<code>qk_", '<'));
        let key = self.key.clone();
        self.keeps("an API key", &key);
        let rules = json!({ "source": crate::story::RULES, "reason": "first" });
        let bearer = format!("Bearer {key}");
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
            ("if-none-match", "*"),
        ];
        let rules = rules.to_string();
        let put = self.ask("PUT", "/api/v1/campaigns/spring", &headers, &rules);
        assert!(put.await.status < 300);
        let promoter =
            json!({ "id": "prom_ana", "name": "Ana", "email": "sentinel.ana@shop.example" });
        self.api("POST", "/promoters", &promoter).await;
        let search = format!("/customers?email={}", encode(CUSTOMER));
        self.api("GET", &search, &Value::Null).await;
        self.api("GET", "/doctor", &Value::Null).await;
        let headers = [(
            "authorization",
            "Bearer qk_SENTINELSENTINELSENTINELSENTINELSENTINELabc",
        )];
        let refused = self.ask("GET", "/api/v1/customers", &headers, "").await;
        assert_eq!(refused.status, 401);
    }

    async fn tells_an_endpoint(&mut self, receiver: &Receiver) {
        let new = json!({ "url": format!("{}?token=SENTINELofaddress", receiver.url()) });
        let made = self.api("POST", "/webhook_endpoints", &new).await;
        let secret = made["secret"].as_str().unwrap().to_owned();
        let (_, bare) = secret.split_once("whsec_").unwrap();
        self.keeps("an endpoint's secret", bare);
        let test = format!("/webhook_endpoints/{}/test", made["id"].as_str().unwrap());
        self.api("POST", &test, &json!({})).await;
        // Two customers of the email of one referral are a case, of which endpoints are told.
        let referral = json!({
            "id": "ref_1", "campaign": "spring", "promoter": "prom_ana", "email": CUSTOMER,
        });
        self.api("POST", "/referrals", &referral).await;
        let opened = seen("the delivery of a case", || {
            let mut got = receiver.got().into_iter();
            got.find(|got| got.body.contains("\"case.opened\""))
        });
        let signature = opened.await.headers["webhook-signature"]
            .to_str()
            .unwrap()
            .to_owned();
        self.keeps("a signature of ours", signature.trim_start_matches("v1,"));
    }

    async fn invites_by_mail(&mut self, smtp: &Server) {
        let fields = [("email", INVITED), ("name", "Jo"), ("role", "viewer")];
        let invited = self.form("/admin/invite", &fields).await;
        assert_eq!(invited.status, 303, "{invited:?}");
        let mail = seen("a mail", || smtp.mails().into_iter().next()).await;
        let text = mail.text.replace("=\n", "").replace("=3D", "=");
        let token = between(&text, "/link?token=", '\n').trim().to_owned();
        self.keeps("the token of a mailed link", &token);
        assert_eq!(self.page(&format!("/link?token={token}")).await.status, 200);
        let fields = [
            ("token", token.as_str()),
            ("name", "Jo"),
            ("password", PASSWORD),
        ];
        self.comes_in("/link", &fields).await;
    }

    /// Ends it, and looks at everything that it wrote.
    async fn ends(mut self, folder: &Path) {
        let id = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &id]).status().unwrap();
        let ended = seen("the end", || self.child.try_wait().unwrap()).await;
        let (said, logged) = (read(folder, "said"), read(folder, "logged"));
        assert!(ended.success(), "{logged}");
        for (what, secret) in &self.secrets {
            assert!(
                !logged.contains(secret),
                "{what} is logged: {}",
                line_of(&logged, secret)
            );
            let is_setup = *what == "the token of the setup link";
            assert_eq!(said.contains(secret), is_setup, "{what}: {said}");
        }
        for mark in ["SENTINEL", "sentinel", "@shop.example", "@invited.example"] {
            assert!(
                !logged.contains(mark),
                "it is logged: {}",
                line_of(&logged, mark)
            );
            assert!(!said.contains(mark), "{said}");
        }
        let lines = logged.lines().filter(|line| line.contains("DEBUG"));
        assert!(lines.count() > 20, "much is said at this level: {logged}");
    }
}

fn line_of<'t>(text: &'t str, part: &str) -> &'t str {
    text.lines()
        .find(|line| line.contains(part))
        .unwrap_or("over several lines")
}

async fn lives(format: &str) {
    let folder = tempfile::tempdir().unwrap();
    let (receiver, smtp) = (Receiver::start().await, Server::start().await);
    let mut life = Life::begin(folder.path(), format, &receiver, &smtp).await;
    life.is_told_by_stripe().await;
    life.signs_in().await;
    life.makes_a_key().await;
    life.tells_an_endpoint(&receiver).await;
    life.invites_by_mail(&smtp).await;
    life.ends(folder.path()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_of_lines_has_no_secret_and_no_email() {
    lives("text").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_of_json_has_no_secret_and_no_email() {
    lives("json").await;
}
