//! What a promoter may be: plain fields, coupons that are coupons, and nothing that is another
//! promoter's already.

use std::collections::{BTreeMap, BTreeSet};

use super::PromoterInput;
use crate::domain::access::{By, Permission};
use crate::domain::email::CanonicalEmail;
use crate::domain::fact::{ObjectKind, ObjectState};
use crate::domain::ids::{ConnectionId, CouponId, PromoterId};
use crate::domain::people::Promoter;
use crate::registry::RegistryError;
use crate::registry::referrals::plain;
use crate::rules::{CouponProblem, KnownCoupons, check_coupon_id, check_promoter_coupons};
use crate::store::objects::objects_of_kind;
use crate::store::promoters::{get_promoter, owners_of_codes, owners_of_coupons};
use crate::store::{StoreError, Tx};

/// Coupons and promotion codes looked at per page while learning which are known.
const PAGE: u32 = 500;

/// Reads what somebody wrote; `index` is its place among the inputs.
pub(super) fn check(
    index: usize,
    input: &PromoterInput,
    known: &KnownCoupons,
) -> Result<Promoter, RegistryError> {
    let at = |field: &str| format!("/{index}/{field}");
    let id = plain(&input.id, &at("id"))?;
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
        Some(text) => plain(text, &at(field)).map(Some),
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
pub(super) async fn check_owners(
    tx: &mut Tx,
    connection: &ConnectionId,
    promoters: &[Promoter],
    by: &By,
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
    let name = named(tx, connection, owner, by).await?;
    Err(in_use(format!(
        "the coupon {coupon} belongs to {name}; take it from there first"
    )))
}

/// Refuses a code that two of these promoters, or one of them and another, would share: links
/// with it would be nobody's. Compared as links resolve it, by its bytes. What was shared before
/// this was checked may stay so; only a code that somebody did not have is refused.
///
/// Whoever writes promoters has entered their stage, so nobody takes a code in between.
pub(super) async fn check_codes(
    tx: &mut Tx,
    connection: &ConnectionId,
    (before, promoters): (&BTreeMap<PromoterId, Promoter>, &[Promoter]),
    by: &By,
) -> Result<(), RegistryError> {
    let is_new = |promoter: &Promoter| {
        let had = before.get(&promoter.id).and_then(|one| one.code.as_ref());
        had != promoter.code.as_ref()
    };
    let mut owners: BTreeMap<&str, &Promoter> = BTreeMap::new();
    let mut wanted: Vec<&str> = Vec::new();
    for promoter in promoters {
        let Some(code) = promoter.code.as_deref() else {
            continue;
        };
        if is_new(promoter) {
            wanted.push(code);
        }
        if let Some(first) = owners.insert(code, promoter)
            && (is_new(first) || is_new(promoter))
        {
            let (one, other) = (&first.id, &promoter.id);
            return Err(code_in_use(format!(
                "the code {code} is given to {one} and to {other}; a link has one promoter"
            )));
        }
    }
    let ids: BTreeSet<&PromoterId> = promoters.iter().map(|p| &p.id).collect();
    let there = owners_of_codes(tx, connection, &wanted).await?;
    let Some((code, owner)) = there.iter().find(|(_, owner)| !ids.contains(owner)) else {
        return Ok(());
    };
    let name = named(tx, connection, owner, by).await?;
    Err(code_in_use(format!(
        "the code {code} is in the link of {name}; choose another one"
    )))
}

fn code_in_use(message: String) -> RegistryError {
    RegistryError::Conflict {
        code: "code_in_use",
        message,
    }
}

/// A promoter as somebody may be told of it: not at all if they may not look at promoters.
async fn named(
    tx: &mut Tx,
    connection: &ConnectionId,
    promoter: &PromoterId,
    by: &By,
) -> Result<String, StoreError> {
    if !by.grants.may(Permission::PromotersRead) {
        return Ok("another promoter".to_owned());
    }
    let stored = get_promoter(tx, connection, promoter).await?;
    Ok(match stored {
        Some(stored) => format!("{} ({promoter})", stored.promoter.name),
        None => promoter.to_string(),
    })
}

/// What events have told of coupons and promotion codes, so that a code in the place of an id
/// is refused by name.
pub(super) async fn known_coupons(
    tx: &mut Tx,
    connection: &ConnectionId,
) -> Result<KnownCoupons, StoreError> {
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
