//! The items of a plan, page by page: what settled money has to follow, then what is due by the
//! cut-off in the order (`qualified_at`, id), within the campaigns' limits. It stores nothing.
//!
//! What limits have been used for stays in memory from page to page, by promoter and campaign;
//! of the items only the page at hand does.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::CHUNK_ITEMS;
use crate::domain::campaign::Campaign;
use crate::domain::ids::{CampaignId, ConnectionId, PromoterId, QualificationId, ReferralId};
use crate::domain::ledger::Account;
use crate::domain::time::Timestamp;
use crate::domain::verdict::{Reward, Verdict};
use crate::evaluate::limits::Used;
use crate::queue::transition::adjustment;
use crate::queue::worker::campaigns;
use crate::store::batch_items::{BatchItem, ItemAction, ItemState};
use crate::store::ledger::balances;
use crate::store::qualifications::{
    Qualification, due_qualifications, qualifications_to_adjust, settled_counts,
};
use crate::store::verdicts::load_verdicts;
use crate::store::{Db, StoreError, Tx};

/// An item with the qualification it was made for.
pub type Planned = (BatchItem, Qualification);

/// Where the last page ended: (`changed_at` or `qualified_at`, id).
type Place = Option<(Timestamp, QualificationId)>;

/// The items that are still to come.
#[derive(Debug)]
pub struct Items {
    cut_off: Timestamp,
    campaigns: HashMap<CampaignId, Campaign>,
    used: Used,
    /// Whose settlements are counted in `used`, where a campaign limits them.
    met: HashSet<(CampaignId, PromoterId)>,
    next: Next,
    position: i64,
}

#[derive(Debug)]
enum Next {
    Adjustments(Place),
    Due(Place),
    Nothing,
}

impl Items {
    /// Everything that a batch at this cut-off would do.
    pub async fn at(
        db: &Db,
        connection: &ConnectionId,
        cut_off: Timestamp,
    ) -> Result<Self, StoreError> {
        let mut tx = db.read().await?;
        let campaigns = campaigns(&mut tx, connection).await?;
        let campaigns = campaigns.into_iter().map(|c| (c.id.clone(), c)).collect();
        let used = load_used(&mut tx, connection, &campaigns).await?;
        tx.rollback().await?;
        Ok(Self {
            cut_off,
            campaigns,
            used,
            met: HashSet::new(),
            next: Next::Adjustments(None),
            position: 0,
        })
    }

    /// How many items came so far.
    pub const fn count(&self) -> i64 {
        self.position
    }

    /// The next page, each read from one state of the database; `None` after the last.
    pub async fn page(
        &mut self,
        db: &Db,
        connection: &ConnectionId,
    ) -> Result<Option<Vec<Planned>>, StoreError> {
        let mut tx = db.read().await?;
        let page = self.read(&mut tx, connection).await;
        tx.rollback().await?;
        page
    }

    async fn read(
        &mut self,
        tx: &mut Tx,
        connection: &ConnectionId,
    ) -> Result<Option<Vec<Planned>>, StoreError> {
        loop {
            let page = match &self.next {
                Next::Adjustments(after) => {
                    let after = after.as_ref();
                    let page = qualifications_to_adjust(tx, connection, after, CHUNK_ITEMS).await?;
                    self.next = match page.last() {
                        Some(last) if page.len() == CHUNK_ITEMS as usize => {
                            Next::Adjustments(Some((last.changed_at, last.id.clone())))
                        }
                        _ => Next::Due(None),
                    };
                    self.adjustments(tx, connection, page).await?
                }
                Next::Due(after) => {
                    let (after, most) = (after.as_ref(), CHUNK_ITEMS);
                    let page =
                        due_qualifications(tx, connection, self.cut_off, after, most).await?;
                    self.next = match page.last() {
                        Some(last) if page.len() == CHUNK_ITEMS as usize => {
                            Next::Due(Some((last.qualified_at, last.id.clone())))
                        }
                        _ => Next::Nothing,
                    };
                    self.settlements(tx, connection, page).await?
                }
                Next::Nothing => return Ok(None),
            };
            if !page.is_empty() {
                return Ok(Some(page));
            }
        }
    }

    /// Reversals and reinstatements: settled money follows the verdict of the revision that
    /// settled it.
    async fn adjustments(
        &mut self,
        tx: &mut Tx,
        connection: &ConnectionId,
        flagged: Vec<Qualification>,
    ) -> Result<Vec<Planned>, StoreError> {
        let verdicts = verdicts_on(tx, connection, &flagged).await?;
        let mut page = Vec::with_capacity(flagged.len());
        for qualification in flagged {
            let verdict = verdicts.get(&key_of(&qualification));
            let (amounts, reason) = adjusted(&qualification, verdict);
            if amounts.is_empty() {
                continue;
            }
            let back = amounts.iter().any(|amount| amount.amount_minor < 0);
            let action = if back {
                ItemAction::Reverse
            } else {
                ItemAction::Reinstate
            };
            page.push(self.item(qualification, action, amounts, reason));
        }
        Ok(page)
    }

    async fn settlements(
        &mut self,
        tx: &mut Tx,
        connection: &ConnectionId,
        due: Vec<Qualification>,
    ) -> Result<Vec<Planned>, StoreError> {
        self.settled_before(tx, connection, &due).await?;
        let mut page = Vec::with_capacity(due.len());
        for qualification in due {
            let rewards = qualification.rewards.clone();
            let admitted = match self.campaigns.get(&qualification.campaign) {
                Some(campaign) => self.used.admit(campaign, &qualification.promoter, &rewards),
                None => Ok(()),
            };
            let (action, reason) = match admitted {
                Ok(()) => (ItemAction::Settle, "threshold_met".to_owned()),
                Err(reason) => (ItemAction::Skip, reason.code.code().to_owned()),
            };
            page.push(self.item(qualification, action, rewards, reason));
        }
        Ok(page)
    }

    fn item(
        &mut self,
        qualification: Qualification,
        action: ItemAction,
        amounts: Vec<Reward>,
        reason: String,
    ) -> Planned {
        let item = BatchItem {
            position: self.position,
            qualification: qualification.id.clone(),
            action,
            amounts,
            reason,
            state: ItemState::Pending,
            outcome: None,
        };
        self.position = self.position.saturating_add(1);
        (item, qualification)
    }

    /// Counts a promoter's settlements once, when it first appears in a campaign that limits
    /// them: one look for each such campaign that is on the page.
    async fn settled_before(
        &mut self,
        tx: &mut Tx,
        connection: &ConnectionId,
        due: &[Qualification],
    ) -> Result<(), StoreError> {
        let mut new: HashMap<&CampaignId, BTreeSet<&PromoterId>> = HashMap::new();
        for qualification in due {
            let campaign = self.campaigns.get(&qualification.campaign);
            let limited = campaign.is_some_and(|c| c.limits.per_promoter_settled.is_some());
            let key = || {
                (
                    qualification.campaign.clone(),
                    qualification.promoter.clone(),
                )
            };
            if limited && self.met.insert(key()) {
                let promoters = new.entry(&qualification.campaign).or_default();
                promoters.insert(&qualification.promoter);
            }
        }
        for (campaign, promoters) in new {
            let promoters: Vec<PromoterId> = promoters.into_iter().cloned().collect();
            for (promoter, count) in settled_counts(tx, connection, campaign, &promoters).await? {
                let count = u32::try_from(count).unwrap_or(u32::MAX);
                self.used.add_settled(campaign, &promoter, count);
            }
        }
        Ok(())
    }
}

fn key_of(qualification: &Qualification) -> (CampaignId, ReferralId) {
    (
        qualification.campaign.clone(),
        qualification.referral.clone(),
    )
}

/// The stored verdicts on some qualifications.
pub(super) async fn verdicts_on(
    tx: &mut Tx,
    connection: &ConnectionId,
    qualifications: &[Qualification],
) -> Result<HashMap<(CampaignId, ReferralId), Verdict>, StoreError> {
    let keys: Vec<_> = qualifications.iter().map(key_of).collect();
    let stored = load_verdicts(tx, connection, &keys).await?.into_iter();
    let keyed = stored.map(|stored| {
        let verdict = stored.verdict;
        let key = (verdict.campaign.clone(), verdict.referral.clone());
        (key, verdict)
    });
    Ok(keyed.collect())
}

/// What settled money has to change by to follow its verdict, and why. Without a verdict the
/// referral is no more: everything that was given goes back.
pub(super) fn adjusted(
    qualification: &Qualification,
    verdict: Option<&Verdict>,
) -> (Vec<Reward>, String) {
    match verdict {
        Some(verdict) => {
            let code = verdict.code().map_or("changed", |code| code.code());
            (adjustment(qualification, verdict), code.to_owned())
        }
        None => (
            taken_back(qualification),
            "claimed_by_other_referral".to_owned(),
        ),
    }
}

fn taken_back(qualification: &Qualification) -> Vec<Reward> {
    let given = qualification
        .given
        .iter()
        .filter(|reward| reward.amount_minor != 0);
    given
        .map(|reward| Reward {
            amount_minor: -reward.amount_minor,
            ..*reward
        })
        .collect()
}

/// What budgets have been used for, from the ledger, where a campaign has one. What this very
/// batch takes back is free from the next batch on: only booked money counts.
async fn load_used(
    tx: &mut Tx,
    connection: &ConnectionId,
    campaigns: &HashMap<CampaignId, Campaign>,
) -> Result<Used, StoreError> {
    let limited = campaigns.values().filter(|c| c.limits.budget.is_some());
    let budgets: Vec<Account> = limited.map(|c| Account::Budget(c.id.clone())).collect();
    let mut used = Used::default();
    for ((account, currency), minor) in balances(tx, connection, &budgets).await? {
        let Account::Budget(id) = account else {
            continue;
        };
        let budget = campaigns
            .get(&id)
            .and_then(|campaign| campaign.limits.budget);
        if budget.is_some_and(|budget| budget.currency == currency) {
            used.add_spent(&id, minor.saturating_neg());
        }
    }
    Ok(used)
}
