//! The conflict desk, events and near misses, from the outside.

use qualify::domain::access::Role;
use qualify::domain::ids::EventId;
use qualify::store::events::{EventMark, EventReason, EventState, get_event, mark_events};
use serde_json::json;

use crate::bench::body;
use crate::browser::{Browser, field};

/// Two customers with the invited person's email; the second has paid enough. Where the case is.
async fn conflict(browser: &Browser) -> String {
    let bench = &browser.bench;
    bench.refer("ref_bo", "bo@invited.example").await;
    for (id, email) in [
        ("cus_1", "bo@invited.example"),
        ("cus_2", "BO@invited.example"),
    ] {
        bench.customer(id, email, "2026-03-02T10:00:00Z").await;
    }
    bench
        .payment("ch_1", "cus_2", 6000, "2026-03-03T10:00:00Z")
        .await;
    let inbox = browser.page("/admin/cases").await;
    let at = inbox.split_once("href=\"/admin/cases/case_").unwrap().1;
    format!("/admin/cases/case_{}", &at[..at.find('"').unwrap()])
}

async fn verdict(browser: &Browser, referral: &str) -> String {
    let answer = browser.bench.get(&format!("/referrals/{referral}")).await;
    body(&answer)["state"].as_str().unwrap().to_owned()
}

/// The part of a page about one choice.
fn card<'p>(page: &'p str, value: &str) -> &'p str {
    let at = page.find(&format!("value=\"{value}\"")).unwrap();
    let rest = &page[at..];
    &rest[..rest.find("class=\"panel\"").unwrap_or(rest.len())]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_case_is_looked_at_decided_and_taken_back() {
    let browser = Browser::owner().await;
    let none = browser.page("/admin/cases").await;
    assert!(none.contains("No open cases") && !none.contains("class=\"count\""));
    let case = conflict(&browser).await;
    let inbox = browser.page("/admin/cases").await;
    assert!(inbox.contains("bo@invited.example") && inbox.contains("class=\"count\">1<"));
    assert!(
        inbox.contains("up to 30.00 USD") && inbox.contains("60.00 USD spent"),
        "{inbox}"
    );
    let other = browser.page("/admin/cases?kind=two_coupons").await;
    assert!(other.contains("Nothing found") && !other.contains("bo@invited.example"));

    let page = browser.page(&case).await;
    for there in [
        "<code>cus_1</code>",
        "<code>cus_2</code>",
        "60.00 USD",
        "Which of these",
    ] {
        assert!(page.contains(there), "{there}: {page}");
    }
    let first = card(&page, "customer:cus_1");
    assert!(
        first.contains("no payment counts yet") && !first.contains("Queued"),
        "{first}"
    );
    let second = card(&page, "customer:cus_2");
    assert!(
        second.contains("20.00 USD to Ana, 10.00 USD to the invited person"),
        "{second}"
    );
    assert!(second.contains("2026-03-17 10:00 UTC"), "{second}");
    assert!(card(&page, "reject").contains("Rejected"));
    let referral = browser.page("/referrals/ref_bo").await;
    assert!(referral.contains(&format!("href=\"{case}\"")));

    let seen = field(&page, "seen");
    let resolve = format!("{case}/resolve");
    let blank = [
        ("seen", seen.as_str()),
        ("choice", "customer:cus_2"),
        ("reason", " "),
    ];
    let refused = browser.post(&resolve, &blank).await;
    assert_eq!(refused.status, 422);
    assert!(refused.body.contains("href=\"#reason\"") && refused.body.contains("checked"));
    let nothing = [
        ("seen", seen.as_str()),
        ("choice", "customer:cus_9"),
        ("reason", "why"),
    ];
    let refused = browser.post(&resolve, &nothing).await;
    assert_eq!(refused.status, 422);
    assert!(refused.body.contains("href=\"#choice\""));
    assert_eq!(verdict(&browser, "ref_bo").await, "review");

    let form = [
        ("seen", seen.as_str()),
        ("choice", "customer:cus_2"),
        ("reason", "she <wrote>"),
    ];
    assert_eq!(browser.done(&resolve, &form).await, case);
    assert_eq!(verdict(&browser, "ref_bo").await, "qualified");
    let page = browser.page(&case).await;
    for there in [
        "It is cus_2",
        "Mara",
        "she &#60;wrote&#62;",
        "Queued",
        "Withdrawn",
    ] {
        assert!(page.contains(there), "{there}: {page}");
    }
    let resolved = browser.page("/admin/cases?state=resolved").await;
    assert!(
        resolved.contains("It is cus_2") && resolved.contains("30.00 USD queued"),
        "{resolved}"
    );

    browser.bench.clock.advance(60);
    let decision = field(&page, "decision");
    let undo = format!("{case}/undo");
    let refused = browser
        .post(&undo, &[("decision", &decision), ("reason", "")])
        .await;
    assert_eq!(refused.status, 422);
    let form = [("decision", decision.as_str()), ("reason", "a mistake")];
    browser.done(&undo, &form).await;
    assert_eq!(verdict(&browser, "ref_bo").await, "review");
    let page = browser.page(&case).await;
    assert!(page.contains("Taken back: a mistake") && page.contains("What each choice would do"));
    browser.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_admins_one_decides() {
    let browser = Browser::owner().await;
    let case = conflict(&browser).await;
    let resolve = format!("{case}/resolve");
    let seen = field(&browser.page(&case).await, "seen");
    let mine = [
        ("seen", seen.as_str()),
        ("choice", "customer:cus_2"),
        ("reason", "mine"),
    ];
    let theirs = [
        ("seen", seen.as_str()),
        ("choice", "reject"),
        ("reason", "theirs"),
    ];
    let (a, b) = tokio::join!(
        browser.post(&resolve, &mine),
        browser.post(&resolve, &theirs)
    );
    let mut statuses = [a.status, b.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [303, 409], "{a:?} {b:?}");
    let late = if a.status == 409 { a } else { b };
    assert!(late.body.contains("decided this case"), "{}", late.body);
    let again = browser.post(&resolve, &theirs).await;
    assert!(
        again.status == 409 && again.body.contains("yours was not saved"),
        "{again:?}"
    );
    let id = case.rsplit('/').next().unwrap();
    let refused = browser
        .bench
        .post(
            &format!("/cases/{id}/resolve"),
            json!({ "choice": { "choose": "reject" }, "reason": "x" }),
        )
        .await;
    assert_eq!(refused.text("code").unwrap(), "case_resolved");

    // Whoever looks at a decision takes back that one, and not what came after it.
    browser.bench.clock.advance(1);
    let old = field(&browser.page(&case).await, "decision");
    let undo = format!("{case}/undo");
    let form = [("decision", old.as_str()), ("reason", "no")];
    browser.done(&undo, &form).await;
    browser.bench.clock.advance(1);
    let seen = field(&browser.page(&case).await, "seen");
    let anew = [
        ("seen", seen.as_str()),
        ("choice", "combine"),
        ("reason", "both"),
    ];
    browser.done(&resolve, &anew).await;
    let refused = browser.post(&undo, &form).await;
    assert!(
        refused.status == 409 && refused.body.contains("decided anew"),
        "{refused:?}"
    );
    assert_eq!(verdict(&browser, "ref_bo").await, "qualified");
    browser.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_decides_sees_the_facts_as_they_are_and_confirms_what_takes_money() {
    let browser = Browser::owner().await;
    let bench = &browser.bench;
    // Qualified and queued before the second customer comes.
    bench.refer("ref_bo", "bo@invited.example").await;
    bench
        .customer("cus_1", "bo@invited.example", "2026-03-02T10:00:00Z")
        .await;
    bench
        .payment("ch_1", "cus_1", 6000, "2026-03-03T10:00:00Z")
        .await;
    assert_eq!(verdict(&browser, "ref_bo").await, "qualified");
    bench.clock.advance(8 * 86_400);
    browser.sign_in().await;
    assert_eq!(bench.post("/batches/run", json!({})).await.status, 200);
    bench
        .customer("cus_2", "bo@invited.example", "2026-03-02T11:00:00Z")
        .await;
    let inbox = browser.page("/admin/cases").await;
    assert!(inbox.contains("30.00 USD settled"), "{inbox}");
    let at = inbox.split_once("href=\"/admin/cases/").unwrap().1;
    let case = format!("/admin/cases/{}", &at[..at.find('"').unwrap()]);
    let page = browser.page(&case).await;
    let wrong = card(&page, "customer:cus_2");
    assert!(
        wrong.contains("Taken back") && wrong.contains("20.00 USD from the promoter"),
        "{wrong}"
    );

    let old = field(&page, "seen");
    bench
        .payment("ch_2", "cus_2", 700, "2026-03-04T10:00:00Z")
        .await;
    let resolve = format!("{case}/resolve");
    let stale = [
        ("seen", old.as_str()),
        ("choice", "customer:cus_2"),
        ("reason", "hers"),
    ];
    let refused = browser.post(&resolve, &stale).await;
    assert!(
        refused.status == 409 && refused.body.contains("facts have changed"),
        "{refused:?}"
    );

    let seen = field(&refused.body, "seen");
    let form = [
        ("seen", seen.as_str()),
        ("choice", "customer:cus_2"),
        ("reason", "hers"),
    ];
    let asked = browser.post(&resolve, &form).await;
    assert_eq!(asked.status, 200, "{asked:?}");
    assert!(
        asked.body.contains("takes money back")
            && asked.body.contains("20.00 USD from the promoter")
    );
    assert_eq!(
        verdict(&browser, "ref_bo").await,
        "review",
        "nothing is decided yet"
    );
    let confirmed =
        ["seen", "choice", "reason", "confirmed"].map(|name| (name, field(&asked.body, name)));
    let confirmed: Vec<(&str, &str)> = confirmed.iter().map(|(n, v)| (*n, v.as_str())).collect();
    assert_eq!(browser.done(&resolve, &confirmed).await, case);
    let page = browser.page(&case).await;
    assert!(
        page.contains("Settled") && page.contains("it stays as it is"),
        "{page}"
    );
    browser.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn viewers_look_and_decide_nothing() {
    let browser = Browser::owner().await;
    let case = conflict(&browser).await;
    let page = browser.page(&case).await;
    let seen = field(&page, "seen");
    browser.become_a(Role::Viewer).await;
    let page = browser.page(&case).await;
    assert!(page.contains("20.00 USD to Ana") && page.contains("Admins decide cases"));
    assert!(
        !page.contains("type=\"radio\"") && !page.contains("<form method=\"post\" action=\"/admin")
    );
    let form = [
        ("seen", seen.as_str()),
        ("choice", "reject"),
        ("reason", "x"),
    ];
    assert_eq!(
        browser.post(&format!("{case}/resolve"), &form).await.status,
        403
    );
    assert_eq!(
        browser.post(&format!("{case}/undo"), &form).await.status,
        403
    );
    for path in [
        "/admin/events",
        "/admin/near-misses",
        "/admin/events/evt_cus_1",
    ] {
        assert_eq!(browser.get(path).await.status, 403, "{path}");
    }
    assert_eq!(verdict(&browser, "ref_bo").await, "review");
    browser.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quarantined_event_is_seen_and_read_again() {
    let browser = Browser::owner().await;
    let bench = &browser.bench;
    assert!(
        browser
            .page("/admin/events")
            .await
            .contains("Nothing in quarantine")
    );
    let broken =
        json!({ "id": "ch_x", "object": "charge", "amount": "<b>much</b>", "currency": "usd" });
    for id in ["evt_bad", "evt_bad_2"] {
        bench
            .event(
                id,
                "charge.succeeded",
                "2026-03-03T10:00:00Z",
                broken.clone(),
            )
            .await;
    }
    let list = browser.page("/admin/events").await;
    assert!(
        list.contains("evt_bad") && list.contains("2 events") && list.contains("Update qualify"),
        "{list}"
    );
    let code = field(&list, "code");
    let only = browser.page(&format!("/admin/events?reason={code}")).await;
    assert!(only.contains("evt_bad_2") && only.contains("Show all"));
    let page = browser.page("/admin/events/evt_bad").await;
    assert!(
        page.contains("&#34;amount&#34;: &#34;&#60;b&#62;much&#60;/b&#62;&#34;"),
        "{page}"
    );
    assert!(page.contains("Read it again") && page.contains("charge.succeeded"));

    // It is read again, and still makes no sense.
    let place = browser.done("/admin/events/evt_bad", &[]).await;
    bench.catch_up().await;
    assert!(browser.page(&place).await.contains("Quarantined"));
    assert_eq!(
        browser.done("/admin/events", &[("code", &code)]).await,
        "/admin/events"
    );
    bench.catch_up().await;
    assert!(browser.page("/admin/events").await.contains("evt_bad_2"));
    assert_eq!(
        browser.post("/admin/events/evt_none", &[]).await.status,
        404
    );

    // One that an earlier version could not read, and this one can.
    bench
        .customer("cus_1", "bo@invited.example", "2026-03-02T10:00:00Z")
        .await;
    quarantine(&browser, "evt_cus_1").await;
    let page = browser.page("/admin/events/evt_cus_1").await;
    assert!(page.contains("Quarantined: not known then"), "{page}");
    browser
        .done("/admin/events", &[("code", "unknown_then")])
        .await;
    bench.catch_up().await;
    let page = browser.page("/admin/events/evt_cus_1").await;
    assert!(
        page.contains("tone-good") && page.contains("<p>Read</p>"),
        "{page}"
    );
    let recent = browser.page("/admin/events?state=all").await;
    assert!(recent.contains("customer.created") && recent.contains("evt_bad"));
    browser
        .done("/admin/events", &[("code", "unknown_then")])
        .await;
    assert!(
        browser
            .page("/admin/events")
            .await
            .contains("No event is quarantined for this reason")
    );
    browser.end().await;
}

/// As if an event had been read by a version that did not know its shape.
async fn quarantine(browser: &Browser, id: &str) {
    let app = &browser.bench.server.app;
    let mut tx = app.db.begin().await.unwrap();
    let event = EventId::from(id);
    let found = get_event(&mut tx, &app.connection, &event)
        .await
        .unwrap()
        .unwrap();
    let ids = [event.clone()];
    qualify::store::events::requeue_events(&mut tx, &app.connection, &ids)
        .await
        .unwrap();
    let mark = EventMark {
        event_id: event,
        received_at_us: found.received_at_us,
        state: EventState::Quarantined,
        reason: Some(EventReason {
            code: "unknown_then".to_owned(),
            text: "not known then".to_owned(),
        }),
    };
    mark_events(&mut tx, &app.connection, &[mark])
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_near_miss_is_linked_dismissed_and_taken_back() {
    let browser = Browser::owner().await;
    let bench = &browser.bench;
    assert!(
        browser
            .page("/admin/near-misses")
            .await
            .contains("No near misses")
    );
    bench.refer("ref_bo", "bo@invited.example").await;
    bench
        .customer("cus_1", "bo+shop@invited.example", "2026-03-02T10:00:00Z")
        .await;
    bench
        .payment("ch_1", "cus_1", 6000, "2026-03-03T10:00:00Z")
        .await;
    let place = near_miss(&browser).await;
    let page = browser.page(&place).await;
    for there in [
        "bo+shop@invited.example",
        "bo@invited.example",
        "60.00 USD",
        "Queued",
        "20.00 USD to Ana",
    ] {
        assert!(page.contains(there), "{there}: {page}");
    }
    let other = browser
        .post(&place, &[("answer", "perhaps"), ("reason", "x")])
        .await;
    assert_eq!(other.status, 422);
    assert_eq!(verdict(&browser, "ref_bo").await, "pending");

    let different = [("answer", "different"), ("reason", "another Bo")];
    browser.done(&place, &different).await;
    assert!(
        browser
            .page("/admin/near-misses")
            .await
            .contains("Noted as two people")
    );
    bench
        .payment("ch_2", "cus_1", 100, "2026-03-03T11:00:00Z")
        .await;
    assert!(
        browser
            .page("/admin/near-misses")
            .await
            .contains("No near misses"),
        "it stays away"
    );
    assert_eq!(browser.get(&place).await.status, 404);
    let answered = browser.page("/admin/near-misses?answered=yes").await;
    assert!(answered.contains("Two people") && answered.contains("another Bo"));

    bench.clock.advance(1);
    let decision = field(&answered, "decision");
    let refused = browser
        .post(
            "/admin/near-misses",
            &[("decision", &decision), ("reason", "")],
        )
        .await;
    assert_eq!(refused.status, 422, "{refused:?}");
    let back = [("decision", decision.as_str()), ("reason", "it is her")];
    browser.done("/admin/near-misses", &back).await;
    let place = near_miss(&browser).await;
    bench.clock.advance(1);
    browser
        .done(&place, &[("answer", "same"), ("reason", "")])
        .await;
    assert_eq!(verdict(&browser, "ref_bo").await, "qualified");
    assert!(
        browser
            .page("/referrals/ref_bo")
            .await
            .contains("linked by an admin")
    );
    let late = browser.post(&place, &different).await;
    assert!(
        late.status == 404 && late.body.contains("somebody has answered it"),
        "{late:?}"
    );

    bench.clock.advance(1);
    let answered = browser.page("/admin/near-misses?answered=yes").await;
    let decision = field(&answered, "decision");
    let back = [("decision", decision.as_str()), ("reason", "no")];
    browser.done("/admin/near-misses", &back).await;
    assert_eq!(verdict(&browser, "ref_bo").await, "pending");
    browser.end().await;
}

async fn near_miss(browser: &Browser) -> String {
    let list = browser.page("/admin/near-misses").await;
    assert!(list.contains("Almost the same email"), "{list}");
    let at = list
        .split_once("href=\"/admin/near-misses/near_")
        .unwrap()
        .1;
    format!("/admin/near-misses/near_{}", &at[..at.find('"').unwrap()])
}
