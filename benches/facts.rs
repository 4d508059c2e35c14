//! How fast events become facts and facts are folded, per event, beside the limit: a bare JSON
//! walk over the same bytes that keeps nothing.
#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a bench that cannot be set up has failed"
)]

use std::hint::black_box;
use std::path::Path;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use qualify::domain::fact::FactBook;
use qualify::stripe::{Reading, read_event};
use serde::de::IgnoredAny;

/// Every written fixture that says something, of all eras.
fn bodies() -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/stripe");
    let mut bodies = Vec::new();
    for era in std::fs::read_dir(root).unwrap() {
        let era = era.unwrap().path();
        if !era.is_dir() {
            continue;
        }
        for file in std::fs::read_dir(era).unwrap() {
            let body = std::fs::read(file.unwrap().path()).unwrap();
            if matches!(read_event(&body), Ok(event) if matches!(event.reading, Reading::Facts(_)))
            {
                bodies.push(body);
            }
        }
    }
    assert!(
        bodies.len() > 40,
        "only {} fixtures say something",
        bodies.len()
    );
    bodies
}

fn bench(c: &mut Criterion) {
    let bodies = bodies();
    let bytes: usize = bodies.iter().map(Vec::len).sum();
    let count = u64::try_from(bodies.len()).unwrap();
    println!("{count} events, {} bytes on average", bytes / bodies.len());
    let mut group = c.benchmark_group("events to facts");
    group.throughput(Throughput::Elements(count));
    group.bench_function("limit: walk the JSON, keep nothing", |b| {
        b.iter(|| {
            for body in &bodies {
                black_box(serde_json::from_slice::<IgnoredAny>(body).unwrap());
            }
        });
    });
    group.bench_function("read", |b| {
        b.iter(|| {
            for body in &bodies {
                black_box(read_event(body).unwrap());
            }
        });
    });
    group.bench_function("read and fold", |b| {
        b.iter_batched(
            FactBook::default,
            |mut book| {
                for body in &bodies {
                    if let Reading::Facts(facts) = read_event(body).unwrap().reading {
                        book.extend(facts);
                    }
                }
                book
            },
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
