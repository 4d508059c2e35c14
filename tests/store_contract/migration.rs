//! What was settled by an earlier version is there after the migration, on both engines.

use std::path::Path;

use qualify::domain::ids::ConnectionId;
use qualify::domain::ledger::Account;
use qualify::store::batch_items::items_of_qualification;
use qualify::store::batches::list_batches;
use qualify::store::ledger::{balances, transaction_page, transactions_of_qualifications};
use qualify::store::qualifications::load_qualifications;
use qualify::store::{ConnectOptions, Db};
use sqlx::AssertSqlSafe;

/// The migration that lays the tables of settlement out anew.
const HERE: &str = "0009";

const BEFORE: &str = r#"
INSERT INTO promoters VALUES ('live', 'ana', 'Ana', NULL, NULL, NULL, NULL, 0, 1);
INSERT INTO qualifications VALUES
  ('live', 'q1', 'spring', 'r1', 'c1', 'ana', 'sha256:a', 'settled', 'threshold_met', 1, 1,
   '[{"to":"promoter","amount_minor":20,"currency":"USD"}]',
   '[{"to":"promoter","amount_minor":15,"currency":"USD"}]', 0, 2, 1, 9),
  ('live', 'q2', 'spring', 'r2', 'c2', 'ana', 'sha256:a', 'queued', 'threshold_met', 2, 2, '[]', '[]', 0, 0, 1, 2),
  ('live', 'q3', 'spring', 'r3', 'c1', 'ana', 'sha256:a', 'withdrawn', 'window_closed', 3, 3, '[]', '[]', 0, 0, 1, 3);
INSERT INTO batches VALUES
  ('live', 'b1', 'slot.1', 'scheduled', 5, 5, 'done', 5, 6, 2, 1, 0, 0, 1),
  ('live', 'b2', 'slot.2', 'scheduled', 8, 8, 'done', 8, 9, 1, 0, 1, 0, 0);
INSERT INTO batch_items VALUES
  ('live', 'b1', 0, 'q2', 'skip', '[]', 'budget_exhausted', 'done', 'budget_exhausted'),
  ('live', 'b1', 1, 'q1', 'settle', '[]', 'threshold_met', 'done', 'qualification.settled'),
  ('live', 'b2', 0, 'q1', 'reverse', '[]', 'refunded', 'done', 'qualification.reversed');
INSERT INTO ledger_transactions VALUES
  ('live', 'q1.1', 'q1', 1, 'accrual', 'threshold_met', 'spring', 'ana', 'r1', 'b1', 'sha256:a', 6),
  ('live', 'q1.2', 'q1', 2, 'reversal', 'refunded', 'spring', 'ana', 'r1', 'b2', 'sha256:a', 9);
INSERT INTO ledger_entries VALUES
  ('live', 'q1.1', 0, 'budget:spring', -20, 'USD'), ('live', 'q1.1', 1, 'promoter:ana', 20, 'USD'),
  ('live', 'q1.2', 0, 'budget:spring', 5, 'USD'), ('live', 'q1.2', 1, 'promoter:ana', -5, 'USD');
INSERT INTO outbox VALUES ('live', 'q1.1', 'qualification.settled', 'q1', '{}', 6, NULL, 0);
"#;

/// The texts of an engine's migrations, in order.
fn migrations(engine: &str) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let files = std::fs::read_dir(folder.join(engine)).unwrap();
    let mut all: Vec<(String, String)> = files
        .map(|file| {
            let file = file.unwrap();
            let name = file.file_name().into_string().unwrap();
            (name, std::fs::read_to_string(file.path()).unwrap())
        })
        .collect();
    all.sort();
    all
}

async fn run(db: &Db, text: String) {
    // As the program does: each in a transaction.
    let text = AssertSqlSafe(format!("BEGIN; {text} COMMIT;"));
    match db {
        Db::Sqlite { write, .. } => drop(sqlx::raw_sql(text).execute(write).await.unwrap()),
        Db::Postgres(server) => drop(sqlx::raw_sql(text).execute(server.pool()).await.unwrap()),
    }
}

async fn what_was_settled_is_there_still(db: &Db, engine: &str) {
    let mut filled = false;
    for (name, text) in migrations(engine) {
        if name.as_str() >= HERE && !filled {
            run(db, BEFORE.to_owned()).await;
            filled = true;
        }
        run(db, text).await;
    }
    let live = ConnectionId::from("live");
    let mut tx = db.begin().await.unwrap();
    let all = transaction_page(&mut tx, &live, None, None, 9)
        .await
        .unwrap();
    let seen: Vec<_> = all
        .iter()
        .map(|t| (t.id(), t.batch.as_str(), t.item, t.entries.len()))
        .collect();
    let expected = [("q1.1", "b1", 1, 2), ("q1.2", "b2", 0, 2)];
    assert_eq!(seen, expected.map(|(id, b, i, n)| (id.to_owned(), b, i, n)));
    let of = transactions_of_qualifications(&mut tx, &live, &["q1".into()]).await;
    assert_eq!(of.unwrap(), all);
    let ana = Account::Promoter("ana".into());
    let owed = balances(&mut tx, &live, &[ana]).await.unwrap();
    assert_eq!(owed.into_values().collect::<Vec<_>>(), [15]);
    let ids = ["q1", "q2", "q3"].map(Into::into);
    let states = load_qualifications(&mut tx, &live, &ids).await.unwrap();
    let states: Vec<_> = states.iter().map(|q| q.state.name()).collect();
    assert_eq!(states, ["settled", "queued", "withdrawn"]);
    let of = items_of_qualification(&mut tx, &live, &"q1".into())
        .await
        .unwrap();
    assert_eq!(of.len(), 2);
    let of = items_of_qualification(&mut tx, &live, &"q2".into())
        .await
        .unwrap();
    assert_eq!(of.len(), 1);
    let batch = list_batches(&mut tx, &live, None, 1)
        .await
        .unwrap()
        .remove(0);
    assert_eq!((batch.id.as_str(), batch.plan_items), ("b2", 1));
    assert_eq!(crate::waiting(&mut tx, &live).await, 1);
    tx.rollback().await.unwrap();
    // The place of a person is held by what was settled.
    let taken = "INSERT INTO qualifications VALUES ('live', 'q4', 'spring', 'r4', 'c1', 'ana',
        'sha256:a', 'queued', 'threshold_met', 3, 3, '[]', '[]', 0, 0, 1, 3, 1)";
    let mut tx = db.begin().await.unwrap();
    let refused = qualify::store::Statement::new(taken).execute(&mut tx).await;
    assert!(matches!(refused, Err(qualify::store::StoreError::Taken(_))));
}

#[tokio::test]
async fn on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/old.db", folder.path().display());
    let db = Db::connect(&url, &ConnectOptions::default()).await.unwrap();
    what_was_settled_is_there_still(&db, "sqlite").await;
}

#[tokio::test]
async fn on_postgres() {
    let url = crate::support::postgres::fresh_database().await;
    let db = Db::connect(&url, &ConnectOptions::default()).await.unwrap();
    what_was_settled_is_there_still(&db, "postgres").await;
}
