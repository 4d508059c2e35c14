//! One backtest: what is stored, judged by two sets of rules, and counted as the verdicts come.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};
use std::slice;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;

use super::{Job, Standing};
use crate::domain::campaign::Campaign;
use crate::domain::currency::Currency;
use crate::domain::ids::{PromoterId, ReferralId};
use crate::domain::time::{DAY_SECONDS, Timestamp, Window};
use crate::domain::verdict::{Reward, VerdictState};
use crate::evaluate::backtest::Summary;
use crate::ingest::read::Scope;
use crate::offline::streamed::{BacktestError, Held, Means, Output, Step, Watch};
use crate::offline::{Notes, Request, Stored, backtest_stored};
use crate::shared::App;
use crate::store::StoreError;
use crate::store::referrals::referral_page;

/// Referrals that are named of each kind of change.
const NAMED_MAX: usize = 50;
/// Referrals read at a time.
const PAGE: u32 = 1_000;
/// Threads of one backtest: the server goes on beside it.
const THREADS: usize = 2;

/// Referrals by what the rules say of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Would have their reward.
    pub qualified: u64,
    /// May still get there.
    pub pending: u64,
    /// A person would decide.
    pub review: u64,
    /// Would not.
    pub rejected: u64,
}

/// Referrals that change sides.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// How many.
    pub count: u64,
    /// The first of them: (referral, promoter).
    pub named: Vec<(String, String)>,
}

/// Rewards in one currency, minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MoneyChange {
    /// The currency.
    pub currency: Currency,
    /// By the draft.
    pub draft: i64,
    /// By the rules in force.
    pub live: i64,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The instant decided for.
    pub as_of: Timestamp,
    /// Referrals from here on; all if none.
    pub since: Option<Timestamp>,
    /// Referrals that the draft was tried on.
    pub referrals: u64,
    /// By the draft.
    pub draft: Counts,
    /// By the rules in force, if the campaign is not new.
    pub live: Option<Counts>,
    /// Qualified by the draft only.
    pub newly: Change,
    /// Qualified by the rules in force only.
    pub dropped: Change,
    /// Rewards by currency.
    pub money: Vec<MoneyChange>,
}

/// Runs it; an error is in words for people.
pub(super) async fn run(
    app: &Arc<App>,
    job: &Arc<Job>,
    rules: Campaign,
    live: Option<Campaign>,
) -> Result<Outcome, String> {
    job.becomes(Standing::Reading);
    let as_of = job.asked_at;
    let back = |days: u32| as_of.plus_seconds(-i64::from(days).saturating_mul(DAY_SECONDS));
    let since = job.days.map(back);
    let referred = match since {
        Some(_) => referred_at(app, job).await.map_err(|error| {
            tracing::error!(%error, "a backtest could not read what is stored");
            "The database did not answer. Try again.".to_owned()
        })?,
        None => HashMap::new(),
    };
    let recent = Recent { since, referred };
    let (app, job, runtime) = (Arc::clone(app), Arc::clone(job), Handle::current());
    let trying = move || -> Result<Outcome, String> {
        let draft = tried(&app, &job, &runtime, &rules, &recent)?;
        let live = live.map(|live| tried(&app, &job, &runtime, &live, &recent));
        Ok(outcome((as_of, since), draft, live.transpose()?))
    };
    let tried = tokio::task::spawn_blocking(trying).await;
    tried.unwrap_or_else(|error| {
        tracing::error!(%error, "a backtest ended early");
        Err("Something failed on our side; the log has it.".to_owned())
    })
}

/// Which referrals are looked at. All are judged, as they compete.
struct Recent {
    since: Option<Timestamp>,
    /// When those were referred that were registered.
    referred: HashMap<ReferralId, Timestamp>,
}

impl Recent {
    fn has(&self, line: &Line) -> bool {
        let Some(since) = self.since else {
            return true;
        };
        let made = self.referred.get(&line.referral).copied();
        let made = made.or(line.window.map(|window| window.opens_at));
        made.is_some_and(|made| made >= since)
    }
}

async fn referred_at(app: &App, job: &Job) -> Result<HashMap<ReferralId, Timestamp>, StoreError> {
    let mut all = HashMap::new();
    let mut after: Option<ReferralId> = None;
    let mut tx = app.db.read().await?;
    loop {
        let page = referral_page(&mut tx, &job.connection, after.as_ref(), PAGE).await?;
        let is_last = page.len() < PAGE as usize;
        after = page.last().map(|last| last.id.clone());
        all.extend(page.into_iter().map(|r| (r.id, r.referred_at)));
        if is_last {
            tx.rollback().await?;
            return Ok(all);
        }
    }
}

/// What one set of rules came to.
#[derive(Default)]
struct Tried {
    referrals: u64,
    counts: Counts,
    rewards: Summary,
    qualified: BTreeMap<ReferralId, Option<PromoterId>>,
}

fn tried(
    app: &App,
    job: &Job,
    runtime: &Handle,
    rules: &Campaign,
    recent: &Recent,
) -> Result<Tried, String> {
    let scope = Scope {
        account: app.account.clone(),
        mode: app.config.stripe.mode,
    };
    let stored = Stored {
        runtime,
        db: &app.db,
        connection: &job.connection,
        scope: &scope,
    };
    let request = Request {
        campaigns: slice::from_ref(rules),
        against: None,
        at: Some(job.asked_at),
        output: Output::Json,
        means: Means {
            threads: THREADS,
            folder: None,
            held: Held::default(),
        },
    };
    let mut counted = Counted {
        recent,
        tried: Tried::default(),
        rest: Vec::new(),
    };
    // What could not be used is told where events are looked at.
    let mut unheard = io::sink();
    let mut notes = Notes::new(&mut unheard);
    match backtest_stored(&stored, &request, &mut notes, job, &mut counted) {
        Ok(_) => Ok(counted.tried),
        Err(BacktestError::Cancelled) => Err("Stopped.".to_owned()),
        Err(error @ BacktestError::Trial(_)) => Err(error.to_string()),
        Err(error) => {
            tracing::error!(%error, "a backtest failed");
            Err("The stored history could not be judged; the log says why.".to_owned())
        }
    }
}

impl Watch for Job {
    fn progress(&self, step: Step) {
        if !matches!(step, Step::Events(_)) {
            self.becomes(Standing::Judging);
        }
    }

    fn is_cancelled(&self) -> bool {
        self.stop.is_cancelled()
    }
}

/// The part of a verdict that is counted.
#[derive(Deserialize)]
struct Line {
    referral: ReferralId,
    promoter: Option<PromoterId>,
    #[serde(rename = "verdict")]
    state: VerdictState,
    rewards: Vec<Reward>,
    window: Option<Window>,
}

/// Counts verdicts as they are written, and keeps none but who qualifies.
struct Counted<'r> {
    recent: &'r Recent,
    tried: Tried,
    /// A line that has not ended yet.
    rest: Vec<u8>,
}

impl Counted<'_> {
    fn line(&mut self) -> io::Result<()> {
        let line: Line = serde_json::from_slice(&self.rest)?;
        self.rest.clear();
        if !self.recent.has(&line) {
            return Ok(());
        }
        let tried = &mut self.tried;
        tried.referrals = tried.referrals.saturating_add(1);
        let count = match line.state {
            VerdictState::Qualified => &mut tried.counts.qualified,
            VerdictState::Pending => &mut tried.counts.pending,
            VerdictState::Review => &mut tried.counts.review,
            VerdictState::Rejected => &mut tried.counts.rejected,
        };
        *count = count.saturating_add(1);
        tried.rewards.add(line.state, &line.rewards);
        if line.state == VerdictState::Qualified {
            tried.qualified.insert(line.referral, line.promoter);
        }
        Ok(())
    }
}

impl Write for Counted<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.rest.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                self.line()?;
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn outcome(
    (as_of, since): (Timestamp, Option<Timestamp>),
    draft: Tried,
    live: Option<Tried>,
) -> Outcome {
    let is_new = live.is_none();
    let live = live.unwrap_or_default();
    let mut money: BTreeMap<Currency, MoneyChange> = BTreeMap::new();
    for (sums, is_draft) in [(live.rewards.rewards, false), (draft.rewards.rewards, true)] {
        for (currency, minor) in sums {
            let row = money.entry(currency).or_insert(MoneyChange {
                currency,
                draft: 0,
                live: 0,
            });
            *(if is_draft {
                &mut row.draft
            } else {
                &mut row.live
            }) = minor;
        }
    }
    let (newly, dropped) = if is_new {
        (Change::default(), Change::default())
    } else {
        (
            change(&draft.qualified, &live.qualified),
            change(&live.qualified, &draft.qualified),
        )
    };
    Outcome {
        as_of,
        since,
        referrals: draft.referrals,
        draft: draft.counts,
        live: (!is_new).then_some(live.counts),
        newly,
        dropped,
        money: money.into_values().collect(),
    }
}

/// Who qualifies by the one and not by the other.
fn change(
    one: &BTreeMap<ReferralId, Option<PromoterId>>,
    other: &BTreeMap<ReferralId, Option<PromoterId>>,
) -> Change {
    let mut change = Change::default();
    for (referral, promoter) in one.iter().filter(|(id, _)| !other.contains_key(*id)) {
        change.count = change.count.saturating_add(1);
        if change.named.len() < NAMED_MAX {
            let promoter = promoter.as_ref();
            let promoter = promoter.map_or_else(String::new, ToString::to_string);
            change.named.push((referral.to_string(), promoter));
        }
    }
    change
}
