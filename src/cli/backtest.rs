//! `qualify backtest`: campaign files tried on past events, without a server or a database.
//! It reads, asks [`offline`](crate::offline), and prints.

use std::io::Write;
use std::path::PathBuf;

use super::progress::{Progress, Shown};
use super::settings::SettingsArgs;
use super::{Exit, database};
use crate::app;
use crate::clock::SystemClock;
use crate::domain::campaign::Campaign;
use crate::domain::time::Timestamp;
use crate::offline::streamed::{BacktestError, Held, Means, Output};
use crate::offline::{
    Answer, Files, Notes, Request, Stored, backtest_files, backtest_stored, render,
};
use crate::rules;

/// Bytes of verdicts written at a time.
const OUT_BYTES: usize = 1024 * 1024;

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
    /// Where to put aside what does not fit into memory [default: the system's folder]
    #[arg(long, value_name = "FOLDER")]
    tmp_dir: Option<PathBuf>,
    /// Tell on stderr how far it is; `auto` does on a terminal, unless --json
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    progress: Shown,
}

const FORMATS: &str = "promoters.csv: id,name,email,code,coupons (coupon IDs separated by `;`)\n\
referrals.csv: id,campaign,promoter,email,uid,stripe_customer_id,referred_at (blank = unknown; at \
least one of email, uid, stripe_customer_id)\nColumns may come in any order. Lines that cannot be \
used are told on stderr and passed over.";

/// Runs `qualify backtest`: verdicts to `out`, complaints to stderr.
pub fn run(args: &Args, settings: &SettingsArgs, out: &mut dyn Write) -> anyhow::Result<u8> {
    let mut stderr = std::io::stderr();
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
    let request = Request {
        campaigns: &campaigns,
        against: (!args.against.is_empty()).then_some(&others),
        at: args.at,
        output: if args.json {
            Output::Json
        } else {
            Output::Table
        },
        means: Means {
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            folder: args.tmp_dir.clone(),
            held: Held::default(),
        },
    };
    let progress = Progress::new(args.progress.is_wanted(args.json));
    let mut out = std::io::BufWriter::with_capacity(OUT_BYTES, out);
    let answered = if args.from_db {
        from_database(&request, settings, &mut notes, &progress, &mut out)
    } else {
        let files = Files {
            events: args.events.clone(),
            referrals: args.referrals.clone(),
            promoters: args.promoters.clone(),
            strict: args.strict,
        };
        backtest_files(&files, &request, &mut notes, &progress, &mut out).map_err(Into::into)
    };
    progress.finish();
    let answer = match answered {
        Ok(answer) => answer,
        Err(error) => return ended(error, &mut notes),
    };
    if let Some(difference) = &answer.difference {
        let name = args.against.iter().map(|path| path.display().to_string());
        let name = name.collect::<Vec<_>>().join(" ");
        let mut text = Vec::new();
        render::difference(&name, difference, &mut text)?;
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

/// What is the fault of files or rules is told as it is; anything else is a failure.
fn ended(error: anyhow::Error, notes: &mut Notes<'_>) -> anyhow::Result<u8> {
    let code = match error.downcast_ref::<BacktestError>() {
        Some(BacktestError::NoInstant) => Exit::Usage,
        Some(BacktestError::Trial(_) | BacktestError::Unusable { .. }) => Exit::Problems,
        Some(BacktestError::Read(read)) if read.is_content() => Exit::Problems,
        _ => return Err(error),
    };
    notes.say(error);
    Ok(code as u8)
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

/// On what the configured database holds.
fn from_database(
    request: &Request<'_>,
    settings: &SettingsArgs,
    notes: &mut Notes<'_>,
    progress: &Progress,
    out: &mut dyn Write,
) -> anyhow::Result<Answer> {
    let config = database::configured(settings)?;
    let runtime = database::runtime()?;
    let opened = runtime.block_on(app::open(config, SystemClock::shared()))?;
    let scope = opened.scope();
    let stored = Stored {
        runtime: runtime.handle(),
        db: &opened.db,
        connection: opened.id(),
        scope: &scope,
    };
    let answer = backtest_stored(&stored, request, notes, progress, out);
    runtime.block_on(opened.db.close());
    Ok(answer?)
}
