//! Nodes that start at once on an empty database, and one that is older than the tables.

use std::time::Duration;

use qualify::store::Statement;

use crate::fill::{connect, number, site};
use crate::size;
use crate::support::node::{Starting, wait_until};
use crate::support::postgres::fresh_database;

const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn three_at_once_on_an_empty_database() {
    let migrations = std::fs::read_dir("migrations/postgres").unwrap().count();
    for _ in 0..size(3, 20) {
        let folder = tempfile::tempdir().unwrap();
        let site = site(folder.path(), &fresh_database().await);
        let starting: Vec<Starting> = (0..3)
            .map(|_| site.spawn("127.0.0.1:0".parse().unwrap()))
            .collect();
        let nodes: Vec<_> = starting.into_iter().map(Starting::greeted).collect();
        for node in &nodes {
            node.ready(PATIENCE);
        }
        let db = connect(&site.url).await;
        let run = number(&db, "SELECT COUNT(*) FROM _sqlx_migrations").await;
        assert_eq!(usize::try_from(run).unwrap(), migrations);
        assert_eq!(number(&db, "SELECT COUNT(*) FROM connections").await, 1);
        assert_eq!(
            number(&db, "SELECT COUNT(*) FROM campaign_revisions").await,
            1
        );
        let names: std::collections::BTreeSet<String> = nodes
            .iter()
            .map(|node| node.get("/healthz").unwrap().1)
            .collect();
        assert_eq!(names.len(), 3, "each has a name of its own: {names:?}");
        for node in nodes {
            let logged = node.end();
            assert!(!logged.contains("ERROR"), "{logged}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_one_does_not_work_on_newer_tables() {
    let folder = tempfile::tempdir().unwrap();
    let site = site(folder.path(), &fresh_database().await);
    let node = site.start();
    node.ready(PATIENCE);
    let db = connect(&site.url).await;
    let mut tx = db.begin().await.unwrap();
    Statement::new(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (9999, 'of a later version', TRUE, $1, 0)",
    )
    .bind(&[0_u8; 4][..])
    .execute(&mut tx)
    .await
    .unwrap();
    tx.commit().await.unwrap();

    // One that runs is unready and ends by itself; one that starts says why it does not.
    let newer = || {
        let answer = node.get("/readyz");
        answer
            .is_none_or(|(status, said)| status == 503 && said.contains(r#""migrations":"newer""#))
    };
    wait_until(PATIENCE, "the node to be unready", newer);
    let (code, logged) = node.ended(PATIENCE);
    assert_eq!(code, Some(1), "{logged}");
    assert!(
        logged.contains("a later version has changed the tables"),
        "{logged}"
    );
    for command in ["serve", "verify", "migrate"] {
        let output = site.run(&[command]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{command}: {said}");
        assert!(
            said.contains("newer than this program: migration 9999"),
            "{command}: {said}"
        );
    }
}
