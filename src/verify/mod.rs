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

/// Rows read at a time.
const PAGE: u32 = 500;

/// Runs every check on one connection. Verdicts are judged for `now`.
pub async fn verify(
    db: &Db,
    connection: &ConnectionId,
    scope: &Scope,
    now: Timestamp,
) -> Result<Report, StoreError> {
    let mut tx = db.read().await?;
    let report = all(&mut tx, connection, scope, now).await?;
    tx.rollback().await?;
    Ok(report)
}

async fn all(
    tx: &mut Tx,
    connection: &ConnectionId,
    scope: &Scope,
    now: Timestamp,
) -> Result<Report, StoreError> {
    let mut checks = Vec::new();
    let mut book = FactBook::default();
    checks.push(bytes::check(tx, connection, scope, &mut book).await?);
    let world = recomputed(&book);
    checks.push(facts::check(tx, connection, &world).await?);
    let payments = payments::load(tx, connection).await?;
    checks.push(payments::check(&payments, &world)?);
    checks.push(keys::check(tx, connection, &world).await?);
    drop(world);
    // Whatever does not read back is told by the check that reads it, and stops that one alone.
    let waiting = people::waiting(tx, connection, now).await?;
    match people::load(tx, connection).await {
        Ok(people) => {
            let judged = verdicts::check(tx, connection, &book, &people, &waiting, now).await;
            checks.push(report::readable(verdicts::NAME, judged)?);
            let queue = qualifications::check(&people, &waiting, now);
            checks.push(queue);
            checks.push(uniqueness::check(&payments, &people));
            let booked = ledger::check(tx, connection, &people).await;
            checks.push(report::readable(ledger::NAME, booked)?);
        }
        Err(error) => checks.push(report::readable("people", Err(error))?),
    }
    let settled = batches::check(tx, connection).await;
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
