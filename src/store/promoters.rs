//! Promoters and their coupon ids.
//! Whether a code is a coupon id at all is checked before it gets here.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::FromRow;

use super::db::Tx;
use super::error::StoreError;
use super::json::{email_or_none, instant};
use super::statement::Statement;
use crate::domain::email::CanonicalEmail;
use crate::domain::ids::{ConnectionId, CouponId, PromoterId};
use crate::domain::people::Promoter;
use crate::domain::time::Timestamp;

const TABLE: &str = "promoters";

#[derive(FromRow)]
struct Row {
    promoter_id: String,
    name: String,
    email: Option<String>,
    code: Option<String>,
    stripe_customer_id: Option<String>,
    suspended: i64,
    created_at: i64,
}

/// A promoter, and when it was registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredPromoter {
    /// The promoter.
    pub promoter: Promoter,
    /// When it was registered.
    pub created_at: Timestamp,
}

/// Rows in their order, each with its coupons.
async fn read(
    tx: &mut Tx,
    connection: &ConnectionId,
    rows: Vec<Row>,
) -> Result<Vec<StoredPromoter>, StoreError> {
    let ids: Vec<PromoterId> = rows
        .iter()
        .map(|row| row.promoter_id.as_str().into())
        .collect();
    let mut coupons: BTreeMap<PromoterId, Vec<CouponId>> = BTreeMap::new();
    for (coupon, promoter) in coupons_of(tx, connection, &ids).await? {
        coupons.entry(promoter).or_default().push(coupon);
    }
    let mut read = |row: Row| {
        let id = PromoterId::new(row.promoter_id);
        Ok(StoredPromoter {
            created_at: instant(TABLE, row.created_at)?,
            promoter: Promoter {
                name: row.name,
                email: email_or_none(TABLE, row.email)?,
                code: row.code,
                coupons: coupons.remove(&id).unwrap_or_default(),
                stripe_customer_id: row.stripe_customer_id,
                suspended: row.suspended != 0,
                id,
            },
        })
    };
    rows.into_iter().map(&mut read).collect()
}

/// Writes promoters as given, over what was there, coupons included (imports); each id at most
/// once. `created_at` holds for new ones. [`StoreError::Taken`] if a coupon id is another's.
pub async fn upsert_promoters(
    tx: &mut Tx,
    connection: &ConnectionId,
    promoters: &[Promoter],
    created_at: Timestamp,
) -> Result<(), StoreError> {
    let insert = Statement::new(
        "INSERT INTO promoters (connection_id, promoter_id, name, email, folded_email, code,
                                stripe_customer_id, suspended, created_at)
         {rows}
         ON CONFLICT (connection_id, promoter_id) DO UPDATE
         SET name = excluded.name, email = excluded.email, folded_email = excluded.folded_email,
             code = excluded.code, stripe_customer_id = excluded.stripe_customer_id,
             suspended = excluded.suspended",
    );
    with_promoters(insert, connection, promoters, created_at)
        .execute(tx)
        .await?;
    replace_coupons(tx, connection, promoters).await
}

fn with_promoters<'v>(
    insert: Statement<'v>,
    connection: &'v ConnectionId,
    promoters: &'v [Promoter],
    created_at: Timestamp,
) -> Statement<'v> {
    insert.rows(promoters.iter().map(|promoter| {
        [
            connection.into(),
            (&promoter.id).into(),
            (&promoter.name).into(),
            (&promoter.email).into(),
            promoter.email.as_ref().map(CanonicalEmail::folded).into(),
            (&promoter.code).into(),
            (&promoter.stripe_customer_id).into(),
            promoter.suspended.into(),
            created_at.into(),
        ]
    }))
}

/// Takes away the coupons that are not listed any more, then adds the new ones.
async fn replace_coupons(
    tx: &mut Tx,
    connection: &ConnectionId,
    promoters: &[Promoter],
) -> Result<(), StoreError> {
    let ids: Vec<PromoterId> = promoters.iter().map(|p| p.id.clone()).collect();
    let there: BTreeSet<_> = coupons_of(tx, connection, &ids)
        .await?
        .into_iter()
        .collect();
    let wanted: BTreeSet<_> = promoters
        .iter()
        .flat_map(|p| p.coupons.iter().map(|c| (c.clone(), p.id.clone())))
        .collect();
    Statement::new(
        "DELETE FROM promoter_coupons WHERE connection_id = $1 AND coupon_id IN ({rows})",
    )
    .bind(connection)
    .list(there.difference(&wanted).map(|(coupon, _)| coupon))
    .execute(tx)
    .await?;
    Statement::new("INSERT INTO promoter_coupons (connection_id, coupon_id, promoter_id) {rows}")
        .rows(
            wanted
                .difference(&there)
                .map(|(coupon, promoter)| [connection.into(), coupon.into(), promoter.into()]),
        )
        .execute(tx)
        .await?;
    Ok(())
}

/// The coupons of some promoters: (coupon, promoter), in order of coupon.
async fn coupons_of(
    tx: &mut Tx,
    connection: &ConnectionId,
    promoters: &[PromoterId],
) -> Result<Vec<(CouponId, PromoterId)>, StoreError> {
    let rows = Statement::new(
        "SELECT coupon_id, promoter_id FROM promoter_coupons
         WHERE connection_id = $1 AND promoter_id IN ({rows})",
    )
    .bind(connection)
    .list(promoters)
    .fetch_all(tx)
    .await?;
    Ok(owners(rows))
}

fn owners(rows: Vec<(String, String)>) -> Vec<(CouponId, PromoterId)> {
    let mut owners: Vec<_> = rows
        .into_iter()
        .map(|(coupon, promoter)| (CouponId::new(coupon), PromoterId::new(promoter)))
        .collect();
    owners.sort();
    owners
}

/// Whose coupons these are: (coupon, promoter), in order of coupon; nobody's are left out.
pub async fn owners_of_coupons(
    tx: &mut Tx,
    connection: &ConnectionId,
    coupons: &[CouponId],
) -> Result<Vec<(CouponId, PromoterId)>, StoreError> {
    let rows = Statement::new(
        "SELECT coupon_id, promoter_id FROM promoter_coupons
         WHERE connection_id = $1 AND coupon_id IN ({rows})",
    )
    .bind(connection)
    .list(coupons)
    .fetch_all(tx)
    .await?;
    Ok(owners(rows))
}

/// Every coupon that is somebody's: (coupon, promoter), in order of coupon.
pub async fn all_coupons(
    tx: &mut Tx,
    connection: &ConnectionId,
) -> Result<Vec<(CouponId, PromoterId)>, StoreError> {
    let rows = Statement::new(
        "SELECT coupon_id, promoter_id FROM promoter_coupons WHERE connection_id = $1",
    )
    .bind(connection)
    .fetch_all(tx)
    .await?;
    Ok(owners(rows))
}

/// Promoters by id, in order of id; the ones that are not there are left out.
pub async fn load_promoters(
    tx: &mut Tx,
    connection: &ConnectionId,
    promoters: &[PromoterId],
) -> Result<Vec<StoredPromoter>, StoreError> {
    let mut rows: Vec<Row> = Statement::new(
        "SELECT promoter_id, name, email, code, stripe_customer_id, suspended, created_at
         FROM promoters WHERE connection_id = $1 AND promoter_id IN ({rows})",
    )
    .bind(connection)
    .list(promoters)
    .fetch_all(tx)
    .await?;
    rows.sort_by(|a, b| a.promoter_id.cmp(&b.promoter_id));
    read(tx, connection, rows).await
}

/// One promoter.
pub async fn get_promoter(
    tx: &mut Tx,
    connection: &ConnectionId,
    promoter: &PromoterId,
) -> Result<Option<StoredPromoter>, StoreError> {
    let found = load_promoters(tx, connection, std::slice::from_ref(promoter)).await?;
    Ok(found.into_iter().next())
}

/// Promoters with one of these emails (several may share one), in order of id.
pub async fn promoters_by_email(
    tx: &mut Tx,
    connection: &ConnectionId,
    emails: &[CanonicalEmail],
) -> Result<Vec<StoredPromoter>, StoreError> {
    let mut rows: Vec<Row> = Statement::new(
        "SELECT promoter_id, name, email, code, stripe_customer_id, suspended, created_at
         FROM promoters WHERE connection_id = $1 AND email IN ({rows})",
    )
    .bind(connection)
    .list(emails)
    .fetch_all(tx)
    .await?;
    rows.sort_by(|a, b| a.promoter_id.cmp(&b.promoter_id));
    read(tx, connection, rows).await
}

/// Promoters with this code in their link, in order of id.
pub async fn promoters_by_code(
    tx: &mut Tx,
    connection: &ConnectionId,
    code: &str,
) -> Result<Vec<StoredPromoter>, StoreError> {
    // Sorted here: SQLite would rather read all of them in order.
    let mut rows: Vec<Row> = Statement::new(
        "SELECT promoter_id, name, email, code, stripe_customer_id, suspended, created_at
         FROM promoters WHERE connection_id = $1 AND code = $2",
    )
    .bind(connection)
    .bind(code)
    .fetch_all(tx)
    .await?;
    rows.sort_by(|a, b| a.promoter_id.cmp(&b.promoter_id));
    read(tx, connection, rows).await
}

/// Whose codes these are: (code, promoter), in order of both; nobody's are left out. A code may
/// have several owners where they were stored before that was refused.
pub async fn owners_of_codes(
    tx: &mut Tx,
    connection: &ConnectionId,
    codes: &[&str],
) -> Result<Vec<(String, PromoterId)>, StoreError> {
    let mut rows: Vec<(String, String)> = Statement::new(
        "SELECT code, promoter_id FROM promoters
         WHERE connection_id = $1 AND code IN ({rows})",
    )
    .bind(connection)
    .list(codes.iter().copied())
    .fetch_all(tx)
    .await?;
    rows.sort_unstable();
    let owners = rows.into_iter();
    Ok(owners.map(|(code, id)| (code, id.into())).collect())
}

/// One page of promoters in order of id.
pub async fn list_promoters(
    tx: &mut Tx,
    connection: &ConnectionId,
    after: Option<&PromoterId>,
    limit: u32,
) -> Result<Vec<StoredPromoter>, StoreError> {
    let rows = Statement::new(
        "SELECT promoter_id, name, email, code, stripe_customer_id, suspended, created_at
         FROM promoters WHERE connection_id = $1 AND promoter_id > $2
         ORDER BY promoter_id LIMIT $3",
    )
    .bind(connection)
    .bind(after.map_or("", PromoterId::as_str))
    .bind(limit)
    .fetch_all(tx)
    .await?;
    read(tx, connection, rows).await
}

/// Suspends a promoter, or takes that back; whether there is such a promoter.
pub async fn set_suspended(
    tx: &mut Tx,
    connection: &ConnectionId,
    promoter: &PromoterId,
    suspended: bool,
) -> Result<bool, StoreError> {
    let changed = Statement::new(
        "UPDATE promoters SET suspended = $3 WHERE connection_id = $1 AND promoter_id = $2",
    )
    .bind(connection)
    .bind(promoter)
    .bind(suspended)
    .execute(tx)
    .await?;
    Ok(changed == 1)
}
