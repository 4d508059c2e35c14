//! Registering and changing promoters. A coupon id belongs to at most one of them, and so does
//! the code of a link.

mod checks;

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::access::audit::{Action, digest, note};
use crate::clock::Clock;
use crate::domain::access::By;
use crate::domain::email::CanonicalEmail;
use crate::domain::ids::{ConnectionId, CouponId, PromoterId};
use crate::domain::people::Promoter;
use crate::store::dirty::mark_promoters;
use crate::store::leases::{Stage, enter};
use crate::store::promoters::{
    StoredPromoter, get_promoter, load_promoters, set_suspended, upsert_promoters,
};
use crate::store::{Db, Tx, retry};

use super::RegistryError;
use checks::{check, check_codes, check_owners, known_coupons};

/// A promoter as somebody writes it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PromoterInput {
    /// Its id; made from name and email if left out.
    #[serde(default)]
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Its email.
    pub email: Option<String>,
    /// The code in its referral link.
    pub code: Option<String>,
    /// Its coupon ids.
    #[serde(default)]
    pub coupons: Vec<String>,
    /// Its own Stripe customer id.
    pub stripe_customer_id: Option<String>,
}

/// Writes promoters over what was there, all or none; each id at most once. The error names
/// the promoter by its position: `/3/email`.
pub async fn put(
    db: &Db,
    connection: &ConnectionId,
    clock: &dyn Clock,
    inputs: &[PromoterInput],
    by: &By,
) -> Result<Vec<Promoter>, RegistryError> {
    retry(|| async {
        let mut tx = db.begin().await?;
        enter(&mut tx, connection, Stage::Register).await?;
        let promoters = put_in(&mut tx, connection, clock, inputs, by).await?;
        if !promoters.is_empty() {
            let what = json!({ "promoters": promoters.len(), "digest": digest(&promoters) });
            let entry = (Action::PromotersImported, "promoters".to_owned(), what);
            note(&mut tx, connection, clock.now_us(), by, entry).await?;
        }
        tx.commit().await?;
        Ok(promoters)
    })
    .await
}

/// Registers one promoter that is not there yet. Without an id it is given one that follows
/// from its name and email, so that the same promoter is not registered twice by mistake.
pub async fn create(
    db: &Db,
    connection: &ConnectionId,
    clock: &dyn Clock,
    mut input: PromoterInput,
    by: &By,
) -> Result<StoredPromoter, RegistryError> {
    if input.id.is_empty() {
        input.id = made_id(&input);
    }
    let id = PromoterId::from(input.id.trim());
    retry(|| async {
        let mut tx = db.begin().await?;
        enter(&mut tx, connection, Stage::Register).await?;
        if get_promoter(&mut tx, connection, &id).await?.is_some() {
            let message =
                format!("there is a promoter {id} already; change it, or give another id");
            return Err(RegistryError::Conflict {
                code: "id_taken",
                message,
            });
        }
        put_one(tx, connection, clock, (None, &input), by).await
    })
    .await
}

/// What to change of a promoter; what is left out stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PromoterChange {
    /// Its name.
    pub name: Option<String>,
    /// Its email, or none any more.
    #[serde(default, deserialize_with = "given")]
    pub email: Given<String>,
    /// The code in its link, or none any more.
    #[serde(default, deserialize_with = "given")]
    pub code: Given<String>,
    /// All of its coupon ids.
    pub coupons: Option<Vec<String>>,
    /// Its own Stripe customer id, or none any more.
    #[serde(default, deserialize_with = "given")]
    pub stripe_customer_id: Given<String>,
}

/// A field that may be left out (unchanged), `null` (taken away) or a value.
pub type Given<T> = Option<Option<T>>;

/// Reads such a field.
fn given<'de, D, T>(deserializer: D) -> Result<Given<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::deserialize(deserializer).map(Some)
}

/// Changes one promoter.
pub async fn change(
    db: &Db,
    connection: &ConnectionId,
    clock: &dyn Clock,
    id: &PromoterId,
    change: PromoterChange,
    by: &By,
) -> Result<StoredPromoter, RegistryError> {
    retry(|| async {
        let mut tx = db.begin().await?;
        enter(&mut tx, connection, Stage::Register).await?;
        let before = get_promoter(&mut tx, connection, id).await?;
        let before = before
            .ok_or_else(|| RegistryError::NotFound(format!("the promoter {id}")))?
            .promoter;
        let input = changed(before.clone(), change.clone());
        put_one(tx, connection, clock, (Some(&before), &input), by).await
    })
    .await
}

/// A promoter as it is written once it is changed.
fn changed(before: Promoter, change: PromoterChange) -> PromoterInput {
    let email = before.email.map(|email| email.as_str().to_owned());
    let coupons = before.coupons.iter();
    let coupons = coupons.map(|coupon| coupon.as_str().to_owned());
    PromoterInput {
        id: before.id.as_str().to_owned(),
        name: change.name.unwrap_or(before.name),
        email: change.email.unwrap_or(email),
        code: change.code.unwrap_or(before.code),
        coupons: change.coupons.unwrap_or_else(|| coupons.collect()),
        stripe_customer_id: change
            .stripe_customer_id
            .unwrap_or(before.stripe_customer_id),
    }
}

/// Writes one promoter and commits; the error's pointer is within the promoter: `/email`.
async fn put_one(
    mut tx: Tx,
    connection: &ConnectionId,
    clock: &dyn Clock,
    (before, input): (Option<&Promoter>, &PromoterInput),
    by: &By,
) -> Result<StoredPromoter, RegistryError> {
    put_in(&mut tx, connection, clock, std::slice::from_ref(input), by)
        .await
        .map_err(|error| match error {
            RegistryError::Invalid {
                code,
                pointer,
                message,
            } => {
                let within = pointer.strip_prefix("/0").unwrap_or(&pointer).to_owned();
                RegistryError::Invalid {
                    code,
                    pointer: within,
                    message,
                }
            }
            other => other,
        })?;
    let id = PromoterId::from(input.id.trim());
    let stored = get_promoter(&mut tx, connection, &id).await?;
    let stored = stored.ok_or_else(|| RegistryError::NotFound(format!("the promoter {id}")))?;
    let action = match before {
        None => Action::PromoterCreated,
        Some(_) => Action::PromoterChanged,
    };
    let what = difference(before, &stored.promoter);
    let entry = (action, format!("promoter:{id}"), what);
    note(&mut tx, connection, clock.now_us(), by, entry).await?;
    tx.commit().await?;
    Ok(stored)
}

/// Which fields of a promoter are others, with digests: the log repeats no address.
fn difference(before: Option<&Promoter>, after: &Promoter) -> Value {
    let fields = |promoter: &Promoter| match serde_json::to_value(promoter) {
        Ok(Value::Object(fields)) => fields,
        _ => serde_json::Map::new(),
    };
    let (old, new) = (before.map(fields).unwrap_or_default(), fields(after));
    let changed = new
        .iter()
        .filter(|(name, value)| old.get(*name) != Some(value));
    let changed: Vec<&String> = changed.map(|(name, _)| name).collect();
    json!({ "changed": changed, "before": before.map(digest), "after": digest(after) })
}

fn made_id(input: &PromoterInput) -> String {
    let mut hash = Sha256::new();
    let email = input.email.as_deref().unwrap_or("");
    let email = CanonicalEmail::parse(email).map_or_else(|| email.to_owned(), |e| e.to_string());
    for part in [input.name.trim(), &email] {
        hash.update(part);
        hash.update([0]);
    }
    let digest = hex::encode(hash.finalize());
    format!("prom_{}", digest.get(..20).unwrap_or(&digest))
}

async fn put_in(
    tx: &mut Tx,
    connection: &ConnectionId,
    clock: &dyn Clock,
    inputs: &[PromoterInput],
    by: &By,
) -> Result<Vec<Promoter>, RegistryError> {
    let known = known_coupons(tx, connection).await?;
    let mut promoters = Vec::with_capacity(inputs.len());
    let mut ids = BTreeSet::new();
    for (index, input) in inputs.iter().enumerate() {
        let promoter = check(index, input, &known)?;
        if !ids.insert(promoter.id.clone()) {
            let message = format!("the promoter {} appears twice", promoter.id);
            return Err(RegistryError::invalid(
                "duplicate_id",
                &format!("/{index}/id"),
                message,
            ));
        }
        promoters.push(promoter);
    }
    check_owners(tx, connection, &promoters, by).await?;
    let ids: Vec<PromoterId> = ids.into_iter().collect();
    let before: BTreeMap<PromoterId, Promoter> = load_promoters(tx, connection, &ids)
        .await?
        .into_iter()
        .map(|stored| (stored.promoter.id.clone(), stored.promoter))
        .collect();
    check_codes(tx, connection, (&before, &promoters), by).await?;
    for promoter in &mut promoters {
        promoter.suspended = before
            .get(&promoter.id)
            .is_some_and(|before| before.suspended);
    }
    let mut coupons: BTreeSet<CouponId> = BTreeSet::new();
    for promoter in before.values().chain(&promoters) {
        coupons.extend(promoter.coupons.iter().cloned());
    }
    let coupons: Vec<CouponId> = coupons.into_iter().collect();
    upsert_promoters(tx, connection, &promoters, clock.now()).await?;
    mark_promoters(tx, connection, &ids, &coupons, clock.now_us()).await?;
    Ok(promoters)
}

/// Suspends a promoter or lifts it, and has its referrals judged again.
pub async fn suspend(
    db: &Db,
    connection: &ConnectionId,
    clock: &dyn Clock,
    promoter: &PromoterId,
    suspended: bool,
    by: &By,
) -> Result<(), RegistryError> {
    retry(|| async {
        let mut tx = db.begin().await?;
        enter(&mut tx, connection, Stage::Register).await?;
        if !set_suspended(&mut tx, connection, promoter, suspended).await? {
            return Err(RegistryError::NotFound(format!("the promoter {promoter}")));
        }
        let ids = std::slice::from_ref(promoter);
        let stored = load_promoters(&mut tx, connection, ids).await?;
        let coupons: Vec<CouponId> = stored
            .into_iter()
            .flat_map(|s| s.promoter.coupons)
            .collect();
        mark_promoters(&mut tx, connection, ids, &coupons, clock.now_us()).await?;
        let action = if suspended {
            Action::PromoterSuspended
        } else {
            Action::PromoterUnsuspended
        };
        let entry = (action, format!("promoter:{promoter}"), json!({}));
        note(&mut tx, connection, clock.now_us(), by, entry).await?;
        tx.commit().await?;
        Ok(())
    })
    .await
}
