//! The campaign editor: one draft, seen as a form or as a file, tried on the past beside it,
//! saved as a new revision. The draft travels in the page; nothing is stored until it is saved.

mod act;
mod draft;
mod fields;
mod form;
mod samples;
mod tried;

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;

use super::no_such;
use crate::backtests::Job;
use crate::domain::access::Permission;
use crate::domain::ids::CampaignId;
use crate::http::Problem;
use crate::rules;
use crate::store::campaigns::current_campaign;
use crate::web::answer::{Answer, page_as};
use crate::web::input::{Asked, Fields, Sent};
use crate::web::layout::Page;
use crate::web::parts::{Choice, Errors, Field, Icon};
use crate::web::{View, Web, url};

use act::act;
use draft::Edited;

pub(crate) use fields::Group;
#[cfg(test)]
pub(crate) use samples::SAMPLES;
pub(crate) use samples::choose;
pub(crate) use tried::{TriedPart, stop, tried};

/// `/campaigns/{id}/edit` and `/new-campaign`
#[derive(Debug, Template)]
#[template(path = "pages/marketing/editor/editor.html", config = ".askama.toml")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one thing that is shown or not"
)]
pub(crate) struct EditorPage {
    pub page: Page,
    pub action: String,
    pub back: String,
    pub errors: Errors,
    pub checked: bool,
    pub as_file: bool,
    pub groups: Vec<Group>,
    pub source: Field,
    /// The last file that could be read: what the form does not have is in it.
    pub base: String,
    /// The id, where it cannot be changed any more.
    pub id: Option<String>,
    pub number: String,
    pub reason: Field,
    pub days: Field,
    pub tried: Option<TriedPart>,
    pub can_save: bool,
    pub can_try: bool,
    pub only_file: Vec<(&'static str, String)>,
    pub has_remarks: bool,
}

/// `GET /campaigns/{id}/edit`; with `backtest`, the draft that was tried.
pub(crate) async fn edit(
    State(web): State<Arc<Web>>,
    view: View,
    Path(id): Path<String>,
    Asked(query): Asked,
) -> Answer {
    if let Some((edited, job)) = draft_of(&web, &view, &query, Some(&id)).await? {
        return show(&view, &edited, Errors::none(), false, Some(&job));
    }
    let mut tx = web.app.db.read().await?;
    let stored = current_campaign(&mut tx, view.connection(), &CampaignId::from(id)).await?;
    tx.rollback().await?;
    let stored = stored.ok_or_else(|| no_such("campaign"))?;
    let edited = Edited::of_stored(stored, query.raw("view") == "file");
    show(&view, &edited, Errors::none(), false, None)
}

/// A backtest with its draft, if it belongs to this editor.
async fn draft_of(
    web: &Web,
    view: &View,
    query: &Fields,
    campaign: Option<&str>,
) -> Result<Option<(Edited, Arc<Job>)>, Problem> {
    let Some(id) = query.some("backtest") else {
        return Ok(None);
    };
    let job = web
        .backtests
        .get(&web.app, view.connection(), &id.into())
        .await?;
    let mine = job.filter(|job| job.draft.campaign.as_deref() == campaign);
    Ok(mine.map(|job| (Edited::of_draft(&job.draft), job)))
}

/// `GET /new-campaign`: the samples to begin with, or the editor with one of them.
pub(crate) async fn new(State(web): State<Arc<Web>>, view: View, Asked(query): Asked) -> Answer {
    if let Some((edited, job)) = draft_of(&web, &view, &query, None).await? {
        return show(&view, &edited, Errors::none(), false, Some(&job));
    }
    let Some(sample) = query.some("sample") else {
        return choose(&view);
    };
    let source = samples::fitted(sample, web.app.config.stripe.mode);
    let source = source.ok_or_else(|| no_such("sample"))?;
    let edited = Edited {
        campaign: None,
        number: None,
        base: source.clone(),
        source,
        as_file: query.raw("view") == "file",
        reason: String::new(),
        typed: None,
    };
    show(&view, &edited, Errors::none(), false, None)
}

/// `POST /campaigns/{id}/edit`
pub(crate) async fn change(
    State(web): State<Arc<Web>>,
    view: View,
    Path(id): Path<String>,
    Sent(sent): Sent,
) -> Answer {
    act(&web, &view, Some(id), &sent).await
}

/// `POST /new-campaign`
pub(crate) async fn add(State(web): State<Arc<Web>>, view: View, Sent(sent): Sent) -> Answer {
    act(&web, &view, None, &sent).await
}

fn show(
    view: &View,
    edited: &Edited,
    errors: Errors,
    checked: bool,
    backtest: Option<&Arc<Job>>,
) -> Answer {
    let readable = rules::parse("the campaign", &edited.source).ok();
    // The form needs a file that can be read, unless it is the form that cannot.
    let as_file = edited.as_file || (readable.is_none() && edited.typed.is_none());
    let typed = match (&edited.typed, &readable) {
        (Some(typed), _) => typed.clone(),
        (None, Some(rules)) => form::of(rules),
        (None, None) => Fields::default(),
    };
    let base = rules::parse("base", &edited.base).ok();
    let tried = backtest.map(|job| tried::part(job, view.now));
    let running = tried.as_ref().is_some_and(|tried| tried.running);
    let status = if errors.any() {
        StatusCode::UNPROCESSABLE_ENTITY
    } else {
        StatusCode::OK
    };
    let (title, back) = match &edited.campaign {
        Some(id) => (format!("Edit {id}"), url::campaign(id)),
        None => ("New campaign".to_owned(), "/campaigns".to_owned()),
    };
    let mut page = view
        .page(title, "/campaigns")
        .under("Campaigns", "/campaigns")
        .with_errors(errors.any());
    if let Some(id) = &edited.campaign {
        page = page.under(id, url::campaign(id));
    }
    if running {
        let job = [("backtest", backtest.map_or("", |job| job.id.as_str()))];
        let place = url::with(&edited.action(), &job);
        page = page.refreshed(tried::REFRESH_SECONDS, place);
    }
    let number = edited.number.map_or_else(String::new, |n| n.to_string());
    page_as(
        status,
        &EditorPage {
            page,
            action: edited.action(),
            back,
            checked,
            as_file,
            groups: if as_file {
                Vec::new()
            } else {
                fields::groups(&typed, &errors, edited.campaign.is_none())
            },
            source: Field::code("source", "Campaign file", 32)
                .hint("The language is the same as in the files of the rules folder.")
                .value(edited.source.clone())
                .error(errors.at("source")),
            base: edited.base.clone(),
            id: edited.campaign.clone(),
            number,
            reason: Field::text("reason", "Why")
                .hint("For whoever reads the history.")
                .value(edited.reason.clone())
                .error(errors.at("reason")),
            days: tried::days(),
            tried,
            can_save: view.may(Permission::CampaignsWrite),
            can_try: view.may(Permission::CampaignsBacktest),
            only_file: base.as_ref().map(form::only_in_file).unwrap_or_default(),
            has_remarks: !as_file && edited.base.lines().any(|l| l.trim_start().starts_with('#')),
            errors,
        },
    )
}

/// Days back that a backtest may look at.
fn spans() -> Vec<Choice> {
    vec![
        Choice::new("90", "the last 90 days"),
        Choice::new("365", "the last year"),
        Choice::new("", "all of the past"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::access::Role;
    use crate::web::samples::{frame, hold, now};

    fn page(as_file: bool, errors: Errors) -> EditorPage {
        let source = include_str!("../../../../../rules/spring-2026.toml").to_owned();
        let rules = rules::parse("spring", &source).unwrap();
        EditorPage {
            page: frame(Role::Marketer)
                .page("Edit spring-2026", "/campaigns")
                .under("Campaigns", "/campaigns")
                .with_errors(errors.any()),
            action: "/campaigns/spring-2026/edit".to_owned(),
            back: "/campaigns/spring-2026".to_owned(),
            checked: !errors.any(),
            as_file,
            groups: if as_file {
                Vec::new()
            } else {
                fields::groups(&form::of(&rules), &errors, false)
            },
            source: Field::code("source", "Campaign file", 32)
                .value(source.clone())
                .error(errors.at("source")),
            base: source,
            id: Some("spring-2026".to_owned()),
            number: "3".to_owned(),
            reason: Field::text("reason", "Why"),
            days: tried::days(),
            tried: Some(tried::sample(now())),
            can_save: true,
            can_try: true,
            only_file: vec![("match.metadata", "my_uid".to_owned())],
            has_remarks: true,
            errors,
        }
    }

    #[test]
    fn the_form_and_the_file() {
        let words = "qualify.within_days: found 0; accepted are 1 to 3650";
        hold(
            "editor_form",
            &page(false, Errors::one("qualify.within_days", words)),
        );
        hold("editor_file", &page(true, Errors::none()));
    }
}
