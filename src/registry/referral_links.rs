//! Where a campaign's referral links lead, as somebody sets it.

use serde_json::json;

use super::RegistryError;
use crate::access::audit::{Action, note};
use crate::clock::Clock;
use crate::domain::access::By;
use crate::domain::ids::{CampaignId, ConnectionId};
use crate::domain::referral_link::{
    COOKIE_DAYS, COOKIE_DAYS_MAX, LandingPage, ORIGINS_MAX, ReferralLink, origin,
};
use crate::store::campaigns::current_campaign;
use crate::store::referral_links::{get_campaign_link, upsert_campaign_link};
use crate::store::{Db, retry};

/// A campaign's links as somebody writes them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LinkInput {
    /// The page they lead to.
    pub landing_page: String,
    /// Days that a click is remembered; [`COOKIE_DAYS`] if left out.
    pub cookie_days: Option<i64>,
    /// Other origins whose pages may register leads.
    pub origins: Vec<String>,
}

/// Sets where a campaign's links lead. The same again changes nothing and is not noted.
pub async fn set_link(
    db: &Db,
    connection: &ConnectionId,
    clock: &dyn Clock,
    campaign: &CampaignId,
    input: &LinkInput,
    by: &By,
) -> Result<ReferralLink, RegistryError> {
    let wanted = check(campaign, input, clock)?;
    retry(|| async {
        let mut tx = db.begin().await?;
        if current_campaign(&mut tx, connection, campaign)
            .await?
            .is_none()
        {
            return Err(RegistryError::NotFound(format!("the campaign {campaign}")));
        }
        let before = get_campaign_link(&mut tx, connection, campaign).await?;
        let mut link = wanted.clone();
        if let Some(before) = &before {
            link.created_at = before.created_at;
            if says_the_same(before, &link) {
                return Ok(before.clone());
            }
        }
        upsert_campaign_link(&mut tx, connection, &link).await?;
        let what = json!({ "before": before.as_ref().map(told), "after": told(&link) });
        let entry = (
            Action::CampaignLinkSet,
            format!("campaign:{campaign}"),
            what,
        );
        note(&mut tx, connection, clock.now_us(), by, entry).await?;
        tx.commit().await?;
        Ok(link)
    })
    .await
}

fn says_the_same(a: &ReferralLink, b: &ReferralLink) -> bool {
    (&a.landing_page, &a.origins, a.cookie_days) == (&b.landing_page, &b.origins, b.cookie_days)
}

/// What the log says of it.
fn told(link: &ReferralLink) -> serde_json::Value {
    json!({
        "landing_page": link.landing_page, "cookie_days": link.cookie_days,
        "origins": link.origins,
    })
}

fn check(
    campaign: &CampaignId,
    input: &LinkInput,
    clock: &dyn Clock,
) -> Result<ReferralLink, RegistryError> {
    let invalid =
        |code, pointer: &str, message: &str| RegistryError::invalid(code, pointer, message);
    let landing_page = LandingPage::parse(&input.landing_page)
        .map_err(|words| invalid("landing_page_invalid", "/landing_page", words))?;
    let days = input.cookie_days.map_or(Ok(COOKIE_DAYS), u32::try_from);
    let days = days
        .ok()
        .filter(|days| (1..=COOKIE_DAYS_MAX).contains(days));
    let cookie_days = days.ok_or_else(|| {
        let words = "a click is remembered for 1 to 365 days";
        invalid("cookie_days_invalid", "/cookie_days", words)
    })?;
    if input.origins.len() > ORIGINS_MAX {
        let words = "a campaign names ten other origins at most";
        return Err(invalid("origins_too_many", "/origins", words));
    }
    let mut origins = Vec::new();
    for (index, text) in input.origins.iter().enumerate() {
        let one = origin(text).ok_or_else(|| {
            let words = "an origin is a scheme and a host, like https://app.example.com";
            invalid("origin_invalid", &format!("/origins/{index}"), words)
        })?;
        if one != landing_page.origin() && !origins.contains(&one) {
            origins.push(one);
        }
    }
    origins.sort_unstable();
    let now = clock.now();
    Ok(ReferralLink {
        campaign: campaign.clone(),
        landing_page,
        origins,
        cookie_days,
        created_at: now,
        changed_at: now,
    })
}
