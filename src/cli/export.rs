//! `qualify export events|referrals|promoters`: the files that `backtest` and `import` read.
//! Page by page, so that any amount fits. Cells are written as they are: what spreadsheets
//! could take for a formula is quoted in the pages' CSV only, because this has to read back.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::settings::SettingsArgs;
use super::{Exit, database};
use crate::app::Opened;
use crate::domain::email::CanonicalEmail;
use crate::domain::ids::{CouponId, EventId, PromoterId};
use crate::offline::compact::compact;
use crate::offline::{promoters, referrals};
use crate::store::events::{EventCursor, event_page};
use crate::store::promoters::list_promoters;
use crate::store::referrals::referral_page;

/// Rows read at a time.
const PAGE: u32 = 500;

/// `qualify export …`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to write
    #[arg(value_enum)]
    what: What,
    /// Write into this file instead of stdout; it appears when it is whole
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum What {
    /// Stored Stripe events in the order of arrival, one a line
    Events,
    /// Registered referrals as CSV; those that a coupon makes follow from the events
    Referrals,
    /// Promoters as CSV
    Promoters,
}

/// Runs `qualify export …`.
pub fn run(args: &Args, settings: &SettingsArgs, out: &mut dyn Write) -> anyhow::Result<u8> {
    database::look(settings, None, |opened| async move {
        match &args.out {
            None => write(args.what, &opened, out).await?,
            Some(path) => {
                let cannot = || format!("cannot write {}", path.display());
                let part = unfinished(path);
                let mut file = std::fs::File::create(&part).with_context(cannot)?;
                write(args.what, &opened, &mut file).await?;
                file.sync_all().with_context(cannot)?;
                std::fs::rename(&part, path).with_context(cannot)?;
            }
        }
        Ok(Exit::Ok as u8)
    })
}

fn unfinished(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    name.into()
}

async fn write(what: What, opened: &Opened, out: &mut dyn Write) -> anyhow::Result<()> {
    let mut out = BufWriter::new(out);
    match what {
        What::Events => events(opened, &mut out).await?,
        What::Referrals => referrals_csv(opened, &mut out).await?,
        What::Promoters => promoters_csv(opened, &mut out).await?,
    }
    out.flush()?;
    Ok(())
}

async fn events(opened: &Opened, out: &mut dyn Write) -> anyhow::Result<()> {
    let mut after: Option<EventCursor> = None;
    let mut unreadable = 0_u64;
    loop {
        // A transaction a page: a long export must not hold the database's past alive.
        let mut tx = opened.db.read().await?;
        let page = event_page(&mut tx, opened.id(), after.as_ref(), PAGE).await?;
        tx.rollback().await?;
        for event in &page {
            let Some(compacted) = compact(&event.body) else {
                unreadable += 1;
                continue;
            };
            let multiline = event.body.iter().any(|b| matches!(b, b'\n' | b'\r'));
            out.write_all(if multiline { &compacted } else { &event.body })?;
            out.write_all(b"\n")?;
        }
        let Some(last) = page.last().filter(|_| page.len() >= PAGE as usize) else {
            break;
        };
        after = Some(EventCursor {
            received_at_us: last.received_at_us,
            event_id: EventId::from(last.event_id.as_str()),
        });
    }
    if unreadable > 0 {
        database::say(format_args!(
            "{unreadable} stored bodies are not JSON and were left out"
        ));
    }
    Ok(())
}

async fn referrals_csv(opened: &Opened, out: &mut dyn Write) -> anyhow::Result<()> {
    let mut table = csv::Writer::from_writer(out);
    table.write_record(referrals::COLUMNS)?;
    let mut after = None;
    loop {
        let mut tx = opened.db.read().await?;
        let page = referral_page(&mut tx, opened.id(), after.as_ref(), PAGE).await?;
        tx.rollback().await?;
        for referral in &page {
            table.write_record([
                referral.id.as_str(),
                referral.campaign.as_str(),
                referral.promoter.as_ref().map_or("", PromoterId::as_str),
                referral.email.as_ref().map_or("", CanonicalEmail::as_str),
                referral.uid.as_deref().unwrap_or_default(),
                referral.stripe_customer_id.as_deref().unwrap_or_default(),
                &referral.referred_at.to_string(),
            ])?;
        }
        let Some(last) = page.last().filter(|_| page.len() >= PAGE as usize) else {
            break;
        };
        after = Some(last.id.clone());
    }
    table.flush()?;
    Ok(())
}

async fn promoters_csv(opened: &Opened, out: &mut dyn Write) -> anyhow::Result<()> {
    let mut table = csv::Writer::from_writer(out);
    table.write_record(promoters::COLUMNS)?;
    let mut after = None;
    loop {
        let mut tx = opened.db.read().await?;
        let page = list_promoters(&mut tx, opened.id(), after.as_ref(), PAGE).await?;
        tx.rollback().await?;
        for promoter in page.iter().map(|stored| &stored.promoter) {
            let coupons: Vec<&str> = promoter.coupons.iter().map(CouponId::as_str).collect();
            table.write_record([
                promoter.id.as_str(),
                &promoter.name,
                promoter.email.as_ref().map_or("", CanonicalEmail::as_str),
                promoter.code.as_deref().unwrap_or_default(),
                &coupons.join(";"),
            ])?;
        }
        let Some(last) = page.last().filter(|_| page.len() >= PAGE as usize) else {
            break;
        };
        after = Some(last.promoter.id.clone());
    }
    table.flush()?;
    Ok(())
}
