//! The audit log: every change has its row, in the same transaction, with who and in which
//! request; and whoever changes a row is found by `verify`.

use qualify::domain::access::Role;
use qualify::ingest::read::Scope;
use qualify::store::audit::{AuditFilter, list_audit};
use qualify::store::{Db, Statement};
use qualify::verify::verify;
use serde_json::{Value, json};

use crate::bench::{Bench, RULES};

async fn log(bench: &Bench) -> Vec<String> {
    let app = &bench.server.app;
    let mut tx = app.db.read().await.unwrap();
    let filter = AuditFilter::default();
    let rows = list_audit(&mut tx, &app.connection, &filter, None, 500)
        .await
        .unwrap();
    let line = |row: &qualify::store::audit::AuditRow| {
        format!("{} {} by {}", row.action, row.subject, row.actor)
    };
    rows.iter().rev().map(line).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_over_the_api_has_its_row() {
    let bench = Bench::start().await;
    let key = bench.furnish("x").await;
    let before = log(&bench).await.len();
    let auth = [
        ("authorization", key.as_str()),
        ("x-request-id", "req-of-mine"),
        ("if-match", "\"1\""),
    ];
    let case: Value = {
        let list = bench.ask("GET", "/api/v1/cases", &auth).await;
        serde_json::from_str(&list.body).unwrap()
    };
    let case = case["data"][0]["id"].as_str().unwrap();
    let choice = json!({ "choice": { "choose": "reject" }, "reason": "no" });
    let path = format!("/api/v1/cases/{case}/resolve");
    let resolved = bench.json("POST", &path, &auth, choice).await;
    assert_eq!(resolved.status, 200, "{resolved:?}");
    // Of two decisions on one thing the later one holds.
    bench.clock.advance(1);
    let path = format!("/api/v1/cases/{case}/undo");
    let reason = json!({ "reason": "yes" });
    let undone = bench.json("POST", &path, &auth, reason).await;
    assert_eq!(undone.status, 200, "{undone:?}");
    let changed = RULES.replace("50.00", "60.00");
    for (method, path, body) in [
        (
            "PUT",
            "/campaigns/spring",
            json!({ "source": changed, "reason": "dearer" }),
        ),
        (
            "PATCH",
            "/promoters/prom_ana",
            json!({ "email": "secret@example.com" }),
        ),
        ("POST", "/promoters/prom_ana/suspend", json!({})),
        ("POST", "/promoters/prom_ana/unsuspend", json!({})),
        ("POST", "/events/evt_cus_1/replay", json!({})),
        (
            "POST",
            "/users",
            json!({ "email": "vi@example.com", "role": "viewer" }),
        ),
        ("POST", "/batches/run", json!({})),
        (
            "POST",
            "/keys",
            json!({ "name": "k", "scopes": ["cases:read"] }),
        ),
    ] {
        let path = format!("/api/v1{path}");
        let answer = bench.json(method, &path, &auth, body).await;
        assert!(answer.status < 300, "{method} {path}: {answer:?}");
    }
    // What was refused changed nothing and has no row.
    let refused = json!({ "name": "" });
    let answer = bench
        .json("PATCH", "/api/v1/promoters/prom_ana", &auth, refused)
        .await;
    assert_eq!(answer.status, 422);

    let mut rows = log(&bench).await.split_off(before);
    // Without a mail server the invitation fails, whenever the worker gets to it.
    rows.retain(|row| !row.ends_with("by system"));
    // The one key that was made has an id of chance.
    for row in &mut rows {
        if let Some(rest) = row.strip_prefix("key.created key:key_") {
            let (id, by) = rest.split_once(' ').unwrap();
            assert_eq!(id.len(), 16, "{row}");
            *row = format!("key.created key:key_… {by}");
        }
    }
    insta::assert_snapshot!("changes", rows.join("\n"));
    let answer = bench
        .ask("GET", "/api/v1/audit?action=promoter.changed", &auth)
        .await;
    let page: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(page["data"].as_array().unwrap().len(), 1);
    assert_eq!(page["data"][0]["request"], "req-of-mine");
    assert_eq!(page["data"][0]["detail"]["changed"], json!(["email"]));
    assert!(!answer.body.contains("secret@"), "{}", answer.body);
    // Page by page, none twice.
    let first = bench.ask("GET", "/api/v1/audit?limit=3", &auth).await;
    let first: Value = serde_json::from_str(&first.body).unwrap();
    let last = first["data"][2]["number"].as_i64().unwrap();
    let next = format!("/api/v1/audit?limit=3&starting_after={last}");
    let next: Value = serde_json::from_str(&bench.ask("GET", &next, &auth).await.body).unwrap();
    assert_eq!(next["data"][0]["number"].as_i64().unwrap(), last - 1);
    bench.end().await;
}

async fn found(bench: &Bench) -> Vec<String> {
    let app = &bench.server.app;
    let scope = Scope {
        account: None,
        mode: app.config.stripe.mode,
    };
    let report = verify(&app.db, &app.connection, &scope, app.clock.now())
        .await
        .unwrap();
    let check = report
        .checks
        .iter()
        .find(|check| check.name == "audit_log")
        .unwrap();
    let differences = check.differences.iter();
    differences
        .map(|one| format!("{}: {}", one.place, one.seen))
        .collect()
}

/// Somebody who has the database and takes its triggers away first.
async fn tamper(db: &Db, statements: &[&'static str]) {
    let mut tx = db.begin().await.unwrap();
    for text in [
        "DROP TRIGGER IF EXISTS audit_log_keep_update",
        "DROP TRIGGER IF EXISTS audit_log_keep_delete",
    ]
    .iter()
    .chain(statements)
    {
        Statement::new(text).execute(&mut tx).await.unwrap();
    }
    tx.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_changes_the_log_is_found() {
    let bench = Bench::start().await;
    bench.furnish("x").await;
    bench.person("ana@example.com", Role::Owner, None).await;
    assert_eq!(found(&bench).await, Vec::<String>::new());
    let db = &bench.server.app.db;
    tamper(
        db,
        &["UPDATE audit_log SET actor = 'system' WHERE number = 3"],
    )
    .await;
    assert_eq!(
        found(&bench).await,
        ["audit_log 3: it is not what was written"]
    );
    tamper(db, &["DELETE FROM audit_log WHERE number = 3"]).await;
    let seen = found(&bench).await;
    assert_eq!(
        seen,
        ["audit_log 4: the row before it is 2: rows are missing"]
    );
    // Cutting off the end shows, and so does moving the end with it.
    tamper(db, &["DELETE FROM audit_log WHERE number > 2"]).await;
    let seen = found(&bench).await;
    assert!(seen[0].starts_with("audit_heads: the last row is 2, and the chain ends at "));
    tamper(db, &["UPDATE audit_heads SET number = 2"]).await;
    assert_eq!(
        found(&bench).await.len(),
        1,
        "the hash of the end is another"
    );
    bench.end().await;
}
