//! From files into the database, through settlement, and out again.

use crate::shop::{Shop, event};

macro_rules! assert_told {
    ($name:literal, $text:expr) => {
        insta::with_settings!({
            snapshot_path => "../snapshots/cli_data",
            prepend_module_to_snapshot => false,
            omit_expression => true,
            filters => vec![
                (r"batch_now\.\d+", "batch_now.<us>"),
                (r"\d{4}-\d\d-\d\d \d\d:\d\d UTC  (queued|settled)", "<now>  $1"),
            ],
        }, { insta::assert_snapshot!($name, $text); });
    };
}

#[test]
fn what_comes_in_is_explained_settled_once_and_comes_out_again() {
    let shop = Shop::full();
    assert_told!("explain_qualified", shop.ok(&["explain", "ref_bea"]).out);
    assert_told!("dry_run", shop.ok(&["settle", "--dry-run"]).out);
    assert_told!(
        "dry_run_json",
        shop.ok(&["settle", "--dry-run", "--json"]).out
    );
    let ran = shop.ok(&["settle", "--now"]).out;
    assert!(ran.contains(": 2 settled, 0 reversed"), "{ran}");
    assert_eq!(shop.ok(&["settle", "--now"]).out, "nothing is due\n");
    assert_eq!(shop.ok(&["settle", "--dry-run"]).out, "nothing is due\n");
    shop.ok(&["settle"]);
    let again = shop.ok(&["settle"]).out;
    assert!(
        again.starts_with("the batch of this slot has run"),
        "{again}"
    );
    assert_told!("verify_clean", shop.ok(&["verify"]).out);
    assert_told!(
        "explain_settled",
        shop.ok(&["explain", "Bea@Example.com"]).out
    );

    let replayed = shop.ok(&["replay", "--state", "all"]).out;
    assert!(
        replayed.starts_with("12 events replayed\n  10 done\n"),
        "{replayed}"
    );
    shop.verified();
    let one = shop.ok(&["replay", "evt_001", "--json"]).out;
    assert!(one.contains("\"replayed\":1"), "{one}");
    shop.verified();
    assert_eq!(shop.ok(&["settle", "--now"]).out, "nothing is due\n");
}

#[test]
fn files_come_back_as_they_went_in_and_backtest_agrees_with_what_is_stored() {
    let shop = Shop::full();
    for what in ["events", "referrals", "promoters"] {
        let file = format!("{what}.file");
        shop.ok(&["export", what, "--out", &file]);
        let out = shop.ok(&["export", what]).out;
        assert_eq!(std::fs::read_to_string(shop.path(&file)).unwrap(), out);
        let again = shop.import(what, &shop.path(&file));
        assert!(again.out.starts_with("0 new, "), "{what}: {again:?}");
        assert_eq!(again.err, "", "{what}");
    }
    let at = ["--rules", "rules", "--at", "2026-10-01T00:00:00Z", "--json"];
    let files = [
        "--events",
        "events.file",
        "--referrals",
        "referrals.file",
        "--promoters",
        "promoters.file",
    ];
    let from_files = shop.ok(&[&["backtest"], &at[..], &files[..]].concat()).out;
    let from_db = shop.ok(&[&["backtest", "--from-db"], &at[..]].concat()).out;
    assert_eq!(from_files, from_db);
    assert_eq!(from_files.lines().count(), 6);
    for verdict in from_files.lines() {
        let verdict: serde_json::Value = serde_json::from_str(verdict).unwrap();
        let id = verdict["referral"].as_str().unwrap();
        let told = shop.ok(&["explain", id, "--json"]).out;
        let told: serde_json::Value = serde_json::from_str(&told).unwrap();
        let told = told.as_array().unwrap();
        let same = told
            .iter()
            .find(|one| one["verdict"]["campaign"] == verdict["campaign"]);
        assert_eq!(same.unwrap()["verdict"], verdict, "{id}");
        assert!(
            same.unwrap().get("stored").is_none(),
            "what is stored is up to date"
        );
    }
}

#[test]
fn backtests_look_back_on_what_is_stored_as_they_do_on_files() {
    let shop = Shop::full();
    let mut files = vec!["backtest"];
    for (what, flag, file) in [
        ("events", "--events", "e.file"),
        ("referrals", "--referrals", "r.file"),
        ("promoters", "--promoters", "p.file"),
    ] {
        shop.ok(&["export", what, "--out", file]);
        files.extend([flag, file]);
    }
    let mut told = std::collections::BTreeSet::new();
    // Until 5 March the events are folded again; at the newest one and later, what is folded
    // is read.
    for at in [
        "2026-03-03T00:00:00Z",
        "2026-03-05T00:00:00Z",
        "2026-03-10T00:00:00Z",
        "",
    ] {
        let mut more = vec!["--rules", "rules", "--json"];
        if !at.is_empty() {
            more.extend(["--at", at]);
        }
        let from_files = shop.ok(&[&files[..], &more[..]].concat()).out;
        let from_db = shop
            .ok(&[&["backtest", "--from-db"], &more[..]].concat())
            .out;
        assert_eq!(from_files, from_db, "at {at:?}");
        told.insert(from_db);
    }
    assert!(told.len() >= 3, "the instants are told apart");
    let table = shop.ok(&[
        "backtest",
        "--from-db",
        "--rules",
        "rules",
        "--progress",
        "always",
    ]);
    assert!(table.err.contains("customers judged"), "{}", table.err);
    assert!(table.out.contains("REFERRAL"), "{}", table.out);
}

#[test]
fn a_backtest_that_cannot_go_on_says_why_and_ends() {
    let shop = Shop::empty();
    shop.ok(&["migrate"]);
    let ran = shop.run(&["backtest", "--from-db", "--rules", "rules"]);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{}", ran.err);
    assert!(
        ran.err.contains("give the instant with --at"),
        "{}",
        ran.err
    );
    let shop = Shop::full();
    let nowhere = ["--tmp-dir", "no/such/folder"];
    let files = ["backtest", "--from-db", "--rules", "rules"];
    let ran = shop.run(&[&files[..], &nowhere[..]].concat());
    assert_eq!(ran.code, 0, "nothing had to be put aside: {}", ran.err);
}

#[test]
fn pretty_bodies_are_exported_on_one_line_and_known_again() {
    let shop = Shop::full();
    let as_posted = shop.ok(&["export", "events"]).out;
    let as_posted = as_posted.lines().find(|line| line.contains("\"evt_001\""));
    // A body as Stripe delivers it, in several lines.
    let pretty = as_posted.unwrap().replace(", \"", ",\r\n  \"");
    assert!(pretty.lines().count() > 5, "{pretty}");
    shop.sql(&format!(
        "UPDATE events SET body = CAST('{}' AS BLOB), unpacked_bytes = NULL
         WHERE event_id = 'evt_001'",
        pretty.replace('\'', "''")
    ));
    let out = shop.ok(&["export", "events"]).out;
    assert_eq!(out.lines().count(), 12);
    let line = out
        .lines()
        .find(|line| line.contains("\"evt_001\""))
        .unwrap();
    assert!(line.contains("\"email\":\"bea@example.com\""), "{line}");
    let again = shop.pipe("events", &[line.to_owned()]);
    assert_eq!(
        (again.out.as_str(), again.err.as_str()),
        ("0 new, 1 there already\n", "")
    );
}

#[test]
fn lines_that_cannot_be_used_are_told_and_the_others_taken_in() {
    let shop = Shop::full();
    let good = event(
        "evt_900",
        1_772_000_000,
        "customer.created",
        &crate::shop::customer("cus_9", 1, "a@b.de"),
    );
    let other = event(
        "evt_901",
        1_772_000_000,
        "customer.created",
        &crate::shop::customer("cus_8", 1, "a@b.de"),
    )
    .replace("\"livemode\":true", "\"livemode\":false");
    let changed = event(
        "evt_001",
        5,
        "customer.created",
        &crate::shop::customer("cus_7", 1, "x@b.de"),
    );
    let ran = shop.pipe("events", &["nonsense".to_owned(), good, other, changed]);
    assert_eq!(ran.out, "1 new, 1 set aside, 2 unusable\n");
    assert!(ran.err.contains("stdin:1: "), "{}", ran.err);
    assert!(
        ran.err.contains("stdin:4: evt_001 is stored already"),
        "{}",
        ran.err
    );
    shop.verified();

    let people = "id,name,email,code,coupons\nprom_cy,Cy,,,BEN10\nprom_di,Di,di@example.com,di,\n";
    let mut command = shop.command(&["import", "promoters", "-", "--strict"]);
    let output = command.write_stdin(people).output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(4), "{err}");
    assert!(
        err.contains("stdin:2: the coupon BEN10 belongs to Ben, the baker (prom_ben)"),
        "{err}"
    );
    let out = shop.ok(&["export", "promoters"]).out;
    assert!(out.contains("prom_di") && !out.contains("prom_cy"), "{out}");

    // A code in a link has one promoter, in a file as well.
    let people =
        "id,name,email,code,coupons\nprom_fi,Fi,,fresh,\nprom_gus,Gus,,fresh,\nprom_hal,Hal,,di,\n";
    let mut command = shop.command(&["import", "promoters", "-", "--strict"]);
    let output = command.write_stdin(people).output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(4), "{err}");
    for says in [
        "stdin:3: the code fresh is in the link of Fi (prom_fi)",
        "stdin:4: the code di is in the link of Di (prom_di)",
    ] {
        assert!(err.contains(says), "{says}: {err}");
    }
    let out = shop.ok(&["export", "promoters"]).out;
    assert!(
        out.contains("prom_fi") && !out.contains("prom_gus"),
        "{out}"
    );

    // Whoever referred first has the claim, wherever the file has it.
    let claims = [
        "id,campaign,promoter,email,uid,stripe_customer_id,referred_at",
        "r_late,spring-2026,prom_ben,zoe@example.com,,,2026-03-05T00:00:00Z",
        "r_soon,spring-2026,prom_ana,zoe@example.com,,,2026-03-04T00:00:00Z",
        "r_bad,spring-2026,prom_nobody,z@example.com,,,2026-03-04T00:00:00Z",
    ];
    let ran = shop.pipe("referrals", &claims.map(str::to_owned));
    assert_eq!(ran.out, "1 new, 2 unusable\n");
    assert!(
        ran.err.contains("stdin:2: this person was referred"),
        "{}",
        ran.err
    );
    assert!(
        ran.err.contains("stdin:4: promoter `prom_nobody`"),
        "{}",
        ran.err
    );
    shop.verified();
}

#[test]
fn strange_text_holds_nothing_up() {
    let shop = Shop::full();
    let nul = r#"{"id":"cus_n","object":"customer","created":1,"email":"n@b.de","metadata":{"fp_uid":"a\u0000b"}}"#;
    let email = r#"{"id":"cus_m","object":"customer","created":1,"email":"m\u0000@b.de","metadata":{"\u0000":"x"}}"#;
    let id =
        r#"{"id":"cus_\u0000","object":"customer","created":1,"email":"o@b.de","metadata":{}}"#;
    let currency =
        crate::shop::charge("ch_n", "cus_n", 1_772_000_000, 100, 0).replace("usd", r"us\u0000");
    shop.pipe(
        "events",
        &[
            event("evt_n1", 1_772_000_000, "customer.created", nul),
            event("evt_n2", 1_772_000_000, "customer.created", email),
            event("evt_n3", 1_772_000_000, "customer.created", id),
            event("evt_n4", 1_772_000_000, "charge.succeeded", &currency),
            event(
                "evt_n5",
                1_772_000_000,
                "customer.created",
                &crate::shop::customer("cus_ok", 1, "ok@b.de"),
            ),
        ],
    );
    let ran = shop.run(&["explain", "cus_ok"]);
    assert!(ran.err.contains("the customer cus_ok is known"), "{ran:?}");
    shop.verified();
}
