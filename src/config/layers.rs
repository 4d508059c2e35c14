//! Flags over environment over `qualify.toml` over defaults: which text wins, and where it
//! came from. Reads no environment and no file by itself; both are arguments.

use std::collections::BTreeMap;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::error::ConfigError;
use super::settings::{SETTINGS, Setting, nearest};

/// Where a value came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// A command-line flag.
    Flag,
    /// An environment variable.
    Environment,
    /// A file that an environment variable or `qualify.toml` names (`…_FILE`).
    SecretFile,
    /// `qualify.toml`.
    File,
    /// Nobody set it.
    Default,
}

impl Origin {
    /// As `config show` says it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Flag => "flag",
            Self::Environment => "environment",
            Self::SecretFile => "secret file",
            Self::File => "qualify.toml",
            Self::Default => "default",
        }
    }
}

/// A setting's winning text.
#[derive(Clone)]
pub(super) struct Found {
    pub text: Option<String>,
    pub origin: Origin,
    /// The name to use in messages: `--base-url`, `BASE_URL`, `base_url in qualify.toml`.
    pub name: String,
}

/// Reads a secret's file. An argument, so that resolving stays a pure function.
pub type ReadFile<'a> = &'a dyn Fn(&Path) -> std::io::Result<String>;

/// What the winning texts are chosen from.
pub(super) struct Layers<'a> {
    pub flags: &'a BTreeMap<String, String>,
    pub env: &'a BTreeMap<String, String>,
    pub file: BTreeMap<String, String>,
    pub read: ReadFile<'a>,
}

impl Layers<'_> {
    /// The text of one setting from the strongest layer that has it.
    pub fn find(&self, setting: &Setting) -> Result<Found, ConfigError> {
        let flag = setting.flag();
        if let Some(text) = self.flags.get(&flag) {
            return Ok(Found {
                text: Some(text.clone()),
                origin: Origin::Flag,
                name: format!("--{flag}"),
            });
        }
        let env = setting.env.to_owned();
        if let Some(found) = self.layer(setting, self.env, &env, "_FILE", Origin::Environment)? {
            return Ok(found);
        }
        let key = setting.key();
        if let Some(found) = self.layer(setting, &self.file, &key, "_file", Origin::File)? {
            return Ok(found);
        }
        Ok(Found {
            text: setting.default.map(str::to_owned),
            origin: Origin::Default,
            name: env,
        })
    }

    fn layer(
        &self,
        setting: &Setting,
        layer: &BTreeMap<String, String>,
        key: &str,
        suffix: &str,
        origin: Origin,
    ) -> Result<Option<Found>, ConfigError> {
        let twin = format!("{key}{suffix}");
        let path = layer.get(&twin).filter(|_| setting.has_file_twin());
        match (layer.get(key), path) {
            (Some(_), Some(_)) => Err(ConfigError::Both {
                name: key.to_owned(),
                twin,
            }),
            (Some(text), None) => Ok(Some(Found {
                text: Some(text.clone()),
                origin,
                name: key.to_owned(),
            })),
            (None, Some(path)) => {
                let text =
                    (self.read)(Path::new(path)).map_err(|cause| ConfigError::SecretFile {
                        name: twin.clone(),
                        cause: cause.kind(),
                    })?;
                Ok(Some(Found {
                    text: Some(text.trim_end_matches(['\n', '\r']).to_owned()),
                    origin: Origin::SecretFile,
                    name: twin,
                }))
            }
            (None, None) => Ok(None),
        }
    }
}

/// Reads `qualify.toml`: flat keys with text (or, for lists, arrays of text). An unknown key
/// is an error that says which known one was probably meant.
pub(super) fn read_toml(text: &str) -> Result<BTreeMap<String, String>, ConfigError> {
    let place = |at: usize| {
        text.get(..at)
            .map_or(1, |t| t.matches('\n').count().saturating_add(1))
    };
    let table = DeTable::parse(text).map_err(|error| ConfigError::Toml {
        line: error.span().map_or(1, |span| place(span.start)),
        message: error.message().to_owned(),
    })?;
    let known: Vec<String> = SETTINGS
        .iter()
        .flat_map(|s| {
            let twin = s.has_file_twin().then(|| format!("{}_file", s.key()));
            std::iter::once(s.key()).chain(twin)
        })
        .collect();
    let mut found = BTreeMap::new();
    for (key, value) in table.get_ref() {
        let name = key.get_ref().to_string();
        let line = place(key.span().start);
        if !known.contains(&name) {
            let lower = name.to_ascii_lowercase();
            return Err(ConfigError::UnknownKey {
                suggestion: nearest(&lower, known.iter().map(String::as_str)).map(str::to_owned),
                key: name,
                line,
            });
        }
        let Some(value) = as_text(value.get_ref()) else {
            return Err(ConfigError::NotText { key: name, line });
        };
        found.insert(name, value);
    }
    Ok(found)
}

fn as_text(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Array(items) => {
            let items: Option<Vec<&str>> = items
                .iter()
                .map(|item| match item.get_ref() {
                    DeValue::String(text) => Some(text.as_ref()),
                    _ => None,
                })
                .collect();
            items.map(|items| items.join(","))
        }
        _ => None,
    }
}
