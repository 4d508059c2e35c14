//! Nothing that was answered 2xx is lost, whenever the program is killed: signed events under
//! load, `kill -9` at some moment, and again on the same database.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use qualify::clock::{Clock, SystemClock};
use qualify::domain::ids::ConnectionId;
use qualify::store::events::{EventFilter, list_events};
use qualify::store::{ConnectOptions, Db};
use qualify::stripe::signature::sign;

const SECRET: &str = "whsec_kill";
/// How often it is killed; `KILLS=50` is the long run.
const KILLS: usize = 6;
const SENDERS: usize = 16;

fn kills() -> usize {
    std::env::var("KILLS").map_or(KILLS, |text| text.parse().expect("KILLS is a number"))
}

fn start(folder: &Path) -> (Child, SocketAddr) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_qualify"))
        .arg("serve")
        .current_dir(folder)
        .env_clear()
        .env("LISTEN_ADDR", "127.0.0.1:0")
        .env("STRIPE_WEBHOOK_SECRET", SECRET)
        .env(
            "DATABASE_URL",
            format!("sqlite://{}/kill.db", folder.display()),
        )
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let address = loop {
        let line = lines.next().expect("the greeting").unwrap();
        if let Some(url) = line.strip_prefix("URL       http://") {
            break url.parse().unwrap();
        }
    };
    (child, address)
}

/// One customer each, so that the stages behind intake have work as well.
fn body(id: &str, at: i64) -> String {
    format!(
        r#"{{"id":"{id}","object":"event","type":"customer.created","created":{at},"livemode":true,"api_version":"2025-09-30.clover","data":{{"object":{{"id":"cus_{id}","object":"customer","created":{at},"email":"{id}@example.com","metadata":{{}}}}}}}}"#
    )
}

/// Posts one event; whether it was answered 200.
fn post(to: SocketAddr, id: &str) -> Option<bool> {
    let now = SystemClock.now();
    let body = body(id, now.unix());
    let signature = sign(SECRET, body.as_bytes(), now);
    let mut stream = TcpStream::connect(to).ok()?;
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .ok()?;
    let head = format!(
        "POST /webhooks/stripe HTTP/1.1\r\nHost: {to}\r\nStripe-Signature: {signature}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(body.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer.starts_with("HTTP/1.1 200"))
}

/// Sends until the server is gone; every id that was answered 200, every tenth sent twice.
fn load(to: SocketAddr, round: usize, acknowledged: &Arc<Mutex<BTreeSet<String>>>) {
    let senders: Vec<_> = (0..SENDERS)
        .map(|sender| {
            let acknowledged = Arc::clone(acknowledged);
            std::thread::spawn(move || {
                for number in 0..20_000 {
                    let id = format!("evt_{round}_{sender}_{number}");
                    for _ in 0..=usize::from(number % 10 == 0) {
                        match post(to, &id) {
                            Some(true) => {
                                acknowledged.lock().unwrap().insert(id.clone());
                            }
                            Some(false) => {}
                            None => return,
                        }
                    }
                }
            })
        })
        .collect();
    for sender in senders {
        sender.join().unwrap();
    }
}

async fn stored(folder: &Path) -> Vec<String> {
    let url = format!("sqlite://{}/kill.db", folder.display());
    let db = Db::connect(&url, &ConnectOptions::default()).await.unwrap();
    let mut tx = db.read().await.unwrap();
    let live = ConnectionId::from("live");
    let all = list_events(&mut tx, &live, &EventFilter::default(), None, 10_000_000).await;
    all.unwrap()
        .into_iter()
        .map(|event| event.event_id)
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let acknowledged = Arc::new(Mutex::new(BTreeSet::new()));
    for round in 0..kills() {
        let (mut child, to) = start(folder.path());
        // Moments spread over the first second and a half, the same on every run.
        let moment = Duration::from_millis(50 + (round as u64 * 397) % 1450);
        let killer = std::thread::spawn(move || {
            std::thread::park_timeout(moment);
            child.kill().unwrap();
            child.wait().unwrap();
        });
        load(to, round, &acknowledged);
        killer.join().unwrap();
    }
    let there = stored(folder.path()).await;
    let distinct: BTreeSet<&String> = there.iter().collect();
    assert_eq!(distinct.len(), there.len(), "no event is stored twice");
    let acknowledged = acknowledged.lock().unwrap().clone();
    let lost: Vec<&String> = acknowledged
        .iter()
        .filter(|id| !distinct.contains(id))
        .collect();
    assert!(
        lost.is_empty(),
        "{} of {} are lost: {lost:?}",
        lost.len(),
        acknowledged.len()
    );
    assert!(
        acknowledged.len() > 100 * kills(),
        "only {} were sent",
        acknowledged.len()
    );

    let verified = Command::new(env!("CARGO_BIN_EXE_qualify"))
        .args(["verify"])
        .current_dir(folder.path())
        .env_clear()
        .env(
            "DATABASE_URL",
            format!("sqlite://{}/kill.db", folder.path().display()),
        )
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&verified.stdout).into_owned();
    assert!(verified.status.success(), "{said}");
    println!(
        "{} acknowledged, {} stored, {} kills",
        acknowledged.len(),
        there.len(),
        kills()
    );
}
