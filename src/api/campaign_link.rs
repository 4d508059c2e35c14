//! `/campaigns/{id}/link`: where a campaign's referral links lead, and how long a click is
//! remembered.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Api;
use super::answer::{Answer, ok};
use super::caller::Caller;
use super::document::operation::Operation;
use super::input::Input;
use super::refusal::not_found;
use crate::access::routes::{self, On};
use crate::domain::ids::CampaignId;
use crate::domain::referral_link::{LandingPage, ReferralLink};
use crate::domain::time::Timestamp;
use crate::registry::referral_links::{LinkInput, set_link};
use crate::store::campaigns::current_campaign;
use crate::store::referral_links::get_campaign_link;

pub(super) fn routes() -> Router<Arc<Api>> {
    Router::new()
        .on(routes::API_CAMPAIGN_LINK, one)
        .on(routes::API_CAMPAIGN_LINK_PUT, put)
}

pub(super) fn describe() -> Vec<Operation> {
    vec![
        Operation::new(
            routes::API_CAMPAIGN_LINK,
            "get_campaign_link",
            "Get where a campaign's links lead",
        )
        .answers::<Shown>(200, "The landing page and how long a click is remembered."),
        Operation::new(
            routes::API_CAMPAIGN_LINK_PUT,
            "set_campaign_link",
            "Set where a campaign's links lead",
        )
        .takes::<Put>()
        .refuses(
            422,
            &[
                "landing_page_invalid",
                "cookie_days_invalid",
                "origins_too_many",
                "origin_invalid",
            ],
        )
        .answers::<Shown>(200, "The links as they are now."),
    ]
}

/// A campaign's links.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "CampaignLink")]
struct Shown {
    campaign: CampaignId,
    /// The page that the links lead to.
    #[schemars(with = "String")]
    landing_page: LandingPage,
    /// For how many days the landing page remembers a click.
    cookie_days: u32,
    /// Other origins whose pages may register leads, beside the landing page's.
    origins: Vec<String>,
    changed_at: Timestamp,
}

fn shown(link: ReferralLink) -> Shown {
    Shown {
        campaign: link.campaign,
        landing_page: link.landing_page,
        cookie_days: link.cookie_days,
        origins: link.origins,
        changed_at: link.changed_at,
    }
}

async fn one(State(api): State<Arc<Api>>, caller: Caller, Path(id): Path<String>) -> Answer {
    let id = CampaignId::from(id);
    let mut tx = api.app.db.read().await?;
    let campaign = current_campaign(&mut tx, &caller.connection, &id).await?;
    let link = get_campaign_link(&mut tx, &caller.connection, &id).await?;
    tx.rollback().await?;
    campaign.ok_or_else(|| not_found("campaign"))?;
    ok(&shown(link.ok_or_else(|| not_found("referral link"))?))
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "CampaignLinkInput")]
struct Put {
    /// A whole address, such as `https://www.example.com/welcome`.
    landing_page: String,
    /// 1 to 365; 60 if it is left out.
    cookie_days: Option<i64>,
    /// Scheme and host of each, ten at most.
    #[serde(default)]
    origins: Vec<String>,
}

async fn put(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    input: Input,
) -> Answer {
    let put: Put = input.json()?;
    let wanted = LinkInput {
        landing_page: put.landing_page,
        cookie_days: put.cookie_days,
        origins: put.origins,
    };
    let (app, id) = (&api.app, CampaignId::from(id));
    let clock = app.clock.as_ref();
    let link = set_link(&app.db, &caller.connection, clock, &id, &wanted, &caller.by).await?;
    ok(&shown(link))
}
