//! A small HTTP client on a bare socket: it can stop half-way and send what no library would.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// An answer, read to its end.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    /// Names in lower case; what is there twice has a line each.
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

impl Answer {
    /// A top-level text of a JSON body.
    pub fn text(&self, key: &str) -> Option<String> {
        let body: serde_json::Value = serde_json::from_str(&self.body).ok()?;
        Some(body.get(key)?.as_str()?.to_owned())
    }
}

/// A request as bytes: head and body.
#[derive(Debug, Clone, Default)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Announce this length instead of the body's.
    pub announce: Option<usize>,
    /// Send the body in chunks, without a length.
    pub chunked: bool,
}

impl Request {
    pub fn head(&self) -> Vec<u8> {
        let mut head = format!(
            "{} {} HTTP/1.1\r\nhost: localhost\r\n",
            self.method, self.path
        );
        if self.chunked {
            head.push_str("transfer-encoding: chunked\r\n");
        } else {
            let length = self.announce.unwrap_or(self.body.len());
            write!(head, "content-length: {length}\r\n").unwrap();
        }
        for (name, value) in &self.headers {
            write!(head, "{name}: {value}\r\n").unwrap();
        }
        head.push_str("connection: close\r\n\r\n");
        head.into_bytes()
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.head();
        if self.chunked {
            for chunk in self.body.chunks(60_000) {
                bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                bytes.extend_from_slice(chunk);
                bytes.extend_from_slice(b"\r\n");
            }
            bytes.extend_from_slice(b"0\r\n\r\n");
        } else {
            bytes.extend_from_slice(&self.body);
        }
        bytes
    }
}

/// Sends a request and reads its answer. The server may answer and stop reading before all
/// is sent; that is no error.
pub async fn send(to: SocketAddr, request: &Request) -> Answer {
    let (mut reader, mut writer) = TcpStream::connect(to).await.unwrap().into_split();
    let bytes = request.bytes();
    let sending = tokio::spawn(async move {
        writer.write_all(&bytes).await.ok();
        writer
    });
    let mut answer = Vec::new();
    let read = reader.read_to_end(&mut answer).await;
    assert!(read.is_ok() || !answer.is_empty(), "no answer: {read:?}");
    sending.abort();
    parse(&answer)
}

pub fn parse(bytes: &[u8]) -> Answer {
    let text = String::from_utf8_lossy(bytes);
    let (head, body) = text.split_once("\r\n\r\n").expect("a whole answer");
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap();
    let mut headers: BTreeMap<String, String> = BTreeMap::new();
    for line in lines {
        let (name, value) = line.split_once(": ").unwrap();
        let all = headers.entry(name.to_ascii_lowercase()).or_default();
        if !all.is_empty() {
            all.push('\n');
        }
        all.push_str(value);
    }
    Answer {
        status: status.parse().unwrap(),
        headers,
        body: body.to_owned(),
    }
}
