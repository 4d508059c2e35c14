//! What `config show` says: each setting, a value that may be shown, where it came from.

use std::collections::BTreeMap;

use super::layers::{Found, Origin};
use super::secret::SecretUrl;
use super::settings::{SETTINGS, Setting, Shown, nearest};

/// One setting as it may be shown.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Line {
    /// The environment name.
    pub setting: &'static str,
    /// Its value without secrets; `None` if it has none.
    pub value: Option<String>,
    /// Where it came from.
    pub origin: Origin,
    /// What it is.
    pub help: &'static str,
}

impl Line {
    pub(super) fn of(setting: &Setting, found: &Found) -> Self {
        let value = found.text.as_deref().map(|text| match setting.shown {
            Shown::Plain => text.to_owned(),
            Shown::Url => SecretUrl::new(text)
                .map(|url| url.redacted())
                .unwrap_or_default(),
            Shown::Never => match text.split(',').count() {
                1 => "[redacted]".to_owned(),
                n => format!("[redacted] × {n}"),
            },
        });
        Self {
            setting: setting.env,
            value,
            origin: found.origin,
            help: setting.help,
        }
    }
}

/// Names in the environment that look like misspelt settings. They are no error, because the
/// environment is shared with other programs.
pub(super) fn misspelt(env: &BTreeMap<String, String>) -> Vec<String> {
    let known: Vec<String> = SETTINGS
        .iter()
        .flat_map(|s| [s.env.to_owned(), format!("{}_FILE", s.env)])
        .collect();
    env.keys()
        .filter(|name| name.starts_with("STRIPE_") || name.starts_with("QUALIFY_"))
        .filter(|name| !known.contains(name))
        .filter_map(|name| {
            let bare = name.strip_prefix("QUALIFY_").unwrap_or(name);
            nearest(bare, known.iter().map(String::as_str)).map(|known| {
                format!("{name} in the environment is not a setting; did you mean {known}?")
            })
        })
        .collect()
}
