//! `qualify import promoters|referrals|events FILE`: takes in what files tell, by the rules of
//! the API and of the webhook endpoint. Again, it changes nothing.

mod events;
mod people;

use std::io::Write;
use std::path::PathBuf;

use super::settings::SettingsArgs;
use super::{Exit, database};
use crate::access::audit::{Action, announce};
use crate::app::Opened;
use crate::domain::access::By;
use crate::offline::Notes;

/// `qualify import …`
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// CSV: `id,name,email,code,coupons` (coupon IDs separated by `;`)
    Promoters(FileArgs),
    /// CSV: `id,campaign,promoter,email,uid,stripe_customer_id,referred_at`
    Referrals(FileArgs),
    /// Stripe events, one JSON object a line, stored as if they had been delivered
    Events(FileArgs),
}

#[derive(Debug, clap::Args)]
struct FileArgs {
    /// The file; `-` is stdin, gzip is recognised
    file: PathBuf,
    /// Exit with 4 if any line cannot be used; the others are taken in all the same
    #[arg(long)]
    strict: bool,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

/// What became of the lines.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub(super) struct Imported {
    /// New.
    new: u64,
    /// There before, and other now.
    changed: u64,
    /// There before, and the same.
    unchanged: u64,
    /// Events kept, but not used, because they are of another mode or account, or of a kind
    /// that is not read.
    set_aside: u64,
    /// Lines that cannot be used; each is told on stderr.
    unusable: u64,
}

/// Runs `qualify import …`.
pub fn run(args: &Args, settings: &SettingsArgs, out: &mut dyn Write) -> anyhow::Result<u8> {
    let (What::Promoters(file) | What::Referrals(file) | What::Events(file)) = &args.what;
    database::work(settings, |opened| async move {
        let mut stderr = std::io::stderr();
        let mut notes = Notes::new(&mut stderr);
        let imported = take_in(&args.what, &opened, file, &mut notes).await?;
        let Some(mut imported) = imported else {
            return Ok(Exit::Problems as u8);
        };
        imported.unusable = notes.count();
        if matches!(args.what, What::Events(_)) && imported.new > 0 {
            let what = serde_json::json!({ "events": imported.new });
            let entry = (Action::EventsImported, "events".to_owned(), what);
            let (by, now_us) = (By::command_line(), opened.clock.now_us());
            announce(&opened.db, opened.id(), now_us, &by, entry).await?;
        }
        database::drain(&opened).await?;
        show(&imported, file.json, out)?;
        Ok(if file.strict && imported.unusable > 0 {
            Exit::Problems as u8
        } else {
            Exit::Ok as u8
        })
    })
}

/// `None` if the file is no such table, or its coupons contradict each other; it was told.
async fn take_in(
    what: &What,
    opened: &Opened,
    file: &FileArgs,
    notes: &mut Notes<'_>,
) -> anyhow::Result<Option<Imported>> {
    use anyhow::Context;
    let source = crate::offline::source::open(&file.file)
        .with_context(|| format!("cannot read {}", file.file.display()))?;
    match what {
        What::Promoters(_) => people::promoters(opened, source, notes).await,
        What::Referrals(_) => people::referrals(opened, source, notes).await,
        What::Events(_) => events::import(opened, source, notes).await.map(Some),
    }
}

fn show(imported: &Imported, json: bool, out: &mut dyn Write) -> anyhow::Result<()> {
    if json {
        serde_json::to_writer(&mut *out, imported)?;
        writeln!(out)?;
        return Ok(());
    }
    let mut text = format!("{} new", imported.new);
    let rest = [
        (imported.changed, "changed"),
        (imported.unchanged, "there already"),
        (imported.set_aside, "set aside"),
        (imported.unusable, "unusable"),
    ];
    for (count, what) in rest.into_iter().filter(|(count, _)| *count > 0) {
        text = format!("{text}, {count} {what}");
    }
    writeln!(out, "{text}")?;
    Ok(())
}
