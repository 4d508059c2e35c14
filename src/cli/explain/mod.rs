//! `qualify explain <referral|email|customer>`: the verdict judged afresh on stored facts, with
//! its evidence and its history. Nothing is written.

mod find;
mod timeline;

use std::collections::BTreeSet;
use std::io::Write;

use super::settings::SettingsArgs;
use super::{Exit, database};
use crate::app::Opened;
use crate::domain::ids::ReferralId;
use crate::domain::time::Timestamp;
use crate::domain::verdict::Verdict;
use crate::evaluate::explain::{sentence, text};
use crate::queue::judging::judge;
use crate::queue::neighbourhood::Seeds;
use crate::queue::transition::as_shown;
use crate::queue::worker::{in_force_last, prepare};
use crate::store::Tx;
use crate::store::qualifications::{Qualification, qualifications_of_referrals};
use crate::store::verdicts::{VerdictKey, get_verdict};

use find::{Found, NotFound};
use timeline::Moment;

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

/// One explained referral.
#[derive(serde::Serialize)]
struct Explained {
    verdict: Verdict,
    /// What is stored, where that is another: it waits to be judged again.
    #[serde(skip_serializing_if = "Option::is_none")]
    stored: Option<String>,
    timeline: Vec<Moment>,
}

/// Runs `qualify explain`.
pub fn run(args: &Args, settings: &SettingsArgs, out: &mut dyn Write) -> anyhow::Result<u8> {
    database::look(settings, args.at, |opened| async move {
        let mut tx = opened.db.read().await?;
        let code = match find::find(&mut tx, opened.id(), &args.who).await? {
            Ok(found) => {
                let all = explained(&mut tx, &opened, &found).await?;
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

async fn explained(tx: &mut Tx, opened: &Opened, found: &Found) -> anyhow::Result<Vec<Explained>> {
    let ids: BTreeSet<ReferralId> = found.referrals.clone();
    let seeds = Seeds {
        referrals: ids.clone(),
        customers: found.customers.clone(),
    };
    let prepared = prepare(tx, opened.id(), seeds).await?;
    let judged = judge(&prepared.neighbourhood, opened.clock.now()).judged;
    let mut all = Vec::new();
    for (key, judged) in judged {
        let about = judged
            .verdict
            .customers
            .iter()
            .any(|c| found.customers.contains(&c.id));
        if ids.contains(&key.1) || about {
            all.push(explain(tx, opened, &key, &judged.verdict).await?);
        }
    }
    Ok(all)
}

async fn explain(
    tx: &mut Tx,
    opened: &Opened,
    key: &VerdictKey,
    verdict: &Verdict,
) -> anyhow::Result<Explained> {
    let referral = std::slice::from_ref(&key.1);
    let of_referral = qualifications_of_referrals(tx, opened.id(), referral).await?;
    let mine = of_referral.into_iter().filter(|q| q.campaign == key.0);
    let mut qualifications: Vec<Qualification> = mine.collect();
    in_force_last(&mut qualifications);
    let stored = get_verdict(tx, opened.id(), &key.0, &key.1).await?;
    let stored = match stored {
        None => Some("no verdict is stored yet; it waits to be judged".to_owned()),
        Some(stored) if stored.verdict != *verdict => Some(format!(
            "{} (judged {}; it waits to be judged again)",
            sentence(&stored.verdict),
            stored.evaluated_at.words()
        )),
        Some(_) => None,
    };
    Ok(Explained {
        verdict: as_shown(verdict, qualifications.last()),
        stored,
        timeline: timeline::of(tx, opened.id(), verdict, &qualifications).await?,
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
