//! An installation without a server loop and without workers: the same rooms and routes, worked
//! by hand, so that whatever it answers follows from what was done to it. Its key is the same in
//! every one, and so are all ids.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use qualify::access::{Access, Proxies, keys};
use qualify::api;
use qualify::app::App;
use qualify::clock::{Clock as _, ManualClock, SharedClock};
use qualify::config::Config;
use qualify::demo::run::rule_files;
use qualify::demo::story::{SEED, STARTS_UNIX, Story};
use qualify::domain::access::By;
use qualify::domain::campaign::Mode;
use qualify::domain::ids::ConnectionId;
use qualify::domain::time::Timestamp;
use qualify::ingest::read::Scope;
use qualify::ingest::worker::ingest_batch;
use qualify::intake::{Endpoint, Endpoints, admit};
use qualify::notify::webhooks::Webhooks;
use qualify::notify::webhooks::sender::Sender;
use qualify::queue::worker::{judge_batch, mark_due};
use qualify::registry::{campaigns, promoters};
use qualify::store::connections::{Connection, upsert_connection};
use qualify::store::events::insert_events;
use qualify::store::{ConnectOptions, Db};
use qualify::verify::verify;
use serde_json::Value;
use tokio::sync::Notify;
use tower::ServiceExt as _;

/// Events stored at a time, as the webhook endpoint's group commit does.
const GROUP: usize = 64;
/// Rows of a page when lists are walked: a number that no list is a multiple of for long.
const PAGE: usize = 37;

pub struct World {
    pub db: Db,
    pub id: ConnectionId,
    pub clock: Arc<ManualClock>,
    endpoint: Endpoint,
    routes: Router,
    /// Microseconds within the second, so that every event has come at a moment of its own.
    moment: AtomicI64,
}

/// What a request was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub etag: Option<String>,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }
}

fn key() -> String {
    use base64::Engine as _;
    let chance = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode([7; 32]);
    format!("{}{chance}", keys::PREFIX)
}

fn scope() -> Scope {
    Scope {
        account: None,
        mode: Mode::Live,
    }
}

fn live() -> Connection {
    Connection {
        id: ConnectionId::from("live"),
        account: None,
        mode: Mode::Live,
        name: "Stripe".to_owned(),
        created_at: Timestamp::from_unix(STARTS_UNIX).unwrap(),
    }
}

impl World {
    /// On the first day of the demo's half year: its campaigns and promoters, and a key.
    pub async fn new(url: &str) -> Self {
        let start = Timestamp::from_unix(STARTS_UNIX).unwrap();
        let world = Self::open(url, start).await;
        world.db.migrate().await.unwrap();
        let mut tx = world.db.begin().await.unwrap();
        upsert_connection(&mut tx, &live()).await.unwrap();
        tx.commit().await.unwrap();
        let (db, id, clock) = (&world.db, &world.id, world.clock.as_ref());
        let all = ["*".to_owned()];
        let by = By::command_line();
        keys::create(db, id, clock, [7; 32], ("tests", &all), &by)
            .await
            .unwrap();
        for source in rule_files() {
            let author = campaigns::Author {
                by: &by,
                why: "the first",
            };
            campaigns::save(db, id, clock, source, None, author)
                .await
                .unwrap();
        }
        promoters::put(db, id, clock, &Story::new(SEED).promoters, &by)
            .await
            .unwrap();
        world
    }

    /// On a database that is furnished already.
    pub async fn open(url: &str, now: Timestamp) -> Self {
        let options = ConnectOptions::default();
        let db = Db::connect(url, &options).await.unwrap();
        let clock = Arc::new(ManualClock::at(now));
        let settings = [("DATABASE_URL", url), ("STRIPE_MODE", "live")];
        let settings = settings.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        let none = |_: &Path| Ok(String::new());
        let endpoint = Endpoint {
            connection: live().id,
            mode: Mode::Live,
            account: None,
            secrets: Vec::new(),
        };
        let access = Access::new(
            db.clone(),
            Arc::clone(&clock) as SharedClock,
            live().id,
            "http://localhost".to_owned(),
            Proxies::default(),
        );
        let app = Arc::new(App {
            access: Arc::new(access),
            doctor: qualify::doctor::Lately::default(),
            demo: false,
            config: Config::resolve(&BTreeMap::new(), &settings, None, &none).unwrap(),
            db: db.clone(),
            clock: Arc::clone(&clock) as SharedClock,
            node: qualify::random::node_id().unwrap(),
            connection: live().id,
            account: None,
            endpoints: Arc::new(Endpoints::new(endpoint.clone())),
            committed: Arc::new(Notify::new()),
            touched: Arc::new(Notify::new()),
            webhooks: Arc::new(Webhooks {
                db: db.clone(),
                clock: Arc::clone(&clock) as SharedClock,
                connection: live().id,
                livemode: true,
                sealer: None,
                sender: Sender::new(false),
                changed: Arc::new(Notify::new()),
            }),
        });
        Self {
            db,
            id: live().id,
            clock,
            endpoint,
            routes: api::routes(&app, Duration::from_secs(5), &Arc::default()),
            moment: AtomicI64::new(0),
        }
    }

    /// Stores events as the webhook endpoint does once their signature has been checked.
    pub async fn deliver(&self, bodies: &[String]) {
        for group in bodies.chunks(GROUP) {
            let admitted = group.iter().map(|body| {
                let moment = self.moment.fetch_add(1, Ordering::Relaxed) % 1_000_000;
                let at = self.clock.now_us() + moment;
                admit(&self.endpoint, body.clone().into_bytes(), None, at).unwrap()
            });
            let admitted: Vec<_> = admitted.collect();
            insert_events(&self.db, &self.id, &admitted).await.unwrap();
        }
    }

    /// Reads and judges until nothing waits.
    pub async fn catch_up(&self) {
        let (db, id, clock) = (&self.db, &self.id, self.clock.as_ref());
        loop {
            let read = ingest_batch(db, id, &scope(), clock).await.unwrap();
            mark_due(db, id, clock).await.unwrap();
            let judged = judge_batch(db, id, clock).await.unwrap();
            if read + judged == 0 {
                return;
            }
        }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[], None).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.ask("POST", path, &[], Some(body)).await
    }

    /// Asks the API, without a socket.
    pub async fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("/api/v1{path}"))
            .header("authorization", format!("Bearer {}", key()));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let sent = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let request = request.header("content-type", "application/json");
        let request = request.body(sent).unwrap();
        let answer = self.routes.clone().oneshot(request).await.unwrap();
        let status = answer.status().as_u16();
        let etag = answer.headers().get("etag");
        let etag = etag.map(|tag| tag.to_str().unwrap().to_owned());
        let bytes = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        Answer {
            status,
            etag,
            body: String::from_utf8(bytes.to_vec()).unwrap(),
        }
    }

    /// Every row of a list, page by page, and the pages as they were answered.
    pub async fn walk(&self, path: &str) -> (Vec<Value>, Vec<(String, Answer)>) {
        let (mut rows, mut pages) = (Vec::new(), Vec::new());
        let join = if path.contains('?') { '&' } else { '?' };
        let mut after = String::new();
        loop {
            let page = format!("{path}{join}limit={PAGE}{after}");
            let answer = self.get(&page).await;
            assert_eq!(answer.status, 200, "{page}: {answer:?}");
            let body = answer.json();
            pages.push((page, answer));
            rows.extend(body["data"].as_array().unwrap().iter().cloned());
            if body["has_more"] == false {
                return (rows, pages);
            }
            let last = rows.last().unwrap();
            let cursor = ["id", "position", "number"].map(|name| &last[name]);
            let cursor = cursor.into_iter().find(|value| !value.is_null()).unwrap();
            let cursor = cursor.as_str().map_or(cursor.to_string(), str::to_owned);
            after = format!("&starting_after={cursor}");
        }
    }

    /// What every address of the API answers to GET: all lists from their first page to their
    /// last, and of each list's rows, evenly chosen, `most` in every detail there is.
    pub async fn answers(&self, most: usize) -> Vec<(String, Answer)> {
        let mut all = Vec::new();
        for (list, details) in RESOURCES {
            let (rows, pages) = self.walk(list).await;
            all.extend(pages);
            let step = rows.len().div_ceil(most).max(1);
            for row in rows.iter().step_by(step) {
                let Some(id) = row["id"].as_str() else {
                    continue;
                };
                for detail in *details {
                    let path = detail.replace("{id}", id);
                    let page = path.contains("limit=").then(|| path.split('?').next());
                    if let Some(path) = page.flatten() {
                        all.extend(self.walk(path).await.1);
                    } else {
                        let answer = self.get(&path).await;
                        assert_eq!(answer.status, 200, "{path}: {answer:?}");
                        all.push((path, answer));
                    }
                }
            }
        }
        let next = self.get("/batches/next").await;
        assert_eq!(next.status, 200, "{next:?}");
        all.push(("/batches/next".to_owned(), next));
        all
    }

    /// Everything recomputed, without a difference; how many rows were looked at.
    pub async fn verified(&self) -> u64 {
        let report = verify(&self.db, &self.id, &scope(), self.clock.now())
            .await
            .unwrap();
        for check in &report.checks {
            assert!(check.is_ok(), "{check:#?}");
        }
        report.checks.iter().map(|check| check.looked_at).sum()
    }
}

/// Lists, and the addresses of one of their rows; those with `limit=` are lists themselves.
const RESOURCES: &[(&str, &[&str])] = &[
    (
        "/campaigns",
        &["/campaigns/{id}", "/campaigns/{id}/revisions?limit="],
    ),
    (
        "/promoters",
        &[
            "/promoters/{id}",
            "/ledger/statement?promoter={id}",
            "/ledger/accounts?promoter={id}",
            "/qualifications?promoter={id}",
            "/referrals?promoter={id}",
        ],
    ),
    (
        "/referrals",
        &["/referrals/{id}", "/referrals/{id}/explanation"],
    ),
    ("/cases", &["/cases/{id}"]),
    ("/cases?state=resolved", &["/cases/{id}"]),
    ("/cases?state=gone", &["/cases/{id}"]),
    ("/qualifications", &["/qualifications/{id}"]),
    ("/batches", &["/batches/{id}", "/batches/{id}/items?limit="]),
    ("/ledger/accounts", &[]),
    ("/ledger/statement", &[]),
    ("/events", &["/events/{id}"]),
    ("/events?state=quarantined", &[]),
    ("/events?state=ignored", &[]),
    ("/near-misses", &[]),
];
