//! Precedence, twins, suggestions, refusals and redaction, without touching the process.

use std::collections::BTreeMap;
use std::io::{Error, ErrorKind};
use std::path::Path;

use super::*;

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect()
}

fn files(path: &Path) -> std::io::Result<String> {
    match path.to_str() {
        Some("/run/secrets/whsec") => Ok("whsec_from_file\n".to_owned()),
        Some("/run/secrets/blank") => Ok("\n".to_owned()),
        _ => Err(Error::from(ErrorKind::NotFound)),
    }
}

fn resolve(
    flags: &[(&str, &str)],
    env: &[(&str, &str)],
    file: &str,
) -> Result<Config, ConfigError> {
    Config::resolve(&map(flags), &map(env), Some(file), &files)
}

fn refusal(env: &[(&str, &str)], file: &str) -> String {
    resolve(&[], env, file).unwrap_err().to_string()
}

#[test]
fn with_nothing_set_the_defaults_hold() {
    let config = Config::resolve(&map(&[]), &map(&[]), None, &files).unwrap();
    assert_eq!(config.listen_addr.to_string(), "127.0.0.1:8080");
    assert_eq!(config.database_url.expose(), "sqlite://./data/qualify.db");
    assert_eq!(config.settle_cron.text, "0 0 0,12 * * *");
    assert_eq!(config.stripe.mode, Mode::Live);
    assert!(config.stripe.webhook_secrets.is_empty());
    assert_eq!(
        config.public_url(config.listen_addr),
        "http://127.0.0.1:8080"
    );
}

#[test]
fn flags_beat_environment_beats_file_beats_default() {
    let file = "listen_addr = '127.0.0.1:3'\nrules_dir = 'from-file'\nlog_format = 'json'";
    let env = [("LISTEN_ADDR", "127.0.0.1:2"), ("RULES_DIR", "from-env")];
    let config = resolve(&[("listen-addr", "127.0.0.1:1")], &env, file).unwrap();
    assert_eq!(config.listen_addr.port(), 1);
    assert_eq!(config.rules_dir, Path::new("from-env"));
    assert_eq!(config.log_format, LogFormat::Json);
    let origin = |name| {
        let line = config.lines().iter().find(|l| l.setting == name).unwrap();
        line.origin
    };
    assert_eq!(origin("LISTEN_ADDR"), Origin::Flag);
    assert_eq!(origin("RULES_DIR"), Origin::Environment);
    assert_eq!(origin("LOG_FORMAT"), Origin::File);
    assert_eq!(origin("SETTLE_CRON"), Origin::Default);
}

#[test]
fn a_secret_can_come_from_a_file_named_in_either_layer() {
    let twin = ("STRIPE_WEBHOOK_SECRET_FILE", "/run/secrets/whsec");
    for config in [
        resolve(&[], &[twin], "").unwrap(),
        resolve(
            &[],
            &[],
            "stripe_webhook_secret_file = '/run/secrets/whsec'",
        )
        .unwrap(),
    ] {
        assert_eq!(config.stripe.webhook_secrets[0].expose(), "whsec_from_file");
    }
    assert_eq!(
        refusal(&[twin, ("STRIPE_WEBHOOK_SECRET", "whsec_x")], ""),
        "both STRIPE_WEBHOOK_SECRET and STRIPE_WEBHOOK_SECRET_FILE are set; keep one of them"
    );
    let missing = refusal(&[("SMTP_URL_FILE", "/nowhere")], "");
    assert!(missing.starts_with("SMTP_URL_FILE: the file it names cannot be read"));
    assert!(!missing.contains("/nowhere"), "{missing}");
}

#[test]
fn an_unknown_key_is_an_error_with_a_place_and_a_suggestion() {
    assert_eq!(
        refusal(&[], "log_format = 'json'\nstripe_webook_secret = 'whsec_1'"),
        "qualify.toml, line 2: unknown key `stripe_webook_secret`, did you mean \
         `stripe_webhook_secret`?; `qualify config show` lists all settings"
    );
    assert!(refusal(&[], "colour = 'red'").contains("unknown key `colour`; `qualify"));
    assert!(refusal(&[], "listen_addr = 8080").contains("line 1: `listen_addr` needs text"));
    assert!(refusal(&[], "a = ").starts_with("qualify.toml, line 1: "));
    // A plain setting has no twin.
    assert!(refusal(&[], "log_format_file = 'x'").contains("unknown key"));
}

#[test]
fn blank_and_mistaken_secrets_are_refused_without_repeating_them() {
    for (env, expected) in [
        (("STRIPE_WEBHOOK_SECRET", ""), "is set but blank"),
        (("STRIPE_WEBHOOK_SECRET", "whsec_a,,b"), "a blank secret"),
        (("STRIPE_WEBHOOK_SECRET", "sk_live_1"), "an API key"),
        (
            ("STRIPE_WEBHOOK_SECRET_FILE", "/run/secrets/blank"),
            "is set but blank",
        ),
        (("STRIPE_API_KEY", "  "), "is set but blank"),
        (("STRIPE_API_KEY", "pk_live_1"), "a publishable key"),
        (("STRIPE_API_KEY", "whsec_1"), "a webhook signing secret"),
        (("APP_SECRET_KEY", "sh0rt"), "only 5 characters"),
        (("DATABASE_URL", "mysql://u:pw@h"), "no known database"),
    ] {
        let message = refusal(&[env], "");
        assert!(message.starts_with(env.0), "{message}");
        assert!(message.contains(expected), "{message}");
        let leaked = ["sk_live_1", "pk_live_1", "whsec_1", "sh0rt", "pw@"];
        assert!(!leaked.iter().any(|s| message.contains(s)), "{message}");
    }
}

#[test]
fn several_webhook_secrets_keep_their_order() {
    let config = resolve(&[], &[("STRIPE_WEBHOOK_SECRET", "whsec_b, whsec_a")], "").unwrap();
    let secrets: Vec<_> = config.stripe.webhook_secrets.iter().collect();
    assert_eq!(
        [secrets[0].expose(), secrets[1].expose()],
        ["whsec_b", "whsec_a"]
    );
    let listed = resolve(&[], &[], "stripe_webhook_secret = ['whsec_b', 'whsec_a']").unwrap();
    assert_eq!(listed.stripe.webhook_secrets, config.stripe.webhook_secrets);
}

#[test]
fn the_mode_follows_the_key_and_may_not_contradict_it() {
    let mode = |env: &[(&str, &str)]| resolve(&[], env, "").map(|c| c.stripe.mode);
    assert_eq!(mode(&[("STRIPE_API_KEY", "rk_test_1")]), Ok(Mode::Test));
    assert_eq!(mode(&[("STRIPE_API_KEY", "sk_live_1")]), Ok(Mode::Live));
    assert_eq!(mode(&[("STRIPE_MODE", "test")]), Ok(Mode::Test));
    let clash = [("STRIPE_API_KEY", "sk_test_1"), ("STRIPE_MODE", "live")];
    assert!(refusal(&clash, "").contains("STRIPE_API_KEY is a test key"));
}

#[test]
fn other_values_are_checked() {
    for env in [
        ("LISTEN_ADDR", "8080"),
        ("SETTLE_CRON", "every noon"),
        ("SETTLE_CRON", "0 12 * * *"),
        ("BASE_URL", "referrals.example"),
        ("STRIPE_ACCOUNT", "example"),
        ("LOG_FORMAT", "xml"),
        ("SMTP_URL", "mail.example:25"),
    ] {
        assert!(refusal(&[env], "").starts_with(env.0));
    }
    let config = resolve(&[], &[("BASE_URL", "https://r.example/")], "").unwrap();
    assert_eq!(config.base_url.as_deref(), Some("https://r.example"));
}

#[test]
fn no_secret_shows_in_debug_or_in_the_listing() {
    let env = [
        ("STRIPE_API_KEY", "sk_live_SENTINEL"),
        ("STRIPE_WEBHOOK_SECRET", "whsec_SENTINEL,whsec_SENTINEL2"),
        ("APP_SECRET_KEY", "SENTINEL-SENTINEL-SENTINEL-SENTINEL"),
        ("SMTP_URL", "smtp://bob:SENTINEL@mail"),
        ("DATABASE_URL", "postgres://bob:SENTINEL@db/q"),
    ];
    let config = resolve(&[], &env, "").unwrap();
    assert_eq!(
        config.stripe.api_key.clone().unwrap().expose(),
        "sk_live_SENTINEL"
    );
    assert!(!format!("{config:?}").contains("SENTINEL"));
    let listing = serde_json::to_string(config.lines()).unwrap();
    assert!(!listing.contains("SENTINEL"), "{listing}");
    assert!(listing.contains("[redacted] × 2"));
}

#[test]
fn a_misspelt_variable_is_a_warning() {
    let env = [("STRIPE_WEBHOOK_SECRETS", "x"), ("STRIPE_CLI_THING", "y")];
    let config = resolve(&[], &env, "").unwrap();
    assert_eq!(config.warnings.len(), 1);
    assert!(config.warnings[0].ends_with("did you mean STRIPE_WEBHOOK_SECRET?"));
}
