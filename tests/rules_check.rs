//! `qualify check` as people meet it: one awful file, printed; folders; exit codes; the
//! sample campaigns. The table of single refusals is in `rules_refusals.rs`.

use std::fs;
use std::path::{Path, PathBuf};

use qualify::cli::check;
use qualify::rules;

fn checked(paths: &[PathBuf], json: bool) -> (u8, String) {
    let mut out = Vec::new();
    let code = check::run(paths, json, &mut out).unwrap();
    (code, String::from_utf8(out).unwrap())
}

const AWFUL: &str = r#"schema = 2
id = "Spring 2026"
nmae = "Spring"
within_days = 30
mode = "prod"
account = "cus_123"
starts = 2026-03-01
ends = "2026-06-01T00:00:00Z"

[match]
keys = ["email", "stripe_id", "emial", "email"]
metadata = []

[qualify]
spend = [
  { at_least = 50.00, currency = "usd" },
  { at_least = "45,00", currency = "euro" },
  { at_least = "-1", more_than = "2", currency = "usd" },
  { more_than = "500.5", currency = "jpy" },
]
within_days = 0
from = "first-payment"
payments = "3"
each_payment = { at_least = "0" }
out_of_band = "yes"
hold_days = 1.5

[qualify.products]
include = ["prod_A", "prod_A", ""]
exclude = ["prod_A"]

[attribution]
coupons = ["ANA20"]

[reward.promoter]
fixed = { amount = "20.00", currency = "usd" }
percent = 150

[reward.inviter]
fixed = { amount = "0.00", currency = "usd" }

[limits]
per_promoter = 50
budget = { currency = "zzz" }
"#;

#[test]
fn an_awful_file_is_told_everything_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("awful.toml");
    fs::write(&file, AWFUL).unwrap();
    let (code, printed) = checked(&[file.clone()], false);
    let printed = printed.replace(&file.display().to_string(), "rules/awful.toml");
    assert_eq!(code, 4);
    insta::assert_snapshot!(printed);
}

#[test]
fn json_is_an_array_of_problems_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.toml"), "id = \"a\"\nname = \"\"\n").unwrap();
    let (code, printed) = checked(&[folder.path().to_owned()], true);
    let problems: serde_json::Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(code, 4);
    assert_eq!(problems.as_array().unwrap().len(), 1);
    let problem = &problems[0];
    assert_eq!(
        (&problem["line"], &problem["column"], &problem["key"]),
        (&2.into(), &8.into(), &"name".into())
    );
    assert_eq!(problem["code"], "empty");

    fs::write(folder.path().join("a.toml"), "id = \"a\"\nname = \"A\"\n").unwrap();
    let (code, printed) = checked(&[folder.path().to_owned()], true);
    assert_eq!((code, printed.trim()), (0, "[]"));
}

#[test]
fn folders_are_read_without_cases_hidden_files_and_repetitions() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let campaign = |id: &str| format!("id = \"{id}\"\nname = \"N\"\n");
    fs::write(path.join("b.toml"), campaign("b")).unwrap();
    fs::write(path.join("b.cases.toml"), "not a campaign").unwrap();
    fs::write(path.join(".hidden.toml"), "not a campaign").unwrap();
    fs::write(path.join("README.md"), "not a campaign").unwrap();
    fs::create_dir_all(path.join("old")).unwrap();
    fs::create_dir_all(path.join(".git")).unwrap();
    fs::write(path.join("old/a.toml"), campaign("a")).unwrap();
    fs::write(path.join(".git/c.toml"), campaign("c")).unwrap();

    let twice = [path.to_owned(), path.join("b.toml")];
    let set = rules::load(&twice).unwrap();
    let ids: Vec<&str> = set.campaigns.iter().map(|c| c.id.as_str()).collect();
    assert_eq!(ids, ["a", "b"]);
    assert!(set.sources["a"].ends_with("a.toml"));
    assert_eq!(
        checked(&twice, false),
        (0, "2 campaigns: no problems\n".into())
    );

    fs::write(path.join("z.toml"), campaign("b")).unwrap();
    let problems = rules::load(&twice).unwrap_err();
    let found: Vec<_> = problems
        .iter()
        .map(|p| (p.code, p.line, p.column))
        .collect();
    assert_eq!(found, [("duplicate_campaign", 1, 6)]);
    assert!(problems[0].message.contains("b.toml"));
}

#[test]
fn files_that_cannot_be_used_are_problems() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fs::write(
        path.join("large.toml"),
        "#".repeat(rules::FILE_BYTES_MAX + 1),
    )
    .unwrap();
    fs::write(path.join("latin.toml"), b"id = \"a\"\nname = \"caf\xe9\"\n").unwrap();
    let paths = [path.to_owned(), path.join("absent.toml")];
    let problems = rules::load(&paths).unwrap_err();
    let found: Vec<_> = problems
        .iter()
        .map(|p| (p.code, p.line, p.column))
        .collect();
    assert_eq!(
        found,
        [
            ("too_large", 1, 1),
            ("not_utf8", 2, 12),
            ("unreadable", 1, 1)
        ]
    );
}

#[test]
fn every_sample_campaign_is_clean_and_has_cases() {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules");
    let set = rules::load(std::slice::from_ref(&samples)).unwrap();
    assert!(set.campaigns.len() >= 8, "{}", set.campaigns.len());
    for (id, source) in &set.sources {
        assert!(source.ends_with(&format!("/{id}.toml")), "{source}");
        let cases = source.replace(".toml", ".cases.toml");
        let cases: toml::Table = fs::read_to_string(&cases).unwrap().parse().unwrap();
        let expected = cases["expect"].as_array().unwrap();
        assert!(expected.len() >= 4, "{id} has {} cases", expected.len());
    }
}
