//! What a statement becomes on each engine.

use super::*;

fn texts(statement: &Statement<'_>, engine: Engine) -> Vec<String> {
    let pieces = statement.pieces(engine).unwrap();
    pieces.into_iter().map(|p| p.text.into_owned()).collect()
}

#[test]
fn binds_are_numbered_in_order() {
    let statement = Statement::new("SELECT a FROM t WHERE c = $1")
        .bind("x")
        .push_some(" AND s = $#", None::<&str>)
        .push_some(" AND d = $#", Some(3_i64))
        .push_all(" AND (e, f) > ($#, $#)", [1_i64.into(), "z".into()])
        .text(" LIMIT 1");
    assert_eq!(
        texts(&statement, Engine::Postgres),
        ["SELECT a FROM t WHERE c = $1 AND d = $2 AND (e, f) > ($3, $4) LIMIT 1"]
    );
}

#[test]
fn sets_are_padded_and_rows_are_not() {
    let set = Statement::new("x IN ({rows})").list(["a", "b", "c"]);
    assert_eq!(
        texts(&set, Engine::Sqlite),
        ["x IN (SELECT * FROM (VALUES (?),(?),(?)))"]
    );
    let set = Statement::new("x IN ({rows})").list((0..13).collect::<Vec<i64>>());
    assert_eq!(texts(&set, Engine::Sqlite)[0].matches("(?)").count(), 16);
    let rows = Statement::new("INSERT INTO t (a) {rows}").rows(["a", "b", "c"].map(|v| [v.into()]));
    assert_eq!(
        texts(&rows, Engine::Sqlite),
        ["INSERT INTO t (a) VALUES (?),(?),(?)"]
    );
    assert_eq!(
        texts(&rows, Engine::Postgres),
        ["INSERT INTO t (a) SELECT * FROM unnest($1::text[])"]
    );
}

#[test]
fn fixed_binds_come_after_the_rows_on_sqlite() {
    let statement = Statement::new("WITH v AS ({rows}) UPDATE t SET a = $2 WHERE c = $1")
        .bind("x")
        .bind(7_i64)
        .rows([["p".into(), "q".into()]]);
    assert_eq!(
        texts(&statement, Engine::Sqlite),
        ["WITH v AS (VALUES (?,?)) UPDATE t SET a = $4 WHERE c = $3"]
    );
    assert_eq!(renumbered("$1 $12,$2)", 10), "$11 $22,$12)");
}

#[test]
fn a_long_set_is_sent_in_pieces_and_ends() {
    let set = Statement::new("x IN ({rows})").list((0..1_500).collect::<Vec<i64>>());
    assert_eq!(texts(&set, Engine::Sqlite).len(), 3);
    assert_eq!(texts(&set, Engine::Postgres).len(), 1);
}

#[test]
fn no_rows_send_nothing() {
    let none = Statement::new("x IN ({rows})").list(Vec::<String>::new());
    assert!(texts(&none, Engine::Sqlite).is_empty());
}

#[test]
fn a_nul_is_refused_on_both() {
    let statement = Statement::new("SELECT $1").bind("a\0");
    assert!(matches!(
        statement.pieces(Engine::Sqlite),
        Err(StoreError::Nul)
    ));
}
