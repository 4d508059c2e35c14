//! The data: every payment follows from its number by one formula, written three times, as SQL
//! that fills a database, as events in a file, and as the records that ingest would store.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use qualify::domain::currency::Currency;
use qualify::domain::fact::{CustomerState, ObjectState};
use qualify::domain::payment::{Level, Outcome, Payment};
use qualify::domain::time::Timestamp;
use qualify::payments::PaymentRecord;
use qualify::store::{ConnectOptions, Db, Statement, Tx};
use sqlx::AssertSqlSafe;

/// The rule: within 90 days of the referral at least 450.00 USD.
pub const RULES: &str = r#"
schema = 1
id = "bench"
name = "Bench"
[qualify]
spend = [{ at_least = "450.00", currency = "usd" }]
within_days = 90
hold_days = 14
[reward.promoter]
percent = "10"
"#;
/// 2026-01-01T00:00:00Z: when everybody is created and referred.
const START: i64 = 1_767_225_600;
/// Seconds between a customer's payments.
const APART: i64 = 500_000;
const PROMOTERS: u64 = 100;
/// Rows made by one statement.
const ROWS_AT_ONCE: u64 = 500_000;

/// How much of it.
pub struct Data {
    pub customers: u64,
    pub payments: u64,
}

fn instant(seconds: i64) -> Timestamp {
    Timestamp::from_unix(seconds).unwrap()
}

/// The amount of a customer's payment, in cents.
const fn amount(customer: u64, index: u64) -> u64 {
    (customer * 7_919 + index * 104_729) % 5_000 + 51
}

fn created(index: u64) -> Timestamp {
    instant(START + i64::try_from(index).unwrap() * APART)
}

/// The record of a payment as ingest stores it.
fn record(customer: u64, index: u64) -> String {
    let record = PaymentRecord {
        payment: Some(Payment {
            id: format!("ch_{index:04}{customer:010}").into(),
            occurred_at: created(index),
            currency: Currency::USD,
            outcome: Outcome::Paid,
            level: Level::Charge,
            amount: i64::try_from(amount(customer, index)).unwrap(),
            out_of_band: 0,
            refunded: 0,
            refund_pending: 0,
            dispute_held: 0,
            dispute_lost: 0,
            presumed_link: false,
            invoice: None,
            coupons: Vec::new(),
        }),
        customer: Some(format!("cus_{customer:010}").into()),
        has_money_object: true,
        ..PaymentRecord::default()
    };
    serde_json::to_string(&record).unwrap()
}

/// The events of a customer: its creation, and a charge a payment.
fn customer_event(customer: u64) -> String {
    format!(
        "{{\"id\":\"evt_c{customer:010}\",\"object\":\"event\",\"api_version\":\"2024-06-20\",\
         \"created\":{START},\"livemode\":true,\"pending_webhooks\":1,\"type\":\"customer.created\",\
         \"data\":{{\"object\":{{\"id\":\"cus_{customer:010}\",\"object\":\"customer\",\
         \"created\":{START},\"email\":\"u{customer}@example.com\",\"livemode\":true,\
         \"metadata\":{{}}}}}}}}"
    )
}

fn charge_event(customer: u64, index: u64) -> String {
    let (at, minor) = (created(index).unix(), amount(customer, index));
    format!(
        "{{\"id\":\"evt_{index:04}{customer:010}\",\"object\":\"event\",\
         \"api_version\":\"2024-06-20\",\"created\":{at},\"livemode\":true,\
         \"pending_webhooks\":1,\"type\":\"charge.succeeded\",\"data\":{{\"object\":{{\
         \"id\":\"ch_{index:04}{customer:010}\",\"object\":\"charge\",\"amount\":{minor},\
         \"amount_captured\":{minor},\"amount_refunded\":0,\"captured\":true,\"created\":{at},\
         \"currency\":\"usd\",\"customer\":\"cus_{customer:010}\",\"description\":null,\
         \"invoice\":null,\"livemode\":true,\"metadata\":{{}},\"paid\":true,\
         \"payment_intent\":null,\"receipt_email\":null,\"refunded\":false,\
         \"status\":\"succeeded\"}}}}}}"
    )
}

/// The state of a customer as ingest stores it, seen by its creation and by payments.
fn customer_state(customer: u64) -> String {
    let event = customer_event(customer);
    let read = qualify::stripe::read_event(event.as_bytes()).unwrap();
    let qualify::stripe::Reading::Facts(facts) = read.reading else {
        panic!("{event}")
    };
    let state: &CustomerState = match &facts[0].state {
        ObjectState::Customer(state) => state,
        other => panic!("{other:?}"),
    };
    serde_json::to_string(&ObjectState::Customer(state.clone())).unwrap()
}

impl Data {
    /// An instant after everything.
    pub fn as_of(&self) -> String {
        created(self.payments).to_string()
    }

    /// Makes the database: payments in the order in which they would have happened, customers,
    /// referrals by email, promoters.
    pub async fn fill(&self, url: &str) {
        let start = Instant::now();
        let db = open(url).await;
        if count(&db).await == self.customers * self.payments {
            println!("the database is there already");
            db.close().await;
            return;
        }
        let sql = Sql::of(&db);
        let mut tx = db.begin().await.unwrap();
        let connection = "INSERT INTO connections (connection_id, account, mode, name, created_at)
             VALUES ('live', NULL, 'live', 'Stripe', 0) ON CONFLICT DO NOTHING";
        execute(&mut tx, connection).await;
        sql.promoters(&mut tx).await;
        tx.commit().await.unwrap();
        let chunks = |all: u64| {
            (0..all)
                .step_by(ROWS_AT_ONCE as usize)
                .map(move |from| (from, (from + ROWS_AT_ONCE).min(all)))
        };
        for (from, to) in chunks(self.customers) {
            let mut tx = db.begin().await.unwrap();
            execute(&mut tx, &sql.customers(from, to)).await;
            execute(&mut tx, &sql.referrals(from, to)).await;
            tx.commit().await.unwrap();
        }
        let mut tx = db.begin().await.unwrap();
        // Made anew at the end: an index is built faster than it grows.
        execute(&mut tx, "DROP INDEX payments_by_customer").await;
        tx.commit().await.unwrap();
        for (from, to) in chunks(self.customers * self.payments) {
            let mut tx = db.begin().await.unwrap();
            execute(&mut tx, &sql.payments(self.customers, from, to)).await;
            tx.commit().await.unwrap();
        }
        let mut tx = db.begin().await.unwrap();
        execute(
            &mut tx,
            "CREATE INDEX payments_by_customer ON payments (connection_id, customer_id, group_id)",
        )
        .await;
        tx.commit().await.unwrap();
        db.close().await;
        println!(
            "made the database in {:.0} s",
            start.elapsed().as_secs_f64()
        );
    }

    /// Seconds of one statement that adds up the same money, and how many reach the threshold.
    pub async fn one_statement(&self, url: &str) -> (f64, u64) {
        let db = open(url).await;
        let mut tx = db.read().await.unwrap();
        let closes = instant(START).plus_days(90);
        let statement = match db {
            Db::Sqlite { .. } => Statement::new(
                "SELECT COUNT(*) FROM (
                     SELECT customer_id FROM payments
                     WHERE connection_id = $1
                       AND record ->> '$.payment.outcome' = 'paid'
                       AND record ->> '$.payment.currency' = 'usd'
                       AND record ->> '$.payment.amount' > 50
                       AND record ->> '$.payment.occurred_at' >= $2
                       AND record ->> '$.payment.occurred_at' < $3
                     GROUP BY customer_id
                     HAVING SUM((record ->> '$.payment.amount') - (record ->> '$.payment.refunded')) >= 45000)",
            ),
            Db::Postgres(_) => Statement::new(
                "SELECT COUNT(*) FROM (
                     SELECT customer_id FROM (
                         SELECT customer_id, record::jsonb -> 'payment' AS p FROM payments
                         WHERE connection_id = $1 OFFSET 0) AS read
                     WHERE p ->> 'outcome' = 'paid' AND p ->> 'currency' = 'usd'
                       AND (p ->> 'amount')::bigint > 50
                       AND p ->> 'occurred_at' >= $2 AND p ->> 'occurred_at' < $3
                     GROUP BY customer_id
                     HAVING SUM((p ->> 'amount')::bigint - (p ->> 'refunded')::bigint) >= 45000) AS reached",
            ),
        };
        let statement = statement
            .bind("live")
            .bind(instant(START).to_string())
            .bind(closes.to_string());
        let start = Instant::now();
        let (reached,): (i64,) = statement.fetch_one(&mut tx).await.unwrap();
        let took = start.elapsed().as_secs_f64();
        tx.rollback().await.unwrap();
        db.close().await;
        (took, reached.try_into().unwrap())
    }

    /// Writes events (in the order of time), referrals and promoters.
    pub fn write_files(&self, folder: &Path) -> [PathBuf; 3] {
        let paths =
            ["events.jsonl", "referrals.csv", "promoters.csv"].map(|name| folder.join(name));
        let mut files = paths
            .each_ref()
            .map(|path| std::io::BufWriter::new(std::fs::File::create(path).unwrap()));
        for customer in 0..self.customers {
            writeln!(files[0], "{}", customer_event(customer)).unwrap();
        }
        for index in 0..self.payments {
            for customer in 0..self.customers {
                writeln!(files[0], "{}", charge_event(customer, index)).unwrap();
            }
        }
        writeln!(
            files[1],
            "id,campaign,promoter,email,uid,stripe_customer_id,referred_at"
        )
        .unwrap();
        for customer in 0..self.customers {
            let (promoter, at) = (customer % PROMOTERS, instant(START));
            writeln!(
                files[1],
                "ref_{customer:010},bench,prom_{promoter},u{customer}@example.com,,,{at}"
            )
            .unwrap();
        }
        writeln!(files[2], "id,name,email,code,coupons").unwrap();
        for promoter in 0..PROMOTERS {
            writeln!(files[2], "prom_{promoter},P,,,").unwrap();
        }
        for file in &mut files {
            file.flush().unwrap();
        }
        paths
    }
}

async fn open(url: &str) -> Db {
    let db = Db::connect(url, &ConnectOptions::default()).await.unwrap();
    db.migrate().await.unwrap();
    db
}

async fn count(db: &Db) -> u64 {
    let mut tx = db.read().await.unwrap();
    let (count,): (i64,) = Statement::new("SELECT COUNT(*) FROM payments")
        .fetch_one(&mut tx)
        .await
        .unwrap();
    tx.rollback().await.unwrap();
    count.try_into().unwrap()
}

async fn execute(tx: &mut Tx, sql: &str) {
    let sql = AssertSqlSafe(sql.to_owned());
    match tx {
        Tx::Sqlite(tx) => drop(sqlx::query(sql).execute(&mut **tx).await.unwrap()),
        Tx::Postgres(tx) => drop(sqlx::query(sql).execute(&mut **tx).await.unwrap()),
    }
}

/// What differs between the engines.
struct Sql {
    is_sqlite: bool,
}

impl Sql {
    const fn of(db: &Db) -> Self {
        Self {
            is_sqlite: matches!(db, Db::Sqlite { .. }),
        }
    }

    /// A table `n` of the numbers from one up to another.
    fn numbers(&self, from: u64, to: u64) -> String {
        if self.is_sqlite {
            format!(
                "(WITH RECURSIVE s (n) AS (SELECT {from} UNION ALL SELECT n + 1 FROM s WHERE n + 1 < {to}) SELECT n FROM s) AS s"
            )
        } else {
            format!("generate_series({from}::bigint, {to}::bigint - 1) AS s (n)")
        }
    }

    fn padded(&self, what: &str, digits: u32) -> String {
        if self.is_sqlite {
            format!("printf('%0{digits}d', {what})")
        } else {
            format!("lpad(({what})::text, {digits}, '0')")
        }
    }

    fn time(&self, seconds: &str) -> String {
        if self.is_sqlite {
            format!("strftime('%Y-%m-%dT%H:%M:%SZ', {seconds}, 'unixepoch')")
        } else {
            format!(
                "to_char(to_timestamp({seconds}) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"
            )
        }
    }

    async fn promoters(&self, tx: &mut Tx) {
        let sql = format!(
            "INSERT INTO promoters (connection_id, promoter_id, name, suspended, created_at)
             SELECT 'live', 'prom_' || n, 'P', 0, 0 FROM {}",
            self.numbers(0, PROMOTERS)
        );
        execute(tx, &sql).await;
    }

    fn customers(&self, from: u64, to: u64) -> String {
        // The state of one customer, with another's number in the place of its own.
        let state = customer_state(1_234_567_890).replace("u1234567890@", "u@@n@@@");
        let event = state.replace("evt_c1234567890", "@@e@@");
        let id = self.padded("n", 10);
        format!(
            "INSERT INTO objects (connection_id, kind, object_id, group_id, customer_id, state)
             SELECT 'live', 'customer', 'cus_' || {id}, NULL, NULL,
                 replace(replace('{event}', '@@n@@', CAST(n AS TEXT)), '@@e@@', 'evt_c' || {id})
             FROM {}",
            self.numbers(from, to)
        )
    }

    fn referrals(&self, from: u64, to: u64) -> String {
        format!(
            "INSERT INTO referrals (connection_id, referral_id, campaign_id, promoter_id, email,
                 folded_email, referred_at, created_at)
             SELECT 'live', 'ref_' || {}, 'bench', 'prom_' || (n % {PROMOTERS}),
                 'u' || n || '@example.com', 'u' || n || '@example.com', {START}, {START}
             FROM {}",
            self.padded("n", 10),
            self.numbers(from, to)
        )
    }

    fn payments(&self, customers: u64, from: u64, to: u64) -> String {
        let plain = record(0, 0);
        let template = plain
            .replace("ch_00000000000000", "@@charge@@")
            .replace("cus_0000000000", "@@customer@@")
            .replace(
                &format!("\"amount\":{}", amount(0, 0)),
                "\"amount\":@@amount@@",
            )
            .replace(&created(0).to_string(), "@@at@@");
        let (customer, index) = (format!("(n % {customers})"), format!("(n / {customers})"));
        let charge = format!(
            "'ch_' || {} || {}",
            self.padded(&index, 4),
            self.padded(&customer, 10)
        );
        let owner = format!("'cus_' || {}", self.padded(&customer, 10));
        let amount = format!("(({customer} * 7919 + {index} * 104729) % 5000 + 51)");
        let at = self.time(&format!("{START} + {index} * {APART}"));
        format!(
            "INSERT INTO payments (connection_id, group_id, customer_id, record)
             SELECT 'live', 'charge:' || {charge}, {owner},
                 replace(replace(replace(replace('{template}', '@@charge@@', {charge}),
                     '@@customer@@', {owner}), '@@amount@@', CAST({amount} AS TEXT)), '@@at@@', {at})
             FROM {}",
            self.numbers(from, to)
        )
    }
}

/// Imports a few events with the real program and compares what it stores, which `verify`
/// finds right, with what is generated.
pub async fn generated_is_what_is_folded(folder: &Path) {
    let data = Data {
        customers: 30,
        payments: 20,
    };
    let files = data.write_files(folder);
    let url = |name: &str| format!("sqlite://{}/{name}.db", folder.display());
    let rules = folder.join("rules");
    for arguments in [
        &["import", "events", files[0].to_str().unwrap()][..],
        &["verify"],
    ] {
        let ran = Command::new(env!("CARGO_BIN_EXE_qualify"))
            .args(["--database-url", &url("folded")])
            .args(arguments)
            .env("RULES_DIR", &rules)
            .output()
            .unwrap();
        assert!(
            ran.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&ran.stderr)
        );
    }
    data.fill(&url("generated")).await;
    let (folded, generated) = (dump(&url("folded")).await, dump(&url("generated")).await);
    assert_eq!(folded.len(), 30 * 21);
    assert_eq!(folded, generated);
}

async fn dump(url: &str) -> Vec<(String, Option<String>, String)> {
    let db = open(url).await;
    let mut tx = db.read().await.unwrap();
    let rows = Statement::new(
        "SELECT group_id, customer_id, record FROM payments UNION ALL
         SELECT object_id, customer_id, state FROM objects WHERE kind = 'customer' ORDER BY 1",
    );
    let rows = rows.fetch_all(&mut tx).await.unwrap();
    tx.rollback().await.unwrap();
    db.close().await;
    rows
}
