//! Near misses: what almost matched. They identify nobody; an admin looks and may link.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::{Claim, World};
use crate::domain::campaign::Campaign;
use crate::domain::counting;
use crate::domain::ids::{CustomerId, ReferralId};
use crate::domain::payment::Customer;

/// A payment this close to the window, outside of it, is worth a look: one day.
const JUST_OUTSIDE_SECONDS: i64 = 86_400;

/// What kind of near miss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NearMissKind {
    /// The same email but for a tag, dots or provider alias.
    SimilarEmail,
    /// The same uid in metadata, under another email, where metadata does not match.
    SameUid,
    /// A coupon that belongs to nobody, one edit away from a promoter's.
    SimilarCoupon,
    /// Paid less than a day before the window opened or after it closed.
    JustOutsideWindow,
}

/// What almost matched.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NearMiss {
    /// What kind.
    pub kind: NearMissKind,
    /// The referral, if one is concerned.
    pub referral: Option<ReferralId>,
    /// The customer.
    pub customer: CustomerId,
    /// What was seen.
    pub detail: String,
}

/// Everything that almost matched, sorted. `claims` are the resolved claims of this world.
pub fn near_misses(campaign: &Campaign, world: &World<'_>, claims: &[Claim<'_>]) -> Vec<NearMiss> {
    let mut found = Vec::new();
    let mut owned: HashMap<&CustomerId, &ReferralId> = HashMap::new();
    for claim in claims {
        owned.extend(
            claim
                .customers
                .iter()
                .map(|(c, _)| (&c.id, &claim.referral.id)),
        );
        just_outside(campaign, claim, &mut found);
    }
    let lonely = claims.iter().filter(|claim| claim.customers.is_empty());
    let mut by_folded: HashMap<String, Vec<&Claim<'_>>> = HashMap::new();
    let mut by_uid: HashMap<&str, Vec<&Claim<'_>>> = HashMap::new();
    for claim in lonely {
        if let Some(email) = &claim.referral.email {
            by_folded.entry(email.folded()).or_default().push(claim);
        }
        if let Some(uid) = &claim.referral.uid {
            by_uid.entry(uid).or_default().push(claim);
        }
    }
    for customer in world.customers {
        if !owned.contains_key(&customer.id) {
            similar_people(world, customer, (&by_folded, &by_uid), &mut found);
        }
        if campaign.attribution.coupons {
            similar_coupons(world, customer, &mut found);
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

fn just_outside(campaign: &Campaign, claim: &Claim<'_>, found: &mut Vec<NearMiss>) {
    let customers = claim.customers.iter().map(|(customer, _)| *customer);
    let window = counting::window(campaign, &claim.referral, customers.clone());
    for customer in customers {
        for payment in &customer.payments {
            let before = window.opens_at.unix() - payment.occurred_at.unix();
            let after = window
                .closes_at
                .map(|end| payment.occurred_at.unix() - end.unix());
            let near = (1..=JUST_OUTSIDE_SECONDS).contains(&before)
                || after.is_some_and(|late| (0..JUST_OUTSIDE_SECONDS).contains(&late));
            if near && counting::counted_when_made(&campaign.qualify, payment) {
                found.push(NearMiss {
                    kind: NearMissKind::JustOutsideWindow,
                    referral: Some(claim.referral.id.clone()),
                    customer: customer.id.clone(),
                    detail: format!("{} was paid at {}", payment.id, payment.occurred_at.words()),
                });
            }
        }
    }
}

type Lonely<'a, 'k, K> = &'a HashMap<K, Vec<&'a Claim<'k>>>;

fn similar_people(
    world: &World<'_>,
    customer: &Customer,
    (by_folded, by_uid): (Lonely<'_, '_, String>, Lonely<'_, '_, &str>),
    found: &mut Vec<NearMiss>,
) {
    let mut push = |kind, claim: &Claim<'_>, detail: String| {
        // An admin has looked already, and said that these are two people.
        if world.decisions.are_apart(&claim.referral.id, &customer.id) {
            return;
        }
        let referral = Some(claim.referral.id.clone());
        found.push(NearMiss {
            kind,
            referral,
            customer: customer.id.clone(),
            detail,
        });
    };
    for email in &customer.emails {
        for claim in by_folded.get(&email.folded()).into_iter().flatten() {
            let detail = format!("{} differs only by tag or dots", email.masked());
            push(NearMissKind::SimilarEmail, claim, detail);
        }
    }
    let uids = customer.metadata.iter().map(|(_, value)| value);
    for uid in uids.chain(&customer.client_references) {
        for claim in by_uid.get(uid.as_str()).into_iter().flatten() {
            let detail = format!("the customer carries the referral's uid {uid}");
            push(NearMissKind::SameUid, claim, detail);
        }
    }
}

fn similar_coupons(world: &World<'_>, customer: &Customer, found: &mut Vec<NearMiss>) {
    let used = customer
        .payments
        .iter()
        .flat_map(|payment| &payment.coupons);
    for coupon in used.filter(|coupon| world.promoters.of_coupon(coupon).is_none()) {
        let near = |known: &&crate::domain::ids::CouponId| {
            strsim::osa_distance(known.as_str(), coupon.as_str()) == 1
                || known.as_str().eq_ignore_ascii_case(coupon.as_str())
        };
        if let Some(known) = world.promoters.coupons().filter(near).min() {
            found.push(NearMiss {
                kind: NearMissKind::SimilarCoupon,
                referral: None,
                customer: customer.id.clone(),
                detail: format!("coupon {coupon} belongs to nobody; {known} is one edit away"),
            });
        }
    }
}
