//! `/admin/batches/preview`: what a batch would do, and what it would cost; nothing is stored.
//! `/admin/batches/run`: the same asked once more, and then done.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::extract::State;

use super::items::{ItemRow, Whom, action};
use crate::access::audit::{Action, announce};
use crate::domain::access::Permission;
use crate::domain::currency::Currency;
use crate::domain::ids::BatchId;
use crate::domain::money::Money;
use crate::domain::time::Timestamp;
use crate::http::Problem;
use crate::settle::items::Planned;
use crate::settle::schedule::{Ran, is_elsewhere, run_now_for};
use crate::settle::{plan, schedule};
use crate::store::StoreError;
use crate::store::batch_items::ItemAction;
use crate::store::batches::open_batches;
use crate::store::qualifications::Qualification;
use crate::web::answer::{Answer, on_to, page};
use crate::web::input::Asked;
use crate::web::layout::{ConfirmPage, Page, Said};
use crate::web::parts::{Empty, State as Badge, Tabs, When};
use crate::web::{View, Web, format, url};

/// Items of a preview that are shown; the figures are of all of them.
const ROWS: usize = 50;
/// How long the page waits for a batch by hand before it says that it goes on.
const PATIENCE: Duration = Duration::from_secs(5);

const PREVIEW: &str = "/admin/batches/preview";

/// `/admin/batches/preview`
#[derive(Debug, Template)]
#[template(path = "pages/admin/preview.html", config = ".askama.toml")]
pub(crate) struct PreviewPage {
    pub page: Page,
    pub tabs: Tabs,
    pub cut_off: When,
    pub actions: Vec<ActionRow>,
    pub costs: Vec<String>,
    pub left: Vec<(String, String)>,
    pub rows: Vec<ItemRow>,
    pub more: bool,
    pub empty: Option<Empty>,
    pub can_run: bool,
}

/// What is done so many times, and what it moves.
#[derive(Debug)]
pub(crate) struct ActionRow {
    pub what: Badge,
    pub count: String,
    pub amounts: Vec<String>,
}

/// What was seen of a plan.
#[derive(Debug, Default)]
struct Seen {
    counts: BTreeMap<ItemAction, i64>,
    sums: BTreeMap<(ItemAction, Currency), i64>,
    left: BTreeMap<String, i64>,
    first: Vec<Planned>,
}

impl Seen {
    fn take(&mut self, page: Vec<Planned>) {
        for planned in page {
            let item = &planned.0;
            *self.counts.entry(item.action).or_default() += 1;
            if item.action == ItemAction::Skip {
                *self.left.entry(item.reason.clone()).or_default() += 1;
            }
            for reward in &item.amounts {
                let sum = self.sums.entry((item.action, reward.currency)).or_default();
                *sum = sum.saturating_add(reward.amount_minor);
            }
            if self.first.len() < ROWS {
                self.first.push(planned);
            }
        }
    }

    fn count(&self, action: ItemAction) -> i64 {
        self.counts.get(&action).copied().unwrap_or(0)
    }

    /// Whether running it would book anything.
    fn books(&self) -> bool {
        self.counts.keys().any(|action| *action != ItemAction::Skip)
    }

    /// What the ledger would change by, per currency.
    fn costs(&self) -> Vec<String> {
        let mut net: BTreeMap<Currency, i64> = BTreeMap::new();
        let booked = self.sums.iter();
        for ((_, currency), minor) in booked.filter(|((action, _), _)| *action != ItemAction::Skip)
        {
            let sum = net.entry(*currency).or_default();
            *sum = sum.saturating_add(*minor);
        }
        let net = net.into_iter();
        net.map(|(currency, minor)| format::change(Money::new(minor, currency)))
            .collect()
    }

    fn amounts(&self, wanted: ItemAction) -> Vec<String> {
        let mine = self
            .sums
            .iter()
            .filter(|((action, _), _)| *action == wanted);
        mine.map(|((_, currency), minor)| format::money(Money::new(*minor, *currency)))
            .collect()
    }
}

async fn look(web: &Web, view: &View, cut_off: Timestamp) -> Result<Seen, StoreError> {
    let app = &web.app;
    let mut seen = Seen::default();
    let clock = app.clock.as_ref();
    plan::preview(&app.db, view.connection(), clock, cut_off, |page| {
        seen.take(page);
    })
    .await?;
    Ok(seen)
}

/// `GET /admin/batches/preview`
pub(crate) async fn preview(
    State(web): State<Arc<Web>>,
    view: View,
    Asked(query): Asked,
) -> Answer {
    let upcoming = schedule::next(&web.app.config.settle_cron.schedule, view.now);
    let upcoming = upcoming.filter(|_| query.text("at") == "next");
    let cut_off = upcoming.unwrap_or(view.now);
    let seen = look(&web, &view, cut_off).await?;
    let about: Vec<Qualification> = seen.first.iter().map(|(_, q)| q.clone()).collect();
    let mut tx = web.app.db.read().await?;
    let whom = Whom::known(&mut tx, view.connection(), about).await?;
    tx.rollback().await?;
    let frame = view
        .page("Preview of a batch", "/admin/batches")
        .under("Batches", "/admin/batches");
    let can_run = view.may(Permission::BatchesWrite) && upcoming.is_none();
    let when = (cut_off, upcoming.is_some(), view.now);
    page(&filled(frame, when, &seen, &whom, can_run))
}

fn filled(
    page: Page,
    (cut_off, at_next, now): (Timestamp, bool, Timestamp),
    seen: &Seen,
    whom: &Whom,
    can_run: bool,
) -> PreviewPage {
    let next = url::with(PREVIEW, &[("at", "next")]);
    let all = [
        ItemAction::Settle,
        ItemAction::Reverse,
        ItemAction::Reinstate,
        ItemAction::Skip,
    ];
    let row = |what: ItemAction| ActionRow {
        what: action(what),
        count: format::count(seen.count(what)),
        amounts: seen.amounts(what),
    };
    let shown = i64::try_from(seen.first.len()).unwrap_or(i64::MAX);
    PreviewPage {
        page,
        tabs: Tabs::new(
            "When",
            if at_next { &next } else { PREVIEW },
            &[("At the next slot", &next), ("If it ran now", PREVIEW)],
        ),
        cut_off: When::new(cut_off, now),
        actions: all.into_iter().map(row).collect(),
        costs: seen.costs(),
        left: seen
            .left
            .iter()
            .map(|(reason, count)| (format::code_words(reason), format::count(*count)))
            .collect(),
        rows: seen.first.iter().map(|(item, _)| whom.row(item)).collect(),
        more: seen.counts.values().sum::<i64>() > shown,
        empty: seen.counts.is_empty().then(|| empty(at_next)),
        can_run: can_run && seen.books(),
    }
}

fn empty(at_next: bool) -> Empty {
    let text =
        "No reward has come to the end of its hold, and nothing settled has to be corrected.";
    if at_next {
        Empty::new("Nothing will be due", text).step("See the referrals", "/referrals")
    } else {
        Empty::new("Nothing is due now", text).step(
            "See what the next slot would do",
            "/admin/batches/preview?at=next",
        )
    }
}

/// `GET /admin/batches/run`: says what will happen.
pub(crate) async fn ask(State(web): State<Arc<Web>>, view: View) -> Answer {
    let seen = look(&web, &view, view.now).await?;
    if !seen.books() {
        return on_to("/admin/batches", Some(Said::NothingDue));
    }
    let title = "Run a batch now?";
    page(&ConfirmPage {
        page: view
            .page(title, "/admin/batches")
            .under("Batches", "/admin/batches"),
        says: says(&seen),
        state: None,
        action: "/admin/batches/run".to_owned(),
        hidden: Vec::new(),
        button: "Run it now".to_owned(),
        danger: false,
        cancel: "/admin/batches".to_owned(),
    })
}

fn says(seen: &Seen) -> Vec<String> {
    let mut says = Vec::new();
    let steps = [
        (ItemAction::Settle, "will be settled"),
        (ItemAction::Reverse, "will be taken back"),
        (ItemAction::Reinstate, "will be given again"),
    ];
    for (action, words) in steps {
        let count = seen.count(action);
        if count > 0 {
            let rewards = format::plural(count, "reward");
            // The words say in which direction.
            let money = seen.amounts(action).join(", ").replace('\u{2212}', "");
            says.push(format!("{rewards} {words}: {money}."));
        }
    }
    let left = seen.count(ItemAction::Skip);
    if left > 0 {
        let left = format::plural(left, "reward");
        says.push(format!(
            "{left} will be left for later, because a limit is reached."
        ));
    }
    says.push(format!(
        "In all the ledger changes by {}.",
        seen.costs().join(", ")
    ));
    says.push(
        "Entries in the ledger are never changed; what turns out wrong is countered by a later \
         batch. The next batch on schedule runs as planned."
            .to_owned(),
    );
    says
}

/// `POST /admin/batches/run`. A large batch goes on while the page says so.
pub(crate) async fn run(State(web): State<Arc<Web>>, view: View) -> Answer {
    let app = Arc::clone(&web.app);
    let connection = view.connection().clone();
    let nothing = serde_json::json!({});
    let entry = (Action::BatchRun, "batches".to_owned(), nothing);
    announce(&app.db, &connection, app.clock.now_us(), &view.by, entry).await?;
    let by = view.by.clone();
    // In a task of its own, so that whoever goes away leaves no batch half done.
    let running = tokio::spawn(async move {
        let clock = app.clock.as_ref();
        let ran = run_now_for(&app.db, &connection, &app.node, clock, Some(&by)).await;
        app.touched.notify_one();
        ran
    });
    match tokio::time::timeout(PATIENCE, running).await {
        Ok(Ok(ran)) => ended(ran),
        Ok(Err(error)) => {
            tracing::error!(%error, "a batch by hand ended early");
            Err(Problem::internal())
        }
        Err(_) => {
            let mut tx = web.app.db.read().await?;
            let open = open_batches(&mut tx, view.connection()).await?;
            tx.rollback().await?;
            let place = open.last().map(|batch| at(&batch.id));
            let place = place.unwrap_or_else(|| "/admin/batches".to_owned());
            on_to(&place, Some(Said::BatchGoesOn))
        }
    }
}

fn ended(ran: Result<Option<Ran>, StoreError>) -> Answer {
    match ran {
        Ok(Some(ran)) => on_to(&at(&ran.batch), Some(Said::BatchRan)),
        Ok(None) => on_to("/admin/batches", Some(Said::NothingDue)),
        Err(error) if is_elsewhere(&error) => on_to("/admin/batches", Some(Said::BatchElsewhere)),
        Err(error) => Err(error.into()),
    }
}

fn at(batch: &BatchId) -> String {
    url::batch(batch.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::access::Role;
    use crate::web::samples::{frame, hold, now};

    #[test]
    fn a_preview() {
        let seen = Seen {
            counts: [
                (ItemAction::Settle, 120),
                (ItemAction::Reverse, 2),
                (ItemAction::Skip, 3),
            ]
            .into(),
            sums: [
                ((ItemAction::Settle, Currency::USD), 240_000),
                ((ItemAction::Settle, Currency::parse("eur").unwrap()), 1_000),
                ((ItemAction::Reverse, Currency::USD), -4_000),
                ((ItemAction::Skip, Currency::USD), 6_000),
            ]
            .into(),
            left: [("promoter_limit_reached".to_owned(), 3)].into(),
            first: Vec::new(),
        };
        assert_eq!(
            seen.costs(),
            ["+10.00 EUR", "+2,360.00 USD"],
            "what is left costs nothing"
        );
        let page = || frame(Role::Admin).page("Preview of a batch", "/admin/batches");
        let next = (now().plus_seconds(3 * 3_600), true, now());
        let whom = Whom::default();
        hold("batch_preview", &filled(page(), next, &seen, &whom, false));
        let nothing = Seen::default();
        let at_once = (now(), false, now());
        hold(
            "batch_preview_empty",
            &filled(page(), at_once, &nothing, &whom, true),
        );
        insta::assert_snapshot!(says(&seen).join("\n"), @r"
        120 rewards will be settled: 10.00 EUR, 2,400.00 USD.
        2 rewards will be taken back: 40.00 USD.
        3 rewards will be left for later, because a limit is reached.
        In all the ledger changes by +10.00 EUR, +2,360.00 USD.
        Entries in the ledger are never changed; what turns out wrong is countered by a later batch. The next batch on schedule runs as planned.
        ");
    }
}
