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
             WHERE connection_id = $1 AND heavy = $2 AND marked_at_us BETWEEN $3 AND $4
               AND ((kind, id, mark) IN ({rows})) IS TRUE",
        )
        .bind("c")
        .bind(0_i64)
        .bind(1_i64)
        .bind(2_i64)
        .set(["a", "b"].map(|id| ["customer".into(), id.into(), 1_i64.into()])),
    )
    .await;
    let searched = "(connection_id=? AND heavy=? AND marked_at_us>? AND marked_at_us<?)";
    assert!(plan.contains(searched), "{plan}");
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

#[tokio::test]
async fn pages_of_a_plan_come_from_their_index_in_order() {
    let plan = plan(
        Statement::new(
            "EXPLAIN QUERY PLAN SELECT rewards FROM qualifications
             WHERE connection_id = $1 AND state = 'queued' AND settle_after <= $2
               AND qualified_at <= $2 AND (qualified_at, qualification_id) > ($3, $4)
             ORDER BY qualified_at, qualification_id LIMIT 500",
        )
        .bind("c")
        .bind(9_i64)
        .bind(1_i64)
        .bind("q"),
    )
    .await;
    assert!(plan.contains("USING INDEX qualifications_due"), "{plan}");
    assert!(!plan.contains("TEMP B-TREE"), "{plan}");
}

#[tokio::test]
async fn what_a_batch_settles_is_searched() {
    let plan = plan(
        Statement::new(
            "EXPLAIN QUERY PLAN WITH settled (qualification_id, sequence) AS ({rows})
             UPDATE qualifications SET state = 'settled', sequence = settled.sequence FROM settled
             WHERE qualifications.connection_id = $1
               AND qualifications.qualification_id = settled.qualification_id
               AND qualifications.state = 'queued'",
        )
        .bind("c")
        .set(["a", "b", "c"].map(|id| [id.into(), 1_i64.into()])),
    )
    .await;
    let searched = "(connection_id=? AND qualification_id=?)";
    assert!(plan.contains(searched), "{plan}");
}

#[tokio::test]
async fn what_booked_nothing_is_found_by_its_index() {
    let plan = plan(
        Statement::new(
            "EXPLAIN QUERY PLAN SELECT i.outcome FROM batch_items AS k
             JOIN batch_items AS i ON i.connection_id = k.connection_id
              AND i.batch_id = k.batch_id AND i.position = k.position
             JOIN batches AS b ON b.connection_id = i.connection_id AND b.batch_id = i.batch_id
             WHERE k.connection_id = $1 AND k.qualification_id = $2
               AND (k.action = 'skip' OR k.state = 'superseded')",
        )
        .bind("c")
        .bind("q"),
    )
    .await;
    assert!(plan.contains("batch_items_without_booking"), "{plan}");
}

#[tokio::test]
async fn what_was_booked_for_qualifications_is_searched() {
    let plan = plan(
        Statement::new(
            "EXPLAIN QUERY PLAN WITH wanted (qualification_id) AS ({rows})
             SELECT t.batch_id, t.cause FROM wanted AS w CROSS JOIN ledger_transactions AS t
             WHERE t.connection_id = $1 AND t.qualification_id = w.qualification_id
               AND t.sequence > 0",
        )
        .bind("c")
        .rows(ids()),
    )
    .await;
    let searched = "(connection_id=? AND qualification_id=? AND sequence>?)";
    assert!(plan.contains(searched), "{plan}");
}

#[tokio::test]
async fn entries_of_transactions_are_searched() {
    let plan = plan(
        Statement::new(
            "EXPLAIN QUERY PLAN WITH booked (batch_id, item) AS ({rows})
             SELECT e.account FROM booked AS b CROSS JOIN ledger_entries AS e
             WHERE e.connection_id = $1 AND e.batch_id = b.batch_id AND e.item = b.item",
        )
        .bind("c")
        .rows(ids().map(|[id]| [id, 1_i64.into()])),
    )
    .await;
    let searched = "(connection_id=? AND batch_id=? AND item=?)";
    assert!(plan.contains(searched), "{plan}");
}

#[tokio::test]
async fn persons_are_counted_in_the_order_of_their_index() {
    let plan = plan(
        Statement::new(
            "EXPLAIN QUERY PLAN SELECT campaign_id, person FROM qualifications
             WHERE connection_id = $1 AND active = 1
             GROUP BY campaign_id, person HAVING COUNT(*) > 1 ORDER BY campaign_id, person",
        )
        .bind("c"),
    )
    .await;
    assert!(plan.contains("qualifications_one_per_person"), "{plan}");
    assert!(!plan.contains("TEMP B-TREE"), "{plan}");
}

#[tokio::test]
async fn what_is_settled_whole_is_searched() {
    let plan = plan(
        Statement::new(
            "EXPLAIN QUERY PLAN UPDATE qualifications
             SET state = 'settled', given = rewards, sequence = 1, changed_at = $1
             WHERE state || '' = 'queued' AND (connection_id, qualification_id) IN ({rows})",
        )
        .bind(2_i64)
        .set(ids().map(|[id]| ["c".into(), id])),
    )
    .await;
    let searched = "(connection_id=? AND qualification_id=?)";
    assert!(plan.contains(searched), "{plan}");
}

/// As many as a page: of a few keys, SQLite thinks otherwise.
fn ids() -> impl Iterator<Item = [Value<'static>; 1]> {
    (0..512).map(|n| [format!("q{n}").into()])
}

/// PostgreSQL knows little of a table that has just been filled: it takes the index that is said
/// to be the smallest, and reads all that is queued for each page.
#[tokio::test]
async fn what_is_settled_is_not_looked_for_among_all_that_is_due() {
    let db = crate::support::postgres().await;
    let mut tx = db.read().await.unwrap();
    // The table is empty here, and read whole if it may be.
    Statement::new("SET LOCAL enable_seqscan = off")
        .execute(&mut tx)
        .await
        .unwrap();
    let steps: Vec<(String,)> = Statement::new(
        "EXPLAIN UPDATE qualifications
         SET state = 'settled', given = rewards, sequence = 1, changed_at = $1
         WHERE state || '' = 'queued' AND (connection_id, qualification_id) IN ({rows})",
    )
    .bind(2_i64)
    .set(ids().map(|[id]| ["c".into(), id]))
    .fetch_all(&mut tx)
    .await
    .unwrap();
    let plan: String = steps.into_iter().map(|(step,)| step + "\n").collect();
    assert!(plan.contains("qualifications_pkey"), "{plan}");
}
