//! Somebody else's HTTP server: takes messages down and answers as it is told to.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::serve::Listener;
use rustls::ServerConfig;
use serde_json::Value;
use standardwebhooks::Webhook;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// How it answers.
#[derive(Debug, Clone)]
pub enum Mood {
    Status(u16),
    /// To another address.
    Redirect(String),
    /// It reads, and says nothing.
    Hang,
}

/// A message as it came.
#[derive(Debug, Clone)]
pub struct Got {
    pub headers: HeaderMap,
    pub body: String,
}

impl Got {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    pub fn id(&self) -> String {
        self.headers["webhook-id"].to_str().unwrap().to_owned()
    }

    /// As somebody checks it who has this secret, with a library and by their own clock.
    pub fn is_signed_by(&self, secret: &str) -> bool {
        let verifier = Webhook::new(secret).unwrap();
        verifier.verify(self.body.as_bytes(), &self.headers).is_ok()
    }
}

#[derive(Debug)]
struct Shared {
    mood: Mutex<Mood>,
    got: Mutex<Vec<Got>>,
}

pub struct Receiver {
    pub address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Acceptor,
    task: JoinHandle<()>,
}

/// What speaks TLS, if anything does.
type Acceptor = Arc<Mutex<Option<TlsAcceptor>>>;

/// Connections over TLS; those that are not agreed on are dropped.
struct Encrypted {
    listener: TcpListener,
    acceptor: Acceptor,
}

impl Listener for Encrypted {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, from) = self.listener.accept().await.unwrap();
            let acceptor = self.acceptor.lock().unwrap().clone().unwrap();
            if let Ok(stream) = acceptor.accept(stream).await {
                return (stream, from);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn take(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let body = String::from_utf8(body.to_vec()).unwrap();
    shared.got.lock().unwrap().push(Got { headers, body });
    let mood = shared.mood.lock().unwrap().clone();
    match mood {
        Mood::Status(status) => {
            let status = StatusCode::from_u16(status).unwrap();
            // Longer than anybody reads.
            (status, "SENTINEL of the receiver ".repeat(10_000)).into_response()
        }
        Mood::Redirect(to) => (StatusCode::FOUND, [("location", to)]).into_response(),
        Mood::Hang => std::future::pending().await,
    }
}

impl Receiver {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        Self::on(listener, address, Arc::default())
    }

    /// Over HTTPS, with the certificate of this configuration.
    pub async fn encrypted(config: ServerConfig) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let acceptor = Arc::new(Mutex::new(Some(TlsAcceptor::from(Arc::new(config)))));
        let encrypted = Encrypted {
            listener,
            acceptor: Arc::clone(&acceptor),
        };
        Self::on(encrypted, address, acceptor)
    }

    fn on<L>(listener: L, address: SocketAddr, acceptor: Acceptor) -> Self
    where
        L: Listener<Addr = SocketAddr>,
    {
        let shared = Arc::new(Shared {
            mood: Mutex::new(Mood::Status(200)),
            got: Mutex::default(),
        });
        let routes = Router::new().fallback(take).with_state(Arc::clone(&shared));
        let task = tokio::spawn(async move {
            axum::serve(listener, routes).await.unwrap();
        });
        Self {
            address,
            shared,
            acceptor,
            task,
        }
    }

    /// From now on it shows another certificate.
    pub fn shows(&self, config: ServerConfig) {
        *self.acceptor.lock().unwrap() = Some(TlsAcceptor::from(Arc::new(config)));
    }

    pub fn url(&self) -> String {
        format!("http://{}/hooks", self.address)
    }

    pub fn is(&self, mood: Mood) {
        *self.shared.mood.lock().unwrap() = mood;
    }

    pub fn got(&self) -> Vec<Got> {
        self.shared.got.lock().unwrap().clone()
    }

    /// Waits until so many have come.
    pub async fn got_at_least(&self, count: usize) -> Vec<Got> {
        loop {
            let got = self.got();
            if got.len() >= count {
                return got;
            }
            tokio::task::yield_now().await;
        }
    }
}
