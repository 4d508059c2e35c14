//! `qualify doctor`: every check, on the database of settings and, with a key, on Stripe's side.
//! A server need not run; nothing is changed.

use std::io::Write;
use std::time::Duration;

use super::settings::SettingsArgs;
use super::{Exit, database};
use crate::doctor::{Area, Ask, Finding, Lately, Reach, Report, State, Subject, run as look};

/// How long Stripe may take in all.
const PATIENCE: Duration = Duration::from_secs(20);

/// `qualify doctor`
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 no problem (warnings alone are none), 4 problems, 75 no \
problem, but Stripe could not be reached."
)]
pub struct Args {
    /// Look only at what is stored; Stripe is not asked
    #[arg(long)]
    offline: bool,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

/// Runs `qualify doctor`.
pub fn run(args: &Args, settings: &SettingsArgs, out: &mut dyn Write) -> anyhow::Result<u8> {
    database::look(settings, None, |opened| async move {
        let subject = Subject {
            config: &opened.config,
            db: &opened.db,
            connection: opened.id(),
            clock: opened.clock.as_ref(),
            lately: &Lately::default(),
        };
        let whom = if args.offline {
            Ask::Nobody
        } else {
            Ask::Within(PATIENCE)
        };
        let report = look(&subject, whom).await?;
        if args.json {
            serde_json::to_writer_pretty(&mut *out, &report)?;
            writeln!(out)?;
        } else {
            show(&report, out)?;
        }
        Ok(exit_of(&report) as u8)
    })
}

/// A problem is told by 4 whatever else there is; that Stripe was not there passes.
fn exit_of(report: &Report) -> Exit {
    if report.counts.problem > 0 {
        Exit::Problems
    } else if report.stripe == Reach::Unreachable {
        Exit::Temporary
    } else {
        Exit::Ok
    }
}

/// The report for people, by area.
fn show(report: &Report, out: &mut dyn Write) -> std::io::Result<()> {
    for area in Area::ALL {
        writeln!(out, "{}", area.title())?;
        for finding in report.of(area) {
            line(finding, out)?;
        }
        writeln!(out)?;
    }
    writeln!(out, "{}", report.sentence())
}

fn line(finding: &Finding, out: &mut dyn Write) -> std::io::Result<()> {
    let sign = match finding.state {
        State::Ok => "ok",
        State::NotLookedAt => "-",
        State::Warning => "warning",
        State::Problem => "PROBLEM",
    };
    writeln!(out, "  {sign:<8} {}: {}", finding.title, finding.seen)?;
    for example in &finding.examples {
        writeln!(out, "           · {example}")?;
    }
    if let Some(next) = &finding.next {
        writeln!(out, "           → {next}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Counts;
    use crate::domain::time::Timestamp;

    #[test]
    fn problems_come_first_then_that_stripe_was_not_there() {
        let exit = |problem, warning, stripe| {
            exit_of(&Report {
                at: Timestamp::default(),
                stripe,
                stripe_asked_at: None,
                counts: Counts {
                    warning,
                    problem,
                    ..Counts::default()
                },
                checks: Vec::new(),
            })
        };
        assert_eq!(exit(0, 3, Reach::Asked), Exit::Ok);
        assert_eq!(exit(0, 0, Reach::NotAsked), Exit::Ok);
        assert_eq!(exit(0, 1, Reach::Unreachable), Exit::Temporary);
        assert_eq!(exit(1, 0, Reach::Unreachable), Exit::Problems);
    }
}
