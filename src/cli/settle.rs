//! `qualify settle`: runs the batch that the schedule wants, one by hand, or shows what one
//! would do. Every stored event is read and judged first, so that nothing is settled on less.

use std::collections::BTreeMap;
use std::io::Write;

use super::settings::SettingsArgs;
use super::{Exit, database};
use crate::access::audit::{Action, announce};
use crate::app::Opened;
use crate::domain::access::By;
use crate::domain::currency::Currency;
use crate::domain::money::Money;
use crate::domain::time::Timestamp;
use crate::random;
use crate::settle::items::Planned;
use crate::settle::plan::preview;
use crate::settle::schedule::{Ran, is_elsewhere, next, run_due, run_now_for};
use crate::store::batch_items::{BatchItem, ItemAction};
use crate::store::qualifications::Qualification;

/// `qualify settle`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Show what `--now` would do; nothing is settled
    #[arg(long, conflicts_with = "now")]
    dry_run: bool,
    /// Settle what is due at this moment, whatever the schedule says
    #[arg(long)]
    now: bool,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

/// Runs `qualify settle`.
pub fn run(args: &Args, settings: &SettingsArgs, out: &mut dyn Write) -> anyhow::Result<u8> {
    database::work(settings, |opened| async move {
        database::drain(&opened).await?;
        if args.dry_run {
            return dry_run(&opened, args.json, out).await;
        }
        let (db, id, clock) = (&opened.db, opened.id(), opened.clock.as_ref());
        let schedule = &opened.config.settle_cron.schedule;
        let node = random::node_id()?;
        let ran = if args.now {
            let entry = (
                Action::BatchRun,
                "batches".to_owned(),
                serde_json::json!({}),
            );
            let by = By::command_line();
            announce(db, id, clock.now_us(), &by, entry).await?;
            match run_now_for(db, id, &node, clock, Some(&by)).await {
                Err(error) if is_elsewhere(&error) => {
                    let said = "another node is settling; try again when its batch is done";
                    database::say(said);
                    return Ok(Exit::Temporary as u8);
                }
                ran => ran?,
            }
        } else {
            run_due(db, id, schedule, &node, clock).await?
        };
        if args.json {
            return json(ran.as_ref(), out);
        }
        match ran {
            Some(ran) => writeln!(out, "{}", words(&ran))?,
            None if args.now => writeln!(out, "nothing is due")?,
            None => {
                let next = next(schedule, clock.now()).map_or("never".to_owned(), Timestamp::words);
                writeln!(
                    out,
                    "the batch of this slot has run; the next one is {next}"
                )?;
            }
        }
        Ok(Exit::Ok as u8)
    })
}

fn words(ran: &Ran) -> String {
    let totals = &ran.totals;
    format!(
        "{}: {} settled, {} reversed, {} reinstated, {} skipped",
        ran.batch, totals.settled, totals.reversed, totals.reinstated, totals.skipped
    )
}

fn json(ran: Option<&Ran>, out: &mut dyn Write) -> anyhow::Result<u8> {
    #[derive(serde::Serialize)]
    struct Shown<'r> {
        batch: Option<&'r str>,
        settled: i64,
        reversed: i64,
        reinstated: i64,
        skipped: i64,
    }
    let totals = ran.map(|ran| ran.totals).unwrap_or_default();
    let shown = Shown {
        batch: ran.map(|ran| ran.batch.as_str()),
        settled: totals.settled,
        reversed: totals.reversed,
        reinstated: totals.reinstated,
        skipped: totals.skipped,
    };
    serde_json::to_writer(&mut *out, &shown)?;
    writeln!(out)?;
    Ok(Exit::Ok as u8)
}

/// One line of the preview.
#[derive(serde::Serialize)]
struct Row {
    action: &'static str,
    promoter: String,
    campaign: String,
    referral: String,
    amounts: Vec<crate::domain::verdict::Reward>,
    reason: String,
}

async fn dry_run(opened: &Opened, json: bool, out: &mut dyn Write) -> anyhow::Result<u8> {
    let clock = opened.clock.as_ref();
    let (mut rows, mut totals) = (Vec::new(), BTreeMap::new());
    let show = |page: Vec<Planned>| {
        for (item, qualification) in page {
            add(&mut totals, &item);
            rows.push(row(item, &qualification));
        }
    };
    preview(&opened.db, opened.id(), clock, clock.now(), show).await?;
    if json {
        #[derive(serde::Serialize)]
        struct Preview<'p> {
            items: &'p [Row],
            totals: &'p BTreeMap<Currency, i64>,
        }
        let (items, totals) = (&rows[..], &totals);
        serde_json::to_writer_pretty(&mut *out, &Preview { items, totals })?;
        writeln!(out)?;
        return Ok(Exit::Ok as u8);
    }
    if rows.is_empty() {
        writeln!(out, "nothing is due")?;
        return Ok(Exit::Ok as u8);
    }
    let mut table = comfy_table::Table::new();
    table.load_preset(comfy_table::presets::NOTHING);
    table.set_header([
        "ACTION", "PROMOTER", "CAMPAIGN", "REFERRAL", "AMOUNT", "WHY",
    ]);
    for row in &rows {
        let amounts = row.amounts.iter().map(|reward| {
            let money = Money::new(reward.amount_minor, reward.currency);
            format!("{money} to the {}", reward.to.person())
        });
        let amounts = amounts.collect::<Vec<_>>().join(", ");
        table.add_row([
            row.action,
            &row.promoter,
            &row.campaign,
            &row.referral,
            &amounts,
            &row.reason,
        ]);
    }
    for line in table.lines() {
        writeln!(out, "{}", line.trim())?;
    }
    for (currency, minor) in &totals {
        writeln!(out, "total {}", Money::new(*minor, *currency))?;
    }
    Ok(Exit::Ok as u8)
}

fn row(item: BatchItem, qualification: &Qualification) -> Row {
    Row {
        action: item.action.name(),
        promoter: qualification.promoter.to_string(),
        campaign: qualification.campaign.to_string(),
        referral: qualification.referral.to_string(),
        amounts: item.amounts,
        reason: item.reason,
    }
}

/// Adds what would be booked, by currency; what is skipped is not.
fn add(totals: &mut BTreeMap<Currency, i64>, item: &BatchItem) {
    let booked = item.action != ItemAction::Skip;
    for reward in item.amounts.iter().filter(|_| booked) {
        let sum = totals.entry(reward.currency).or_default();
        *sum = sum.saturating_add(reward.amount_minor);
    }
}
