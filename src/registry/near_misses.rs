//! Near misses, decided by a person: the customer is the person of the referral after all, or
//! is not. Either is a decision like any other, with who, when and why, and can be taken back.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::clock::Clock;
use crate::domain::decision::{Choice, Decision, Decisions, Subject};
use crate::domain::ids::{
    CampaignId, ConnectionId, CustomerId, DecisionId, NearMissId, PromoterId, ReferralId,
};
use crate::domain::payment::Customer;
use crate::domain::people::Referral;
use crate::domain::time::Timestamp;
use crate::queue::judging::judge;
use crate::queue::neighbourhood::Seeds;
use crate::queue::worker::prepare;
use crate::store::decisions::linking_decisions;
use crate::store::leases::{Stage, enter};
use crate::store::near_misses::{NearMiss, get_near_miss};
use crate::store::qualifications::{QualificationState, qualifications_of_referrals};
use crate::store::referrals::{get_referral, load_referrals};
use crate::store::{Db, StoreError, Tx, retry};

use super::RegistryError;
use super::decisions::{Decider, already_settled, decide_on_match};
use super::desk::{Known, known_of};
use super::effects::{Effect, between};

/// A near miss with both sides of it.
#[derive(Debug, Clone)]
pub struct NearView {
    /// What almost matched.
    pub near: NearMiss,
    /// What the campaign is called, if it is still there.
    pub campaign: Option<String>,
    /// The names of all promoters in play.
    pub promoters: BTreeMap<PromoterId, String>,
    /// The referral, if one is concerned.
    pub referral: Option<Referral>,
    /// The customer.
    pub customer: Option<Customer>,
    /// What is known of the customer beside what is counted.
    pub known: Known,
    /// What linking them would change; `None` where there is nothing to link.
    pub link: Option<Vec<Effect>>,
}

/// What a near miss is about, if its referral and customer are two that can be linked. A payment
/// just outside the window is of the right person, and a coupon of nobody's names no referral.
fn pair(near: &NearMiss) -> Option<(CampaignId, ReferralId, CustomerId)> {
    let is_of_people = matches!(near.kind.as_str(), "similar_email" | "same_uid");
    let campaign = near.campaign_id.clone().filter(|_| is_of_people)?;
    Some((
        campaign,
        near.referral_id.clone()?,
        near.customer_id.clone()?,
    ))
}

/// Looks at a near miss, and at what linking its two sides would do. Nothing is stored.
pub async fn look(
    db: &Db,
    connection: &ConnectionId,
    clock: &dyn Clock,
    id: &NearMissId,
) -> Result<NearView, RegistryError> {
    let now = clock.now();
    let mut tx = db.read().await?;
    let near = known(&mut tx, connection, id).await?;
    let customer = near.customer_id.clone();
    let referral = near.referral_id.clone();
    let about: Vec<CustomerId> = customer.iter().cloned().collect();
    let seeds = Seeds {
        referrals: referral.iter().cloned().collect(),
        customers: about.iter().cloned().collect(),
        ..Seeds::default()
    };
    let mut prepared = prepare(&mut tx, connection, seeds).await?;
    let mut names = known_of(&mut tx, connection, &about).await?;
    tx.rollback().await?;
    let world = &prepared.neighbourhood;
    let is_it = |c: &&Customer| Some(&c.id) == customer.as_ref();
    let campaigns = world.campaigns.iter();
    let mut campaigns = campaigns.filter(|c| near.campaign_id.as_ref() == Some(&c.id));
    let promoters = world.promoters.iter();
    let mut view = NearView {
        campaign: campaigns.next().map(|campaign| campaign.name.clone()),
        promoters: promoters.map(|p| (p.id.clone(), p.name.clone())).collect(),
        referral: world
            .referrals
            .iter()
            .find(|r| Some(&r.id) == referral.as_ref())
            .cloned(),
        customer: world.customers.iter().find(is_it).cloned(),
        known: customer
            .and_then(|id| names.remove(&id))
            .unwrap_or_default(),
        link: None,
        near,
    };
    if let (Some(pair), true) = (pair(&view.near), view.referral.is_some()) {
        let before = judge(&prepared.neighbourhood, now);
        prepared.neighbourhood.decisions.fold(supposed(&pair));
        let after = judge(&prepared.neighbourhood, now);
        view.link = Some(between(&prepared, &before, &after, now));
    }
    Ok(view)
}

/// A link that nobody has made, later than any decision: to see what it would do.
fn supposed((_, referral, customer): &(CampaignId, ReferralId, CustomerId)) -> Decision {
    Decision {
        id: DecisionId::new("supposed"),
        subject: Subject::Match {
            referral: referral.clone(),
            customer: customer.clone(),
        },
        choice: Some(Choice::Allow),
        actor: String::new(),
        reason: String::new(),
        decided_at: Timestamp::MAX,
    }
}

/// What somebody says of a near miss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The customer is the person who was referred.
    Same,
    /// They are two people.
    Different,
}

/// Answers a near miss; the referral is judged in the same transaction.
pub async fn answer(
    db: &Db,
    connection: &ConnectionId,
    clock: &dyn Clock,
    (id, answer): (&NearMissId, Answer),
    decider: Decider<'_>,
) -> Result<Decision, RegistryError> {
    let choice = match answer {
        Answer::Same => Choice::Allow,
        Answer::Different => Choice::Reject,
    };
    retry(|| async {
        let mut tx = db.begin().await?;
        // One at a time: whoever is second finds it answered.
        enter(&mut tx, connection, Stage::Judge).await?;
        let near = known(&mut tx, connection, id).await?;
        let (campaign, referral, customer) = pair(&near).ok_or_else(not_of_people)?;
        if get_referral(&mut tx, connection, &referral)
            .await?
            .is_none()
        {
            return Err(not_of_people());
        }
        let decision = (Some(&choice), decider);
        let pair = (&referral, &customer);
        let made = decide_on_match(&mut tx, connection, clock, &campaign, pair, decision).await?;
        tx.commit().await?;
        Ok(made)
    })
    .await
}

fn not_of_people() -> RegistryError {
    let message = "there is nothing to link here: it is no question of whether two are one person";
    RegistryError::Conflict {
        code: "not_linkable",
        message: message.to_owned(),
    }
}

async fn known(
    tx: &mut Tx,
    connection: &ConnectionId,
    id: &NearMissId,
) -> Result<NearMiss, RegistryError> {
    let found = get_near_miss(tx, connection, id).await?;
    found.ok_or_else(|| RegistryError::NotFound(format!("the near miss {id}")))
}

/// A decision on a referral and a customer, with the referral.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    /// The decision in force.
    pub decision: Decision,
    /// The referral's id.
    pub referral: ReferralId,
    /// The customer's.
    pub customer: CustomerId,
    /// The referral, if it is still there.
    pub claim: Option<Referral>,
}

/// Every such decision in force, the newest first. Each took a person, so they are few.
pub async fn decided(db: &Db, connection: &ConnectionId) -> Result<Vec<Decided>, StoreError> {
    let mut tx = db.read().await?;
    let all = folded(&mut tx, connection).await?;
    let mut found: Vec<Decided> = all.in_force().filter_map(of_two).collect();
    let ids: BTreeSet<ReferralId> = found.iter().map(|one| one.referral.clone()).collect();
    let ids: Vec<ReferralId> = ids.into_iter().collect();
    let claims = load_referrals(&mut tx, connection, &ids).await?;
    tx.rollback().await?;
    let claims: HashMap<ReferralId, Referral> =
        claims.into_iter().map(|r| (r.id.clone(), r)).collect();
    for one in &mut found {
        one.claim = claims.get(&one.referral).cloned();
    }
    found.sort_by(|a, b| {
        let key = |one: &Decided| (one.decision.decided_at, one.decision.id.clone());
        key(b).cmp(&key(a))
    });
    Ok(found)
}

fn of_two(decision: &Decision) -> Option<Decided> {
    let Subject::Match { referral, customer } = &decision.subject else {
        return None;
    };
    Some(Decided {
        referral: referral.clone(),
        customer: customer.clone(),
        decision: decision.clone(),
        claim: None,
    })
}

async fn folded(tx: &mut Tx, connection: &ConnectionId) -> Result<Decisions, StoreError> {
    let mut decisions = Decisions::default();
    decisions.extend(linking_decisions(tx, connection).await?);
    Ok(decisions)
}

/// Takes a decision on a referral and a customer back, until what it led to is settled.
pub async fn take_back(
    db: &Db,
    connection: &ConnectionId,
    clock: &dyn Clock,
    id: &DecisionId,
    decider: Decider<'_>,
) -> Result<Decision, RegistryError> {
    retry(|| async {
        let mut tx = db.begin().await?;
        enter(&mut tx, connection, Stage::Judge).await?;
        let all = folded(&mut tx, connection).await?;
        let mut in_force = all.in_force().filter_map(of_two);
        let one = in_force.find(|one| one.decision.id == *id);
        let one = one.ok_or_else(|| RegistryError::NotFound(format!("the decision {id}")))?;
        let claim = get_referral(&mut tx, connection, &one.referral).await?;
        let claim = claim.ok_or_else(|| RegistryError::NotFound(one.referral.to_string()))?;
        let referrals = std::slice::from_ref(&one.referral);
        let queued = qualifications_of_referrals(&mut tx, connection, referrals).await?;
        let is_link = one.decision.choice == Some(Choice::Allow);
        let mut settled = queued.iter().map(|q| q.state);
        if is_link && settled.any(|state| state == QualificationState::Settled) {
            return Err(already_settled());
        }
        let pair = (&one.referral, &one.customer);
        let back = (None, decider);
        let made = decide_on_match(&mut tx, connection, clock, &claim.campaign, pair, back).await?;
        tx.commit().await?;
        Ok(made)
    })
    .await
}
