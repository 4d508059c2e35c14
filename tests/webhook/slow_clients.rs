//! Clients that send slowly or not at all are cut, and meanwhile hold up nobody.

use std::time::Duration;

use qualify::app::Bounds;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::bench::{Bench, Settings, delivery};
use crate::client::{parse, send};

/// Much longer than the limits below: a client that is never cut makes the test red.
const PATIENCE: Duration = Duration::from_secs(20);

async fn start() -> Bench {
    let mut bounds = Bounds::default();
    bounds.http.header_read = Duration::from_millis(200);
    bounds.http.body_read = Duration::from_millis(200);
    Bench::start(Settings {
        bounds,
        ..Settings::default()
    })
    .await
}

/// What the server says until it closes the connection.
async fn until_cut(mut stream: TcpStream) -> Vec<u8> {
    let mut said = Vec::new();
    tokio::time::timeout(PATIENCE, stream.read_to_end(&mut said))
        .await
        .expect("the connection is cut")
        .ok();
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_that_never_end_are_cut_and_so_is_silence() {
    let bench = start().await;
    let to = bench.server.local_addr;
    let mut clients = Vec::new();
    for start in ["", "P", "POST /webhooks/stripe HTTP/1.1\r\nhost: x\r\nx: "] {
        let mut stream = TcpStream::connect(to).await.unwrap();
        stream.write_all(start.as_bytes()).await.unwrap();
        clients.push(stream);
    }
    // Honest clients are served in between.
    assert_eq!(send(to, &delivery("evt_1")).await.status, 200);
    for client in clients {
        let said = String::from_utf8(until_cut(client).await).unwrap();
        assert!(!said.contains("200 OK"), "{said}");
    }
    bench.server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_never_ends_is_answered_and_cut() {
    let bench = start().await;
    let mut stream = TcpStream::connect(bench.server.local_addr).await.unwrap();
    let mut request = delivery("evt_1");
    request.announce = Some(request.body.len() + 1);
    stream.write_all(&request.head()).await.unwrap();
    stream.write_all(&request.body).await.unwrap();
    let answer = parse(&until_cut(stream).await);
    assert_eq!(answer.status, 408);
    assert_eq!(answer.text("code").as_deref(), Some("body_timeout"));
    assert!(bench.stored().await.is_empty());
    bench.server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_house_waits_and_is_served_later() {
    let mut bounds = Bounds::default();
    bounds.http.connections = 1;
    bounds.http.header_read = Duration::from_millis(200);
    let bench = Bench::start(Settings {
        bounds,
        ..Settings::default()
    })
    .await;
    let to = bench.server.local_addr;
    let silent = TcpStream::connect(to).await.unwrap();
    // Served once the silent one is cut.
    let served = tokio::time::timeout(PATIENCE, send(to, &delivery("evt_1"))).await;
    assert_eq!(served.unwrap().status, 200);
    drop(silent);
    bench.server.shutdown().await;
}
