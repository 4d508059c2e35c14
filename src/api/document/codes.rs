//! Every code that a refusal may have, with what it means; and which of them an operation has
//! because of its kind. A code is stable: it is added, never renamed.

use super::operation::Operation;
use crate::access::routes::Verb;

/// Code and meaning.
pub const CODES: &[(&str, &str)] = &[
    (
        "account_mismatch",
        "The rules are for another Stripe account.",
    ),
    (
        "already_referred",
        "The person was referred by another promoter of this campaign.",
    ),
    (
        "already_settled",
        "What the case decided is settled, so it cannot be undone.",
    ),
    ("already_waiting", "The event waits to be read already."),
    (
        "app_secret_key_changed",
        "The secret was stored under another `APP_SECRET_KEY`; rotate it.",
    ),
    (
        "app_secret_key_missing",
        "Secrets are kept encrypted; set `APP_SECRET_KEY` and restart.",
    ),
    ("backtest_over", "The backtest has ended already."),
    (
        "backtests_busy",
        "Enough backtests run and wait; try again when one is done.",
    ),
    (
        "batch_running",
        "A batch is at work on it; try again when it is done.",
    ),
    (
        "body_incomplete",
        "The body ended before its announced length.",
    ),
    ("body_timeout", "The body did not arrive in time."),
    ("campaign_unknown", "There is no campaign of this id."),
    (
        "case_gone",
        "The case is no longer there: what it was about has changed.",
    ),
    (
        "case_not_resolved",
        "The case is open, so there is nothing to undo.",
    ),
    (
        "case_resolved",
        "Somebody has decided the case already; undo that first.",
    ),
    (
        "changed_meanwhile",
        "It was changed at the same moment; read it again and repeat.",
    ),
    ("choice_invalid", "The case does not offer this choice."),
    (
        "code_in_use",
        "Another promoter has this code in their link.",
    ),
    ("content_type_unsupported", "Bodies are `application/json`."),
    (
        "cookie_days_invalid",
        "A click is remembered for 1 to 365 days.",
    ),
    ("coupon_in_use", "Another promoter has this coupon."),
    ("coupon_invalid", "This cannot be a coupon id."),
    (
        "coupon_is_promotion_code",
        "This is a promotion code; the coupon it leads to has an id of its own.",
    ),
    (
        "coupon_referral",
        "A coupon made the referral, so it is whose coupon it is.",
    ),
    (
        "database_unavailable",
        "The database does not answer; repeat after `Retry-After`.",
    ),
    ("days_invalid", "The number of days is out of bounds."),
    (
        "delivery_waiting",
        "The delivery waits to be tried already.",
    ),
    (
        "description_invalid",
        "A description has at most 200 characters.",
    ),
    ("email_in_use", "Somebody has an account with this email."),
    ("email_invalid", "This is not an email address."),
    (
        "encoding_unsupported",
        "The body is compressed; send it plain.",
    ),
    (
        "endpoint_disabled",
        "The webhook endpoint is disabled; enable it first.",
    ),
    (
        "endpoints_too_many",
        "A connection has 20 webhook endpoints at most.",
    ),
    (
        "field_invalid",
        "A value is not of the kind that the field takes.",
    ),
    ("field_missing", "A field has to be there."),
    (
        "forbidden",
        "The key may not do this to this person or give this role.",
    ),
    ("id_invalid", "This cannot be an id."),
    ("id_mismatch", "The rules have another id than the address."),
    ("id_taken", "Something else has this id."),
    (
        "idempotency_in_progress",
        "The first request under this `Idempotency-Key` is still at work.",
    ),
    (
        "idempotency_key_invalid",
        "An `Idempotency-Key` has 1 to 255 printable ASCII characters.",
    ),
    (
        "idempotency_key_reused",
        "Another request was sent under this `Idempotency-Key`.",
    ),
    (
        "idempotency_key_unsupported",
        "The answer holds a secret, which is not kept.",
    ),
    (
        "internal_error",
        "Something failed on our side; the log has it under `x-request-id`.",
    ),
    ("json_invalid", "The body is not JSON."),
    (
        "landing_page_invalid",
        "This cannot be the address of a landing page.",
    ),
    (
        "mode_mismatch",
        "The rules are for the other of Stripe's modes.",
    ),
    ("name_invalid", "This is not a name."),
    (
        "not_found",
        "There is nothing of this id, or it is not yours.",
    ),
    (
        "not_linkable",
        "The near miss is no question of whether two are one person.",
    ),
    ("nothing_to_change", "It is like that already."),
    (
        "origin_invalid",
        "An origin is a scheme and a host, and nothing more.",
    ),
    (
        "origin_invalid",
        "An origin is a scheme and a host, and nothing more.",
    ),
    (
        "origins_too_many",
        "A campaign names ten other origins at most.",
    ),
    (
        "origins_too_many",
        "A campaign names ten other origins at most.",
    ),
    (
        "parameter_invalid",
        "A parameter of the address is unknown or not acceptable.",
    ),
    ("payload_too_large", "A body has at most 256 KiB."),
    (
        "person_missing",
        "A referral needs an email, a uid or a Stripe customer id.",
    ),
    (
        "precondition_invalid",
        "`If-Match` is a revision's number, `If-None-Match` is `*`.",
    ),
    (
        "precondition_required",
        "The campaign exists; send its `ETag` as `If-Match`.",
    ),
    (
        "promoter_invalid",
        "The role needs a promoter, takes none, or the promoter does not fit.",
    ),
    ("promoter_unknown", "There is no promoter of this id."),
    ("reason_invalid", "A reason has at most 500 characters."),
    ("reason_missing", "Say why, in a few words."),
    (
        "request_timeout",
        "The answer took too long; nothing is promised about the request.",
    ),
    ("role_invalid", "There is no such role."),
    (
        "rules_invalid",
        "The rules have problems; `problems` lists each with its line.",
    ),
    (
        "scope_invalid",
        "There is no such scope, or none was named.",
    ),
    (
        "scope_missing",
        "The key lacks the scope of this operation.",
    ),
    (
        "scope_not_yours",
        "A key gives no scope that it does not have.",
    ),
    (
        "stale",
        "It is in another revision; read it again and repeat the change.",
    ),
    (
        "text_invalid",
        "A text has a character that cannot be stored, or is too long.",
    ),
    ("time_invalid", "This is not a time."),
    (
        "topics_invalid",
        "There is no such topic, or none was named.",
    ),
    ("unauthenticated", "Send a key that is in force."),
    ("unknown_field", "There is no field of this name here."),
    (
        "url_invalid",
        "This cannot be the address of a webhook endpoint.",
    ),
];

/// What a code means.
pub fn meaning(code: &str) -> &'static str {
    let known = CODES.iter().find(|(known, _)| *known == code);
    known.map_or("", |(_, meaning)| meaning)
}

/// Every code of an operation by status, sorted: those of its kind, and its own.
pub fn of(operation: &Operation) -> Vec<(u16, Vec<&'static str>)> {
    let mut all: Vec<(u16, &'static str)> = vec![
        (400, "parameter_invalid"),
        (401, "unauthenticated"),
        (403, "scope_missing"),
        (500, "internal_error"),
        (503, "database_unavailable"),
        (503, "request_timeout"),
    ];
    if operation.route.path().contains('{') {
        all.push((404, "not_found"));
    }
    if operation.body.is_some() {
        all.extend([
            (400, "body_incomplete"),
            (400, "json_invalid"),
            (408, "body_timeout"),
            (413, "payload_too_large"),
            (415, "content_type_unsupported"),
            (415, "encoding_unsupported"),
            (422, "field_invalid"),
            (422, "field_missing"),
            (422, "text_invalid"),
            (422, "unknown_field"),
        ]);
    }
    if !operation.route.verb().is_safe() {
        all.push((409, "changed_meanwhile"));
    }
    if takes_key(operation) {
        all.extend([
            (400, "idempotency_key_invalid"),
            (409, "idempotency_in_progress"),
            (409, "idempotency_key_reused"),
        ]);
    } else if operation.is_secret {
        all.push((400, "idempotency_key_unsupported"));
    }
    if operation.is_conditional {
        all.extend([
            (400, "precondition_invalid"),
            (412, "stale"),
            (428, "precondition_required"),
        ]);
    }
    for (status, codes) in &operation.refusals {
        all.extend(codes.iter().map(|code| (*status, *code)));
    }
    all.sort_unstable();
    all.dedup();
    let mut by_status: Vec<(u16, Vec<&'static str>)> = Vec::new();
    for (status, code) in all {
        match by_status.last_mut() {
            Some((last, codes)) if *last == status => codes.push(code),
            _ => by_status.push((status, vec![code])),
        }
    }
    by_status
}

/// Whether an operation takes an `Idempotency-Key`.
pub fn takes_key(operation: &Operation) -> bool {
    let verb = operation.route.verb();
    !operation.is_secret && matches!(verb, Verb::Post | Verb::Put)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::resources;
    use super::*;

    #[test]
    fn every_code_of_an_operation_has_a_meaning_and_every_meaning_a_code() {
        let used: BTreeSet<&str> = resources()
            .iter()
            .flat_map(|resource| &resource.operations)
            .flat_map(of)
            .flat_map(|(_, codes)| codes)
            .collect();
        let known: BTreeSet<&str> = CODES.iter().map(|(code, _)| *code).collect();
        assert_eq!(used, known);
        assert!(CODES.is_sorted());
    }
}
