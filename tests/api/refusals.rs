//! Every refusal of the API as a row: what is sent, the status, the code, the field.

use crate::bench::Bench;
use crate::client::send;

/// What no refusal may repeat.
const NEVER_SAID: [&str; 5] = ["SENTINEL", "INSERT", "SELECT", "sqlite", ".db"];

struct Row {
    sent: (&'static str, &'static str, &'static str),
    status: u16,
    code: &'static str,
    pointer: &'static str,
}

const fn row(
    sent: (&'static str, &'static str, &'static str),
    status: u16,
    code: &'static str,
    pointer: &'static str,
) -> Row {
    Row {
        sent,
        status,
        code,
        pointer,
    }
}

const ROWS: [Row; 42] = [
    // Addresses and methods.
    row(("GET", "/nothing", ""), 404, "not_found", ""),
    row(("DELETE", "/promoters", ""), 405, "method_not_allowed", ""),
    row(("GET", "/promoters/SENTINEL", ""), 404, "not_found", ""),
    row(("PATCH", "/promoters/nobody", "{}"), 404, "not_found", ""),
    row(
        ("POST", "/promoters/nobody/suspend", "{}"),
        404,
        "not_found",
        "",
    ),
    row(("GET", "/referrals/nobody", ""), 404, "not_found", ""),
    row(
        ("GET", "/referrals/coupon:x:y/explanation", ""),
        404,
        "not_found",
        "",
    ),
    row(("GET", "/campaigns/nothing", ""), 404, "not_found", ""),
    row(
        ("GET", "/campaigns/nothing/revisions", ""),
        404,
        "not_found",
        "",
    ),
    row(("GET", "/cases/nothing", ""), 404, "not_found", ""),
    row(("GET", "/qualifications/nothing", ""), 404, "not_found", ""),
    row(("GET", "/batches/nothing/items", ""), 404, "not_found", ""),
    row(
        ("POST", "/events/nothing/replay", "{}"),
        404,
        "not_found",
        "",
    ),
    // Parameters.
    row(
        ("GET", "/promoters?limit=0", ""),
        400,
        "parameter_invalid",
        "",
    ),
    row(
        ("GET", "/promoters?limit=101", ""),
        400,
        "parameter_invalid",
        "",
    ),
    row(
        ("GET", "/promoters?limit=SENTINEL", ""),
        400,
        "parameter_invalid",
        "",
    ),
    row(
        ("GET", "/promoters?starting_after=SENTINEL", ""),
        400,
        "parameter_invalid",
        "",
    ),
    row(
        ("GET", "/referrals?starting_after=nobody", ""),
        400,
        "parameter_invalid",
        "",
    ),
    row(
        ("GET", "/referrals?state=SENTINEL", ""),
        400,
        "parameter_invalid",
        "",
    ),
    row(
        ("GET", "/referrals?promotor=x", ""),
        400,
        "parameter_invalid",
        "",
    ),
    row(
        ("GET", "/referrals?limit=1&limit=2", ""),
        400,
        "parameter_invalid",
        "",
    ),
    row(
        ("GET", "/ledger/statement?from=yesterday", ""),
        400,
        "parameter_invalid",
        "",
    ),
    row(
        ("GET", "/ledger/statement?starting_after=x.1", ""),
        400,
        "parameter_invalid",
        "",
    ),
    row(
        ("GET", "/batches?starting_after=x", ""),
        400,
        "parameter_invalid",
        "",
    ),
    row(
        ("GET", "/promoters?email=a%00b", ""),
        400,
        "parameter_invalid",
        "",
    ),
    // Bodies.
    row(("POST", "/promoters", "{SENTINEL"), 400, "json_invalid", ""),
    row(("POST", "/promoters", "{}"), 422, "field_missing", "/name"),
    row(
        ("POST", "/promoters", r#"{"name":"A","x":"SENTINEL"}"#),
        422,
        "unknown_field",
        "/x",
    ),
    row(
        ("POST", "/promoters", r#"{"name":7}"#),
        422,
        "field_invalid",
        "/name",
    ),
    row(
        ("POST", "/promoters", r#"{"name":" "}"#),
        422,
        "name_invalid",
        "/name",
    ),
    row(
        ("POST", "/promoters", r#"{"name":"A","email":"SENTINEL"}"#),
        422,
        "email_invalid",
        "/email",
    ),
    row(
        (
            "POST",
            "/promoters",
            r#"{"name":"A","email":"a@b.de\r\nBcc: c"}"#,
        ),
        422,
        "email_invalid",
        "/email",
    ),
    row(
        (
            "POST",
            "/promoters",
            r#"{"name":"A","coupons":["OK","promo_1"]}"#,
        ),
        422,
        "coupon_is_promotion_code",
        "/coupons/1",
    ),
    row(
        ("POST", "/promoters", r#"{"name":"A","coupons":["BEN10"]}"#),
        409,
        "coupon_in_use",
        "",
    ),
    row(
        ("POST", "/promoters", r#"{"id":"prom_ana","name":"A"}"#),
        409,
        "id_taken",
        "",
    ),
    row(
        (
            "POST",
            "/referrals",
            r#"{"campaign":"spring","promoter":"prom_ana"}"#,
        ),
        422,
        "person_missing",
        "",
    ),
    row(
        (
            "POST",
            "/referrals",
            r#"{"campaign":"x","promoter":"prom_ana","uid":"1"}"#,
        ),
        422,
        "campaign_unknown",
        "/campaign",
    ),
    row(
        (
            "POST",
            "/referrals",
            r#"{"campaign":"spring","promoter":"x","uid":"1"}"#,
        ),
        422,
        "promoter_unknown",
        "/promoter",
    ),
    row(
        (
            "POST",
            "/referrals",
            r#"{"campaign":"spring","promoter":"prom_ana","uid":"1","referred_at":"SENTINEL"}"#,
        ),
        422,
        "time_invalid",
        "/referred_at",
    ),
    row(
        (
            "PUT",
            "/campaigns/other",
            r#"{"source":"schema = 1\nid = \"spring\"\nname = \"S\"\n[reward.promoter]\nfixed = { amount = \"1.00\", currency = \"usd\" }\n"}"#,
        ),
        422,
        "id_mismatch",
        "/source",
    ),
    row(
        (
            "PUT",
            "/campaigns/test",
            r#"{"source":"schema = 1\nid = \"test\"\nname = \"S\"\nmode = \"test\"\n[reward.promoter]\nfixed = { amount = \"1.00\", currency = \"usd\" }\n"}"#,
        ),
        422,
        "mode_mismatch",
        "/source",
    ),
    row(
        ("POST", "/batches/run", r#"{"force":true}"#),
        422,
        "unknown_field",
        "/force",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_row_of_the_table_holds() {
    let bench = Bench::furnished().await;
    let mut failed = Vec::new();
    for row in &ROWS {
        let (method, path, body) = row.sent;
        let json = [("content-type", "application/json")];
        let headers = if body.is_empty() { &[][..] } else { &json };
        let mut request = bench.request(method, path, headers);
        request.body = body.as_bytes().to_vec();
        let answer = send(bench.server.local_addr, &request).await;
        let text = |key| answer.text(key).unwrap_or_default();
        let seen = (answer.status, text("code"), text("pointer"));
        if seen != (row.status, row.code.to_owned(), row.pointer.to_owned()) {
            failed.push(format!("{method} {path} {body}: {seen:?}"));
        }
        assert_eq!(answer.headers["content-type"], "application/problem+json");
        let folder = bench.server.app.config.rules_dir.display().to_string();
        for word in NEVER_SAID.into_iter().chain([folder.as_str()]) {
            assert!(!answer.body.contains(word), "{word} is said: {answer:?}");
        }
    }
    assert!(failed.is_empty(), "rows that do not hold: {failed:#?}");
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_have_a_size_and_a_kind() {
    let bench = Bench::start().await;
    let to = bench.server.local_addr;
    let typed = |kind| bench.request("POST", "/promoters", &[("content-type", kind)]);
    let mut large = typed("application/json");
    large.body = vec![b' '; 256 * 1024 + 1];
    assert_eq!(send(to, &large).await.status, 413);
    large.chunked = true;
    let answer = send(to, &large).await;
    assert_eq!(answer.text("code").unwrap(), "payload_too_large");

    let mut plain = typed("text/plain");
    plain.body = b"{}".to_vec();
    assert_eq!(send(to, &plain).await.status, 415);
    let mut packed = typed("application/json");
    let encoding = ("content-encoding".to_owned(), "gzip".to_owned());
    packed.headers.push(encoding);
    let answer = send(to, &packed).await;
    assert_eq!(answer.text("code").unwrap(), "encoding_unsupported");

    let answer = send(to, &bench.request("DELETE", "/batches/run", &[])).await;
    assert_eq!(
        (answer.status, answer.headers["allow"].as_str()),
        (405, "POST")
    );
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_away_is_said_and_may_be_tried_again() {
    let bench = Bench::furnished().await;
    bench.server.app.db.close().await;
    for (method, path) in [("GET", "/promoters"), ("POST", "/batches/run")] {
        let request = bench.request(method, path, &[]);
        let answer = send(bench.server.local_addr, &request).await;
        assert_eq!(answer.status, 503, "{answer:?}");
        assert_eq!(answer.text("code").unwrap(), "database_unavailable");
        assert!(answer.headers.contains_key("retry-after"));
    }
    bench.end().await;
}
