//! What integration tests share: fresh databases of both engines, stories and how they are
//! told as Stripe's events. Nothing here is a test.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test without its database or its story cannot go on"
)]
#![allow(dead_code, reason = "each test binary uses its own part of it")]

pub mod both;
pub mod cluster;
pub mod due;
pub mod node;
pub mod postgres;
pub mod scenario;
pub mod stripe_events;
pub mod trial;
pub mod verdicts;

use qualify::store::{ConnectOptions, Db};

/// A fresh, migrated SQLite database; the folder goes with the guard.
pub async fn sqlite() -> (tempfile::TempDir, Db) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let url = format!("sqlite://{}/new/folder/qualify.db", folder.path().display());
    let db = Db::connect(&url, &options()).await.expect("SQLite opens");
    db.migrate().await.expect("SQLite migrates");
    (folder, db)
}

/// A fresh, migrated PostgreSQL database on this process's own server.
pub async fn postgres() -> Db {
    let db = open(&postgres::fresh_database().await).await;
    db.migrate().await.expect("PostgreSQL migrates");
    db
}

/// A database by its address.
pub async fn open(url: &str) -> Db {
    let opened = Db::connect(url, &options()).await;
    opened.expect("the database opens")
}

fn options() -> ConnectOptions {
    ConnectOptions {
        connections_max: 4,
        acquire_timeout: std::time::Duration::from_secs(60),
        ..ConnectOptions::default()
    }
}
