//! What one delivery costs between the socket and the queue, without either: for counting
//! instructions, `valgrind --tool=callgrind <this program> --path admit --events 2000`.

use std::hint::black_box;
use std::time::Instant;

use qualify::clock::{Clock as _, SystemClock};
use qualify::domain::campaign::Mode;
use qualify::intake::{Endpoint, admit};
use qualify::stripe::signature::{SigningKey, sign, verify};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::SECRET;
use super::events::Events;

/// How far a delivery goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Way {
    /// Made and signed, and nothing more: what the others contain as well.
    Made,
    /// The least: the HMAC, and the envelope parsed into a struct.
    Least,
    /// The product: the header verified, the event admitted.
    Admit,
}

/// The envelope, and nothing checked.
#[derive(Deserialize)]
struct Envelope<'a> {
    id: &'a str,
    r#type: &'a str,
    api_version: Option<&'a str>,
    created: i64,
    livemode: bool,
    #[serde(rename = "data")]
    _data: IgnoredAny,
}

/// Sends events that way; nanoseconds for each.
pub fn walk(way: Way, events: &Events, count: u64) -> f64 {
    let key = [SigningKey::new(SECRET)];
    let endpoint = Endpoint {
        connection: "live".into(),
        mode: Mode::Live,
        account: None,
        secrets: Vec::new(),
    };
    let now = SystemClock.now();
    let began = Instant::now();
    for event in 0..count {
        let mut body = String::new();
        events.body(event, &mut body);
        let header = sign(SECRET, body.as_bytes(), now);
        match way {
            Way::Made => drop(black_box((header, body))),
            Way::Least => {
                assert_eq!(header, sign(SECRET, body.as_bytes(), now));
                let envelope: Envelope<'_> = serde_json::from_str(&body).unwrap();
                let text = |text: &str| text.to_owned();
                black_box((
                    text(envelope.id),
                    text(envelope.r#type),
                    envelope.api_version.map(text),
                    (envelope.created, envelope.livemode),
                ));
            }
            Way::Admit => {
                verify(Some(header.as_bytes()), body.as_bytes(), &key, now).unwrap();
                black_box(admit(&endpoint, body.into_bytes(), Some(0), 1)).unwrap();
            }
        }
    }
    began.elapsed().as_nanos() as f64 / count as f64
}
