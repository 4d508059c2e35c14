//! One customer with very many payments, who pays again all the time: how long do the others
//! wait for their verdicts?

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use qualify::queue::worker::Pace;
use qualify::store::dirty::{DirtyKind, list_dirty};
use tokio::sync::Mutex;

use super::meter::{Times, memory_mib};
use super::options::Options;
use super::shop::{Shop, Worker};
use super::world::Told;

/// The customer with very many payments.
const NUMBER: u64 = 7_700_000_003;
/// Others' events stored at once; one event of the whale comes with each such group.
const GROUP: usize = 32;
/// Between two groups.
const PAUSE: Duration = Duration::from_millis(50);

/// Events in the order in which they were stored: whose, since when.
type Line = Arc<Mutex<Vec<(String, Instant)>>>;

/// The same events at the same pace, without the whale's and with them.
pub async fn run(mut shop: Shop, options: &Options, payments: u64) {
    let alone = round(&mut shop, options.events, false).await;
    println!("\nothers, nobody with many payments  {}", alone.text());
    let began = Instant::now();
    let past: Vec<Told> = (0..payments)
        .map(|_| shop.world.whale_pays(NUMBER))
        .collect();
    shop.insert(&past).await;
    shop.drain().await;
    println!(
        "made a customer with {payments} payments in {} s",
        began.elapsed().as_secs()
    );
    let beside = round(&mut shop, options.events, true).await;
    println!("others, beside a busy one          {}", beside.text());
    println!("most memory                        {} MiB", memory_mib());
}

/// From stored to judged, each event of the others.
async fn round(shop: &mut Shop, events: usize, with_whale: bool) -> Times {
    let line: Line = Arc::default();
    let stored_all = Arc::new(AtomicBool::new(false));
    let read = Arc::new(AtomicUsize::new(0));
    let reading = tokio::spawn(read_on(
        shop.worker(),
        Arc::clone(&read),
        Arc::clone(&stored_all),
    ));
    let judging = tokio::spawn(judge_on(
        shop.worker(),
        Arc::clone(&line),
        Arc::clone(&read),
        Arc::clone(&stored_all),
    ));
    for _ in 0..events / GROUP {
        let began = Instant::now();
        let (mut told, referrals) = shop.world.take(GROUP);
        shop.register_only(&referrals).await;
        if with_whale {
            told.insert(0, shop.world.whale_pays(NUMBER));
        }
        shop.insert(&told).await;
        let now = Instant::now();
        let mut line = line.lock().await;
        line.extend(told.into_iter().map(|told| (told.customer, now)));
        drop(line);
        tokio::time::sleep(PAUSE.saturating_sub(began.elapsed())).await;
    }
    stored_all.store(true, Ordering::SeqCst);
    reading.await.unwrap();
    judging.await.unwrap()
}

async fn read_on(worker: Worker, read: Arc<AtomicUsize>, stored_all: Arc<AtomicBool>) {
    loop {
        let last = stored_all.load(Ordering::SeqCst);
        match worker.ingest().await {
            0 if last => break,
            0 => tokio::time::sleep(Duration::from_millis(1)).await,
            some => drop(read.fetch_add(some, Ordering::SeqCst)),
        }
    }
}

/// Judges, and looks after each batch who need not wait any longer.
async fn judge_on(
    worker: Worker,
    line: Line,
    read: Arc<AtomicUsize>,
    stored_all: Arc<AtomicBool>,
) -> Times {
    let whale = super::world::person(NUMBER).customer();
    let pace = Pace::default();
    let mut times = Times::default();
    let mut judged: HashSet<usize> = HashSet::new();
    let mut first = 0;
    loop {
        let last = stored_all.load(Ordering::SeqCst);
        let known = read.load(Ordering::SeqCst);
        let done = worker.judge_in_turn(&pace).await;
        let mut tx = worker.db.read().await.unwrap();
        let dirty = list_dirty(&mut tx, &worker.connection).await.unwrap();
        tx.rollback().await.unwrap();
        let line = line.lock().await;
        let known = known.min(line.len());
        for (index, (customer, stored)) in line.iter().enumerate().take(known).skip(first) {
            let is_whale = *customer == whale;
            let waits = dirty.contains(&(DirtyKind::Customer, customer.clone()));
            if is_whale {
                judged.insert(index);
            } else if !waits && judged.insert(index) {
                times.add(stored.elapsed());
            }
        }
        while judged.remove(&first) {
            first += 1;
        }
        if done == 0 {
            if last && first == line.len() {
                return times;
            }
            drop(line);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}
