//! Makes a batch's plan: what is due by the cut-off, judged again on today's facts, within the
//! campaigns' limits, in the order (`qualified_at`, id); and what settled money has to follow.

use std::collections::{BTreeSet, HashMap};

use super::CHUNK_ITEMS;
use crate::domain::campaign::Campaign;
use crate::domain::ids::{BatchId, CampaignId, ConnectionId, PromoterId, ReferralId};
use crate::domain::ledger::Account;
use crate::domain::time::Timestamp;
use crate::domain::verdict::{Reward, Verdict};
use crate::evaluate::limits::Used;
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
    let mut due = all_due(tx, connection, cut_off).await?;
    // Limits go to whoever qualified first, however long each campaign holds.
    due.sort_by(|a, b| (a.qualified_at, &a.id).cmp(&(b.qualified_at, &b.id)));
    let campaigns: HashMap<CampaignId, Campaign> = campaigns(tx, connection)
        .await?
        .into_iter()
        .map(|c| (c.id.clone(), c))
        .collect();
    let mut items = adjustments(tx, connection).await?;
    let mut used = load_used(tx, connection, &campaigns).await?;
    for chunk in due.chunks(CHUNK_ITEMS as usize) {
        let promoters: BTreeSet<&PromoterId> = chunk.iter().map(|q| &q.promoter).collect();
        settled_before(tx, connection, &promoters, &mut used).await?;
        for qualification in chunk {
            items.push(settlement(
                &campaigns,
                &mut used,
                qualification,
                items.len(),
            ));
        }
    }
    Ok(items)
}

/// Everything due, page by page.
async fn all_due(
    tx: &mut Tx,
    connection: &ConnectionId,
    cut_off: Timestamp,
) -> Result<Vec<Qualification>, StoreError> {
    let mut all: Vec<Qualification> = Vec::new();
    loop {
        let place = all.last().map(|q| (q.settle_after, &q.id));
        let page = due_qualifications(tx, connection, cut_off, place, CHUNK_ITEMS).await?;
        let is_last = page.len() < CHUNK_ITEMS as usize;
        all.extend(page);
        if is_last {
            return Ok(all);
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{QualificationId, RevisionId};
    use crate::domain::people::Promoter;
    use crate::store::ConnectOptions;
    use crate::store::batches::batch_items;
    use crate::store::promoters::upsert_promoters;
    use crate::store::qualifications::{QualificationState, insert_qualifications};

    fn at(day: u32) -> Timestamp {
        Timestamp::from_unix(0).unwrap().plus_days(day)
    }

    fn promoter() -> Promoter {
        Promoter {
            id: "prom_ana".into(),
            name: "Ana".to_owned(),
            email: None,
            code: None,
            coupons: Vec::new(),
            stripe_customer_id: None,
            suspended: false,
        }
    }

    fn queued(id: &str, qualified: u32, settle_after: u32) -> Qualification {
        Qualification {
            id: QualificationId::from(id),
            campaign: "spring".into(),
            referral: id.into(),
            person: id.to_owned(),
            promoter: "prom_ana".into(),
            revision: RevisionId::from("sha256:1"),
            state: QualificationState::Queued,
            reason: "threshold_met".to_owned(),
            qualified_at: at(qualified),
            settle_after: at(settle_after),
            rewards: Vec::new(),
            given: Vec::new(),
            adjust_due: false,
            sequence: 0,
            created_at: at(qualified),
            changed_at: at(qualified),
        }
    }

    /// A campaign with a hold settles later than it qualifies: planning comes to an end all
    /// the same, and whoever qualified first is first.
    #[tokio::test]
    async fn what_was_on_hold_is_planned_once_in_the_order_of_qualifying() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/q.db", folder.path().display());
        let db = Db::connect(&url, &ConnectOptions::default()).await.unwrap();
        db.migrate().await.unwrap();
        let live = ConnectionId::from("live");
        let mut tx = db.begin().await.unwrap();
        upsert_promoters(&mut tx, &live, &[promoter()], at(0))
            .await
            .unwrap();
        let waiting = [
            queued("qual_a", 3, 4),
            queued("qual_b", 1, 15),
            queued("qual_c", 2, 16),
            queued("qual_d", 8, 22),
        ];
        insert_qualifications(&mut tx, &live, &waiting)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let request = Request {
            kind: BatchKind::Scheduled,
            key: "slot.1".to_owned(),
            slot_at: at(20),
            cut_off: at(20),
        };
        let planned = plan(&db, &live, &request, at(20));
        let planned = tokio::time::timeout(std::time::Duration::from_secs(30), planned)
            .await
            .expect("planning comes to an end");
        let batch = planned.unwrap().unwrap();
        let mut tx = db.read().await.unwrap();
        let items = batch_items(&mut tx, &live, &batch, None, None, 10)
            .await
            .unwrap();
        let order: Vec<&str> = items.iter().map(|i| i.qualification.as_str()).collect();
        assert_eq!(order, ["qual_b", "qual_c", "qual_a"]);
        tx.rollback().await.unwrap();
        db.close().await;
    }
}
