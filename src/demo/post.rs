//! Posts events to the webhook endpoint as Stripe does: signed, over many connections.
//! It knows nothing of what the events say.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use reqwest::StatusCode;

use crate::domain::time::Timestamp;
use crate::stripe::signature::sign;

/// Connections at a time.
const CONNECTIONS: usize = 16;
/// An answer takes milliseconds; a server that takes this long is stuck.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Times that an event is posted again when the server says "please retry".
const TRIES: u32 = 5;

/// Why an event was not taken.
#[derive(Debug, thiserror::Error)]
pub enum PostError {
    /// No answer.
    #[error("the demo's own server did not answer")]
    Http(#[from] reqwest::Error),
    /// An answer other than 200.
    #[error("the demo's own server answered {status} to an event: {body}")]
    Refused {
        /// What it answered.
        status: StatusCode,
        /// In its words.
        body: String,
    },
}

/// Somebody who posts like Stripe.
#[derive(Debug)]
pub struct Poster {
    client: reqwest::Client,
    url: String,
    secret: &'static str,
}

impl Poster {
    /// Posts to a server on this machine.
    pub fn new(server: SocketAddr, secret: &'static str) -> Result<Self, PostError> {
        let client = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .pool_max_idle_per_host(CONNECTIONS)
            .no_proxy()
            .build()?;
        Ok(Self {
            client,
            url: format!("http://{server}/webhooks/stripe"),
            secret,
        })
    }

    /// Posts all of these, started in their order; returns when all are stored.
    pub async fn post(&self, bodies: Vec<String>, at: Timestamp) -> Result<(), PostError> {
        let mut answers = stream::iter(bodies)
            .map(|body| self.post_one(body, at))
            .buffer_unordered(CONNECTIONS);
        while let Some(answer) = answers.next().await {
            answer?;
        }
        Ok(())
    }

    async fn post_one(&self, body: String, at: Timestamp) -> Result<(), PostError> {
        let signature = sign(self.secret, body.as_bytes(), at);
        let mut tries = 0;
        loop {
            tries += 1;
            let request = self
                .client
                .post(&self.url)
                .header("content-type", "application/json; charset=utf-8")
                .header("stripe-signature", &signature)
                .body(body.clone());
            let answer = request.send().await?;
            let status = answer.status();
            if status == StatusCode::OK {
                return Ok(());
            }
            if status != StatusCode::SERVICE_UNAVAILABLE || tries >= TRIES {
                let body = answer.text().await?;
                return Err(PostError::Refused { status, body });
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}
