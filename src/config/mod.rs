//! Settings: flags over environment over `qualify.toml` over defaults, validated once.
//! Secrets are wrapped at once. Connections added later in the app are not here.

mod error;
mod layers;
mod load;
mod secret;
mod settings;
mod show;
mod values;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

pub use error::ConfigError;
pub use layers::{Origin, ReadFile};
pub use load::load;
pub use secret::{Secret, SecretUrl};
pub use settings::{SETTINGS, Setting, Shown};
pub use show::Line;
pub use values::{LogFormat, SettleCron};

use crate::domain::campaign::Mode;
use crate::domain::email::CanonicalEmail;
use crate::domain::ids::AccountId;
use layers::{Found, Layers, read_toml};

/// Every setting, valid.
#[derive(Debug, Clone)]
pub struct Config {
    /// `sqlite://…` or `postgres://…`.
    pub database_url: SecretUrl,
    /// Where the server listens.
    pub listen_addr: SocketAddr,
    /// What people and Stripe reach it at, without a slash at the end; `None` means
    /// `http://` and the address it listens on.
    pub base_url: Option<String>,
    /// Folder with the campaign files.
    pub rules_dir: PathBuf,
    /// The connection that comes from settings.
    pub stripe: StripeConfig,
    /// Encrypts the secrets that are stored.
    pub app_secret_key: Option<Secret>,
    /// Whether webhook endpoints may be `http://` and private addresses.
    pub webhooks_allow_private: bool,
    /// When batches settle.
    pub settle_cron: SettleCron,
    /// Mail server.
    pub smtp_url: Option<SecretUrl>,
    /// Who mail is from; `None` means `qualify` at the host of `base_url`.
    pub mail_from: Option<CanonicalEmail>,
    /// Networks of proxies whose word on where a request comes from is taken: address and
    /// how many of its bits count.
    pub trusted_proxies: Vec<(IpAddr, u8)>,
    /// Filter in tracing's own notation.
    pub log_filter: String,
    /// Text or JSON.
    pub log_format: LogFormat,
    /// Names in the environment that look like misspelt settings, as sentences.
    pub warnings: Vec<String>,
    lines: Vec<Line>,
}

/// The connection that comes from settings.
#[derive(Debug, Clone)]
pub struct StripeConfig {
    /// `sk_…` or `rk_…`; without it nothing is asked of Stripe.
    pub api_key: Option<Secret>,
    /// Signing secrets, in the order given; any may match. Empty: no webhook is accepted.
    pub webhook_secrets: Vec<Secret>,
    /// Stripe's API, without a slash at the end.
    pub api_base: String,
    /// The account that events are expected from.
    pub account: Option<AccountId>,
    /// Live or test.
    pub mode: Mode,
}

impl Config {
    /// Decides every setting. Pure: the flags (without their hyphens), the environment, the
    /// text of `qualify.toml` and the reader of `_FILE` twins are arguments.
    pub fn resolve(
        flags: &BTreeMap<String, String>,
        env: &BTreeMap<String, String>,
        file: Option<&str>,
        read: ReadFile<'_>,
    ) -> Result<Self, ConfigError> {
        let layers = Layers {
            flags,
            env,
            file: file.map(read_toml).transpose()?.unwrap_or_default(),
            read,
        };
        let mut found: BTreeMap<&'static str, Found> = BTreeMap::new();
        let mut lines = Vec::new();
        for setting in &SETTINGS {
            let winner = layers.find(setting)?;
            lines.push(Line::of(setting, &winner));
            found.insert(setting.env, winner);
        }
        let take = values::Taker(&found);
        let api_key = values::api_key(&take)?;
        Ok(Self {
            database_url: values::database_url(&take)?,
            listen_addr: values::listen_addr(&take)?,
            base_url: values::http_url(&take, "BASE_URL")?,
            rules_dir: PathBuf::from(take.required("RULES_DIR", "a folder")?),
            stripe: StripeConfig {
                mode: values::mode(&take, api_key.as_ref())?,
                api_key,
                webhook_secrets: values::webhook_secrets(&take)?,
                api_base: values::http_url(&take, "STRIPE_API_BASE")?.unwrap_or_default(),
                account: values::account(&take)?,
            },
            app_secret_key: values::app_secret_key(&take)?,
            webhooks_allow_private: values::webhooks_allow_private(&take)?,
            settle_cron: values::settle_cron(&take)?,
            smtp_url: values::smtp_url(&take)?,
            mail_from: values::mail_from(&take)?,
            trusted_proxies: values::trusted_proxies(&take)?,
            log_filter: take
                .required("RUST_LOG", "a filter such as info")?
                .to_owned(),
            log_format: values::log_format(&take)?,
            warnings: show::misspelt(env),
            lines,
        })
    }

    /// Each setting with the value that may be shown and where it came from.
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// The address that people reach the server at, given where it listens.
    pub fn public_url(&self, listening: SocketAddr) -> String {
        self.base_url
            .clone()
            .unwrap_or_else(|| format!("http://{}", reachable(listening)))
    }
}

/// An address that can be connected to: "all addresses" is none.
pub fn reachable(listening: SocketAddr) -> SocketAddr {
    let ip = match listening.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listening.port())
}

#[cfg(test)]
mod tests;
