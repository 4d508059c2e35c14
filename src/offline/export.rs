//! Reads a whole history from files: events, promoters, referrals, in the order in which one
//! helps to check the next.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::events::{EventReader, EventsRead};
use super::history::History;
use super::notes::Notes;
use super::table::TableError;
use super::{promoters, referrals, source};
use crate::domain::ids::CampaignId;
use crate::domain::time::Timestamp;

/// What to read. `-` is stdin; gzip is recognised.
#[derive(Debug, Clone, Default)]
pub struct Files {
    /// Stripe events, one a line.
    pub events: Vec<PathBuf>,
    /// `referrals.csv`.
    pub referrals: Option<PathBuf>,
    /// `promoters.csv`.
    pub promoters: Option<PathBuf>,
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

/// Reads files into a history. Events after `until` are left out; referrals are those of
/// `campaigns`.
pub fn read_files(
    files: &Files,
    campaigns: &BTreeSet<CampaignId>,
    until: Option<Timestamp>,
    notes: &mut Notes<'_>,
) -> Result<(History, EventsRead), ReadError> {
    let mut history = History::default();
    let mut reader = EventReader::new(&mut history, until);
    for path in &files.events {
        let mut source = open(path)?;
        let read = reader.read(&mut source, notes);
        read.map_err(|error| failed(path, error))?;
    }
    let events = reader.finish();
    if let Some(path) = &files.promoters {
        let known = promoters::known_coupons(&history);
        let read = promoters::read(open(path)?, &known, notes)?;
        if !read.problems.is_empty() {
            return Err(ReadError::Coupons(read.problems));
        }
        history.promoters = read.promoters.into_iter().collect();
    }
    if let Some(path) = &files.referrals {
        history.referrals = referrals::read(open(path)?, campaigns, &history.promoters, notes)?;
    }
    Ok((history, events))
}

fn open(path: &std::path::Path) -> Result<source::Source, ReadError> {
    source::open(path).map_err(|error| failed(path, error))
}

fn failed(path: &std::path::Path, error: std::io::Error) -> ReadError {
    ReadError::File {
        file: path.display().to_string(),
        error,
    }
}
