//! `qualify settle`: runs the batch that the schedule wants, one by hand, or shows what one
//! would do. Every stored event is read and judged first, so that nothing is settled on less.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;

use super::settings::SettingsArgs;
use super::{Exit, database};
use crate::access::audit::{Action, announce};
use crate::app::Opened;
use crate::domain::access::By;
use crate::domain::currency::Currency;
use crate::domain::ids::QualificationId;
use crate::domain::money::Money;
use crate::domain::time::Timestamp;
use crate::settle::plan::preview;
use crate::settle::schedule::{Ran, next, run_due, run_now};
use crate::store::batches::{BatchItem, ItemAction};
use crate::store::qualifications::{Qualification, load_qualifications};

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
        let ran = if args.now {
            let entry = (
                Action::BatchRun,
                "batches".to_owned(),
                serde_json::json!({}),
            );
            announce(db, id, clock.now_us(), &By::command_line(), entry).await?;
            run_now(db, id, clock).await?
        } else {
            run_due(db, id, schedule, clock).await?
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
    let now = opened.clock.now();
    let items = preview(&opened.db, opened.id(), now, now).await?;
    let ids: Vec<QualificationId> = items.iter().map(|i| i.qualification.clone()).collect();
    let mut tx = opened.db.read().await?;
    let loaded = load_qualifications(&mut tx, opened.id(), &ids).await?;
    tx.rollback().await?;
    let totals = totals(&items);
    let by_id: HashMap<_, _> = loaded.into_iter().map(|q| (q.id.clone(), q)).collect();
    let rows: Vec<Row> = items
        .into_iter()
        .map(|item| {
            let qualification = by_id.get(&item.qualification);
            row(item, qualification)
        })
        .collect();
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

fn row(item: BatchItem, qualification: Option<&Qualification>) -> Row {
    let text = |pick: fn(&Qualification) -> &str| {
        qualification.map_or_else(|| "?".to_owned(), |q| pick(q).to_owned())
    };
    Row {
        action: item.action.name(),
        promoter: text(|q| q.promoter.as_str()),
        campaign: text(|q| q.campaign.as_str()),
        referral: text(|q| q.referral.as_str()),
        amounts: item.amounts,
        reason: item.reason,
    }
}

/// What would be booked, by currency; what is skipped is not.
fn totals(items: &[BatchItem]) -> BTreeMap<Currency, i64> {
    let mut totals = BTreeMap::new();
    let booked = items.iter().filter(|i| i.action != ItemAction::Skip);
    for reward in booked.flat_map(|item| &item.amounts) {
        let sum: &mut i64 = totals.entry(reward.currency).or_default();
        *sum = sum.saturating_add(reward.amount_minor);
    }
    totals
}
