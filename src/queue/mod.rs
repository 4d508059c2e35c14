//! What a fact touched is judged again, and the verdict's changes become qualifications.
//!
//! [`worker`] claims, loads, judges, applies. [`neighbourhood`] loads the closed part of the
//! world that a judgement needs, with the [`campaigns`] that judge and what is stored of the
//! targets ([`prepare`]); [`judging`] (pure) judges it; [`transition`] (pure) is the table of
//! what a new verdict does to a qualification.

mod apply;
pub mod campaigns;
pub mod customers;
mod finder;
pub mod judging;
pub mod neighbourhood;
pub mod prepare;
mod telling;
pub mod transition;
pub mod worker;

use sha2::{Digest, Sha256};

use crate::domain::ids::{CampaignId, NearMissId, ReferralId};
use crate::domain::time::Timestamp;
use crate::matching::NearMiss;
use crate::store::near_misses::NearMiss as StoredNearMiss;

/// A near miss as a row; the same near miss always gets the same id, so it is kept once.
fn near_miss_row(campaign: &CampaignId, near: &NearMiss, now: Timestamp) -> StoredNearMiss {
    let kind = match near.kind {
        crate::matching::near::NearMissKind::SimilarEmail => "similar_email",
        crate::matching::near::NearMissKind::SameUid => "same_uid",
        crate::matching::near::NearMissKind::SimilarCoupon => "similar_coupon",
        crate::matching::near::NearMissKind::JustOutsideWindow => "just_outside_window",
    };
    let referral = near.referral.as_ref().map(ReferralId::as_str);
    let mut hash = Sha256::new();
    let parts = [
        kind,
        campaign.as_str(),
        referral.unwrap_or(""),
        near.customer.as_str(),
        &near.detail,
    ];
    for part in parts {
        hash.update(part);
        hash.update([0]);
    }
    let digest = hex::encode(hash.finalize());
    StoredNearMiss {
        near_miss_id: NearMissId::new(format!("near_{}", digest.get(..20).unwrap_or(&digest))),
        kind: kind.to_owned(),
        campaign_id: Some(campaign.clone()),
        referral_id: near.referral.clone(),
        customer_id: Some(near.customer.clone()),
        detail: near.detail.clone(),
        found_at: now.unix(),
    }
}
