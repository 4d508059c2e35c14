//! `/campaigns`: rules and their revisions. A save names the revision that was edited, so that
//! nobody writes over what they have not seen.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::header::{ETAG, IF_MATCH, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Api;
use super::answer::{self, Answer, List, ok, with};
use super::caller::Caller;
use super::document::operation::{Operation, Resource};
use super::input::Input;
use super::params::{Params, bad_cursor};
use super::refusal::not_found;
use crate::access::routes::{self, On};
use crate::domain::ids::CampaignId;
use crate::domain::time::Timestamp;
use crate::http::Problem;
use crate::registry::RegistryError;
use crate::registry::campaigns::{Author, save};
use crate::rules;
use crate::store::campaigns::{
    StoredRevision, current_campaign, current_campaigns, list_revisions,
};

pub(super) fn routes() -> Router<Arc<Api>> {
    Router::new()
        .on(routes::API_CAMPAIGNS, list)
        .on(routes::API_CAMPAIGN, one)
        .on(routes::API_CAMPAIGN_PUT, put)
        .on(routes::API_CAMPAIGN_REVISIONS, revisions)
}

pub(super) fn describe() -> Resource {
    let mut operations = vec![
        Operation::new(routes::API_CAMPAIGNS, "list_campaigns", "List campaigns")
            .lists::<Shown>("The `id` of the last row of the page before."),
        Operation::new(routes::API_CAMPAIGN, "get_campaign", "Get a campaign")
            .answers::<Shown>(200, "The campaign in its current revision."),
        Operation::new(routes::API_CAMPAIGN_PUT, "save_campaign", "Save a campaign")
            .says("Every save is a new revision. Say which one was edited, so that nobody writes over what they have not seen.")
            .conditional()
            .takes::<Put>()
            .refuses(
                422,
                &["account_mismatch", "id_mismatch", "mode_mismatch", "rules_invalid"],
            )
            .answers::<Shown>(200, "Saved, or the same rules as before.")
            .answers::<Shown>(201, "The campaign is new."),
        Operation::new(routes::API_CAMPAIGN_REVISIONS, "list_revisions", "List revisions")
            .says("The newest first. Revisions never change.")
            .lists::<ShownRevision>("The `number` of the last row of the page before."),
    ];
    operations.extend(super::campaign_link::describe());
    operations.extend(super::backtests::operations());
    Resource {
        name: "campaigns",
        says: "Rules and their revisions, and trying rules on the past before they are saved.",
        operations,
    }
}

/// A campaign in its current revision.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Campaign")]
struct Shown {
    id: String,
    name: String,
    /// The current revision, also in `ETag`.
    number: i64,
    /// `sha256:…` of what the rules say.
    revision: String,
    saved_at: Timestamp,
    saved_by: String,
    reason: String,
    /// When it starts, if it says so.
    starts: Option<Timestamp>,
    /// When it ends, if it says so.
    ends: Option<Timestamp>,
    /// The campaign file (TOML).
    source: String,
}

fn shown(stored: StoredRevision) -> Shown {
    // What is stored was checked when it was saved.
    let rules = rules::parse("stored", &stored.source).ok();
    Shown {
        name: rules.as_ref().map(|r| r.name.clone()).unwrap_or_default(),
        starts: rules.as_ref().and_then(|r| r.starts),
        ends: rules.as_ref().and_then(|r| r.ends),
        id: stored.campaign_id,
        number: stored.number,
        revision: stored.revision,
        saved_at: answer::instant(stored.created_at),
        saved_by: stored.created_by,
        reason: stored.reason,
        source: stored.source,
    }
}

async fn list(State(api): State<Arc<Api>>, caller: Caller, params: Params) -> Answer {
    let page = params.page(&[])?;
    let mut tx = api.app.db.read().await?;
    let mut rows = current_campaigns(&mut tx, &caller.connection).await?;
    if let Some(after) = &page.after {
        if !rows.iter().any(|row| row.campaign_id == *after) {
            return Err(bad_cursor());
        }
        rows.retain(|row| row.campaign_id > *after);
    }
    ok(&List::cut(rows, &page).map(shown))
}

async fn one(State(api): State<Arc<Api>>, caller: Caller, Path(id): Path<String>) -> Answer {
    let current = find(&api, &caller, &CampaignId::from(id)).await?;
    tagged(StatusCode::OK, current)
}

async fn find(api: &Api, caller: &Caller, id: &CampaignId) -> Result<StoredRevision, Problem> {
    let mut tx = api.app.db.read().await?;
    let found = current_campaign(&mut tx, &caller.connection, id).await?;
    found.ok_or_else(|| not_found("campaign"))
}

fn tagged(status: StatusCode, stored: StoredRevision) -> Result<Response, Problem> {
    let tag = HeaderValue::from_str(&format!("\"{}\"", stored.number));
    let mut response = with(status, &shown(stored))?;
    if let Ok(tag) = tag {
        response.headers_mut().insert(ETAG, tag);
    }
    Ok(response)
}

/// One revision; revisions never change.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Revision")]
struct ShownRevision {
    /// Its number, which is the cursor.
    number: i64,
    revision: String,
    saved_at: Timestamp,
    saved_by: String,
    reason: String,
    source: String,
}

async fn revisions(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
) -> Answer {
    let page = params.page(&[])?;
    let id = CampaignId::from(id);
    find(&api, &caller, &id).await?;
    let before = page.after.as_deref().map(str::parse::<i64>);
    let before = before.transpose().map_err(|_| bad_cursor())?;
    let mut tx = api.app.db.read().await?;
    let rows = list_revisions(&mut tx, &caller.connection, &id, before, page.rows()).await?;
    ok(&List::cut(rows, &page).map(|stored| ShownRevision {
        number: stored.number,
        revision: stored.revision,
        saved_at: answer::instant(stored.created_at),
        saved_by: stored.created_by,
        reason: stored.reason,
        source: stored.source,
    }))
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "CampaignSave")]
struct Put {
    /// The campaign file (TOML).
    source: String,
    /// Why, for whoever reads the history.
    #[serde(default)]
    reason: String,
}

async fn put(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    input: Input,
) -> Answer {
    let put: Put = input.json()?;
    let edited = Edited::read(&headers)?;
    let id = CampaignId::from(id);
    let rules = rules::parse("source", &put.source).map_err(RegistryError::Rules)?;
    if rules.id != id {
        let detail = format!("The rules are of {}, the address is of {id}.", rules.id);
        return Err(Problem::field("id_mismatch", "/source", detail));
    }
    let author = Author {
        by: &caller.by,
        why: &put.reason,
    };
    let (app, number) = (&api.app, edited.number());
    let clock = app.clock.as_ref();
    let saved = save(
        &app.db,
        &caller.connection,
        clock,
        &put.source,
        number,
        author,
    )
    .await;
    let saved = saved.map_err(|error| match error {
        RegistryError::Stale => edited.stale(),
        other => other.into(),
    })?;
    app.touched.notify_one();
    let is_new = saved.changed && number.is_none();
    let status = if is_new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    tagged(status, find(&api, &caller, &id).await?)
}

/// Which revision the caller edited (RFC 9110 §13.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Edited {
    /// `If-Match: "3"`.
    Number(i64),
    /// `If-None-Match: *`.
    New,
    /// Neither; only good for a campaign that is new.
    Unsaid,
}

impl Edited {
    fn read(headers: &HeaderMap) -> Result<Self, Problem> {
        let text = |name| headers.get(name).map(|v| v.to_str().unwrap_or("").trim());
        match (text(IF_MATCH), text(IF_NONE_MATCH)) {
            (None, None) => Ok(Self::Unsaid),
            (None, Some("*")) => Ok(Self::New),
            (Some(tag), None) => {
                let number = tag.strip_prefix('"').and_then(|t| t.strip_suffix('"'));
                let number = number.and_then(|n| n.parse().ok()).filter(|n| *n > 0);
                number.map(Self::Number).ok_or_else(bad_condition)
            }
            _ => Err(bad_condition()),
        }
    }

    const fn number(self) -> Option<i64> {
        match self {
            Self::Number(number) => Some(number),
            Self::New | Self::Unsaid => None,
        }
    }

    /// The answer when the campaign is in another revision than the caller thinks.
    fn stale(self) -> Problem {
        match self {
            Self::Unsaid => Problem::new(
                StatusCode::PRECONDITION_REQUIRED,
                "precondition_required",
                "Which revision was edited?",
                "The campaign exists; send its ETag as If-Match.",
            ),
            Self::Number(_) | Self::New => Problem::new(
                StatusCode::PRECONDITION_FAILED,
                "stale",
                "Changed since it was read",
                "The campaign is in another revision; read it again and repeat the change.",
            ),
        }
    }
}

fn bad_condition() -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "precondition_invalid",
        "Condition not understood",
        "Send If-Match: \"<number>\" to change a campaign, or If-None-Match: * for a new one.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_a_number_or_new() {
        let read = |name, value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            Edited::read(&headers).ok()
        };
        assert_eq!(read(IF_MATCH, "\"3\""), Some(Edited::Number(3)));
        assert_eq!(read(IF_NONE_MATCH, "*"), Some(Edited::New));
        for bad in [
            "3",
            "\"\"",
            "\"0\"",
            "\"-1\"",
            "*",
            "W/\"3\"",
            "\"3\", \"4\"",
        ] {
            assert_eq!(read(IF_MATCH, bad), None, "{bad}");
        }
        assert_eq!(read(IF_NONE_MATCH, "\"3\""), None);
    }
}
