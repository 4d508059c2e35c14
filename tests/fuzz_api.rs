//! Schemathesis reads the document and asks a real server whatever the document allows and
//! forbids, as several keys. No answer from 500 on, none of a status, media type or shape that
//! the document does not name, nothing without a key that needs one, and nothing accepted that
//! the document refuses. A program that is not installed is a failure: `.ci/test` installs it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "webhook/client.rs"]
#[allow(dead_code, reason = "other tests use the rest of it")]
mod client;
#[path = "support/served.rs"]
#[allow(dead_code, reason = "other tests use the rest of it")]
mod served;

use std::path::Path;
use std::process::{Command, Output};

use qualify::domain::access::Permission;
use serde_json::{Value, json};

use client::{Request, send};
use served::Served;

const PROGRAM: &str = "target/fuzz/venv/bin/schemathesis";
/// Requests for each operation, at most. `FUZZ_EXAMPLES=200` for the long run.
const EXAMPLES: &str = "6";
/// The one check that is left out of all: that what fits the schemas is accepted. Rules of
/// campaigns, emails and scopes are finer than a schema says; such requests are answered 422.
const LEFT_OUT: &str = "positive_data_acceptance";

const RULES: &str = r#"schema = 1
id     = "spring"
name   = "Spring: spend $50 in 30 days"

[qualify]
spend       = [ { at_least = "50.00", currency = "usd" } ]
within_days = 30

[reward.promoter]
fixed = { amount = "20.00", currency = "usd" }
"#;

async fn ask(served: &Served, key: &str, (method, path): (&str, &str), body: &Value) {
    let headers = [
        ("authorization", format!("Bearer {key}")),
        ("content-type", "application/json".to_owned()),
    ];
    let request = Request {
        method: method.to_owned(),
        path: format!("/api/v1{path}"),
        headers: headers.map(|(n, v)| (n.to_owned(), v)).into(),
        body: body.to_string().into_bytes(),
        ..Request::default()
    };
    let answer = send(served.server.local_addr, &request).await;
    assert!(answer.status < 300, "{path}: {answer:?}");
}

/// The objects that the document's examples name, so that requests find something.
async fn furnish(served: &Served, key: &str) {
    let rules = json!({ "source": RULES, "reason": "the first" });
    ask(served, key, ("PUT", "/campaigns/spring"), &rules).await;
    let ana = json!({ "id": "prom_ana", "name": "Ana", "email": "ana@promoters.example" });
    ask(served, key, ("POST", "/promoters"), &ana).await;
    for (id, email) in [
        ("ref_bo", "bo@invited.example"),
        ("ref_cy", "cy@invited.example"),
    ] {
        let referral = json!({
            "id": id, "campaign": "spring", "promoter": "prom_ana", "email": email,
            "referred_at": "2026-03-01T09:00:00Z",
        });
        ask(served, key, ("POST", "/referrals"), &referral).await;
    }
    for (id, email) in [
        ("cus_bo", "bo@invited.example"),
        ("cus_cy1", "cy@invited.example"),
        ("cus_cy2", "cy@invited.example"),
    ] {
        served.customer(id, email, "2026-03-02T10:00:00Z").await;
    }
    let moments = [
        ("ch_0", "2026-03-01T08:00:00Z"),
        ("ch_1", "2026-03-03T10:00:00Z"),
    ];
    for (id, at) in moments {
        served.payment(id, "cus_bo", 6000, at).await;
    }
    ask(served, key, ("POST", "/batches/run"), &json!({})).await;
}

/// Runs the program as one key, or as nobody.
fn fuzz(served: &Served, key: Option<&str>) -> Output {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join(PROGRAM);
    assert!(
        program.exists(),
        "{PROGRAM} is not there; `bash .ci/test` installs it"
    );
    let examples = std::env::var("FUZZ_EXAMPLES").unwrap_or_else(|_| EXAMPLES.to_owned());
    let mut command = Command::new(program);
    command
        .current_dir(served.folder.path())
        .args(["run", "--no-color", "--workers", "1", "--seed", "1"])
        .args(["--phases", "examples,coverage,fuzzing"])
        .args(["--generation-database", "none", "--no-shrink"])
        .args(["--warnings", "off", "--continue-on-failure"])
        .args(["--checks", "all", "--exclude-checks", LEFT_OUT])
        .args(["--max-examples", &examples]);
    if let Some(key) = key {
        command.args(["--header", &format!("Authorization: Bearer {key}")]);
    }
    command.arg(format!(
        "http://{}/api/openapi.json",
        served.server.local_addr
    ));
    command.output().unwrap()
}

async fn holds(scopes: Option<&[&str]>) {
    let served = Served::start(&[]).await;
    let connection = served.server.app.connection.clone();
    let all = served.key_of(&connection, "all", &["*"], 1).await;
    furnish(&served, &all).await;
    let key = match scopes {
        Some(scopes) => Some(served.key_of(&connection, "fuzz", scopes, 2).await),
        None => None,
    };
    let (served, output) = tokio::task::spawn_blocking(move || {
        let output = fuzz(&served, key.as_deref());
        (served, output)
    })
    .await
    .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    println!("{told}");
    assert!(output.status.success(), "{told}{errors}");
    // All of the document was read, and something was asked.
    let described = qualify::api::document::resources();
    let count: usize = described.iter().map(|one| one.operations.len()).sum();
    let selected = format!("{count} selected / {count} total");
    assert!(told.contains(&selected), "{selected} is not in {told}");
    served.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_for_everything() {
    holds(Some(&["*"])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_only_reads() {
    let reads = Permission::ALL.iter().map(|scope| scope.name());
    let reads: Vec<&str> = reads
        .filter(|name| name.ends_with(":read") && *name != "portal:read")
        .collect();
    holds(Some(&reads)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_for_nearly_nothing() {
    holds(Some(&["audit:read"])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody() {
    holds(None).await;
}
