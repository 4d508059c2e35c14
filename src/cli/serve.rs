//! `qualify serve`: runs the server until it is told to end.

use std::io::Write;

use super::Exit;
use super::settings::SettingsArgs;

/// `qualify serve`
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs `qualify serve`.
pub fn run(_args: &Args, settings: &SettingsArgs, _out: &mut dyn Write) -> anyhow::Result<u8> {
    let _config = settings.load()?;
    Ok(Exit::Ok as u8)
}
