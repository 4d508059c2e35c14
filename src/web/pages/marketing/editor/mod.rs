//! The campaign editor: one draft, seen as a form or as a file, tried on the past beside it,
//! saved as a new revision. The draft travels in the page; nothing is stored until it is saved.

mod fields;
mod form;
mod samples;
mod tried;

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;

use super::no_such;
use crate::backtests::{Draft, NotStarted};
use crate::domain::access::Permission;
use crate::domain::campaign::Campaign;
use crate::domain::ids::CampaignId;
use crate::http::Problem;
use crate::registry::RegistryError;
use crate::registry::campaigns::{Author, save};
use crate::rules;
use crate::store::campaigns::{StoredRevision, current_campaign};
use crate::web::answer::{Answer, on_to, page_as};
use crate::web::input::{Asked, Fields, Sent};
use crate::web::layout::{Page, Said};
use crate::web::parts::{Choice, Errors, Field, Icon};
use crate::web::{View, Web, url};

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

/// What is edited, whichever way it is seen.
struct Edited {
    /// The campaign's id; none for a new one.
    campaign: Option<String>,
    number: Option<i64>,
    source: String,
    base: String,
    as_file: bool,
    reason: String,
    /// The form as it was sent, if it was: shown again as typed.
    typed: Option<Fields>,
}

impl Edited {
    fn of_draft(draft: &Draft) -> Self {
        Self {
            campaign: draft.campaign.clone(),
            number: draft.number,
            source: draft.source.clone(),
            base: draft.source.clone(),
            as_file: draft.as_file,
            reason: draft.reason.clone(),
            typed: None,
        }
    }

    fn of_stored(stored: StoredRevision, as_file: bool) -> Self {
        Self {
            campaign: Some(stored.campaign_id),
            number: Some(stored.number),
            base: stored.source.clone(),
            source: stored.source,
            as_file,
            reason: String::new(),
            typed: None,
        }
    }

    /// What was sent. A form becomes a file at once; one that means the same as before stays as
    /// it was, with its remarks.
    fn of_sent(campaign: Option<String>, sent: &Fields) -> Self {
        let as_file = sent.raw("view") == "file";
        let base = plain_lines(sent.raw("base"));
        let (source, typed) = if as_file {
            (plain_lines(sent.raw("source")), None)
        } else {
            let before = rules::parse("base", &base).ok();
            let file = form::to_file(sent, before.as_ref());
            let source = match (rules::parse("form", &file), before) {
                (Ok(after), Some(before)) if after.revision == before.revision => base.clone(),
                (Ok(after), _) => rules::to_toml(&after),
                (Err(_), _) => file,
            };
            (source, Some(sent.clone()))
        };
        Self {
            campaign,
            number: sent.number("number"),
            source,
            base,
            as_file,
            reason: sent.text("reason").to_owned(),
            typed,
        }
    }

    fn draft(&self) -> Draft {
        Draft {
            campaign: self.campaign.clone(),
            source: self.source.clone(),
            number: self.number,
            reason: self.reason.clone(),
            as_file: self.as_file,
        }
    }

    /// The rules, or what is wrong with them.
    fn rules(&self) -> Result<Campaign, Errors> {
        let rules = rules::parse("the campaign", &self.source).map_err(|problems| {
            if self.as_file {
                in_file(&problems)
            } else {
                form::errors(&problems)
            }
        })?;
        match &self.campaign {
            Some(id) if rules.id.as_str() != id => {
                let words = format!(
                    "The id is `{}`, and this campaign’s is `{id}`. An id stays the same; to have \
                     another campaign, make a new one.",
                    rules.id
                );
                Err(Errors::one("source", words))
            }
            _ => Ok(rules),
        }
    }

    /// Its own address, without a query.
    fn action(&self) -> String {
        match &self.campaign {
            Some(id) => format!("{}/edit", url::campaign(id)),
            None => "/new-campaign".to_owned(),
        }
    }
}

/// Browsers send line ends as CR LF; files have LF.
fn plain_lines(text: &str) -> String {
    text.replace("\r\n", "\n")
}

/// Problems with their line, each leading to the file.
fn in_file(problems: &[rules::Problem]) -> Errors {
    let mut errors = Errors::none();
    for problem in problems {
        let key = match problem.key.as_str() {
            "" => String::new(),
            key => format!(" {key}"),
        };
        let words = format!("Line {}:{key} {}", problem.line, problem.message);
        errors.add("source", words);
    }
    errors
}

/// `GET /campaigns/{id}/edit`; with `backtest`, the draft that was tried.
pub(crate) async fn edit(
    State(web): State<Arc<Web>>,
    view: View,
    Path(id): Path<String>,
    Asked(query): Asked,
) -> Answer {
    if let Some(edited) = draft_of(&web, &view, &query, Some(&id)) {
        return show(
            &web,
            &view,
            &edited,
            Errors::none(),
            false,
            query.some("backtest"),
        );
    }
    let mut tx = web.app.db.read().await?;
    let stored = current_campaign(&mut tx, view.connection(), &CampaignId::from(id)).await?;
    tx.rollback().await?;
    let stored = stored.ok_or_else(|| no_such("campaign"))?;
    let edited = Edited::of_stored(stored, query.raw("view") == "file");
    show(&web, &view, &edited, Errors::none(), false, None)
}

/// The draft of a backtest, if it belongs to this editor.
fn draft_of(web: &Web, view: &View, query: &Fields, campaign: Option<&str>) -> Option<Edited> {
    let job = web
        .backtests
        .get(view.connection(), query.some("backtest")?)?;
    let draft = &job.draft;
    (draft.campaign.as_deref() == campaign).then(|| Edited::of_draft(draft))
}

/// `GET /new-campaign`: the samples to begin with, or the editor with one of them.
pub(crate) async fn new(State(web): State<Arc<Web>>, view: View, Asked(query): Asked) -> Answer {
    if let Some(edited) = draft_of(&web, &view, &query, None) {
        return show(
            &web,
            &view,
            &edited,
            Errors::none(),
            false,
            query.some("backtest"),
        );
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
    show(&web, &view, &edited, Errors::none(), false, None)
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

async fn act(web: &Arc<Web>, view: &View, id: Option<String>, sent: &Fields) -> Answer {
    let mut edited = Edited::of_sent(id, sent);
    let wanted = sent.raw("do");
    if wanted == "file" {
        // Whatever is wrong with it can be put right there.
        let errors = edited.rules().err();
        edited.as_file = true;
        let errors = errors.map(|_| edited.rules().err().unwrap_or_default());
        return show(web, view, &edited, errors.unwrap_or_default(), false, None);
    }
    let rules = match edited.rules() {
        Ok(rules) => rules,
        Err(errors) => return show(web, view, &edited, errors, false, None),
    };
    edited.base.clone_from(&edited.source);
    edited.typed = None;
    match wanted {
        "form" => {
            edited.as_file = false;
            show(web, view, &edited, Errors::none(), false, None)
        }
        "try" => try_it(web, view, &edited, rules, sent).await,
        "save" => keep(web, view, &edited, &rules).await,
        _ => show(web, view, &edited, Errors::none(), true, None),
    }
}

/// Starts a backtest; its result is shown beside the draft.
async fn try_it(
    web: &Arc<Web>,
    view: &View,
    edited: &Edited,
    rules: Campaign,
    sent: &Fields,
) -> Answer {
    let mut tx = web.app.db.read().await?;
    let live = current_campaign(&mut tx, view.connection(), &rules.id).await?;
    tx.rollback().await?;
    let live = live.and_then(|stored| super::campaigns::parsed(&stored));
    let days = sent
        .number("days")
        .and_then(|days| u32::try_from(days).ok());
    let connection = view.connection();
    let started = web
        .backtests
        .start(&web.app, connection, edited.draft(), (rules, live), days);
    match started {
        Ok(job) => {
            let place = url::with(&edited.action(), &[("backtest", &job.id)]);
            on_to(&format!("{place}#tried"), None)
        }
        Err(NotStarted::Busy) => {
            let errors = Errors::one("", NotStarted::Busy.to_string());
            show(web, view, edited, errors, false, None)
        }
        Err(NotStarted::NoChance(_)) => Err(Problem::internal()),
    }
}

/// Saves the draft as a new revision.
async fn keep(web: &Web, view: &View, edited: &Edited, rules: &Campaign) -> Answer {
    if edited.reason.is_empty() {
        let errors = Errors::one("reason", "Say why, for whoever reads the history");
        return show(web, view, edited, errors, false, None);
    }
    let author = Author {
        by: &view.by,
        why: &edited.reason,
    };
    let (app, source) = (&web.app, &edited.source);
    let connection = view.connection();
    let clock = app.clock.as_ref();
    let saved = save(&app.db, connection, clock, source, edited.number, author).await;
    match saved {
        Ok(saved) => {
            app.touched.notify_one();
            let said = if saved.changed {
                Said::CampaignSaved
            } else {
                Said::CampaignSame
            };
            on_to(&url::campaign(rules.id.as_str()), Some(said))
        }
        Err(RegistryError::Stale) => {
            let words = match edited.number {
                Some(number) => format!(
                    "Somebody saved this campaign since you opened revision {number}. Look at what \
                     they changed on the campaign’s page, then open the editor again and repeat \
                     your change."
                ),
                None => format!(
                    "There is a campaign `{}` already. Choose another id.",
                    rules.id
                ),
            };
            let field = if edited.number.is_none() && !edited.as_file {
                "id"
            } else {
                ""
            };
            show(web, view, edited, Errors::one(field, words), false, None)
        }
        Err(RegistryError::Invalid { message, .. } | RegistryError::Conflict { message, .. }) => {
            show(web, view, edited, Errors::one("", message), false, None)
        }
        Err(RegistryError::Rules(problems)) => {
            show(web, view, edited, in_file(&problems), false, None)
        }
        Err(error) => Err(error.into()),
    }
}

fn show(
    web: &Web,
    view: &View,
    edited: &Edited,
    errors: Errors,
    checked: bool,
    backtest: Option<&str>,
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
    let job = backtest.and_then(|id| web.backtests.get(view.connection(), id));
    let tried = job.map(|job| tried::part(&job, view.now));
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
        page = page.refreshed(tried::REFRESH_SECONDS);
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

    #[test]
    fn a_form_that_means_the_same_leaves_the_file_as_it_is() {
        let base = include_str!("../../../../../rules/spring-2026.toml");
        let rules = rules::parse("spring", base).unwrap();
        let form = form::of(&rules);
        let with_base = |form: &Fields, extra: (&str, &str)| {
            let mut pairs = vec![("base".to_owned(), base.replace('\n', "\r\n"))];
            for name in ["id", "name", "starts", "ends"] {
                pairs.push((name.to_owned(), form.raw(name).to_owned()));
            }
            pairs.push((extra.0.to_owned(), extra.1.to_owned()));
            for (name, values) in form.each() {
                if !["id", "name", "starts", "ends", extra.0].contains(&name) {
                    pairs.extend(values.iter().map(|v| (name.to_owned(), v.clone())));
                }
            }
            Fields::new(pairs)
        };
        let same = Edited::of_sent(None, &with_base(&form, ("reason", "x")));
        assert_eq!(same.source, base);
        let other = Edited::of_sent(None, &with_base(&form, ("qualify.within_days", "60")));
        assert!(other.source.contains("within_days = 60") && !other.source.contains('#'));
    }
}
