//! What is stored of a verified delivery. Pure. It refuses nothing that Stripe signed; only
//! other people's envelopes around an event are turned away.

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::endpoints::Endpoint;
use super::incoming::{Incoming, Standing};
use crate::clock::SECOND_US;
use crate::domain::ids::EventId;
use crate::domain::time::Timestamp;
use crate::stripe::{Envelope, EnvelopeError, read_envelope};

/// The type under which a body is stored that does not tell its type.
const TYPE_UNKNOWN: &str = "unknown";

/// Decides what is stored. The error is always one of the foreign envelopes.
pub(super) fn admit(
    endpoint: &Endpoint,
    body: Bytes,
    secret_index: usize,
    received_at_us: i64,
) -> Result<Incoming, EnvelopeError> {
    let read = read_envelope(&body);
    let created = Timestamp::from_unix(received_at_us.div_euclid(SECOND_US)).unwrap_or_default();
    let mut incoming = Incoming {
        connection: endpoint.connection.clone(),
        id: EventId::new(""),
        event_type: TYPE_UNKNOWN.to_owned(),
        api_version: None,
        created,
        received_at_us,
        mode: endpoint.mode,
        body,
        secret_index,
        standing: Standing::Received,
    };
    match read {
        Ok(envelope) => {
            incoming.standing = standing(endpoint, &envelope);
            incoming.id = envelope.id;
            incoming.event_type = envelope.event_type;
            incoming.api_version = envelope.api_version.filter(|v| !v.contains('\0'));
            incoming.created = envelope.created;
            incoming.mode = envelope.mode;
        }
        Err(error @ (EnvelopeError::EventBridge | EnvelopeError::EventGrid)) => return Err(error),
        Err(error) => {
            let (code, reason) = (error.code(), error.to_string());
            if let EnvelopeError::Thin { id, event_type } = error {
                incoming.id = id;
                incoming.event_type = event_type;
                incoming.standing = Standing::Ignored { code, reason };
            } else {
                let digest = hex::encode(Sha256::digest(&incoming.body));
                incoming.id = EventId::new(format!("sha256:{digest}"));
                // A parser may quote what it choked on; PostgreSQL stores no NUL.
                let reason = reason.replace('\0', "␀");
                incoming.standing = Standing::Quarantined { code, reason };
            }
        }
    }
    Ok(incoming)
}

/// Test data never meets live data, nor one account another's: what was sent to the wrong
/// endpoint is kept, but nothing is read from it.
fn standing(endpoint: &Endpoint, envelope: &Envelope) -> Standing {
    if envelope.mode != endpoint.mode {
        return Standing::Quarantined {
            code: "other_mode",
            reason: format!(
                "a {} event came to a {} connection; give this endpoint its own connection",
                envelope.mode.name(),
                endpoint.mode.name()
            ),
        };
    }
    match (&endpoint.account, &envelope.account) {
        (Some(expected), Some(seen)) if expected != seen => Standing::Quarantined {
            code: "other_account",
            reason: format!("the event is of account {seen}, this connection is {expected}"),
        },
        _ => Standing::Received,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::campaign::Mode;

    fn endpoint() -> Endpoint {
        Endpoint {
            connection: "main".into(),
            mode: Mode::Live,
            account: Some("acct_1".into()),
            secrets: Vec::new(),
        }
    }

    fn admitted(body: &str) -> Incoming {
        let body = Bytes::copy_from_slice(body.as_bytes());
        admit(&endpoint(), body, 0, 1_700_000_000_500_000).unwrap()
    }

    fn code(standing: &Standing) -> &'static str {
        match standing {
            Standing::Received => "received",
            Standing::Ignored { code, .. } | Standing::Quarantined { code, .. } => code,
        }
    }

    #[test]
    fn what_is_stored_of_each_kind_of_body() {
        let event = |rest: &str| {
            format!(r#"{{"id":"evt_1","object":"event","type":"x.y","created":1,{rest}}}"#)
        };
        for (body, id, standing) in [
            (event(r#""livemode":true"#), "evt_1", "received"),
            (event(r#""livemode":false"#), "evt_1", "other_mode"),
            (event(r#""livemode":true,"account":"acct_1""#), "evt_1", "received"),
            (event(r#""livemode":true,"account":"acct_2""#), "evt_1", "other_account"),
            (r#"{"id":"evt_2","object":"v2.core.event","type":"v1.a"}"#.to_owned(), "evt_2", "thin_event"),
            ("hello".to_owned(), "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824", "not_json"),
        ] {
            let incoming = admitted(&body);
            assert_eq!(incoming.id.as_str(), id, "{body}");
            assert_eq!(code(&incoming.standing), standing, "{body}");
            assert_eq!(incoming.body, body.as_bytes());
        }
        let unreadable = admitted("hello");
        assert_eq!(unreadable.created.unix(), 1_700_000_000);
        assert_eq!(unreadable.event_type, "unknown");
    }

    #[test]
    fn foreign_envelopes_are_turned_away() {
        let body = Bytes::from_static(br#"{"version":"0","detail-type":"x","detail":{}}"#);
        let error = admit(&endpoint(), body, 0, 0).unwrap_err();
        assert_eq!(error, EnvelopeError::EventBridge);
    }
}
