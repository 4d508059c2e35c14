//! Registering referrals. Retroactive: payments already known count as the rules say.

use std::collections::BTreeSet;

use serde_json::json;
use sha2::{Digest, Sha256};

use crate::access::audit::{Action, digest, note};
use crate::clock::Clock;
use crate::domain::access::By;
use crate::domain::campaign::{Campaign, Touch};
use crate::domain::email::CanonicalEmail;
use crate::domain::ids::{CampaignId, ConnectionId, ID_BYTES_MAX, PromoterId, ReferralId};
use crate::domain::people::Referral;
use crate::domain::time::Timestamp;
use crate::queue::neighbourhood::Seeds;
use crate::queue::worker::{campaigns, rejudge};
use crate::store::dirty::{DirtyKind, mark_dirty};
use crate::store::leases::{Stage, enter};
use crate::store::promoters::get_promoter;
use crate::store::referrals::{
    get_referral, insert_referrals, referrals_by_email, referrals_by_stripe_customer,
    referrals_by_uid,
};
use crate::store::{Db, StoreError, Tx, retry};

use super::RegistryError;

/// A referral as somebody writes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReferralInput {
    /// Its id; made from its content if left out.
    pub id: Option<String>,
    /// The campaign.
    pub campaign: String,
    /// Who claims it.
    pub promoter: String,
    /// The person's email.
    pub email: Option<String>,
    /// The person's id in the referring product.
    pub uid: Option<String>,
    /// The person's Stripe customer.
    pub stripe_customer_id: Option<String>,
    /// When; now if left out.
    pub referred_at: Option<Timestamp>,
}

/// What registering came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Registered {
    /// It is new.
    New(Referral),
    /// The same promoter has referred this person before: that referral stands.
    Existing(Referral),
}

impl Registered {
    /// The referral that stands.
    pub const fn referral(&self) -> &Referral {
        match self {
            Self::New(referral) | Self::Existing(referral) => referral,
        }
    }
}

/// Registers one referral and judges it at once, so that whoever registers it can read what
/// the payments known so far make of it.
pub async fn register(
    db: &Db,
    connection: &ConnectionId,
    clock: &dyn Clock,
    input: &ReferralInput,
    by: &By,
) -> Result<Registered, RegistryError> {
    retry(|| async {
        let mut tx = db.begin().await?;
        enter(&mut tx, connection, Stage::Register).await?;
        let campaigns = campaigns(&mut tx, connection).await?;
        let outcome = register_in(&mut tx, connection, clock, &campaigns, input).await?;
        let seeds = Seeds {
            referrals: BTreeSet::from([outcome.referral().id.clone()]),
            ..Seeds::default()
        };
        rejudge(&mut tx, connection, seeds, clock.now()).await?;
        if let Registered::New(referral) = &outcome {
            let what = json!({
                "campaign": referral.campaign, "promoter": referral.promoter,
                "digest": digest(referral),
            });
            let entry = (
                Action::ReferralRegistered,
                format!("referral:{}", referral.id),
                what,
            );
            note(&mut tx, connection, clock.now_us(), by, entry).await?;
        }
        tx.commit().await?;
        Ok(outcome)
    })
    .await
}

/// Registers one referral in a transaction of the caller's, as imports do.
pub async fn register_in(
    tx: &mut Tx,
    connection: &ConnectionId,
    clock: &dyn Clock,
    campaigns: &[Campaign],
    input: &ReferralInput,
) -> Result<Registered, RegistryError> {
    let campaign = campaigns
        .iter()
        .find(|c| c.id.as_str() == input.campaign)
        .ok_or_else(|| {
            let message = format!("there is no campaign `{}` here", input.campaign);
            RegistryError::invalid("campaign_unknown", "/campaign", message)
        })?;
    let referral = check(campaign, input, clock.now())?;
    let promoter = PromoterId::from(input.promoter.as_str());
    if get_promoter(tx, connection, &promoter).await?.is_none() {
        let message = format!("there is no promoter `{promoter}` here");
        return Err(RegistryError::invalid(
            "promoter_unknown",
            "/promoter",
            message,
        ));
    }
    if let Some(earlier) = same_person(tx, connection, &referral).await? {
        if earlier.promoter == referral.promoter {
            return Ok(Registered::Existing(earlier));
        }
        // When, not by whom: a promoter learns nothing of another.
        if campaign.attribution.touch == Touch::First {
            let when = earlier.referred_at.words();
            let message = format!("this person was referred to the campaign on {when}");
            return Err(RegistryError::Conflict {
                code: "already_referred",
                message,
            });
        }
    }
    if get_referral(tx, connection, &referral.id).await?.is_some() {
        let message = format!("the referral id {} is taken", referral.id);
        return Err(RegistryError::Conflict {
            code: "id_taken",
            message,
        });
    }
    insert_referrals(tx, connection, std::slice::from_ref(&referral), clock.now()).await?;
    let ids = BTreeSet::from([referral.id.as_str().to_owned()]);
    mark_dirty(tx, connection, DirtyKind::Referral, &ids, clock.now_us()).await?;
    Ok(Registered::New(referral))
}

/// The campaign's earliest referral of the same person, by any key they share.
async fn same_person(
    tx: &mut Tx,
    connection: &ConnectionId,
    referral: &Referral,
) -> Result<Option<Referral>, StoreError> {
    let email: Vec<String> = referral
        .email
        .iter()
        .map(|e| e.as_str().to_owned())
        .collect();
    let uid: Vec<String> = referral.uid.iter().cloned().collect();
    let stripe: Vec<String> = referral.stripe_customer_id.iter().cloned().collect();
    let mut found = referrals_by_email(tx, connection, &email).await?;
    found.extend(referrals_by_uid(tx, connection, &uid).await?);
    found.extend(referrals_by_stripe_customer(tx, connection, &stripe).await?);
    let of_campaign = found
        .into_iter()
        .filter(|other| other.campaign == referral.campaign);
    let mine = |other: &Referral| other.promoter != referral.promoter;
    Ok(of_campaign
        .min_by(|a, b| (mine(a), a.referred_at, &a.id).cmp(&(mine(b), b.referred_at, &b.id))))
}

fn check(
    campaign: &Campaign,
    input: &ReferralInput,
    now: Timestamp,
) -> Result<Referral, RegistryError> {
    let given = |text: &Option<String>| {
        text.as_deref()
            .map(str::trim)
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
    };
    let email = match given(&input.email) {
        None => None,
        Some(text) => Some(CanonicalEmail::parse(&text).ok_or_else(|| {
            let message = "this is not an email address; write it like ana@example.com";
            RegistryError::invalid("email_invalid", "/email", message)
        })?),
    };
    let uid = given(&input.uid)
        .map(|uid| plain(&uid, "/uid"))
        .transpose()?;
    let stripe_customer_id = given(&input.stripe_customer_id)
        .map(|id| plain(&id, "/stripe_customer_id"))
        .transpose()?;
    if email.is_none() && uid.is_none() && stripe_customer_id.is_none() {
        let message = "give at least one of email, uid, stripe_customer_id";
        return Err(RegistryError::invalid("person_missing", "", message));
    }
    let promoter = PromoterId::new(plain(&input.promoter, "/promoter")?);
    let referred_at = input.referred_at.unwrap_or(now);
    let mut referral = Referral {
        id: ReferralId::new(""),
        campaign: campaign.id.clone(),
        promoter: Some(promoter),
        email,
        uid,
        stripe_customer_id,
        referred_at,
    };
    referral.id = match given(&input.id) {
        Some(id) if id.starts_with("coupon:") => {
            let message = "ids that begin with `coupon:` are made by coupons";
            return Err(RegistryError::invalid("id_invalid", "/id", message));
        }
        Some(id) => ReferralId::new(plain(&id, "/id")?),
        None => made_id(&campaign.id, &referral),
    };
    Ok(referral)
}

/// An id made from what the referral says, so that the same request makes the same id.
fn made_id(campaign: &CampaignId, referral: &Referral) -> ReferralId {
    let mut hash = Sha256::new();
    let parts = [
        campaign.as_str(),
        referral.promoter.as_ref().map_or("", PromoterId::as_str),
        referral.email.as_ref().map_or("", CanonicalEmail::as_str),
        referral.uid.as_deref().unwrap_or(""),
        referral.stripe_customer_id.as_deref().unwrap_or(""),
    ];
    for part in parts {
        hash.update(part);
        hash.update([0]);
    }
    let digest = hex::encode(hash.finalize());
    ReferralId::new(format!("ref_{}", digest.get(..20).unwrap_or(&digest)))
}

/// Text that can be an id: not blank, at most 255 bytes, no control characters.
pub(super) fn plain(text: &str, pointer: &str) -> Result<String, RegistryError> {
    let text = text.trim();
    if text.is_empty() || text.len() > ID_BYTES_MAX || text.chars().any(char::is_control) {
        let message = "an id has 1 to 255 bytes and no control characters";
        return Err(RegistryError::invalid("id_invalid", pointer, message));
    }
    Ok(text.to_owned())
}
