//! A whole history from a connection of the database: its stored events folded again, so that
//! any instant of the past can be decided for; its people; its decisions.

use super::events::EventsRead;
use super::history::{History, Origin};
use crate::domain::decision::Decision;
use crate::domain::ids::{ConnectionId, DecisionId, EventId, PromoterId, ReferralId};
use crate::domain::time::Timestamp;
use crate::ingest::read::{Scope, read};
use crate::store::decisions::decision_page;
use crate::store::events::{EventCursor, EventState, StoredEvent, event_page};
use crate::store::promoters::list_promoters;
use crate::store::referrals::referral_page;
use crate::store::{Db, StoreError, Tx};

/// Rows read at a time.
const PAGE: u32 = 500;

/// Reads a connection's history. Events and decisions after `until` are left out.
pub async fn stored_history(
    db: &Db,
    connection: &ConnectionId,
    scope: &Scope,
    until: Option<Timestamp>,
) -> Result<(History, EventsRead), StoreError> {
    let mut tx = db.read().await?;
    let mut history = History::default();
    let read = events(&mut tx, connection, scope, until, &mut history).await?;
    people(&mut tx, connection, until, &mut history).await?;
    tx.rollback().await?;
    Ok((history, read))
}

async fn events(
    tx: &mut Tx,
    connection: &ConnectionId,
    scope: &Scope,
    until: Option<Timestamp>,
    history: &mut History,
) -> Result<EventsRead, StoreError> {
    let mut outcome = EventsRead::default();
    // A connection is one account in one mode, whatever its events name.
    let origin = Origin {
        account: None,
        mode: scope.mode,
    };
    let book = history.facts.entry(origin).or_default();
    let mut after: Option<EventCursor> = None;
    loop {
        let page = event_page(tx, connection, after.as_ref(), PAGE).await?;
        let full = page.len() >= PAGE as usize;
        after = page.last().map(|last| EventCursor {
            received_at_us: last.received_at_us,
            event_id: EventId::from(last.event_id.as_str()),
        });
        let is_later = |event: &StoredEvent| until.is_some_and(|at| event.created_at > at.unix());
        let (later, page): (Vec<_>, Vec<_>) = page.into_iter().partition(is_later);
        outcome.later += later.len() as u64;
        let newest = page.iter().map(|event| event.created_at).max();
        let newest = newest.and_then(Timestamp::from_unix);
        history.newest = history.newest.max(newest);
        let readings = read(scope, &page);
        book.extend(readings.facts);
        for mark in readings.marks {
            match mark.state {
                EventState::Done => outcome.used += 1,
                EventState::Quarantined => outcome.quarantined += 1,
                EventState::Ignored | EventState::Received => {
                    *outcome.ignored.entry("not_used").or_default() += 1;
                }
            }
        }
        if !full {
            return Ok(outcome);
        }
    }
}

async fn people(
    tx: &mut Tx,
    connection: &ConnectionId,
    until: Option<Timestamp>,
    history: &mut History,
) -> Result<(), StoreError> {
    let mut promoters = Vec::new();
    let mut after: Option<PromoterId> = None;
    loop {
        let page = list_promoters(tx, connection, after.as_ref(), PAGE).await?;
        let full = page.len() >= PAGE as usize;
        after = page.last().map(|last| last.promoter.id.clone());
        promoters.extend(page.into_iter().map(|stored| stored.promoter));
        if !full {
            break;
        }
    }
    history.promoters = promoters.into_iter().collect();
    let mut after: Option<ReferralId> = None;
    loop {
        let page = referral_page(tx, connection, after.as_ref(), PAGE).await?;
        let full = page.len() >= PAGE as usize;
        after = page.last().map(|last| last.id.clone());
        history.referrals.extend(page);
        if !full {
            break;
        }
    }
    let mut after: Option<DecisionId> = None;
    loop {
        let page = decision_page(tx, connection, after.as_ref(), PAGE).await?;
        let full = page.len() >= PAGE as usize;
        after = page.last().map(|last| last.id.clone());
        let taken = |decision: &Decision| until.is_none_or(|at| decision.decided_at <= at);
        history.decisions.extend(page.into_iter().filter(taken));
        if !full {
            return Ok(());
        }
    }
}
