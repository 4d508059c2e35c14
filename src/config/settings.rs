//! The list of settings: one row each, with the names it goes by and its default.
//! What a value means is decided in `mod.rs`, not here.

/// How a setting's value may be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// As it is.
    Plain,
    /// As a URL without its password.
    Url,
    /// Never.
    Never,
}

/// One setting.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// The environment variable. In `qualify.toml` it is the same in lower case, as a flag
    /// the same in lower case with hyphens.
    pub env: &'static str,
    /// What holds when nobody sets it.
    pub default: Option<&'static str>,
    /// How it may be shown. What may not be shown plainly also has a `_FILE` twin.
    pub shown: Shown,
    /// What it is, in one line.
    pub help: &'static str,
}

impl Setting {
    /// Its key in `qualify.toml`.
    pub fn key(&self) -> String {
        self.env.to_ascii_lowercase()
    }

    /// Its flag, without the two hyphens.
    pub fn flag(&self) -> String {
        self.key().replace('_', "-")
    }

    /// Whether `<NAME>_FILE` may name a file that holds it.
    pub fn has_file_twin(&self) -> bool {
        self.shown != Shown::Plain
    }
}

const fn setting(
    env: &'static str,
    default: Option<&'static str>,
    shown: Shown,
    help: &'static str,
) -> Setting {
    Setting {
        env,
        default,
        shown,
        help,
    }
}

/// Every setting there is, in the order in which `config show` lists them.
pub const SETTINGS: [Setting; 17] = [
    setting(
        "DATABASE_URL",
        Some("sqlite://./data/qualify.db"),
        Shown::Url,
        "sqlite://path or postgres://user:password@host/name",
    ),
    setting(
        "LISTEN_ADDR",
        Some("127.0.0.1:8080"),
        Shown::Plain,
        "address and port to listen on",
    ),
    setting(
        "BASE_URL",
        None,
        Shown::Plain,
        "the address people and Stripe reach this server at; default http://LISTEN_ADDR",
    ),
    setting(
        "RULES_DIR",
        Some("./rules"),
        Shown::Plain,
        "folder with the campaign files",
    ),
    setting(
        "STRIPE_API_KEY",
        None,
        Shown::Never,
        "sk_… or rk_… key of the connection",
    ),
    setting(
        "STRIPE_WEBHOOK_SECRET",
        None,
        Shown::Never,
        "whsec_… signing secrets, separated by commas; any of them may match",
    ),
    setting(
        "STRIPE_API_BASE",
        Some("https://api.stripe.com"),
        Shown::Plain,
        "where Stripe's API is; another address only for a stand-in",
    ),
    setting(
        "STRIPE_ACCOUNT",
        None,
        Shown::Plain,
        "acct_… that events are expected from",
    ),
    setting(
        "STRIPE_MODE",
        None,
        Shown::Plain,
        "live or test; default: what the API key's prefix says, else live",
    ),
    setting(
        "APP_SECRET_KEY",
        None,
        Shown::Never,
        "at least 32 random characters; encrypts the secrets that are stored",
    ),
    setting(
        "WEBHOOKS_ALLOW_PRIVATE",
        Some("false"),
        Shown::Plain,
        "true lets webhook endpoints be http:// and private addresses; for development alone",
    ),
    setting(
        "SETTLE_CRON",
        Some("0 0 0,12 * * *"),
        Shown::Plain,
        "when batches settle: seconds minutes hours day month weekday, UTC",
    ),
    setting(
        "SMTP_URL",
        None,
        Shown::Url,
        "smtp://user:password@host:port for mail; without it no mail is sent",
    ),
    setting(
        "MAIL_FROM",
        None,
        Shown::Plain,
        "who mail is from, such as qualify@example.com; default: qualify at BASE_URL's host",
    ),
    setting(
        "TRUSTED_PROXIES",
        None,
        Shown::Plain,
        "addresses and networks of proxies whose X-Forwarded-For is believed, by commas",
    ),
    setting(
        "RUST_LOG",
        Some("info"),
        Shown::Plain,
        "what is logged, e.g. info,qualify=debug",
    ),
    setting("LOG_FORMAT", Some("text"), Shown::Plain, "text or json"),
];

/// The setting that a name most likely meant, in the spelling of the names offered.
pub fn nearest<'a>(name: &str, offered: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    offered
        .map(|known| (strsim::damerau_levenshtein(name, known), known))
        .min()
        .filter(|(distance, known)| *distance <= known.len().div_ceil(3))
        .map(|(_, known)| known)
}
