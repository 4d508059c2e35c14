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
use world::World;

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

async fn compare(sqlite: &World, postgres: &World, details: usize) -> usize {
    let (ours, theirs) = tokio::join!(sqlite.answers(details), postgres.answers(details));
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(ours, theirs);
    }
    assert_eq!(ours.len(), theirs.len());
    ours.len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_life_on_both_engines() {
    let (count, days, details) = asked();
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/q.db", folder.path().display());
    let sqlite = World::new(&url).await;
    let postgres = World::new(&support::postgres::fresh_database().await).await;
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
    println!(
        "{count} acts {:?}, {answers} answers compared, {looked_at} rows recomputed",
        on_sqlite.done
    );
    // It was a life in which everything happened.
    assert!(on_sqlite.done.len() >= 10, "{:?}", on_sqlite.done);
    assert!(looked_at > 3_000 && answers > 150, "{looked_at} {answers}");
}
