//! `/cases`: conflicts, what each choice would change, and deciding them.

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
use super::input::Input;
use super::params::{Params, bad_cursor};
use crate::access::routes::{self, On};
use crate::domain::decision::{CaseKind, Choice, Decision};
use crate::domain::email::CanonicalEmail;
use crate::domain::ids::{CampaignId, CaseId, CustomerId, ReferralId};
use crate::domain::money::Money;
use crate::domain::time::Timestamp;
use crate::domain::verdict::{MatchedBy, Verdict};
use crate::evaluate::explain::sentence;
use crate::http::Problem;
use crate::registry::case_view::{CaseView, view};
use crate::registry::decisions::{self, Decider};
use crate::registry::effects::Consequence;
use crate::store::cases::{CaseFilter, CaseState, StoredCase, get_case, list_cases};

pub(super) fn routes() -> Router<Arc<Api>> {
    Router::new()
        .on(routes::API_CASES, list)
        .on(routes::API_CASE, one)
        .on(routes::API_CASE_PREVIEW, preview)
        .on(routes::API_CASE_RESOLVE, resolve)
        .on(routes::API_CASE_UNDO, undo)
}

pub(super) fn describe() -> Resource {
    Resource {
        name: "cases",
        says: "Conflicts that a person decides: what was seen, what each choice would change, deciding and undoing it.",
        operations: vec![
            Operation::new(routes::API_CASES, "list_cases", "List cases")
                .says("The oldest first; open ones unless `state` says otherwise.")
                .filter(
                    "state",
                    Takes::one_of::<names::CaseState>(),
                    "In this state.",
                )
                .filter("kind", Takes::one_of::<CaseKind>(), "Of this kind.")
                .lists::<Shown>("The `id` of the last row of the page before."),
            Operation::new(routes::API_CASE, "get_case", "Get a case")
                .answers::<Detail>(200, "The case with its candidates and choices."),
            Operation::new(routes::API_CASE_PREVIEW, "preview_case", "Preview a choice")
                .says("The verdicts that a choice would change, each with what that does to money; nothing is changed.")
                .takes::<Ask>()
                .refuses(409, &["already_settled", "case_gone"])
                .refuses(422, &["choice_invalid"])
                .lists_all::<Effect>(),
            Operation::new(routes::API_CASE_RESOLVE, "resolve_case", "Decide a case")
                .takes::<Resolve>()
                .refuses(409, &["already_settled", "case_gone", "case_resolved"])
                .refuses(422, &["choice_invalid", "reason_missing"])
                .answers::<Detail>(200, "The case as it is now."),
            Operation::new(routes::API_CASE_UNDO, "undo_case", "Undo a decision")
                .says("The case is open again, unless what it led to is settled.")
                .takes::<Undo>()
                .refuses(409, &["already_settled", "case_gone", "case_not_resolved"])
                .refuses(422, &["reason_missing"])
                .answers::<Detail>(200, "The case as it is now."),
        ],
    }
}

/// A case in a list.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Case")]
struct Shown {
    id: CaseId,
    kind: CaseKind,
    #[schemars(with = "names::CaseState")]
    state: &'static str,
    campaign: CampaignId,
    referral: ReferralId,
    opened_at: Timestamp,
    changed_at: Timestamp,
}

fn shown(case: StoredCase) -> Shown {
    Shown {
        id: case.id,
        kind: case.kind,
        state: case.state.name(),
        campaign: case.campaign,
        referral: case.referral,
        opened_at: case.opened_at,
        changed_at: case.changed_at,
    }
}

async fn list(State(api): State<Arc<Api>>, caller: Caller, params: Params) -> Answer {
    let page = params.page(&["state", "kind"])?;
    let states: Vec<&str> = CaseState::ALL.iter().map(|s| s.name()).collect();
    let state = params.one_of("state", CaseState::parse, &states)?;
    let kinds: Vec<&str> = CaseKind::ALL.iter().map(|k| k.reason().code()).collect();
    let kind = params.one_of("kind", CaseKind::parse, &kinds)?;
    let mut tx = api.app.db.read().await?;
    let after = match &page.after {
        None => None,
        Some(id) => {
            let id = CaseId::from(id.as_str());
            let last = get_case(&mut tx, &caller.connection, &id).await?;
            Some(last.ok_or_else(bad_cursor)?)
        }
    };
    let after = after.as_ref().map(|last| (last.opened_at, &last.id));
    let filter = CaseFilter {
        kind,
        ..CaseFilter::of(state.unwrap_or(CaseState::Open))
    };
    let rows = list_cases(&mut tx, &caller.connection, filter, after, page.rows()).await?;
    ok(&List::cut(rows, &page).map(shown))
}

/// A case with its candidates and choices.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "CaseDetail")]
struct Detail {
    #[serde(flatten)]
    case: Shown,
    /// What was seen, in words.
    #[serde(rename = "detail")]
    words: String,
    candidates: Vec<Candidate>,
    /// The choices that it accepts.
    choices: Vec<Choice>,
    /// The decision in force.
    decision: Option<Decision>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Candidate")]
struct Candidate {
    customer: CustomerId,
    created: Option<Timestamp>,
    emails: Vec<CanonicalEmail>,
    deleted: bool,
    matched_by: MatchedBy,
    /// How many of its payments would count if it were the person.
    counted_payments: usize,
    counted_spend: Vec<Money>,
}

fn detail(view: CaseView) -> Detail {
    let candidates = view.candidates.into_iter().map(|c| Candidate {
        customer: c.customer,
        created: c.created,
        emails: c.emails,
        deleted: c.deleted,
        matched_by: c.matched_by,
        counted_payments: c.counted_payments,
        counted_spend: c.counted_spend,
    });
    Detail {
        candidates: candidates.collect(),
        case: shown(view.case),
        words: view.detail,
        choices: view.choices,
        decision: view.decision,
    }
}

async fn one(State(api): State<Arc<Api>>, caller: Caller, Path(id): Path<String>) -> Answer {
    ok(&detail(look(&api, &caller, &CaseId::from(id)).await?))
}

async fn look(api: &Api, caller: &Caller, id: &CaseId) -> Result<CaseView, Problem> {
    let app = &api.app;
    Ok(view(&app.db, &caller.connection, app.clock.as_ref(), id).await?)
}

/// A choice as somebody writes it; the case lists the ones it accepts.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ChoiceInput")]
struct Chosen {
    /// One of the case's `choices`.
    choose: String,
    /// The customer, where `choose` is `customer`.
    customer: Option<String>,
    /// The promoter, where `choose` is `promoter`.
    promoter: Option<String>,
}

impl Chosen {
    /// The choice, if the case offers it.
    fn of(self, view: &CaseView) -> Result<Choice, Problem> {
        let names = (self.choose.as_str(), self.customer, self.promoter);
        let choice = match names {
            ("customer", Some(id), None) => Some(Choice::Customer {
                customer: id.into(),
            }),
            ("promoter", None, Some(id)) => Some(Choice::Promoter {
                promoter: id.into(),
            }),
            ("combine", None, None) => Some(Choice::Combine),
            ("link", None, None) => Some(Choice::Link),
            ("coupon", None, None) => Some(Choice::Coupon),
            ("allow", None, None) => Some(Choice::Allow),
            ("reject", None, None) => Some(Choice::Reject),
            _ => None,
        };
        // Of a case without candidates nothing is left to choose; resolving it says so.
        let offered = |choice: &Choice| view.choices.contains(choice) || view.candidates.is_empty();
        choice.filter(offered).ok_or_else(|| {
            let detail = "The case does not offer this; its `choices` list what it does.";
            Problem::field("choice_invalid", "/choice", detail)
        })
    }
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "CasePreviewRequest")]
struct Ask {
    choice: Chosen,
}

/// A verdict that a choice would change.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Effect")]
struct Effect {
    campaign: CampaignId,
    referral: ReferralId,
    before: Option<Side>,
    after: Option<Side>,
    /// What it would do to money, in the order in which it happens; empty if nothing.
    money: Vec<Consequence>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Judged")]
struct Side {
    sentence: String,
    verdict: Verdict,
}

fn side(verdict: Verdict) -> Side {
    Side {
        sentence: sentence(&verdict),
        verdict,
    }
}

async fn preview(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    input: Input,
) -> Answer {
    let ask: Ask = input.json()?;
    let (app, id) = (&api.app, CaseId::from(id));
    let choice = ask.choice.of(&look(&api, &caller, &id).await?)?;
    let clock = app.clock.as_ref();
    let effects = decisions::preview(&app.db, &caller.connection, clock, &id, &choice).await?;
    let effects = effects.into_iter().filter_map(|effect| {
        let one = effect.after.as_ref().or(effect.before.as_ref())?;
        Some(Effect {
            campaign: one.campaign.clone(),
            referral: one.referral.clone(),
            before: effect.before.map(side),
            after: effect.after.map(side),
            money: effect.money,
        })
    });
    ok(&List {
        data: effects.collect(),
        has_more: false,
    })
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "CaseResolve")]
struct Resolve {
    choice: Chosen,
    /// Why, in a few words.
    reason: String,
}

async fn resolve(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    input: Input,
) -> Answer {
    let wanted: Resolve = input.json()?;
    let (app, id) = (&api.app, CaseId::from(id));
    let choice = wanted.choice.of(&look(&api, &caller, &id).await?)?;
    let decider = Decider {
        by: &caller.by,
        reason: &wanted.reason,
    };
    let clock = app.clock.as_ref();
    decisions::resolve(&app.db, &caller.connection, clock, &id, &choice, decider).await?;
    app.touched.notify_one();
    ok(&detail(look(&api, &caller, &id).await?))
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "CaseUndo")]
struct Undo {
    /// Why, in a few words.
    reason: String,
}

async fn undo(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    input: Input,
) -> Answer {
    let wanted: Undo = input.json()?;
    let (app, id) = (&api.app, CaseId::from(id));
    let decider = Decider {
        by: &caller.by,
        reason: &wanted.reason,
    };
    let clock = app.clock.as_ref();
    decisions::undo(&app.db, &caller.connection, clock, (&id, None), decider).await?;
    app.touched.notify_one();
    ok(&detail(look(&api, &caller, &id).await?))
}
