//! The load tool itself, for a moment: it posts to both servers, and what it says of them is
//! true. How fast they are is nobody's business here.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "../benches/load/tool/mod.rs"]
mod tool;

use std::collections::BTreeSet;

use clap::Parser as _;
use qualify::clock::{Clock as _, SystemClock};
use tokio::net::TcpListener;

use tool::args::Args;
use tool::database::{Found, Fresh, check};
use tool::events::{Events, Kind};
use tool::report::report;
use tool::run::{Measured, Run, against, measure};
use tool::server::Server;

fn args(more: &[&str]) -> Args {
    let args = [
        "load",
        "--events",
        "250",
        "--connections",
        "4",
        "--rounds",
        "1",
    ];
    Args::parse_from(args.iter().chain(more))
}

/// The limit server on a thread of this process, and what was found of it.
async fn limit(args: &Args, events: &Events) -> (Fresh, Run) {
    let fresh = Fresh::make("sqlite", 0).await;
    let url = fresh.url.clone();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().build().unwrap();
        runtime.block_on(async move {
            let listener = TcpListener::from_std(listener).unwrap();
            tool::limit::serve(listener, &url, 1).await;
        });
    });
    let server = Server::here(address);
    let run = against(args, Measured::Limit, events, vec![server], &fresh.url).await;
    (fresh, run)
}

#[tokio::test]
async fn both_servers_store_what_they_acknowledge_and_the_report_says_so() {
    let args = args(&["--stages", "on", "--duplicates", "20"]);
    let start = SystemClock.now().unix().unsigned_abs() - 3 * 86_400;
    let events = Events::new(7, Kind::Mix, start);
    let (fresh, limit) = limit(&args, &events).await;
    let qualify = measure(&args, Measured::Qualify, 1).await;

    for run in [&limit, &qualify] {
        let acknowledged = &run.posted.acknowledged;
        let distinct: BTreeSet<&u64> = acknowledged.iter().collect();
        assert!(run.posted.errors.is_empty(), "{:?}", run.posted.errors);
        assert_eq!(distinct.len(), 250);
        assert!(run.posted.repeats > 0);
        assert_eq!(run.found.rows, distinct.len());
        assert_eq!(
            run.posted.repeats,
            u64::try_from(acknowledged.len() - distinct.len()).unwrap()
        );
        assert_eq!(run.posted.latencies.len(), acknowledged.len());
        assert!(run.posted.latencies.is_sorted());
        assert!(
            (2_200..3_200).contains(&run.body_bytes),
            "{}",
            run.body_bytes
        );
        assert!(run.adds_up());
    }
    let worked = qualify.worked.as_ref().unwrap();
    assert!(worked.verdicts > 0 && worked.seconds > 0.0);
    assert!(qualify.memory_kib > 1_000);

    // A lost event, and one that nobody posted, are found.
    let mut more = limit.posted.acknowledged.clone();
    more.push(10_000_000);
    let found = check(&fresh.url, &events, &more, true).await;
    assert_eq!((found.lost, found.foreign, found.changed), (1, 0, 0));
    let others = Events::new(8, Kind::Mix, start);
    let found = check(&fresh.url, &others, &limit.posted.acknowledged, true).await;
    assert_eq!(found.foreign, limit.found.rows);
    let lossy = Run {
        found: Found {
            lost: 1,
            ..limit.found
        },
        ..limit.clone()
    };
    assert!(!lossy.adds_up());
    let uncounted = Run {
        found: Found {
            repeats: Some(0),
            ..qualify.found
        },
        ..qualify.clone()
    };
    assert!(!uncounted.adds_up());

    let runs = [(Measured::Limit, limit), (Measured::Qualify, qualify)];
    let text = report(&args, &runs);
    for words in [
        "| server | acknowledged/s |",
        "| limit |",
        "| qualify |",
        "× the limit",
        "From post to stored verdict",
        "each once and byte for byte",
    ] {
        assert!(text.contains(words), "{words} is missing in {text}");
    }
    let text = report(&args, &[(Measured::Limit, lossy)]);
    assert!(text.contains("DOES NOT ADD UP"), "{text}");
}

#[test]
fn events_are_the_same_again_and_their_ids_follow_time() {
    let events = Events::new(1, Kind::Mix, 1_750_000_000);
    let body = |n| {
        let mut body = String::new();
        events.body(n, &mut body);
        body
    };
    for n in 0..8 {
        let read = qualify::stripe::read_event(body(n).as_bytes()).unwrap();
        assert_eq!(read.envelope.id.as_str(), events.id(n));
        assert!(
            matches!(read.reading, qualify::stripe::Reading::Facts(_)),
            "{n}"
        );
        assert_eq!(body(n), body(n));
    }
    let ids: BTreeSet<String> = (0..50_000).map(|n| events.id(n)).collect();
    assert_eq!(ids.len(), 50_000);
    assert!(events.id(999) < events.id(1_000) && events.id(5_999) < events.id(60_000));
    assert_eq!(events.customers(9), 3);
}
