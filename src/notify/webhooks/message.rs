//! A message as receivers get it: its body, its id, its signature. Pure.
//!
//! Signatures are those of Standard Webhooks (<https://www.standardwebhooks.com>): HMAC-SHA256
//! of `id.timestamp.body`, in base64, one for each secret.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde::Serialize;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use standardwebhooks::{
    HEADER_WEBHOOK_ID, HEADER_WEBHOOK_SIGNATURE, HEADER_WEBHOOK_TIMESTAMP, Webhook,
};

use crate::config::Secret;
use crate::domain::ids::{ConnectionId, MessageId, OutboxId};
use crate::domain::time::Timestamp;

/// What every signing secret begins with.
pub const SECRET_PREFIX: &str = "whsec_";
/// The type of a message that is only sent to see whether it arrives.
pub const TEST_TYPE: &str = "test";

#[derive(Serialize)]
struct Body<'a> {
    id: &'a MessageId,
    #[serde(rename = "type")]
    kind: &'a str,
    created_at: Timestamp,
    livemode: bool,
    data: &'a RawValue,
}

/// What a message says, as JSON; none if `data` is not JSON. The same at every attempt.
pub fn body(
    (id, kind): (&MessageId, &str),
    created_at: Timestamp,
    livemode: bool,
    data: &str,
) -> Option<String> {
    let data = serde_json::from_str::<&RawValue>(data).ok()?;
    let body = Body {
        id,
        kind,
        created_at,
        livemode,
        data,
    };
    serde_json::to_string(&body).ok()
}

/// The id of a message, by which receivers know a repetition. It follows from what it names, and
/// has no full stop, which separates the parts of what is signed.
pub fn id(connection: &ConnectionId, outbox_id: &OutboxId) -> MessageId {
    let digest = Sha256::digest(format!("{connection}\n{outbox_id}"));
    let digest = hex::encode(digest);
    MessageId::new(format!("msg_{}", digest.get(..24).unwrap_or(&digest)))
}

/// A signing secret of 256 bits as people copy it.
pub fn secret(chance: [u8; 32]) -> Option<Secret> {
    Secret::new(&format!("{SECRET_PREFIX}{}", STANDARD.encode(chance)))
}

/// The headers of an attempt, signed with each of these secrets; none if one is no secret.
pub fn headers(
    id: &MessageId,
    now: Timestamp,
    body: &str,
    secrets: &[Secret],
) -> Option<HeaderMap> {
    let mut signatures = Vec::with_capacity(secrets.len());
    for secret in secrets {
        let signer = Webhook::new(secret.expose()).ok()?;
        signatures.push(signer.sign(id.as_str(), now.unix(), body.as_bytes()).ok()?);
    }
    let mut headers = HeaderMap::new();
    for (name, value) in [
        (HEADER_WEBHOOK_ID, id.to_string()),
        (HEADER_WEBHOOK_TIMESTAMP, now.unix().to_string()),
        (HEADER_WEBHOOK_SIGNATURE, signatures.join(" ")),
    ] {
        let value = HeaderValue::try_from(value).ok()?;
        headers.insert(HeaderName::from_static(name), value);
    }
    Some(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_holds_its_data_as_it_was_written() {
        let at = Timestamp::parse("2026-03-10T09:00:00Z").unwrap();
        let written = body(
            (&"msg_1".into(), "batch.settled"),
            at,
            true,
            r#"{"b":1,"a":[2]}"#,
        );
        assert_eq!(
            written.unwrap(),
            r#"{"id":"msg_1","type":"batch.settled","created_at":"2026-03-10T09:00:00Z","livemode":true,"data":{"b":1,"a":[2]}}"#
        );
        assert_eq!(body((&"msg_1".into(), "x"), at, true, "{"), None);
    }

    #[test]
    fn an_id_follows_from_what_it_names() {
        let id = |connection: &str, outbox: &str| super::id(&connection.into(), &outbox.into());
        assert_eq!(id("live", "batch_1.1"), id("live", "batch_1.1"));
        assert_ne!(id("live", "batch_1.1"), id("test", "batch_1.1"));
        assert!(!id("live", "batch_1.1").as_str().contains('.'));
    }

    /// Worked out by hand: `printf 'msg_1.1773133200.{}' | openssl dgst -sha256 -hmac` with 32 bytes
    /// of the letter k, in base64.
    #[test]
    fn a_signature_is_the_standards() {
        let secret = secret([b'k'; 32]).unwrap();
        assert!(secret.expose().starts_with("whsec_a2tr"));
        let at = Timestamp::from_unix(1_773_133_200).unwrap();
        let both = [secret.clone(), super::secret([b'l'; 32]).unwrap()];
        let signed = headers(&"msg_1".into(), at, "{}", &both).unwrap();
        let signatures = signed["webhook-signature"].to_str().unwrap();
        let (first, second) = signatures.split_once(' ').unwrap();
        assert_eq!(first, "v1,p5Hz3qkPYo2muj326Q5sjXGMquIfuZNobOnq4DhwyxI=");
        assert!(second.starts_with("v1,") && second != first);
        assert_eq!(signed["webhook-id"], "msg_1");
        assert_eq!(signed["webhook-timestamp"], "1773133200");
    }
}
