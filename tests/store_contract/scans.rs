//! No statement reads the whole of a table that grows. Whatever the stories make the store send
//! is collected, and SQLite is asked how it would find the rows; the few that read on are listed
//! here with their reason.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, OnceLock};

use sqlx::{AssertSqlSafe, Row as _, SqlitePool};
use tracing::field::{Field, Visit};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

/// Tables with rows for what happens; the others have rows for what is set up.
const GROWING: [&str; 30] = [
    "audit_log",
    "batch_items",
    "batches",
    "cases",
    "clicks",
    "customer_keys",
    "decisions",
    "dirty",
    "event_conflicts",
    "event_outcomes",
    "event_queue",
    "event_repeats",
    "events",
    "idempotency_keys",
    "ledger_balances",
    "ledger_entries",
    "ledger_transactions",
    "limits",
    "near_misses",
    "objects",
    "one_time_links",
    "outbox",
    "payments",
    "promoters",
    "qualifications",
    "referrals",
    "sessions",
    "verdict_customers",
    "verdicts",
    "webhook_deliveries",
];

/// Words of statements that read on, and why they may.
const EXCUSED: &[(&str, &str)] = &[
    // Work lists and what is open: as short as what waits.
    (
        "FROM batches WHERE connection_id = $1 AND state <> 'done'",
        "open batches alone are in its index",
    ),
    (
        "SELECT kind, id FROM dirty WHERE connection_id",
        "verify asks what waits, all of it",
    ),
    (
        "SELECT 'received', COUNT(*) FROM event_queue",
        "numbers over the list of events, counted from indexes",
    ),
    (
        "SELECT COUNT(*), MIN(marked_at_us) FROM dirty",
        "what waits to be judged is counted, all of it",
    ),
    (
        "SELECT COUNT(*) FROM qualifications WHERE connection_id = $1 AND state = 'queued'",
        "what is queued is counted, all of it, from its index",
    ),
    // The least and the greatest are one step from the end of their index.
    ("SELECT MAX(received_at_us) FROM events", "one row"),
    (
        "SELECT MAX(decided_at) FROM decisions",
        "each decision took a person",
    ),
    // Sums of everything are asked for as such.
    (
        "SELECT campaign_id, COUNT(*) FROM referrals",
        "a report on all referrals",
    ),
    (
        "SELECT DISTINCT campaign_id, referral_id FROM verdict_customers",
        "a report on all verdicts",
    ),
    (
        "SELECT campaign_id, state, COUNT(*) FROM qualifications",
        "a report on all qualifications",
    ),
    (
        "CAST(SUM(amount_minor) AS BIGINT) FROM ledger_entries",
        "the sum of the whole ledger",
    ),
    (
        "SELECT COUNT(*) FROM ledger_transactions",
        "verify counts the whole ledger",
    ),
    (
        "SELECT DISTINCT t.qualification_id FROM ledger_transactions",
        "verify, once something is missing",
    ),
    (
        "SELECT DISTINCT e.account FROM ledger_entries",
        "verify, once something is missing",
    ),
    (
        "SELECT campaign_id, state, code, COUNT(*) FROM verdicts WHERE connection_id = $1 GROUP BY",
        "a report on all verdicts",
    ),
    (
        "FROM qualifications WHERE connection_id = $1 AND active = 1 GROUP BY campaign_id, person",
        "verify looks at every person, row after row",
    ),
    // Sorted after a bound: what is sorted is a part of it.
    (
        "SELECT p.verdict FROM (SELECT v.campaign_id",
        "the doctor looks at a sample",
    ),
    (
        "SELECT failure, COUNT(*) FROM (SELECT topic, due_at, failure",
        "the doctor looks at the newest",
    ),
    (
        "AS newest WHERE secret_index",
        "the doctor looks at the newest",
    ),
    (
        "(SELECT key_value, customer_id FROM customer_keys",
        "the doctor looks at a sample",
    ),
    // One promoter's own, whose verdicts and rewards are in no order that an index has.
    (
        "SELECT v.campaign_id, v.referral_id FROM verdicts AS v LEFT JOIN referrals",
        "of one promoter",
    ),
    (
        "SELECT q.qualification_id FROM qualifications AS q WHERE q.connection_id = $1 AND q.promoter_id",
        "of one promoter",
    ),
    (
        "WITH mine AS MATERIALIZED ( SELECT k.batch_id, k.item FROM qualifications",
        "of one promoter",
    ),
    // After all events were put back, once.
    (
        "INSERT INTO event_queue (connection_id, received_at_us, event_id, body_bytes) SELECT",
        "a replay of everything",
    ),
    (
        "DELETE FROM event_outcomes WHERE connection_id = $1 AND EXISTS",
        "a replay of everything",
    ),
    (
        "UPDATE one_time_links SET used_at",
        "the links of this purpose; each lives for days",
    ),
    (
        "DELETE FROM sessions WHERE connection_id",
        "once an hour; sessions live for days",
    ),
];

/// What is sent, as the driver logs it.
struct Sent;

static SENT: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
/// What was looked at already.
static SEEN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

#[derive(Default)]
struct Text(String);

impl Visit for Text {
    fn record_str(&mut self, field: &Field, value: &str) {
        // A short one is its own summary.
        let is_whole = field.name() == "db.statement" && !value.is_empty();
        if is_whole || (field.name() == "summary" && self.0.is_empty()) {
            value.clone_into(&mut self.0);
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}

impl<S: tracing::Subscriber> Layer<S> for Sent {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "sqlx::query" {
            let mut text = Text::default();
            event.record(&mut text);
            SENT.lock().unwrap().insert(text.0);
        }
    }

    fn enabled(&self, metadata: &tracing::Metadata<'_>, _: Context<'_, S>) -> bool {
        metadata.target() == "sqlx::query"
    }
}

/// From now on, what is sent is collected.
pub fn collect() {
    static ONCE: OnceLock<()> = OnceLock::new();
    ONCE.get_or_init(|| {
        let subscriber = tracing_subscriber::registry().with(Sent);
        tracing::subscriber::set_global_default(subscriber).unwrap();
    });
}

/// Looks at all that was sent so far and not looked at yet, by this story or another.
pub async fn check() {
    let sent = std::mem::take(&mut *SENT.lock().unwrap());
    let new: Vec<String> = sent
        .into_iter()
        .map(|text| shortened(&text))
        .filter(|text| is_the_stores(text) && SEEN.lock().unwrap().insert(text.clone()))
        .collect();
    if new.is_empty() {
        return;
    }
    let (_folder, pool) = tables().await;
    let mut found = BTreeMap::new();
    for text in new {
        let why = reads_on(&pool, &text).await;
        let excused = EXCUSED.iter().any(|(words, _)| text.contains(words));
        if !why.is_empty() && !excused {
            found.insert(text, why);
        }
    }
    for (text, why) in &found {
        println!("{text}\n  {}\n", why.join("\n  "));
    }
    assert!(
        found.is_empty(),
        "{} statements read on, see above",
        found.len()
    );
}

/// Whether the store has this statement, and not a story: its longest part without a bind is in
/// the sources.
fn is_the_stores(text: &str) -> bool {
    static SOURCES: OnceLock<String> = OnceLock::new();
    let sources = SOURCES.get_or_init(|| {
        let mut sources = String::new();
        let mut folders = vec![std::path::PathBuf::from(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/src"
        ))];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if let Ok(text) = std::fs::read_to_string(path) {
                    sources.extend(text.split_whitespace().flat_map(|word| [word, " "]));
                }
            }
        }
        sources
    });
    let is_of_binds = |c: char| c.is_ascii_digit() || "$?".contains(c);
    let parts = text.split(is_of_binds).map(str::trim);
    let longest = parts.max_by_key(|part| part.len()).unwrap_or_default();
    sources.contains(longest)
}

/// In one line, and of each list of rows the first.
fn shortened(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut short = words.join(" ");
    for columns in 1..40 {
        let row = format!("(?{})", ",?".repeat(columns - 1));
        let two = format!("{row},{row}");
        while short.contains(&two) {
            short = short.replace(&two, &row);
        }
    }
    short
}

async fn tables() -> (tempfile::TempDir, SqlitePool) {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/plans.db", folder.path().display());
    let db = crate::support::open(&url).await;
    db.migrate().await.unwrap();
    db.close().await;
    let pool = SqlitePool::connect(&url).await.unwrap();
    (folder, pool)
}

/// The steps of a plan that read more than they are asked for.
async fn reads_on(pool: &SqlitePool, text: &str) -> Vec<String> {
    let reads = ["SELECT", "WITH", "UPDATE", "DELETE", "INSERT"];
    if !reads.iter().any(|word| text.starts_with(word)) {
        return Vec::new();
    }
    let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {text}"));
    let Ok(rows) = sqlx::query(explain).fetch_all(pool).await else {
        return Vec::new(); // PostgreSQL's own way to write it; the other one was sent as well.
    };
    let steps: Vec<String> = rows
        .iter()
        .map(|row| row.get::<String, _>("detail"))
        .collect();
    let names = names(text);
    let is_page = text.contains(" LIMIT ");
    let reads_on = |step: &&String| {
        if step.contains("USE TEMP B-TREE FOR ORDER BY") || step.contains("LAST TERM") {
            return is_page;
        }
        let mut words = step.split_whitespace();
        let (Some(how), Some(what)) = (words.next(), words.next()) else {
            return false;
        };
        let grows = names
            .get(what)
            .is_some_and(|table| GROWING.contains(&table.as_str()));
        let whole = how == "SCAN" || (step.ends_with("(connection_id=?)") && !is_page);
        grows && whole
    };
    steps.iter().filter(reads_on).cloned().collect()
}

/// Which table each name of a statement is.
fn names(text: &str) -> BTreeMap<String, String> {
    let words: Vec<&str> = text
        .split(|c: char| c.is_whitespace() || "(),".contains(c))
        .filter(|word| !word.is_empty())
        .collect();
    let mut names = BTreeMap::new();
    for (at, word) in words.iter().enumerate() {
        if GROWING.contains(word) {
            names.insert((*word).to_owned(), (*word).to_owned());
            if let (Some(&"AS"), Some(alias)) = (words.get(at + 1), words.get(at + 2)) {
                names.insert((*alias).to_owned(), (*word).to_owned());
            }
        }
    }
    names
}

#[tokio::test]
async fn what_reads_on_is_found_out() {
    let (_folder, pool) = tables().await;
    for (text, reads) in [
        (
            "SELECT * FROM ledger_entries AS e WHERE e.account = ?1",
            true,
        ),
        ("SELECT * FROM outbox WHERE connection_id = $1", true),
        (
            "SELECT * FROM outbox WHERE connection_id = $1 AND outbox_id = ?2",
            false,
        ),
        (
            "SELECT * FROM outbox WHERE connection_id = $1 ORDER BY outbox_id LIMIT 3",
            false,
        ),
        (
            "SELECT * FROM outbox WHERE connection_id = $1 ORDER BY topic LIMIT 3",
            true,
        ),
        ("SELECT * FROM campaigns", false),
    ] {
        assert_eq!(!reads_on(&pool, text).await.is_empty(), reads, "{text}");
    }
    assert_eq!(
        shortened("VALUES (?,?),(?,?),(?,?)\n  ) SELECT"),
        "VALUES (?,?) ) SELECT"
    );
}

#[test]
fn every_table_that_grows_exists() {
    for table in GROWING {
        let made = format!("CREATE TABLE {table} (");
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/sqlite");
        let mut files = std::fs::read_dir(root)
            .unwrap()
            .map(|file| file.unwrap().path());
        assert!(
            files.any(|file| std::fs::read_to_string(file).unwrap().contains(&made)),
            "{table}"
        );
    }
}
