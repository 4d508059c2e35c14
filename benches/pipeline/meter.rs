//! What a run costs: time, statements, bytes, memory. Whole numbers throughout.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use qualify::store::dialect::Engine;
use qualify::store::{Db, Statement};
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

static COUNTING: AtomicBool = AtomicBool::new(false);
static STATEMENTS: AtomicU64 = AtomicU64::new(0);

/// Counts the statements that are sent, by what `sqlx` says of them.
struct Statements;

impl<S: Subscriber> Layer<S> for Statements {
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::sometimes()
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        COUNTING.load(Ordering::Relaxed) && metadata.target() == "sqlx::query"
    }

    fn on_event(&self, _: &Event<'_>, _: Context<'_, S>) {
        STATEMENTS.fetch_add(1, Ordering::Relaxed);
    }
}

/// Has statements counted from now on, where it is asked for.
pub fn install() {
    let subscriber = tracing_subscriber::registry().with(Statements);
    tracing::subscriber::set_global_default(subscriber).unwrap();
}

/// The statements that some work sends.
pub async fn statements<T>(work: impl Future<Output = T>) -> (T, u64) {
    STATEMENTS.store(0, Ordering::Relaxed);
    COUNTING.store(true, Ordering::Relaxed);
    let done = work.await;
    COUNTING.store(false, Ordering::Relaxed);
    (done, STATEMENTS.load(Ordering::Relaxed))
}

/// Bytes of the database.
pub async fn size(db: &Db) -> i64 {
    let text = match db.engine() {
        Engine::Sqlite => "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size",
        Engine::Postgres => "SELECT pg_database_size(current_database())",
    };
    let mut tx = db.read().await.unwrap();
    let (bytes,) = Statement::new(text).fetch_one(&mut tx).await.unwrap();
    bytes
}

/// How long something took, each time.
#[derive(Debug, Default, Clone)]
pub struct Times(Vec<Duration>);

impl Times {
    /// Once more.
    pub fn add(&mut self, took: Duration) {
        self.0.push(took);
    }

    /// In all.
    pub fn sum(&self) -> Duration {
        self.0.iter().sum()
    }

    /// How often.
    pub const fn count(&self) -> usize {
        self.0.len()
    }

    /// Median, 99th of a hundred, longest.
    pub fn text(&self) -> String {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let at = |percent: usize| {
            let index = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
            sorted.get(index).map_or(0, Duration::as_micros)
        };
        let ms = |us: u128| format!("{}.{:01}", us / 1_000, us % 1_000 / 100);
        format!(
            "p50 {} ms, p99 {} ms, longest {} ms",
            ms(at(50)),
            ms(at(99)),
            ms(at(100))
        )
    }
}

/// How many of something in a second.
pub fn per_second(count: usize, took: Duration) -> u128 {
    let count = u128::try_from(count).unwrap();
    count * 1_000_000 / took.as_micros().max(1)
}

/// Runs some work and adds how long it took.
pub async fn timed<T>(times: &mut Times, work: impl Future<Output = T>) -> T {
    let began = Instant::now();
    let done = work.await;
    times.add(began.elapsed());
    done
}

/// Bytes written so far: by this process to files (SQLite), or to the log (PostgreSQL).
pub async fn bytes_written(db: &Db) -> u64 {
    match db.engine() {
        Engine::Sqlite => field("/proc/self/io", "wchar:"),
        Engine::Postgres => {
            let mut tx = db.begin().await.unwrap();
            let (bytes,): (i64,) = Statement::new(
                "SELECT CAST(pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0') AS BIGINT)",
            )
            .fetch_one(&mut tx)
            .await
            .unwrap();
            u64::try_from(bytes).unwrap()
        }
    }
}

/// CPU time of this process so far, in microseconds of 10 milliseconds each: it says more than
/// the clock does while others work on the same machine. A server's own is not in it.
pub fn cpu_us() -> u64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap();
    let after_name = text.rsplit_once(')').unwrap().1;
    let fields = after_name.split_whitespace();
    let ticks: u64 = fields
        .skip(11)
        .take(2)
        .map(|f| f.parse::<u64>().unwrap())
        .sum();
    ticks * 10_000
}

/// The most memory this process has had, in MiB.
pub fn memory_mib() -> u64 {
    field("/proc/self/status", "VmHWM:") / 1_024
}

fn field(file: &str, name: &str) -> u64 {
    let text = std::fs::read_to_string(file).unwrap();
    let line = text.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
