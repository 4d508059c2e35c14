//! The graceful end: what was taken in is stored and answered; nothing more is taken in.

use std::sync::Arc;

use qualify::domain::campaign::Mode;
use qualify::store::{ConnectOptions, Db};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::bench::{Bench, Database, Settings, database_url, delivery_in, rows};
use crate::client::send;

#[tokio::test(flavor = "multi_thread")]
async fn open_requests_are_answered_and_stored_before_the_end() {
    let gate = Arc::new(Semaphore::new(0));
    let bench = Bench::start(Settings {
        mode: Mode::Test,
        database: Database::Gated(Arc::clone(&gate)),
        ..Settings::default()
    })
    .await;
    let to = bench.server.local_addr;
    let mut posts = JoinSet::new();
    for n in 0..20 {
        posts.spawn(async move {
            send(to, &delivery_in(Mode::Test, &format!("evt_{n}")))
                .await
                .status
        });
    }
    // All of them have been verified and wait for the database.
    while verified() < 20 {
        tokio::task::yield_now().await;
    }

    let ending = tokio::spawn(bench.server.shutdown());
    while TcpStream::connect(to).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(!ending.is_finished(), "it waits for the open requests");
    gate.add_permits(20);
    let statuses = posts.join_all().await;
    assert_eq!(statuses, [200; 20]);
    ending.await.unwrap();

    let url = database_url(bench.folder.path());
    let db = Db::connect(&url, &ConnectOptions::default()).await.unwrap();
    assert_eq!(rows(&db, &"test".into()).await.len(), 20);
    db.close().await;
}

/// Deliveries with a good signature so far, by the server's own count. The count belongs to
/// the process: no other test here uses test mode.
fn verified() -> u64 {
    let metrics = qualify::telemetry::render();
    let name = r#"qualify_webhook_secret_used_total{connection="test""#;
    let line = metrics.lines().find(|line| line.starts_with(name));
    line.and_then(|line| line.rsplit(' ').next()?.parse().ok())
        .unwrap_or(0)
}
