//! The table "bad input" of the webhook endpoint, one file a row in `fixtures/webhook`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use qualify::app::Bounds;
use qualify::domain::time::Timestamp;
use qualify::stripe::signature;
use serde::Deserialize;

use crate::bench::{Bench, Database, SECRET, Settings, now};
use crate::client::{Request, send};

/// Every code with which the endpoint refuses; a code without a row makes the test red.
const CODES: [&str; 14] = [
    "signature_missing",
    "signature_malformed",
    "signature_mismatch",
    "signature_expired",
    "payload_too_large",
    "encoding_unsupported",
    "connection_unknown",
    "method_not_allowed",
    "not_found",
    "database_unavailable",
    "queue_full",
    "webhook_secret_missing",
    "event_bridge",
    "event_grid",
];

/// What no refusal may repeat.
const NEVER_SAID: [&str; 6] = [
    "SENTINEL",
    "whsec_SENTINEL",
    "INSERT",
    "I/O",
    "sqlite",
    ".db",
];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    #[serde(rename = "row")]
    title: String,
    #[serde(default)]
    server: Server,
    request: Sent,
    expect: Expected,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Server {
    secrets: Option<Vec<String>>,
    account: Option<String>,
    database: Option<String>,
    queue_bytes: Option<usize>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sent {
    #[serde(default = "post")]
    method: String,
    #[serde(default = "path")]
    path: String,
    /// `good`, `none`, or the header itself.
    #[serde(default = "good")]
    signature: String,
    /// The secret to sign with.
    secret: Option<String>,
    /// Seconds from now at which it is signed.
    #[serde(default)]
    signed_at: i64,
    /// Appended to the signature.
    #[serde(default)]
    and: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: Option<String>,
    body_hex: Option<String>,
    /// `[[[…]]]` inside an event, this deep.
    nested: Option<usize>,
    /// An event padded to this many bytes.
    padded: Option<usize>,
    announce: Option<usize>,
    #[serde(default)]
    chunked: bool,
    /// Sent once before, with this body.
    before: Option<String>,
}

fn post() -> String {
    "POST".to_owned()
}
fn path() -> String {
    "/webhooks/stripe".to_owned()
}
fn good() -> String {
    "good".to_owned()
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    status: u16,
    code: Option<String>,
    /// Parts of the detail: what to check.
    #[serde(default)]
    says: Vec<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// The state of the only stored event; left out: nothing is stored.
    stored: Option<String>,
    reason: Option<String>,
    id: Option<String>,
    deliveries: Option<i64>,
    conflicts: Option<i64>,
    secret_index: Option<i64>,
}

impl Sent {
    fn body(&self) -> Vec<u8> {
        let event = |rest: &str| {
            format!(
                r#"{{"id":"evt_1","object":"event","type":"x.y","created":1772366400,"livemode":true,"data":{{"object":{{"SENTINEL":{rest}}}}}}}"#
            )
        };
        match (&self.body, &self.body_hex, self.nested, self.padded) {
            (Some(text), ..) => text.trim().as_bytes().to_vec(),
            (_, Some(hex), ..) => hex::decode(hex).unwrap(),
            (_, _, Some(depth), _) => {
                event(&format!("{}{}", "[".repeat(depth), "]".repeat(depth))).into_bytes()
            }
            (_, _, _, Some(bytes)) => {
                let empty = event("\"\"").len();
                event(&format!("\"{}\"", "x".repeat(bytes - empty))).into_bytes()
            }
            _ => event("1").into_bytes(),
        }
    }

    fn request(&self, body: Vec<u8>) -> Request {
        let secret = self.secret.as_deref().unwrap_or(SECRET);
        let at = now().plus_seconds(self.signed_at);
        let mut headers: Vec<_> = self.headers.clone().into_iter().collect();
        if let Some(value) = header(&self.signature, secret, &body, at) {
            let value = format!("{value}{}", self.and);
            headers.push(("Stripe-Signature".to_owned(), value));
        }
        Request {
            method: self.method.clone(),
            path: self.path.clone(),
            headers,
            body,
            announce: self.announce,
            chunked: self.chunked,
        }
    }
}

fn header(kind: &str, secret: &str, body: &[u8], at: Timestamp) -> Option<String> {
    match kind {
        "none" => None,
        "good" => Some(signature::sign(secret, body, at)),
        text => Some(text.to_owned()),
    }
}

fn settings(server: &Server) -> Settings {
    let mut bounds = Bounds::default();
    if let Some(bytes) = server.queue_bytes {
        bounds.writer.queue_bytes = bytes;
    }
    let default = Settings::default();
    Settings {
        secrets: server.secrets.clone().unwrap_or(default.secrets),
        account: server.account.clone(),
        database: match server.database.as_deref() {
            None => Database::Works,
            Some("fails") => Database::Fails,
            Some("panics") => Database::Panics,
            Some(other) => panic!("no such database: {other}"),
        },
        bounds,
        mode: default.mode,
    }
}

async fn check(row: &Row) {
    let bench = Bench::start(settings(&row.server)).await;
    let to = bench.server.local_addr;
    if let Some(before) = &row.request.before {
        let first = send(to, &row.request.request(before.trim().into())).await;
        assert_eq!(first.status, 200, "{first:?}");
    }
    let answer = send(to, &row.request.request(row.request.body())).await;
    let expect = &row.expect;

    assert_eq!(answer.status, expect.status, "{answer:?}");
    assert_eq!(answer.text("code"), expect.code, "{answer:?}");
    for (name, value) in &expect.headers {
        assert_eq!(answer.headers.get(name), Some(value), "{answer:?}");
    }
    if expect.status == 200 {
        assert_eq!(answer.body, r#"{"received":true}"#);
    } else if row.request.method != "HEAD" {
        assert_eq!(answer.headers["content-type"], "application/problem+json");
        let detail = answer.text("detail").unwrap();
        for part in &expect.says {
            assert!(detail.contains(part), "{part} is not said: {detail}");
        }
        let folder = bench.folder.path().display().to_string();
        let never = NEVER_SAID.into_iter().chain([folder.as_str()]);
        for word in never {
            assert!(!answer.body.contains(word), "{word} is said: {answer:?}");
        }
    }

    let stored = bench.read().await;
    assert_eq!(
        stored.len(),
        usize::from(expect.stored.is_some()),
        "{stored:?}"
    );
    if let (Some(state), Some(event)) = (&expect.stored, stored.first()) {
        assert_eq!(&event.state, state, "{event:?}");
        assert_eq!(event.reason_code, expect.reason, "{event:?}");
        let id = expect.id.as_deref().unwrap_or("evt_1");
        assert!(event.event_id.starts_with(id), "{event:?}");
        assert_eq!(event.deliveries, expect.deliveries.unwrap_or(1));
        assert_eq!(event.conflicts, expect.conflicts.unwrap_or(0));
        assert_eq!(event.secret_index, Some(expect.secret_index.unwrap_or(0)));
    }
    bench.server.shutdown().await;
}

#[tokio::test]
async fn every_row_of_the_table_holds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/webhook");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "toml"))
        .collect();
    files.sort();
    let mut codes = BTreeSet::new();
    let mut failed = Vec::new();
    for file in files {
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        let row: Row = toml::from_str(&std::fs::read_to_string(&file).unwrap())
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        codes.extend(row.expect.code.clone());
        let title = row.title.clone();
        // A task of its own, so that one failing row does not hide the others.
        if tokio::spawn(async move { check(&row).await })
            .await
            .is_err()
        {
            failed.push(format!("{name} ({title})"));
        }
    }
    assert!(failed.is_empty(), "rows that do not hold: {failed:#?}");
    let expected: BTreeSet<String> = CODES.map(str::to_owned).into();
    assert_eq!(
        codes, expected,
        "codes without a row, or rows without a code"
    );
}
