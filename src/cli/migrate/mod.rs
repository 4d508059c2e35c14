//! `qualify migrate`: brings the database's tables up to date, or says whether that is needed;
//! with `--to`, moves everything into another database.

mod copy;

pub(super) use copy::code_of;

use std::io::Write;

use super::settings::SettingsArgs;
use super::{Exit, database};
use crate::app::StartError;
use crate::store::{ConnectOptions, Db};

/// `qualify migrate`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only say whether it is needed: exit 0 if not, 4 if it is
    #[arg(long, conflicts_with = "to")]
    check: bool,
    /// Copy everything into this empty database, of either engine, and compare
    #[arg(long, value_name = "URL")]
    to: Option<String>,
    /// Copy from this database [default: what `DATABASE_URL` says]
    #[arg(long, value_name = "URL", requires = "to")]
    from: Option<String>,
    /// Do not recompute everything in the copy afterwards; rows are compared all the same
    #[arg(long, requires = "to")]
    no_verify: bool,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

#[derive(serde::Serialize)]
struct Answer {
    up_to_date: bool,
    migrated: bool,
}

/// Runs `qualify migrate`.
pub fn run(args: &Args, settings: &SettingsArgs, out: &mut dyn Write) -> anyhow::Result<u8> {
    if let Some(to) = &args.to {
        // Whole tables are read by one statement each, which is slow and no news.
        let config = database::configured_but(settings, ",sqlx::query=error")?;
        let from = args.from.as_deref();
        let from = from.unwrap_or_else(|| config.database_url.expose());
        return copy::run(from, to, args, out);
    }
    let config = database::configured(settings)?;
    let answer = database::run(async {
        let options = ConnectOptions::default();
        let url = config.database_url.expose();
        let db = Db::connect(url, &options).await.map_err(StartError::from)?;
        let was = db.is_migrated().await?;
        if !was && !args.check {
            db.migrate().await?;
        }
        db.close().await;
        Ok(Answer {
            up_to_date: was || !args.check,
            migrated: !was && !args.check,
        })
    })?;
    if args.json {
        serde_json::to_writer(&mut *out, &answer)?;
        writeln!(out)?;
    } else {
        let text = match (answer.migrated, answer.up_to_date) {
            (true, _) => "the tables are up to date now",
            (false, true) => "the tables are up to date",
            (false, false) => "the tables are not up to date; run `qualify migrate`",
        };
        writeln!(out, "{text}")?;
    }
    Ok(if answer.up_to_date {
        Exit::Ok as u8
    } else {
        Exit::Problems as u8
    })
}
