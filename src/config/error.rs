//! What can be wrong with settings. No message repeats a secret's value.

/// A setting that cannot be used: what was seen, what is expected, what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The settings file is not TOML.
    #[error("qualify.toml, line {line}: {message}")]
    Toml {
        /// Line, from 1.
        line: usize,
        /// The parser's words.
        message: String,
    },
    /// A key that no setting has.
    #[error("qualify.toml, line {line}: unknown key `{key}`{}; `qualify config show` lists all settings",
        suggestion.as_ref().map(|s| format!(", did you mean `{s}`?")).unwrap_or_default())]
    UnknownKey {
        /// The key as written.
        key: String,
        /// Line, from 1.
        line: usize,
        /// The known key that looks most like it.
        suggestion: Option<String>,
    },
    /// A key whose value is no text.
    #[error("qualify.toml, line {line}: `{key}` needs text in quotes")]
    NotText {
        /// The key.
        key: String,
        /// Line, from 1.
        line: usize,
    },
    /// A secret given twice in one layer.
    #[error("both {name} and {twin} are set; keep one of them")]
    Both {
        /// The setting.
        name: String,
        /// Its `_FILE` twin.
        twin: String,
    },
    /// A `_FILE` twin that cannot be read.
    #[error(
        "{name}: the file it names cannot be read ({cause}); check the path and its permissions"
    )]
    SecretFile {
        /// The `_FILE` twin.
        name: String,
        /// Why.
        cause: std::io::ErrorKind,
    },
    /// Set, but to nothing.
    #[error("{name} is set but blank; unset it, or give {expected}")]
    Blank {
        /// The setting.
        name: String,
        /// What it takes.
        expected: &'static str,
    },
    /// A value that does not fit. `seen` never holds a secret.
    #[error("{name}: {seen}; expected {expected}")]
    Invalid {
        /// The setting.
        name: String,
        /// What was seen.
        seen: String,
        /// What it takes.
        expected: String,
    },
    /// The settings file was named but cannot be read.
    #[error("{path}: cannot be read ({cause}); check --config")]
    File {
        /// The path as given.
        path: String,
        /// Why.
        cause: std::io::ErrorKind,
    },
}
