//! The command line: what can be typed, and which file answers it. Data goes to stdout, logs
//! to stderr; the exit code says how it ended.

mod backtest;
pub mod check;
mod completions;
mod config;
mod database;
mod demo;
mod doctor;
mod explain;
mod export;
mod import;
mod key;
mod migrate;
mod progress;
mod replay;
mod serve;
mod settings;
mod settle;
mod user;
mod verify;

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;

use clap::{CommandFactory, Parser, Subcommand};

use settings::SettingsArgs;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Ok = 0,
    /// It failed.
    Failure = 1,
    /// The command line cannot be understood.
    Usage = 2,
    /// What was asked for is not there.
    NotFound = 3,
    /// A check found problems.
    Problems = 4,
    /// It may work later (`EX_TEMPFAIL` of sysexits).
    Temporary = 75,
}

/// Self-hosted referral qualification engine for Stripe: every verdict explained, money
/// counted once, settled exactly once.
#[derive(Debug, Parser)]
#[command(
    name = "qualify",
    version,
    propagate_version = true,
    arg_required_else_help = true
)]
#[command(after_help = EXIT_CODES)]
pub struct Cli {
    #[command(flatten)]
    settings: SettingsArgs,
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 ok, 1 failure, 2 usage, 3 not found, 4 a check found \
problems, 75 temporary.\nSettings: flags > environment > qualify.toml > defaults; `qualify config \
show` lists them with where each came from.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server: webhooks, API, pages and the workers behind them
    Serve(serve::Args),
    /// Play a made-up half year on a server of its own, and show what comes of it
    Demo(demo::Args),
    /// Check campaign files; prints every problem with its place
    Check(CheckArgs),
    /// Try campaign files on past events, without a server or a database
    Backtest(Box<backtest::Args>),
    /// Say why a referral qualified or not, with the evidence and its history
    Explain(explain::Args),
    /// Settle what is due, or show what would be settled
    Settle(settle::Args),
    /// Recompute everything that can be recomputed and compare; exit 4 on any difference
    Verify(verify::Args),
    /// Check settings, the Stripe account and what is stored; exit 4 on any problem
    Doctor(doctor::Args),
    /// Have stored events read again
    Replay(replay::Args),
    /// Write events, referrals or promoters as the files that `backtest` reads
    Export(export::Args),
    /// Take in promoters, referrals or events from files
    Import(import::Args),
    /// Bring the database's tables up to date, or move everything to another database
    Migrate(migrate::Args),
    /// Look at the settings
    Config(config::Args),
    /// Make, list and revoke API keys
    Key(key::Args),
    /// Make, list and deactivate people with an account, and print links for them
    User(user::Args),
    /// Write completions for a shell to stdout
    Completions(completions::CompletionsArgs),
    /// Write the manual page to stdout, or all pages into a folder
    Man(completions::ManArgs),
}

#[derive(Debug, clap::Args)]
struct CheckArgs {
    /// Files and folders [default: what `RULES_DIR` says]
    paths: Vec<PathBuf>,
    /// One JSON array
    #[arg(long)]
    json: bool,
}

/// Runs the command line; answers the exit code.
pub fn run(arguments: impl IntoIterator<Item = OsString>, out: &mut dyn Write) -> u8 {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are data, everything else is an error on stderr.
            let shown = error.print();
            return match (error.use_stderr(), shown) {
                (false, Ok(())) => Exit::Ok as u8,
                (false, Err(_)) => Exit::Failure as u8,
                (true, _) => Exit::Usage as u8,
            };
        }
    };
    match dispatch(&cli, out) {
        Ok(code) => code,
        Err(error) if is_closed_pipe(&error) => Exit::Ok as u8,
        Err(error) => {
            // The cause is told once, here; commands return it instead of printing it.
            let _ = writeln!(std::io::stderr(), "qualify: {}", in_words(&error));
            code_of(&error) as u8
        }
    }
}

fn dispatch(cli: &Cli, out: &mut dyn Write) -> anyhow::Result<u8> {
    match &cli.command {
        Command::Serve(args) => serve::run(args, &cli.settings, out),
        Command::Demo(args) => demo::run(args, &cli.settings, out),
        Command::Check(args) if args.paths.is_empty() => {
            let rules_dir = cli.settings.load()?.rules_dir;
            check::run(&[rules_dir], args.json, out)
        }
        Command::Check(args) => check::run(&args.paths, args.json, out),
        Command::Backtest(args) => backtest::run(args, &cli.settings, out),
        Command::Explain(args) => explain::run(args, &cli.settings, out),
        Command::Settle(args) => settle::run(args, &cli.settings, out),
        Command::Verify(args) => verify::run(args, &cli.settings, out),
        Command::Doctor(args) => doctor::run(args, &cli.settings, out),
        Command::Replay(args) => replay::run(args, &cli.settings, out),
        Command::Export(args) => export::run(args, &cli.settings, out),
        Command::Import(args) => import::run(args, &cli.settings, out),
        Command::Migrate(args) => migrate::run(args, &cli.settings, out),
        Command::Config(args) => config::run(args, &cli.settings, out),
        Command::Key(args) => key::run(args, &cli.settings, out),
        Command::User(args) => user::run(args, &cli.settings, out),
        Command::Completions(args) => completions::run(args, &mut Cli::command(), out),
        Command::Man(args) => completions::man(args, Cli::command(), out),
    }
}

/// Whoever reads our output has read enough (`qualify man | head`).
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<std::io::Error>()
        .is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe)
}

/// The error and its causes in one line; a cause that was already told is left out.
fn in_words(error: &anyhow::Error) -> String {
    let mut words = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if words.is_empty() {
            words = cause;
        } else if !words.contains(&cause) {
            words = format!("{words}: {cause}");
        }
    }
    words
}

fn code_of(error: &anyhow::Error) -> Exit {
    if error.is::<crate::config::ConfigError>() {
        return Exit::Usage;
    }
    if let Some(error) = error.downcast_ref::<crate::store::copy::CopyError>() {
        return migrate::code_of(error);
    }
    let temporary = match error.downcast_ref::<crate::app::StartError>() {
        Some(error) => error.is_temporary(),
        None => error
            .downcast_ref::<crate::store::StoreError>()
            .is_some_and(|error| error.is_unavailable() || error.is_transient()),
    };
    if temporary {
        Exit::Temporary
    } else {
        Exit::Failure
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run_with(arguments: &[&str]) -> (u8, String) {
        let mut out = Vec::new();
        let arguments = std::iter::once("qualify").chain(arguments.iter().copied());
        let code = run(arguments.map(OsString::from), &mut out);
        (code, String::from_utf8(out).unwrap())
    }

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn what_cannot_be_understood_is_usage() {
        assert_eq!(run_with(&["sevre"]).0, Exit::Usage as u8);
        assert_eq!(run_with(&["serve", "--no-such-flag"]).0, Exit::Usage as u8);
        assert_eq!(
            run_with(&["config", "show", "--listen-addr", "nowhere"]).0,
            Exit::Usage as u8
        );
    }

    #[test]
    fn causes_are_told_once() {
        let error = anyhow::anyhow!("timed out")
            .context("the database failed: timed out")
            .context("cannot start");
        assert_eq!(
            in_words(&error),
            "cannot start: the database failed: timed out"
        );
    }

    #[test]
    fn completions_and_manual_go_to_stdout() {
        let (code, text) = run_with(&["completions", "bash"]);
        assert!(code == 0 && text.contains("complete -F"));
        let (code, text) = run_with(&["man"]);
        assert!(code == 0 && text.contains(".TH qualify"));
    }
}
