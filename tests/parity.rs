//! Both engines do the same: one long life, act by act, on SQLite and on PostgreSQL, under one
//! clock and one seed. Every act is answered alike, and so is every GET of the API, byte for
//! byte: ids and times follow from what was done, so that nothing has to be hidden.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "support/acts.rs"]
mod acts;
mod support;
#[path = "support/world.rs"]
mod world;

use acts::Acts;
use qualify::demo::story::{ENDS_UNIX, STARTS_UNIX};
use qualify::domain::time::DAY_SECONDS;
use world::{Answer, World};

/// How many acts, and the days they last; `PARITY_OPS=600` is the long run, of the half year.
const ACTS: usize = 60;
const DAYS: i64 = 75;
const HALF_YEAR: i64 = (ENDS_UNIX - STARTS_UNIX) / DAY_SECONDS;
/// Rows of each list that are asked for in detail; in the long run all of them.
const DETAILS: usize = 10;

fn asked() -> (usize, i64, usize) {
    let acts = std::env::var("PARITY_OPS");
    let acts = acts.map(|text| text.parse().expect("PARITY_OPS is a number"));
    acts.map_or((ACTS, DAYS, DETAILS), |acts| (acts, HALF_YEAR, usize::MAX))
}

/// The answers, which are the same.
async fn compare(sqlite: &World, postgres: &World, details: usize) -> Vec<(String, Answer)> {
    let (ours, theirs) = tokio::join!(sqlite.answers(details), postgres.answers(details));
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(ours, theirs);
    }
    assert_eq!(ours.len(), theirs.len());
    ours
}

/// What the program exports from a database.
fn exported(url: &str, what: &str) -> String {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_qualify"))
        .args(["export", what])
        .env_clear()
        .env("DATABASE_URL", url)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_life_on_both_engines() {
    let (count, days, details) = asked();
    let folder = tempfile::tempdir().unwrap();
    let file = format!("sqlite://{}/q.db", folder.path().display());
    let server = support::postgres::fresh_database().await;
    let sqlite = World::new(&file).await;
    let postgres = World::new(&server).await;
    let (mut on_sqlite, mut on_postgres) = (Acts::new(1, count, days), Acts::new(1, count, days));
    for number in 1..=count {
        let (ours, theirs) = tokio::join!(on_sqlite.act(&sqlite), on_postgres.act(&postgres));
        assert_eq!(ours, theirs);
        if number % 100 == 0 {
            compare(&sqlite, &postgres, DETAILS).await;
        }
    }
    let answers = compare(&sqlite, &postgres, details).await;
    let looked_at = sqlite.verified().await;
    assert_eq!(looked_at, postgres.verified().await);
    sqlite.db.close().await;
    postgres.db.close().await;
    for what in ["events", "referrals", "promoters"] {
        let ours = exported(&file, what);
        assert!(ours == exported(&server, what), "exports of {what} differ");
        assert!(ours.lines().count() > 10, "{ours}");
    }

    // It was a life in which everything happened.
    let booked = |kind: &str| {
        let pages = answers
            .iter()
            .filter(|(path, _)| path.starts_with("/ledger/statement?limit"));
        let words = format!("\"kind\":\"{kind}\"");
        let counts = pages.map(|(_, page)| page.body.matches(&words).count());
        counts.sum::<usize>()
    };
    let booked = ["accrual", "reversal", "reinstatement"].map(booked);
    let (answers, done) = (answers.len(), on_sqlite.done);
    println!(
        "{count} acts {done:?}, {answers} answers compared, {looked_at} rows recomputed, \
         {booked:?} accruals, reversals, reinstatements"
    );
    assert!(done.len() >= 10, "{done:?}");
    assert!(looked_at > 3_000 && answers > 150, "{looked_at} {answers}");
    assert!(booked[0] > 10 && booked[1] > 0, "{booked:?}");
    assert!(booked[2] > 0 || days < HALF_YEAR, "{booked:?}");
}
