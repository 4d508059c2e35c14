//! Tables as the schema lists them, and everything copied from one database to another.

use qualify::domain::ids::ConnectionId;
use qualify::domain::time::Timestamp;
use qualify::store::api_keys::{ApiKey, insert_key, key_by_hash};
use qualify::store::copy::{CopyError, content, copy};
use qualify::store::dirty::{DirtyKind, mark_dirty};
use qualify::store::idempotency::take_key;
use qualify::store::in_use::is_in_use;
use qualify::store::schema::{Kind, tables};
use qualify::store::{ConnectOptions, Db, Statement, StoreError};

use crate::support::postgres::fresh_database;

contract!(
    tables_come_in_an_order_that_foreign_keys_accept,
    every_kind_of_value_is_copied_to_both_engines,
    a_target_that_changes_what_it_is_given_is_refused,
    statements_say_how_many_rows_they_changed,
);

async fn tables_come_in_an_order_that_foreign_keys_accept(db: &Db) {
    let mut tx = db.read().await.unwrap();
    let list = tables(&mut tx).await.unwrap();
    let place = |name: &str| list.iter().position(|table| table.name == name).unwrap();
    assert!(place("campaigns") < place("campaign_revisions"));
    assert!(place("qualifications") < place("ledger_transactions"));
    assert!(place("ledger_transactions") < place("ledger_entries"));
    assert!(list.iter().all(|table| !table.name.starts_with('_')));
    let keys = &list[place("idempotency_keys")];
    let kinds: Vec<_> = keys
        .columns
        .iter()
        .map(|c| (c.name.as_str(), c.kind))
        .collect();
    assert!(kinds.is_sorted_by_key(|(name, _)| *name));
    for expected in [
        ("body", Kind::Bytes),
        ("key_id", Kind::Text),
        ("status", Kind::Int),
    ] {
        assert!(kinds.contains(&expected), "{kinds:?}");
    }
}

async fn every_kind_of_value_is_copied_to_both_engines(db: &Db) {
    let conn = ConnectionId::new("main");
    let at = Timestamp::from_unix(1).unwrap();
    let mut hash = [0; 32];
    hash[1] = 255;
    let key = ApiKey {
        connection_id: "main".into(),
        key_id: "key_\"'\\ Ünï 👋\n".into(),
        name: String::new(),
        hash: hash.to_vec(),
        scopes: "*".to_owned(),
        created_at: i64::MIN,
        last_used_at: Some(i64::MAX),
        revoked_at: None,
    };
    let mut tx = db.begin().await.unwrap();
    insert_key(&mut tx, &key).await.unwrap();
    let taken = take_key(&mut tx, &conn, &"key_1".into(), "open", &[7; 32], at).await;
    assert_eq!(taken.unwrap(), None);
    // More rows than are copied at a time.
    let many = (0..2_100).map(|n| format!("cus_{n}")).collect();
    mark_dirty(&mut tx, &conn, DirtyKind::Customer, &many, 1)
        .await
        .unwrap();
    tx.commit().await.unwrap();

    let folder = tempfile::tempdir().unwrap();
    let file = format!("sqlite://{}/copied.db", folder.path().display());
    for url in [file, fresh_database().await] {
        let target = Db::connect(&url, &ConnectOptions::default()).await.unwrap();
        let (mut told, mut last) = (0, 0);
        let copied = copy(db, &target, |progress| {
            assert!(progress.done >= last && progress.done <= progress.of);
            (told, last) = (told + 1, progress.done);
        });
        let copied = copied.await.unwrap();
        assert_eq!(last, 2 * 2_102, "each row is written and read back");
        assert!(
            told > 2 * copied.len(),
            "long tables are told more than once"
        );
        let mut tx = target.read().await.unwrap();
        assert_eq!(
            key_by_hash(&mut tx, &hash).await.unwrap(),
            Some(key.clone())
        );
        for (table, copied) in tables(&mut tx).await.unwrap().iter().zip(&copied) {
            let there = content(&mut tx, table, |_| {}).await.unwrap();
            assert_eq!((&table.name, there), (&copied.table, copied.content));
        }
        tx.rollback().await.unwrap();
        let again = copy(db, &target, |_| {}).await;
        assert!(matches!(again, Err(CopyError::TargetNotEmpty(_))));
        target.close().await;
        let in_use = is_in_use(&url).await.unwrap();
        assert_eq!(in_use, Some(false));
    }
}

async fn a_target_that_changes_what_it_is_given_is_refused(db: &Db) {
    let conn = ConnectionId::new("main");
    let mut tx = db.begin().await.unwrap();
    let ids = ["cus_1".to_owned(), "cus_2".to_owned()].into();
    mark_dirty(&mut tx, &conn, DirtyKind::Customer, &ids, 1)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    for (name, trigger, kept) in [
        (
            "sound",
            "CREATE TRIGGER t AFTER DELETE ON dirty BEGIN SELECT 1; END",
            2,
        ),
        (
            "altered",
            "CREATE TRIGGER t AFTER INSERT ON dirty WHEN NEW.id = 'cus_2'
             BEGIN UPDATE dirty SET mark = mark + 1 WHERE id = NEW.id; END",
            0,
        ),
        (
            "lost",
            "CREATE TRIGGER t AFTER INSERT ON dirty WHEN NEW.id = 'cus_2'
             BEGIN DELETE FROM dirty WHERE id = 'cus_1'; END",
            0,
        ),
    ] {
        let url = format!("sqlite://{}/{name}.db", folder.path().display());
        let target = crate::support::open(&url).await;
        target.migrate().await.unwrap();
        let mut tx = target.begin().await.unwrap();
        Statement::new(trigger).execute(&mut tx).await.unwrap();
        tx.commit().await.unwrap();
        let copied = copy(db, &target, |_| {}).await;
        let differs = matches!(&copied, Err(CopyError::Differs { table, .. }) if table == "dirty");
        assert_eq!(differs, kept == 0, "{name}: {copied:?}");
        let mut tx = target.read().await.unwrap();
        let count = Statement::new("SELECT COUNT(*) FROM dirty");
        let (rows,): (i64,) = count.fetch_one(&mut tx).await.unwrap();
        assert_eq!(rows, kept, "{name}");
        tx.rollback().await.unwrap();
        target.close().await;
    }
}

async fn statements_say_how_many_rows_they_changed(db: &Db) {
    let insert = || {
        Statement::new(
            "INSERT INTO leases (name, holder, epoch, expires_at_us) VALUES ('a', 'b', 1, 0) ON CONFLICT (name) DO NOTHING",
        )
    };
    let mut tx = db.begin().await.unwrap();
    insert()
        .execute_exactly("a first", 1, &mut tx)
        .await
        .unwrap();
    let second = insert().execute_exactly("a second", 1, &mut tx).await;
    assert!(matches!(second, Err(StoreError::Stale { seen: 0, .. })));
    let select = || Statement::new("SELECT name FROM leases WHERE holder = $1");
    let found = select().bind("b").fetch_optional(&mut tx).await.unwrap();
    assert_eq!(found, Some(("a".to_owned(),)));
    let found: Option<(String,)> = select().bind("c").fetch_optional(&mut tx).await.unwrap();
    assert_eq!(found, None);
    tx.commit().await.unwrap();
}
