//! Referral links, the script and leads, as browsers on other sites use them.

use std::collections::BTreeMap;
use std::process::Command;

use qualify::domain::people::Promoter;
use qualify::store::promoters::{get_promoter, upsert_promoters};
use serde_json::{Value, json};

use crate::bench::{Bench, RULES, body};
use crate::browser::Browser;
use crate::client::{Answer, Request, send};

const SHOP: &str = "https://shop.example";
const FIREFOX: (&str, &str) = (
    "user-agent",
    "Mozilla/5.0 (X11; Linux x86_64) Firefox/130.0",
);

/// A campaign with a landing page, and two promoters with codes.
async fn shop() -> Bench {
    let bench = Bench::furnished().await;
    let link = json!({
        "landing_page": "https://shop.example/welcome?lang=en#top",
        "origins": ["https://app.shop.example"],
    });
    let put = bench
        .ask("PUT", "/campaigns/spring/link", &[], Some(link))
        .await;
    assert_eq!(put.status, 200, "{put:?}");
    assert_eq!(body(&put)["cookie_days"], 60);
    for (promoter, code) in [("prom_ana", "ANA10"), ("prom_ben", "BEN10")] {
        let path = format!("/promoters/{promoter}");
        let change = Some(json!({ "code": code }));
        assert_eq!(bench.ask("PATCH", &path, &[], change).await.status, 200);
    }
    bench
}

/// Gives a promoter a code whoever has it, as could be done before that was refused.
pub async fn share(bench: &Bench, promoter: &str, code: &str) {
    let app = &bench.server.app;
    let mut tx = app.db.begin().await.unwrap();
    let found = get_promoter(&mut tx, &app.connection, &promoter.into()).await;
    let found = found.unwrap().unwrap();
    let shared = Promoter {
        code: Some(code.to_owned()),
        ..found.promoter
    };
    upsert_promoters(&mut tx, &app.connection, &[shared], found.created_at)
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

async fn ask(bench: &Bench, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    ask_with(bench, method, path, headers, "").await
}

async fn ask_with(
    bench: &Bench,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let request = Request {
        method: method.to_owned(),
        path: path.to_owned(),
        headers: headers.iter().map(own).collect(),
        body: body.as_bytes().to_vec(),
        ..Request::default()
    };
    send(bench.server.local_addr, &request).await
}

async fn lead(bench: &Bench, lead: Value) -> Answer {
    let headers = [
        ("origin", SHOP),
        ("content-type", "text/plain;charset=UTF-8"),
    ];
    ask_with(bench, "POST", "/t/lead", &headers, &lead.to_string()).await
}

async fn referrals(bench: &Bench) -> Vec<Value> {
    let list = bench.get("/referrals?limit=100").await;
    body(&list)["data"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_leads_to_the_landing_page_and_nowhere_else() {
    let bench = shop().await;
    let on = ask(&bench, "GET", "/r/ANA10", &[FIREFOX]).await;
    assert_eq!(on.status, 302, "{on:?}");
    assert_eq!(
        on.headers["location"],
        "https://shop.example/welcome?lang=en&ref=ANA10&ref_campaign=spring#top"
    );
    assert_eq!(
        on.headers["set-cookie"],
        "qualify_ref_spring=ANA10; Path=/; Max-Age=5184000; SameSite=Lax"
    );
    assert_eq!(on.headers["cache-control"], "no-store");
    // With `first`, the one that is there stays.
    let again = [FIREFOX, ("cookie", "qualify_ref_spring=BEN10")];
    let on = ask(&bench, "GET", "/r/ANA10", &again).await;
    assert!(!on.headers.contains_key("set-cookie"), "{on:?}");

    for query in [
        "?url=https://evil.example",
        "?next=//evil.example&c=spring",
        "?landing_page=https://evil.example",
    ] {
        let on = ask(&bench, "GET", &format!("/r/ANA10{query}"), &[]).await;
        assert!(
            on.headers["location"].starts_with("https://shop.example/"),
            "{on:?}"
        );
        assert!(!on.headers["location"].contains("evil"), "{on:?}");
    }
    for path in [
        "/r/nobody",
        "/r/ana10",
        "/r/ANA10%0d%0aset-cookie:%20x=1",
        "/r/%ff",
        "/r/%00",
        "/r/ANA10?c=other",
        &format!("/r/{}", "x".repeat(3000)),
    ] {
        let page = ask(&bench, "GET", path, &[("accept", "text/html")]).await;
        assert_eq!(page.status, 404, "{path}: {page:?}");
        assert!(
            page.body.contains("This referral link does not work"),
            "{page:?}"
        );
        assert!(!page.headers.contains_key("location"));
        assert!(!page.headers.contains_key("set-cookie"), "{page:?}");
    }
    let head = ask(&bench, "HEAD", "/r/ANA10", &[FIREFOX]).await;
    assert_eq!(head.status, 302);
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clicks_of_people_are_counted_and_shown() {
    let browser = Browser::owner().await;
    let bench = &browser.bench;
    let code = Some(json!({ "code": "ANA10" }));
    bench.ask("PATCH", "/promoters/prom_ana", &[], code).await;
    let form = [
        ("landing_page", "https://shop.example/"),
        ("cookie_days", "30"),
        ("origins", "https://app.shop.example\r\n"),
    ];
    let refused = [("landing_page", "shop.example"), ("cookie_days", "400")];
    let refused = browser.post("/campaigns/spring/link", &refused).await;
    assert_eq!(refused.status, 422);
    assert!(refused.body.contains("#landing_page"), "{}", refused.body);
    let place = browser.done("/campaigns/spring/link", &form).await;
    let page = browser.page(&place).await;
    assert!(
        page.contains("Referral link saved.") && page.contains("/t.js"),
        "{page}"
    );
    let audit = bench.get("/audit?action=campaign.link_set").await;
    assert_eq!(
        body(&audit)["data"].as_array().unwrap().len(),
        1,
        "{audit:?}"
    );

    for _ in 0..3 {
        ask(bench, "GET", "/r/ANA10", &[FIREFOX]).await;
    }
    ask(bench, "HEAD", "/r/ANA10", &[FIREFOX]).await;
    ask(bench, "GET", "/r/ANA10", &[("user-agent", "Googlebot/2.1")]).await;
    ask(
        bench,
        "GET",
        "/r/ANA10",
        &[FIREFOX, ("sec-purpose", "prefetch")],
    )
    .await;
    ask(bench, "GET", "/r/nobody", &[FIREFOX]).await;
    let page = browser.page("/promoters/prom_ana").await;
    let after = page.split_once("Clicks, last 30 days").unwrap().1;
    assert!(after.starts_with("</dt><dd>3</dd>"), "{after}");
    // One address counts ten times at once, and is led on as often as it likes.
    for _ in 0..20 {
        assert_eq!(ask(bench, "GET", "/r/ANA10", &[FIREFOX]).await.status, 302);
    }
    let page = browser.page("/promoters/prom_ana").await;
    assert!(page.contains("<dd>10</dd>"), "{page}");
    browser.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_referred_by_the_suspended_or_into_what_has_ended() {
    let bench = shop().await;
    let suspended = bench.post("/promoters/prom_ana/suspend", json!({})).await;
    assert_eq!(suspended.status, 200);
    let on = ask(&bench, "GET", "/r/ANA10", &[FIREFOX]).await;
    assert_eq!(
        on.headers["location"],
        "https://shop.example/welcome?lang=en#top"
    );
    assert!(!on.headers.contains_key("set-cookie"));
    let sent = lead(
        &bench,
        json!({ "code": "ANA10", "email": "bo@invited.example" }),
    )
    .await;
    assert_eq!(sent.status, 202, "{sent:?}");
    assert!(referrals(&bench).await.is_empty());

    let ended = RULES.replacen(
        "\n\n[qualify]",
        "\nends = 2026-03-02T00:00:00Z\n\n[qualify]",
        1,
    );
    assert!(ended.contains("ends"));
    let put = Some(json!({ "source": ended }));
    let saved = bench
        .ask("PUT", "/campaigns/spring", &[("if-match", "\"1\"")], put)
        .await;
    assert_eq!(saved.status, 200, "{saved:?}");
    let on = ask(&bench, "GET", "/r/BEN10", &[FIREFOX]).await;
    assert_eq!(
        on.headers["location"],
        "https://shop.example/welcome?lang=en#top"
    );
    let sent = lead(
        &bench,
        json!({ "code": "BEN10", "email": "bo@invited.example" }),
    )
    .await;
    assert_eq!(sent.status, 403, "{sent:?}");
    // A code that two promoters have from earlier days is nobody's.
    share(&bench, "prom_ana", "BEN10").await;
    assert_eq!(ask(&bench, "GET", "/r/BEN10", &[]).await.status, 404);
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lead_becomes_a_referral_and_its_sender_learns_nothing() {
    let bench = shop().await;
    let first = lead(
        &bench,
        json!({ "code": "ANA10", "email": " Bo@Invited.example " }),
    )
    .await;
    assert_eq!(first.status, 202, "{first:?}");
    let all = referrals(&bench).await;
    assert_eq!(all.len(), 1);
    assert_eq!(all[0]["promoter"], "prom_ana");
    assert_eq!(all[0]["email"], "bo@invited.example");
    assert_eq!(all[0]["referred_at"], "2026-03-10T12:34:56Z");
    let audit = bench.get("/audit?action=referral.registered").await;
    let row = &body(&audit)["data"][0];
    assert_eq!(row["actor"], "system", "{row}");
    assert!(row.to_string().contains("tracked_link"), "{row}");

    // Known by the same, claimed by another, of nobody's code: one answer.
    let shape = |answer: &Answer| {
        let mut headers: BTreeMap<String, String> = answer.headers.clone();
        headers.retain(|name, _| name != "x-request-id" && name != "date");
        (answer.status, headers, answer.body.clone())
    };
    for (code, email) in [
        ("ANA10", "bo@invited.example"),
        ("BEN10", "bo@invited.example"),
        ("nobody", "bo@invited.example"),
        ("nobody", "new@invited.example"),
    ] {
        let again = lead(&bench, json!({ "code": code, "email": email })).await;
        assert_eq!(shape(&again), shape(&first), "{code} {email}");
    }
    assert_eq!(referrals(&bench).await.len(), 1, "the first touch stays");

    let last = RULES.replacen(
        "[reward.promoter]",
        "[attribution]\ntouch = \"last\"\n\n[reward.promoter]",
        1,
    );
    let put = Some(json!({ "source": last }));
    let saved = bench
        .ask("PUT", "/campaigns/spring", &[("if-match", "\"1\"")], put)
        .await;
    assert_eq!(saved.status, 200, "{saved:?}");
    let later = lead(
        &bench,
        json!({ "code": "BEN10", "email": "bo@invited.example" }),
    )
    .await;
    assert_eq!(shape(&later), shape(&first));
    assert_eq!(
        referrals(&bench).await.len(),
        2,
        "the last touch is a claim too"
    );
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_pages_of_the_campaign_send_leads_and_no_nonsense() {
    let bench = shop().await;
    let good = json!({ "campaign": "spring", "code": "ANA10", "uid": "user-1" }).to_string();
    for origin in [SHOP, "https://app.shop.example"] {
        let asked = ask(&bench, "OPTIONS", "/t/lead", &[("origin", origin)]).await;
        assert_eq!(asked.status, 204);
        assert_eq!(asked.headers["access-control-allow-origin"], origin);
        assert_eq!(asked.headers["access-control-allow-methods"], "POST");
        let json = [("origin", origin), ("content-type", "application/json")];
        let sent = ask_with(&bench, "POST", "/t/lead", &json, &good).await;
        assert_eq!(sent.status, 202);
        assert_eq!(sent.headers["access-control-allow-origin"], origin);
        assert_eq!(sent.headers["vary"], "origin");
    }
    for origin in [
        "https://evil.example",
        "null",
        "http://shop.example",
        "https://shop.example.evil.example",
    ] {
        for method in ["OPTIONS", "POST"] {
            let refused = ask_with(&bench, method, "/t/lead", &[("origin", origin)], &good).await;
            assert_eq!(refused.status, 403, "{method} {origin}");
            assert!(!refused.headers.contains_key("access-control-allow-origin"));
        }
    }
    let settings = ask(&bench, "GET", "/t/settings", &[("origin", SHOP)]).await;
    let expected = json!({ "campaign": "spring", "max_age": 5_184_000, "touch": "first" });
    assert_eq!(body(&settings), expected);
    let refused = ask(
        &bench,
        "GET",
        "/t/settings",
        &[("origin", "https://evil.example")],
    )
    .await;
    assert_eq!(refused.status, 403);
    bench.clock.set(crate::bench::at("2026-03-10T13:00:00Z"));
    for (sent, status) in [
        ("", 400),
        ("[]", 400),
        (
            "{\"code\":\"ANA10\",\"email\":\"a@b.example\",\"promoter\":\"x\"}",
            400,
        ),
        ("{\"code\":\"ANA10\"}", 422),
        ("{\"code\":\"ANA10\",\"email\":\"bo(at)x\"}", 422),
        ("{\"code\":\"ANA10\",\"uid\":\"cus_1\"}", 422),
        (&"x".repeat(5000), 413),
    ] {
        let refused = ask_with(&bench, "POST", "/t/lead", &[("origin", SHOP)], sent).await;
        assert_eq!(refused.status, status, "{sent}: {refused:?}");
    }
    assert_eq!(referrals(&bench).await.len(), 1);
    bench.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_has_its_share_of_leads() {
    let bench = shop().await;
    let send = |number: u32| {
        lead(
            &bench,
            json!({ "code": "ANA10", "uid": format!("u{number}") }),
        )
    };
    for number in 0..20 {
        assert_eq!(send(number).await.status, 202);
    }
    let limited = send(20).await;
    assert_eq!(limited.status, 429);
    assert_eq!(limited.headers["retry-after"], "6");
    let known = lead(&bench, json!({ "code": "ANA10", "uid": "u1" })).await;
    assert_eq!(known.status, 429, "whoever it is");
    bench.clock.set(crate::bench::at("2026-03-10T12:35:02Z"));
    assert_eq!(send(21).await.status, 202);
    assert_eq!(referrals(&bench).await.len(), 21);
    bench.end().await;
}

/// The script in Node, in a page that is made up, against the real server.
const PAGE: &str = r"
const [base, search, before, blocked] = JSON.parse(process.argv[1]);
const script = await (await fetch(base + '/t.js')).text();
let jar = before, asked = [], field = { value: '', getAttribute: () => '' };
const document = {
  currentScript: { src: base + '/t.js', dataset: {} }, readyState: 'complete',
  querySelectorAll: () => [field],
  get cookie() { if (blocked) throw new Error('blocked'); return jar; },
  set cookie(line) { if (blocked) throw new Error('blocked'); asked.push('cookie ' + line); jar = line.split(';')[0]; },
};
const early = [['lead', { email: 'early@invited.example' }]];
globalThis.window = { location: { search, protocol: 'https:' }, qualify: search && { q: early } };
globalThis.document = document;
const real = fetch;
globalThis.fetch = (address, options = {}) => {
  asked.push((options.method || 'GET') + ' ' + address.replace(base, ''));
  return real(address, { ...options, headers: { origin: 'https://shop.example' } });
};
(0, eval)(script);
const sent = await window.qualify('lead', { uid: 'node-1' });
console.log(JSON.stringify({ sent, asked, field: field.value, known: await window.qualify('known') }));
process.exit(0);
";

fn in_node(bench: &Bench, search: &str, before: &str, blocked: bool) -> Value {
    let base = format!("http://{}", bench.server.local_addr);
    let input = json!([base, search, before, blocked]).to_string();
    let run = Command::new("node")
        .args(["--input-type=module", "-e", PAGE, &input])
        .output()
        .unwrap();
    assert!(
        run.status.success(),
        "{}",
        String::from_utf8_lossy(&run.stderr)
    );
    serde_json::from_slice(&run.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_script_remembers_who_sent_somebody_and_tells_when_they_sign_up() {
    let bench = shop().await;
    let script = ask(&bench, "GET", "/t.js", &[]).await;
    assert!(script.body.len() < 3000, "{} bytes", script.body.len());
    assert_eq!(
        script.headers["content-type"],
        "text/javascript; charset=utf-8"
    );
    assert_eq!(script.headers["access-control-allow-origin"], "*");
    assert_eq!(
        script.headers["cross-origin-resource-policy"],
        "cross-origin"
    );
    let tag = script.headers["etag"].clone();
    let kept = ask(&bench, "GET", "/t.js", &[("if-none-match", &tag)]).await;
    assert_eq!(kept.status, 304);
    let node = |search: &str, before: &str, blocked| {
        tokio::task::block_in_place(|| in_node(&bench, search, before, blocked))
    };
    let nothing = node("", "", false);
    assert_eq!(nothing["sent"], false);
    assert_eq!(
        nothing["asked"],
        json!([]),
        "nothing is stored or sent without a link"
    );

    let came = node("?ref=ANA10&ref_campaign=spring", "", false);
    assert_eq!(came["sent"], true, "{came}");
    assert_eq!(came["field"], "ANA10");
    let asked = came["asked"].to_string();
    assert!(
        asked.contains(
            "cookie qualify_ref_spring=ANA10; path=/; max-age=5184000; samesite=lax; secure"
        ),
        "{asked}"
    );
    assert_eq!(came["asked"][0], "GET /t/settings?campaign=spring");
    // By hand, in the form of another product, with cookies blocked: for this page it holds.
    let blocked = node("?fp_ref=BEN10", "", true);
    assert_eq!(
        (&blocked["sent"], &blocked["known"]["spring"]),
        (&json!(true), &json!("BEN10"))
    );
    // The first click stays.
    let later = node("?ref=BEN10", "qualify_ref_spring=ANA10", false);
    assert_eq!(later["known"], json!({ "spring": "ANA10" }));
    let people: Vec<String> = referrals(&bench)
        .await
        .iter()
        .map(Value::to_string)
        .collect();
    assert!(
        people
            .iter()
            .any(|one| one.contains("node-1") && one.contains("prom_ana"))
    );
    assert!(
        people
            .iter()
            .any(|one| one.contains("early@invited.example")),
        "{people:?}"
    );
    bench.end().await;
}
