//! Where campaigns' referral links lead, and how often they were followed, by day.

use sqlx::FromRow;

use super::db::Tx;
use super::error::StoreError;
use super::json::{from_json, instant, to_json};
use super::statement::Statement;
use crate::domain::ids::{CampaignId, ConnectionId, PromoterId};
use crate::domain::referral_link::{LandingPage, ReferralLink};

const TABLE: &str = "campaign_links";

#[derive(FromRow)]
struct Row {
    campaign_id: String,
    landing_page: String,
    origins: String,
    cookie_days: i64,
    created_at: i64,
    changed_at: i64,
}

fn read(row: Row) -> Result<ReferralLink, StoreError> {
    let page = LandingPage::parse(&row.landing_page);
    let days = u32::try_from(row.cookie_days);
    Ok(ReferralLink {
        campaign: row.campaign_id.into(),
        landing_page: page.map_err(|error| StoreError::unreadable(TABLE, error))?,
        origins: from_json(TABLE, &row.origins)?,
        cookie_days: days.map_err(|error| StoreError::unreadable(TABLE, error))?,
        created_at: instant(TABLE, row.created_at)?,
        changed_at: instant(TABLE, row.changed_at)?,
    })
}

/// Writes a campaign's link over what was there; `created_at` holds for a new one.
/// [`StoreError::Refused`] if there is no such campaign.
pub async fn upsert_campaign_link(
    tx: &mut Tx,
    connection: &ConnectionId,
    link: &ReferralLink,
) -> Result<(), StoreError> {
    let origins = to_json(TABLE, &link.origins)?;
    Statement::new(
        "INSERT INTO campaign_links (connection_id, campaign_id, landing_page, origins,
                                     cookie_days, created_at, changed_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (connection_id, campaign_id) DO UPDATE
         SET landing_page = excluded.landing_page, origins = excluded.origins,
             cookie_days = excluded.cookie_days, changed_at = excluded.changed_at",
    )
    .bind(connection)
    .bind(&link.campaign)
    .bind(link.landing_page.as_str())
    .bind(origins)
    .bind(link.cookie_days)
    .bind(link.created_at)
    .bind(link.changed_at)
    .execute(tx)
    .await?;
    Ok(())
}

/// The links of every campaign that has one, the one that had it first in front.
pub async fn campaign_links(
    tx: &mut Tx,
    connection: &ConnectionId,
) -> Result<Vec<ReferralLink>, StoreError> {
    let rows: Vec<Row> = Statement::new(
        "SELECT campaign_id, landing_page, origins, cookie_days, created_at, changed_at
         FROM campaign_links WHERE connection_id = $1 ORDER BY created_at, campaign_id",
    )
    .bind(connection)
    .fetch_all(tx)
    .await?;
    rows.into_iter().map(read).collect()
}

/// One campaign's link, if it has one.
pub async fn get_campaign_link(
    tx: &mut Tx,
    connection: &ConnectionId,
    campaign: &CampaignId,
) -> Result<Option<ReferralLink>, StoreError> {
    let row: Option<Row> = Statement::new(
        "SELECT campaign_id, landing_page, origins, cookie_days, created_at, changed_at
         FROM campaign_links WHERE connection_id = $1 AND campaign_id = $2",
    )
    .bind(connection)
    .bind(campaign)
    .fetch_optional(tx)
    .await?;
    row.map(read).transpose()
}

/// Counts a click on a promoter's link of a campaign; `day` is counted from 1970-01-01.
pub async fn count_click(
    tx: &mut Tx,
    connection: &ConnectionId,
    promoter: &PromoterId,
    campaign: &CampaignId,
    day: i64,
) -> Result<(), StoreError> {
    Statement::new(
        "INSERT INTO clicks (connection_id, promoter_id, day, campaign_id, clicks)
         VALUES ($1, $2, $3, $4, 1)
         ON CONFLICT (connection_id, promoter_id, day, campaign_id) DO UPDATE
         SET clicks = clicks.clicks + 1",
    )
    .bind(connection)
    .bind(promoter)
    .bind(day)
    .bind(campaign)
    .execute(tx)
    .await?;
    Ok(())
}

/// Clicks on a promoter's links, of all campaigns, on or after a day.
pub async fn clicks_since(
    tx: &mut Tx,
    connection: &ConnectionId,
    promoter: &PromoterId,
    day: i64,
) -> Result<i64, StoreError> {
    let (clicks,) = Statement::new(
        "SELECT CAST(COALESCE(SUM(clicks), 0) AS BIGINT) FROM clicks
         WHERE connection_id = $1 AND promoter_id = $2 AND day >= $3",
    )
    .bind(connection)
    .bind(promoter)
    .bind(day)
    .fetch_one(tx)
    .await?;
    Ok(clicks)
}
