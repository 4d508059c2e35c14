//! Judgements become rows: verdicts, cases, near misses and qualifications. Only what changed
//! is written.

use std::collections::BTreeSet;

use super::judging::{Judged, Judgements};
use super::prepare::Prepared;
use super::telling::{Written, tell};
use super::transition::{Action, transition, vanished};
use crate::domain::ids::{ConnectionId, CustomerId, NearMissId, ReferralId};
use crate::domain::time::Timestamp;
use crate::store::cases::{CaseState, StoredCase, cases_of_referrals, upsert_cases};
use crate::store::near_misses::{
    NearMiss as StoredNearMiss, delete_near_misses, insert_near_misses, near_misses_about,
};
use crate::store::qualifications::{
    Qualification, Transition, change_qualifications, insert_qualifications,
};
use crate::store::verdicts::{StoredVerdict, VerdictKey, delete_verdicts, upsert_verdicts};
use crate::store::{StoreError, Tx};

/// Writes what changed: verdicts, cases, near misses, qualifications.
pub(super) async fn apply(
    tx: &mut Tx,
    connection: &ConnectionId,
    prepared: Prepared,
    mut judgements: Judgements,
    now: Timestamp,
) -> Result<(), StoreError> {
    let gone = vanish(&prepared, &mut judgements);
    let changed: Vec<StoredVerdict> = judgements
        .judged
        .iter()
        .filter(|(key, _)| !gone.contains(*key))
        .filter(|(key, judged)| {
            let same = |s: &StoredVerdict| {
                s.verdict == judged.verdict && s.next_check_at == judged.next_check_at
            };
            !prepared.stored.get(*key).is_some_and(same)
        })
        .map(|(_, judged)| StoredVerdict {
            verdict: judged.verdict.clone(),
            evaluated_at: now,
            next_check_at: judged.next_check_at,
        })
        .collect();
    upsert_verdicts(tx, connection, &changed).await?;
    let gone: Vec<VerdictKey> = gone.into_iter().collect();
    delete_verdicts(tx, connection, &gone).await?;
    let opened = apply_cases(tx, connection, &judgements, now).await?;
    let near: Vec<StoredNearMiss> = judgements
        .near_misses
        .iter()
        .map(|(campaign, near)| super::near_miss_row(campaign, near, now))
        .collect();
    apply_near_misses(tx, connection, &prepared, &judgements, &near).await?;
    let mut written = apply_transitions(tx, connection, &prepared, &judgements, now).await?;
    written.opened = opened;
    tell(tx, connection, &written, now).await
}

/// Near misses as they are now: what no longer nearly matches is forgotten, so that they do not
/// depend on the order in which events came.
async fn apply_near_misses(
    tx: &mut Tx,
    connection: &ConnectionId,
    prepared: &Prepared,
    judgements: &Judgements,
    near: &[StoredNearMiss],
) -> Result<(), StoreError> {
    let referrals: Vec<ReferralId> = judgements.judged.keys().map(|(_, id)| id.clone()).collect();
    let customers = prepared.neighbourhood.coupon_targets.iter().cloned();
    let customers: Vec<CustomerId> = customers.collect();
    let there = near_misses_about(tx, connection, &referrals, &customers).await?;
    let now: BTreeSet<&NearMissId> = near.iter().map(|near| &near.near_miss_id).collect();
    let gone = there.into_iter().filter(|id| !now.contains(id));
    let gone: Vec<NearMissId> = gone.collect();
    delete_near_misses(tx, connection, &gone).await?;
    insert_near_misses(tx, connection, near).await?;
    Ok(())
}

/// Coupon referrals that were judged before and are no more: their verdicts go, and what was
/// queued or settled for them hears of it.
fn vanish(prepared: &Prepared, judgements: &mut Judgements) -> BTreeSet<VerdictKey> {
    let mut gone = BTreeSet::new();
    for (key, stored) in &prepared.stored {
        let is_coupon = key.1.as_str().starts_with("coupon:");
        if is_coupon && !judgements.judged.contains_key(key) {
            let verdict = vanished(&stored.verdict);
            let judged = Judged {
                verdict,
                case: None,
                next_check_at: None,
            };
            judgements.judged.insert(key.clone(), judged);
            gone.insert(key.clone());
        }
    }
    gone
}

/// Cases as they are now; those that were not open before.
async fn apply_cases(
    tx: &mut Tx,
    connection: &ConnectionId,
    judgements: &Judgements,
    now: Timestamp,
) -> Result<Vec<StoredCase>, StoreError> {
    let referrals: BTreeSet<ReferralId> =
        judgements.judged.keys().map(|(_, id)| id.clone()).collect();
    let referrals: Vec<ReferralId> = referrals.into_iter().collect();
    let (mut cases, mut opened) = (Vec::new(), Vec::new());
    let stored = cases_of_referrals(tx, connection, &referrals).await?;
    for case in &stored {
        let key = (case.campaign.clone(), case.referral.clone());
        let open = judgements.judged.get(&key).and_then(|j| j.case.as_ref());
        let still = open.is_some_and(|(_, id)| *id == case.id);
        if case.state == CaseState::Open && !still {
            cases.push(StoredCase {
                state: CaseState::Gone,
                changed_at: now,
                ..case.clone()
            });
        }
    }
    for ((campaign, referral), judged) in &judgements.judged {
        if let Some((kind, id)) = &judged.case {
            let before = stored.iter().find(|case| case.id == *id);
            let case = StoredCase {
                id: id.clone(),
                kind: *kind,
                campaign: campaign.clone(),
                referral: referral.clone(),
                state: CaseState::Open,
                opened_at: before.map_or(now, |before| before.opened_at),
                changed_at: now,
            };
            if before.is_none_or(|before| before.state != CaseState::Open) {
                opened.push(case.clone());
            }
            cases.push(case);
        }
    }
    upsert_cases(tx, connection, &cases).await?;
    Ok(opened)
}

async fn apply_transitions(
    tx: &mut Tx,
    connection: &ConnectionId,
    prepared: &Prepared,
    judgements: &Judgements,
    now: Timestamp,
) -> Result<Written, StoreError> {
    let (mut queue, mut change) = (Vec::new(), Vec::new());
    for (key, judged) in &judgements.judged {
        let list = prepared
            .qualifications
            .get(key)
            .map_or(&[][..], Vec::as_slice);
        let current = list.last();
        let mut from = |to: Box<Qualification>| {
            if let Some(current) = current {
                change.push(Transition {
                    from: (current.state, current.sequence),
                    to: *to,
                });
            }
        };
        match transition(current, list.len(), &judged.verdict, now) {
            Action::None => {}
            Action::Queue(new) => queue.push(*new),
            Action::Change(to) => from(to),
            Action::Replace(gone, new) => {
                from(gone);
                queue.push(*new);
            }
        }
    }
    // Withdrawals first: whoever gets the person next must find the place free.
    change_qualifications(tx, connection, &change).await?;
    insert_qualifications(tx, connection, &queue).await?;
    Ok(Written {
        queued: queue,
        changed: change,
        opened: Vec::new(),
    })
}
