//! What every command that works on the database shares: a runtime, the database opened by
//! settings, logs on stderr. What a command does is in its own file.

use std::future::Future;
use std::io::Write;
use std::sync::Arc;

use anyhow::Context;

use super::settings::SettingsArgs;
use crate::app::{self, Drained, Opened};
use crate::clock::{ManualClock, SystemClock};
use crate::config::Config;
use crate::domain::time::Timestamp;
use crate::telemetry;

/// Runs a command that looks at the database, as at an instant if one is given: for looking
/// back, and for a server whose clock stands still.
pub(super) fn look<F>(
    settings: &SettingsArgs,
    at: Option<Timestamp>,
    command: impl FnOnce(Opened) -> F,
) -> anyhow::Result<u8>
where
    F: Future<Output = anyhow::Result<u8>>,
{
    let config = configured(settings)?;
    run(async {
        let clock = at.map_or_else(SystemClock::shared, |at| Arc::new(ManualClock::at(at)));
        let opened = app::open(config, clock).await?;
        closing(opened, command).await
    })
}

/// Runs a command that works on the database: its tables are brought up to date, and campaign
/// files taken over, as the server does at its start.
pub(super) fn work<F>(
    settings: &SettingsArgs,
    command: impl FnOnce(Opened) -> F,
) -> anyhow::Result<u8>
where
    F: Future<Output = anyhow::Result<u8>>,
{
    let config = configured(settings)?;
    run(async {
        let opened = app::open_to_work(config, SystemClock::shared()).await?;
        closing(opened, command).await
    })
}

/// Settings, with logs as they say.
pub(super) fn configured(settings: &SettingsArgs) -> anyhow::Result<Config> {
    configured_but(settings, "")
}

/// The same, with logs as they say but for `filter` (`,target=level`).
pub(super) fn configured_but(settings: &SettingsArgs, filter: &str) -> anyhow::Result<Config> {
    let config = settings.load()?;
    let filter = format!("{}{filter}", config.log_filter);
    telemetry::init_logs(&filter, config.log_format)?;
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    Ok(config)
}

/// Runs a future to its end on a runtime of its own.
pub(super) fn run<T>(future: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?
        .block_on(future)
}

async fn closing<F>(opened: Opened, command: impl FnOnce(Opened) -> F) -> anyhow::Result<u8>
where
    F: Future<Output = anyhow::Result<u8>>,
{
    let db = opened.db.clone();
    let code = command(opened).await;
    db.close().await;
    code
}

/// Works off everything that waits; says so on stderr if other nodes kept some of it.
pub(super) async fn drain(opened: &Opened) -> anyhow::Result<Drained> {
    let drained = app::drain(opened).await?;
    if drained.held_by_others > 0 {
        say(format_args!(
            "{} items are still being worked on by other nodes; the answer may be behind them",
            drained.held_by_others
        ));
    }
    Ok(drained)
}

/// A line on stderr. Somebody who closed it does not want to read it.
pub(super) fn say(text: impl std::fmt::Display) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// An instant as a flag's value.
pub(super) fn instant(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text)
        .ok_or_else(|| "not a time; write it like 2026-03-01T00:00:00Z".to_owned())
}
