//! What the editor's buttons do: see it the other way, check it, try it, save it.

use std::sync::Arc;

use super::draft::{Edited, in_file};
use super::show;
use crate::backtests::NotStarted;
use crate::domain::campaign::Campaign;
use crate::http::Problem;
use crate::registry::RegistryError;
use crate::registry::campaigns::{Author, save};
use crate::store::campaigns::current_campaign;
use crate::web::answer::{Answer, on_to};
use crate::web::input::Fields;
use crate::web::layout::Said;
use crate::web::parts::Errors;
use crate::web::{View, Web, url};

pub(super) async fn act(web: &Arc<Web>, view: &View, id: Option<String>, sent: &Fields) -> Answer {
    let mut edited = Edited::of_sent(id, sent);
    let wanted = sent.raw("do");
    if wanted == "file" {
        // Whatever is wrong with it can be put right there.
        let errors = edited.rules().err();
        edited.as_file = true;
        let errors = errors.map(|_| edited.rules().err().unwrap_or_default());
        return show(view, &edited, errors.unwrap_or_default(), false, None);
    }
    let rules = match edited.rules() {
        Ok(rules) => rules,
        Err(errors) => return show(view, &edited, errors, false, None),
    };
    edited.base.clone_from(&edited.source);
    edited.typed = None;
    match wanted {
        "form" => {
            edited.as_file = false;
            show(view, &edited, Errors::none(), false, None)
        }
        "try" => try_it(web, view, &edited, rules, sent).await,
        "save" => keep(web, view, &edited, &rules).await,
        _ => show(view, &edited, Errors::none(), true, None),
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
    let live = live.and_then(|stored| super::super::campaigns::parsed(&stored));
    let days = sent
        .number("days")
        .and_then(|days| u32::try_from(days).ok());
    let connection = view.connection();
    let started = web
        .backtests
        .start(&web.app, connection, edited.draft(), (rules, live), days);
    match started.await {
        Ok(job) => {
            let place = url::with(&edited.action(), &[("backtest", job.id.as_str())]);
            on_to(&format!("{place}#tried"), None)
        }
        Err(NotStarted::Busy) => {
            let errors = Errors::one("", NotStarted::Busy.to_string());
            show(view, edited, errors, false, None)
        }
        Err(NotStarted::NoChance(_)) => Err(Problem::internal()),
        Err(NotStarted::Store(error)) => Err(error.into()),
    }
}

/// Saves the draft as a new revision.
async fn keep(web: &Web, view: &View, edited: &Edited, rules: &Campaign) -> Answer {
    if edited.reason.is_empty() {
        let errors = Errors::one("reason", "Say why, for whoever reads the history");
        return show(view, edited, errors, false, None);
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
            show(view, edited, Errors::one(field, words), false, None)
        }
        Err(RegistryError::Invalid { message, .. } | RegistryError::Conflict { message, .. }) => {
            show(view, edited, Errors::one("", message), false, None)
        }
        Err(RegistryError::Rules(problems)) => show(view, edited, in_file(&problems), false, None),
        Err(error) => Err(error.into()),
    }
}
