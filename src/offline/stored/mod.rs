//! Backtests on a connection of the database. For now, the facts as they are folded are
//! streamed; for an instant of the past, the stored events are folded again.

mod people;
mod shards;
mod sources;

use std::io::Write;

use tokio::runtime::Handle;

use super::events::EventReader;
use super::events::blocks::StoredFeed;
use super::facts::{Facts, Room};
use super::notes::Notes;
use super::origin::Origin;
use super::request::{Answer, Request};
use super::streamed::{BacktestError, Watch};
use crate::domain::ids::ConnectionId;
use crate::domain::time::Timestamp;
use crate::ingest::read::Scope;
use crate::store::Db;
use crate::store::events::{newest_created, waiting};

use people::stored_people;
use shards::StoredShards;

/// Connections that read at the same time, at most.
const READERS_MAX: usize = 6;

/// A connection of the database, and where the database is talked to.
#[derive(Debug, Clone, Copy)]
pub struct Stored<'d> {
    /// A runtime that the caller is not part of.
    pub runtime: &'d Handle,
    /// The database.
    pub db: &'d Db,
    /// The connection.
    pub connection: &'d ConnectionId,
    /// Whose events count.
    pub scope: &'d Scope,
}

/// Tries rules on what a connection has stored. Blocks.
///
/// All readers see one state of the database; nobody waits for them.
pub fn backtest_stored(
    stored: &Stored<'_>,
    request: &Request<'_>,
    notes: &mut Notes<'_>,
    watch: &dyn Watch,
    out: &mut dyn Write,
) -> Result<Answer, BacktestError> {
    let Stored {
        runtime,
        db,
        connection,
        scope,
    } = *stored;
    // Transactions that are let go of on the way out find their runtime again.
    let _entered = runtime.enter();
    let mut means = request.means.clone();
    means.threads = means.threads.clamp(1, READERS_MAX);
    let mut readers = runtime.block_on(db.read_together(means.threads))?;
    let Some(tx) = readers.first_mut() else {
        return Err(BacktestError::Cancelled);
    };
    let origins = [Origin {
        // A connection is one account in one mode, whatever its events name.
        account: None,
        mode: scope.mode,
    }];
    let newest = runtime.block_on(newest_created(tx, connection))?;
    let newest = newest.and_then(Timestamp::from_unix);
    let people = runtime.block_on(stored_people(tx, connection, request.at))?;
    let as_of = request.at.or(newest).ok_or(BacktestError::NoInstant)?;
    if newest.is_none_or(|newest| newest <= as_of) {
        let (unread, _) = runtime.block_on(waiting(tx, connection))?;
        if unread > 0 {
            notes.say(format!(
                "{unread} stored events are not read yet, and not in this"
            ));
        }
        let placed = request.question(as_of).place(&origins)?;
        let shards = StoredShards::open(runtime, connection, readers)?;
        let difference = placed.answer(&people, &shards, &means, watch, out)?;
        shards.close()?;
        return Ok(Answer { as_of, difference });
    }
    let facts = Facts::new(Room::of(&means));
    let mut reader = EventReader::new(facts, Some(as_of), means.threads, watch);
    let mut feed = StoredFeed {
        runtime,
        tx,
        connection,
        scope,
        after: None,
    };
    reader.read(&mut feed, None, notes)?;
    let told = reader.finish();
    notes.say(told.read.summary());
    for reader in readers {
        runtime.block_on(reader.rollback())?;
    }
    // Where no event was, no origin was either, and the views see nothing.
    let placed = request.question(as_of).place(told.facts.origins())?;
    let parts = told.facts.finish().map_err(BacktestError::Temporary)?;
    let seen = parts.seen(placed.views().clone());
    let difference = placed.answer(&people, &seen, &means, watch, out)?;
    Ok(Answer { as_of, difference })
}
