//! How fast stored events become stored verdicts, with little and with much stored before, and
//! whether one customer with very many payments makes the others wait. `benches/README.md`
//! says how to run it.
#![recursion_limit = "256"]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a bench that cannot be set up has failed"
)]

mod meter;
mod options;
mod pad;
#[path = "../../tests/support/postgres.rs"]
mod postgres;
mod shapes;
mod shop;
mod whale;
mod world;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use meter::{Times, bytes_written, cpu_us, memory_mib, per_second, statements, timed};
use options::Options;
use shop::Shop;

/// Between two looks at how long intake would wait for the writer.
const PROBE_EVERY: Duration = Duration::from_millis(2);

fn main() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(run(Options::read()));
}

async fn run(options: Options) {
    meter::install();
    let shop = Shop::open(&options).await;
    match options.whale {
        0 => throughput(shop, &options).await,
        payments => whale::run(shop, &options, payments).await,
    }
}

async fn throughput(mut shop: Shop, options: &Options) {
    let half = options.events / 2;
    let bodies = shop.store(half).await;
    println!("\nevents of {} bytes on average", bodies / half.max(1));
    let (before, cpu_before) = (bytes_written(&shop.db).await, cpu_us());
    one_after_the_other(&shop).await;
    let (written, cpu) = (
        bytes_written(&shop.db).await - before,
        cpu_us() - cpu_before,
    );
    let events = u64::try_from(half).unwrap().max(1);
    println!("bytes written an event   {}", written / events);
    println!("our CPU time an event    {} µs", cpu / events);
    shop.store(half).await;
    together(&shop).await;
    println!("most memory              {} MiB", memory_mib());
}

/// Reads a batch, then judges what it touched, and so on until nothing waits.
async fn one_after_the_other(shop: &Shop) {
    let (mut ingest, mut judge) = (Times::default(), Times::default());
    let (mut events, mut judged) = (0, 0);
    let (mut sent_by_ingest, mut sent_by_judge) = (0, 0);
    loop {
        let (read, sent) = statements(timed(&mut ingest, shop.ingest())).await;
        if read == 0 {
            break;
        }
        events += read;
        sent_by_ingest += sent;
        loop {
            let (done, sent) = statements(timed(&mut judge, shop.judge())).await;
            judged += done;
            sent_by_judge += sent;
            if done == 0 {
                break;
            }
        }
    }
    let all = ingest.sum() + judge.sum();
    println!(
        "ingest                   {} events/s",
        per_second(events, ingest.sum())
    );
    println!("  a batch                {}", ingest.text());
    println!(
        "  of 1000 events         {} ms",
        ms_of_1000(events, ingest.sum())
    );
    println!(
        "  statements a batch     {}",
        sent_by_ingest / u64::try_from(ingest.count()).unwrap()
    );
    println!(
        "judge                    {} events/s",
        per_second(events, judge.sum())
    );
    println!(
        "  things judged          {judged}, {}/s",
        per_second(judged, judge.sum())
    );
    println!("  a batch                {}", judge.text());
    println!(
        "  of 1000 events         {} ms",
        ms_of_1000(events, judge.sum())
    );
    println!(
        "  statements a batch     {}",
        sent_by_judge / u64::try_from(judge.count()).unwrap()
    );
    println!(
        "one after the other      {} events/s",
        per_second(events, all)
    );
}

/// Milliseconds that a thousand of so many took.
fn ms_of_1000(count: usize, took: Duration) -> u128 {
    took.as_millis() * 1_000 / u128::try_from(count.max(1)).unwrap()
}

/// Both stages at once, as the server runs them, and how long intake would wait for its turn.
async fn together(shop: &Shop) {
    let done_reading = Arc::new(AtomicBool::new(false));
    let done = Arc::new(AtomicBool::new(false));
    let began = Instant::now();
    let reading = tokio::spawn({
        let (shop, done_reading) = (shop.worker(), Arc::clone(&done_reading));
        async move {
            let mut events = 0;
            loop {
                match shop.ingest().await {
                    0 => break,
                    read => events += read,
                }
            }
            done_reading.store(true, Ordering::SeqCst);
            events
        }
    });
    let judging = tokio::spawn({
        let (shop, done_reading) = (shop.worker(), Arc::clone(&done_reading));
        async move {
            loop {
                let last = done_reading.load(Ordering::SeqCst);
                if shop.judge().await == 0 {
                    if last {
                        break;
                    }
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
        }
    });
    let waiting = tokio::spawn({
        let (db, done) = (shop.db.clone(), Arc::clone(&done));
        async move {
            let mut waits = Times::default();
            while !done.load(Ordering::SeqCst) {
                let tx = timed(&mut waits, db.begin()).await.unwrap();
                tx.rollback().await.unwrap();
                tokio::time::sleep(PROBE_EVERY).await;
            }
            waits
        }
    });
    let events = reading.await.unwrap();
    judging.await.unwrap();
    let took = began.elapsed();
    done.store(true, Ordering::SeqCst);
    println!(
        "both at once             {} events/s",
        per_second(events, took)
    );
    println!("  a writer waits         {}", waiting.await.unwrap().text());
}
