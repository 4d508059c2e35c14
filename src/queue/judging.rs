//! Judges a closed part of the world, campaign by campaign, revision by revision. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::domain::campaign::Campaign;
use crate::domain::decision::{CaseKind, Decisions};
use crate::domain::ids::{CampaignId, CaseId, CustomerId, ReferralId, RevisionId};
use crate::domain::payment::Customer;
use crate::domain::people::Referral;
use crate::domain::time::Timestamp;
use crate::domain::verdict::Verdict;
use crate::evaluate::{evaluate, next_change, open_case};
use crate::matching::{self, Claim, NearMiss, Promoters, World, near_misses};

/// A closed part of the world: with each target come all customers its keys match, and with
/// those all referrals that claim them.
#[derive(Debug, Default)]
pub struct Neighbourhood {
    /// The campaigns' current revisions.
    pub campaigns: Vec<Campaign>,
    /// Earlier revisions that settled one of the targets: those go on judging it, so that an
    /// edited campaign never takes back what was settled before.
    pub settled_by: Vec<Campaign>,
    /// Which targets were settled, and by which revision.
    pub settled: HashMap<(CampaignId, ReferralId), RevisionId>,
    /// Registered referrals.
    pub referrals: Vec<Referral>,
    /// Customers with their payments.
    pub customers: Vec<Customer>,
    /// Promoters.
    pub promoters: Promoters,
    /// Decisions in force.
    pub decisions: Decisions,
    /// Registered referrals to judge.
    pub targets: BTreeSet<ReferralId>,
    /// Customers whose coupon referrals are to be judged.
    pub coupon_targets: BTreeSet<CustomerId>,
}

/// One judged referral.
#[derive(Debug, Clone)]
pub struct Judged {
    /// What the rules say.
    pub verdict: Verdict,
    /// The case it waits for.
    pub case: Option<(CaseKind, CaseId)>,
    /// When it changes by itself.
    pub next_check_at: Option<Timestamp>,
}

/// What came of a neighbourhood.
#[derive(Debug, Default)]
pub struct Judgements {
    /// One for each target, by campaign and referral.
    pub judged: BTreeMap<(CampaignId, ReferralId), Judged>,
    /// What almost matched.
    pub near_misses: Vec<(CampaignId, NearMiss)>,
}

/// Judges every target.
pub fn judge(neighbourhood: &Neighbourhood, as_of: Timestamp) -> Judgements {
    let mut out = Judgements::default();
    for campaign in &neighbourhood.campaigns {
        let current = |key: &(CampaignId, ReferralId)| {
            neighbourhood
                .settled
                .get(key)
                .is_none_or(|revision| *revision == campaign.revision)
        };
        judge_by(neighbourhood, campaign, as_of, &current, &mut out);
    }
    for campaign in &neighbourhood.settled_by {
        let this = |key: &(CampaignId, ReferralId)| {
            neighbourhood
                .settled
                .get(key)
                .is_some_and(|revision| *revision == campaign.revision)
        };
        judge_by(neighbourhood, campaign, as_of, &this, &mut out);
    }
    out
}

fn judge_by(
    neighbourhood: &Neighbourhood,
    campaign: &Campaign,
    as_of: Timestamp,
    wanted: &dyn Fn(&(CampaignId, ReferralId)) -> bool,
    out: &mut Judgements,
) {
    let mine = neighbourhood
        .referrals
        .iter()
        .filter(|r| r.campaign == campaign.id)
        .cloned();
    let referrals: Vec<Referral> = mine.collect();
    let world = World {
        referrals: &referrals,
        customers: &neighbourhood.customers,
        promoters: &neighbourhood.promoters,
        decisions: &neighbourhood.decisions,
    };
    let claims: Vec<Claim<'_>> = matching::resolve(campaign, &world);
    let is_target = |id: &ReferralId| is_target(neighbourhood, campaign, id);
    for claim in claims.iter().filter(|claim| is_target(&claim.referral.id)) {
        let key = (campaign.id.clone(), claim.referral.id.clone());
        if !wanted(&key) {
            continue;
        }
        let verdict = evaluate(campaign, claim, as_of);
        let next_check_at = next_change(&verdict, as_of);
        out.judged.insert(
            key,
            Judged {
                verdict,
                case: open_case(claim),
                next_check_at,
            },
        );
    }
    // Of the others not every customer is here; they tell who owns what, and no more.
    let near = near_misses(campaign, &world, &claims).into_iter();
    let near = near.filter(|near| near.referral.as_ref().is_none_or(is_target));
    out.near_misses
        .extend(near.map(|near| (campaign.id.clone(), near)));
}

fn is_target(neighbourhood: &Neighbourhood, campaign: &Campaign, id: &ReferralId) -> bool {
    match id.coupon_customer(&campaign.id) {
        Some(customer) => neighbourhood.coupon_targets.contains(&customer),
        None => neighbourhood.targets.contains(id),
    }
}
