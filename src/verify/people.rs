//! Everything else that verdicts rest on, loaded whole: campaigns, people, decisions, and what
//! is stored about them. It compares nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::PAGE;
use crate::domain::campaign::Campaign;
use crate::domain::decision::Decisions;
use crate::domain::ids::{ConnectionId, CustomerId, ReferralId};
use crate::domain::people::Referral;
use crate::domain::time::Timestamp;
use crate::matching::Promoters;
use crate::queue::worker::{Queue, campaigns, in_force_last};
use crate::store::decisions::decision_page;
use crate::store::dirty::{DirtyKind, list_dirty};
use crate::store::promoters::list_promoters;
use crate::store::qualifications::{Qualification, QualificationFilter, list_qualifications};
use crate::store::referrals::referral_page;
use crate::store::verdicts::{
    StoredVerdict, VerdictFilter, VerdictKey, due_for_recheck, list_verdicts,
};
use crate::store::{StoreError, Tx};

/// What is stored.
pub(super) struct People {
    pub(super) campaigns: Vec<Campaign>,
    pub(super) referrals: Vec<Referral>,
    pub(super) promoters: Promoters,
    pub(super) decisions: Decisions,
    pub(super) verdicts: BTreeMap<VerdictKey, StoredVerdict>,
    /// By verdict; whatever is in force comes last.
    pub(super) qualifications: Queue,
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
    let filter = VerdictFilter::default();
    let mut verdicts: Vec<StoredVerdict> = Vec::new();
    loop {
        let after = verdicts.last().map(key_of);
        let page = list_verdicts(tx, connection, &filter, after.as_ref(), PAGE).await?;
        let full = page.len() >= PAGE as usize;
        verdicts.extend(page);
        if !full {
            break;
        }
    }
    let filter = QualificationFilter::default();
    let mut queued: Vec<Qualification> = pages!(all, last => {
        list_qualifications(tx, connection, &filter, last.map(|q: &Qualification| &q.id), PAGE)
    });
    queued.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
    let mut qualifications = Queue::new();
    for one in queued {
        let key = (one.campaign.clone(), one.referral.clone());
        qualifications.entry(key).or_default().push(one);
    }
    for list in qualifications.values_mut() {
        in_force_last(list);
    }
    Ok(People {
        campaigns,
        referrals,
        promoters: promoters.into_iter().map(|p| p.promoter).collect(),
        decisions,
        verdicts: verdicts.into_iter().map(|v| (key_of(&v), v)).collect(),
        qualifications,
    })
}

fn key_of(stored: &StoredVerdict) -> VerdictKey {
    let verdict = &stored.verdict;
    (verdict.campaign.clone(), verdict.referral.clone())
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
