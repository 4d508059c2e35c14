//! The program itself: how it starts, what it prints, how it ends. What it serves is tested
//! in `webhook`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

/// The program in a folder of its own, with nothing but these settings.
fn qualify(folder: &Path, settings: &[(&str, &str)], arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_qualify"));
    command
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .envs(settings.iter().copied())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn run(settings: &[(&str, &str)], arguments: &[&str]) -> (Option<i32>, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let output: Output = qualify(folder.path(), settings, arguments)
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

fn signal(child: &Child, name: &str) {
    let id = child.id().to_string();
    assert!(
        Command::new("kill")
            .args([name, &id])
            .status()
            .unwrap()
            .success()
    );
}

#[test]
fn serve_says_where_it_is_and_ends_when_told() {
    for name in ["-TERM", "-INT"] {
        let folder = tempfile::tempdir().unwrap();
        let settings = [
            ("LISTEN_ADDR", "127.0.0.1:0"),
            ("STRIPE_WEBHOOK_SECRET", "whsec_SENTINEL"),
        ];
        let mut child = qualify(folder.path(), &settings, &["serve"])
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut said = Vec::new();
        // The line to paste is the last of the greeting.
        while !said
            .iter()
            .any(|line: &String| line.contains("stripe listen"))
        {
            said.push(lines.next().expect("the whole greeting").unwrap());
        }
        let said = said.join("\n");
        for part in [
            "URL       http://127.0.0.1:",
            "./data/qualify.db",
            "mode      live",
        ] {
            assert!(said.contains(part), "{part}: {said}");
        }
        signal(&child, name);
        assert_eq!(child.wait().unwrap().code(), Some(0));
        let mut logged = String::new();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut logged)
            .unwrap();
        assert!(!said.contains("SENTINEL") && !logged.contains("SENTINEL"));
        assert!(folder.path().join("data/qualify.db").exists());
    }
}

#[test]
fn an_exit_code_says_what_kind_of_failure_it_was() {
    let free = ("LISTEN_ADDR", "127.0.0.1:0");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    for (settings, arguments, code, says) in [
        (
            vec![free],
            vec!["serve", "--nonsense"],
            2,
            "unexpected argument",
        ),
        (
            vec![("STRIPE_API_KEY", "")],
            vec!["serve"],
            2,
            "is set but blank",
        ),
        (
            vec![("LISTEN_ADDR", taken.as_str())],
            vec!["serve"],
            1,
            "cannot listen on",
        ),
        (
            vec![
                free,
                ("DATABASE_URL", "postgres://u:SENTINEL@127.0.0.1:1/q"),
            ],
            vec!["serve"],
            75,
            "check DATABASE_URL",
        ),
        (vec![], vec!["check", "nowhere"], 4, ""),
    ] {
        let (seen, _, logged) = run(&settings, &arguments);
        assert_eq!(seen, Some(code), "{arguments:?}: {logged}");
        assert!(logged.contains(says), "{logged}");
        assert!(!logged.contains("SENTINEL"), "{logged}");
    }
}

#[test]
fn config_show_tells_where_each_value_came_from_and_no_secret() {
    let settings = [
        ("STRIPE_API_KEY", "sk_test_SENTINEL"),
        ("LISTEN_ADDR", "127.0.0.1:1"),
    ];
    let arguments = ["config", "show", "--json", "--log-format", "json"];
    let (code, shown, _) = run(&settings, &arguments);
    assert_eq!(code, Some(0));
    assert!(!shown.contains("SENTINEL"));
    let lines: serde_json::Value = serde_json::from_str(&shown).unwrap();
    let origin = |setting: &str| {
        let line = lines
            .as_array()
            .unwrap()
            .iter()
            .find(|l| l["setting"] == setting);
        line.unwrap()["origin"].as_str().unwrap().to_owned()
    };
    assert_eq!(origin("STRIPE_API_KEY"), "environment");
    assert_eq!(origin("LOG_FORMAT"), "flag");
    assert_eq!(origin("SETTLE_CRON"), "default");
}
