//! `/batches`: what was settled when, what the next one would do, and running one now.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Api;
use super::answer::{Answer, List, ok};
use super::caller::Caller;
use super::document::names;
use super::document::operation::{Operation, Resource, Takes};
use super::input::{Input, Nothing, instant};
use super::params::{LIMIT_MAX, Params, bad_cursor};
use super::refusal::not_found;
use crate::access::audit::{Action, announce};
use crate::access::routes::{self, On};
use crate::domain::currency::Currency;
use crate::domain::ids::{BatchId, QualificationId};
use crate::domain::money::Money;
use crate::domain::time::Timestamp;
use crate::domain::verdict::Reward;
use crate::http::Problem;
use crate::settle::items::Planned;
use crate::settle::{plan, schedule};
use crate::store::batch_items::{BatchItem, ItemAction, ItemState, batch_items};
use crate::store::batches::{Batch, get_batch, list_batches};

pub(super) fn routes() -> Router<Arc<Api>> {
    Router::new()
        .on(routes::API_BATCHES, list)
        .on(routes::API_BATCH_NEXT, next)
        .on(routes::API_BATCH_PREVIEW, preview)
        .on(routes::API_BATCH_RUN, run)
        .on(routes::API_BATCH, one)
        .on(routes::API_BATCH_ITEMS, items)
}

pub(super) fn describe() -> Resource {
    Resource {
        name: "batches",
        says: "What was settled when, what the next batch would do, and running one now.",
        operations: vec![
            Operation::new(routes::API_BATCHES, "list_batches", "List batches")
                .says("The newest first.")
                .lists::<Shown>("The `id` of the last row of the page before."),
            Operation::new(
                routes::API_BATCH_NEXT,
                "get_next_batch",
                "When the next batch runs",
            )
            .answers::<Next>(200, "The schedule."),
            Operation::new(
                routes::API_BATCH_PREVIEW,
                "preview_batch",
                "Preview a batch",
            )
            .says("What a batch would do with what is due by `cut_off`; nothing is changed.")
            .may_take::<Ask>()
            .refuses(422, &["time_invalid"])
            .answers::<Preview>(200, "What it would do, with the first 100 items."),
            Operation::new(routes::API_BATCH_RUN, "run_batch", "Run a batch now")
                .says("Settles what is due. Run again at once, it does nothing.")
                .may_take::<Nothing>()
                .answers::<Run>(200, "The batch, or that nothing is due."),
            Operation::new(routes::API_BATCH, "get_batch", "Get a batch")
                .answers::<Shown>(200, "The batch."),
            Operation::new(
                routes::API_BATCH_ITEMS,
                "list_batch_items",
                "List a batch's items",
            )
            .says("In the order of its plan.")
            .filter(
                "state",
                Takes::one_of::<names::ItemState>(),
                "In this state.",
            )
            .lists::<ShownItem>("The `position` of the last row of the page before."),
        ],
    }
}

/// A batch as it is answered.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Batch")]
struct Shown {
    id: BatchId,
    #[schemars(with = "names::BatchKind")]
    kind: &'static str,
    #[schemars(with = "names::BatchState")]
    state: &'static str,
    /// The start of its slot.
    slot_at: Timestamp,
    /// What is due by then is in it.
    cut_off: Timestamp,
    planned_at: Timestamp,
    done_at: Option<Timestamp>,
    /// How many items its plan has.
    items: i64,
    settled: i64,
    reversed: i64,
    reinstated: i64,
    skipped: i64,
}

fn shown(batch: Batch) -> Shown {
    Shown {
        id: batch.id,
        kind: batch.kind.name(),
        state: batch.state.name(),
        slot_at: batch.slot_at,
        cut_off: batch.cut_off,
        planned_at: batch.planned_at,
        done_at: batch.done_at,
        items: batch.plan_items,
        settled: batch.totals.settled,
        reversed: batch.totals.reversed,
        reinstated: batch.totals.reinstated,
        skipped: batch.totals.skipped,
    }
}

/// An item of a plan as it is answered.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "BatchItem")]
pub(super) struct ShownItem {
    /// Its place in the plan, which is the cursor.
    position: i64,
    qualification: QualificationId,
    #[schemars(with = "names::ItemAction")]
    action: &'static str,
    /// What is given, or would be if the item were not a `skip`; what is taken back is negative.
    amounts: Vec<Reward>,
    /// Why: a stable code.
    reason: String,
    #[schemars(with = "names::ItemState")]
    state: &'static str,
    /// What came of it.
    outcome: Option<String>,
}

impl From<BatchItem> for ShownItem {
    fn from(item: BatchItem) -> Self {
        Self {
            position: item.position,
            qualification: item.qualification,
            action: item.action.name(),
            amounts: item.amounts,
            reason: item.reason,
            state: item.state.name(),
            outcome: item.outcome,
        }
    }
}

async fn list(State(api): State<Arc<Api>>, caller: Caller, params: Params) -> Answer {
    let page = params.page(&[])?;
    let mut tx = api.app.db.read().await?;
    let connection = &caller.connection;
    let after = match &page.after {
        None => None,
        Some(id) => {
            let last = get_batch(&mut tx, connection, &BatchId::from(id.as_str())).await?;
            Some(last.ok_or_else(bad_cursor)?)
        }
    };
    let after = after.as_ref().map(|last| (last.planned_at, &last.id));
    let rows = list_batches(&mut tx, connection, after, page.rows()).await?;
    ok(&List::cut(rows, &page).map(shown))
}

async fn one(State(api): State<Arc<Api>>, caller: Caller, Path(id): Path<String>) -> Answer {
    ok(&find(&api, &caller, &BatchId::from(id)).await?)
}

async fn find(api: &Api, caller: &Caller, id: &BatchId) -> Result<Shown, Problem> {
    let mut tx = api.app.db.read().await?;
    let found = get_batch(&mut tx, &caller.connection, id).await?;
    found.map(shown).ok_or_else(|| not_found("batch"))
}

async fn items(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
) -> Answer {
    let page = params.page(&["state"])?;
    let states: Vec<&str> = ItemState::ALL.iter().map(|s| s.name()).collect();
    let state = params.one_of("state", ItemState::parse, &states)?;
    let after = page.after.as_deref().map(str::parse::<i64>);
    let after = after.transpose().map_err(|_| bad_cursor())?;
    let batch = find(&api, &caller, &BatchId::from(id)).await?.id;
    let mut tx = api.app.db.read().await?;
    let rows = batch_items(
        &mut tx,
        &caller.connection,
        &batch,
        state,
        after,
        page.rows(),
    );
    ok(&List::cut(rows.await?, &page).map(ShownItem::from))
}

/// When the next batch runs by itself.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "NextBatch")]
struct Next {
    next_at: Option<Timestamp>,
    /// A cron expression with seconds, in UTC.
    schedule: String,
}

async fn next(State(api): State<Arc<Api>>) -> Answer {
    let cron = &api.app.config.settle_cron;
    ok(&Next {
        next_at: schedule::next(&cron.schedule, api.app.clock.now()),
        schedule: cron.text.clone(),
    })
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "BatchPreviewRequest")]
struct Ask {
    /// The instant to preview; now, if left out.
    #[schemars(with = "Option<Timestamp>")]
    cut_off: Option<String>,
}

/// What a batch would do.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "BatchPreview")]
struct Preview {
    cut_off: Timestamp,
    /// How many would settle.
    settle: usize,
    reverse: usize,
    reinstate: usize,
    /// How many would be left for later.
    skip: usize,
    /// What the ledger would change by, per currency.
    amounts: Vec<Money>,
    /// The first items of the plan.
    items: List<ShownItem>,
}

async fn preview(State(api): State<Arc<Api>>, caller: Caller, input: Input) -> Answer {
    let ask: Ask = input.json()?;
    let clock = api.app.clock.as_ref();
    let cut_off = instant(ask.cut_off.as_deref(), "/cut_off")?.unwrap_or_else(|| clock.now());
    let mut seen = Seen::default();
    let (db, connection) = (&api.app.db, &caller.connection);
    plan::preview(db, connection, clock, cut_off, |page| seen.take(page)).await?;
    let count = |action| seen.counts.get(&action).copied().unwrap_or(0);
    let sums = seen.sums.iter();
    ok(&Preview {
        cut_off,
        settle: count(ItemAction::Settle),
        reverse: count(ItemAction::Reverse),
        reinstate: count(ItemAction::Reinstate),
        skip: count(ItemAction::Skip),
        amounts: sums.map(|(c, minor)| Money::new(*minor, *c)).collect(),
        items: List {
            has_more: seen.counts.values().sum::<usize>() > seen.first.len(),
            data: seen.first,
        },
    })
}

/// What was seen of a plan: the first items, and of the rest how many and how much.
#[derive(Debug, Default)]
struct Seen {
    counts: BTreeMap<ItemAction, usize>,
    sums: BTreeMap<Currency, i64>,
    first: Vec<ShownItem>,
}

impl Seen {
    fn take(&mut self, page: Vec<Planned>) {
        let most = usize::try_from(LIMIT_MAX).unwrap_or(usize::MAX);
        for (item, _) in page {
            *self.counts.entry(item.action).or_default() += 1;
            let booked = item.action != ItemAction::Skip;
            for reward in item.amounts.iter().filter(|_| booked) {
                let sum = self.sums.entry(reward.currency).or_default();
                *sum = sum.saturating_add(reward.amount_minor);
            }
            if self.first.len() < most {
                self.first.push(ShownItem::from(item));
            }
        }
    }
}

/// What running came to.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "BatchRun")]
struct Run {
    /// The batch that ran.
    batch: Option<Shown>,
    /// Whether there was nothing to do.
    nothing_due: bool,
}

async fn run(State(api): State<Arc<Api>>, caller: Caller, input: Input) -> Answer {
    let Nothing {} = input.json()?;
    let app = &api.app;
    let entry = (
        Action::BatchRun,
        "batches".to_owned(),
        serde_json::json!({}),
    );
    let now_us = app.clock.now_us();
    announce(&app.db, &caller.connection, now_us, &caller.by, entry).await?;
    let (clock, by) = (app.clock.as_ref(), Some(&caller.by));
    let ran = schedule::run_now_for(&app.db, &caller.connection, &app.node, clock, by).await?;
    app.touched.notify_one();
    let batch = match ran {
        Some(ran) => Some(find(&api, &caller, &ran.batch).await?),
        None => None,
    };
    ok(&Run {
        nothing_due: batch.is_none(),
        batch,
    })
}
