//! `/admin/batches`: when the next batch runs, and what the past ones did.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::extract::State;

use crate::domain::access::Permission;
use crate::domain::ids::BatchId;
use crate::domain::money::Money;
use crate::domain::time::Timestamp;
use crate::settle::schedule;
use crate::store::batches::{Batch, BatchKind, BatchState, get_batch, list_batches};
use crate::store::ledger::{BatchSum, sums_of_batches};
use crate::store::reports::queued_until;
use crate::web::answer::{Answer, page};
use crate::web::input::Asked;
use crate::web::layout::Page;
use crate::web::parts::{Empty, Icon, Link, Pager, State as Badge, Tone, When};
use crate::web::{View, Web, format, url};

/// Batches on a page: their money is summed from the ledger, so there are few.
const ROWS: u32 = 20;

/// `/admin/batches`
#[derive(Debug, Template)]
#[template(path = "pages/admin/batches.html", config = ".askama.toml")]
pub(crate) struct BatchesPage {
    pub page: Page,
    pub next: Option<Next>,
    pub schedule: String,
    pub rows: Vec<BatchRow>,
    pub empty: Option<Empty>,
    pub pager: Pager,
    pub can_run: bool,
}

/// The batch that comes next.
#[derive(Debug)]
pub(crate) struct Next {
    pub countdown: String,
    pub at: When,
    pub due: String,
}

/// A batch's line.
#[derive(Debug)]
pub(crate) struct BatchRow {
    pub link: Link,
    pub kind: &'static str,
    pub state: Badge,
    pub planned: When,
    pub settled: String,
    pub reversed: String,
    pub reinstated: String,
    pub left: String,
    pub money: Vec<String>,
}

/// `GET /admin/batches`
pub(crate) async fn list(State(web): State<Arc<Web>>, view: View, Asked(query): Asked) -> Answer {
    let connection = view.connection();
    let mut tx = web.app.db.read().await?;
    let after = match query.some("after") {
        None => None,
        Some(id) => get_batch(&mut tx, connection, &BatchId::from(id)).await?,
    };
    let place = after.as_ref().map(|last| (last.planned_at, &last.id));
    let mut found = list_batches(&mut tx, connection, place, ROWS + 1).await?;
    let more = found.len() > ROWS as usize;
    found.truncate(ROWS as usize);
    let ids: Vec<BatchId> = found.iter().map(|batch| batch.id.clone()).collect();
    let sums = sums_of_batches(&mut tx, connection, &ids).await?;
    let cron = &web.app.config.settle_cron;
    let next = match schedule::next(&cron.schedule, view.now) {
        None => None,
        Some(at) => {
            let due = queued_until(&mut tx, connection, at).await?;
            Some(next(at, due, view.now))
        }
    };
    tx.rollback().await?;
    let can_run = view.may(Permission::BatchesWrite);
    let last = found.last().map(|batch| batch.id.as_str().to_owned());
    let last = last.filter(|_| more);
    page(&BatchesPage {
        page: view.page("Batches", "/admin/batches"),
        next,
        schedule: cron.text.clone(),
        empty: (found.is_empty() && after.is_none()).then(empty),
        rows: found.iter().map(|b| row(b, &sums, view.now)).collect(),
        pager: Pager {
            first: after.map(|_| "/admin/batches".to_owned()),
            next: last.map(|id| url::with("/admin/batches", &[("after", &id)])),
        },
        can_run,
    })
}

fn empty() -> Empty {
    let text = "The first batch runs at the instant above. Until then rewards wait in the queue.";
    Empty::new("No batch has run yet", text)
        .step("Preview what it would do", "/admin/batches/preview?at=next")
}

fn next(at: Timestamp, due: i64, now: Timestamp) -> Next {
    Next {
        countdown: format::countdown(at, now),
        at: When::bare(at),
        due: format!("{} due by then", format::plural(due, "reward")),
    }
}

/// What started a batch, in words.
pub(super) const fn kind_words(kind: BatchKind) -> &'static str {
    match kind {
        BatchKind::Scheduled => "On schedule",
        BatchKind::RunNow => "Run by hand",
    }
}

/// How far a batch has got.
pub(super) fn state(state: BatchState) -> Badge {
    match state {
        BatchState::Planning => Badge::new(Tone::Wait, Icon::Clock, "Being planned"),
        BatchState::Planned => Badge::new(Tone::Wait, Icon::Clock, "Planned"),
        BatchState::Executing => Badge::new(Tone::Wait, Icon::Clock, "Being carried out"),
        BatchState::Done => Badge::new(Tone::Good, Icon::Check, "Done"),
    }
}

/// What a batch came to in each currency: `+1,240.00 USD`.
fn nets(sums: &[BatchSum]) -> Vec<String> {
    let net = |sum: &BatchSum| {
        let minor = sum.accrued.saturating_add(sum.taken_back);
        Money::new(minor.saturating_add(sum.given_again), sum.currency)
    };
    sums.iter().map(|sum| format::change(net(sum))).collect()
}

fn row(batch: &Batch, sums: &BTreeMap<BatchId, Vec<BatchSum>>, now: Timestamp) -> BatchRow {
    let totals = batch.totals;
    BatchRow {
        link: Link::new(batch.slot_at.words(), url::batch(batch.id.as_str())),
        kind: kind_words(batch.kind),
        state: state(batch.state),
        planned: When::new(batch.planned_at, now),
        settled: format::count(totals.settled),
        reversed: format::count(totals.reversed),
        reinstated: format::count(totals.reinstated),
        left: format::count(totals.skipped),
        money: sums
            .get(&batch.id)
            .map(|sums| nets(sums))
            .unwrap_or_default(),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::domain::access::Role;
    use crate::domain::currency::Currency;
    use crate::store::batches::{BatchTotals, Origin};
    use crate::web::samples::{frame, hold, now};

    pub(crate) fn batch(state: BatchState) -> Batch {
        Batch {
            id: "batch_slot.1773100800".into(),
            key: "slot.1773100800".to_owned(),
            kind: BatchKind::Scheduled,
            slot_at: now().plus_seconds(-9 * 3_600),
            cut_off: now().plus_seconds(-9 * 3_600),
            state,
            planned_at: now().plus_seconds(-9 * 3_600),
            done_at: (state == BatchState::Done).then(|| now().plus_seconds(-32_390)),
            plan_items: 1_204,
            totals: BatchTotals {
                settled: 1_190,
                reversed: 2,
                reinstated: 1,
                skipped: 11,
            },
            origin: Origin {
                node: Some("node_a".to_owned()),
                by: None,
                digest: Some("0".repeat(64)),
            },
        }
    }

    #[test]
    fn the_list_of_batches() {
        let done = batch(BatchState::Done);
        let sum = BatchSum {
            currency: Currency::USD,
            accrued: 2_380_000,
            taken_back: -4_000,
            given_again: 2_000,
        };
        let sums = BTreeMap::from([(done.id.clone(), vec![sum])]);
        let made = |rows: Vec<BatchRow>, can_run| BatchesPage {
            page: frame(Role::Admin).page("Batches", "/admin/batches"),
            next: Some(next(now().plus_seconds(3 * 3_600), 17, now())),
            schedule: "0 0 0,12 * * *".to_owned(),
            empty: rows.is_empty().then(empty),
            rows,
            pager: Pager::default(),
            can_run,
        };
        hold("batches", &made(vec![row(&done, &sums, now())], true));
        hold("batches_empty", &made(Vec::new(), false));
    }
}
