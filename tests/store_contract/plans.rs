//! Sets of keys are searched in the index on SQLite, whose planner is easily led astray.

use qualify::store::Statement;
use qualify::store::value::Value;

type Step = (i64, i64, i64, String);

async fn plan(statement: Statement<'_>) -> String {
    let (_folder, db) = crate::support::sqlite().await;
    let mut tx = db.read().await.unwrap();
    let steps: Vec<Step> = statement.fetch_all(&mut tx).await.unwrap();
    steps.into_iter().map(|step| step.3 + "\n").collect()
}

fn pairs() -> [[Value<'static>; 2]; 3] {
    ["a", "b", "c"].map(|text| [text.into(), text.into()])
}

#[tokio::test]
async fn pairs_of_keys_are_searched() {
    let plan = plan(
        Statement::new(
            "EXPLAIN QUERY PLAN SELECT state FROM objects
             WHERE connection_id = $1 AND (kind, object_id) IN ({rows})",
        )
        .bind("c")
        .set(pairs()),
    )
    .await;
    assert!(
        plan.contains("(connection_id=? AND kind=? AND object_id=?)"),
        "{plan}"
    );
}

#[tokio::test]
async fn rows_to_delete_are_searched() {
    let plan = plan(
        Statement::new(
            "EXPLAIN QUERY PLAN DELETE FROM dirty
             WHERE connection_id = $1 AND (kind, id, mark) IN ({rows})",
        )
        .bind("c")
        .set(["a", "b"].map(|id| ["customer".into(), id.into(), 1_i64.into()])),
    )
    .await;
    assert!(
        plan.contains("(connection_id=? AND kind=? AND id=?)"),
        "{plan}"
    );
}

#[tokio::test]
async fn rows_to_update_are_searched() {
    let plan = plan(
        Statement::new(
            "EXPLAIN QUERY PLAN WITH mark (id, at) AS ({rows})
             UPDATE dirty SET mark = mark.at FROM mark
             WHERE dirty.connection_id = $1 AND dirty.kind = 'customer' AND dirty.id = mark.id",
        )
        .bind("c")
        .rows(pairs().into_iter().take(2)),
    )
    .await;
    assert!(
        plan.contains("(connection_id=? AND kind=? AND id=?)"),
        "{plan}"
    );
}
