//! Claims what has to be judged again, loads its neighbourhood, judges, applies: one
//! transaction a batch.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::judging::{Judged, Judgements, Neighbourhood, judge};
use super::neighbourhood::{Seeds, load};
use super::transition::{Action, transition, vanished};
use crate::clock::Clock;
use crate::domain::campaign::Campaign;
use crate::domain::ids::{CampaignId, ConnectionId, CustomerId, ReferralId, RevisionId};
use crate::domain::time::Timestamp;
use crate::rules;
use crate::store::campaigns::{current_campaigns, revision_by_hash};
use crate::store::cases::{CaseState, StoredCase, cases_of_referrals, upsert_cases};
use crate::store::dirty::{DirtyKind, claim_dirty, clear_dirty, mark_dirty};
use crate::store::leases::{Stage, enter};
use crate::store::near_misses::{
    NearMiss as StoredNearMiss, delete_near_misses, insert_near_misses, near_misses_about,
};
use crate::store::qualifications::{
    Qualification, QualificationState, Transition, change_qualifications, insert_qualifications,
    qualifications_of_referrals,
};
use crate::store::verdicts::{
    StoredVerdict, VerdictKey, delete_verdicts, due_for_recheck, load_verdicts, upsert_verdicts,
    verdicts_of_customers,
};
use crate::store::{Db, StoreError, Tx};

/// Things judged in one transaction, at most.
pub const BATCH_JUDGED_MAX: u32 = 256;

/// Judges one batch of what waits; how much there was.
pub async fn judge_batch(
    db: &Db,
    connection: &ConnectionId,
    clock: &dyn Clock,
) -> Result<usize, StoreError> {
    let mut tx = db.begin().await?;
    enter(&mut tx, connection, Stage::Judge).await?;
    let waiting = claim_dirty(&mut tx, connection, BATCH_JUDGED_MAX).await?;
    if waiting.is_empty() {
        tx.rollback().await?;
        return Ok(0);
    }
    let mut seeds = Seeds::default();
    for dirty in &waiting {
        match dirty.kind {
            DirtyKind::Customer => seeds.customers.insert(CustomerId::from(dirty.id.as_str())),
            DirtyKind::Referral => seeds.referrals.insert(ReferralId::from(dirty.id.as_str())),
        };
    }
    rejudge(&mut tx, connection, seeds, clock.now()).await?;
    clear_dirty(&mut tx, connection, &waiting).await?;
    tx.commit().await?;
    Ok(waiting.len())
}

/// Puts verdicts that time alone has changed on the work list; how many.
pub async fn mark_due(
    db: &Db,
    connection: &ConnectionId,
    clock: &dyn Clock,
) -> Result<usize, StoreError> {
    let mut tx = db.begin().await?;
    let due = due_for_recheck(&mut tx, connection, clock.now(), BATCH_JUDGED_MAX).await?;
    if due.is_empty() {
        tx.rollback().await?;
        return Ok(0);
    }
    let ids: BTreeSet<String> = due.iter().map(|(_, id)| id.as_str().to_owned()).collect();
    mark_dirty(
        &mut tx,
        connection,
        DirtyKind::Referral,
        &ids,
        clock.now_us(),
    )
    .await?;
    tx.commit().await?;
    Ok(due.len())
}

/// The campaigns of a connection, in their current revisions.
pub async fn campaigns(
    tx: &mut Tx,
    connection: &ConnectionId,
) -> Result<Vec<Campaign>, StoreError> {
    let stored = current_campaigns(tx, connection).await?;
    stored
        .iter()
        .map(|revision| parse(&revision.campaign_id, &revision.source))
        .collect()
}

/// A stored revision was checked when it was saved; one that no longer parses is a defect.
fn parse(campaign: &str, source: &str) -> Result<Campaign, StoreError> {
    rules::parse(campaign, source).map_err(|problems| {
        let first = problems
            .first()
            .map(ToString::to_string)
            .unwrap_or_default();
        StoreError::Refused(format!(
            "the stored revision of {campaign} cannot be read: {first}"
        ))
    })
}

/// Judges everything around the seeds on today's facts, and applies what changed.
pub async fn rejudge(
    tx: &mut Tx,
    connection: &ConnectionId,
    seeds: Seeds,
    now: Timestamp,
) -> Result<(), StoreError> {
    enter(tx, connection, Stage::Judge).await?;
    let prepared = prepare(tx, connection, seeds).await?;
    let judgements = judge(&prepared.neighbourhood, now);
    apply(tx, connection, prepared, judgements, now).await
}

/// A neighbourhood with what is stored about its targets.
pub struct Prepared {
    /// The closed part of the world.
    pub neighbourhood: Neighbourhood,
    qualifications: HashMap<(CampaignId, ReferralId), Vec<Qualification>>,
    stored: BTreeMap<VerdictKey, StoredVerdict>,
}

/// Loads everything that judging the seeds takes; for previews as well, which apply nothing.
pub async fn prepare(
    tx: &mut Tx,
    connection: &ConnectionId,
    seeds: Seeds,
) -> Result<Prepared, StoreError> {
    let campaigns = campaigns(tx, connection).await?;
    let mut neighbourhood = load(tx, connection, campaigns, seeds).await?;
    let keys = target_keys(tx, connection, &neighbourhood).await?;
    let referrals: BTreeSet<ReferralId> = keys.iter().map(|(_, id)| id.clone()).collect();
    let referrals: Vec<ReferralId> = referrals.into_iter().collect();
    let mut qualifications: HashMap<_, Vec<Qualification>> = HashMap::new();
    for qualification in qualifications_of_referrals(tx, connection, &referrals).await? {
        let key = (
            qualification.campaign.clone(),
            qualification.referral.clone(),
        );
        qualifications.entry(key).or_default().push(qualification);
    }
    for list in qualifications.values_mut() {
        in_force_last(list);
    }
    load_settled(tx, connection, &mut neighbourhood, &qualifications).await?;
    let stored = load_verdicts(tx, connection, &keys).await?;
    let stored = stored
        .into_iter()
        .map(|v| ((v.verdict.campaign.clone(), v.verdict.referral.clone()), v))
        .collect();
    Ok(Prepared {
        neighbourhood,
        qualifications,
        stored,
    })
}

/// Sorts a referral's qualifications, which come by age, so that whatever is in force is the
/// last; a reversed one is only ever reinstated.
pub fn in_force_last(list: &mut [Qualification]) {
    list.sort_by_key(|q| match q.state {
        QualificationState::Withdrawn => 0,
        QualificationState::Reversed => 1,
        QualificationState::Settled | QualificationState::Queued => 2,
    });
}

/// Verdicts that exist or may come to exist for the targets.
async fn target_keys(
    tx: &mut Tx,
    connection: &ConnectionId,
    neighbourhood: &Neighbourhood,
) -> Result<Vec<VerdictKey>, StoreError> {
    let targets = &neighbourhood.targets;
    let referrals = neighbourhood
        .referrals
        .iter()
        .filter(|r| targets.contains(&r.id));
    let mut keys: BTreeSet<VerdictKey> = referrals
        .map(|r| (r.campaign.clone(), r.id.clone()))
        .collect();
    let customers: Vec<CustomerId> = neighbourhood.coupon_targets.iter().cloned().collect();
    keys.extend(verdicts_of_customers(tx, connection, &customers).await?);
    for campaign in &neighbourhood.campaigns {
        let of_coupon = |customer| ReferralId::from_coupon(&campaign.id, customer);
        keys.extend(
            customers
                .iter()
                .map(|c| (campaign.id.clone(), of_coupon(c))),
        );
    }
    Ok(keys.into_iter().collect())
}

/// Qualifications by what they are of; whatever is in force comes last.
pub type Queue = HashMap<VerdictKey, Vec<Qualification>>;

/// Revisions that settled one of the targets go on judging it.
pub async fn load_settled(
    tx: &mut Tx,
    connection: &ConnectionId,
    neighbourhood: &mut Neighbourhood,
    qualifications: &Queue,
) -> Result<(), StoreError> {
    let mut earlier: BTreeSet<(CampaignId, RevisionId)> = BTreeSet::new();
    for (key, list) in qualifications {
        let settled = list.iter().rev().find(|q| is_settled(q));
        if let Some(settled) = settled {
            neighbourhood
                .settled
                .insert(key.clone(), settled.revision.clone());
            let current = neighbourhood
                .campaigns
                .iter()
                .any(|c| c.revision == settled.revision);
            if !current {
                earlier.insert((key.0.clone(), settled.revision.clone()));
            }
        }
    }
    // One look for each earlier revision that settled anything here: campaigns change rarely.
    for (campaign, revision) in earlier {
        if let Some(stored) = revision_by_hash(tx, connection, &campaign, &revision).await? {
            neighbourhood
                .settled_by
                .push(parse(&stored.campaign_id, &stored.source)?);
        }
    }
    Ok(())
}

const fn is_settled(qualification: &Qualification) -> bool {
    matches!(
        qualification.state,
        QualificationState::Settled | QualificationState::Reversed
    )
}

/// Writes what changed: verdicts, cases, near misses, qualifications.
async fn apply(
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
    apply_cases(tx, connection, &judgements, now).await?;
    let near: Vec<StoredNearMiss> = judgements
        .near_misses
        .iter()
        .map(|(campaign, near)| super::near_miss_row(campaign, near, now))
        .collect();
    apply_near_misses(tx, connection, &prepared, &judgements, &near).await?;
    apply_transitions(tx, connection, &prepared, &judgements, now).await
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
    let now: BTreeSet<&str> = near.iter().map(|near| near.near_miss_id.as_str()).collect();
    let gone = there.into_iter().filter(|id| !now.contains(id.as_str()));
    let gone: Vec<String> = gone.collect();
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

async fn apply_cases(
    tx: &mut Tx,
    connection: &ConnectionId,
    judgements: &Judgements,
    now: Timestamp,
) -> Result<(), StoreError> {
    let referrals: BTreeSet<ReferralId> =
        judgements.judged.keys().map(|(_, id)| id.clone()).collect();
    let referrals: Vec<ReferralId> = referrals.into_iter().collect();
    let mut cases = Vec::new();
    for case in cases_of_referrals(tx, connection, &referrals).await? {
        let key = (case.campaign.clone(), case.referral.clone());
        let open = judgements.judged.get(&key).and_then(|j| j.case.as_ref());
        let still = open.is_some_and(|(_, id)| *id == case.id);
        if case.state == CaseState::Open && !still {
            cases.push(StoredCase {
                state: CaseState::Gone,
                changed_at: now,
                ..case
            });
        }
    }
    for ((campaign, referral), judged) in &judgements.judged {
        if let Some((kind, id)) = &judged.case {
            cases.push(StoredCase {
                id: id.clone(),
                kind: *kind,
                campaign: campaign.clone(),
                referral: referral.clone(),
                state: CaseState::Open,
                opened_at: now,
                changed_at: now,
            });
        }
    }
    upsert_cases(tx, connection, &cases).await
}

async fn apply_transitions(
    tx: &mut Tx,
    connection: &ConnectionId,
    prepared: &Prepared,
    judgements: &Judgements,
    now: Timestamp,
) -> Result<(), StoreError> {
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
    Ok(())
}
