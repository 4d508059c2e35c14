//! A whole event: its envelope, and what to make of its object. It chooses the reader by the
//! event's type and checks the object's own `object`; the reading itself is `normalize/`'s.

use serde_json::value::RawValue;

use super::envelope::{Envelope, EnvelopeError, Wire, is_usable_id, read_wire};
use super::normalize::{self, ObjectType};
use super::reason::{IgnoreReason, QuarantineReason};
use super::wire::Scalar;
use crate::domain::fact::Fact;

/// What an event comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// What it says, one fact per object, by object key. Never empty.
    Facts(Vec<Fact>),
    /// It says nothing that matters here.
    Ignored {
        /// Why.
        reason: IgnoreReason,
    },
    /// It matters and cannot be read.
    Quarantined {
        /// Why.
        reason: QuarantineReason,
    },
}

/// An event with its reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Who, what, when, which mode.
    pub envelope: Envelope,
    /// What it says.
    pub reading: Reading,
}

/// The object's id and kind, with everything else skipped.
#[derive(Default, serde::Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct Tag<'a> {
    id: Scalar<'a>,
    object: Scalar<'a>,
}

/// Reads a whole event. Never panics, whatever the body.
///
/// `Err` means that the body is no snapshot event at all; an event whose object cannot be
/// read is `Ok` with [`Reading::Quarantined`].
pub fn read_event(body: &[u8]) -> Result<Event, EnvelopeError> {
    let wire: Wire<'_, &RawValue> = read_wire(body)?;
    let object = wire.data.0.as_deref().and_then(|data| data.object);
    let tag = object.filter(|raw| raw.get().starts_with('{'));
    let tag = tag.map(|raw| serde_json::from_str::<Tag<'_>>(raw.get()).unwrap_or_default());
    let id = tag.as_ref().and_then(|tag| tag.id.text());
    let id = id.filter(|id| is_usable_id(id)).map(str::to_owned);
    let envelope = wire.into_envelope(id)?;
    let reading = read_object(&envelope, object, &tag.unwrap_or_default());
    Ok(Event { envelope, reading })
}

fn read_object(envelope: &Envelope, object: Option<&RawValue>, tag: &Tag<'_>) -> Reading {
    let Some(expected) = ObjectType::of_event(&envelope.event_type) else {
        let reason = IgnoreReason::TypeNotUsed;
        return Reading::Ignored { reason };
    };
    let future = envelope.event_type == "invoice.upcoming"
        || (expected == ObjectType::Invoice
            && tag.object.text() == Some("invoice")
            && tag.id.is_null());
    if future {
        let reason = IgnoreReason::FutureInvoice;
        return Reading::Ignored { reason };
    }
    let Some(object) = object else {
        let reason = QuarantineReason::ObjectMissing;
        return Reading::Quarantined { reason };
    };
    match normalize::read(envelope, expected, tag.object.text(), object.get()) {
        Ok(facts) => Reading::Facts(facts),
        Err(reason) => Reading::Quarantined { reason },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(event_type: &str, object: &str) -> String {
        format!(
            r#"{{"id":"evt_1","object":"event","type":"{event_type}","created":1700000000,
               "livemode":false,"data":{{"object":{object}}}}}"#
        )
    }

    /// `facts`, or the code and the sentence of what was made of the event instead.
    fn outcome(event_type: &str, object: &str) -> (String, String) {
        match read_event(event(event_type, object).as_bytes()) {
            Ok(event) => match event.reading {
                Reading::Facts(_) => ("facts".into(), String::new()),
                Reading::Ignored { reason } => (reason.code().into(), reason.to_string()),
                Reading::Quarantined { reason } => (reason.code().into(), reason.to_string()),
            },
            Err(error) => (error.code().into(), error.to_string()),
        }
    }

    #[test]
    #[allow(clippy::too_many_lines, reason = "it is a table")]
    fn objects_that_cannot_be_read_are_quarantined_with_the_place() {
        let invoice = |more: &str| {
            format!(r#"{{"id":"in_1","object":"invoice","status":"paid","currency":"usd",{more}}}"#)
        };
        let charge = |more: &str| format!(r#"{{"id":"ch_1","object":"charge",{more}}}"#);
        let line = r#""lines":{"data":[{"amount":1},{"amount":"7"}]}"#;
        let taxes = r#""total":1,"total_tax_amounts":[{"amount":1},{"amount":1.5}]"#;
        let cases = [
            (
                "charge.updated",
                charge(r#""amount":"100","currency":"usd""#),
                "amount_invalid",
                "data.object.amount ",
            ),
            (
                "charge.updated",
                charge(r#""amount":1.0,"currency":"usd""#),
                "amount_invalid",
                "data.object.amount ",
            ),
            (
                "charge.updated",
                charge(r#""amount":1e400,"currency":"usd""#),
                "unreadable",
                "out of range",
            ),
            (
                "charge.updated",
                charge(r#""amount":1000000000000001,"currency":"usd""#),
                "amount_invalid",
                "data.object.amount ",
            ),
            (
                "charge.updated",
                charge(r#""amount":99999999999999999999,"currency":"usd""#),
                "amount_invalid",
                "data.object.amount ",
            ),
            (
                "charge.updated",
                charge(r#""amount":1,"currency":"zzz""#),
                "currency_unknown",
                "data.object.currency ",
            ),
            (
                "charge.updated",
                charge(r#""amount":1"#),
                "currency_unknown",
                "data.object.currency ",
            ),
            (
                "charge.updated",
                charge(r#""created":"now""#),
                "time_invalid",
                "data.object.created ",
            ),
            (
                "charge.updated",
                charge(r#""captured":"yes""#),
                "form_unexpected",
                "data.object.captured ",
            ),
            (
                "charge.updated",
                charge(r#""customer":7"#),
                "form_unexpected",
                "data.object.customer ",
            ),
            (
                "charge.updated",
                charge(r#""customer":"a\nb""#),
                "id_invalid",
                "data.object.customer ",
            ),
            (
                "charge.updated",
                charge(r#""metadata":{"k":"a\u0000"}"#),
                "nul_in_text",
                "data.object.metadata ",
            ),
            (
                "charge.updated",
                charge(r#""refunds":7"#),
                "form_unexpected",
                "data.object.refunds ",
            ),
            (
                "charge.updated",
                charge(r#""refunds":{"data":[{"id":"re_1","amount":[]}]}"#),
                "amount_invalid",
                "data.object.refunds.data[0].amount ",
            ),
            (
                "charge.updated",
                charge(r#""receipt_email":"\ud800""#),
                "unreadable",
                "data.object",
            ),
            (
                "customer.updated",
                r#"{"id":"cus_1","metadata":{"fp_uid":"\u0000"}}"#.into(),
                "nul_in_text",
                "metadata",
            ),
            (
                "customer.updated",
                r#"{"object":"customer"}"#.into(),
                "id_invalid",
                "data.object.id ",
            ),
            (
                "customer.updated",
                r#"{"id":""}"#.into(),
                "id_invalid",
                "data.object.id ",
            ),
            (
                "customer.updated",
                format!(r#"{{"id":"{}"}}"#, "c".repeat(256)),
                "id_invalid",
                "data.object.id ",
            ),
            (
                "customer.updated",
                r#"{"id":"ch_1","object":"charge"}"#.into(),
                "object_unexpected",
                "`charge`",
            ),
            (
                "customer.updated",
                "null".into(),
                "object_missing",
                "data.object",
            ),
            ("customer.updated", "[]".into(), "unreadable", "data.object"),
            (
                "invoice.paid",
                invoice(line),
                "amount_invalid",
                "data.object.lines.data[1].amount ",
            ),
            (
                "invoice.paid",
                invoice(taxes),
                "amount_invalid",
                "data.object.total_tax_amounts[1].amount ",
            ),
            (
                "invoice.upcoming",
                r#"{"object":"invoice"}"#.into(),
                "future_invoice",
                "future",
            ),
            (
                "invoice.created",
                r#"{"object":"invoice","id":null}"#.into(),
                "future_invoice",
                "future",
            ),
            (
                "payout.paid",
                r#"{"amount":"x"}"#.into(),
                "type_not_used",
                "nothing",
            ),
            (
                "customer.source.created",
                "{}".into(),
                "type_not_used",
                "nothing",
            ),
        ];
        for (event_type, object, code, says) in cases {
            let (found, sentence) = outcome(event_type, &object);
            assert_eq!(found, code, "{object}: {sentence}");
            assert!(sentence.contains(says), "{object}: {sentence}");
        }
    }

    #[test]
    fn objects_that_look_odd_and_are_fine() {
        let cases = [
            (
                "customer.updated",
                r#"{"id":"cus_1","metadata":[],"email":null}"#,
            ),
            (
                "charge.updated",
                r#"{"id":"ch_1","amount":0,"customer":"","metadata":null,"refunds":null}"#,
            ),
            (
                "charge.updated",
                r#"{"id":"ch_1","amount":5,"currency":"USD","status":"of tomorrow","unknown":{"a":[1e9]}}"#,
            ),
            (
                "charge.refunded",
                r#"{"id":"ch_1","refunds":[{"amount":5,"object":"refund"}]}"#,
            ),
            (
                "charge.dispute.created",
                r#"{"object":"dispute","charge":"ch_1","amount":5,"currency":"usd"}"#,
            ),
            (
                "invoice.paid",
                r#"{"id":"in_1","discount":"","lines":[],"status":"paid"}"#,
            ),
            (
                "checkout.session.completed",
                r#"{"id":"cs_1","object":"checkout.session","currency":null}"#,
            ),
        ];
        for (event_type, object) in cases {
            let (found, sentence) = outcome(event_type, object);
            assert_eq!(found, "facts", "{object}: {sentence}");
        }
    }

    #[test]
    fn nesting_of_expanded_objects_is_bounded() {
        let nested = |pairs: usize| {
            let open = r#"{"id":"ch_1","payment_intent":{"id":"pi_1","latest_charge":"#;
            format!("{}null{}", open.repeat(pairs), "}}".repeat(pairs))
        };
        assert_eq!(outcome("charge.updated", &nested(5)).0, "facts");
        assert_eq!(outcome("charge.updated", &nested(30)).0, "facts");
        assert_eq!(outcome("charge.updated", &nested(40)).0, "too_deep");
        assert_eq!(outcome("charge.updated", &nested(5_000)).0, "too_deep");
        let invoices = |pairs: usize| {
            let open = r#"{"id":"in_1","subscription":{"id":"sub_1","latest_invoice":"#;
            format!("{}null{}", open.repeat(pairs), "}}".repeat(pairs))
        };
        assert_eq!(outcome("invoice.paid", &invoices(30)).0, "facts");
    }
}
