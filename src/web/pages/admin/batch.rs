//! `/admin/batches/{id}`: one batch, its manifest, its sums, and what came of each item.

use std::collections::HashMap;
use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};

use super::batches::{kind_words, state};
use crate::domain::ids::{BatchId, ConnectionId, PromoterId, QualificationId};
use crate::domain::money::Money;
use crate::domain::time::Timestamp;
use crate::domain::verdict::Reward;
use crate::store::batch_items::{
    BatchItem, ItemAction, ItemState, batch_items, count_items, count_left, left_items,
};
use crate::store::batches::{Batch, BatchState, get_batch};
use crate::store::ledger::{BatchSum, sums_of_batches};
use crate::store::promoters::load_promoters;
use crate::store::qualifications::{Qualification, load_qualifications};
use crate::store::{StoreError, Tx};
use crate::web::answer::{Answer, page};
use crate::web::input::{Asked, Fields};
use crate::web::layout::Page;
use crate::web::pages::marketing::no_such;
use crate::web::parts::{Empty, Icon, Link, Pager, Progress, State as Badge, Tabs, Tone, When};
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

/// An item's line.
#[derive(Debug)]
pub(crate) struct ItemRow {
    pub number: String,
    pub what: Badge,
    pub referral: Option<Link>,
    pub promoter: Option<Link>,
    pub amounts: Vec<String>,
    pub because: String,
    pub outcome: Badge,
    /// What came between, where something did.
    pub overtaken: Option<String>,
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

/// Whom items are about.
#[derive(Debug, Default)]
pub(super) struct Whom {
    qualifications: HashMap<QualificationId, Qualification>,
    names: HashMap<PromoterId, String>,
}

impl Whom {
    async fn of(
        tx: &mut Tx,
        connection: &ConnectionId,
        items: &[BatchItem],
    ) -> Result<Self, StoreError> {
        let ids: Vec<QualificationId> = items.iter().map(|i| i.qualification.clone()).collect();
        let loaded = load_qualifications(tx, connection, &ids).await?;
        Self::known(tx, connection, loaded).await
    }

    /// From qualifications that are there already.
    pub(super) async fn known(
        tx: &mut Tx,
        connection: &ConnectionId,
        qualifications: Vec<Qualification>,
    ) -> Result<Self, StoreError> {
        let mut promoters: Vec<PromoterId> =
            qualifications.iter().map(|q| q.promoter.clone()).collect();
        promoters.sort_unstable();
        promoters.dedup();
        let named = load_promoters(tx, connection, &promoters).await?;
        let named = named.into_iter().map(|stored| stored.promoter);
        Ok(Self {
            qualifications: qualifications
                .into_iter()
                .map(|q| (q.id.clone(), q))
                .collect(),
            names: named.map(|one| (one.id, one.name)).collect(),
        })
    }

    pub(super) fn row(&self, item: &BatchItem) -> ItemRow {
        let about = self.qualifications.get(&item.qualification);
        let referral = about.map(|q| {
            let id = q.referral.as_str();
            Link::new(id, url::referral(id))
        });
        let promoter = about.map(|q| {
            let name = self.names.get(&q.promoter);
            let name = name.map_or(q.promoter.as_str(), String::as_str);
            Link::new(name, url::promoter(q.promoter.as_str()))
        });
        ItemRow {
            number: format::count(item.position.saturating_add(1)),
            what: action(item.action),
            referral,
            promoter,
            amounts: item.amounts.iter().map(amount).collect(),
            because: format::code_words(&item.reason),
            outcome: outcome(item),
            overtaken: item
                .outcome
                .clone()
                .filter(|_| item.state == ItemState::Superseded),
        }
    }
}

/// `+20.00 USD for the promoter`.
fn amount(reward: &Reward) -> String {
    let money = format::change(Money::new(reward.amount_minor, reward.currency));
    format!("{money} for the {}", reward.to.person())
}

/// What an item does.
pub(super) fn action(action: ItemAction) -> Badge {
    match action {
        ItemAction::Settle => Badge::new(Tone::Good, Icon::Coin, "Settle"),
        ItemAction::Reverse => Badge::new(Tone::Bad, Icon::Back, "Take back"),
        ItemAction::Reinstate => Badge::new(Tone::Good, Icon::Check, "Give again"),
        ItemAction::Skip => Badge::new(Tone::Warn, Icon::Minus, "Leave for later"),
    }
}

fn outcome(item: &BatchItem) -> Badge {
    match (item.state, item.action) {
        (ItemState::Pending, _) => Badge::new(Tone::Wait, Icon::Clock, "Waits"),
        (ItemState::Done, ItemAction::Skip) => {
            Badge::new(Tone::Warn, Icon::Minus, "Nothing booked")
        }
        (ItemState::Done, _) => Badge::new(Tone::Good, Icon::Check, "Booked"),
        (ItemState::Superseded, _) => Badge::new(Tone::Warn, Icon::Alert, "Overtaken"),
    }
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
    use crate::domain::verdict::RewardTo;
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
