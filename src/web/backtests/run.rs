//! One backtest: reads the stored history, judges it by two sets of rules, and counts.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::{Job, Standing};
use crate::domain::campaign::Campaign;
use crate::domain::currency::Currency;
use crate::domain::ids::ReferralId;
use crate::domain::time::{DAY_SECONDS, Timestamp};
use crate::domain::verdict::{Verdict, VerdictState};
use crate::evaluate::backtest::{Changed, Difference, Summary};
use crate::ingest::read::Scope;
use crate::offline::{History, judge, stored_history};
use crate::shared::App;

/// Referrals that are named of each kind of change.
const NAMED_MAX: usize = 50;

/// Referrals by what the rules say of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
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
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// How many.
    pub count: u64,
    /// The first of them: (referral, promoter).
    pub named: Vec<(String, String)>,
}

/// Rewards in one currency, minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MoneyChange {
    /// The currency.
    pub currency: Currency,
    /// By the draft.
    pub draft: i64,
    /// By the rules in force.
    pub live: i64,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The instant decided for.
    pub as_of: Timestamp,
    /// Referrals from here on; all if none.
    pub since: Option<Timestamp>,
    /// Stored events that were read.
    pub events: u64,
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
    app: &App,
    job: &Arc<Job>,
    rules: Campaign,
    live: Option<Campaign>,
) -> Result<Outcome, String> {
    job.becomes(Standing::Reading);
    let scope = Scope {
        account: app.account.clone(),
        mode: app.config.stripe.mode,
    };
    let read = stored_history(&app.db, &job.connection, &scope, None).await;
    let (history, events) = read.map_err(|error| {
        tracing::error!(%error, "a backtest could not read what is stored");
        "The database did not answer. Try again.".to_owned()
    })?;
    if job.stop.is_cancelled() {
        return Err("Stopped.".to_owned());
    }
    job.becomes(Standing::Judging);
    let as_of = job.asked_at;
    let back = |days: u32| as_of.plus_seconds(-i64::from(days).saturating_mul(DAY_SECONDS));
    let since = job.days.map(back);
    let judging = move || -> Result<Outcome, String> {
        let draft = verdicts(&history, &rules, as_of, since)?;
        let live = live.map(|live| verdicts(&history, &live, as_of, since));
        Ok(outcome(
            (as_of, since),
            events.used,
            &draft,
            live.transpose()?.as_deref(),
        ))
    };
    let judged = tokio::task::spawn_blocking(judging).await;
    judged.unwrap_or_else(|error| {
        tracing::error!(%error, "a backtest ended early");
        Err("Something failed on our side; the log has it.".to_owned())
    })
}

/// What rules say of every referral made since an instant. All are judged, as they compete.
fn verdicts(
    history: &History,
    rules: &Campaign,
    as_of: Timestamp,
    since: Option<Timestamp>,
) -> Result<Vec<Verdict>, String> {
    let judged = judge(history, std::slice::from_ref(rules), as_of);
    let judged = judged.map_err(|error| error.to_string())?;
    let all = judged.into_iter().flat_map(|judged| judged.verdicts);
    let Some(since) = since else {
        return Ok(all.collect());
    };
    let referred: HashMap<&ReferralId, Timestamp> = history
        .referrals
        .iter()
        .map(|referral| (&referral.id, referral.referred_at))
        .collect();
    let is_recent = |verdict: &Verdict| {
        let made = referred.get(&verdict.referral).copied();
        let made = made.or(verdict.window.map(|window| window.opens_at));
        made.is_some_and(|made| made >= since)
    };
    Ok(all.filter(is_recent).collect())
}

fn outcome(
    (as_of, since): (Timestamp, Option<Timestamp>),
    events: u64,
    draft: &[Verdict],
    live: Option<&[Verdict]>,
) -> Outcome {
    let (before, after) = (Summary::of(live.unwrap_or_default()), Summary::of(draft));
    let difference = live.map(|live| Difference::between(live, draft));
    let difference = difference.unwrap_or_default();
    let mut money: BTreeMap<Currency, MoneyChange> = BTreeMap::new();
    for (sums, is_draft) in [(before.rewards, false), (after.rewards, true)] {
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
    Outcome {
        as_of,
        since,
        events,
        draft: counts(draft),
        live: live.map(counts),
        newly: change(&difference.newly_qualified),
        dropped: change(&difference.dropped_out),
        money: money.into_values().collect(),
    }
}

fn counts(verdicts: &[Verdict]) -> Counts {
    let mut counts = Counts::default();
    for verdict in verdicts {
        let count = match verdict.state {
            VerdictState::Qualified => &mut counts.qualified,
            VerdictState::Pending => &mut counts.pending,
            VerdictState::Review => &mut counts.review,
            VerdictState::Rejected => &mut counts.rejected,
        };
        *count = count.saturating_add(1);
    }
    counts
}

fn change(changed: &[Changed]) -> Change {
    let name = |changed: &Changed| {
        let promoter = changed.promoter.as_ref();
        let promoter = promoter.map_or_else(String::new, ToString::to_string);
        (changed.referral.to_string(), promoter)
    };
    Change {
        count: changed.len() as u64,
        named: changed.iter().take(NAMED_MAX).map(name).collect(),
    }
}
