//! Registered referrals. The ones that a coupon makes are derived and never stored here.
//! Whether a claim is accepted is decided before it gets here.

use std::collections::BTreeMap;

use sqlx::FromRow;

use super::db::Tx;
use super::error::StoreError;
use super::json::{email_or_none, instant};
use super::statement::Statement;
use crate::domain::email::CanonicalEmail;
use crate::domain::ids::{CampaignId, ConnectionId, PromoterId, ReferralId};
use crate::domain::people::Referral;
use crate::domain::time::Timestamp;

const TABLE: &str = "referrals";

#[derive(FromRow)]
struct Row {
    referral_id: String,
    campaign_id: String,
    promoter_id: String,
    email: Option<String>,
    uid: Option<String>,
    stripe_customer_id: Option<String>,
    referred_at: i64,
}

fn read(rows: Vec<Row>) -> Result<Vec<Referral>, StoreError> {
    let read = |row: Row| {
        Ok(Referral {
            id: row.referral_id.into(),
            campaign: row.campaign_id.into(),
            promoter: Some(row.promoter_id.into()),
            email: email_or_none(TABLE, row.email)?,
            uid: row.uid,
            stripe_customer_id: row.stripe_customer_id,
            referred_at: instant(TABLE, row.referred_at)?,
        })
    };
    rows.into_iter().map(read).collect()
}

fn read_sorted(mut rows: Vec<Row>) -> Result<Vec<Referral>, StoreError> {
    rows.sort_by(|a, b| a.referral_id.cmp(&b.referral_id));
    read(rows)
}

/// Registers referrals; [`StoreError::Taken`] if an id is taken, [`StoreError::Refused`] if a
/// promoter is missing or unknown, or none of the three keys is given.
pub async fn insert_referrals(
    tx: &mut Tx,
    connection: &ConnectionId,
    referrals: &[Referral],
    created_at: Timestamp,
) -> Result<(), StoreError> {
    let insert = Statement::new(
        "INSERT INTO referrals (connection_id, referral_id, campaign_id, promoter_id, email,
                                folded_email, uid, stripe_customer_id, referred_at, created_at)
         {rows}",
    );
    with_referrals(insert, connection, referrals, created_at)
        .execute(tx)
        .await?;
    Ok(())
}

/// Gives a referral to another promoter; [`StoreError::Stale`] if it is not `from`'s any more,
/// [`StoreError::Refused`] if the other is unknown.
pub async fn reassign_referral(
    tx: &mut Tx,
    connection: &ConnectionId,
    referral: &ReferralId,
    (from, to): (&PromoterId, &PromoterId),
) -> Result<(), StoreError> {
    Statement::new(
        "UPDATE referrals SET promoter_id = $4
         WHERE connection_id = $1 AND referral_id = $2 AND promoter_id = $3",
    )
    .bind(connection)
    .bind(referral)
    .bind(from)
    .bind(to)
    .execute_exactly("giving a referral to another promoter", 1, tx)
    .await
}

fn with_referrals<'v>(
    insert: Statement<'v>,
    connection: &'v ConnectionId,
    referrals: &'v [Referral],
    created_at: Timestamp,
) -> Statement<'v> {
    // One row an id, in order of id, whatever the import repeats: the last one speaks.
    let by_id: BTreeMap<&ReferralId, &Referral> = referrals.iter().map(|r| (&r.id, r)).collect();
    insert.rows(by_id.into_values().map(|referral| {
        [
            connection.into(),
            (&referral.id).into(),
            (&referral.campaign).into(),
            (&referral.promoter).into(),
            (&referral.email).into(),
            referral.email.as_ref().map(CanonicalEmail::folded).into(),
            (&referral.uid).into(),
            (&referral.stripe_customer_id).into(),
            referral.referred_at.into(),
            created_at.into(),
        ]
    }))
}

/// Referrals by id, in order of id; the ones that are not there are left out.
pub async fn load_referrals(
    tx: &mut Tx,
    connection: &ConnectionId,
    referrals: &[ReferralId],
) -> Result<Vec<Referral>, StoreError> {
    let rows = Statement::new(
        "SELECT referral_id, campaign_id, promoter_id, email, uid, stripe_customer_id, referred_at
         FROM referrals WHERE connection_id = $1 AND referral_id IN ({rows})",
    )
    .bind(connection)
    .list(referrals)
    .fetch_all(tx)
    .await?;
    read_sorted(rows)
}

/// One referral.
pub async fn get_referral(
    tx: &mut Tx,
    connection: &ConnectionId,
    referral: &ReferralId,
) -> Result<Option<Referral>, StoreError> {
    let found = load_referrals(tx, connection, std::slice::from_ref(referral)).await?;
    Ok(found.into_iter().next())
}

/// Referrals of these canonical emails, in any campaign, in order of id.
pub async fn referrals_by_email(
    tx: &mut Tx,
    connection: &ConnectionId,
    emails: &[String],
) -> Result<Vec<Referral>, StoreError> {
    let rows = Statement::new(
        "SELECT referral_id, campaign_id, promoter_id, email, uid, stripe_customer_id, referred_at
         FROM referrals WHERE connection_id = $1 AND email IN ({rows})",
    )
    .bind(connection)
    .list(emails)
    .fetch_all(tx)
    .await?;
    read_sorted(rows)
}

/// Referrals of these folded emails, in any campaign, in order of id: hints, no matches.
pub async fn referrals_by_folded_email(
    tx: &mut Tx,
    connection: &ConnectionId,
    folded: &[String],
) -> Result<Vec<Referral>, StoreError> {
    let rows = Statement::new(
        "SELECT referral_id, campaign_id, promoter_id, email, uid, stripe_customer_id, referred_at
         FROM referrals WHERE connection_id = $1 AND folded_email IN ({rows})",
    )
    .bind(connection)
    .list(folded)
    .fetch_all(tx)
    .await?;
    read_sorted(rows)
}

/// Referrals of these uids, in any campaign, in order of id.
pub async fn referrals_by_uid(
    tx: &mut Tx,
    connection: &ConnectionId,
    uids: &[String],
) -> Result<Vec<Referral>, StoreError> {
    let rows = Statement::new(
        "SELECT referral_id, campaign_id, promoter_id, email, uid, stripe_customer_id, referred_at
         FROM referrals WHERE connection_id = $1 AND uid IN ({rows})",
    )
    .bind(connection)
    .list(uids)
    .fetch_all(tx)
    .await?;
    read_sorted(rows)
}

/// Referrals that name these Stripe customers, in any campaign, in order of id.
pub async fn referrals_by_stripe_customer(
    tx: &mut Tx,
    connection: &ConnectionId,
    customers: &[String],
) -> Result<Vec<Referral>, StoreError> {
    let rows = Statement::new(
        "SELECT referral_id, campaign_id, promoter_id, email, uid, stripe_customer_id, referred_at
         FROM referrals WHERE connection_id = $1 AND stripe_customer_id IN ({rows})",
    )
    .bind(connection)
    .list(customers)
    .fetch_all(tx)
    .await?;
    read_sorted(rows)
}

/// Which referrals to list. Everything left out means any.
#[derive(Debug, Clone, Default)]
pub struct ReferralFilter {
    /// In this campaign.
    pub campaign: Option<CampaignId>,
    /// Of this promoter.
    pub promoter: Option<PromoterId>,
    /// Referred at or after.
    pub from: Option<Timestamp>,
    /// Referred before.
    pub until: Option<Timestamp>,
}

/// Referrals, newest first; `after` is (`referred_at`, id) of the last one seen.
pub async fn list_referrals(
    tx: &mut Tx,
    connection: &ConnectionId,
    filter: &ReferralFilter,
    after: Option<(Timestamp, &ReferralId)>,
    limit: u32,
) -> Result<Vec<Referral>, StoreError> {
    let mut statement = Statement::new(
        "SELECT referral_id, campaign_id, promoter_id, email, uid, stripe_customer_id, referred_at
         FROM referrals WHERE connection_id = $1",
    )
    .bind(connection)
    .push_some(" AND campaign_id = $#", filter.campaign.as_ref())
    .push_some(" AND promoter_id = $#", filter.promoter.as_ref())
    .push_some(" AND referred_at >= $#", filter.from)
    .push_some(" AND referred_at < $#", filter.until);
    if let Some((at, id)) = after {
        statement = statement.push_all(
            " AND (referred_at, referral_id) < ($#, $#)",
            [at.into(), id.into()],
        );
    }
    let rows = statement
        .push(
            " ORDER BY referred_at DESC, referral_id DESC LIMIT $#",
            limit,
        )
        .fetch_all(tx)
        .await?;
    read(rows)
}

/// One page of all referrals in order of id: for `verify`, backtests and export.
pub async fn referral_page(
    tx: &mut Tx,
    connection: &ConnectionId,
    after: Option<&ReferralId>,
    limit: u32,
) -> Result<Vec<Referral>, StoreError> {
    let rows = Statement::new(
        "SELECT referral_id, campaign_id, promoter_id, email, uid, stripe_customer_id, referred_at
         FROM referrals WHERE connection_id = $1 AND referral_id > $2
         ORDER BY referral_id LIMIT $3",
    )
    .bind(connection)
    .bind(after.map_or("", ReferralId::as_str))
    .bind(limit)
    .fetch_all(tx)
    .await?;
    read(rows)
}
