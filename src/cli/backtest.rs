//! `qualify backtest`: campaign files tried on past events, without a server or a database.
//! It reads, asks [`offline`](crate::offline), and prints.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;

use super::settings::SettingsArgs;
use super::{Exit, database};
use crate::app;
use crate::clock::SystemClock;
use crate::domain::campaign::Campaign;
use crate::domain::ids::CampaignId;
use crate::domain::time::Timestamp;
use crate::domain::verdict::Verdict;
use crate::evaluate::backtest::Difference;
use crate::offline::{Files, History, Judged, Notes, judge, read_files, render, stored_history};
use crate::rules;

/// `qualify backtest`
#[derive(Debug, clap::Args)]
#[command(after_help = FORMATS)]
pub struct Args {
    /// Campaign files and folders [default: the folder of `RULES_DIR`]
    #[arg(long, value_name = "PATH", num_args = 1..)]
    rules: Vec<PathBuf>,
    /// Stripe events, one JSON object a line; `-` is stdin, gzip is recognised
    #[arg(
        long,
        value_name = "FILE",
        required_unless_present = "from_db",
        num_args = 1..
    )]
    events: Vec<PathBuf>,
    /// Who was referred, by whom and when
    #[arg(long, value_name = "CSV", required_unless_present = "from_db")]
    referrals: Option<PathBuf>,
    /// The promoters and their coupon IDs
    #[arg(long, value_name = "CSV", required_unless_present = "from_db")]
    promoters: Option<PathBuf>,
    /// Take events, referrals and promoters from the database instead
    #[arg(long, conflicts_with_all = ["events", "referrals", "promoters", "strict"])]
    from_db: bool,
    /// The instant to decide for [default: the newest event]
    #[arg(long, value_name = "TIME", value_parser = super::database::instant)]
    at: Option<Timestamp>,
    /// One JSON object per referral and nothing else
    #[arg(long)]
    json: bool,
    /// A second rule set: who would newly qualify with it, who would drop out, at what cost
    #[arg(long, value_name = "PATH", num_args = 1..)]
    against: Vec<PathBuf>,
    /// Do not go on if any line cannot be used
    #[arg(long)]
    strict: bool,
}

const FORMATS: &str = "promoters.csv: id,name,email,code,coupons (coupon IDs separated by `;`)\n\
referrals.csv: id,campaign,promoter,email,uid,stripe_customer_id,referred_at (blank = unknown; at \
least one of email, uid, stripe_customer_id)\nColumns may come in any order. Lines that cannot be \
used are told on stderr and passed over.";

/// Runs `qualify backtest`: verdicts to `out`, complaints to stderr.
pub fn run(args: &Args, settings: &SettingsArgs, out: &mut dyn Write) -> anyhow::Result<u8> {
    let mut stderr = std::io::stderr().lock();
    let mut notes = Notes::new(&mut stderr);
    let paths = if args.rules.is_empty() {
        vec![settings.load()?.rules_dir]
    } else {
        args.rules.clone()
    };
    let (Some(campaigns), Some(others)) =
        (load(&paths, &mut notes), load(&args.against, &mut notes))
    else {
        return Ok(Exit::Problems as u8);
    };
    let ids = campaigns.iter().chain(&others).map(|c| c.id.clone());
    let Some(history) = history(args, &ids.collect(), settings, &mut notes)? else {
        return Ok(Exit::Problems as u8);
    };
    let Some(as_of) = args.at.or(history.newest) else {
        notes.say("no event says when to decide for; give the instant with --at");
        return Ok(Exit::Usage as u8);
    };
    let judged = match judge(&history, &campaigns, as_of) {
        Ok(judged) => judged,
        Err(problem) => {
            notes.say(problem);
            return Ok(Exit::Problems as u8);
        }
    };
    let mut out = std::io::BufWriter::new(out);
    print(&judged, as_of, args.json, &mut out)?;
    if !args.against.is_empty() {
        let other = match judge(&history, &others, as_of) {
            Ok(other) => other,
            Err(problem) => {
                notes.say(problem);
                return Ok(Exit::Problems as u8);
            }
        };
        let difference = Difference::between(&all(judged), &all(other));
        let name = args.against.iter().map(|path| path.display().to_string());
        let name = name.collect::<Vec<_>>().join(" ");
        let mut text = Vec::new();
        render::difference(&name, &difference, &mut text)?;
        // Stdout belongs to the objects when they were asked for.
        if args.json {
            notes.say(String::from_utf8_lossy(&text).trim_end());
        } else {
            out.write_all(&text)?;
        }
    }
    out.flush()?;
    Ok(Exit::Ok as u8)
}

/// The campaigns at these paths; `None` if there are problems, which have been told.
fn load(paths: &[PathBuf], notes: &mut Notes<'_>) -> Option<Vec<Campaign>> {
    match rules::load(paths) {
        Ok(set) => Some(set.campaigns),
        Err(problems) => {
            for problem in problems {
                notes.say(problem);
            }
            None
        }
    }
}

/// The history to try the rules on; `None` if it cannot be used, which has been told.
fn history(
    args: &Args,
    campaigns: &BTreeSet<CampaignId>,
    settings: &SettingsArgs,
    notes: &mut Notes<'_>,
) -> anyhow::Result<Option<History>> {
    if args.from_db {
        return from_database(args.at, settings, notes).map(Some);
    }
    let files = Files {
        events: args.events.clone(),
        referrals: args.referrals.clone(),
        promoters: args.promoters.clone(),
    };
    let (history, events) = match read_files(&files, campaigns, args.at, notes) {
        Ok(read) => read,
        Err(problem) if problem.is_content() => {
            notes.say(problem);
            return Ok(None);
        }
        Err(problem) => return Err(problem.into()),
    };
    notes.say(events.summary());
    let unusable = notes.count();
    if args.strict && unusable > 0 {
        let lines = if unusable == 1 { "line" } else { "lines" };
        notes.say(format!(
            "{unusable} {lines} cannot be used; --strict goes no further"
        ));
        return Ok(None);
    }
    Ok(Some(history))
}

/// The history of the configured database.
fn from_database(
    until: Option<Timestamp>,
    settings: &SettingsArgs,
    notes: &mut Notes<'_>,
) -> anyhow::Result<History> {
    let config = database::configured(settings)?;
    database::run(async {
        let opened = app::open(config, SystemClock::shared()).await?;
        let scope = opened.scope();
        let stored = stored_history(&opened.db, opened.id(), &scope, until).await;
        opened.db.close().await;
        let (history, events) = stored?;
        notes.say(events.summary());
        Ok(history)
    })
}

fn print(
    judged: &[Judged<'_>],
    as_of: Timestamp,
    json: bool,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    for judged in judged {
        if !json {
            render::campaign(judged, as_of, out)?;
            continue;
        }
        for verdict in &judged.verdicts {
            serde_json::to_writer(&mut *out, verdict)?;
            writeln!(out)?;
        }
    }
    Ok(())
}

fn all(judged: Vec<Judged<'_>>) -> Vec<Verdict> {
    judged
        .into_iter()
        .flat_map(|judged| judged.verdicts)
        .collect()
}
