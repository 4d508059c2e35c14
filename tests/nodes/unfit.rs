//! Servers that cannot keep what is acknowledged are refused, in words that say what to do.

use crate::support::cluster::Cluster;
use crate::support::node::Site;

fn refused(url: &str, words: &str) {
    let folder = tempfile::tempdir().unwrap();
    let output = Site::new(folder.path(), url).run(&["serve"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(words), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_a_forgetful_database_and_another_encoding() {
    let mut cluster = Cluster::start(&[]);
    cluster.sql("CREATE DATABASE q").await;
    cluster.sql("CREATE DATABASE forgetful").await;
    cluster
        .sql("ALTER DATABASE forgetful SET synchronous_commit = off")
        .await;
    cluster
        .sql("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0")
        .await;
    refused(&cluster.standby("q"), "point DATABASE_URL at the primary");
    refused(&cluster.url("forgetful"), "set synchronous_commit = on");
    refused(&cluster.url("latin"), "create it with ENCODING 'UTF8'");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_flush() {
    let cluster = Cluster::start(&["fsync=off"]);
    refused(&cluster.url("postgres"), "set fsync = on");
}
