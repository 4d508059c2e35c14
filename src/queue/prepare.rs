//! What is stored of the things that are judged: their neighbourhood, their qualifications and
//! the verdicts there are.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::campaigns::{campaigns, parse};
use super::judging::Neighbourhood;
use super::neighbourhood::{Seeds, load, used_a_coupon};
use crate::domain::ids::{
    CampaignId, ConnectionId, CustomerId, PromoterId, ReferralId, RevisionId,
};
use crate::store::campaigns::revision_by_hash;
use crate::store::promoters::load_promoters;
use crate::store::qualifications::{
    Qualification, QualificationState, qualifications_of_referrals,
};
use crate::store::verdicts::{StoredVerdict, VerdictKey, load_verdicts, verdicts_of_customers};
use crate::store::{StoreError, Tx};

/// A neighbourhood with what is stored about its targets.
pub struct Prepared {
    /// The closed part of the world.
    pub neighbourhood: Neighbourhood,
    pub(super) qualifications: Queue,
    pub(super) stored: BTreeMap<VerdictKey, StoredVerdict>,
}

impl Prepared {
    /// The qualifications of one target, whatever is in force last.
    pub fn qualifications_of(&self, key: &VerdictKey) -> &[Qualification] {
        self.qualifications.get(key).map_or(&[], Vec::as_slice)
    }
}

/// Loads everything that judging the seeds takes; for previews as well, which apply nothing.
pub async fn prepare(
    tx: &mut Tx,
    connection: &ConnectionId,
    seeds: Seeds,
) -> Result<Prepared, StoreError> {
    let campaigns = campaigns(tx, connection).await?;
    let mut neighbourhood = load(tx, connection, campaigns, seeds).await?;
    let keys = target_keys(tx, connection, &neighbourhood).await?;
    let mut referrals: BTreeSet<ReferralId> = keys.iter().map(|(_, id)| id.clone()).collect();
    referrals.extend(neighbourhood.referrals.iter().map(|r| r.id.clone()));
    let referrals: Vec<ReferralId> = referrals.into_iter().collect();
    let mut qualifications: HashMap<_, Vec<Qualification>> = HashMap::new();
    for qualification in qualifications_of_referrals(tx, connection, &referrals).await? {
        let key = (
            qualification.campaign.clone(),
            qualification.referral.clone(),
        );
        qualifications.entry(key).or_default().push(qualification);
    }
    for list in qualifications.values_mut() {
        in_force_last(list);
    }
    load_settled(tx, connection, &mut neighbourhood, &qualifications).await?;
    let stored = load_verdicts(tx, connection, &keys).await?;
    let stored = stored
        .into_iter()
        .map(|v| ((v.verdict.campaign.clone(), v.verdict.referral.clone()), v))
        .collect();
    Ok(Prepared {
        neighbourhood,
        qualifications,
        stored,
    })
}

/// Sorts a referral's qualifications, which come by age, so that whatever is in force is the
/// last; a reversed one is only ever reinstated.
pub fn in_force_last(list: &mut [Qualification]) {
    list.sort_by_key(|q| match q.state {
        QualificationState::Withdrawn => 0,
        QualificationState::Reversed => 1,
        QualificationState::Settled | QualificationState::Queued => 2,
    });
}

/// Verdicts that exist or may come to exist for the targets.
async fn target_keys(
    tx: &mut Tx,
    connection: &ConnectionId,
    neighbourhood: &Neighbourhood,
) -> Result<Vec<VerdictKey>, StoreError> {
    let targets = &neighbourhood.targets;
    let referrals = neighbourhood
        .referrals
        .iter()
        .filter(|r| targets.contains(&r.id));
    let mut keys: BTreeSet<VerdictKey> = referrals
        .map(|r| (r.campaign.clone(), r.id.clone()))
        .collect();
    let coupon_targets = &neighbourhood.coupon_targets;
    let customers: Vec<CustomerId> = coupon_targets.iter().cloned().collect();
    keys.extend(verdicts_of_customers(tx, connection, &customers).await?);
    let by_coupon = neighbourhood.customers.iter();
    let by_coupon = by_coupon.filter(|c| coupon_targets.contains(&c.id) && used_a_coupon(c));
    for customer in by_coupon {
        let campaigns = neighbourhood.campaigns.iter().map(|campaign| &campaign.id);
        keys.extend(campaigns.map(|id| (id.clone(), ReferralId::from_coupon(id, &customer.id))));
    }
    Ok(keys.into_iter().collect())
}

/// Qualifications by what they are of; whatever is in force comes last.
pub type Queue = HashMap<VerdictKey, Vec<Qualification>>;

/// Revisions that settled one of the targets go on judging it, and as the referral of the
/// promoter for whom they settled it: whoever is given the referral later has no part in that
/// money, so that nothing about them may take it back.
pub async fn load_settled(
    tx: &mut Tx,
    connection: &ConnectionId,
    neighbourhood: &mut Neighbourhood,
    qualifications: &Queue,
) -> Result<(), StoreError> {
    let mut earlier: BTreeSet<(CampaignId, RevisionId)> = BTreeSet::new();
    let mut settled_for: HashMap<(&CampaignId, &ReferralId), &PromoterId> = HashMap::new();
    for (key, list) in qualifications {
        let settled = list.iter().rev().find(|q| is_settled(q));
        if let Some(settled) = settled {
            settled_for.insert((&key.0, &key.1), &settled.promoter);
            neighbourhood
                .settled
                .insert(key.clone(), settled.revision.clone());
            let current = neighbourhood
                .campaigns
                .iter()
                .any(|c| c.revision == settled.revision);
            if !current {
                earlier.insert((key.0.clone(), settled.revision.clone()));
            }
        }
    }
    for referral in &mut neighbourhood.referrals {
        if let Some(promoter) = settled_for.get(&(&referral.campaign, &referral.id)) {
            referral.promoter = Some((*promoter).clone());
        }
    }
    load_missing_promoters(tx, connection, neighbourhood).await?;
    // One look for each earlier revision that settled anything here: campaigns change rarely.
    for (campaign, revision) in earlier {
        if let Some(stored) = revision_by_hash(tx, connection, &campaign, &revision).await? {
            neighbourhood
                .settled_by
                .push(parse(&stored.campaign_id, &stored.source)?);
        }
    }
    Ok(())
}

/// The promoters of settled referrals that somebody else has been given.
async fn load_missing_promoters(
    tx: &mut Tx,
    connection: &ConnectionId,
    neighbourhood: &mut Neighbourhood,
) -> Result<(), StoreError> {
    let promoters = neighbourhood.referrals.iter();
    let promoters = promoters.filter_map(|referral| referral.promoter.as_ref());
    let missing = promoters.filter(|id| neighbourhood.promoters.get(id).is_none());
    let missing: BTreeSet<PromoterId> = missing.cloned().collect();
    if missing.is_empty() {
        return Ok(());
    }
    let missing: Vec<PromoterId> = missing.into_iter().collect();
    let loaded = load_promoters(tx, connection, &missing).await?;
    let loaded = loaded.into_iter().map(|stored| stored.promoter);
    neighbourhood.promoters.add(loaded);
    Ok(())
}

const fn is_settled(qualification: &Qualification) -> bool {
    matches!(
        qualification.state,
        QualificationState::Settled | QualificationState::Reversed
    )
}
