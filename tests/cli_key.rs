//! `qualify key` and `qualify user` as programs: keys and links are printed once, alone on
//! stdout; a key opens the API until it is revoked.

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
    qualify(folder, "key", arguments)
}

fn user(folder: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    qualify(folder, "user", arguments)
}

fn qualify(folder: &Path, command: &str, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_qualify"))
        .arg(command)
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

#[test]
fn people_are_made_changed_and_kept_out() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (code, setup, _) = user(folder, &["link"]);
    assert_eq!(code, Some(0));
    assert!(
        setup.starts_with("http://127.0.0.1:8080/link?token="),
        "{setup}"
    );

    let (code, link, said) = user(folder, &["create", "ana@example.com", "--role", "owner"]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(
        link.trim().len(),
        "http://127.0.0.1:8080/link?token=".len() + 43
    );
    let made = [
        "create",
        "Bea@Example.com",
        "--role",
        "admin",
        "--name",
        "Bea",
        "--json",
    ];
    let (_, json, _) = user(folder, &made);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (&json["email"], &json["state"]),
        (&"bea@example.com".into(), &"invited".into())
    );
    assert!(json["link"].as_str().unwrap().contains("/link?token="));
    let id = json["id"].as_str().unwrap();

    assert_eq!(
        user(folder, &["role", id, "viewer"]).1,
        "bea@example.com is viewer, invited\n"
    );
    assert_eq!(user(folder, &["link", "bea@example.com"]).0, Some(0));
    assert_eq!(
        user(folder, &["deactivate", id]).1,
        "bea@example.com is viewer, deactivated\n"
    );
    let (code, _, said) = user(folder, &["reset", id]);
    assert!(code == Some(1) && said.contains("deactivated"), "{said}");
    assert_eq!(user(folder, &["reactivate", id]).0, Some(0));
    let (_, table, _) = user(folder, &["list"]);
    assert!(
        table.contains("ana@example.com") && table.contains("owner"),
        "{table}"
    );
    let (_, viewers, _) = user(folder, &["list", "--role", "viewer", "--json"]);
    let viewers: Value = serde_json::from_str(&viewers).unwrap();
    assert_eq!(viewers.as_array().unwrap().len(), 1);

    for (arguments, expected) in [
        (&["link", "nobody@example.com"][..], 3),
        (&["deactivate", "usr_x"], 3),
        (
            &[
                "create",
                "eve@example.com\r\nBcc: x@y.io",
                "--role",
                "viewer",
            ],
            1,
        ),
        (&["create", "eve@example.com", "--role", "king"], 2),
        (&["create", "eve@example.com", "--role", "promoter"], 1),
    ] {
        assert_eq!(user(folder, arguments).0, Some(expected), "{arguments:?}");
    }
}
