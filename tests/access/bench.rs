//! A server with people of every role, two promoters, and a way to ask as any of them.

use std::ops::Deref;

use qualify::access::users::Invitation;
use qualify::access::{Access, Filled, Started, Visitor};
use qualify::domain::access::{By, Role};
use qualify::domain::ids::ConnectionId;
use serde_json::{Value, json};

use crate::client::{Answer, Request, send};

#[path = "../support/served.rs"]
mod served;

use served::Served;

pub const PASSWORD: &str = "seven words are a good password";

pub const RULES: &str = r#"schema = 1
id     = "spring"
name   = "Spring: spend $50 in 30 days"

[qualify]
spend       = [ { at_least = "50.00", currency = "usd" } ]
within_days = 30

[reward.promoter]
fixed = { amount = "20.00", currency = "usd" }
"#;

pub struct Bench(Served);

impl Deref for Bench {
    type Target = Served;

    fn deref(&self) -> &Served {
        &self.0
    }
}

impl Bench {
    /// On 10 March 2026, with nobody in it.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// The same with some settings.
    pub async fn start_with(settings: &[(&str, &str)]) -> Self {
        Self(Served::start(settings).await)
    }

    pub fn access(&self) -> &Access {
        &self.server.app.access
    }

    /// A visitor from some address, with no session.
    pub fn visitor(&self, address: &str) -> Visitor {
        self.visitor_with(address, None)
    }

    /// A visitor who brings a cookie.
    pub fn visitor_with(&self, address: &str, cookie: Option<&str>) -> Visitor {
        let mut request = axum::http::Request::builder();
        if let Some(cookie) = cookie {
            request = request.header("cookie", cookie);
        }
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        let peer = format!("{address}:4711").parse().unwrap();
        parts.extensions.insert(qualify::http::server::Peer(peer));
        self.access().visitor(&parts)
    }

    /// Somebody of that role, come by a link; what the browser keeps.
    pub async fn person(&self, email: &str, role: Role, promoter: Option<&str>) -> Started {
        let invitation = Invitation {
            email: email.to_owned(),
            name: String::new(),
            role,
            promoter: promoter.map(Into::into),
        };
        let by = By::command_line();
        let (_, link) = self.access().add(&invitation, &by).await.unwrap();
        let filled = Filled {
            password: PASSWORD.to_owned(),
            ..Filled::default()
        };
        // Each from an address of their own: limits are not what is tested here.
        let address = format!("10.0.0.{}", email.len());
        let visitor = self.visitor(&address);
        let started = self.access().use_link(token(&link), &filled, &visitor);
        started.await.unwrap()
    }

    pub async fn key(&self, connection: &str, scopes: &[&str], chance: u8) -> String {
        let connection = ConnectionId::from(connection);
        let key = self.key_of(&connection, "test", scopes, chance).await;
        format!("Bearer {key}")
    }

    /// A campaign, two promoters with one referral each, and two customers who paid; the
    /// second promoter's things all carry the mark.
    pub async fn furnish(&self, mark: &str) -> String {
        let key = self.key("live", &["*"], 200).await;
        let auth = [("authorization", key.as_str())];
        let put = json!({ "source": RULES, "reason": "the first" });
        let saved = self
            .json("PUT", "/api/v1/campaigns/spring", &auth, put)
            .await;
        assert_eq!(saved.status, 201, "{saved:?}");
        for (id, name, code) in [
            ("prom_ana", "Ana".to_owned(), "ana".to_owned()),
            ("prom_ben", format!("Ben {mark}"), format!("ben-{mark}")),
        ] {
            let email = format!("{code}@promoters.example");
            let coupon = format!("{code}10");
            let body = json!({
                "id": id, "name": name, "code": code, "email": email, "coupons": [coupon],
            });
            let made = self.json("POST", "/api/v1/promoters", &auth, body).await;
            assert_eq!(made.status, 201, "{made:?}");
        }
        for (id, promoter, email) in [
            ("ref_1", "prom_ana", "one@example.com".to_owned()),
            ("ref_2", "prom_ben", format!("two-{mark}@example.com")),
        ] {
            let body = json!({
                "id": id, "campaign": "spring", "promoter": promoter, "email": email,
                "referred_at": "2026-03-01T09:00:00Z",
            });
            let made = self.json("POST", "/api/v1/referrals", &auth, body).await;
            assert_eq!(made.status, 201, "{made:?}");
        }
        self.pays("cus_1", "one@example.com").await;
        self.pays(&format!("cus_2{mark}"), &format!("two-{mark}@example.com"))
            .await;
        // The same address twice is a case.
        self.arrives(&format!("cus_3{mark}"), &format!("two-{mark}@example.com"))
            .await;
        key
    }

    async fn pays(&self, id: &str, email: &str) {
        self.arrives(id, email).await;
        let charge = format!("ch_{id}");
        self.payment(&charge, id, 6000, "2026-03-03T10:00:00Z")
            .await;
    }

    async fn arrives(&self, id: &str, email: &str) {
        self.customer(id, email, "2026-03-02T10:00:00Z").await;
    }

    pub async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send(method, path, headers, Vec::new()).await
    }

    pub async fn json(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Value,
    ) -> Answer {
        let headers = [headers, &[("content-type", "application/json")]].concat();
        let body = body.to_string().into_bytes();
        self.send(method, path, &headers, body).await
    }

    async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Answer {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let request = Request {
            method: method.to_owned(),
            path: path.to_owned(),
            headers: headers.iter().map(own).collect(),
            body,
            ..Request::default()
        };
        send(self.server.local_addr, &request).await
    }

    pub async fn end(self) {
        self.0.end().await;
    }
}

/// The token in a link.
pub fn token(link: &str) -> &str {
    link.split_once("token=").unwrap().1
}

/// What a browser sends back of a session's cookie.
pub fn cookie(started: &Started) -> String {
    let set = started.cookie.to_str().unwrap();
    set.split(';').next().unwrap().to_owned()
}
