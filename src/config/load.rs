//! The thin loader: reads the process' environment and files, and leaves the deciding to
//! [`Config::resolve`].

use std::collections::BTreeMap;
use std::path::Path;

use super::{Config, ConfigError};

/// The settings file that is read if it is there.
pub const FILE_NAME: &str = "qualify.toml";

/// Reads the settings of this process. `file` is the settings file the user named, which then
/// has to exist; without it `qualify.toml` in the working directory is read if it is there.
pub fn load(flags: &BTreeMap<String, String>, file: Option<&Path>) -> Result<Config, ConfigError> {
    let path = file.unwrap_or_else(|| Path::new(FILE_NAME));
    let text = match std::fs::read_to_string(path) {
        Ok(text) => Some(text),
        Err(error) if file.is_none() && error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => {
            return Err(ConfigError::File {
                path: path.display().to_string(),
                cause: error.kind(),
            });
        }
    };
    let env: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    Config::resolve(flags, &env, text.as_deref(), &|path| {
        std::fs::read_to_string(path)
    })
}
