//! Rows of the past, by the million: a few people's rows as the program stored them, copied
//! under other numbers with one statement a table.

use std::collections::BTreeMap;

use qualify::store::dialect::Engine;
use qualify::store::{Db, Statement};

/// The tables that grow with events.
const TABLES: [&str; 10] = [
    "events",
    "objects",
    "payments",
    "customer_keys",
    "referrals",
    "verdicts",
    "verdict_customers",
    "qualifications",
    "cases",
    "near_misses",
];
/// Columns that hold a digest of what a row is about.
const DIGESTS: [&str; 3] = ["qualification_id", "case_id", "near_miss_id"];
/// Copies made in one transaction.
const COPIES: u64 = 500;

/// Copies every row of these tables `copies` times: where a text holds `mark` (eight
/// characters), the copy holds its number in eight digits. What everybody shares (coupons) has
/// no such text and is there once.
pub async fn copy_rows(db: &Db, mark: &str, copies: u64) {
    let columns = columns(db).await;
    let mut copying = Vec::new();
    for (table, columns) in TABLES.iter().filter_map(|t| columns.get_key_value(*t)) {
        let kept = leak(format!("CREATE TABLE pad_{table} AS SELECT * FROM {table}"));
        run(db, Statement::new(kept)).await;
        let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
        let values: Vec<String> = columns
            .iter()
            .map(|(name, kind)| value(name, kind))
            .collect();
        copying.push(leak(format!(
            "WITH RECURSIVE n (i) AS (
                 SELECT CAST($2 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i + 1 < $3)
             INSERT INTO {table} ({})
             SELECT {} FROM n CROSS JOIN pad_{table} WHERE $1 = $1 ORDER BY n.i
             ON CONFLICT DO NOTHING",
            names.join(", "),
            values.join(", ")
        )));
    }
    let mut from = 0;
    while from < copies {
        let until = (from + COPIES).min(copies);
        let mut tx = db.begin().await.unwrap();
        for text in &copying {
            Statement::new(text)
                .bind(mark)
                .bind(i64::try_from(from).unwrap())
                .bind(i64::try_from(until).unwrap())
                .execute(&mut tx)
                .await
                .unwrap();
        }
        tx.commit().await.unwrap();
        from = until;
    }
    for table in TABLES.iter().filter(|table| columns.contains_key(**table)) {
        run(db, Statement::new(leak(format!("DROP TABLE pad_{table}")))).await;
    }
    if db.engine() == Engine::Postgres {
        run(db, Statement::new("ANALYZE")).await;
    }
}

/// Reads all of these tables but the events through once, which leaves them in memory if that
/// holds them: as on a machine that has worked for a while. Of SQLite's their indexes as well.
pub async fn read_through(db: &Db) {
    let columns = columns(db).await;
    for (table, columns) in TABLES.iter().filter_map(|t| columns.get_key_value(*t)) {
        if table == "events" {
            continue;
        }
        let texts = columns.iter().filter(|(_, kind)| kind == "text");
        let lengths: Vec<String> = texts.map(|(name, _)| format!("LENGTH({name})")).collect();
        let sum = format!("SELECT COUNT({}) FROM {table}", lengths.join(" || "));
        count(db, leak(sum)).await;
    }
    if db.engine() == Engine::Sqlite {
        let mut tx = db.read().await.unwrap();
        let indexes: Vec<(String, String)> = Statement::new(
            "SELECT tbl_name, name FROM sqlite_master WHERE type = 'index' AND sql NOT LIKE '%WHERE%'",
        )
        .fetch_all(&mut tx)
        .await
        .unwrap();
        for (table, index) in indexes.iter().filter(|(table, _)| table != "events") {
            let walk = format!("SELECT COUNT(*) FROM {table} INDEXED BY {index}");
            count(db, leak(walk)).await;
        }
    }
}

async fn count(db: &Db, text: &'static str) {
    let mut tx = db.read().await.unwrap();
    let _: (i64,) = Statement::new(text).fetch_one(&mut tx).await.unwrap();
}

/// A column of a copy.
fn value(name: &str, kind: &str) -> String {
    const NUMBER: &str = "substr(CAST(100000000 + n.i AS TEXT), 2)";
    if DIGESTS.contains(&name) {
        format!("{name} || {NUMBER}")
    } else if kind == "text" {
        format!("replace({name}, $1, {NUMBER})")
    } else {
        name.to_owned()
    }
}

async fn columns(db: &Db) -> BTreeMap<String, Vec<(String, String)>> {
    let mut tx = db.read().await.unwrap();
    let rows: Vec<(String, String, String, i64)> = Statement::new(db.engine().columns_sql())
        .fetch_all(&mut tx)
        .await
        .unwrap();
    let mut columns: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    for (table, name, kind, _) in rows {
        columns.entry(table).or_default().push((name, kind));
    }
    columns
}

async fn run(db: &Db, statement: Statement<'_>) {
    let mut tx = db.begin().await.unwrap();
    statement.execute(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
}

/// Texts live as long as the bench: there are two a table.
fn leak(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}
