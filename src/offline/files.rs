//! Reads a whole history from files: events, promoters, referrals, in the order in which one
//! helps to check the next.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;

use super::events::blocks::LineFeed;
use super::events::{EventReader, Told};
use super::facts::{Facts, Room};
use super::notes::Notes;
use super::request::{Answer, Request};
use super::streamed::{BacktestError, People, Watch};
use super::table::TableError;
use super::{promoters, referrals, source};
use crate::domain::ids::CampaignId;

/// What to read. `-` is stdin; gzip is recognised.
#[derive(Debug, Clone, Default)]
pub struct Files {
    /// Stripe events, one a line.
    pub events: Vec<PathBuf>,
    /// `referrals.csv`.
    pub referrals: Option<PathBuf>,
    /// `promoters.csv`.
    pub promoters: Option<PathBuf>,
    /// Whether a line that cannot be used is an error.
    pub strict: bool,
}

/// Why a history cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// A file is not there, or broke off.
    #[error("cannot read {file}: {error}")]
    File {
        /// What was asked for.
        file: String,
        /// Why.
        error: std::io::Error,
    },
    /// A table without the right columns.
    #[error(transparent)]
    Table(#[from] TableError),
    /// Promoters' coupons that contradict each other or are none.
    #[error("{}", .0.join("\n"))]
    Coupons(Vec<String>),
}

impl ReadError {
    /// Whether the content is at fault, and not the reading of it.
    pub const fn is_content(&self) -> bool {
        matches!(self, Self::Table(_) | Self::Coupons(_))
    }
}

/// Tries rules on what files tell. Blocks.
pub fn backtest_files(
    files: &Files,
    request: &Request<'_>,
    notes: &mut Notes<'_>,
    watch: &dyn Watch,
    out: &mut dyn Write,
) -> Result<Answer, BacktestError> {
    let campaigns = request
        .campaigns
        .iter()
        .chain(request.against.into_iter().flatten());
    let campaigns: BTreeSet<CampaignId> = campaigns.map(|campaign| campaign.id.clone()).collect();
    let (told, people) = read_files(files, &campaigns, request, notes, watch)?;
    notes.say(told.read.summary());
    if files.strict && notes.count() > 0 {
        return Err(BacktestError::Unusable {
            lines: notes.count(),
        });
    }
    let as_of = request.at.or(told.newest).ok_or(BacktestError::NoInstant)?;
    let placed = request.question(as_of).place(told.facts.origins())?;
    let parts = told.facts.finish().map_err(BacktestError::Temporary)?;
    let seen = parts.seen(placed.views().clone());
    let difference = placed.answer(&people, &seen, &request.means, watch, out)?;
    Ok(Answer { as_of, difference })
}

/// Reads files. Events after the instant asked for are left out; referrals are those of
/// `campaigns`.
fn read_files(
    files: &Files,
    campaigns: &BTreeSet<CampaignId>,
    request: &Request<'_>,
    notes: &mut Notes<'_>,
    watch: &dyn Watch,
) -> Result<(Told, People), BacktestError> {
    let facts = Facts::new(Room::of(&request.means));
    let mut reader = EventReader::new(facts, request.at, request.means.threads, watch);
    for path in &files.events {
        let source = open(path)?;
        let name = source.name.clone();
        let mut feed = LineFeed { source, read: 0 };
        reader.read(&mut feed, Some(&name), notes)?;
    }
    let told = reader.finish();
    let mut people = People::default();
    if let Some(path) = &files.promoters {
        let known = promoters::known_coupons(told.facts.everybodys());
        let read = promoters::read(open(path)?, &known, notes).map_err(ReadError::from)?;
        if !read.problems.is_empty() {
            return Err(ReadError::Coupons(read.problems).into());
        }
        people.promoters = read.promoters.into_iter().collect();
    }
    if let Some(path) = &files.referrals {
        let read = referrals::read(open(path)?, campaigns, &people.promoters, notes);
        people.referrals = read.map_err(ReadError::from)?.iter().collect();
    }
    Ok((told, people))
}

fn open(path: &std::path::Path) -> Result<source::Source, ReadError> {
    source::open(path).map_err(|error| failed(path, error))
}

pub(super) fn failed(path: &std::path::Path, error: std::io::Error) -> ReadError {
    ReadError::File {
        file: path.display().to_string(),
        error,
    }
}
