//! What was given back of a payment or is in doubt: refunds and disputes.

use super::record::Members;
use crate::domain::fact::{DisputeState, DisputeStatus, RefundState, RefundStatus};

impl Members<'_> {
    /// Per charge the larger of its own cumulative figure and its refunds by id; refunds that
    /// name no known charge are added. A refund that failed gives the money back in both.
    pub(super) fn refunds_of(&self, paid: i64) -> Refunds {
        let sum = |of: &dyn Fn(&RefundState) -> bool| {
            let chosen = self.refunds.iter().filter(|refund| of(refund));
            chosen.fold(0_i64, |sum, refund| sum.saturating_add(refund.amount))
        };
        let gone =
            |r: &RefundState| matches!(r.status, RefundStatus::Pending | RefundStatus::Succeeded);
        let failed =
            |r: &RefundState| matches!(r.status, RefundStatus::Failed | RefundStatus::Canceled);
        let pending = sum(&|r| r.status == RefundStatus::Pending);
        let all = match self.charges.as_slice() {
            [] => sum(&gone),
            [(_, charge)] => sum(&gone).max(charge.amount_refunded.saturating_sub(sum(&failed))),
            charges => {
                let known = |r: &RefundState| {
                    let names = |id: &str| r.charge.as_deref() == Some(id);
                    charges.iter().any(|(id, _)| names(id))
                };
                let of_charges = charges.iter().map(|(id, charge)| {
                    let mine = |r: &RefundState| r.charge.as_deref() == Some(*id);
                    let by_id = sum(&|r| mine(r) && gone(r));
                    let lapsed = sum(&|r| mine(r) && failed(r));
                    by_id.max(charge.amount_refunded.saturating_sub(lapsed))
                });
                of_charges.fold(sum(&|r| !known(r) && gone(r)), i64::saturating_add)
            }
        };
        let all = all.clamp(0, paid);
        Refunds {
            all,
            pending: pending.clamp(0, all),
        }
    }

    /// What disputes took and what they hold, of what refunds have left.
    pub(super) fn disputed(&self, left: i64) -> (i64, i64) {
        let (mut lost, mut held) = (0_i64, 0_i64);
        for dispute in &self.disputes {
            // Without an amount the whole payment is at stake.
            let amount = if dispute.amount > 0 {
                dispute.amount
            } else {
                left
            };
            match stake(dispute) {
                Stake::Lost => lost = lost.saturating_add(amount),
                Stake::Held => held = held.saturating_add(amount),
                Stake::None => {}
            }
        }
        let lost = lost.clamp(0, left.max(0));
        (lost, held.clamp(0, left.max(0) - lost))
    }
}

/// What refunds gave back.
pub(super) struct Refunds {
    /// In all.
    pub(super) all: i64,
    /// Of that what is still on its way.
    pub(super) pending: i64,
}

enum Stake {
    None,
    Held,
    Lost,
}

/// Won or reinstated gives back; lost or withdrawn takes; open holds; an inquiry does nothing.
fn stake(dispute: &DisputeState) -> Stake {
    let reinstated = dispute.reinstated.is_some() && dispute.reinstated >= dispute.withdrawn;
    match dispute.status {
        DisputeStatus::Won | DisputeStatus::Prevented => Stake::None,
        _ if reinstated => Stake::None,
        DisputeStatus::Lost => Stake::Lost,
        _ if dispute.withdrawn.is_some() => Stake::Lost,
        DisputeStatus::Open => Stake::Held,
        DisputeStatus::Inquiry | DisputeStatus::Unknown => Stake::None,
    }
}
