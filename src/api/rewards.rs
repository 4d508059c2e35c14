//! `/rewards`: what promoters and the people they brought are owed, from pending to settled or
//! taken back.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;

use super::Api;
use super::answer::{Answer, List, ok};
use super::caller::Caller;
use super::document::operation::{Operation, Resource, Takes};
use super::params::{Params, bad_cursor};
use crate::access::routes::{self, On};
use crate::domain::ids::{CampaignId, PromoterId, QualificationId, ReferralId};
use crate::domain::time::Timestamp;
use crate::domain::verdict::Reward;
use crate::settle::schedule;
use crate::store::qualifications::{
    Qualification, QualificationState, RewardFilter, list_rewards, load_qualifications,
};

pub(super) fn routes() -> Router<Arc<Api>> {
    Router::new().on(routes::API_REWARDS, list)
}

pub(super) fn describe() -> Resource {
    let list = Operation::new(routes::API_REWARDS, "list_rewards", "List rewards")
        .says("In order of id. Balances by promoter are under `/api/v1/ledger/accounts`.")
        .filter("promoter", Takes::Text, "Of this promoter.")
        .filter("campaign", Takes::Text, "Of this campaign.")
        .filter("state", Takes::one_of::<Standing>(), "In this state.")
        .lists::<Shown>("The `id` of the last row of the page before.");
    Resource {
        name: "rewards",
        says: "What promoters and the people they brought are owed: pending, due, settled, taken back.",
        operations: vec![list],
    }
}

/// How far a reward is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "RewardState")]
enum Standing {
    /// Earned, and held back until `settle_after`.
    Pending,
    /// The next batch settles it.
    Due,
    /// In the ledger.
    Settled,
    /// In the ledger, and taken back in full.
    Reversed,
}

impl Standing {
    const ALL: [(&'static str, Self); 4] = [
        ("pending", Self::Pending),
        ("due", Self::Due),
        ("settled", Self::Settled),
        ("reversed", Self::Reversed),
    ];

    fn parse(name: &str) -> Option<Self> {
        let found = Self::ALL.into_iter().find(|(known, _)| *known == name);
        found.map(|(_, state)| state)
    }

    fn of(qualification: &Qualification, now: Timestamp) -> Self {
        match qualification.state {
            QualificationState::Settled => Self::Settled,
            QualificationState::Reversed => Self::Reversed,
            _ if qualification.settle_after <= now => Self::Due,
            _ => Self::Pending,
        }
    }
}

/// The rewards of one qualification.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "RewardRow")]
struct Shown {
    /// The qualification's id.
    id: QualificationId,
    state: Standing,
    /// Why it is in this state: a stable code.
    reason: String,
    promoter: PromoterId,
    campaign: CampaignId,
    referral: ReferralId,
    /// What is owed, to whom.
    amounts: Vec<Reward>,
    /// What the ledger has given in all, reversals taken off.
    given: Vec<Reward>,
    qualified_at: Timestamp,
    /// The earliest instant at which it may settle.
    settle_after: Timestamp,
    /// The slot of the batch that settles it, while that is to come.
    settles_at: Option<Timestamp>,
}

async fn list(State(api): State<Arc<Api>>, caller: Caller, params: Params) -> Answer {
    let page = params.page(&["promoter", "campaign", "state"])?;
    let state = params.one_of(
        "state",
        Standing::parse,
        &Standing::ALL.map(|(name, _)| name),
    )?;
    let now = api.app.clock.now();
    let filter = RewardFilter {
        campaign: params.id("campaign"),
        promoter: params.id("promoter"),
        state: state.map(|state| match state {
            Standing::Pending | Standing::Due => QualificationState::Queued,
            Standing::Settled => QualificationState::Settled,
            Standing::Reversed => QualificationState::Reversed,
        }),
        due_by: (state == Some(Standing::Due)).then_some(now),
        due_after: (state == Some(Standing::Pending)).then_some(now),
    };
    let mut tx = api.app.db.read().await?;
    let connection = &caller.connection;
    let after: Option<QualificationId> = page.after.as_deref().map(QualificationId::from);
    if let Some(after) = &after {
        let ids = std::slice::from_ref(after);
        let there = load_qualifications(&mut tx, connection, ids).await?;
        there.first().ok_or_else(bad_cursor)?;
    }
    let rows = list_rewards(&mut tx, connection, &filter, after.as_ref(), page.rows()).await?;
    let shown = |q: Qualification| shown(&api, q, now);
    ok(&List::cut(rows, &page).map(shown))
}

fn shown(api: &Api, q: Qualification, now: Timestamp) -> Shown {
    let state = Standing::of(&q, now);
    let is_to_come = matches!(state, Standing::Pending | Standing::Due);
    // A slot takes what is due by its start.
    let from = q.settle_after.max(now).plus_seconds(-1);
    let slot = || schedule::next(&api.app.config.settle_cron.schedule, from);
    Shown {
        settles_at: is_to_come.then(slot).flatten(),
        state,
        id: q.id,
        reason: q.reason,
        promoter: q.promoter,
        campaign: q.campaign,
        referral: q.referral,
        amounts: q.rewards,
        given: q.given,
        qualified_at: q.qualified_at,
        settle_after: q.settle_after,
    }
}
