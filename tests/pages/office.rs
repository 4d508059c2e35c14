//! Batches, users, keys and the audit log, as those who run it use them.

use crate::bench::body;
use crate::browser::{Browser, EMAIL, PASSWORD, field};

/// A referral of Ana's whose reward is queued, and due from 18 March.
async fn earned(browser: &Browser, name: &str) {
    let bench = &browser.bench;
    let email = format!("{name}@invited.example");
    bench.refer(&format!("ref_{name}"), &email).await;
    let customer = format!("cus_{name}");
    bench
        .customer(&customer, &email, "2026-03-02T10:00:00Z")
        .await;
    bench
        .payment(
            &format!("ch_{name}"),
            &customer,
            5_000,
            "2026-03-04T10:00:00Z",
        )
        .await;
}

async fn on_20_march(browser: &Browser) {
    browser
        .bench
        .clock
        .set(crate::bench::at("2026-03-20T09:00:00Z"));
    browser.bench.catch_up().await;
    // Ten days unused end a session.
    let again = [("email", EMAIL), ("password", PASSWORD)];
    browser.done("/sign-in", &again).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_previewed_run_and_looked_at() {
    let browser = Browser::owner().await;
    let list = browser.page("/admin/batches").await;
    assert!(
        list.contains("Next batch") && list.contains("Past batches"),
        "{list}"
    );
    let nothing = browser.page("/admin/batches/preview").await;
    assert!(nothing.contains("Nothing is due now"), "{nothing}");
    assert_eq!(
        browser.done("/admin/batches/run", &[]).await,
        "/admin/batches"
    );
    let said = browser.page("/admin/batches").await;
    assert!(
        said.contains("Nothing is due, so no batch was made"),
        "{said}"
    );

    earned(&browser, "bo").await;
    let held = browser.page("/admin/batches/preview").await;
    assert!(
        held.contains("Nothing is due now"),
        "its hold is not over: {held}"
    );
    on_20_march(&browser).await;
    let preview = browser.page("/admin/batches/preview").await;
    assert!(
        preview.contains("+30.00 USD"),
        "20 to Ana, 10 to Bo: {preview}"
    );
    assert!(preview.contains("/referrals/ref_bo") && preview.contains("/promoters/prom_ana"));
    let ask = browser.page("/admin/batches/run").await;
    assert!(
        ask.contains("1 reward will be settled: 30.00 USD."),
        "{ask}"
    );
    assert!(
        ask.contains("In all the ledger changes by +30.00 USD."),
        "{ask}"
    );

    let place = browser.done("/admin/batches/run", &[]).await;
    assert!(place.starts_with("/admin/batches/batch_now."), "{place}");
    let batch = browser.page(&place).await;
    for says in [
        "The batch is done. This is what it did.",
        "Run by hand",
        "<dt>By</dt><dd>Mara</dd>",
        "Planned on node",
        "sha256:",
        "Booked",
        "/referrals/ref_bo",
        "+20.00 USD for the promoter",
        "+10.00 USD for the invited person",
    ] {
        assert!(batch.contains(says), "no {says}: {batch}");
    }
    let left = browser.page(&format!("{place}?show=left")).await;
    assert!(left.contains("Nothing was left for later"), "{left}");
    assert!(browser.page("/admin/batches").await.contains("+30.00 USD"));

    // Again at once: nothing.
    browser.bench.clock.advance(1);
    let again = browser.get("/admin/batches/run").await;
    assert_eq!(
        (again.status, again.headers["location"].as_str()),
        (303, "/admin/batches")
    );
    assert_eq!(
        browser.done("/admin/batches/run", &[]).await,
        "/admin/batches"
    );
    assert!(
        browser
            .page("/admin/batches")
            .await
            .contains("nothing has changed")
    );
    let batches = body(&browser.bench.get("/batches").await);
    assert_eq!(batches["data"].as_array().unwrap().len(), 2, "{batches}");
    let log = browser.page("/admin/audit?what=batch.run").await;
    assert!(
        log.contains("Ran a batch by hand") && log.contains("Mara"),
        "{log}"
    );

    the_way_is_told(&browser).await;
    browser.end().await;
}

/// From the event to the ledger, on the page and by the API.
async fn the_way_is_told(browser: &Browser) {
    let referral = browser.page("/referrals/ref_bo").await;
    for says in [
        "charge.succeeded (evt_ch_bo)",
        "/admin/events/evt_ch_bo",
        "customer.created (evt_cus_bo)",
        "customer cus_bo created; matched by email",
        "50.00 USD paid (ch_bo)",
        "every condition met",
        "queued (qual_",
        "20.00 USD for promoter:prom_ana",
        "/admin/batches/batch_now.",
    ] {
        assert!(referral.contains(says), "no {says}: {referral}");
    }
    let told = body(&browser.bench.get("/referrals/ref_bo/timeline").await);
    assert_eq!(told["events_complete"], true);
    let kinds: Vec<&str> = told["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|moment| moment["kind"].as_str().unwrap())
        .collect();
    let expected = [
        "referral", "event", "customer", "event", "payment", "verdict", "verdict", "queue",
        "ledger",
    ];
    assert_eq!(kinds, expected, "{told}");
    let reader = browser
        .bench
        .make_key("reader", &["referrals:read"], 21)
        .await;
    let bearer = format!("Bearer {reader}");
    let mine = [("authorization", bearer.as_str())];
    let told = browser
        .bench
        .ask("GET", "/referrals/ref_bo/timeline", &mine, None)
        .await;
    assert!(
        !told.body.contains("evt_"),
        "events need their own permission: {told:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_is_invited_comes_and_is_changed() {
    let browser = Browser::owner().await;
    let wrong = [("email", "jo(at)x"), ("role", "viewer")];
    let refused = browser.post("/admin/invite", &wrong).await;
    assert_eq!(refused.status, 422);
    assert!(refused.body.contains("href=\"#email\""), "{}", refused.body);
    let form = [
        ("email", "jo@example.com"),
        ("name", "Jo"),
        ("role", "viewer"),
    ];
    let jo = browser.done("/admin/invite", &form).await;
    let page = browser.page(&jo).await;
    assert!(
        page.contains("Invited.") && page.contains("No mail is set"),
        "{page}"
    );
    let again = [("email", EMAIL), ("role", "viewer")];
    let again = browser.post("/admin/invite", &again).await;
    assert!(again.status == 422 && again.body.contains("has an account already"));

    // Without mail an owner hands the link over.
    let shown = browser.post(&format!("{jo}/link"), &[]).await;
    assert_eq!(shown.status, 200, "{shown:?}");
    let token = shown.body.split_once("token=").unwrap().1;
    let token = token[..token.find('<').unwrap()].to_owned();
    assert!(!browser.page(&jo).await.contains(&token), "shown once");

    let guest = browser.another();
    let join = [
        ("token", token.as_str()),
        ("name", ""),
        ("password", PASSWORD),
    ];
    assert_eq!(guest.done("/link", &join).await, "/");
    a_viewer_sees_no_more(&guest).await;

    let same = browser
        .done(&format!("{jo}/role"), &[("role", "viewer")])
        .await;
    assert!(browser.page(&same).await.contains("already"));
    guest.page("/").await;
    let role = [("role", "admin"), ("promoter", "")];
    assert_eq!(browser.done(&format!("{jo}/role"), &role).await, jo);
    assert_eq!(guest.get("/").await.status, 303, "their session has ended");
    let again = [("email", "jo@example.com"), ("password", PASSWORD)];
    guest.done("/sign-in", &again).await;
    assert!(guest.page("/").await.contains("/admin/users"));
    owners_stay(&browser, &guest, &jo).await;
    let ended = browser.done(&format!("{jo}/end-sessions"), &[]).await;
    assert!(
        browser
            .page(&ended)
            .await
            .contains("not signed in anywhere")
    );
    assert_eq!(guest.get("/").await.status, 303);
    guest.done("/sign-in", &again).await;
    let ask = browser.page(&format!("{jo}/state")).await;
    assert!(ask.contains("Deactivate Jo?"), "{ask}");
    let off = field(&ask, "active");
    browser
        .done(&format!("{jo}/state"), &[("active", &off)])
        .await;
    assert_eq!(guest.post("/sign-in", &again).await.status, 422);
    let ask = browser.page(&format!("{jo}/state")).await;
    let on = field(&ask, "active");
    browser
        .done(&format!("{jo}/state"), &[("active", &on)])
        .await;
    guest.done("/sign-in", &again).await;

    let log = browser.page("/admin/audit").await;
    for says in [
        "Invited somebody",
        "Was shown a link for somebody",
        "Came for the first time",
        "Changed somebody’s role",
        "Signed somebody out everywhere",
        "Deactivated somebody",
        "Reactivated somebody",
    ] {
        assert!(log.contains(says), "no {says}: {log}");
    }
    let whole = browser.page("/admin/audit?check=yes").await;
    assert!(whole.contains("none is missing or changed"), "{whole}");
    drop(guest);
    browser.end().await;
}

/// What is not theirs is not shown, and says whom to ask.
async fn a_viewer_sees_no_more(guest: &Browser) {
    let dashboard = guest.page("/").await;
    assert!(dashboard.contains("/admin/batches") && dashboard.contains("jo@example.com"));
    for hidden in [
        "/admin/users",
        "/admin/keys",
        "/admin/audit",
        "/admin/events",
    ] {
        assert!(!dashboard.contains(hidden), "a viewer sees {hidden}");
    }
    let batches = guest.page("/admin/batches").await;
    assert!(!batches.contains("/admin/batches/run"), "{batches}");
    for (path, says) in [
        ("/admin/users", "see who has an account (users:read)"),
        ("/admin/batches/run", "run a batch now (batches:write)"),
        ("/new-campaign", "save campaigns (campaigns:write)"),
    ] {
        let refused = guest.get(path).await;
        assert_eq!(refused.status, 403, "{path}");
        assert!(refused.body.contains(says), "{path}: {}", refused.body);
        assert!(
            refused
                .body
                .contains("Ask Mara (mara@example.com), an owner")
        );
        assert!(
            refused.body.contains("href=\"/referrals\"") && refused.body.contains("jo@example.com"),
            "the way on is still there: {}",
            refused.body
        );
        assert!(!refused.body.contains("/admin/audit"));
    }
}

/// An admin changes no owner, and nobody the last one.
async fn owners_stay(browser: &Browser, guest: &Browser, jo: &str) {
    // An admin neither makes owners nor changes them, and is shown no links.
    let form = guest.page("/admin/invite").await;
    assert!(
        !form.contains("value=\"owner\"") && form.contains("value=\"admin\""),
        "{form}"
    );
    let mara = browser_id(browser).await;
    let theirs = guest.page(&mara).await;
    assert!(
        !theirs.contains("Deactivate") && !theirs.contains("/role"),
        "{theirs}"
    );
    let forced = guest
        .post(&format!("{mara}/role"), &[("role", "viewer")])
        .await;
    assert_eq!(forced.status, 403, "{forced:?}");
    assert_eq!(guest.post(&format!("{jo}/link"), &[]).await.status, 403);

    // The last owner stays one.
    let refused = browser
        .post(&format!("{mara}/role"), &[("role", "viewer")])
        .await;
    assert_eq!(refused.status, 422);
    assert!(
        refused
            .body
            .contains("This is the last owner; make another one first"),
        "{}",
        refused.body
    );
    let ask = browser.page(&format!("{mara}/state")).await;
    let active = field(&ask, "active");
    let refused = browser
        .post(&format!("{mara}/state"), &[("active", &active)])
        .await;
    assert!(refused.status == 422 && refused.body.contains("last owner"));
}

/// Where the first owner's own page is.
async fn browser_id(browser: &Browser) -> String {
    let list = browser.page("/admin/users?role=owner").await;
    let at = list.find("/admin/users/usr_").unwrap();
    let rest = &list[at..];
    rest[..rest.find('"').unwrap()].to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_made_used_and_revoked() {
    let browser = Browser::owner().await;
    let refused = browser.post("/admin/new-key", &[("name", "shop")]).await;
    assert_eq!(refused.status, 422);
    assert!(
        refused.body.contains("href=\"#scopes\""),
        "{}",
        refused.body
    );
    assert_eq!(field(&refused.body, "name"), "shop", "what was typed stays");
    let form = [
        ("name", "shop"),
        ("scopes", "promoters:read"),
        ("scopes", "batches:read"),
    ];
    let made = browser.post("/admin/new-key", &form).await;
    assert_eq!(made.status, 200, "{made:?}");
    assert_eq!(made.headers["cache-control"], "no-store");
    let key = made.body.split_once("<code>qk_").unwrap().1;
    let key = format!("qk_{}", &key[..key.find('<').unwrap()]);
    let list = browser.page("/admin/keys").await;
    assert!(!list.contains(&key), "shown once");
    assert!(
        list.contains("shop") && list.contains("<code>batches:read</code>"),
        "{list}"
    );
    assert!(list.contains("data-label=\"By\">Mara<"), "{list}");

    let bearer = format!("Bearer {key}");
    let with = [("authorization", bearer.as_str())];
    let bench = &browser.bench;
    assert_eq!(
        bench.ask("GET", "/promoters", &with, None).await.status,
        200
    );
    assert_eq!(bench.ask("GET", "/users", &with, None).await.status, 403);
    let at = list.find("/revoke").unwrap();
    let start = list[..at].rfind("/admin/keys/").unwrap();
    let revoke = list[start..at].to_owned() + "/revoke";
    let ask = browser.page(&revoke).await;
    assert!(ask.contains("cannot be taken back"), "{ask}");
    assert_eq!(
        bench.ask("GET", "/promoters", &with, None).await.status,
        200
    );
    // The bench's own key and this one are in the list; this is the newest.
    assert!(ask.contains("Revoke the key"), "{ask}");
    let id = revoke
        .trim_start_matches("/admin/keys/")
        .trim_end_matches("/revoke");
    let shop = body(&bench.get("/keys").await);
    let shop = shop["data"].as_array().unwrap();
    let shop = shop.iter().find(|key| key["name"] == "shop").unwrap()["id"].clone();
    let revoke = revoke.replace(id, shop.as_str().unwrap());
    assert_eq!(browser.done(&revoke, &[]).await, "/admin/keys");
    assert_eq!(
        bench.ask("GET", "/promoters", &with, None).await.status,
        401
    );
    let list = browser.page("/admin/keys").await;
    assert!(list.contains("It opens nothing any more.") && list.contains("Revoked"));
    let log = browser.page("/admin/audit?what=key.revoked").await;
    assert!(
        log.contains("Revoked an API key") && log.contains("Mara"),
        "{log}"
    );
    let none = browser
        .page("/admin/audit?what=key.revoked&who=system")
        .await;
    assert!(none.contains("Nothing found"), "{none}");
    browser.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn suspending_keeps_new_rewards_back_and_takes_none() {
    let browser = Browser::owner().await;
    earned(&browser, "bo").await;
    on_20_march(&browser).await;
    browser.done("/admin/batches/run", &[]).await;
    let suspended = [("suspended", "true")];
    browser
        .done("/promoters/prom_ana/suspend", &suspended)
        .await;
    earned(&browser, "di").await;
    browser.bench.catch_up().await;
    let preview = browser.page("/admin/batches/preview").await;
    assert!(preview.contains("Nothing is due now"), "{preview}");
    browser.bench.clock.advance(1);
    let run = browser.done("/admin/batches/run", &[]).await;
    assert_eq!(run, "/admin/batches", "no batch was made");
    let referral = browser.page("/referrals/ref_di").await;
    assert!(referral.contains("suspended"), "{referral}");
    browser.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promoter_is_invited_from_their_page() {
    let browser = Browser::owner().await;
    let page = browser.page("/promoters/prom_ana").await;
    assert!(page.contains("/promoters/prom_ana/invite"), "{page}");
    let form = browser.page("/promoters/prom_ana/invite").await;
    assert_eq!(field(&form, "email"), "ana@promoters.example");
    let wrong = [("email", "ana(at)promoters")];
    let refused = browser.post("/promoters/prom_ana/invite", &wrong).await;
    assert_eq!(refused.status, 422);
    assert_eq!(field(&refused.body, "email"), "ana(at)promoters");
    let right = [("email", "ana@promoters.example")];
    let place = browser.done("/promoters/prom_ana/invite", &right).await;
    assert!(place.starts_with("/admin/users/"), "{place}");
    let invited = browser.page(&place).await;
    assert!(
        invited.contains("Invited") && invited.contains("prom_ana"),
        "{invited}"
    );
    browser.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_coupon_of_somebody_else_is_refused_at_the_field() {
    let browser = Browser::owner().await;
    let form = [("name", "Ana"), ("coupons", "ANA10\r\nBEN10")];
    let refused = browser.post("/promoters/prom_ana/edit", &form).await;
    assert_eq!(refused.status, 422);
    assert!(
        refused.body.contains("href=\"#coupons\""),
        "{}",
        refused.body
    );
    assert!(
        refused.body.contains("belongs to Ben (prom_ben)"),
        "{}",
        refused.body
    );
    let taken = [("id", "prom_ben"), ("name", "Other")];
    let refused = browser.post("/new-promoter", &taken).await;
    assert!(refused.status == 422 && refused.body.contains("href=\"#id\""));
    browser.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_referral_is_given_to_another_promoter() {
    let browser = Browser::owner().await;
    earned(&browser, "bo").await;
    let page = browser.page("/referrals/ref_bo").await;
    assert!(page.contains("/referrals/ref_bo/reassign"), "{page}");
    let place = "/referrals/ref_bo/reassign";
    assert!(browser.page(place).await.contains("To which promoter"));
    for (to, says) in [
        ("zoe", "No promoter has this"),
        ("prom_ana", "The referral is Ana&#39;s already"),
    ] {
        let refused = browser.page(&format!("{place}?promoter={to}")).await;
        assert!(refused.contains(says), "{to}: {refused}");
    }
    // By email, as people know them.
    let preview = browser
        .page(&format!("{place}?promoter=ben@promoters.example"))
        .await;
    assert!(
        preview.contains("The queued reward, 20.00 USD: it is settled for Ben from 2026-03-18"),
        "{preview}"
    );
    assert!(
        preview.contains("Nothing has been settled for it yet."),
        "{preview}"
    );
    let no_reason = browser.post(place, &[("promoter", "prom_ben")]).await;
    assert_eq!(no_reason.status, 422);
    assert!(
        no_reason.body.contains("href=\"#reason\""),
        "{}",
        no_reason.body
    );
    let form = [("promoter", "prom_ben"), ("reason", "Ben brought them")];
    assert_eq!(browser.done(place, &form).await, "/referrals/ref_bo");
    let page = browser.page("/referrals/ref_bo").await;
    assert!(
        page.contains("given by prom_ana to prom_ben: Ben brought them"),
        "{page}"
    );
    assert!(page.contains("<dt>Promoter</dt><dd><a href=\"/promoters/prom_ben\">Ben</a>"));

    on_20_march(&browser).await;
    browser.done("/admin/batches/run", &[]).await;
    let preview = browser.page(&format!("{place}?promoter=prom_ana")).await;
    assert!(
        preview.contains("20.00 USD, settled for Ben. It stays with Ben."),
        "{preview}"
    );
    assert!(preview.contains("No money moves"), "{preview}");
    let back = [("promoter", "prom_ana"), ("reason", "It was Ana after all")];
    browser.done(place, &back).await;
    let page = browser.page("/referrals/ref_bo").await;
    assert!(
        page.contains("This referral is") && page.contains("/promoters/prom_ana"),
        "{page}"
    );
    assert!(page.contains("<dt>Promoter</dt><dd><a href=\"/promoters/prom_ben\">Ben</a>"));
    let log = browser.page("/admin/audit?what=referral.reassigned").await;
    assert_eq!(
        log.matches("data-label=\"What\">Gave a referral to another promoter")
            .count(),
        2
    );
    assert!(log.contains("It was Ana after all"), "{log}");
    browser.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_entry_of_the_office_answers() {
    let browser = Browser::owner().await;
    for (path, says) in [
        ("/admin/batches", "Past batches"),
        ("/admin/batches/preview?at=next", "Nothing will be due"),
        ("/admin/users", "Mara"),
        ("/admin/users?role=viewer", "Nobody has this role"),
        ("/admin/invite", "an owner is shown the link"),
        ("/admin/keys", "tests"),
        ("/admin/new-key", "What it may do"),
        ("/admin/audit", "Became the first owner"),
        ("/admin/audit?who=system&what=batch.run", "Nothing found"),
    ] {
        browser.says(path, says).await;
    }
    for path in [
        "/admin/batches/nothing",
        "/admin/users/nobody",
        "/admin/keys/no/revoke",
    ] {
        assert_eq!(browser.get(path).await.status, 404, "{path}");
    }
    browser.end().await;
}
