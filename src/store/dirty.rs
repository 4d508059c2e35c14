//! The work list of the evaluation: what has to be judged again.
//! A row is cleared only if it was not marked again since it was read.

use std::collections::BTreeSet;

use sqlx::FromRow;

use super::db::Tx;
use super::error::StoreError;
use super::json::{name, stored_names};
use super::statement::Statement;
use crate::domain::ids::{CampaignId, ConnectionId, CouponId, PromoterId};

stored_names! {
    /// What is to be judged again.
    DirtyKind {
        /// A customer's referrals.
        Customer => "customer",
        /// One referral.
        Referral => "referral",
    }
}

/// Which part of the work list is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// What is judged with many others.
    Light,
    /// What was set aside, to be judged alone.
    Heavy,
}

impl Weight {
    const fn is_heavy(self) -> i64 {
        match self {
            Self::Light => 0,
            Self::Heavy => 1,
        }
    }
}

/// A row of the work list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dirty {
    /// What it is.
    pub kind: DirtyKind,
    /// The customer's or referral's id.
    pub id: String,
    /// Grows with every marking.
    pub mark: i64,
    /// Since when it waits, unix microseconds.
    pub marked_at_us: i64,
}

#[derive(FromRow)]
struct Row {
    kind: String,
    id: String,
    mark: i64,
    marked_at_us: i64,
}

/// Puts things on the work list; what is there keeps its place in the line.
///
/// `now_us` (our clock) is also the mark of a new row, so that a row cleared and made again never
/// has a mark that an earlier reader holds.
pub async fn mark_dirty(
    tx: &mut Tx,
    connection: &ConnectionId,
    kind: DirtyKind,
    ids: &BTreeSet<String>,
    now_us: i64,
) -> Result<(), StoreError> {
    Statement::new(
        "INSERT INTO dirty (connection_id, kind, id, mark, marked_at_us)
         {rows}
         ON CONFLICT (connection_id, kind, id) DO UPDATE
         SET mark = CASE WHEN excluded.mark > dirty.mark THEN excluded.mark ELSE dirty.mark + 1 END",
    )
    .rows(ids.iter().map(|id| {
        [
            connection.into(),
            kind.name().into(),
            id.into(),
            now_us.into(),
            now_us.into(),
        ]
    }))
    .execute(tx)
    .await?;
    Ok(())
}

/// What of this weight has waited longest. On PostgreSQL the rows are this transaction's until it ends; other
/// nodes are given others.
pub async fn claim_dirty(
    tx: &mut Tx,
    connection: &ConnectionId,
    weight: Weight,
    limit: u32,
) -> Result<Vec<Dirty>, StoreError> {
    let rows: Vec<Row> = Statement::new(
        "SELECT kind, id, mark, marked_at_us FROM dirty
         WHERE connection_id = $1 AND heavy = $2
         ORDER BY marked_at_us
         LIMIT $3
         {claim}",
    )
    .bind(connection)
    .bind(weight.is_heavy())
    .bind(limit)
    .fetch_all(tx)
    .await?;
    let read = |row: Row| {
        Ok(Dirty {
            kind: name("dirty", &row.kind, DirtyKind::parse)?,
            id: row.id,
            mark: row.mark,
            marked_at_us: row.marked_at_us,
        })
    };
    rows.into_iter().map(read).collect()
}

/// Everything on the list, for `verify`, which only looks.
pub async fn list_dirty(
    tx: &mut Tx,
    connection: &ConnectionId,
) -> Result<BTreeSet<(DirtyKind, String)>, StoreError> {
    let rows: Vec<(String, String)> =
        Statement::new("SELECT kind, id FROM dirty WHERE connection_id = $1")
            .bind(connection)
            .fetch_all(tx)
            .await?;
    rows.into_iter()
        .map(|(kind, id)| Ok((name("dirty", &kind, DirtyKind::parse)?, id)))
        .collect()
}

/// Takes off the list what was not marked again since it was read with this weight; how many
/// that were.
pub async fn clear_dirty(
    tx: &mut Tx,
    connection: &ConnectionId,
    weight: Weight,
    done: &[Dirty],
) -> Result<u64, StoreError> {
    let Some((first, last)) = places(done) else {
        return Ok(0);
    };
    // Of the list only the part is read in which they are, as in the events' queue, and for the
    // same reason.
    Statement::new(
        "DELETE FROM dirty
         WHERE connection_id = $1 AND heavy = $2 AND marked_at_us BETWEEN $3 AND $4
           AND ((kind, id, mark) IN ({rows})) IS TRUE",
    )
    .bind(connection)
    .bind(weight.is_heavy())
    .bind(first)
    .bind(last)
    .set(done.iter().map(|dirty| {
        [
            dirty.kind.name().into(),
            (&dirty.id).into(),
            dirty.mark.into(),
        ]
    }))
    .execute(tx)
    .await
}

/// Has things on the list judged alone: they are [`Weight::Heavy`] until they are cleared.
pub async fn set_aside(
    tx: &mut Tx,
    connection: &ConnectionId,
    heavy: &[Dirty],
) -> Result<u64, StoreError> {
    let Some((first, last)) = places(heavy) else {
        return Ok(0);
    };
    Statement::new(
        "UPDATE dirty SET heavy = 1
         WHERE connection_id = $1 AND heavy = 0 AND marked_at_us BETWEEN $2 AND $3
           AND ((kind, id) IN ({rows})) IS TRUE",
    )
    .bind(connection)
    .bind(first)
    .bind(last)
    .set(
        heavy
            .iter()
            .map(|dirty| [dirty.kind.name().into(), (&dirty.id).into()]),
    )
    .execute(tx)
    .await
}

/// From where in the line to where these are.
fn places(some: &[Dirty]) -> Option<(i64, i64)> {
    let places = some.iter().map(|dirty| dirty.marked_at_us);
    places.clone().min().zip(places.max())
}

/// How much waits, and since when the oldest does (unix microseconds).
pub async fn waiting(
    tx: &mut Tx,
    connection: &ConnectionId,
) -> Result<(i64, Option<i64>), StoreError> {
    Statement::new("SELECT COUNT(*), MIN(marked_at_us) FROM dirty WHERE connection_id = $1")
        .bind(connection)
        .fetch_one(tx)
        .await
}

/// Since when the oldest and the newest on the list wait (unix microseconds); `None` if nothing
/// does. A row keeps its place when it is marked again.
pub async fn span(
    tx: &mut Tx,
    connection: &ConnectionId,
) -> Result<Option<(i64, i64)>, StoreError> {
    // Look-ups at the ends of the index, for each weight; MIN and MAX in one query would read
    // all of it.
    type Ends = (Option<i64>, Option<i64>, Option<i64>, Option<i64>);
    let ends: Ends = Statement::new(
        "SELECT (SELECT MIN(marked_at_us) FROM dirty WHERE connection_id = $1 AND heavy = 0),
                (SELECT MIN(marked_at_us) FROM dirty WHERE connection_id = $1 AND heavy = 1),
                (SELECT MAX(marked_at_us) FROM dirty WHERE connection_id = $1 AND heavy = 0),
                (SELECT MAX(marked_at_us) FROM dirty WHERE connection_id = $1 AND heavy = 1)",
    )
    .bind(connection)
    .fetch_one(tx)
    .await?;
    let oldest = [ends.0, ends.1].into_iter().flatten().min();
    let newest = [ends.2, ends.3].into_iter().flatten().max();
    Ok(oldest.zip(newest))
}

/// How a set of rows is put on the list: what is there gets a greater mark.
const ON_THE_LIST: &str = " ON CONFLICT (connection_id, kind, id) DO UPDATE
     SET mark = CASE WHEN excluded.mark > dirty.mark THEN excluded.mark ELSE dirty.mark + 1 END";

/// Puts every referral of a campaign on the list, and every customer who used a coupon that
/// belongs to a promoter: the campaign's rules have changed.
pub async fn mark_campaign(
    tx: &mut Tx,
    connection: &ConnectionId,
    campaign: &CampaignId,
    now_us: i64,
) -> Result<(), StoreError> {
    Statement::new(
        "INSERT INTO dirty (connection_id, kind, id, mark, marked_at_us)
         SELECT connection_id, 'referral', referral_id, CAST($3 AS BIGINT), CAST($3 AS BIGINT)
         FROM referrals WHERE connection_id = $1 AND campaign_id = $2",
    )
    .bind(connection)
    .bind(campaign)
    .bind(now_us)
    .text(ON_THE_LIST)
    .execute(tx)
    .await?;
    Statement::new(
        "INSERT INTO dirty (connection_id, kind, id, mark, marked_at_us)
         SELECT DISTINCT k.connection_id, 'customer', k.customer_id,
                CAST($2 AS BIGINT), CAST($2 AS BIGINT)
         FROM promoter_coupons AS c
         JOIN customer_keys AS k
           ON k.connection_id = c.connection_id AND k.key_kind = 'coupon'
          AND k.key_value = c.coupon_id
         WHERE c.connection_id = $1",
    )
    .bind(connection)
    .bind(now_us)
    .text(ON_THE_LIST)
    .execute(tx)
    .await?;
    Ok(())
}

/// Puts the referrals of some promoters on the list, those that were settled for them among
/// them, and every customer who used one of `coupons` (those they have, had, or get): the
/// promoters have changed.
pub async fn mark_promoters(
    tx: &mut Tx,
    connection: &ConnectionId,
    promoters: &[PromoterId],
    coupons: &[CouponId],
    now_us: i64,
) -> Result<(), StoreError> {
    Statement::new(
        "INSERT INTO dirty (connection_id, kind, id, mark, marked_at_us)
         SELECT connection_id, 'referral', referral_id, CAST($2 AS BIGINT), CAST($2 AS BIGINT)
         FROM referrals WHERE connection_id = $1 AND promoter_id IN ({rows})",
    )
    .bind(connection)
    .bind(now_us)
    .list(promoters)
    .text(ON_THE_LIST)
    .execute(tx)
    .await?;
    // What was settled for them before somebody else was given the referral is judged as theirs.
    Statement::new(
        "INSERT INTO dirty (connection_id, kind, id, mark, marked_at_us)
         SELECT DISTINCT q.connection_id, 'referral', q.referral_id,
                CAST($2 AS BIGINT), CAST($2 AS BIGINT)
         FROM qualifications AS q
         JOIN referrals AS r
           ON r.connection_id = q.connection_id AND r.referral_id = q.referral_id
         WHERE q.connection_id = $1 AND r.promoter_id <> q.promoter_id
           AND q.state IN ('settled', 'reversed') AND q.promoter_id IN ({rows})",
    )
    .bind(connection)
    .bind(now_us)
    .list(promoters)
    .text(ON_THE_LIST)
    .execute(tx)
    .await?;
    Statement::new(
        "INSERT INTO dirty (connection_id, kind, id, mark, marked_at_us)
         SELECT DISTINCT connection_id, 'customer', customer_id,
                CAST($2 AS BIGINT), CAST($2 AS BIGINT)
         FROM customer_keys
         WHERE connection_id = $1 AND key_kind = 'coupon' AND key_value IN ({rows})",
    )
    .bind(connection)
    .bind(now_us)
    .list(coupons)
    .text(ON_THE_LIST)
    .execute(tx)
    .await?;
    Ok(())
}
