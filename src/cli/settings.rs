//! The flags that every command shares: the settings. Secrets have no flag, because the
//! command line of a process can be read by others on the machine.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::config::{Config, ConfigError, load};

/// Settings on the command line.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "Settings")]
pub struct SettingsArgs {
    /// Settings file [default: qualify.toml if it is there]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where the data is: `sqlite://path` or `postgres://user@host/name`
    #[arg(long, global = true, value_name = "URL")]
    database_url: Option<String>,
    /// Address and port to listen on
    #[arg(long, global = true, value_name = "ADDR:PORT")]
    listen_addr: Option<String>,
    /// The address people and Stripe reach this server at
    #[arg(long, global = true, value_name = "URL")]
    base_url: Option<String>,
    /// Folder with the campaign files
    #[arg(long, global = true, value_name = "DIR")]
    rules_dir: Option<String>,
    /// Stripe's API; another address only for a stand-in
    #[arg(long, global = true, value_name = "URL")]
    stripe_api_base: Option<String>,
    /// The account that events are expected from
    #[arg(long, global = true, value_name = "ACCT")]
    stripe_account: Option<String>,
    /// live or test
    #[arg(long, global = true, value_name = "MODE")]
    stripe_mode: Option<String>,
    /// true lets webhook endpoints be http:// and private addresses; for development alone
    #[arg(long, global = true, value_name = "BOOL")]
    webhooks_allow_private: Option<String>,
    /// When batches settle, six cron fields in UTC
    #[arg(long, global = true, value_name = "CRON")]
    settle_cron: Option<String>,
    /// Who mail is from
    #[arg(long, global = true, value_name = "EMAIL")]
    mail_from: Option<String>,
    /// Proxies whose X-Forwarded-For is believed, by commas
    #[arg(long, global = true, value_name = "NETWORKS")]
    trusted_proxies: Option<String>,
    /// What is logged, such as info,qualify=debug
    #[arg(long, global = true, value_name = "FILTER")]
    rust_log: Option<String>,
    /// text or json
    #[arg(long, global = true, value_name = "FORMAT")]
    log_format: Option<String>,
}

impl SettingsArgs {
    /// The settings of this process, with these flags on top.
    pub fn load(&self) -> Result<Config, ConfigError> {
        load(&self.flags(), self.config.as_deref())
    }

    /// `--listen-addr`, for a command that takes no other settings.
    pub fn listen_addr(&self) -> Option<&str> {
        self.listen_addr.as_deref()
    }

    /// `--rust-log`, for a command that takes no other settings.
    pub fn log_filter(&self) -> Option<&str> {
        self.rust_log.as_deref()
    }

    fn flags(&self) -> BTreeMap<String, String> {
        [
            ("database-url", &self.database_url),
            ("listen-addr", &self.listen_addr),
            ("base-url", &self.base_url),
            ("rules-dir", &self.rules_dir),
            ("stripe-api-base", &self.stripe_api_base),
            ("stripe-account", &self.stripe_account),
            ("stripe-mode", &self.stripe_mode),
            ("webhooks-allow-private", &self.webhooks_allow_private),
            ("settle-cron", &self.settle_cron),
            ("mail-from", &self.mail_from),
            ("trusted-proxies", &self.trusted_proxies),
            ("rust-log", &self.rust_log),
            ("log-format", &self.log_format),
        ]
        .into_iter()
        .filter_map(|(flag, value)| Some((flag.to_owned(), value.clone()?)))
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{SETTINGS, Shown};

    /// A flag that `Config` does not know would be silently without effect.
    #[test]
    fn flags_are_the_settings_that_are_no_secrets() {
        let x = || Some("x".to_owned());
        let all = SettingsArgs {
            config: None,
            database_url: x(),
            listen_addr: x(),
            base_url: x(),
            rules_dir: x(),
            stripe_api_base: x(),
            stripe_account: x(),
            stripe_mode: x(),
            webhooks_allow_private: x(),
            settle_cron: x(),
            mail_from: x(),
            trusted_proxies: x(),
            rust_log: x(),
            log_format: x(),
        };
        let expected: Vec<String> = SETTINGS
            .iter()
            .filter(|s| s.shown == Shown::Plain || s.env == "DATABASE_URL")
            .map(crate::config::Setting::flag)
            .collect();
        let mut flags: Vec<String> = all.flags().into_keys().collect();
        flags.sort_by_key(|flag| expected.iter().position(|e| e == flag));
        assert_eq!(flags, expected);
    }
}
