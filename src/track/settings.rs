//! `GET /t/settings`: what the script has to know of a campaign before it remembers a click.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::{Deserialize, Serialize};

use super::Track;
use super::cors::{origin, readable_by};
use super::resolve::{Target, choose, targets};
use crate::domain::campaign::Touch;
use crate::domain::ids::CampaignId;
use crate::http::Problem;

#[derive(Debug, Default, Deserialize)]
pub(super) struct Asked {
    campaign: Option<String>,
}

/// What a click of a campaign's link is remembered by.
#[derive(Debug, Serialize)]
struct Settings {
    campaign: CampaignId,
    /// Seconds.
    max_age: i64,
    touch: Touch,
}

/// `GET /t/settings?campaign=`
pub(super) async fn show(
    State(track): State<Arc<Track>>,
    asked: Result<Query<Asked>, QueryRejection>,
    headers: HeaderMap,
) -> Response {
    let named = asked.ok().and_then(|Query(asked)| asked.campaign);
    let from = origin(&headers);
    match target(&track, named.as_deref(), from).await {
        Ok(target) => {
            let settings = Settings {
                max_age: target.link.cookie_seconds(),
                touch: target.campaign.attribution.touch,
                campaign: target.campaign.id,
            };
            readable_by(from, ([(CACHE_CONTROL, "no-cache")], Json(settings)))
        }
        Err(problem) => readable_by(None, problem),
    }
}

/// The campaign that a page is for: the one it names, if it takes pages of this origin; else
/// the first that does. It runs. A page of our own host sends no origin with what it reads.
pub(super) async fn target(
    track: &Track,
    named: Option<&str>,
    from: Option<&str>,
) -> Result<Target, Problem> {
    let app = &track.app;
    let now = app.clock.now();
    let mut tx = app.db.read().await?;
    let mut all = targets(&mut tx, &app.connection).await?;
    tx.rollback().await?;
    all.retain(|target| from.is_none_or(|from| target.link.takes(from)));
    choose(all, named, now)
        .filter(|target| target.runs(now))
        .ok_or_else(not_here)
}

/// One answer for a campaign that is not there, has ended, or is another page's.
pub(super) fn not_here() -> Problem {
    let detail = "No campaign that runs takes leads of pages of this origin; a campaign's \
                  landing page and its other origins are set on its page.";
    let title = "Not a page of a campaign";
    Problem::new(StatusCode::FORBIDDEN, "origin_refused", title, detail)
}
