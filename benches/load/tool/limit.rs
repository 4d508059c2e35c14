//! The limit: an endpoint that keeps the same promise as the product and does nothing else.
//! Verify, read the id, commit (id, body) in groups with the same durability, answer 200.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::routing::post;
use qualify::clock::{Clock as _, SystemClock};
use qualify::stripe::signature::{SigningKey, verify};
use serde::Deserialize;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqliteConnection};
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc, oneshot};

use super::SECRET;

/// Events that may wait, and that one commit stores at most.
const QUEUE: usize = 8_192;
const GROUP: usize = 256;

struct Waiting {
    id: String,
    body: Bytes,
    stored: oneshot::Sender<()>,
}

#[derive(Clone)]
struct Intake {
    key: Arc<[SigningKey; 1]>,
    queue: mpsc::Sender<Waiting>,
}

type Waiters = Arc<Mutex<mpsc::Receiver<Waiting>>>;

#[derive(Deserialize)]
struct Id {
    id: String,
}

/// Serves until the process ends.
pub async fn serve(listener: TcpListener, database: &str, writers: usize) {
    let (queue, waiting) = mpsc::channel(QUEUE);
    let waiting = Arc::new(Mutex::new(waiting));
    if database.starts_with("sqlite") {
        let options: SqliteConnectOptions = database.parse().unwrap();
        let options = options
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .statement_cache_capacity(2 * GROUP)
            .pragma("cache_size", "-65536");
        let mut db = SqliteConnection::connect_with(&options).await.unwrap();
        let table = "CREATE TABLE limit_events (id TEXT PRIMARY KEY, body BLOB NOT NULL) STRICT";
        sqlx::raw_sql(table).execute(&mut db).await.unwrap();
        tokio::spawn(write_to_sqlite(db, waiting));
    } else {
        let mut db = PgConnection::connect(database).await.unwrap();
        let table =
            "CREATE TABLE limit_events (id TEXT COLLATE \"C\" PRIMARY KEY, body BYTEA NOT NULL)";
        sqlx::raw_sql(table).execute(&mut db).await.unwrap();
        for _ in 0..writers {
            let db = PgConnection::connect(database).await.unwrap();
            tokio::spawn(write_to_postgres(db, Arc::clone(&waiting)));
        }
    }
    let routes = Router::new()
        .route("/webhooks/stripe", post(receive))
        .with_state(Intake {
            key: Arc::new([SigningKey::new(SECRET)]),
            queue,
        });
    axum::serve(listener, routes).await.unwrap();
}

async fn receive(State(intake): State<Intake>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let header = headers.get("stripe-signature").map(HeaderValue::as_bytes);
    if verify(header, &body, intake.key.as_slice(), SystemClock.now()).is_err() {
        return StatusCode::BAD_REQUEST;
    }
    let Ok(Id { id }) = serde_json::from_slice(&body) else {
        return StatusCode::BAD_REQUEST;
    };
    let (stored, answer) = oneshot::channel();
    let waiting = Waiting { id, body, stored };
    if intake.queue.try_send(waiting).is_err() || answer.await.is_err() {
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    StatusCode::OK
}

/// What waits, in order of id.
async fn group(waiting: &Waiters) -> Vec<Waiting> {
    let mut group = Vec::new();
    waiting.lock().await.recv_many(&mut group, GROUP).await;
    group.sort_by(|a, b| a.id.cmp(&b.id));
    group
}

fn answer(group: Vec<Waiting>) {
    for waiting in group {
        waiting.stored.send(()).ok();
    }
}

async fn write_to_sqlite(mut db: SqliteConnection, waiting: Waiters) {
    loop {
        let group = group(&waiting).await;
        let mut rows = vec!["(?,?)"; group.len()].join(",");
        rows.insert_str(0, "INSERT INTO limit_events (id, body) VALUES ");
        rows.push_str(" ON CONFLICT DO NOTHING");
        let mut statement = sqlx::query(AssertSqlSafe(rows));
        for event in &group {
            statement = statement.bind(event.id.as_str()).bind(event.body.as_ref());
        }
        statement.execute(&mut db).await.unwrap();
        answer(group);
    }
}

async fn write_to_postgres(mut db: PgConnection, waiting: Waiters) {
    const INSERT: &str = "INSERT INTO limit_events (id, body)
        SELECT * FROM unnest($1::text[], $2::bytea[]) ON CONFLICT DO NOTHING";
    loop {
        let group = group(&waiting).await;
        let ids: Vec<&str> = group.iter().map(|event| event.id.as_str()).collect();
        let bodies: Vec<&[u8]> = group.iter().map(|event| event.body.as_ref()).collect();
        let statement = sqlx::query(INSERT).bind(ids).bind(bodies);
        statement.execute(&mut db).await.unwrap();
        answer(group);
    }
}
