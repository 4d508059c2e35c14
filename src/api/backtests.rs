//! `/campaigns/{id}/backtest` and `/backtests`: a draft tried on what is stored, beside the
//! rules in force. It is asked for by id until it is over, at whichever node.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Api;
use super::answer::{Answer, ok, with};
use super::caller::Caller;
use super::document::operation::Operation;
use super::input::{Input, Nothing};
use super::refusal::not_found;
use crate::access::routes::{self, On};
use crate::backtests::{self, Draft, Job, MoneyChange, NotStarted, Outcome, Standing};
use crate::domain::ids::{BacktestId, CampaignId, ReferralId};
use crate::domain::money::Money;
use crate::domain::time::Timestamp;
use crate::http::Problem;
use crate::registry::RegistryError;
use crate::rules;
use crate::store::campaigns::current_campaign;

/// Days back that a backtest looks at, at most.
const DAYS_MAX: u32 = 3650;
/// Seconds after which to try again when enough run.
const RETRY_SECONDS: u32 = 10;

pub(super) fn routes() -> Router<Arc<Api>> {
    Router::new()
        .on(routes::API_CAMPAIGN_BACKTEST, start)
        .on(routes::API_BACKTEST, one)
        .on(routes::API_BACKTEST_STOP, stop)
}

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::new(
            routes::API_CAMPAIGN_BACKTEST,
            "start_backtest",
            "Try rules on the past",
        )
        .says("Judges everything that is stored by these rules and, if the campaign is there already, by the rules in force, and saves nothing. The answer comes at once; ask for the backtest by its id until its `state` is `done`, `failed` or `stopped`. It runs in the process that was asked, and every node can tell how far it is; if that process ends, it is `failed`. It is kept for a week.")
        .takes::<Try>()
        .refuses(422, &["days_invalid", "id_mismatch", "rules_invalid"])
        .refuses(503, &["backtests_busy"])
        .answers::<Shown>(202, "It is started."),
        Operation::new(routes::API_BACKTEST, "get_backtest", "Get a backtest")
            .answers::<Shown>(200, "How far it is, and what came of it."),
        Operation::new(routes::API_BACKTEST_STOP, "stop_backtest", "Stop a backtest")
            .may_take::<Nothing>()
            .refuses(409, &["backtest_over"])
            .answers::<Shown>(200, "The backtest, stopped."),
    ]
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "BacktestInput")]
struct Try {
    /// The campaign file (TOML) to try.
    source: String,
    /// Look at referrals of so many days back; at all, if left out.
    #[schemars(range(min = 1, max = 3650))]
    days: Option<u32>,
}

/// How far a backtest is.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "BacktestState")]
enum How {
    /// Others run first.
    Waiting,
    /// Stored events are read.
    Reading,
    /// Referrals are judged.
    Judging,
    /// It is done.
    Done,
    /// It could not be done.
    Failed,
    /// Somebody stopped it.
    Stopped,
}

/// A backtest as it is answered.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Backtest")]
struct Shown {
    id: BacktestId,
    campaign: Option<CampaignId>,
    state: How,
    days: Option<u32>,
    asked_at: Timestamp,
    /// Why it failed, in words.
    failure: Option<String>,
    /// What came of it, when it is done.
    result: Option<Found>,
}

/// What came of a backtest.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "BacktestResult")]
struct Found {
    /// The instant decided for.
    as_of: Timestamp,
    /// Referrals from here on; all, if none.
    since: Option<Timestamp>,
    /// How many referrals the rules were tried on.
    referrals: u64,
    /// By the rules that were tried.
    draft: Counts,
    /// By the rules in force, unless the campaign is new.
    live: Option<Counts>,
    /// Who qualifies by the rules that were tried alone.
    newly: Changed,
    /// Who qualifies by the rules in force alone.
    dropped: Changed,
    /// Rewards, currency by currency.
    rewards: Vec<Rewards>,
}

/// Referrals by verdict.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "BacktestCounts")]
struct Counts {
    qualified: u64,
    pending: u64,
    review: u64,
    rejected: u64,
}

/// Referrals that change sides.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "BacktestChange")]
struct Changed {
    count: u64,
    /// The first 50 of them.
    referrals: Vec<Named>,
}

/// A referral that changes sides.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "BacktestReferral")]
struct Named {
    referral: ReferralId,
    /// Empty if nobody is named.
    promoter: String,
}

/// Rewards in one currency.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "BacktestRewards")]
struct Rewards {
    /// By the rules that were tried.
    draft: Money,
    /// By the rules in force.
    live: Money,
}

fn shown(job: &Job) -> Shown {
    let (state, failure, result) = match job.standing() {
        Standing::Waiting => (How::Waiting, None, None),
        Standing::Reading => (How::Reading, None, None),
        Standing::Judging => (How::Judging, None, None),
        Standing::Done(outcome) => (How::Done, None, Some(found(*outcome))),
        Standing::Failed(words) => (How::Failed, Some(words), None),
        Standing::Stopped => (How::Stopped, None, None),
    };
    Shown {
        id: job.id.clone(),
        campaign: job.draft.campaign.as_deref().map(CampaignId::from),
        state,
        days: job.days,
        asked_at: job.asked_at,
        failure,
        result,
    }
}

fn found(outcome: Outcome) -> Found {
    Found {
        as_of: outcome.as_of,
        since: outcome.since,
        referrals: outcome.referrals,
        draft: counts(outcome.draft),
        live: outcome.live.map(counts),
        newly: changed(outcome.newly),
        dropped: changed(outcome.dropped),
        rewards: outcome.money.into_iter().map(rewards).collect(),
    }
}

const fn counts(counts: backtests::Counts) -> Counts {
    Counts {
        qualified: counts.qualified,
        pending: counts.pending,
        review: counts.review,
        rejected: counts.rejected,
    }
}

fn changed(change: backtests::Change) -> Changed {
    let named = |(referral, promoter): (String, String)| Named {
        referral: referral.into(),
        promoter,
    };
    Changed {
        count: change.count,
        referrals: change.named.into_iter().map(named).collect(),
    }
}

const fn rewards(sum: MoneyChange) -> Rewards {
    Rewards {
        draft: Money::new(sum.draft, sum.currency),
        live: Money::new(sum.live, sum.currency),
    }
}

async fn start(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    input: Input,
) -> Answer {
    let wanted: Try = input.json()?;
    if wanted
        .days
        .is_some_and(|days| !(1..=DAYS_MAX).contains(&days))
    {
        let detail = format!("It is a number from 1 to {DAYS_MAX}.");
        return Err(Problem::field("days_invalid", "/days", detail));
    }
    let rules = rules::parse("source", &wanted.source).map_err(RegistryError::Rules)?;
    let id = CampaignId::from(id);
    if rules.id != id {
        let detail = format!("The rules are of {}, the address is of {id}.", rules.id);
        return Err(Problem::field("id_mismatch", "/source", detail));
    }
    let mut tx = api.app.db.read().await?;
    let live = current_campaign(&mut tx, &caller.connection, &id).await?;
    drop(tx);
    let number = live.as_ref().map(|stored| stored.number);
    // What is stored was checked when it was saved.
    let live = live.and_then(|stored| rules::parse("stored", &stored.source).ok());
    let draft = Draft {
        campaign: Some(id.to_string()),
        source: wanted.source,
        number,
        reason: String::new(),
        as_file: true,
    };
    let (connection, rules) = (&caller.connection, (rules, live));
    let started = api
        .backtests
        .start(&api.app, connection, draft, rules, wanted.days);
    let job = started.await.map_err(not_started)?;
    with(StatusCode::ACCEPTED, &shown(&job))
}

fn not_started(error: NotStarted) -> Problem {
    match error {
        NotStarted::Busy => {
            let words = format!("{}.", NotStarted::Busy);
            Problem::unavailable("backtests_busy", RETRY_SECONDS, words)
        }
        NotStarted::NoChance(error) => {
            tracing::error!(%error, "a backtest could not be named");
            Problem::internal()
        }
        NotStarted::Store(error) => error.into(),
    }
}

async fn find(api: &Api, caller: &Caller, id: &BacktestId) -> Result<Arc<Job>, Problem> {
    let found = api.backtests.get(&api.app, &caller.connection, id).await?;
    found.ok_or_else(|| not_found("backtest"))
}

async fn one(State(api): State<Arc<Api>>, caller: Caller, Path(id): Path<BacktestId>) -> Answer {
    ok(&shown(&*find(&api, &caller, &id).await?))
}

async fn stop(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<BacktestId>,
    input: Input,
) -> Answer {
    let Nothing {} = input.json()?;
    let job = find(&api, &caller, &id).await?;
    if job.standing().is_over() {
        let detail = "The backtest has ended already.";
        return Err(Problem::conflict("backtest_over", detail));
    }
    let stopped = api
        .backtests
        .stop(&api.app, &caller.connection, &id)
        .await?;
    let job = stopped.ok_or_else(|| not_found("backtest"))?;
    ok(&shown(&job))
}
