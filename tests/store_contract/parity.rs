//! After migration both engines have the same tables, columns, keys and indexes.

use qualify::store::{ConnectOptions, Db, Statement};

type Column = (String, String, String, i64);
type Index = (String, String, i64, i64, String);

async fn shape(db: &Db) -> (Vec<Column>, Vec<Index>) {
    let mut tx = db.read().await.unwrap();
    let engine = db.engine();
    let columns = Statement::new(engine.columns_sql())
        .fetch_all(&mut tx)
        .await
        .unwrap();
    let mut indexes: Vec<Index> = Statement::new(engine.indexes_sql())
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
