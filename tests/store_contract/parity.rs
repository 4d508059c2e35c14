//! After migration both engines have the same tables, columns, keys, indexes with their
//! predicates, foreign keys, checks and append-only tables.

use std::collections::BTreeSet;

use qualify::store::{ConnectOptions, Db, Statement};

type Column = (String, String, String, i64);
type Index = (String, String, i64, i64, String);

/// Every index and primary key: table, index (`primary` for keys), whether it is unique, whether
/// it is partial (0, 1), its columns (comma-separated, in order).
const fn indexes_sql(db: &Db) -> &'static str {
    match db {
            Db::Sqlite { .. } => {
                "SELECT m.name AS table_name,
                        CASE i.origin WHEN 'pk' THEN 'primary' ELSE i.name END AS index_name,
                        CAST(i.\"unique\" AS INTEGER) AS is_unique, CAST(i.partial AS INTEGER) AS is_partial,
                        (SELECT group_concat(k.name, ',' ORDER BY k.seqno) FROM pragma_index_info(i.name) AS k) AS columns
                 FROM sqlite_master AS m JOIN pragma_index_list(m.name) AS i
                 WHERE m.type = 'table' AND m.name NOT LIKE '\\_sqlx%' ESCAPE '\\'
                 ORDER BY 1, 2"
            }
            Db::Postgres(_) => {
                "SELECT t.relname::text COLLATE \"C\" AS table_name,
                        CASE WHEN x.indisprimary THEN 'primary' ELSE i.relname::text END COLLATE \"C\" AS index_name,
                        x.indisunique::int::bigint AS is_unique,
                        (x.indpred IS NOT NULL)::int::bigint AS is_partial,
                        (SELECT string_agg(a.attname::text, ',' ORDER BY k.n)
                         FROM unnest(x.indkey::int2[]) WITH ORDINALITY AS k (attnum, n)
                         JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum = k.attnum) AS columns
                 FROM pg_index AS x JOIN pg_class AS i ON i.oid = x.indexrelid
                 JOIN pg_class AS t ON t.oid = x.indrelid
                 JOIN pg_namespace AS s ON s.oid = t.relnamespace
                 WHERE s.nspname = current_schema() AND t.relname NOT LIKE '\\_sqlx%'
                 ORDER BY 1, 2"
            }
        }
}

async fn shape(db: &Db) -> (Vec<Column>, Vec<Index>) {
    let mut tx = db.read().await.unwrap();
    let engine = db.engine();
    let columns = Statement::new(engine.columns_sql())
        .fetch_all(&mut tx)
        .await
        .unwrap();
    let mut indexes: Vec<Index> = Statement::new(indexes_sql(db))
        .fetch_all(&mut tx)
        .await
        .unwrap();
    indexes.sort();
    (columns, indexes)
}

#[tokio::test]
async fn both_engines_have_the_same_tables() {
    let (_folder, sqlite) = crate::support::sqlite().await;
    let postgres = crate::support::postgres().await;
    let (columns, indexes) = shape(&sqlite).await;
    let (pg_columns, pg_indexes) = shape(&postgres).await;
    assert!(
        columns.len() > 100 && indexes.len() > 40,
        "too few are seen"
    );
    assert_eq!(columns, pg_columns);
    assert_eq!(indexes, pg_indexes);
    for kind in columns.iter().map(|column| column.2.as_str()) {
        assert!(["text", "int", "bytes"].contains(&kind), "{kind}");
    }
}

#[tokio::test]
async fn customers_data_is_keyed_by_its_connection() {
    let (_folder, sqlite) = crate::support::sqlite().await;
    let (columns, indexes) = shape(&sqlite).await;
    let of_connections = |table: &str| {
        columns
            .iter()
            .any(|column| column.0 == table && column.1 == "connection_id")
    };
    for (table, name, _, _, keys) in &indexes {
        // The hash of a key, a session or a link is what tells the connection.
        if of_connections(table) && !name.ends_with("_by_hash") {
            assert!(keys.starts_with("connection_id"), "{table}.{name}: {keys}");
        }
    }
    let mut others: Vec<_> = columns.iter().map(|column| column.0.as_str()).collect();
    others.retain(|table| !of_connections(table));
    others.dedup();
    assert_eq!(others, ["leases"]);
}

#[tokio::test]
async fn migrating_again_changes_nothing() {
    for db in [
        crate::support::sqlite().await.1,
        crate::support::postgres().await,
    ] {
        let before = shape(&db).await;
        db.migrate().await.unwrap();
        assert_eq!(shape(&db).await, before);
        assert!(db.is_migrated().await.unwrap());
        db.ping().await.unwrap();
        db.close().await;
    }
}

#[tokio::test]
async fn two_nodes_migrate_one_database_at_once() {
    let url = crate::support::postgres::fresh_database().await;
    let connect = || async {
        let db = Db::connect(&url, &ConnectOptions::default()).await.unwrap();
        assert!(!db.is_migrated().await.unwrap_or(false));
        db
    };
    let (a, b) = (connect().await, connect().await);
    let (first, second) = tokio::join!(a.migrate(), b.migrate());
    first.unwrap();
    second.unwrap();
    assert!(a.is_migrated().await.unwrap());
}

/// An expression in the words that both engines have for it: PostgreSQL adds casts and brackets,
/// and writes `IN` as a comparison with an array.
fn plain(expression: &str) -> String {
    let mut text = expression.to_lowercase();
    for cast in ["::text", "::bigint", "::bytea"] {
        text = text.replace(cast, "");
    }
    text = text.replace("= any (array[", "in (");
    text = text.replace("<> all (array[", "not in (");
    text.retain(|c| !matches!(c, '(' | ')' | '[' | ']' | '"'));
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ")
}

/// What stands between the brackets after each of these words.
fn in_brackets<'a>(text: &'a str, word: &str) -> Vec<&'a str> {
    let starts = text.match_indices(word).map(|(at, _)| &text[at..]);
    starts
        .map(|rest| {
            let open = rest.find('(').unwrap();
            let mut depth = 0;
            let end = rest.char_indices().skip(open).find(|(_, c)| {
                depth += i32::from(*c == '(') - i32::from(*c == ')');
                depth == 0
            });
            &rest[open + 1..end.unwrap().0]
        })
        .collect()
}

async fn pairs(db: &Db, text: &'static str) -> Vec<(String, String)> {
    let mut tx = db.read().await.unwrap();
    Statement::new(text).fetch_all(&mut tx).await.unwrap()
}

type Rules = BTreeSet<(String, String)>;

/// Checks by table, predicates of indexes by name, and the tables that refuse changes.
async fn rules(db: &Db) -> (Rules, Rules, BTreeSet<String>) {
    if let Db::Postgres(_) = db {
        let checks = "SELECT conrelid::regclass::text, pg_get_constraintdef(oid) FROM pg_constraint
                      WHERE contype = 'c' AND connamespace = current_schema()::regnamespace";
        let predicates = "SELECT indexrelid::regclass::text, pg_get_expr(indpred, indrelid)
                          FROM pg_index WHERE indpred IS NOT NULL";
        let kept = "SELECT tgrelid::regclass::text, tgname::text FROM pg_trigger
                    WHERE NOT tgisinternal AND (tgtype & 8) <> 0 AND (tgtype & 16) <> 0";
        let of_check = |text: &str| plain(in_brackets(text, "CHECK")[0]);
        let checks = pairs(db, checks).await.into_iter();
        let predicates = pairs(db, predicates).await.into_iter();
        let kept = pairs(db, kept).await.into_iter();
        return (
            checks
                .map(|(table, text)| (table, of_check(&text)))
                .collect(),
            predicates
                .map(|(index, text)| (index, plain(&text)))
                .collect(),
            kept.map(|(table, _)| table).collect(),
        );
    }
    let tables = pairs(
        db,
        "SELECT name, sql FROM sqlite_master WHERE type = 'table'",
    )
    .await;
    let indexes =
        "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql LIKE '% WHERE %'";
    let triggers = "SELECT tbl_name, group_concat(upper(sql), ' ') FROM sqlite_master
                    WHERE type = 'trigger' GROUP BY tbl_name";
    let checks = tables.iter().flat_map(|(table, sql)| {
        let checks = in_brackets(sql, "CHECK").into_iter();
        checks.map(|text| (table.clone(), plain(text)))
    });
    let predicates = pairs(db, indexes).await.into_iter().map(|(index, sql)| {
        let (_, predicate) = sql.split_once(" WHERE ").unwrap();
        (index, plain(predicate))
    });
    let kept = pairs(db, triggers).await.into_iter();
    let kept = kept.filter(|(_, sql)| sql.contains("UPDATE ON") && sql.contains("DELETE ON"));
    (
        checks.collect(),
        predicates.collect(),
        kept.map(|(table, _)| table).collect(),
    )
}

#[tokio::test]
async fn both_engines_refuse_the_same() {
    let (_folder, sqlite) = crate::support::sqlite().await;
    let postgres = crate::support::postgres().await;
    let (checks, predicates, kept) = rules(&sqlite).await;
    assert!(checks.len() > 20, "too few are seen: {checks:?}");
    assert!(
        predicates.len() > 5 && kept.len() >= 4,
        "{predicates:?} {kept:?}"
    );
    let (pg_checks, pg_predicates, pg_kept) = rules(&postgres).await;
    assert_eq!(checks, pg_checks);
    assert_eq!(predicates, pg_predicates);
    assert_eq!(kept, pg_kept);
}

#[tokio::test]
async fn both_engines_refer_the_same_way() {
    type Key = (String, String, String, String);
    let keys = async |db: &Db| {
        let mut tx = db.read().await.unwrap();
        let statement = Statement::new(db.engine().foreign_keys_sql());
        let mut keys: Vec<Key> = statement.fetch_all(&mut tx).await.unwrap();
        keys.sort();
        keys
    };
    let (_folder, sqlite) = crate::support::sqlite().await;
    let ours = keys(&sqlite).await;
    assert!(ours.len() > 5, "too few are seen: {ours:?}");
    assert_eq!(ours, keys(&crate::support::postgres().await).await);
    // What refers to another row refers within its connection.
    for (table, columns, _, others) in ours {
        assert!(columns.starts_with("connection_id"), "{table}: {columns}");
        assert!(others.starts_with("connection_id"), "{table}: {others}");
    }
}

#[tokio::test]
async fn every_table_is_explained() {
    let (_folder, sqlite) = crate::support::sqlite().await;
    let explained = include_str!("../../migrations/README.md");
    for (table, ..) in shape(&sqlite).await.0 {
        let line = format!("| `{table}` | ");
        assert!(
            explained.contains(&line),
            "migrations/README.md does not say what `{table}` is for"
        );
    }
}
