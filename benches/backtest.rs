//! `cargo bench --bench backtest`: the real program on a database and on a file of so many
//! customers with so many payments each, beside one SQL statement that adds up the same money.
//! See `benches/README.md`.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::pedantic,
    clippy::float_arithmetic,
    reason = "a bench that cannot go on has failed"
)]

#[path = "backtest/data.rs"]
mod data;
#[path = "backtest/measure.rs"]
mod measure;

use std::path::{Path, PathBuf};

use data::{Data, RULES};
use measure::{Run, run};

/// What is asked on the command line.
struct Options {
    customers: u64,
    payments: u64,
    database: Option<String>,
    folder: PathBuf,
    parts: Vec<String>,
}

fn options() -> Options {
    let mut options = Options {
        customers: 20_000,
        payments: 20,
        database: None,
        folder: std::env::temp_dir(),
        parts: Vec::new(),
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || {
            arguments
                .next()
                .unwrap_or_else(|| panic!("{argument} needs a value"))
        };
        match argument.as_str() {
            "--customers" => options.customers = value().parse().unwrap(),
            "--payments" => options.payments = value().parse().unwrap(),
            "--database" => options.database = Some(value()),
            "--folder" => options.folder = value().into(),
            "--only" => options.parts.push(value()),
            "--bench" => {}
            other => panic!("unknown argument {other}"),
        }
    }
    options
}

fn main() {
    let options = options();
    let wanted = |part: &str| options.parts.is_empty() || options.parts.iter().any(|p| p == part);
    let folder = tempfile::tempdir_in(&options.folder).unwrap();
    let rules = folder.path().join("rules");
    std::fs::create_dir(&rules).unwrap();
    std::fs::write(rules.join("bench.toml"), RULES).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    if wanted("check") {
        runtime.block_on(data::generated_is_what_is_folded(folder.path()));
        println!("what is generated is what ingest would have stored");
    }
    let data = Data {
        customers: options.customers,
        payments: options.payments,
    };
    println!("{} customers x {} payments", data.customers, data.payments);
    if wanted("database") {
        let sqlite = format!("sqlite://{}/bench.db", folder.path().display());
        let url = options.database.clone().unwrap_or(sqlite);
        database(&runtime, &data, &url, &rules);
    }
    if wanted("file") {
        file(&data, folder.path(), &rules);
    }
}

fn database(runtime: &tokio::runtime::Runtime, data: &Data, url: &str, rules: &Path) {
    runtime.block_on(data.fill(url));
    let (took, by_sql) = runtime.block_on(data.one_statement(url));
    println!("one SQL statement       {took:>8.2} s  {by_sql} of them reach the threshold");
    let at = data.as_of();
    for (name, more) in [
        ("verdicts as a table   ", &[][..]),
        ("full evidence, --json ", &["--json"]),
    ] {
        let mut arguments = vec!["--database-url", url, "backtest", "--from-db", "--at", &at];
        arguments.extend(["--rules", rules.to_str().unwrap()]);
        arguments.extend(more);
        let ran = run(&arguments);
        report(name, data, &ran);
        println!("{:>24}{:.2} x the statement's time", "", ran.seconds / took);
        if more.is_empty() {
            assert_eq!(ran.qualified, Some(by_sql), "both must count the same");
        }
    }
}

fn file(data: &Data, folder: &Path, rules: &Path) {
    let files = data.write_files(folder);
    let bytes = std::fs::metadata(&files[0]).unwrap().len();
    println!("events file of {} MB", bytes / 1_000_000);
    let text = |path: &PathBuf| path.to_str().unwrap().to_owned();
    let (events, referrals, promoters) = (text(&files[0]), text(&files[1]), text(&files[2]));
    for (name, more) in [
        ("file, as a table      ", &[][..]),
        ("file, --json          ", &["--json"]),
    ] {
        let mut arguments = vec!["backtest", "--events", &events, "--referrals", &referrals];
        arguments.extend([
            "--promoters",
            &promoters,
            "--rules",
            rules.to_str().unwrap(),
        ]);
        arguments.extend(more);
        let ran = run(&arguments);
        report(name, data, &ran);
        let events = data.customers * data.payments + data.customers;
        println!("{:>24}{:.0} events/s", "", events as f64 / ran.seconds);
    }
}

fn report(name: &str, data: &Data, ran: &Run) {
    println!(
        "{name}  {:>8.2} s  {:>9.0} customers/s  {:>5} MiB at most",
        ran.seconds,
        data.customers as f64 / ran.seconds,
        ran.peak_kib / 1024
    );
}
