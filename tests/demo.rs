//! The demo's half year: what the engine says of every referral is what whoever made it up
//! says, and the program prints the same on every run.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeMap;

use qualify::demo::run::{Demo, Options};
use qualify::demo::story::{SEED, Story};
use qualify::store::verdicts::{VerdictFilter, list_verdicts};

/// Two sources of truth: the story knows who should qualify without asking the engine.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_engine_agrees_with_the_story_on_every_referral() {
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        seed: SEED,
        listen: vec!["127.0.0.1:0".parse().unwrap()],
        folder: folder.path().to_owned(),
    };
    let story = Story::new(options.seed);
    let demo = Demo::start(&options).await.unwrap();
    let played = demo.play(&story).await.unwrap();
    assert_eq!(played.refused, 3);

    let app = &demo.running.app;
    let mut tx = app.db.read().await.unwrap();
    let all = VerdictFilter::default();
    let verdicts = list_verdicts(&mut tx, &app.connection, &all, None, 2_000);
    let found: BTreeMap<(String, String), String> = verdicts
        .await
        .unwrap()
        .into_iter()
        .map(|stored| {
            let verdict = stored.verdict;
            let key = (verdict.campaign.to_string(), verdict.referral.to_string());
            let code = verdict.code().map_or("", |code| code.code());
            (key, format!("{} {code}", verdict.state.name()))
        })
        .collect();
    tx.rollback().await.unwrap();
    let expected: BTreeMap<(String, String), String> = story
        .expected
        .iter()
        .map(|(key, e)| (key.clone(), format!("{} {}", e.state.name(), e.code)))
        .collect();
    let keys = expected.keys().chain(found.keys());
    let differences: std::collections::BTreeSet<String> = keys
        .filter(|key| expected.get(*key) != found.get(*key))
        .map(|key| {
            format!(
                "{key:?}: expected {:?}, found {:?}",
                expected.get(key),
                found.get(key)
            )
        })
        .collect();
    assert!(differences.is_empty(), "{differences:#?}");
    demo.running.shutdown().await;
}

/// The program itself, among settings that would lead it astray.
fn demo(arguments: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_qualify"))
        .arg("demo")
        .args(arguments)
        .current_dir(folder.path())
        .env_clear()
        .env("TMPDIR", folder.path())
        .env("DATABASE_URL", "postgres://nobody@nowhere.invalid/none")
        .env("STRIPE_MODE", "test")
        .env("RULES_DIR", "/nowhere")
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let (said, logged) = (text(output.stdout), text(output.stderr));
    assert_eq!(output.status.code(), Some(0), "{logged}");
    assert_eq!(logged, "", "nothing to warn about");
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert!(left.is_empty(), "everything is cleaned up: {left:?}");
    said
}

#[test]
fn the_summary_is_the_same_on_every_run() {
    let said = demo(&["--exit"]);
    let (summary, took) = said.rsplit_once("\nTook ").unwrap();
    assert!(took.ends_with(" s\n"), "{took}");
    insta::assert_snapshot!(summary);
}

#[test]
fn the_same_as_json_of_another_half_year() {
    let said = demo(&["--exit", "--json", "--seed", "7"]);
    let summary: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(summary["demo"], true);
    assert_eq!(summary["seed"], 7);
    assert_eq!(summary["ledger_balanced"], true);
    assert_eq!(summary["events"]["quarantined"].as_i64(), Some(1));
    assert_eq!(summary["cases"].as_array().unwrap().len(), 10);
}
