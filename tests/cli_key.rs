//! `qualify key` as a program: the key is printed once, alone on stdout, and opens the API
//! until it is revoked.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::path::Path;

use assert_cmd::Command;
use serde_json::Value;

fn key(folder: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_qualify"))
        .arg("key")
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[test]
fn a_key_is_made_listed_and_revoked() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let scopes = "referrals:write,promoters:read";
    let (code, made, _) = key(folder, &["create", "--name", "shop", "--scopes", scopes]);
    assert_eq!(code, Some(0));
    let made = made.trim();
    assert!(made.starts_with("qk_") && made.len() == 46, "{made}");

    let (_, json, _) = key(
        folder,
        &["create", "--name", "all", "--scopes", "*", "--json"],
    );
    let json: Value = serde_json::from_str(&json).unwrap();
    assert!(json["key"].as_str().unwrap().starts_with("qk_"));

    let (_, list, _) = key(folder, &["list", "--json"]);
    assert!(!list.contains("qk_"), "{list}");
    let list: Value = serde_json::from_str(&list).unwrap();
    let shop = list
        .as_array()
        .unwrap()
        .iter()
        .find(|k| k["name"] == "shop");
    let shop = shop.unwrap();
    let sorted = serde_json::json!(["promoters:read", "referrals:write"]);
    assert_eq!(shop["scopes"], sorted);

    let id = shop["id"].as_str().unwrap();
    assert_eq!(key(folder, &["revoke", id]).0, Some(0));
    assert_eq!(key(folder, &["revoke", id]).0, Some(3), "not twice");
    let (_, table, _) = key(folder, &["list"]);
    assert!(table.contains("revoked") && table.contains("in force"));
}

#[test]
fn a_scope_that_does_not_exist_is_refused_with_those_that_do() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["create", "--name", "x", "--scopes", "promoter:read"];
    let (code, out, said) = key(folder.path(), &arguments);
    assert_eq!((code, out.as_str()), (Some(1), ""));
    assert!(said.contains("promoter:read") && said.contains("promoters:read"));
}
