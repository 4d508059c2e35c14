//! The server loop on hyper-util: a timer on reading headers, a cap on connections, a
//! graceful end. `axum::serve` installs no such timer, so slow clients would hold it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::telemetry::metric;

/// The other end of a request's connection, put into every request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

/// How much of itself the server gives to one client and to all of them.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Time to send a request's headers, also the longest silence between two requests.
    pub header_read: Duration,
    /// Time to send a request's body.
    pub body_read: Duration,
    /// Time for the whole answer.
    pub request: Duration,
    /// Open connections; more wait in the listener's backlog.
    pub connections: usize,
    /// Time that open requests are given when the server ends.
    pub grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            header_read: Duration::from_secs(10),
            body_read: Duration::from_secs(30),
            request: Duration::from_secs(35),
            connections: 10_000,
            grace: Duration::from_secs(20),
        }
    }
}

/// Serves until `stop`, then takes no more connections, lets open requests end within the
/// grace, and returns.
pub async fn serve(listener: TcpListener, routes: Router, limits: Limits, stop: CancellationToken) {
    let builder = Arc::new(connection_builder(&limits));
    let room = Arc::new(Semaphore::new(limits.connections));
    let graceful = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = accept(&listener, &room) => accepted,
        };
        let Some((stream, peer, permit)) = accepted else {
            continue;
        };
        let routes = TowerToHyperService::new(routes.clone());
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(Peer(peer));
            routes.call(request)
        });
        let connection = builder
            .serve_connection(TokioIo::new(stream), service)
            .into_owned();
        let watched = graceful.watch(connection);
        tokio::spawn(async move {
            metrics::gauge!(metric::CONNECTIONS).increment(1);
            if let Err(error) = watched.await {
                tracing::debug!(error = %error, "connection ended");
            }
            metrics::gauge!(metric::CONNECTIONS).decrement(1);
            drop(permit);
        });
    }
    drop(listener);
    if tokio::time::timeout(limits.grace, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("some requests did not end within the grace and are cut");
    }
}

/// HTTP/1 only: telling HTTP/1 from HTTP/2 by the first bytes has no timer in hyper-util, so
/// a silent client could hold a connection for ever. Proxies speak HTTP/1.1 to us anyway.
fn connection_builder(limits: &Limits) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new()).http1_only();
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_read);
    builder
}

/// The next connection, once there is room for it. `None` after an error that passes, such
/// as a client that is gone already or no more file handles.
async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let permit = Arc::clone(room).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => {
            // Answers are small and written at once; waiting for more bytes only delays them.
            stream.set_nodelay(true).ok();
            Some((stream, peer, permit))
        }
        Err(error) => {
            tracing::warn!(error = %error, "cannot take a connection");
            tokio::time::sleep(Duration::from_millis(50)).await;
            None
        }
    }
}
