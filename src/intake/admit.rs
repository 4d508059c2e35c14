//! What is stored of a verified delivery. Pure. It refuses nothing that Stripe signed; only
//! other people's envelopes around an event are turned away.

use super::endpoints::Endpoint;
use crate::clock::SECOND_US;
use crate::store::events::{EventReason, EventState, NewEvent, digest_id};
use crate::stripe::{Envelope, EnvelopeError, read_envelope};

/// The type under which a body is stored that does not tell its type.
const TYPE_UNKNOWN: &str = "unknown";

/// Decides what is stored. The error is always one of the foreign envelopes. What was not
/// delivered but imported has no `secret_index`.
pub fn admit(
    endpoint: &Endpoint,
    body: Vec<u8>,
    secret_index: Option<usize>,
    received_at_us: i64,
) -> Result<NewEvent, EnvelopeError> {
    let mut event = match read_envelope(&body) {
        Ok(envelope) => {
            let (state, reason) = placed(endpoint, &envelope);
            NewEvent {
                event_id: envelope.id,
                event_type: envelope.event_type,
                api_version: envelope.api_version.filter(|v| !v.contains('\0')),
                created_at: envelope.created.unix(),
                received_at_us,
                mode: envelope.mode,
                body,
                packed: None,
                state,
                reason,
                secret_index: None,
            }
        }
        Err(error @ (EnvelopeError::EventBridge | EnvelopeError::EventGrid)) => return Err(error),
        Err(error) => unread(endpoint, body, error, received_at_us),
    };
    event.secret_index = secret_index.and_then(|index| i64::try_from(index).ok());
    Ok(event)
}

/// A body that is no snapshot event: kept under its own id, or under its digest if it has none.
fn unread(
    endpoint: &Endpoint,
    body: Vec<u8>,
    error: EnvelopeError,
    received_at_us: i64,
) -> NewEvent {
    // A parser may quote what it choked on; PostgreSQL stores no NUL.
    let reason = reason(error.code(), error.to_string().replace('\0', "␀"));
    let (state, event_id, event_type) = match error {
        EnvelopeError::Thin { id, event_type } => (EventState::Ignored, id, event_type),
        _ => (
            EventState::Quarantined,
            digest_id(&body),
            TYPE_UNKNOWN.to_owned(),
        ),
    };
    NewEvent {
        event_id,
        event_type,
        api_version: None,
        created_at: received_at_us.div_euclid(SECOND_US),
        received_at_us,
        mode: endpoint.mode,
        body,
        packed: None,
        state,
        reason,
        secret_index: None,
    }
}

/// Where an event begins: waiting to be read, unless it was sent to the wrong endpoint.
fn placed(endpoint: &Endpoint, envelope: &Envelope) -> (EventState, Option<EventReason>) {
    misdirected(endpoint, envelope).unwrap_or((EventState::Received, None))
}

/// Test data never meets live data, nor one account another's: what was sent to the wrong
/// endpoint is kept, but nothing is read from it. Events of the other mode are nothing to worry
/// about (both share one endpoint while people try things); another account's are.
fn misdirected(
    endpoint: &Endpoint,
    envelope: &Envelope,
) -> Option<(EventState, Option<EventReason>)> {
    let (seen, expected) = (envelope.mode.name(), endpoint.mode.name());
    if seen != expected {
        let text = format!(
            "a {seen} event came to a {expected} connection; give this endpoint a connection of \
             its own"
        );
        return Some((EventState::Ignored, reason("other_mode", text)));
    }
    match (&endpoint.account, &envelope.account) {
        (Some(expected), Some(seen)) if expected != seen => {
            let text = format!("the event is of account {seen}, this connection is {expected}");
            Some((EventState::Quarantined, reason("other_account", text)))
        }
        _ => None,
    }
}

#[expect(clippy::unnecessary_wraps, reason = "every caller wants the option")]
fn reason(code: &str, text: String) -> Option<EventReason> {
    let code = code.to_owned();
    Some(EventReason { code, text })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::campaign::Mode;
    use EventState::{Ignored, Quarantined, Received};

    fn endpoint() -> Endpoint {
        Endpoint {
            connection: "main".into(),
            mode: Mode::Live,
            account: Some("acct_1".into()),
            secrets: Vec::new(),
        }
    }

    fn admitted(body: &str) -> NewEvent {
        admit(&endpoint(), body.into(), Some(0), 1_700_000_000_500_000).unwrap()
    }

    fn code(event: &NewEvent) -> &str {
        event.reason.as_ref().map_or("", |reason| &reason.code)
    }

    #[test]
    fn what_is_stored_of_each_kind_of_body() {
        let snapshot = |rest: &str| {
            format!(r#"{{"id":"evt_1","object":"event","type":"x.y","created":1,{rest}}}"#)
        };
        let thin = r#"{"id":"evt_2","object":"v2.core.event","type":"v1.a"}"#;
        let hello = "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
        let other = r#""livemode":true,"account":"acct_2""#;
        let own = r#""livemode":true,"account":"acct_1""#;
        for (body, id, state, reason) in [
            (snapshot(r#""livemode":true"#), "evt_1", Received, ""),
            (snapshot(own), "evt_1", Received, ""),
            (
                snapshot(r#""livemode":false"#),
                "evt_1",
                Ignored,
                "other_mode",
            ),
            (snapshot(other), "evt_1", Quarantined, "other_account"),
            (thin.to_owned(), "evt_2", Ignored, "thin_event"),
            ("hello".to_owned(), hello, Quarantined, "not_json"),
        ] {
            let event = admitted(&body);
            assert_eq!(event.event_id.as_str(), id, "{body}");
            assert_eq!((event.state, code(&event)), (state, reason), "{body}");
            assert_eq!(event.body, body.as_bytes());
        }
        let unreadable = admitted("hello");
        assert_eq!(unreadable.created_at, 1_700_000_000);
        assert_eq!(unreadable.event_type, "unknown");
    }

    #[test]
    fn foreign_envelopes_are_turned_away() {
        let body = r#"{"version":"0","detail-type":"x","detail":{}}"#;
        let error = admit(&endpoint(), body.into(), None, 0).unwrap_err();
        assert_eq!(error, EnvelopeError::EventBridge);
    }
}
