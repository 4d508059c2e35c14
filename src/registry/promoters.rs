//! Registering and changing promoters. A coupon id belongs to at most one of them.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::access::audit::{Action, digest, note};
use crate::clock::Clock;
use crate::domain::access::By;
use crate::domain::email::CanonicalEmail;
use crate::domain::fact::{ObjectKind, ObjectState};
use crate::domain::ids::{ConnectionId, CouponId, PromoterId};
use crate::domain::people::Promoter;
use crate::rules::{CouponProblem, KnownCoupons, check_coupon_id, check_promoter_coupons};
use crate::store::dirty::mark_promoters;
use crate::store::leases::{Stage, enter};
use crate::store::objects::objects_of_kind;
use crate::store::promoters::{
    StoredPromoter, get_promoter, load_promoters, owners_of_coupons, set_suspended,
    upsert_promoters,
};
use crate::store::{Db, StoreError, Tx, retry};

use super::RegistryError;

/// Coupons and promotion codes looked at per page while learning which are known.
const PAGE: u32 = 500;

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
        let promoters = put_in(&mut tx, connection, clock, inputs).await?;
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
    put_in(&mut tx, connection, clock, std::slice::from_ref(input))
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
    check_owners(tx, connection, &promoters).await?;
    let ids: Vec<PromoterId> = ids.into_iter().collect();
    let before: BTreeMap<PromoterId, Promoter> = load_promoters(tx, connection, &ids)
        .await?
        .into_iter()
        .map(|stored| (stored.promoter.id.clone(), stored.promoter))
        .collect();
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

fn check(
    index: usize,
    input: &PromoterInput,
    known: &KnownCoupons,
) -> Result<Promoter, RegistryError> {
    let at = |field: &str| format!("/{index}/{field}");
    let id = super::referrals::plain(&input.id, &at("id"))?;
    let name = input.name.trim();
    if name.is_empty() || name.chars().count() > 120 || name.chars().any(char::is_control) {
        let message = "a name has 1 to 120 characters and no control characters";
        return Err(RegistryError::invalid("name_invalid", &at("name"), message));
    }
    let email = match input
        .email
        .as_deref()
        .map(str::trim)
        .filter(|text| !text.is_empty())
    {
        None => None,
        Some(text) => Some(CanonicalEmail::parse(text).ok_or_else(|| {
            let message = "this is not an email address; write it like ana@example.com";
            RegistryError::invalid("email_invalid", &at("email"), message)
        })?),
    };
    let mut coupons = Vec::new();
    for (position, coupon) in input.coupons.iter().enumerate() {
        let coupon = check_coupon_id(coupon, known)
            .map_err(|problem| coupon_refused(&problem, &format!("/{index}/coupons/{position}")))?;
        if !coupons.contains(&coupon) {
            coupons.push(coupon);
        }
    }
    coupons.sort_unstable();
    let optional = |text: &Option<String>, field: &str| match text.as_deref() {
        None | Some("") => Ok(None),
        Some(text) => super::referrals::plain(text, &at(field)).map(Some),
    };
    Ok(Promoter {
        id: PromoterId::new(id),
        name: name.to_owned(),
        email,
        code: optional(&input.code, "code")?,
        coupons,
        stripe_customer_id: optional(&input.stripe_customer_id, "stripe_customer_id")?,
        suspended: false,
    })
}

fn coupon_refused(problem: &CouponProblem, pointer: &str) -> RegistryError {
    RegistryError::invalid(problem.code(), pointer, problem.to_string())
}

/// Refuses a coupon that two of these promoters, or one of them and another, would share.
async fn check_owners(
    tx: &mut Tx,
    connection: &ConnectionId,
    promoters: &[Promoter],
) -> Result<(), RegistryError> {
    let pairs: Vec<(&PromoterId, &CouponId)> = promoters
        .iter()
        .flat_map(|p| p.coupons.iter().map(move |c| (&p.id, c)))
        .collect();
    let in_use = |problem: String| RegistryError::Conflict {
        code: "coupon_in_use",
        message: problem,
    };
    if let Err(problems) = check_promoter_coupons(pairs.iter().copied()) {
        let first = problems
            .first()
            .map(ToString::to_string)
            .unwrap_or_default();
        return Err(in_use(first));
    }
    let coupons: Vec<CouponId> = pairs.iter().map(|(_, coupon)| (*coupon).clone()).collect();
    let ids: BTreeSet<&PromoterId> = promoters.iter().map(|p| &p.id).collect();
    let owners = owners_of_coupons(tx, connection, &coupons).await?;
    let Some((coupon, owner)) = owners.iter().find(|(_, owner)| !ids.contains(owner)) else {
        return Ok(());
    };
    let name = match get_promoter(tx, connection, owner).await? {
        Some(stored) => format!("{} ({owner})", stored.promoter.name),
        None => owner.to_string(),
    };
    Err(in_use(format!(
        "the coupon {coupon} belongs to {name}; take it from there first"
    )))
}

/// What events have told of coupons and promotion codes, so that a code in the place of an id
/// is refused by name.
async fn known_coupons(tx: &mut Tx, connection: &ConnectionId) -> Result<KnownCoupons, StoreError> {
    let mut known = KnownCoupons::new();
    for kind in [ObjectKind::Coupon, ObjectKind::PromotionCode] {
        let mut after: Option<String> = None;
        loop {
            let page = objects_of_kind(tx, connection, kind, after.as_deref(), PAGE).await?;
            for object in &page {
                match &object.state {
                    ObjectState::Coupon(_) => known.add_coupon(object.key.id.as_str().into()),
                    ObjectState::PromotionCode(state) => {
                        if let Some(coupon) = &state.coupon {
                            for code in state.code.values() {
                                known.add_promotion_code(&object.key.id, code, coupon.clone());
                            }
                        }
                    }
                    _ => {}
                }
            }
            match page.last() {
                Some(last) if page.len() >= PAGE as usize => after = Some(last.key.id.clone()),
                _ => break,
            }
        }
    }
    Ok(known)
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
