//! Real processes of the program on a database, and clients that talk to them as Stripe does.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Lines, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use qualify::clock::{Clock as _, SystemClock};
use qualify::stripe::signature::sign;

pub const SECRET: &str = "whsec_nodes";

static STARTED: AtomicU32 = AtomicU32::new(0);

/// How nodes are started: a folder to run in, the database, further settings.
#[derive(Debug, Clone)]
pub struct Site {
    pub folder: PathBuf,
    pub url: String,
    pub settings: Vec<(String, String)>,
}

impl Site {
    pub fn new(folder: &Path, url: &str) -> Self {
        Self {
            folder: folder.to_owned(),
            url: url.to_owned(),
            settings: Vec::new(),
        }
    }

    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The program with these settings and no others.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_qualify"));
        command
            .args(arguments)
            .current_dir(&self.folder)
            .env_clear()
            .env("DATABASE_URL", &self.url)
            .envs(self.settings.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs a command to its end.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Fails unless `verify` finds everything as it should be.
    pub fn verify(&self) {
        let verified = self.run(&["verify"]);
        let said = String::from_utf8_lossy(&verified.stdout).into_owned();
        let why = String::from_utf8_lossy(&verified.stderr).into_owned();
        assert!(verified.status.success(), "{said}{why}");
    }

    /// Starts a node that listens on a port of the system's choice.
    pub fn start(&self) -> Node {
        self.start_at("127.0.0.1:0".parse().unwrap())
    }

    /// Starts a node at an address, as one that is started again.
    pub fn start_at(&self, address: SocketAddr) -> Node {
        self.spawn(address).greeted()
    }

    /// Starts a node without waiting for it.
    pub fn spawn(&self, address: SocketAddr) -> Starting {
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let log = self.folder.join(format!("node-{number}.log"));
        let mut child = self
            .command(&["serve"])
            .env("LISTEN_ADDR", address.to_string())
            .env("STRIPE_WEBHOOK_SECRET", SECRET)
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let said = BufReader::new(child.stdout.take().unwrap()).lines();
        Starting { child, said, log }
    }
}

/// A node that has been started and has not spoken yet.
pub struct Starting {
    child: Child,
    said: Lines<BufReader<ChildStdout>>,
    log: PathBuf,
}

impl Starting {
    /// Waits until it says where it listens.
    pub fn greeted(mut self) -> Node {
        for line in self.said.by_ref() {
            if let Some(url) = line.unwrap().strip_prefix("URL       http://") {
                return Node {
                    address: url.parse().unwrap(),
                    child: self.child,
                    log: self.log,
                    _said: self.said,
                };
            }
        }
        let why = std::fs::read_to_string(&self.log).unwrap();
        panic!("the node did not start: {:?} {why}", self.child.wait());
    }
}

/// A node that runs; it is killed when it is dropped.
pub struct Node {
    pub address: SocketAddr,
    child: Child,
    log: PathBuf,
    _said: Lines<BufReader<ChildStdout>>,
}

impl Node {
    /// Sends a signal, `STOP` or the like.
    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status();
        assert!(sent.unwrap().success(), "{name} to {id}");
    }

    /// Kills it with -9.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Tells it to end, and waits; what it logged.
    pub fn end(mut self) -> String {
        self.signal("TERM");
        let ended = self.child.wait().unwrap();
        let logged = self.logged();
        assert!(ended.success(), "{ended} {logged}");
        logged
    }

    /// Waits until it has ended by itself: its exit code, and what it logged.
    pub fn ended(mut self, within: Duration) -> (Option<i32>, String) {
        let mut code = None;
        wait_until(within, "the node to end", || {
            let status = self.child.try_wait().unwrap();
            code = status.and_then(|status| status.code());
            status.is_some()
        });
        (code, self.logged())
    }

    /// What it has logged so far.
    pub fn logged(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// The status and body of a GET.
    pub fn get(&self, path: &str) -> Option<(u16, String)> {
        ask(self.address, "GET", path, &[], b"")
    }

    /// Waits until it is ready to serve.
    pub fn ready(&self, within: Duration) {
        let ready = || self.get("/readyz").is_some_and(|(status, _)| status == 200);
        wait_until(within, "a node to be ready", ready);
    }

    /// A metric without labels, by its name.
    pub fn metric(&self, name: &str) -> u64 {
        let (_, text) = self.get("/metrics").unwrap();
        let of = |line: &str| line.strip_prefix(name)?.trim().parse().ok();
        text.lines().find_map(of).unwrap_or(0)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Looks again and again until it is so; fails when it takes too long.
pub fn wait_until(within: Duration, what: &str, mut so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !so() {
        assert!(begun.elapsed() < within, "waited {within:?} for {what}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// Asks one thing on a connection of its own; `None` if nobody answers.
pub fn ask(
    to: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(to).ok()?;
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .ok()?;
    stream
        .write_all(&request(method, path, headers, body))
        .ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let status = answer.get(9..12)?.parse().ok()?;
    let (_, body) = answer.split_once("\r\n\r\n")?;
    Some((status, body.to_owned()))
}

/// A request as bytes.
pub fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let headers: Vec<String> = headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    let headers = headers.concat();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\nConnection: close\r\n{headers}\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// A signed webhook as bytes.
pub fn webhook(body: &str) -> Vec<u8> {
    let signature = sign(SECRET, body.as_bytes(), SystemClock.now());
    let headers = [("Stripe-Signature", signature.as_str())];
    request("POST", "/webhooks/stripe", &headers, body.as_bytes())
}

/// Posts a signed event; the status, if there was an answer.
pub fn post(to: SocketAddr, body: &str) -> Option<u16> {
    let signature = sign(SECRET, body.as_bytes(), SystemClock.now());
    let headers = [("Stripe-Signature", signature.as_str())];
    let answer = ask(to, "POST", "/webhooks/stripe", &headers, body.as_bytes());
    answer.map(|(status, _)| status)
}

/// A live event of Stripe's.
pub fn event(id: &str, kind: &str, object: &str) -> String {
    let at = SystemClock.now().unix();
    format!(
        r#"{{"id":"{id}","object":"event","type":"{kind}","created":{at},"livemode":true,"api_version":"2024-09-30.acacia","data":{{"object":{object}}}}}"#
    )
}

/// A customer comes to be: `evt_cus_<who>`.
pub fn customer(who: &str) -> String {
    let at = SystemClock.now().unix();
    let object = format!(
        r#"{{"id":"cus_{who}","object":"customer","created":{at},"email":"{who}@example.com","livemode":true,"metadata":{{}}}}"#
    );
    event(&format!("evt_cus_{who}"), "customer.created", &object)
}

/// A customer pays 60 dollars: `evt_ch_<who>`.
pub fn payment(who: &str) -> String {
    let at = SystemClock.now().unix();
    let object = format!(
        r#"{{"id":"ch_{who}","object":"charge","customer":"cus_{who}","amount":6000,"amount_captured":6000,"amount_refunded":0,"captured":true,"paid":true,"status":"succeeded","currency":"usd","created":{at},"livemode":true,"refunded":false,"invoice":null,"payment_intent":null}}"#
    );
    event(&format!("evt_ch_{who}"), "charge.succeeded", &object)
}

/// The id of an event's body.
pub fn id_of(body: &str) -> String {
    let event: serde_json::Value = serde_json::from_str(body).unwrap();
    event["id"].as_str().unwrap().to_owned()
}

/// Senders that post events to nodes as Stripe does: what is not answered 200 is sent again,
/// to whoever is there.
pub struct Load {
    senders: Vec<std::thread::JoinHandle<()>>,
    seen: Arc<Seen>,
}

/// What the senders saw.
#[derive(Debug, Default)]
pub struct Seen {
    nodes: Mutex<Vec<SocketAddr>>,
    stop: AtomicBool,
    answers: AtomicUsize,
    /// Events that were answered 200.
    pub acknowledged: Mutex<BTreeSet<String>>,
    /// Every other status that was answered, with the moment it was.
    pub refusals: Mutex<Vec<(Instant, u16)>>,
    /// When the last 200 came.
    pub last: Mutex<Option<Instant>>,
}

impl Load {
    /// Sends what `bodies` says of each number until it says nothing more.
    pub fn start(
        senders: usize,
        nodes: &[SocketAddr],
        bodies: impl Fn(usize) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        let seen = Arc::new(Seen::default());
        *seen.nodes.lock().unwrap() = nodes.to_vec();
        let (bodies, next) = (Arc::new(bodies), Arc::new(AtomicUsize::new(0)));
        let senders = (0..senders)
            .map(|sender| {
                let (seen, bodies, next) =
                    (Arc::clone(&seen), Arc::clone(&bodies), Arc::clone(&next));
                std::thread::spawn(move || {
                    while let Some(body) = bodies(next.fetch_add(1, Ordering::Relaxed)) {
                        if !seen.send(sender, &body) {
                            return;
                        }
                    }
                })
            })
            .collect();
        Self { senders, seen }
    }

    /// How many answers of 200 there have been.
    pub fn answered(&self) -> usize {
        self.seen.answers.load(Ordering::Relaxed)
    }

    /// What the senders have seen so far.
    pub fn seen(&self) -> &Seen {
        &self.seen
    }

    /// Tells the senders to end after what they are at.
    pub fn stop(&self) {
        self.seen.stop.store(true, Ordering::Relaxed);
    }

    /// Waits until all is sent, or the senders have been stopped; what they saw.
    pub fn end(self) -> Arc<Seen> {
        for sender in self.senders {
            sender.join().unwrap();
        }
        self.seen
    }
}

impl Seen {
    /// Sends until it is acknowledged; false once the senders are to stop. Every tenth is sent
    /// once more, as Stripe sometimes does.
    fn send(&self, sender: usize, body: &str) -> bool {
        let mut tries = sender;
        loop {
            if self.stop.load(Ordering::Relaxed) {
                return false;
            }
            let to = {
                let nodes = self.nodes.lock().unwrap();
                nodes[tries % nodes.len()]
            };
            match post(to, body) {
                Some(200) => break,
                Some(status) => {
                    self.refusals.lock().unwrap().push((Instant::now(), status));
                    std::thread::park_timeout(Duration::from_millis(20));
                }
                None => std::thread::park_timeout(Duration::from_millis(20)),
            }
            tries += 1;
        }
        *self.last.lock().unwrap() = Some(Instant::now());
        self.acknowledged.lock().unwrap().insert(id_of(body));
        let count = self.answers.fetch_add(1, Ordering::Relaxed);
        if count.is_multiple_of(10) {
            let nodes = self.nodes.lock().unwrap().clone();
            post(nodes[count % nodes.len()], body);
        }
        true
    }
}
