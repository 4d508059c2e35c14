//! One POST to an endpoint: to an address that was checked when it was resolved, without a
//! redirect, within a time. Nothing of the answer is kept but its status.

use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use tokio::time::Instant;

use super::address::{check, is_public, not_public};

/// From the first byte sent to the last one read.
const PATIENCE: Duration = Duration::from_secs(10);
/// Of an answer's body this much is read, so that the connection can be used again, and dropped.
const ANSWER_BYTES_MAX: usize = 4 * 1024;
const USER_AGENT: &str = concat!("qualify/", env!("CARGO_PKG_VERSION"));

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// HTTP's number of the answer, if there was one.
    pub status: Option<u16>,
    /// Why the message counts as not delivered, in our words; nothing if it does.
    pub failure: Option<String>,
    /// How long it took.
    pub took: Duration,
}

/// Posts messages.
#[derive(Debug, Clone)]
pub struct Sender {
    client: Option<Client>,
    allow_private: bool,
    patience: Duration,
}

impl Sender {
    /// Speaks to public addresses over HTTPS, unless private ones are allowed for development.
    pub fn new(allow_private: bool) -> Self {
        Self::with_patience(allow_private, PATIENCE)
    }

    /// The same with another patience, for tests.
    pub fn with_patience(allow_private: bool, patience: Duration) -> Self {
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            // Whoever was faster has installed the same.
            let provider = rustls::crypto::ring::default_provider();
            provider.install_default().ok();
        }
        let client = Client::builder()
            .dns_resolver(Arc::new(Checked { allow_private }))
            .redirect(Policy::none())
            // A proxy would resolve names itself.
            .no_proxy()
            .user_agent(USER_AGENT)
            .timeout(patience)
            .build();
        if let Err(error) = &client {
            tracing::error!(%error, "webhooks cannot be sent from this machine");
        }
        Self {
            client: client.ok(),
            allow_private,
            patience,
        }
    }

    /// Whether private addresses are allowed.
    pub const fn allows_private(&self) -> bool {
        self.allow_private
    }

    /// Posts a message; whatever goes wrong is said in the reply.
    pub async fn post(&self, url: &str, headers: HeaderMap, body: String) -> Reply {
        let began = Instant::now();
        let outcome = self.answer(url, headers, body).await;
        let (status, failure) = match outcome {
            Err(words) => (None, Some(words)),
            Ok(status) => (Some(status), failure_of(status)),
        };
        Reply {
            status,
            failure,
            took: began.elapsed(),
        }
    }

    async fn answer(&self, url: &str, mut headers: HeaderMap, body: String) -> Result<u16, String> {
        // Literal addresses are not resolved, and settings may have changed since it was added.
        let url = check(url, self.allow_private)?;
        let client = self.client.as_ref();
        let client = client.ok_or("this machine has no certificates to check others by")?;
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let sent = client.post(url).headers(headers).body(body).send().await;
        let answer = sent.map_err(|error| self.words(&error))?;
        let status = answer.status().as_u16();
        drain(answer).await;
        Ok(status)
    }

    /// What went wrong. Nothing of the address is repeated: it may hold a secret.
    fn words(&self, error: &reqwest::Error) -> String {
        if error.is_timeout() {
            return format!("no answer within {} s", self.patience.as_secs());
        }
        let mut cause: Option<&(dyn Error + 'static)> = Some(error);
        while let Some(error) = cause {
            if let Some(refused) = error.downcast_ref::<NotResolved>() {
                return refused.to_string();
            }
            if let Some(refused) = error.downcast_ref::<rustls::Error>() {
                return not_encrypted(refused);
            }
            // An I/O error hides what it wraps from `source`; it may wrap another one.
            let wrapped = error.downcast_ref::<std::io::Error>();
            let wrapped = wrapped.and_then(std::io::Error::get_ref);
            cause = wrapped.map_or_else(
                || error.source(),
                |inner| Some(inner as &(dyn Error + 'static)),
            );
        }
        if error.is_connect() {
            "no connection".to_owned()
        } else {
            "the connection ended before an answer".to_owned()
        }
    }
}

/// Why there is no encrypted connection.
fn not_encrypted(error: &rustls::Error) -> String {
    use rustls::CertificateError as Refused;
    let why = match error {
        rustls::Error::InvalidCertificate(refused) => match refused {
            Refused::UnknownIssuer => "this machine does not trust who issued its certificate",
            Refused::NotValidForName | Refused::NotValidForNameContext { .. } => {
                "its certificate is for another host"
            }
            Refused::Expired | Refused::ExpiredContext { .. } => "its certificate has expired",
            Refused::NotValidYet | Refused::NotValidYetContext { .. } => {
                "its certificate is not valid yet"
            }
            _ => "the certificate was not accepted",
        },
        _ => "the two sides did not agree on one",
    };
    format!("no encrypted connection: {why}")
}

fn failure_of(status: u16) -> Option<String> {
    match status {
        200..=299 => None,
        300..=399 => Some(format!("answered {status}; redirects are not followed")),
        _ => Some(format!("answered {status}")),
    }
}

async fn drain(mut answer: Response) {
    let mut read = 0_usize;
    while let Ok(Some(chunk)) = answer.chunk().await {
        read = read.saturating_add(chunk.len());
        if read > ANSWER_BYTES_MAX {
            break;
        }
    }
}

/// Why a name leads nowhere.
#[derive(Debug, thiserror::Error)]
enum NotResolved {
    /// The system's resolver has no address for it.
    #[error("the host's name does not resolve")]
    Unknown,
    /// It has none that is public.
    #[error("the host's name leads to {}", not_public(*.0))]
    Closed(IpAddr),
}

/// Resolves a name and hands on only addresses that may be spoken to: what was checked is what
/// is connected to.
#[derive(Debug, Clone, Copy)]
struct Checked {
    allow_private: bool,
}

impl Resolve for Checked {
    fn resolve(&self, name: Name) -> Resolving {
        let allow_private = self.allow_private;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await;
            let found: Vec<SocketAddr> = found.map_err(|_| NotResolved::Unknown)?.collect();
            let open = |address: &&SocketAddr| allow_private || is_public(address.ip());
            let addresses: Vec<SocketAddr> = found.iter().filter(open).copied().collect();
            match (addresses.is_empty(), found.first()) {
                (false, _) => Ok(Box::new(addresses.into_iter()) as Addrs),
                (true, Some(closed)) => Err(NotResolved::Closed(closed.ip()).into()),
                (true, None) => Err(NotResolved::Unknown.into()),
            }
        })
    }
}
