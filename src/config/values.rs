//! From a setting's text to its value. One function a setting; each error names the setting
//! as the user wrote it and never repeats a secret.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use super::error::ConfigError;
use super::layers::Found;
use super::secret::{Secret, SecretUrl};
use crate::domain::campaign::Mode;
use crate::domain::email::CanonicalEmail;
use crate::domain::ids::AccountId;

/// Shortest `APP_SECRET_KEY`, in bytes: the cipher's key has as many.
const APP_SECRET_BYTES_MIN: usize = 32;

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// When batches settle: a cron expression in UTC.
#[derive(Debug, Clone)]
pub struct SettleCron {
    /// As written.
    pub text: String,
    /// As understood.
    pub schedule: cron::Schedule,
}

/// The winning texts by environment name.
pub(super) struct Taker<'a>(pub &'a BTreeMap<&'static str, Found>);

impl Taker<'_> {
    /// A setting's text, if anybody set it. Blank text is refused.
    fn optional(
        &self,
        env: &str,
        expected: &'static str,
    ) -> Result<Option<(&str, &str)>, ConfigError> {
        let Some(found) = self.0.get(env) else {
            return Ok(None);
        };
        match found.text.as_deref().map(str::trim) {
            None => Ok(None),
            Some("") => Err(ConfigError::Blank {
                name: found.name.clone(),
                expected,
            }),
            Some(text) => Ok(Some((&found.name, text))),
        }
    }

    /// A setting that has a default and therefore always a text.
    pub fn required(&self, env: &str, expected: &'static str) -> Result<&str, ConfigError> {
        self.named(env, expected).map(|(_, text)| text)
    }

    fn named(&self, env: &str, expected: &'static str) -> Result<(&str, &str), ConfigError> {
        self.optional(env, expected)?
            .ok_or_else(|| ConfigError::Blank {
                name: env.to_owned(),
                expected,
            })
    }
}

fn invalid(name: &str, seen: impl Into<String>, expected: impl Into<String>) -> ConfigError {
    ConfigError::Invalid {
        name: name.to_owned(),
        seen: seen.into(),
        expected: expected.into(),
    }
}

pub(super) fn database_url(take: &Taker<'_>) -> Result<SecretUrl, ConfigError> {
    const EXPECTED: &str = "sqlite://path or postgres://user:password@host/name";
    let (name, text) = take.named("DATABASE_URL", EXPECTED)?;
    let scheme = text.split_once(':').map_or("", |(scheme, _)| scheme);
    match SecretUrl::new(text) {
        Some(url) if ["sqlite", "postgres", "postgresql"].contains(&scheme) => Ok(url),
        _ => Err(invalid(name, "a URL of no known database", EXPECTED)),
    }
}

pub(super) fn listen_addr(take: &Taker<'_>) -> Result<SocketAddr, ConfigError> {
    let expected = "address:port, such as 127.0.0.1:8080 or [::]:8080";
    let (name, text) = take.named("LISTEN_ADDR", expected)?;
    text.parse()
        .map_err(|_| invalid(name, format!("`{text}`"), expected))
}

pub(super) fn http_url(take: &Taker<'_>, env: &str) -> Result<Option<String>, ConfigError> {
    let expected = "an address that begins with https:// or http://";
    let Some((name, text)) = take.optional(env, expected)? else {
        return Ok(None);
    };
    let host = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"))
        .unwrap_or_default();
    if host.is_empty() || host.contains([' ', '@', '?', '#']) {
        return Err(invalid(name, "not such an address", expected));
    }
    Ok(Some(text.trim_end_matches('/').to_owned()))
}

pub(super) fn api_key(take: &Taker<'_>) -> Result<Option<Secret>, ConfigError> {
    let expected = "a secret key sk_… or a restricted key rk_…";
    let Some((name, text)) = take.optional("STRIPE_API_KEY", expected)? else {
        return Ok(None);
    };
    let seen = match text.split('_').next() {
        Some("sk" | "rk") => return Ok(Secret::new(text)),
        Some("pk") => "a publishable key (pk_…), which cannot read anything",
        Some("whsec") => "a webhook signing secret (whsec_…)",
        _ => "not a Stripe API key",
    };
    Err(invalid(name, seen, expected))
}

pub(super) fn webhook_secrets(take: &Taker<'_>) -> Result<Vec<Secret>, ConfigError> {
    const EXPECTED: &str = "the endpoint's signing secret whsec_…, several separated by commas";
    let Some((name, text)) = take.optional("STRIPE_WEBHOOK_SECRET", EXPECTED)? else {
        return Ok(Vec::new());
    };
    let mut secrets = Vec::new();
    for part in text.split(',') {
        let secret = Secret::new(part)
            .ok_or_else(|| invalid(name, "a blank secret between commas", EXPECTED))?;
        let prefix = secret.expose().split('_').next();
        if matches!(prefix, Some("sk" | "rk" | "pk")) {
            return Err(invalid(name, "an API key", EXPECTED));
        }
        secrets.push(secret);
    }
    Ok(secrets)
}

pub(super) fn account(take: &Taker<'_>) -> Result<Option<AccountId>, ConfigError> {
    let expected = "an account id acct_…";
    match take.optional("STRIPE_ACCOUNT", expected)? {
        None => Ok(None),
        Some((_, text)) if text.starts_with("acct_") => Ok(Some(text.into())),
        Some((name, text)) => Err(invalid(name, format!("`{text}`"), expected)),
    }
}

/// The mode that is set, else the key's, else live. A key of the other mode is refused: test
/// data never counts in a live campaign.
pub(super) fn mode(take: &Taker<'_>, key: Option<&Secret>) -> Result<Mode, ConfigError> {
    let by_key = key.and_then(|key| match key.expose().split('_').nth(1) {
        Some("live") => Some(Mode::Live),
        Some("test") => Some(Mode::Test),
        _ => None,
    });
    let expected = "live or test";
    let Some((name, text)) = take.optional("STRIPE_MODE", expected)? else {
        return Ok(by_key.unwrap_or_default());
    };
    let mode = match text.to_ascii_lowercase().as_str() {
        "live" => Mode::Live,
        "test" => Mode::Test,
        _ => return Err(invalid(name, format!("`{text}`"), expected)),
    };
    match by_key {
        Some(other) if other != mode => Err(invalid(
            name,
            format!(
                "`{}`, but STRIPE_API_KEY is a {} key",
                mode.name(),
                other.name()
            ),
            "both of one mode",
        )),
        _ => Ok(mode),
    }
}

pub(super) fn app_secret_key(take: &Taker<'_>) -> Result<Option<Secret>, ConfigError> {
    let expected = "at least 32 random characters, such as `openssl rand -hex 32` prints";
    match take.optional("APP_SECRET_KEY", expected)? {
        None => Ok(None),
        Some((name, text)) if text.len() < APP_SECRET_BYTES_MIN => Err(invalid(
            name,
            format!("only {} characters", text.len()),
            expected,
        )),
        Some((_, text)) => Ok(Secret::new(text)),
    }
}

pub(super) fn webhooks_allow_private(take: &Taker<'_>) -> Result<bool, ConfigError> {
    let expected = "true or false";
    let (name, text) = take.named("WEBHOOKS_ALLOW_PRIVATE", expected)?;
    match text.to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(invalid(name, format!("`{text}`"), expected)),
    }
}

pub(super) fn settle_cron(take: &Taker<'_>) -> Result<SettleCron, ConfigError> {
    let expected = "six fields (seconds minutes hours day month weekday), such as `0 0 0,12 * * *`";
    let (name, text) = take.named("SETTLE_CRON", expected)?;
    let schedule =
        cron::Schedule::from_str(text).map_err(|_| invalid(name, format!("`{text}`"), expected))?;
    Ok(SettleCron {
        text: text.to_owned(),
        schedule,
    })
}

pub(super) fn smtp_url(take: &Taker<'_>) -> Result<Option<SecretUrl>, ConfigError> {
    let expected = "smtp://user:password@host:port or smtps://…";
    match take.optional("SMTP_URL", expected)? {
        None => Ok(None),
        Some((_, text)) if text.starts_with("smtp://") || text.starts_with("smtps://") => {
            Ok(SecretUrl::new(text))
        }
        Some((name, _)) => Err(invalid(name, "not such a URL", expected)),
    }
}

pub(super) fn mail_from(take: &Taker<'_>) -> Result<Option<CanonicalEmail>, ConfigError> {
    let expected = "one plain email address, such as qualify@example.com";
    let Some((name, text)) = take.optional("MAIL_FROM", expected)? else {
        return Ok(None);
    };
    match CanonicalEmail::parse(text).filter(CanonicalEmail::is_mailbox) {
        Some(email) => Ok(Some(email)),
        None => Err(invalid(name, format!("`{text}`"), expected)),
    }
}

pub(super) fn trusted_proxies(take: &Taker<'_>) -> Result<Vec<(IpAddr, u8)>, ConfigError> {
    let expected = "addresses and networks by commas, such as 10.0.0.0/8,::1";
    let Some((name, text)) = take.optional("TRUSTED_PROXIES", expected)? else {
        return Ok(Vec::new());
    };
    let read = |network: &str| {
        let (ip, bits) = network.split_once('/').unwrap_or((network, ""));
        let ip: IpAddr = ip.parse().ok()?;
        let most = if ip.is_ipv4() { 32 } else { 128 };
        let bits: u8 = if bits.is_empty() {
            most
        } else {
            bits.parse().ok()?
        };
        (bits <= most).then_some((ip, bits))
    };
    let networks = text.split(',').map(|network| {
        let network = network.trim();
        read(network).ok_or_else(|| invalid(name, format!("`{network}`"), expected))
    });
    networks.collect()
}

pub(super) fn log_format(take: &Taker<'_>) -> Result<LogFormat, ConfigError> {
    let expected = "text or json";
    let (name, text) = take.named("LOG_FORMAT", expected)?;
    match text.to_ascii_lowercase().as_str() {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err(invalid(name, format!("`{text}`"), expected)),
    }
}
