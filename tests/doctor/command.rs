//! `qualify doctor`, as a process on a database without a server.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::stripe::{Stripe, endpoint, promotion_code};

const BASE_URL: &str = "https://refer.example.com";
const RULES: &str = r#"schema = 1
id     = "spring"
name   = "Spring"
[qualify]
spend  = [ { at_least = "50.00", currency = "usd" } ]
[reward.promoter]
fixed  = { amount = "20.00", currency = "usd" }
"#;
const PROMOTERS: &str = "id,name,email,code,coupons
prom_ana,Ana,ana@promoters.example,ana,ANA10
prom_ben,Ben,ben@promoters.example,ben,BEN10
";

/// An installation with a campaign and two promoters.
struct Shop {
    folder: TempDir,
    settings: Vec<(String, String)>,
}

struct Ran {
    code: i32,
    out: String,
    err: String,
}

impl Shop {
    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let write =
            |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        std::fs::create_dir(folder.path().join("rules")).unwrap();
        write("rules/spring.toml", RULES);
        write("promoters.csv", PROMOTERS);
        let settings = [
            ("DATABASE_URL", "sqlite://qualify.db"),
            ("RULES_DIR", "rules"),
            ("BASE_URL", BASE_URL),
            ("STRIPE_MODE", "live"),
            ("STRIPE_ACCOUNT", "acct_1"),
            ("STRIPE_WEBHOOK_SECRET", "whsec_of_the_doctor"),
        ];
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let shop = Self {
            settings: settings.iter().map(own).collect(),
            folder,
        };
        let taken = shop.run(&["import", "promoters", "promoters.csv"]).await;
        assert_eq!(taken.code, 0, "{}", taken.err);
        shop
    }

    /// The same with a key to this stand-in.
    async fn with(stripe: &Stripe) -> Self {
        let mut shop = Self::open().await;
        for (name, value) in stripe.settings() {
            shop.settings.push((name.to_owned(), value));
        }
        shop
    }

    fn set(&mut self, name: &str, value: &str) {
        self.settings.retain(|(known, _)| known != name);
        self.settings.push((name.to_owned(), value.to_owned()));
    }

    async fn run(&self, arguments: &[&str]) -> Ran {
        let mut command = program(self.folder.path());
        command.args(arguments).envs(self.settings.iter().cloned());
        let output = tokio::task::spawn_blocking(move || command.output().unwrap());
        let output = output.await.unwrap();
        let ran = Ran {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        };
        // Whatever happens, the key is shown to nobody.
        assert!(!format!("{}{}", ran.out, ran.err).contains("stand_in"));
        ran
    }

    async fn report(&self) -> (i32, Value) {
        let ran = self.run(&["doctor", "--json"]).await;
        let report = serde_json::from_str(&ran.out);
        (
            ran.code,
            report.unwrap_or_else(|_| panic!("{}{}", ran.out, ran.err)),
        )
    }
}

fn program(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_qualify"));
    command.current_dir(folder).env_clear();
    command
}

/// One check of a report.
pub fn check<'r>(report: &'r Value, id: &str) -> &'r Value {
    let mut all = report["checks"].as_array().unwrap().iter();
    all.find(|check| check["id"] == id)
        .unwrap_or_else(|| panic!("no check {id} in {report}"))
}

#[track_caller]
fn is(report: &Value, id: &str, state: &str, words: &str) {
    let found = check(report, id);
    assert_eq!(found["state"], state, "{found}");
    assert!(found.to_string().contains(words), "{words}: {found}");
}

fn snapshot(name: &str, text: &str) {
    insta::with_settings!({
        snapshot_path => "snapshots",
        omit_expression => true,
        filters => vec![
            (r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", "[time]"),
            (r"127\.0\.0\.1:\d+", "[address]"),
        ],
    }, {
        insta::assert_snapshot!(name, text);
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_installation_without_a_key() {
    let shop = Shop::open().await;
    let ran = shop.run(&["doctor"]).await;
    assert_eq!(ran.code, 0, "warnings alone are no problem: {}", ran.out);
    snapshot("without_a_key", &ran.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_in_order_at_stripe() {
    let stripe = Stripe::healthy(BASE_URL).await;
    let shop = Shop::with(&stripe).await;
    let ran = shop.run(&["doctor"]).await;
    assert_eq!(ran.code, 0, "{}", ran.out);
    snapshot("in_order", &ran.out);
    let asked = stripe.world().asked.clone();
    assert!(
        asked
            .iter()
            .all(|(_, version)| version == "2024-09-30.acacia")
    );
    assert!(
        asked
            .iter()
            .any(|(place, _)| place.starts_with("/v1/coupons/ANA10"))
    );
    // Offline, nobody is asked.
    stripe.world().asked.clear();
    let ran = shop.run(&["doctor", "--offline"]).await;
    assert_eq!((ran.code, stripe.world().asked.len()), (0, 0));
    assert!(ran.out.contains("Stripe has not been asked"), "{}", ran.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn much_that_is_wrong_is_told_at_once() {
    let stripe = Stripe::healthy(BASE_URL).await;
    let mut disabled = endpoint(&format!("{BASE_URL}/webhooks/stripe"));
    disabled["status"] = json!("disabled");
    let mut types: Vec<&str> = qualify::stripe::EVENTS_NEEDED.to_vec();
    types.retain(|name| *name != "charge.dispute.funds_withdrawn" && *name != "invoice.paid");
    disabled["enabled_events"] = json!(types);
    {
        let mut world = stripe.world();
        world.account = "acct_2".to_owned();
        world.endpoints = vec![disabled];
        world.coupons.remove("BEN10");
        world.codes = vec![
            promotion_code("ben10", "PARTNER"),
            promotion_code("ANA", "ANA10"),
            promotion_code("ANAS", "ANA10"),
        ];
        world.events = vec![json!({
            "id": "evt_lost", "object": "event", "type": "charge.succeeded",
            "created": 1_790_000_000, "livemode": true, "data": {},
        })];
    }
    stripe.has_coupon("ANA10", &json!({ "percent_off": 100.0, "valid": false }));
    let shop = Shop::with(&stripe).await;
    let ran = shop.run(&["doctor"]).await;
    assert_eq!(ran.code, 4, "{}", ran.out);
    snapshot("much_wrong", &ran.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restricted_key_is_told_what_it_lacks() {
    let stripe = Stripe::healthy(BASE_URL).await;
    {
        let mut world = stripe.world();
        world
            .denied
            .insert("/account", "rak_accounts_kyc_basic_read");
        world.denied.insert("/coupons", "rak_coupon_read");
        world
            .denied
            .insert("/promotion_codes", "rak_promotion_code_read");
    }
    let shop = Shop::with(&stripe).await;
    let (code, report) = shop.report().await;
    assert_eq!(code, 4);
    let found = check(&report, "key_permissions");
    let named = [
        "Coupons: read (rak_coupon_read)",
        "Promotion codes: read (rak_promotion_code_read)",
    ];
    assert_eq!(found["examples"], json!(named));
    is(&report, "api_key", "ok", "accepts");
    is(&report, "account", "ok", "acct_1");
    is(&report, "coupons_exist", "not_looked_at", "rak_coupon_read");
    is(&report, "webhook_events", "ok", "38");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_the_other_mode_or_that_is_refused() {
    let stripe = Stripe::healthy(BASE_URL).await;
    for one in &mut stripe.world().endpoints {
        one["livemode"] = json!(false);
    }
    // A prefix that says neither: what it reads tells.
    stripe.world().key = "rk_stand_in".to_owned();
    let mut shop = Shop::with(&stripe).await;
    let (code, report) = shop.report().await;
    assert_eq!(code, 4);
    is(
        &report,
        "key_mode",
        "problem",
        "reads test data, this connection is live",
    );
    is(
        &report,
        "webhook_endpoint",
        "problem",
        "Add a webhook endpoint",
    );

    shop.set("STRIPE_API_KEY", "rk_live_other_stand_in");
    let (code, report) = shop.report().await;
    assert_eq!(code, 4);
    is(&report, "api_key", "problem", "does not accept");
    is(&report, "stripe_reachable", "ok", "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_stripe_is_asked_once_more_as_it_says() {
    let stripe = Stripe::healthy(BASE_URL).await;
    let shop = Shop::with(&stripe).await;
    stripe.world().busy = (2, "1");
    let begun = std::time::Instant::now();
    let (code, report) = shop.report().await;
    assert_eq!(code, 0);
    assert!(
        begun.elapsed().as_millis() >= 1_000,
        "Retry-After was not waited for"
    );
    is(&report, "webhook_endpoint", "ok", "");
    is(&report, "account", "ok", "");
    // Once more, and no more.
    stripe.world().busy = (1_000, "0");
    stripe.world().asked.clear();
    let (code, report) = shop.report().await;
    assert_eq!(code, 0, "it is there, and asks for patience");
    is(
        &report,
        "webhook_endpoint",
        "not_looked_at",
        "fewer requests",
    );
    let places: Vec<String> = stripe
        .world()
        .asked
        .iter()
        .map(|(place, _)| place.clone())
        .collect();
    let accounts = places
        .iter()
        .filter(|place| *place == "/v1/account")
        .count();
    assert_eq!(accounts, 2);
    // A pause that nobody waits for.
    stripe.world().busy = (1_000, "3600");
    let begun = std::time::Instant::now();
    is(
        &shop.report().await.1,
        "account",
        "not_looked_at",
        "fewer requests",
    );
    assert!(begun.elapsed().as_secs() < 15);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_there_is_temporary() {
    let stripe = Stripe::healthy(BASE_URL).await;
    let mut shop = Shop::with(&stripe).await;
    // A port that was free a moment ago, and nobody listens at.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    shop.set("STRIPE_API_BASE", &format!("http://{address}"));
    let (code, report) = shop.report().await;
    assert_eq!(code, 75);
    assert_eq!(report["stripe"], "unreachable");
    is(
        &report,
        "stripe_reachable",
        "warning",
        "no connection to 127.0.0.1",
    );
    is(&report, "api_key", "not_looked_at", "no connection");
    // A problem of our own weighs more.
    shop.settings
        .retain(|(name, _)| name != "STRIPE_WEBHOOK_SECRET");
    assert_eq!(shop.report().await.0, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_of_another_version_are_not_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = program(folder.path());
    command
        .args(["doctor", "--offline"])
        .env("DATABASE_URL", "sqlite://new.db");
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("qualify migrate"), "{said}");
}
