//! Cuts what is to be read into blocks that are parsed side by side: lines of files, or pages
//! of stored events.

use std::io;

use tokio::runtime::Handle;

use super::parse::{self, Parsed};
use crate::domain::ids::{ConnectionId, EventId};
use crate::domain::time::Timestamp;
use crate::ingest::read::Scope;
use crate::offline::lines::{LINE_BYTES_MAX, Line, next_line};
use crate::offline::source::Source;
use crate::offline::streamed::BacktestError;
use crate::store::Tx;
use crate::store::events::{EventCursor, StoredEvent, event_page};

/// Bytes of lines in a block, about.
const BLOCK_BYTES: usize = 512 * 1024;
/// Stored events in a block.
const PAGE: u32 = 500;

/// Some events, in order.
pub enum Block {
    /// Lines end to end, with where each ends; `None` for one that was too long.
    Lines {
        /// The first one's number in its file, from 1.
        first: u64,
        /// All of them.
        text: Vec<u8>,
        /// Where they end.
        ends: Vec<Option<usize>>,
    },
    /// Events from the database.
    Stored(Vec<StoredEvent>),
}

impl Block {
    /// The number of the first line.
    pub const fn first(&self) -> u64 {
        match self {
            Self::Lines { first, .. } => *first,
            Self::Stored(_) => 0,
        }
    }

    /// Reads every event.
    pub fn parse(
        self,
        scope: Option<&Scope>,
        until: Option<Timestamp>,
        packs: bool,
    ) -> Vec<Parsed> {
        match self {
            Self::Lines { first, text, ends } => {
                let mut parsed = Vec::with_capacity(ends.len());
                let mut start = 0;
                for (end, number) in ends.into_iter().zip(first..) {
                    parsed.push(match end {
                        None => Parsed::Unusable(format!(
                            "the line is longer than {LINE_BYTES_MAX} bytes"
                        )),
                        Some(end) => {
                            let line = text.get(start..end).unwrap_or_default();
                            start = end;
                            parse::line(without_bom(line, number), until, packs)
                        }
                    });
                }
                parsed
            }
            Self::Stored(events) => {
                let Some(scope) = scope else {
                    return Vec::new();
                };
                let events = events.into_iter();
                events
                    .map(|event| parse::stored(scope, event, until, packs))
                    .collect()
            }
        }
    }
}

/// Gives one block after the other.
pub trait Feed: Send {
    /// The next block; `None` at the end.
    fn next_block(&mut self) -> Result<Option<Block>, BacktestError>;

    /// Whose events they are, if they are a connection's.
    fn scope(&self) -> Option<&Scope> {
        None
    }
}

/// The lines of a file.
pub struct LineFeed {
    /// The file.
    pub source: Source,
    /// Lines read so far.
    pub read: u64,
}

impl Feed for LineFeed {
    fn next_block(&mut self) -> Result<Option<Block>, BacktestError> {
        let first = self.read + 1;
        let (mut text, mut ends) = (
            Vec::with_capacity(BLOCK_BYTES + BLOCK_BYTES / 8),
            Vec::new(),
        );
        let mut line = Vec::new();
        while text.len() < BLOCK_BYTES {
            let next = next_line(self.source.input.as_mut(), &mut line, LINE_BYTES_MAX);
            match next.map_err(|error| self.failed(&error))? {
                Line::End => break,
                Line::TooLong => ends.push(None),
                Line::Text => {
                    text.extend_from_slice(&line);
                    ends.push(Some(text.len()));
                }
            }
            self.read += 1;
        }
        Ok((!ends.is_empty()).then_some(Block::Lines { first, text, ends }))
    }
}

impl LineFeed {
    fn failed(&self, error: &io::Error) -> BacktestError {
        let place = format!("{}:{}: {error}", self.source.name, self.read + 1);
        crate::offline::files::failed(
            std::path::Path::new(&self.source.name),
            io::Error::new(error.kind(), place),
        )
        .into()
    }
}

/// The events of a connection, in the order of their arrival.
pub struct StoredFeed<'t> {
    /// Where the database is talked to.
    pub runtime: &'t Handle,
    /// The reading transaction.
    pub tx: &'t mut Tx,
    /// The connection.
    pub connection: &'t ConnectionId,
    /// Whose events count.
    pub scope: &'t Scope,
    /// The last one read.
    pub after: Option<EventCursor>,
}

impl Feed for StoredFeed<'_> {
    fn next_block(&mut self) -> Result<Option<Block>, BacktestError> {
        let page = event_page(self.tx, self.connection, self.after.as_ref(), PAGE);
        let page = self.runtime.block_on(page)?;
        let Some(last) = page.last() else {
            return Ok(None);
        };
        self.after = Some(EventCursor {
            received_at_us: last.received_at_us,
            event_id: EventId::from(last.event_id.as_str()),
        });
        Ok(Some(Block::Stored(page)))
    }

    fn scope(&self) -> Option<&Scope> {
        Some(self.scope)
    }
}

/// The first line of a file saved by some editors begins with a byte order mark.
fn without_bom(line: &[u8], number: u64) -> &[u8] {
    match line.strip_prefix(b"\xef\xbb\xbf") {
        Some(rest) if number == 1 => rest,
        _ => line,
    }
}
