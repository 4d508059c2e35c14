//! Clients that go away in the middle of a write: no connection is left with a transaction open,
//! and whatever comes next is stored.

use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use qualify::store::Db;
use qualify::store::leases::take_lease;

use crate::fill::{connect, number, site, stored, worked_off};
use crate::size;
use crate::support::node::{Site, ask, customer, post, request, webhook};
use crate::support::postgres::fresh_database;

const PATIENCE: Duration = Duration::from_secs(60);
const THREADS: usize = 16;

/// One client's request: a webhook or a write of the API.
fn write(n: usize, authorization: &str) -> Vec<u8> {
    let headers = [
        ("Authorization", authorization),
        ("Content-Type", "application/json"),
    ];
    match n % 4 {
        0 => webhook(&customer(&format!("gone{n}"))),
        1 => {
            let body = format!(r#"{{"id":"prom_{n}","name":"P {n}"}}"#);
            request("POST", "/api/v1/promoters", &headers, body.as_bytes())
        }
        2 => {
            let body = format!(
                r#"{{"id":"ref_{n}","campaign":"spring","promoter":"prom_0","email":"r{n}@example.com"}}"#
            );
            let key = format!("key-{n}");
            let headers = [headers[0], headers[1], ("Idempotency-Key", &key)];
            request("POST", "/api/v1/referrals", &headers, body.as_bytes())
        }
        _ => {
            let body = format!(r#"{{"name":"P0 {n}"}}"#);
            request(
                "PATCH",
                "/api/v1/promoters/prom_0",
                &headers,
                body.as_bytes(),
            )
        }
    }
}

/// Sends a request and is gone after 0 to 50 ms, whatever has been answered.
fn send_and_leave(to: SocketAddr, n: usize, request: &[u8]) {
    let Ok(mut stream) = TcpStream::connect(to) else {
        return;
    };
    stream.write_all(request).ok();
    // Spread over the milliseconds, the same on every run.
    std::thread::park_timeout(Duration::from_micros((n as u64 * 7_919) % 50_000));
    drop(stream);
}

fn all_leave(site: &Site, to: SocketAddr, clients: usize) -> String {
    let made = site.run(&["key", "create", "--name", "t", "--scopes", "*"]);
    let key = String::from_utf8(made.stdout).unwrap();
    let authorization = format!("Bearer {}", key.trim());
    let made = request_promoter(to, &authorization, "prom_0");
    assert_eq!(made, 201);
    let next = Arc::new(AtomicUsize::new(0));
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            let (next, authorization) = (Arc::clone(&next), authorization.clone());
            std::thread::spawn(move || {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= clients {
                        return;
                    }
                    send_and_leave(to, n, &write(n, &authorization));
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    authorization
}

fn request_promoter(to: SocketAddr, authorization: &str, id: &str) -> u16 {
    let headers = [
        ("Authorization", authorization),
        ("Content-Type", "application/json"),
    ];
    let body = format!(r#"{{"id":"{id}","name":"N"}}"#);
    let answer = ask(to, "POST", "/api/v1/promoters", &headers, body.as_bytes());
    answer.map_or(0, |(status, _)| status)
}

/// As many events and writes as there are connections, several times over: all of them work.
fn the_next_are_stored(to: SocketAddr, authorization: &str) -> Vec<String> {
    (0..40)
        .map(|n| {
            let who = format!("next{n}");
            assert_eq!(post(to, &customer(&who)), Some(200));
            let id = format!("prom_next{n}");
            assert_eq!(request_promoter(to, authorization, &id), 201);
            format!("evt_cus_{who}")
        })
        .collect()
}

/// Fails if another connection of the database stays in a transaction that does nothing.
async fn none_is_left_open(db: &Db) {
    let begun = tokio::time::Instant::now();
    loop {
        let open = number(
            db,
            "SELECT COUNT(*) FROM pg_stat_activity
             WHERE datname = current_database() AND pid <> pg_backend_pid()
               AND state LIKE 'idle in transaction%'",
        );
        if open.await == 0 {
            return;
        }
        let waited = begun.elapsed();
        assert!(
            waited < Duration::from_secs(2),
            "a connection was left with a transaction open"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// What is waited for is dropped at every moment from the begin to the commit.
#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_is_dropped_at_any_moment_is_ended() {
    let url = fresh_database().await;
    let (db, watch) = (connect(&url).await, connect(&url).await);
    db.migrate().await.unwrap();
    let mut finished = 0;
    for n in 0..size(300, 3_000) {
        let work = async {
            let mut tx = db.begin().await.unwrap();
            take_lease(&mut tx, "dropped", "x", 0, 10).await.unwrap();
            tx.commit().await.unwrap();
        };
        let moment = Duration::from_micros((n as u64 * 37) % 4_000);
        finished += usize::from(tokio::time::timeout(moment, work).await.is_ok());
        none_is_left_open(&watch).await;
    }
    let mut tx = db.begin().await.unwrap();
    take_lease(&mut tx, "dropped", "x", 0, 10).await.unwrap();
    tx.commit().await.unwrap();
    println!("{finished} were not dropped");
}

async fn leaves_nothing_behind(url: &str) {
    let folder = tempfile::tempdir().unwrap();
    let site = site(folder.path(), url);
    let node = site.start();
    node.ready(PATIENCE);
    let authorization = all_leave(&site, node.address, size(400, 2_000));
    let db = connect(url).await;
    // Before anything else uses the connections: a transaction begun by the next one would end
    // what was left open.
    if url.starts_with("postgres") {
        none_is_left_open(&db).await;
    }
    let ids = the_next_are_stored(node.address, &authorization);
    let there = stored(&db).await;
    assert!(ids.iter().all(|id| there.contains(id)));
    worked_off(&db, PATIENCE).await;
    db.close().await;
    let logged = node.end();
    assert!(!logged.contains("ERROR"), "{logged}");
    site.verify();
}

#[tokio::test(flavor = "multi_thread")]
async fn on_postgres() {
    leaves_nothing_behind(&fresh_database().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/q.db", folder.path().display());
    leaves_nothing_behind(&url).await;
}
