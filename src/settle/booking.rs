//! What carrying out a page of items writes: transactions that sum to zero, states, messages.
//! Pure; `execute` writes it.

use std::collections::{BTreeSet, HashMap};

use super::items::adjusted;
use crate::domain::ids::{
    BatchId, CampaignId, OutboxId, PromoterId, QualificationId, ReferralId, RevisionId,
};
use crate::domain::time::Timestamp;
use crate::domain::told::SettlementTold;
use crate::domain::topic::Topic;
use crate::domain::verdict::{Reward, Verdict};
use crate::ledger::entries::entries;
use crate::store::StoreError;
use crate::store::batch_items::{BatchItem, ItemAction, ItemState};
use crate::store::json::to_json;
use crate::store::ledger::{Transaction, TransactionKind};
use crate::store::outbox::OutboxMessage;
use crate::store::qualifications::{Due, Qualification, QualificationState, Transition};

/// What a page of items writes.
#[derive(Debug, Default)]
pub struct Booking {
    /// Qualifications that are queued, and are given what they owe.
    pub settled: Vec<QualificationId>,
    /// What else changes.
    pub transitions: Vec<Transition>,
    /// What is booked.
    pub transactions: Vec<Transaction>,
    /// What others are to be told.
    pub messages: Vec<OutboxMessage>,
    /// Persons whose reward was taken back in full: whoever else has the better claim by now
    /// could not be queued while theirs was settled.
    pub free_again: BTreeSet<String>,
    /// Items that were overtaken by a change, with why; all others are done.
    pub superseded: Vec<(i64, ItemState, String)>,
}

/// What settled money has to follow, by what it was settled for.
pub type Verdicts = HashMap<(CampaignId, ReferralId), Verdict>;

impl Booking {
    /// Adds what one item writes whose qualification is queued.
    pub fn take_due(
        &mut self,
        batch: &BatchId,
        item: &BatchItem,
        due: &Due,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        match item.action {
            ItemAction::Skip => Ok(()),
            ItemAction::Settle if item.amounts == due.rewards => {
                self.settled.push(due.id.clone());
                let of = Subject {
                    id: &due.id,
                    campaign: &due.campaign,
                    promoter: &due.promoter,
                    referral: &due.referral,
                    revision: &due.revision,
                };
                self.book(batch, item, of, 1, now)
            }
            _ => {
                let why = overtaken_by(QualificationState::Queued);
                let overtaken = (item.position, ItemState::Superseded, why);
                self.superseded.push(overtaken);
                Ok(())
            }
        }
    }

    /// Adds what one item writes.
    pub fn take(
        &mut self,
        batch: &BatchId,
        item: &BatchItem,
        qualification: Option<&Qualification>,
        verdicts: &Verdicts,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let fits = match qualification {
            None => Err("the qualification is gone".to_owned()),
            Some(_) if item.action == ItemAction::Skip => return Ok(()),
            Some(qualification) => {
                applicable(item, qualification, verdicts).map(|()| qualification)
            }
        };
        match fits {
            Ok(qualification) => self.carry_out(batch, item, qualification, now),
            Err(why) => {
                let overtaken = (item.position, ItemState::Superseded, why);
                self.superseded.push(overtaken);
                Ok(())
            }
        }
    }

    fn carry_out(
        &mut self,
        batch: &BatchId,
        item: &BatchItem,
        qualification: &Qualification,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let given = sum(&qualification.given, &item.amounts);
        let empty = given.iter().all(|reward| reward.amount_minor == 0);
        let sequence = qualification.sequence.saturating_add(1);
        let reversed = item.action == ItemAction::Reverse && empty;
        if reversed {
            self.free_again.insert(qualification.person.clone());
        }
        let of = Subject {
            id: &qualification.id,
            campaign: &qualification.campaign,
            promoter: &qualification.promoter,
            referral: &qualification.referral,
            revision: &qualification.revision,
        };
        self.book(batch, item, of, sequence, now)?;
        if item.action == ItemAction::Settle && given == qualification.rewards {
            self.settled.push(qualification.id.clone());
            return Ok(());
        }
        let to = Qualification {
            state: if reversed {
                QualificationState::Reversed
            } else {
                QualificationState::Settled
            },
            reason: item.reason.clone(),
            given,
            adjust_due: false,
            sequence,
            changed_at: now,
            ..qualification.clone()
        };
        let from = (qualification.state, qualification.sequence);
        self.transitions.push(Transition { from, to });
        Ok(())
    }

    /// Adds the transaction of an item, and what others are to be told.
    fn book(
        &mut self,
        batch: &BatchId,
        item: &BatchItem,
        of: Subject<'_>,
        sequence: i64,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (kind, topic) = match item.action {
            ItemAction::Reverse => (TransactionKind::Reversal, Topic::QualificationReversed),
            ItemAction::Reinstate => (
                TransactionKind::Reinstatement,
                Topic::QualificationReinstated,
            ),
            ItemAction::Settle | ItemAction::Skip => {
                (TransactionKind::Accrual, Topic::QualificationSettled)
            }
        };
        self.transactions.push(Transaction {
            qualification: of.id.clone(),
            sequence,
            kind,
            cause: item.reason.clone(),
            campaign: of.campaign.clone(),
            promoter: of.promoter.clone(),
            referral: of.referral.clone(),
            batch: batch.clone(),
            item: item.position,
            revision: of.revision.clone(),
            booked_at: now,
            entries: entries(of.campaign, of.promoter, of.referral, &item.amounts),
        });
        self.messages.push(OutboxMessage {
            // In the order of the plan, so that messages lie in the order in which they come.
            outbox_id: OutboxId::new(format!("{batch}.{:09}", item.position)),
            topic: topic.name().to_owned(),
            subject_id: of.id.as_str().to_owned(),
            payload: to_json("outbox", &payload(batch, of, item))?,
            created_at: now.unix(),
            delivered_at: None,
            attempts: 0,
        });
        Ok(())
    }
}

/// What a transaction and its message tell of a qualification.
#[derive(Clone, Copy)]
struct Subject<'a> {
    id: &'a QualificationId,
    campaign: &'a CampaignId,
    promoter: &'a PromoterId,
    referral: &'a ReferralId,
    revision: &'a RevisionId,
}

fn overtaken_by(state: QualificationState) -> String {
    format!("it is {} by now; nothing was booked", state.name())
}

/// Whether the plan still fits what it was made for.
fn applicable(
    item: &BatchItem,
    qualification: &Qualification,
    verdicts: &Verdicts,
) -> Result<(), String> {
    use QualificationState::{Queued, Reversed, Settled};
    let follows = || {
        let key = (
            qualification.campaign.clone(),
            qualification.referral.clone(),
        );
        let (amounts, reason) = adjusted(qualification, verdicts.get(&key));
        (amounts, reason) == (item.amounts.clone(), item.reason.clone())
    };
    let fits = match item.action {
        ItemAction::Settle | ItemAction::Skip => {
            qualification.state == Queued && item.amounts == qualification.rewards
        }
        ItemAction::Reverse => {
            qualification.state == Settled && qualification.adjust_due && follows()
        }
        ItemAction::Reinstate => {
            let settled = matches!(qualification.state, Settled | Reversed);
            settled && qualification.adjust_due && follows()
        }
    };
    if fits {
        return Ok(());
    }
    Err(overtaken_by(qualification.state))
}

/// Amounts by whom and currency, added up; zeros stay, so that what was given shows in full.
fn sum(given: &[Reward], changes: &[Reward]) -> Vec<Reward> {
    let mut total = given.to_vec();
    for change in changes {
        let same = |r: &&mut Reward| r.to == change.to && r.currency == change.currency;
        match total.iter_mut().find(same) {
            Some(reward) => {
                reward.amount_minor = reward.amount_minor.saturating_add(change.amount_minor);
            }
            None => total.push(*change),
        }
    }
    total
}

fn payload<'a>(batch: &'a BatchId, of: Subject<'a>, item: &'a BatchItem) -> SettlementTold<'a> {
    SettlementTold {
        qualification: of.id,
        campaign: of.campaign.as_str(),
        referral: of.referral.as_str(),
        promoter: of.promoter.as_str(),
        amounts: &item.amounts,
        reason: &item.reason,
        batch,
    }
}
