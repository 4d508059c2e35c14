//! Several workers of one database at once, as several nodes are: no update is lost, no money
//! counted twice. A made-up half year is stored at once, read and judged by four workers of
//! each stage side by side, and everything is recomputed and compared.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod support;

use std::sync::Arc;

use qualify::clock::{Clock, ManualClock};
use qualify::demo::run::rule_files;
use qualify::demo::story::{Act, SEED, Story};
use qualify::domain::access::By;
use qualify::domain::campaign::Mode;
use qualify::domain::ids::{ConnectionId, CustomerId};
use qualify::domain::time::Timestamp;
use qualify::ingest::read::Scope;
use qualify::ingest::worker::ingest_batch;
use qualify::intake::{Endpoint, admit};
use qualify::queue::judging::judge;
use qualify::queue::neighbourhood::Seeds;
use qualify::queue::worker::{judge_batch, prepare};
use qualify::registry::{campaigns, promoters, referrals};
use qualify::store::events::insert_events;
use qualify::store::objects::customer_page;
use qualify::store::{Db, StoreError};
use qualify::verify::verify;

const WORKERS: usize = 4;
const GROUP: usize = 64;

fn scope() -> Scope {
    Scope {
        account: None,
        mode: Mode::Live,
    }
}

async fn fill(db: &Db, connection: &ConnectionId, clock: &ManualClock) {
    let story = Story::new(SEED);
    let by = By::command_line();
    for source in rule_files() {
        let author = campaigns::Author {
            by: &by,
            why: "test",
        };
        campaigns::save(db, connection, clock, source, None, author)
            .await
            .unwrap();
    }
    promoters::put(db, connection, clock, &story.promoters, &by)
        .await
        .unwrap();
    let endpoint = Endpoint {
        connection: connection.clone(),
        mode: Mode::Live,
        account: None,
        secrets: Vec::new(),
    };
    let mut events = Vec::new();
    for step in &story.steps {
        match &step.act {
            // Some are refused on purpose.
            Act::Refer(input) => drop(referrals::register(db, connection, clock, input, &by).await),
            Act::Deliver(body) => {
                let body = body.clone().into_bytes();
                events.push(admit(&endpoint, body, None, step.at.unix() * 1_000_000).unwrap());
            }
        }
    }
    for group in events.chunks(GROUP) {
        insert_events(db, connection, group).await.unwrap();
    }
}

/// Works until there is nothing left; being late is no failure, the work is looked at again.
async fn work(db: Db, connection: ConnectionId, clock: Arc<ManualClock>, folds: bool) {
    let mut idle = 0;
    while idle < 50 {
        let done = if folds {
            ingest_batch(&db, &connection, &scope(), clock.as_ref()).await
        } else {
            judge_batch(&db, &connection, clock.as_ref()).await
        };
        match done {
            Ok(0) => {
                idle += 1;
                tokio::task::yield_now().await;
            }
            Ok(_) | Err(StoreError::Stale { .. }) => idle = 0,
            Err(error) if error.is_transient() => idle = 0,
            Err(error) => panic!("{error}"),
        }
    }
}

async fn nothing_is_lost(db: &Db) {
    let connection = ConnectionId::from("live");
    let now = Timestamp::parse("2026-07-01T00:00:00Z").unwrap();
    let clock = Arc::new(ManualClock::at(now));
    fill(db, &connection, &clock).await;
    let workers: Vec<_> = (0..2 * WORKERS)
        .map(|n| {
            let (db, connection, clock) = (db.clone(), connection.clone(), Arc::clone(&clock));
            tokio::spawn(work(db, connection, clock, n % 2 == 0))
        })
        .collect();
    for worker in workers {
        worker.await.unwrap();
    }
    // Whoever judged last may have been idle before the last facts came.
    while judge_batch(db, &connection, clock.as_ref()).await.unwrap() > 0 {}
    let report = verify(db, &connection, &scope(), clock.now())
        .await
        .unwrap();
    assert_eq!(report.waiting, 0);
    for check in &report.checks {
        assert!(
            check.is_ok(),
            "{}: {:?}",
            check.name,
            check.differences.first()
        );
    }
    bystanders_make_no_difference(db, &connection, clock.now()).await;
}

/// Everybody judged at once comes out the same whether or not those are loaded of whom no
/// referral and no coupon speaks, and there are such people.
async fn bystanders_make_no_difference(db: &Db, connection: &ConnectionId, now: Timestamp) {
    let mut tx = db.read().await.unwrap();
    let page = customer_page(&mut tx, connection, None, 10_000)
        .await
        .unwrap();
    let customers = page.iter().map(|o| CustomerId::from(o.key.id.as_str()));
    let everybody = Seeds {
        customers: customers.collect(),
        ..Seeds::default()
    };
    let some = Seeds {
        without_bystanders: true,
        ..everybody.clone()
    };
    let everybody = prepare(&mut tx, connection, everybody).await.unwrap();
    let some = prepare(&mut tx, connection, some).await.unwrap();
    let (all, fewer) = (&everybody.neighbourhood, &some.neighbourhood);
    assert!(fewer.customers.len() < all.customers.len());
    let text = |neighbourhood| {
        let judged = judge(neighbourhood, now);
        format!("{:?} {:?}", judged.judged, judged.near_misses)
    };
    assert_eq!(text(all), text(fewer));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn on_sqlite() {
    let (_folder, db) = support::sqlite().await;
    nothing_is_lost(&db).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn on_postgres() {
    nothing_is_lost(&support::postgres().await).await;
}
