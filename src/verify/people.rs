//! What verdicts rest on beside facts, loaded whole: campaigns, people, decisions, and which
//! referrals were settled on other terms than today's. It compares nothing.

use std::collections::{BTreeSet, HashMap};

use super::PAGE;
use crate::domain::campaign::Campaign;
use crate::domain::decision::Decisions;
use crate::domain::ids::{CampaignId, ConnectionId, CustomerId, PromoterId, ReferralId};
use crate::domain::people::Referral;
use crate::domain::time::Timestamp;
use crate::matching::Promoters;
use crate::queue::worker::{Queue, campaigns, in_force_last};
use crate::store::decisions::decision_page;
use crate::store::dirty::{DirtyKind, list_dirty};
use crate::store::promoters::list_promoters;
use crate::store::qualifications::{
    Qualification, QualificationFilter, QualificationState, list_qualifications,
    qualifications_of_referrals,
};
use crate::store::referrals::referral_page;
use crate::store::verdicts::due_for_recheck;
use crate::store::{StoreError, Tx};

/// What is stored.
pub(super) struct People {
    pub(super) campaigns: Vec<Campaign>,
    pub(super) referrals: Vec<Referral>,
    pub(super) promoters: Promoters,
    pub(super) decisions: Decisions,
    /// The qualifications of what was settled by an earlier revision, or for another promoter
    /// than the referral's; whatever is in force comes last.
    pub(super) settled_otherwise: Queue,
}

/// Reads pages until one is not full.
macro_rules! pages {
    ($all:ident, $after:ident => $page:expr) => {{
        let mut $all = Vec::new();
        loop {
            let $after = $all.last();
            let page = $page.await?;
            let full = page.len() >= PAGE as usize;
            $all.extend(page);
            if !full {
                break $all;
            }
        }
    }};
}

pub(super) async fn load(tx: &mut Tx, connection: &ConnectionId) -> Result<People, StoreError> {
    let campaigns = campaigns(tx, connection).await?;
    let referrals: Vec<Referral> = pages!(all, last => {
        referral_page(tx, connection, last.map(|r: &Referral| &r.id), PAGE)
    });
    let promoters = pages!(all, last => {
        let after = last.map(|p: &crate::store::promoters::StoredPromoter| &p.promoter.id);
        list_promoters(tx, connection, after, PAGE)
    });
    let decided = pages!(all, last => {
        let after = last.map(|d: &crate::domain::decision::Decision| &d.id);
        decision_page(tx, connection, after, PAGE)
    });
    let mut decisions = Decisions::default();
    decisions.extend(decided);
    let settled_otherwise = settled_otherwise(tx, connection, &campaigns, &referrals).await?;
    Ok(People {
        campaigns,
        referrals,
        promoters: promoters.into_iter().map(|p| p.promoter).collect(),
        decisions,
        settled_otherwise,
    })
}

/// Qualifications by what they are of: of the referrals of a page that have one like this.
async fn settled_otherwise(
    tx: &mut Tx,
    connection: &ConnectionId,
    campaigns: &[Campaign],
    referrals: &[Referral],
) -> Result<Queue, StoreError> {
    let current = campaigns.iter().map(|c| (&c.id, &c.revision));
    let current: HashMap<_, _> = current.collect();
    let registered: HashMap<(&CampaignId, &ReferralId), Option<&PromoterId>> = referrals
        .iter()
        .map(|r| ((&r.campaign, &r.id), r.promoter.as_ref()))
        .collect();
    let is_otherwise = |one: &Qualification| {
        let in_ledger = matches!(
            one.state,
            QualificationState::Settled | QualificationState::Reversed
        );
        let same_terms = current.get(&one.campaign) == Some(&&one.revision);
        let promoter = registered.get(&(&one.campaign, &one.referral));
        let same_promoter = promoter.is_none_or(|promoter| *promoter == Some(&one.promoter));
        in_ledger && !(same_terms && same_promoter)
    };
    let mut found = Queue::new();
    let filter = QualificationFilter::default();
    let mut after = None;
    loop {
        let page = list_qualifications(tx, connection, &filter, after.as_ref(), PAGE).await?;
        let full = page.len() >= PAGE as usize;
        after = page.last().map(|last| last.id.clone());
        let otherwise = page.iter().filter(|one| is_otherwise(one));
        let ids: BTreeSet<ReferralId> = otherwise.map(|one| one.referral.clone()).collect();
        let ids: Vec<ReferralId> = ids.into_iter().collect();
        found.extend(by_key(
            qualifications_of_referrals(tx, connection, &ids).await?,
        ));
        if !full {
            return Ok(found);
        }
    }
}

/// Qualifications by what they are of; whatever is in force comes last. They come by age.
pub(super) fn by_key(qualifications: Vec<Qualification>) -> Queue {
    let mut queue = Queue::new();
    for one in qualifications {
        let key = (one.campaign.clone(), one.referral.clone());
        queue.entry(key).or_default().push(one);
    }
    for list in queue.values_mut() {
        in_force_last(list);
    }
    queue
}

/// What waits to be judged in this state of the database.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    referrals: BTreeSet<ReferralId>,
    customers: BTreeSet<CustomerId>,
}

impl Waiting {
    pub(super) fn len(&self) -> usize {
        self.referrals.len() + self.customers.len()
    }

    /// Whether a verdict may be another once the waiting is over.
    pub(super) fn touches<'c>(
        &self,
        referral: &ReferralId,
        mut customers: impl Iterator<Item = &'c CustomerId>,
    ) -> bool {
        self.referrals.contains(referral) || customers.any(|id| self.customers.contains(id))
    }
}

pub(super) async fn waiting(
    tx: &mut Tx,
    connection: &ConnectionId,
    now: Timestamp,
) -> Result<Waiting, StoreError> {
    let mut waiting = Waiting::default();
    for (kind, id) in list_dirty(tx, connection).await? {
        match kind {
            DirtyKind::Customer => waiting.customers.insert(id.into()),
            DirtyKind::Referral => waiting.referrals.insert(id.into()),
        };
    }
    // Verdicts that time has changed and nobody has judged again yet.
    let due = due_for_recheck(tx, connection, now, u32::MAX).await?;
    waiting.referrals.extend(due.into_iter().map(|(_, id)| id));
    Ok(waiting)
}
