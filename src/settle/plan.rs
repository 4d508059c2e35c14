//! Makes a batch's plan: what is due by the cut-off, judged again on today's facts, within the
//! campaigns' limits, in the order (`qualified_at`, id); and what settled money has to follow.

use std::collections::{BTreeSet, HashMap};

use super::CHUNK_ITEMS;
use super::limits::Used;
use crate::domain::campaign::Campaign;
use crate::domain::ids::{BatchId, CampaignId, ConnectionId, PromoterId, ReferralId};
use crate::domain::ledger::Account;
use crate::domain::time::Timestamp;
use crate::domain::verdict::{Reward, Verdict};
use crate::queue::neighbourhood::Seeds;
use crate::queue::transition::adjustment;
use crate::queue::worker::{campaigns, rejudge};
use crate::store::batches::{
    Batch, BatchItem, BatchKind, BatchState, BatchTotals, ItemAction, ItemState, batch_by_key,
    insert_batch,
};
use crate::store::ledger::balances;
use crate::store::qualifications::{
    Qualification, due_qualifications, qualifications_to_adjust, settled_counts,
};
use crate::store::verdicts::load_verdicts;
use crate::store::{Db, StoreError, Tx};

/// Adjustments in one batch, at most; the rest waits for the next.
const ADJUSTMENTS_MAX: u32 = 10_000;

/// What batch to make.
#[derive(Debug, Clone)]
pub struct Request {
    /// On schedule, or by hand.
    pub kind: BatchKind,
    /// Unique name: the slot, or the run.
    pub key: String,
    /// The instant that the batch belongs to.
    pub slot_at: Timestamp,
    /// What may settle by then is due.
    pub cut_off: Timestamp,
}

/// Makes and stores a plan; `None` if the slot has one already, or if a run by hand finds
/// nothing to do.
pub async fn plan(
    db: &Db,
    connection: &ConnectionId,
    request: &Request,
    now: Timestamp,
) -> Result<Option<BatchId>, StoreError> {
    let mut tx = db.begin().await?;
    if batch_by_key(&mut tx, connection, &request.key)
        .await?
        .is_some()
    {
        tx.rollback().await?;
        return Ok(None);
    }
    let items = items(&mut tx, connection, request.cut_off, now).await?;
    let nothing = items.iter().all(|item| item.action == ItemAction::Skip);
    if request.kind == BatchKind::RunNow && nothing {
        tx.commit().await?; // what was judged again stays judged
        return Ok(None);
    }
    let id = BatchId::new(format!("batch_{}", request.key));
    let batch = Batch {
        id: id.clone(),
        key: request.key.clone(),
        kind: request.kind,
        slot_at: request.slot_at,
        cut_off: request.cut_off,
        state: BatchState::Planned,
        planned_at: now,
        done_at: None,
        plan_items: i64::try_from(items.len()).unwrap_or(i64::MAX),
        totals: BatchTotals::default(),
    };
    insert_batch(&mut tx, connection, &batch, &items).await?;
    tx.commit().await?;
    Ok(Some(id))
}

/// What a batch at this cut-off would do. Nothing is stored.
pub async fn preview(
    db: &Db,
    connection: &ConnectionId,
    cut_off: Timestamp,
    now: Timestamp,
) -> Result<Vec<BatchItem>, StoreError> {
    let mut tx = db.begin().await?;
    let items = items(&mut tx, connection, cut_off, now).await?;
    tx.rollback().await?;
    Ok(items)
}

async fn items(
    tx: &mut Tx,
    connection: &ConnectionId,
    cut_off: Timestamp,
    now: Timestamp,
) -> Result<Vec<BatchItem>, StoreError> {
    judge_due_again(tx, connection, cut_off, now).await?;
    let campaigns: HashMap<CampaignId, Campaign> = campaigns(tx, connection)
        .await?
        .into_iter()
        .map(|c| (c.id.clone(), c))
        .collect();
    let mut items = adjustments(tx, connection).await?;
    let mut used = load_used(tx, connection, &campaigns).await?;
    let mut after: Option<Qualification> = None;
    loop {
        let place = after.as_ref().map(|q| (q.settle_after, &q.id));
        let due = due_qualifications(tx, connection, cut_off, place, CHUNK_ITEMS).await?;
        let promoters: BTreeSet<&PromoterId> = due.iter().map(|q| &q.promoter).collect();
        settled_before(tx, connection, &promoters, &mut used).await?;
        for qualification in &due {
            items.push(settlement(
                &campaigns,
                &mut used,
                qualification,
                items.len(),
            ));
        }
        match due.last() {
            Some(last) if due.len() >= CHUNK_ITEMS as usize => after = Some(last.clone()),
            _ => break,
        }
    }
    Ok(items)
}

/// Judges everything due again, chunk by chunk, so that the plan rests on today's facts.
async fn judge_due_again(
    tx: &mut Tx,
    connection: &ConnectionId,
    cut_off: Timestamp,
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut after: Option<Qualification> = None;
    loop {
        let place = after.as_ref().map(|q| (q.settle_after, &q.id));
        let due = due_qualifications(tx, connection, cut_off, place, CHUNK_ITEMS).await?;
        let referrals = due
            .iter()
            .map(|q| q.referral.clone())
            .collect::<BTreeSet<ReferralId>>();
        if referrals.is_empty() {
            return Ok(());
        }
        rejudge(
            tx,
            connection,
            Seeds {
                referrals,
                ..Seeds::default()
            },
            now,
        )
        .await?;
        after = due.last().cloned();
    }
}

/// Reversals and reinstatements: settled money follows the verdict of the revision that
/// settled it.
async fn adjustments(tx: &mut Tx, connection: &ConnectionId) -> Result<Vec<BatchItem>, StoreError> {
    let flagged = qualifications_to_adjust(tx, connection, ADJUSTMENTS_MAX).await?;
    let keys: Vec<_> = flagged
        .iter()
        .map(|q| (q.campaign.clone(), q.referral.clone()))
        .collect();
    let verdicts: HashMap<(CampaignId, ReferralId), Verdict> = load_verdicts(tx, connection, &keys)
        .await?
        .into_iter()
        .map(|stored| {
            let verdict = stored.verdict;
            (
                (verdict.campaign.clone(), verdict.referral.clone()),
                verdict,
            )
        })
        .collect();
    let mut items = Vec::new();
    for qualification in &flagged {
        let key = (
            qualification.campaign.clone(),
            qualification.referral.clone(),
        );
        let verdict = verdicts.get(&key);
        let (amounts, reason) = match verdict {
            Some(verdict) => (
                adjustment(qualification, verdict),
                verdict
                    .code()
                    .map_or("changed", |code| code.code())
                    .to_owned(),
            ),
            // The referral is no more: everything that was given goes back.
            None => (
                taken_back(qualification),
                "claimed_by_other_referral".to_owned(),
            ),
        };
        if amounts.is_empty() {
            continue;
        }
        let back = amounts.iter().any(|amount| amount.amount_minor < 0);
        items.push(BatchItem {
            position: i64::try_from(items.len()).unwrap_or(i64::MAX),
            qualification: qualification.id.clone(),
            action: if back {
                ItemAction::Reverse
            } else {
                ItemAction::Reinstate
            },
            amounts,
            reason,
            state: ItemState::Pending,
            outcome: None,
        });
    }
    Ok(items)
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

fn settlement(
    campaigns: &HashMap<CampaignId, Campaign>,
    used: &mut Used,
    qualification: &Qualification,
    position: usize,
) -> BatchItem {
    let admitted = match campaigns.get(&qualification.campaign) {
        Some(campaign) => used.admit(campaign, &qualification.promoter, &qualification.rewards),
        None => Ok(()),
    };
    let (action, reason) = match admitted {
        Ok(()) => (ItemAction::Settle, "threshold_met".to_owned()),
        Err(reason) => (ItemAction::Skip, reason.code.code().to_owned()),
    };
    BatchItem {
        position: i64::try_from(position).unwrap_or(i64::MAX),
        qualification: qualification.id.clone(),
        action,
        amounts: qualification.rewards.clone(),
        reason,
        state: ItemState::Pending,
        outcome: None,
    }
}

/// What budgets have been used for, from the ledger. What this very batch takes back is free
/// from the next batch on: only booked money counts.
async fn load_used(
    tx: &mut Tx,
    connection: &ConnectionId,
    campaigns: &HashMap<CampaignId, Campaign>,
) -> Result<Used, StoreError> {
    let budgets: Vec<Account> = campaigns.keys().cloned().map(Account::Budget).collect();
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

/// Counts a promoter's settlements once, when it first appears in the plan.
async fn settled_before(
    tx: &mut Tx,
    connection: &ConnectionId,
    promoters: &BTreeSet<&PromoterId>,
    used: &mut Used,
) -> Result<(), StoreError> {
    let new: Vec<PromoterId> = promoters
        .iter()
        .filter(|id| used.meet(id))
        .map(|id| (*id).clone())
        .collect();
    for ((campaign, promoter), count) in settled_counts(tx, connection, &new).await? {
        used.add_settled(
            &campaign,
            &promoter,
            u32::try_from(count).unwrap_or(u32::MAX),
        );
    }
    Ok(())
}
