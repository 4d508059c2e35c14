//! `/admin/cases/{id}`: one case on the conflict desk. Its candidates side by side, what each
//! choice would do, deciding with a reason, and taking that back.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;

use super::case_parts::{ChoiceCard, Compared, Decided, cards, compared, history, label};
use super::cases::{HERE, person};
use super::effects::Effects;
use super::{refusal, words};
use crate::access::audit::digest;
use crate::domain::access::Permission;
use crate::domain::decision::Choice;
use crate::domain::ids::{CaseId, DecisionId};
use crate::domain::time::Timestamp;
use crate::http::Problem;
use crate::registry::decisions::{self, Decider};
use crate::registry::desk::{Desk, Outcome, look};
use crate::registry::effects::take_back;
use crate::store::cases::CaseState;
use crate::web::answer::{Answer, on_to, page, page_as, refused};
use crate::web::input::{Fields, Sent};
use crate::web::layout::{ConfirmPage, Page, Said};
use crate::web::pages::marketing::referral_parts::queue_state;
use crate::web::parts::{Errors, Field, Link, State as Badge, When};
use crate::web::{View, Web, format, url};

/// `/admin/cases/{id}`
#[derive(Debug, Template)]
#[template(path = "pages/admin/case.html", config = ".askama.toml")]
pub(crate) struct CasePage {
    pub page: Page,
    pub here: String,
    pub state: Badge,
    pub question: &'static str,
    /// What was seen.
    pub detail: String,
    pub person: String,
    pub referral: Link,
    pub campaign: Link,
    pub promoter: Option<Link>,
    pub opened: When,
    pub changed: Option<When>,
    pub candidates: Vec<String>,
    pub rows: Vec<Compared>,
    pub errors: Errors,
    pub cards: Vec<ChoiceCard>,
    pub reason: Field,
    /// What the choices were seen to do.
    pub seen: String,
    pub can_decide: bool,
    pub outcome: Option<OutcomePart>,
    pub history: Vec<Decided>,
}

/// What came of a decision.
#[derive(Debug)]
pub(crate) struct OutcomePart {
    pub decision: Option<Decided>,
    /// The decision that is taken back.
    pub id: String,
    pub did: Effects,
    pub queue: Vec<(Badge, String, When)>,
    pub undo: Effects,
    pub is_settled: bool,
}

/// `GET /admin/cases/{id}`
pub(crate) async fn show(
    State(web): State<Arc<Web>>,
    view: View,
    Path(id): Path<String>,
) -> Answer {
    let desk = find(&web, &view, &id).await?;
    page(&made(&view, &desk, &Fields::default(), Errors::none()))
}

/// `POST /admin/cases/{id}/resolve`
pub(crate) async fn resolve(
    State(web): State<Arc<Web>>,
    view: View,
    Path(id): Path<String>,
    Sent(sent): Sent,
) -> Answer {
    let desk = find(&web, &view, &id).await?;
    if desk.view.case.state != CaseState::Open {
        return late(&view, &desk, &sent, over(&desk));
    }
    let wanted = sent.raw("choice");
    let mut previews = desk.previews.iter();
    let found = previews.find(|(choice, _)| words::key(choice) == wanted);
    let errors = mistakes(&sent, found.is_some());
    let Some((choice, effects)) = found.filter(|_| !errors.any()) else {
        return refused(&made(&view, &desk, &sent, errors));
    };
    if sent.raw("seen") != seen(&desk) {
        let words = "The facts have changed since you opened this page. Look again at what each \
                     choice does now.";
        return late(&view, &desk, &sent, words.to_owned());
    }
    if take_back(effects) && !sent.is_ticked("confirmed") {
        let effects = Effects::of(effects, &desk.promoters);
        return page(&confirmation(&view, &desk, choice, &effects, &sent));
    }
    let (app, case) = (&web.app, CaseId::from(id.as_str()));
    let decider = Decider {
        by: &view.by,
        reason: sent.text("reason"),
    };
    let clock = app.clock.as_ref();
    let done = decisions::resolve(&app.db, view.connection(), clock, &case, choice, decider).await;
    match done {
        Ok(_) => {
            app.touched.notify_one();
            on_to(&url::at(HERE, &id), Some(Said::CaseResolved))
        }
        Err(error) => {
            let words = refusal(error)?;
            late(&view, &find(&web, &view, &id).await?, &sent, words)
        }
    }
}

/// `POST /admin/cases/{id}/undo`
pub(crate) async fn undo(
    State(web): State<Arc<Web>>,
    view: View,
    Path(id): Path<String>,
    Sent(sent): Sent,
) -> Answer {
    if sent.some("reason").is_none() {
        let desk = find(&web, &view, &id).await?;
        return refused(&made(&view, &desk, &sent, mistakes(&sent, true)));
    }
    let (app, case) = (&web.app, CaseId::from(id.as_str()));
    let decider = Decider {
        by: &view.by,
        reason: sent.text("reason"),
    };
    let decision = sent.some("decision").map(DecisionId::from);
    let (clock, of) = (app.clock.as_ref(), (&case, decision.as_ref()));
    match decisions::undo(&app.db, view.connection(), clock, of, decider).await {
        Ok(_) => {
            app.touched.notify_one();
            on_to(&url::at(HERE, &id), Some(Said::CaseUndone))
        }
        Err(error) => {
            let words = refusal(error)?;
            late(&view, &find(&web, &view, &id).await?, &sent, words)
        }
    }
}

async fn find(web: &Web, view: &View, id: &str) -> Result<Desk, Problem> {
    let (app, case) = (&web.app, CaseId::from(id));
    Ok(look(&app.db, view.connection(), app.clock.as_ref(), &case).await?)
}

/// The page as it is now, for somebody who came too late.
fn late(view: &View, desk: &Desk, sent: &Fields, words: String) -> Answer {
    let errors = Errors::one("", words);
    page_as(StatusCode::CONFLICT, &made(view, desk, sent, errors))
}

/// Why a case can no longer be decided.
fn over(desk: &Desk) -> String {
    match (desk.view.case.state, desk.history.last()) {
        (CaseState::Resolved, Some(last)) => format!(
            "{} decided this case at {}, so yours was not saved. Take that decision back first if \
             it should be another one.",
            format::actor(&last.actor),
            last.decided_at.words()
        ),
        _ => "The facts have changed: there is nothing left to decide.".to_owned(),
    }
}

fn mistakes(sent: &Fields, has_choice: bool) -> Errors {
    let mut errors = Errors::none();
    if !has_choice {
        errors.add("choice", "Choose one of these");
    }
    if sent.some("reason").is_none() {
        errors.add("reason", "Say why; it is kept with the decision");
    }
    errors
}

/// What somebody has seen of the choices: if it is another when they decide, they look again.
fn seen(desk: &Desk) -> String {
    digest(&format!("{:?}", desk.previews))
}

fn confirmation(
    view: &View,
    desk: &Desk,
    choice: &Choice,
    effects: &Effects,
    sent: &Fields,
) -> ConfirmPage {
    let here = url::at(HERE, desk.view.case.id.as_str());
    let mut says = vec!["This takes money back from somebody:".to_owned()];
    says.extend(effects.sentences());
    says.push(format!("Your reason: {}", sent.text("reason")));
    let pairs = ["choice", "reason", "seen"].map(|name| (name, sent.raw(name)));
    let carried = pairs.into_iter().chain([("confirmed", "yes")]);
    ConfirmPage {
        page: view
            .page(format!("{}?", label(choice, desk)), HERE)
            .under("Cases", HERE)
            .under(words::kind(desk.view.case.kind), &here),
        says,
        state: None,
        action: format!("{here}/resolve"),
        hidden: carried
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        button: "Decide".to_owned(),
        danger: true,
        cancel: here,
    }
}

fn made(view: &View, desk: &Desk, sent: &Fields, errors: Errors) -> CasePage {
    let page = view
        .page(words::kind(desk.view.case.kind), HERE)
        .under("Cases", HERE)
        .with_errors(errors.any());
    let can_decide = view.may(Permission::CasesWrite);
    filled(page, view.now, desk, (sent, errors), can_decide)
}

pub(super) fn filled(
    page: Page,
    now: Timestamp,
    desk: &Desk,
    (sent, errors): (&Fields, Errors),
    can_decide: bool,
) -> CasePage {
    let case = &desk.view.case;
    let claim = desk.referral.as_ref();
    let promoter = claim.and_then(|claim| claim.promoter.as_ref());
    let hint = "Whoever asks later reads this.";
    CasePage {
        page,
        here: url::at(HERE, case.id.as_str()),
        state: words::state(case.state),
        question: words::question(case.kind),
        detail: desk.view.detail.clone(),
        person: person(case, claim),
        referral: Link::new(
            case.referral.as_str(),
            url::referral(case.referral.as_str()),
        ),
        campaign: Link::new(&desk.campaign, url::campaign(case.campaign.as_str())),
        promoter: promoter.map(|id| {
            let name = desk.promoters.get(id).map_or(id.as_str(), String::as_str);
            Link::new(name, url::promoter(id.as_str()))
        }),
        opened: When::new(case.opened_at, now),
        changed: (case.state == CaseState::Gone).then(|| When::new(case.changed_at, now)),
        candidates: desk
            .view
            .candidates
            .iter()
            .map(|candidate| candidate.customer.to_string())
            .collect(),
        rows: compared(desk, now),
        cards: cards(desk, sent.raw("choice")),
        reason: Field::area("reason", "Why", 3)
            .hint(hint)
            .required()
            .value(sent.raw("reason"))
            .error(errors.at("reason")),
        errors,
        seen: seen(desk),
        can_decide,
        outcome: desk.outcome.as_ref().map(|one| outcome(desk, one, now)),
        history: history(desk, now),
    }
}

fn outcome(desk: &Desk, outcome: &Outcome, now: Timestamp) -> OutcomePart {
    let in_force = desk.view.decision.as_ref();
    let queue = outcome.qualifications.iter().rev();
    OutcomePart {
        decision: history(desk, now).into_iter().next(),
        id: in_force.map_or_else(String::new, |decision| decision.id.to_string()),
        did: Effects::done(&outcome.did, &desk.promoters),
        queue: queue
            .map(|q| {
                let rewards = words::rewards(&q.rewards, None);
                (queue_state(q.state), rewards, When::new(q.changed_at, now))
            })
            .collect(),
        undo: Effects::of(&outcome.undo, &desk.promoters),
        is_settled: outcome.is_settled,
    }
}
