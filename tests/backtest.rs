//! `qualify backtest` as a program: what it prints, what it complains about, how it ends.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::io::Write as _;
use std::path::Path;

use assert_cmd::Command;

const EVENTS: &str = "fixtures/backtest/events.jsonl";
const BROKEN: &str = "fixtures/backtest/events_broken.jsonl";

/// The program at the package's root, with the rules and people of the fixture.
fn backtest(events: &str, more: &[&str]) -> Command {
    let mut command = Command::cargo_bin("qualify").unwrap();
    command
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["backtest", "--rules", "fixtures/backtest/rules"])
        .args(["--promoters", "fixtures/backtest/promoters.csv"])
        .args(["--referrals", "fixtures/backtest/referrals.csv"])
        .args(["--events", events])
        .args(more);
    command
}

/// Exit code, stdout and stderr in one text; revisions are hidden, as they are tested elsewhere.
fn ran(mut command: Command) -> String {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    format!(
        "exit {}\n--- stdout\n{}--- stderr\n{}",
        output.status.code().unwrap(),
        text(&output.stdout),
        text(&output.stderr)
    )
}

macro_rules! assert_ran {
    ($name:literal, $command:expr) => {
        insta::with_settings!({
            snapshot_path => "snapshots/backtest",
            prepend_module_to_snapshot => false,
            omit_expression => true,
            filters => vec![("sha256:[0-9a-f]{64}", "sha256:<64 hex digits>")],
        }, { insta::assert_snapshot!($name, ran($command)); });
    };
}

#[test]
fn verdicts_as_json_one_a_line() {
    assert_ran!("json", backtest(EVENTS, &["--json"]));
}

#[test]
fn verdicts_for_people() {
    assert_ran!("people", backtest(EVENTS, &[]));
}

#[test]
fn an_earlier_instant_knows_less() {
    let at = ["--at", "2026-03-05T00:00:00Z"];
    assert_ran!("at", backtest(EVENTS, &at));
}

#[test]
fn another_rule_set_is_compared() {
    let against = ["--against", "fixtures/backtest/draft"];
    assert_ran!("against", backtest(EVENTS, &against));
    let plain = backtest(EVENTS, &["--json"]).output().unwrap();
    let compared = backtest(EVENTS, &["--json", against[0], against[1]]);
    let compared = { compared }.output().unwrap();
    assert_eq!(plain.stdout, compared.stdout, "nothing but the verdicts");
    let told = String::from_utf8(compared.stderr).unwrap();
    assert!(told.contains("newly qualified"), "{told}");
}

#[test]
fn broken_lines_are_told_and_passed_over() {
    assert_ran!("broken", backtest(BROKEN, &[]));
}

#[test]
fn strict_goes_no_further_than_a_broken_line() {
    assert_ran!("strict", backtest(BROKEN, &["--strict", "--json"]));
    backtest(EVENTS, &["--strict"]).assert().success();
}

#[test]
fn stdin_and_gzip_are_the_same_events() {
    let plain = backtest(EVENTS, &["--json"]).output().unwrap();
    assert!(plain.status.success());
    let text = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(EVENTS)).unwrap();
    let piped = backtest("-", &["--json"])
        .write_stdin(text.clone())
        .output();
    assert_eq!(plain.stdout, piped.unwrap().stdout, "stdin");

    // Two members one after the other, as `cat a.gz b.gz` makes them.
    let (first, second) = text.split_at(text.len() / 2);
    let packed = [gzip(first), gzip(second)].concat();
    let folder = tempfile::tempdir().unwrap();
    for name in ["events.jsonl.gz", "events"] {
        let file = folder.path().join(name);
        std::fs::write(&file, &packed).unwrap();
        let read = backtest(file.to_str().unwrap(), &["--json"]).output();
        assert_eq!(plain.stdout, read.unwrap().stdout, "{name}");
    }
    let piped = backtest("-", &["--json"]).write_stdin(packed).output();
    assert_eq!(plain.stdout, piped.unwrap().stdout, "gzip through stdin");
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

/// Runs on files with these texts in place of the fixture's.
fn with_file(flag: &str, text: &str) -> (i32, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("given.csv");
    std::fs::write(&file, text).unwrap();
    let mut command = Command::cargo_bin("qualify").unwrap();
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args([
        "backtest",
        "--rules",
        "fixtures/backtest/rules",
    ]);
    for (name, fixture) in [
        ("--events", EVENTS),
        ("--promoters", "fixtures/backtest/promoters.csv"),
        ("--referrals", "fixtures/backtest/referrals.csv"),
    ] {
        let path = if name == flag {
            file.as_path()
        } else {
            Path::new(fixture)
        };
        command.arg(name).arg(path);
    }
    let output = command.output().unwrap();
    assert!(output.stdout.is_empty() || output.status.success());
    let told = String::from_utf8(output.stderr).unwrap();
    (output.status.code().unwrap(), told)
}

#[test]
fn doubtful_coupons_and_wrong_columns_are_problems() {
    let header = "id,name,email,code,coupons\n";
    let (code, told) = with_file("--promoters", &format!("{header}a,,,,X\nb,,,,X\n"));
    assert_eq!(code, 4);
    assert!(told.contains("given.csv:3: the coupon ID \"X\"") && told.contains("promoter a"));
    let (code, told) = with_file("--promoters", &format!("{header}a,,,,promo_1\n"));
    assert_eq!(code, 4);
    assert!(
        told.contains("is a promotion code, not a coupon ID"),
        "{told}"
    );
    let (code, told) = with_file("--referrals", "id,campaign,promoter,mail\n");
    assert_eq!(code, 4);
    assert!(told.contains("given.csv:1: column 4 is `mail`"), "{told}");
}

#[test]
fn events_of_two_accounts_need_campaigns_that_name_theirs() {
    let of = |id: &str, account: &str| {
        format!(
            "{{\"id\":\"{id}\",\"object\":\"event\",\"created\":1772400000,\"livemode\":true,\
             \"account\":\"{account}\",\"type\":\"customer.created\",\"data\":{{\"object\":\
             {{\"id\":\"cus_1\",\"object\":\"customer\",\"created\":1772400000}}}}}}\n"
        )
    };
    let two = of("evt_1", "acct_1") + &of("evt_1", "acct_2");
    let (code, told) = with_file("--events", &two);
    assert_eq!(code, 4);
    assert!(
        told.contains("acct_1, acct_2") && told.contains("names no account"),
        "{told}"
    );
    let (code, _) = with_file("--events", &of("evt_1", "acct_1"));
    assert_eq!(code, 0, "one account is the only one there is");
}

#[test]
fn without_any_event_the_instant_has_to_be_given() {
    let (code, told) = with_file("--events", "");
    assert_eq!(code, 2);
    assert!(told.contains("--at"), "{told}");
    let mut missing = Command::cargo_bin("qualify").unwrap();
    missing
        .args(["backtest", "--rules", "rules"])
        .assert()
        .code(2);
}
