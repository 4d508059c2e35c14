//! The rule is not met: what is missing, and can it still come?
//!
//! What hangs on a dispute, a refund on its way or a late invoice keeps a verdict pending,
//! even after the window closed. What was taken back is named before what is missing.
//! Reason codes: `awaiting_invoice`, `dispute_open`, `refund_hold`, `refunded_below_threshold`,
//! `dispute_lost`, `no_customer_yet`, `no_payment_yet`, `below_threshold`, `too_few_payments`,
//! `window_closed`.

use super::evidence::Evidence;
use super::spend::{Tallies, Tally};
use super::words;
use crate::domain::campaign::Campaign;
use crate::domain::reason::ReasonCode;
use crate::domain::time::{Timestamp, Window};
use crate::domain::verdict::{Missing, VerdictState};
use crate::matching::Claim;

pub(super) struct Shortfall {
    pub(super) state: VerdictState,
    pub(super) code: ReasonCode,
    pub(super) missing: Option<Missing>,
}

/// The first reason told is the one that decides.
struct Told<'e, E> {
    evidence: &'e mut E,
    first: Option<ReasonCode>,
}

impl<E: Evidence> Told<'_, E> {
    fn tell(&mut self, code: ReasonCode, detail: impl FnOnce() -> String) {
        self.first.get_or_insert(code);
        self.evidence.reason(code, detail);
    }
}

pub(super) fn of<E: Evidence>(
    campaign: &Campaign,
    claim: &Claim<'_>,
    window: &Window,
    tallies: &Tallies,
    as_of: Timestamp,
    evidence: &mut E,
) -> Shortfall {
    let mut told = Told {
        evidence,
        first: None,
    };
    let waiting = hangs_on_others(campaign, tallies, &mut told);
    let closed = window.closed_at(as_of);
    if !waiting {
        was_taken_back(campaign, tallies, &mut told);
        if closed {
            told.tell(ReasonCode::WindowClosed, || {
                words::closed(campaign, claim, tallies, window)
            });
        } else {
            is_missing(campaign, claim, window, tallies, &mut told);
        }
    }
    let pending = waiting || !closed;
    let needed = campaign.qualify.payments.max(1);
    Shortfall {
        state: if pending {
            VerdictState::Pending
        } else {
            VerdictState::Rejected
        },
        code: told.first.unwrap_or(ReasonCode::NoPaymentYet),
        missing: pending.then(|| Missing {
            payments: needed.saturating_sub(tallies.payments),
            until: window.closes_at.filter(|_| !closed),
        }),
    }
}

/// What a bank or a late invoice has yet to decide, if that would suffice.
fn hangs_on_others<E: Evidence>(
    campaign: &Campaign,
    tallies: &Tallies,
    told: &mut Told<'_, E>,
) -> bool {
    let rules = &campaign.qualify;
    let with_undecided = |t: &Tally| t.counted.saturating_add(t.undecided).min(t.made);
    if tallies.reaches(rules, tallies.payments_possible, with_undecided) {
        if tallies.seen.dispute_held {
            told.tell(ReasonCode::DisputeOpen, || {
                "a payment is disputed; if the dispute is won, it counts again".to_owned()
            });
        }
        if tallies.seen.refund_pending {
            told.tell(ReasonCode::RefundHold, || {
                "a refund is on its way; if it fails, the payment counts again".to_owned()
            });
        }
        return tallies.seen.dispute_held || tallies.seen.refund_pending;
    }
    let possible = tallies.payments_possible;
    let payments = possible.saturating_add(tallies.payments_awaiting);
    let with_awaiting = |t: &Tally| with_undecided(t).saturating_add(t.awaiting);
    if tallies.payments_awaiting > 0 && tallies.reaches(rules, payments, with_awaiting) {
        told.tell(ReasonCode::AwaitingInvoice, || words::awaiting(tallies));
        return true;
    }
    false
}

/// What refunds and disputes took, if it would have sufficed before.
fn was_taken_back<E: Evidence>(campaign: &Campaign, tallies: &Tallies, told: &mut Told<'_, E>) {
    if !tallies.reaches(&campaign.qualify, tallies.payments_made, |t| t.made) {
        return;
    }
    if tallies.seen.refunded || tallies.seen.refund_pending {
        told.tell(ReasonCode::RefundedBelowThreshold, || {
            format!(
                "it sufficed before refunds; now {}",
                words::so_far(campaign, tallies)
            )
        });
    }
    if tallies.seen.dispute_lost {
        told.tell(ReasonCode::DisputeLost, || {
            format!(
                "it sufficed before a dispute took it back; now {}",
                words::so_far(campaign, tallies)
            )
        });
    }
}

/// What is missing, and until when it may come.
fn is_missing<E: Evidence>(
    campaign: &Campaign,
    claim: &Claim<'_>,
    window: &Window,
    tallies: &Tallies,
    told: &mut Told<'_, E>,
) {
    let rules = &campaign.qualify;
    if claim.customers.is_empty() {
        let looked_for = || words::no_customer(&claim.referral, campaign, window);
        return told.tell(ReasonCode::NoCustomerYet, looked_for);
    }
    if tallies.payments == 0 && told.first.is_none() {
        return told.tell(ReasonCode::NoPaymentYet, || {
            words::no_payment(campaign, window)
        });
    }
    if !rules.spend.is_empty() && !tallies.spends(rules, |t| t.counted) {
        told.tell(ReasonCode::BelowThreshold, || {
            words::below(campaign, tallies, window)
        });
    }
    if tallies.payments < rules.payments {
        told.tell(ReasonCode::TooFewPayments, || {
            words::too_few(campaign, tallies, window)
        });
    }
}
