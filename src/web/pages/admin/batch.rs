//! `/admin/batches/{id}`: one batch, its manifest, its sums, and what came of each item.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};

use super::batches::{kind_words, state};
use super::items::{ItemRow, Whom};
use crate::domain::ids::{BatchId, ConnectionId};
use crate::domain::money::Money;
use crate::domain::time::Timestamp;
use crate::store::batch_items::{
    BatchItem, ItemAction, ItemState, batch_items, count_items, count_left, left_items,
};
use crate::store::batches::{Batch, BatchState, get_batch};
use crate::store::ledger::{BatchSum, sums_of_batches};
use crate::store::{StoreError, Tx};
use crate::web::answer::{Answer, page};
use crate::web::input::{Asked, Fields};
use crate::web::layout::Page;
use crate::web::pages::marketing::no_such;
use crate::web::parts::{Empty, Pager, Progress, State as Badge, Tabs, When};
use crate::web::{View, Web, format, url};

/// Items on a page.
const ROWS: u32 = 50;
/// A batch that goes on is looked at again after so many seconds.
const AGAIN_SECONDS: u32 = 3;

/// `/admin/batches/{id}`
#[derive(Debug, Template)]
#[template(path = "pages/admin/batch.html", config = ".askama.toml")]
pub(crate) struct BatchPage {
    pub page: Page,
    pub state: Badge,
    /// The page's own address while the batch goes on.
    pub reload: Option<String>,
    pub progress: Option<Progress>,
    pub figures: Vec<(&'static str, String)>,
    pub about: Vec<(&'static str, String)>,
    pub times: Vec<(&'static str, When)>,
    pub sums: Vec<SumRow>,
    pub left: Vec<(String, String)>,
    pub tabs: Tabs,
    pub rows: Vec<ItemRow>,
    pub empty: Option<Empty>,
    pub pager: Pager,
}

/// Money in one currency.
#[derive(Debug)]
pub(crate) struct SumRow {
    pub currency: String,
    pub given: String,
    pub taken_back: String,
    pub given_again: String,
    pub net: String,
}

/// What is read for one page.
struct Found {
    batch: Batch,
    counts: Vec<(ItemAction, ItemState, i64)>,
    sums: Vec<BatchSum>,
    left: Vec<(String, i64)>,
    items: Vec<BatchItem>,
    more: bool,
    whom: Whom,
}

/// `GET /admin/batches/{id}`
pub(crate) async fn show(
    State(web): State<Arc<Web>>,
    view: View,
    Path(id): Path<String>,
    Asked(query): Asked,
) -> Answer {
    let mut tx = web.app.db.read().await?;
    let found = find(&mut tx, view.connection(), &BatchId::from(id), &query).await?;
    tx.rollback().await?;
    let found = found.ok_or_else(|| no_such("batch"))?;
    let frame = view
        .page(title(&found.batch), "/admin/batches")
        .under("Batches", "/admin/batches");
    page(&filled(frame, view.now, &found, &query))
}

fn title(batch: &Batch) -> String {
    format!("Batch of {}", batch.slot_at.words())
}

async fn find(
    tx: &mut Tx,
    connection: &ConnectionId,
    id: &BatchId,
    query: &Fields,
) -> Result<Option<Found>, StoreError> {
    let Some(batch) = get_batch(tx, connection, id).await? else {
        return Ok(None);
    };
    let after = query.number("after");
    let mut items = if query.text("show") == "left" {
        left_items(tx, connection, id, after, ROWS + 1).await?
    } else {
        batch_items(tx, connection, id, None, after, ROWS + 1).await?
    };
    let more = items.len() > ROWS as usize;
    items.truncate(ROWS as usize);
    let mut sums = sums_of_batches(tx, connection, std::slice::from_ref(id)).await?;
    Ok(Some(Found {
        counts: count_items(tx, connection, id).await?,
        sums: sums.remove(id).unwrap_or_default(),
        left: count_left(tx, connection, id).await?,
        whom: Whom::of(tx, connection, &items).await?,
        batch,
        items,
        more,
    }))
}

fn filled(page: Page, now: Timestamp, found: &Found, query: &Fields) -> BatchPage {
    let batch = &found.batch;
    let goes_on = batch.state != BatchState::Done;
    let here = url::batch(batch.id.as_str());
    let left = url::with(&here, &[("show", "left")]);
    let shows_left = query.text("show") == "left";
    let current = if shows_left { &left } else { &here };
    let last = found.items.last().map(|item| item.position.to_string());
    let show = if shows_left { "left" } else { "" };
    let next = last.filter(|_| found.more);
    let next = next.map(|after| url::with(&here, &[("show", show), ("after", &after)]));
    BatchPage {
        page: if goes_on {
            page.refreshed(AGAIN_SECONDS, current.clone())
        } else {
            page
        },
        state: state(batch.state),
        reload: goes_on.then(|| current.clone()),
        progress: goes_on.then(|| progress(batch, &found.counts)),
        figures: figures(&found.counts),
        about: manifest(batch),
        times: times(batch, now),
        sums: found.sums.iter().map(sum_row).collect(),
        left: found
            .left
            .iter()
            .map(|(reason, count)| (format::code_words(reason), format::count(*count)))
            .collect(),
        tabs: Tabs::new(
            "Items",
            current,
            &[("All items", &here), ("Left for later", &left)],
        ),
        rows: found.items.iter().map(|i| found.whom.row(i)).collect(),
        empty: found.items.is_empty().then(|| empty(goes_on, shows_left)),
        pager: Pager {
            first: query.number("after").map(|_| current.clone()),
            next,
        },
    }
}

fn empty(goes_on: bool, shows_left: bool) -> Empty {
    if shows_left {
        Empty::new(
            "Nothing was left for later",
            "Everything that was due was carried out.",
        )
    } else if goes_on {
        Empty::new("No items yet", "The plan is being made.")
    } else {
        let text = "Nothing was due at this slot. A batch on schedule is kept all the same, as the \
                    proof that it ran.";
        Empty::new("No items", text)
    }
}

fn progress(batch: &Batch, counts: &[(ItemAction, ItemState, i64)]) -> Progress {
    let stored: i64 = counts.iter().map(|(.., count)| count).sum();
    if batch.state == BatchState::Planning {
        let words = format!("{} planned so far", format::plural(stored, "item"));
        return Progress::new("Plan", 0, 1, words);
    }
    let open = counts
        .iter()
        .filter(|(_, state, _)| *state == ItemState::Pending);
    let open: i64 = open.map(|(.., count)| count).sum();
    let done = batch.plan_items.saturating_sub(open);
    let words = format!(
        "{} of {}",
        format::count(done),
        format::plural(batch.plan_items, "item")
    );
    Progress::new("Items carried out", done, batch.plan_items, words)
}

fn figures(counts: &[(ItemAction, ItemState, i64)]) -> Vec<(&'static str, String)> {
    let done = |wanted| -> i64 {
        let booked = counts
            .iter()
            .filter(|(action, state, _)| *action == wanted && *state == ItemState::Done);
        booked.map(|(.., count)| count).sum()
    };
    let of_state = |wanted| -> i64 {
        let found = counts.iter().filter(|(_, state, _)| *state == wanted);
        found.map(|(.., count)| count).sum()
    };
    let left = done(ItemAction::Skip).saturating_add(of_state(ItemState::Superseded));
    let rows = [
        ("Settled", done(ItemAction::Settle)),
        ("Taken back", done(ItemAction::Reverse)),
        ("Given again", done(ItemAction::Reinstate)),
        ("Left for later", left),
        ("Still to do", of_state(ItemState::Pending)),
    ];
    let rows = rows.into_iter();
    rows.map(|(what, count)| (what, format::count(count)))
        .collect()
}

fn manifest(batch: &Batch) -> Vec<(&'static str, String)> {
    let origin = &batch.origin;
    let rows = [
        ("Batch", Some(batch.id.to_string())),
        ("Started", Some(kind_words(batch.kind).to_owned())),
        ("By", origin.by.as_deref().map(format::actor)),
        ("Planned on node", origin.node.clone()),
        ("Items in the plan", Some(format::count(batch.plan_items))),
        (
            "Digest of the plan",
            origin
                .digest
                .as_ref()
                .map(|digest| format!("sha256:{digest}")),
        ),
    ];
    let rows = rows.into_iter();
    rows.filter_map(|(what, text)| Some((what, text?)))
        .collect()
}

fn times(batch: &Batch, now: Timestamp) -> Vec<(&'static str, When)> {
    let rows = [
        ("Slot", Some(batch.slot_at)),
        ("Due by", Some(batch.cut_off)),
        ("Plan begun", Some(batch.planned_at)),
        ("Done", batch.done_at),
    ];
    let rows = rows.into_iter();
    rows.filter_map(|(what, at)| Some((what, When::new(at?, now))))
        .collect()
}

fn sum_row(sum: &BatchSum) -> SumRow {
    let amount = |minor| format::amount(Money::new(minor, sum.currency));
    let net = sum.accrued.saturating_add(sum.taken_back);
    SumRow {
        currency: sum.currency.to_string(),
        given: amount(sum.accrued),
        taken_back: amount(sum.taken_back),
        given_again: amount(sum.given_again),
        net: amount(net.saturating_add(sum.given_again)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::access::Role;
    use crate::domain::currency::Currency;
    use crate::domain::verdict::{Reward, RewardTo};
    use crate::web::pages::admin::batches::tests::batch;
    use crate::web::samples::{frame, hold, now};

    fn item(position: i64, action: ItemAction, state: ItemState) -> BatchItem {
        let reason = match action {
            ItemAction::Skip => "budget_exhausted",
            ItemAction::Reverse => "refunded_below_threshold",
            _ => "threshold_met",
        };
        BatchItem {
            position,
            qualification: "qual_1".into(),
            action,
            amounts: vec![Reward {
                to: RewardTo::Promoter,
                amount_minor: if action == ItemAction::Reverse {
                    -2_000
                } else {
                    2_000
                },
                currency: Currency::USD,
            }],
            reason: reason.to_owned(),
            state,
            outcome: (state == ItemState::Superseded)
                .then(|| "it is withdrawn by now; nothing was booked".to_owned()),
        }
    }

    fn found(state: BatchState, items: Vec<BatchItem>) -> Found {
        Found {
            batch: batch(state),
            counts: items.iter().map(|i| (i.action, i.state, 1_i64)).collect(),
            sums: vec![BatchSum {
                currency: Currency::USD,
                accrued: 2_000,
                taken_back: -2_000,
                given_again: 0,
            }],
            left: vec![("budget_exhausted".to_owned(), 1)],
            more: !items.is_empty(),
            items,
            whom: Whom::default(),
        }
    }

    #[test]
    fn a_batch() {
        let page = || {
            frame(Role::Viewer)
                .page("Batch of 2026-03-10 00:00 UTC", "/admin/batches")
                .under("Batches", "/admin/batches")
        };
        let items = vec![
            item(0, ItemAction::Reverse, ItemState::Done),
            item(1, ItemAction::Settle, ItemState::Done),
            item(2, ItemAction::Settle, ItemState::Superseded),
            item(3, ItemAction::Skip, ItemState::Done),
        ];
        let done = found(BatchState::Done, items);
        hold("batch", &filled(page(), now(), &done, &Fields::default()));
        let waiting = vec![item(0, ItemAction::Settle, ItemState::Pending)];
        let going = found(BatchState::Planned, waiting);
        hold(
            "batch_going_on",
            &filled(page(), now(), &going, &Fields::default()),
        );
        let mut nothing = found(BatchState::Done, Vec::new());
        nothing.sums.clear();
        nothing.left.clear();
        hold(
            "batch_empty",
            &filled(page(), now(), &nothing, &Fields::default()),
        );
    }
}
