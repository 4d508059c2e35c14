//! `qualify verify`: recomputes everything that can be recomputed. What waits is worked off
//! first; verdicts are then judged for this moment.

use std::io::Write;

use super::progress::{Progress, Shown};
use super::settings::SettingsArgs;
use super::{Exit, database};
use crate::domain::time::Timestamp;
use crate::verify::{Report, verify_watched};

/// `qualify verify`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Judge for this instant instead of now
    #[arg(long, value_name = "TIME", value_parser = database::instant)]
    at: Option<Timestamp>,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

/// Runs `qualify verify`.
pub fn run(args: &Args, settings: &SettingsArgs, out: &mut dyn Write) -> anyhow::Result<u8> {
    database::look(settings, args.at, |opened| async move {
        database::drain(&opened).await?;
        let (scope, now) = (opened.scope(), opened.clock.now());
        let progress = Progress::new(Shown::Auto.is_wanted(args.json));
        let report = verify_watched(&opened.db, opened.id(), &scope, now, &progress).await;
        progress.finish();
        let report = report?;
        if args.json {
            serde_json::to_writer_pretty(&mut *out, &report)?;
            writeln!(out)?;
        } else {
            show(&report, out)?;
        }
        Ok(if report.is_ok() {
            Exit::Ok as u8
        } else {
            Exit::Problems as u8
        })
    })
}

/// The report for people.
pub(super) fn show(report: &Report, out: &mut dyn Write) -> std::io::Result<()> {
    for check in &report.checks {
        let word = if check.is_ok() { "ok " } else { "NOT" };
        let (name, looked_at) = (check.name, check.looked_at);
        write!(out, "{word} {name:<15} {looked_at} looked at")?;
        match check.found {
            0 => writeln!(out)?,
            1 => writeln!(out, ", 1 difference")?,
            found => writeln!(out, ", {found} differences")?,
        }
        for difference in &check.differences {
            writeln!(out, "    {}: {}", difference.place, difference.seen)?;
            writeln!(out, "      → {}", difference.todo)?;
        }
        let listed = u64::try_from(check.differences.len()).unwrap_or(u64::MAX);
        if check.found > listed {
            writeln!(out, "    and {} more", check.found - listed)?;
        }
    }
    if report.waiting > 0 {
        let waiting = report.waiting;
        writeln!(out, "{waiting} still wait to be judged and were left out")?;
    }
    Ok(())
}
