//! Everything that can be recomputed, recomputed and compared with what is stored: one file a
//! check. It changes nothing, and decides nothing: repairing is for people.
//!
//! All checks look at one state of the database. What waits to be read or judged there is no
//! difference; callers that want nothing to wait work it off before.

mod audit;
mod batches;
mod bytes;
mod facts;
mod keys;
mod ledger;
mod payments;
mod people;
mod qualifications;
mod queue;
mod report;
mod uniqueness;
mod verdicts;

pub use audit::check as check_audit_log;
pub use report::{Check, Difference, Report};

use crate::domain::fact::{Fact, FactBook};
use crate::domain::ids::ConnectionId;
use crate::domain::time::Timestamp;
use crate::ingest::fold::{Batch, Changes};
use crate::ingest::read::Scope;
use crate::store::{Db, StoreError, Tx};

/// Rows read at a time: as many keys as one statement carries on SQLite.
const PAGE: u32 = 512;

/// Who is told how far it is.
pub trait Watch: Send + Sync {
    /// So many of these were looked at; `what` is in the plural.
    fn looked_at(&self, what: &'static str, count: u64);
}

/// Nobody waits.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unwatched;

impl Watch for Unwatched {
    fn looked_at(&self, _: &'static str, _: u64) {}
}

/// Runs every check on one connection. Verdicts are judged for `now`.
pub async fn verify(
    db: &Db,
    connection: &ConnectionId,
    scope: &Scope,
    now: Timestamp,
) -> Result<Report, StoreError> {
    verify_watched(db, connection, scope, now, &Unwatched).await
}

/// The same, and tells how far it is.
pub async fn verify_watched(
    db: &Db,
    connection: &ConnectionId,
    scope: &Scope,
    now: Timestamp,
    watch: &dyn Watch,
) -> Result<Report, StoreError> {
    let mut readers = db.read_long(READERS).await?;
    let [tx, along, aside] = readers.as_mut_slice() else {
        return Err(StoreError::Unfit(
            "there are too few connections".to_owned(),
        ));
    };
    let report = all([tx, along, aside], connection, scope, now, watch).await;
    for reader in readers {
        reader.rollback().await?;
    }
    report
}

/// Transactions that read side by side, from one state of the database.
const READERS: usize = 3;

async fn all(
    [tx, along, aside]: [&mut Tx; READERS],
    connection: &ConnectionId,
    scope: &Scope,
    now: Timestamp,
    watch: &dyn Watch,
) -> Result<Report, StoreError> {
    let mut checks = Vec::new();
    let mut book = FactBook::default();
    checks.push(bytes::check(tx, connection, scope, &mut book, watch).await?);
    let world = recomputed(&book);
    checks.push(facts::check(tx, connection, &world).await?);
    let payments = payments::load(tx, connection).await?;
    checks.push(payments::check(&payments, &world)?);
    checks.push(keys::check(tx, connection, &world).await?);
    drop(world);
    let mut uniqueness = Check::new("uniqueness");
    uniqueness::payments(&payments, &mut uniqueness);
    drop(payments);

    // Whatever does not read back is told by the check that reads it, and stops that one alone.
    let waiting = people::waiting(tx, connection, now).await?;
    let ask = queue::Ask {
        connection,
        waiting: &waiting,
        now,
        watch,
    };
    let judged = async {
        let people = people::load(tx, connection).await;
        let mut unreadable = None;
        let anew = match people {
            Ok(people) => match verdicts::judge_all(tx, connection, &book, people, now).await {
                Ok(anew) => Some(anew),
                Err(error) => {
                    unreadable = Some(report::readable(verdicts::NAME, Err(error))?);
                    None
                }
            },
            Err(error) => return Err(error),
        };
        drop(book);
        let mut found = queue::along_verdicts(tx, ask, anew).await?;
        if let Some(unreadable) = unreadable {
            found.verdicts = unreadable;
        }
        Ok(found)
    };
    let mut queued = Check::new(qualifications::NAME);
    let mut walk = queue::Checks {
        qualifications: &mut queued,
        uniqueness: &mut uniqueness,
        ledger: Ok(Check::new(ledger::NAME)),
    };
    let booked = queue::along_qualifications(along, ask, &mut walk);
    let settled = batches::check(aside, connection, watch);
    let (judged, booked, settled) = tokio::join!(judged, booked, settled);
    let ledger = walk.ledger;

    let mut people = Vec::new();
    match judged {
        Ok(mut judged) => {
            checks.push(judged.verdicts);
            judged.qualifications.merge(queued);
            checks.push(judged.qualifications);
        }
        Err(error) => people.push(report::readable("people", Err(error))?),
    }
    match booked {
        Ok(()) => {
            checks.push(uniqueness);
            checks.push(report::readable(ledger::NAME, ledger)?);
        }
        Err(error) => people.push(report::readable("people", Err(error))?),
    }
    checks.extend(people.into_iter().next());
    checks.push(report::readable(batches::NAME, settled)?);
    checks.push(audit::check(tx, connection).await?);
    Ok(Report {
        waiting: waiting.len(),
        checks,
    })
}

/// What ingest would have made of these facts if they had all come at once.
fn recomputed(book: &FactBook) -> Changes {
    let facts = book.iter().map(|(object, state)| Fact {
        object: object.clone(),
        state: state.clone(),
    });
    Batch::default().fold(facts.collect())
}
