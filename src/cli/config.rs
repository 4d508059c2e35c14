//! `qualify config show`: every setting, its value without secrets, where it came from.

use std::io::Write;

use super::Exit;
use super::settings::SettingsArgs;

/// `qualify config …`
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List every setting with its value and where it came from; secrets are not shown
    Show {
        /// One JSON array
        #[arg(long)]
        json: bool,
    },
}

/// Runs `qualify config …`.
pub fn run(args: &Args, settings: &SettingsArgs, out: &mut dyn Write) -> anyhow::Result<u8> {
    let Command::Show { json } = args.command;
    let config = settings.load()?;
    if json {
        serde_json::to_writer_pretty(&mut *out, config.lines())?;
        writeln!(out)?;
    } else {
        let mut table = comfy_table::Table::new();
        table.load_preset(comfy_table::presets::NOTHING);
        table.set_header(["SETTING", "VALUE", "FROM"]);
        for line in config.lines() {
            let value = line.value.as_deref().unwrap_or("(not set)");
            table.add_row([line.setting, value, line.origin.name()]);
        }
        for line in table.lines() {
            writeln!(out, "{}", line.trim_end())?;
        }
    }
    for warning in &config.warnings {
        let _ = writeln!(std::io::stderr(), "warning: {warning}");
    }
    Ok(Exit::Ok as u8)
}
