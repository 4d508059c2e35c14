//! `qualify explain <referral|email|customer>`: the verdict judged afresh on stored facts, with
//! its evidence and its history. Nothing is written.

use std::io::Write;

use super::settings::SettingsArgs;
use super::{Exit, database};
use crate::domain::time::Timestamp;
use crate::evaluate::explain::text;
use crate::registry::explain::{Explained, Found, NotFound, explain, find};

/// `qualify explain`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A referral's id or uid, an email, or a Stripe customer's id
    #[arg(value_name = "REFERRAL|EMAIL|CUSTOMER")]
    who: String,
    /// Judge for this instant instead of now
    #[arg(long, value_name = "TIME", value_parser = database::instant)]
    at: Option<Timestamp>,
    /// One JSON array
    #[arg(long)]
    json: bool,
}

/// Runs `qualify explain`.
pub fn run(args: &Args, settings: &SettingsArgs, out: &mut dyn Write) -> anyhow::Result<u8> {
    database::look(settings, args.at, |opened| async move {
        let mut tx = opened.db.read().await?;
        let code = match find(&mut tx, opened.id(), &args.who, usize::MAX).await? {
            Ok(found) => {
                let who = (&found.referrals, &found.customers);
                let all = explain(&mut tx, opened.id(), who, opened.clock.now()).await?;
                show(&all, &found, args, out)?;
                Exit::Ok
            }
            Err(not_found) => {
                complain(&args.who, &not_found);
                if args.json {
                    writeln!(out, "[]")?;
                }
                Exit::NotFound
            }
        };
        tx.rollback().await?;
        Ok(code as u8)
    })
}

fn show(all: &[Explained], found: &Found, args: &Args, out: &mut dyn Write) -> anyhow::Result<()> {
    if args.json {
        serde_json::to_writer_pretty(&mut *out, all)?;
        writeln!(out)?;
        return Ok(());
    }
    if all.len() > 1 {
        writeln!(out, "{} referrals: {}\n", all.len(), found.how.join("; "))?;
    }
    for (index, one) in all.iter().enumerate() {
        if index > 0 {
            writeln!(out)?;
        }
        write!(out, "{}", text(&one.verdict))?;
        if let Some(stored) = &one.stored {
            writeln!(out, "  stored   {stored}")?;
        }
        for moment in &one.timeline {
            writeln!(out, "  {}  {}", moment.at.words(), moment.what)?;
        }
    }
    Ok(())
}

fn complain(who: &str, not_found: &NotFound) {
    database::say(format_args!("nothing is known of `{who}`"));
    for tried in &not_found.tried {
        database::say(format_args!("  tried: {tried}"));
    }
    for near in &not_found.near {
        database::say(format_args!("  near:  {near}"));
    }
}
