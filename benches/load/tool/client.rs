//! The load: keep-alive connections that post signed events and measure the answers. A bare
//! HTTP/1.1 client, because the servers share the machine with it.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use qualify::clock::{Clock as _, SystemClock};
use qualify::stripe::signature::sign;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::LocalSet;

use super::SECRET;
use super::events::Events;

/// Acknowledged events that may be sent again, per connection.
const REMEMBERED: usize = 64;
/// Longest time for an answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// Pause before a connection that broke is made again.
const RECONNECT: Duration = Duration::from_millis(50);

/// How much to post.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    pub connections: usize,
    pub seconds: u64,
    pub events: Option<u64>,
    pub rate: Option<u64>,
    pub duplicates: u64,
    pub seed: u64,
}

/// What came of it.
#[derive(Debug, Clone, Default)]
pub struct Posted {
    /// From the first request to the last answer.
    pub seconds: f64,
    /// Every acknowledgement by the event's number; repeated ones several times.
    pub acknowledged: Vec<u64>,
    /// How many of those were meant as repeats.
    pub repeats: u64,
    /// Events posted that were never acknowledged, and why.
    pub errors: BTreeMap<String, u64>,
    /// Time to each answer in microseconds, sorted. With a rate, from the moment the request
    /// was due.
    pub latencies: Vec<u32>,
}

impl Posted {
    /// Acknowledgements a second.
    pub fn per_second(&self) -> f64 {
        self.acknowledged.len() as f64 / self.seconds
    }

    /// A quantile of the latencies, in milliseconds.
    pub fn latency_ms(&self, quantile: f64) -> f64 {
        let last = self.latencies.len().saturating_sub(1);
        let place = (last as f64 * quantile).round() as usize;
        self.latencies
            .get(place)
            .map_or(0.0, |us| f64::from(*us) / 1_000.0)
    }
}

struct Shared {
    to: Vec<SocketAddr>,
    load: Load,
    events: Events,
    started: Instant,
    next_event: Cell<u64>,
    requests: Cell<u64>,
    posted: RefCell<Posted>,
}

/// Posts the load on this thread; connections take the servers in turn.
pub async fn post(to: Vec<SocketAddr>, load: Load, events: &Events) -> Posted {
    let shared = Rc::new(Shared {
        to,
        load,
        events: events.clone(),
        started: Instant::now(),
        next_event: Cell::new(0),
        requests: Cell::new(0),
        posted: RefCell::default(),
    });
    let local = LocalSet::new();
    for number in 0..load.connections {
        local.spawn_local(Rc::clone(&shared).connection(number));
    }
    local.await;
    let mut posted = shared.posted.take();
    posted.seconds = shared.started.elapsed().as_secs_f64();
    posted.latencies.sort_unstable();
    posted
}

impl Shared {
    async fn connection(self: Rc<Self>, number: usize) {
        let mut chance = self.load.seed.wrapping_add(number as u64 * 0x9e37_79b9);
        let mut answered: Vec<u64> = Vec::new();
        let (mut request, mut body) = (String::new(), String::new());
        let mut stream = None;
        let to = self.to[number % self.to.len()];
        while let Some(due) = self.turn() {
            tokio::time::sleep_until(due.into()).await;
            chance = chance
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let draw = chance >> 33;
            let repeat = !answered.is_empty() && draw % 100 < self.load.duplicates;
            let event = if repeat {
                answered[(draw / 100) as usize % answered.len()]
            } else {
                match self.fresh() {
                    Some(event) => event,
                    None => return,
                }
            };
            body.clear();
            self.events.body(event, &mut body);
            self.write_request(&mut request, &body);
            let began = if self.load.rate.is_some() {
                due
            } else {
                Instant::now()
            };
            let answer = tokio::time::timeout(PATIENCE, exchange(to, &mut stream, &request));
            let outcome = match answer.await {
                Ok(Ok(200)) => Ok(()),
                Ok(Ok(status)) => Err(status.to_string()),
                Ok(Err(error)) => Err(error.kind().to_string()),
                Err(_) => Err("no answer".to_owned()),
            };
            let us = u32::try_from(began.elapsed().as_micros()).unwrap_or(u32::MAX);
            let failed = outcome.is_err();
            self.count(event, repeat, us, outcome);
            if failed {
                stream = None;
                tokio::time::sleep(RECONNECT).await;
            } else if !repeat {
                if answered.len() == REMEMBERED {
                    answered.swap_remove((draw / 7) as usize % REMEMBERED);
                }
                answered.push(event);
            }
        }
    }

    /// When the next request is due; `None` at the end.
    fn turn(&self) -> Option<Instant> {
        let request = self.requests.replace(self.requests.get() + 1);
        let now = Instant::now();
        let due = match self.load.rate {
            Some(rate) => self.started + Duration::from_micros(request * 1_000_000 / rate),
            None => now,
        };
        let end = self.started + Duration::from_secs(self.load.seconds);
        (self.load.events.is_some() || due < end).then_some(due)
    }

    fn fresh(&self) -> Option<u64> {
        let event = self.next_event.replace(self.next_event.get() + 1);
        self.load
            .events
            .is_none_or(|most| event < most)
            .then_some(event)
    }

    fn write_request(&self, request: &mut String, body: &str) {
        let signature = sign(SECRET, body.as_bytes(), SystemClock.now());
        request.clear();
        write!(
            request,
            "POST /webhooks/stripe HTTP/1.1\r\nhost: {}\r\ncache-control: no-cache\r\n\
             user-agent: Stripe/1.0 (+https://stripe.com/docs/webhooks)\r\naccept: */*; q=0.5, application/xml\r\n\
             content-type: application/json; charset=utf-8\r\nstripe-signature: {signature}\r\n\
             content-length: {}\r\n\r\n{body}",
            self.to[0],
            body.len()
        )
        .unwrap();
    }

    fn count(&self, event: u64, repeat: bool, us: u32, outcome: Result<(), String>) {
        let mut posted = self.posted.borrow_mut();
        match outcome {
            Ok(()) => {
                posted.acknowledged.push(event);
                posted.repeats += u64::from(repeat);
                posted.latencies.push(us);
            }
            Err(why) => *posted.errors.entry(why).or_default() += 1,
        }
    }
}

/// Sends a request and reads the answer to its end; its status.
async fn exchange(
    to: SocketAddr,
    stream: &mut Option<TcpStream>,
    request: &str,
) -> std::io::Result<u16> {
    if stream.is_none() {
        let fresh = TcpStream::connect(to).await?;
        fresh.set_nodelay(true)?;
        *stream = Some(fresh);
    }
    let stream = stream.as_mut().unwrap();
    stream.write_all(request.as_bytes()).await?;
    let mut answer = [0_u8; 4_096];
    let mut filled = 0;
    loop {
        let read = stream.read(&mut answer[filled..]).await?;
        if read == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        filled += read;
        if let Some((status, length)) = parse(&answer[..filled]) {
            if filled >= length {
                return Ok(status);
            }
        } else if filled == answer.len() {
            return Err(std::io::ErrorKind::InvalidData.into());
        }
    }
}

/// The status, and the length of the whole answer, once its head is there.
fn parse(answer: &[u8]) -> Option<(u16, usize)> {
    let head = answer.windows(4).position(|end| end == b"\r\n\r\n")?;
    let text = std::str::from_utf8(&answer[..head]).ok()?;
    let status = text.get(9..12)?.parse().ok()?;
    let length = text.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.parse::<usize>().ok())?
    });
    Some((status, head + 4 + length.unwrap_or(0)))
}
