//! A stand-in for Stripe's API: a real server on a loopback port that answers from small JSON in
//! the documented shapes, and remembers what it was asked.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

/// What it answers, changed by each test.
pub struct World {
    pub key: String,
    pub account: String,
    pub endpoints: Vec<Value>,
    pub events: Vec<Value>,
    pub coupons: BTreeMap<String, Value>,
    pub codes: Vec<Value>,
    /// Paths that the key may not read, with the permission that is named.
    pub denied: BTreeMap<&'static str, &'static str>,
    /// How many requests are still answered 429, and what `Retry-After` says.
    pub busy: (u32, &'static str),
    /// Whether it never answers.
    pub is_silent: bool,
    /// Every request: path with its query, and its version header.
    pub asked: Vec<(String, String)>,
}

pub struct Stripe {
    pub base: String,
    world: Arc<Mutex<World>>,
    serving: JoinHandle<()>,
}

impl Drop for Stripe {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Stripe {
    /// With a key of live mode, and nothing else in it.
    pub async fn start() -> Self {
        let world = Arc::new(Mutex::new(World {
            key: "rk_live_stand_in".to_owned(),
            account: "acct_1".to_owned(),
            endpoints: Vec::new(),
            events: Vec::new(),
            coupons: BTreeMap::new(),
            codes: Vec::new(),
            denied: BTreeMap::new(),
            busy: (0, "0"),
            is_silent: false,
            asked: Vec::new(),
        }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let routes = Router::new()
            .fallback(answer)
            .with_state(Arc::clone(&world));
        let serving = tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self {
            base,
            world,
            serving,
        }
    }

    /// With everything as a healthy installation at `base_url` has it.
    pub async fn healthy(base_url: &str) -> Self {
        let stripe = Self::start().await;
        stripe.world().endpoints = vec![endpoint(&format!("{base_url}/webhooks/stripe"))];
        stripe.has_coupon("ANA10", &json!({ "percent_off": 10.0 }));
        stripe.has_coupon("BEN10", &json!({ "amount_off": 500, "currency": "usd" }));
        stripe
    }

    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    pub fn has_coupon(&self, id: &str, more: &Value) {
        let mut coupon = json!({
            "id": id, "object": "coupon", "percent_off": null, "amount_off": null,
            "duration": "once", "livemode": true, "valid": true,
        });
        for (name, value) in more.as_object().unwrap() {
            coupon[name] = value.clone();
        }
        self.world().coupons.insert(id.to_owned(), coupon);
    }

    /// Settings that lead here.
    pub fn settings(&self) -> [(&'static str, String); 2] {
        [
            ("STRIPE_API_KEY", self.world().key.clone()),
            ("STRIPE_API_BASE", self.base.clone()),
        ]
    }
}

pub fn endpoint(url: &str) -> Value {
    json!({
        "id": "we_1", "object": "webhook_endpoint", "api_version": "2024-09-30.acacia",
        "application": null, "created": 1_680_122_196, "description": null,
        "enabled_events": qualify::stripe::EVENTS_NEEDED.to_vec(),
        "livemode": true, "metadata": {}, "status": "enabled", "url": url,
    })
}

pub fn promotion_code(code: &str, coupon: &str) -> Value {
    json!({
        "id": format!("promo_{code}"), "object": "promotion_code", "active": true, "code": code,
        "coupon": { "id": coupon, "object": "coupon" }, "livemode": true,
    })
}

async fn answer(State(world): State<Arc<Mutex<World>>>, request: Request) -> Response {
    // Without its body, which may not be looked at from two threads.
    let (request, _) = request.into_parts();
    let header = |name| {
        let value = request.headers.get(name).and_then(|v| v.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    let place = request.uri.path_and_query().unwrap().to_string();
    let version = header("stripe-version");
    let is_silent = {
        let mut world = world.lock().unwrap();
        world.asked.push((place, version));
        world.is_silent
    };
    if is_silent {
        return std::future::pending().await;
    }
    let mut world = world.lock().unwrap();
    if header("authorization") != format!("Bearer {}", world.key) {
        let message = "Invalid API Key provided: rk_live_********oken";
        return refused(401, message);
    }
    if world.busy.0 > 0 {
        world.busy.0 -= 1;
        let mut busy = refused(429, "Too many requests");
        let pause = world.busy.1.parse().unwrap();
        busy.headers_mut().insert("retry-after", pause);
        return busy;
    }
    let path = request.uri.path().strip_prefix("/v1").unwrap_or_default();
    let denied = world
        .denied
        .iter()
        .find(|(start, _)| path.starts_with(**start));
    if let Some((_, permission)) = denied {
        let message = format!(
            "The provided key 'rk_live_****n_in' does not have the required permissions for this \
             endpoint on account '{}'. Having the '{permission}' permission would allow this \
             request to continue.",
            world.account
        );
        return refused(403, &message);
    }
    found(&world, path, request.uri.query().unwrap_or_default())
}

fn found(world: &World, path: &str, query: &str) -> Response {
    let asked: BTreeMap<String, String> = url::form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .collect();
    match path {
        "/account" => {
            axum::Json(json!({ "id": world.account, "object": "account" })).into_response()
        }
        "/webhook_endpoints" => list(&world.endpoints, &asked),
        "/events" => {
            assert_eq!(asked["delivery_success"], "false");
            assert!(asked.contains_key("created[gte]"));
            list(&world.events, &asked)
        }
        "/coupons" => list(&world.coupons.values().cloned().collect::<Vec<_>>(), &asked),
        "/promotion_codes" => {
            let fits = |code: &&Value| {
                let typed = asked
                    .get("code")
                    .is_none_or(|typed| code["code"].as_str().unwrap().eq_ignore_ascii_case(typed));
                let given = asked
                    .get("coupon")
                    .is_none_or(|id| code["coupon"]["id"] == *id);
                typed && given
            };
            let codes: Vec<Value> = world.codes.iter().filter(fits).cloned().collect();
            list(&codes, &asked)
        }
        other => match other
            .strip_prefix("/coupons/")
            .and_then(|id| world.coupons.get(id))
        {
            Some(coupon) => axum::Json(coupon.clone()).into_response(),
            None => refused(404, "No such coupon"),
        },
    }
}

fn list(rows: &[Value], asked: &BTreeMap<String, String>) -> Response {
    let limit: usize = asked["limit"].parse().unwrap();
    assert!((1..=100).contains(&limit));
    let data: Vec<&Value> = rows.iter().take(limit).collect();
    let more = rows.len() > limit;
    axum::Json(json!({ "object": "list", "url": "/v1", "data": data, "has_more": more }))
        .into_response()
}

fn refused(status: u16, message: &str) -> Response {
    let error = json!({ "error": { "type": "invalid_request_error", "message": message } });
    (StatusCode::from_u16(status).unwrap(), axum::Json(error)).into_response()
}
