//! Giving a referral to another promoter. Money that is settled never moves: it stays with the
//! promoter for whom it was settled, and so does whatever is later taken back of it or given
//! again. What is queued, and what is still to be earned, goes to the new one.
//!
//! A referral that a coupon made follows its coupon and cannot be given away.

use std::collections::BTreeSet;

use serde_json::json;

use super::RegistryError;
use crate::access::audit::{Action, note};
use crate::clock::Clock;
use crate::domain::access::By;
use crate::domain::ids::{ConnectionId, PromoterId, ReferralId};
use crate::domain::people::{Promoter, Referral};
use crate::domain::time::Timestamp;
use crate::domain::verdict::Verdict;
use crate::queue::judging::judge;
use crate::queue::neighbourhood::Seeds;
use crate::queue::worker::{prepare, rejudge};
use crate::store::batches::open_batches;
use crate::store::leases::{Stage, enter};
use crate::store::promoters::get_promoter;
use crate::store::qualifications::{
    Qualification, QualificationState, qualifications_of_referrals,
};
use crate::store::referrals::{get_referral, reassign_referral};
use crate::store::{Db, Tx, retry};

/// Longest reason, in characters.
const REASON_CHARS_MAX: usize = 500;

/// What giving a referral to another promoter does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// The referral as it is before.
    pub referral: Referral,
    /// Whose it is.
    pub from: Promoter,
    /// Whose it will be.
    pub to: Promoter,
    /// Queued rewards, which go along.
    pub moves: Vec<Qualification>,
    /// Rewards that were settled, reversed ones included, which stay.
    pub stays: Vec<Qualification>,
    /// What the rules say now.
    pub before: Option<Verdict>,
    /// What they will say.
    pub after: Option<Verdict>,
}

/// What would move and what would stay. Nothing is stored.
pub async fn preview(
    db: &Db,
    connection: &ConnectionId,
    clock: &dyn Clock,
    (referral, to): (&ReferralId, &PromoterId),
) -> Result<Move, RegistryError> {
    let mut tx = db.read().await?;
    let planned = plan(&mut tx, connection, (referral, to), clock.now()).await;
    tx.rollback().await?;
    planned
}

/// Gives a referral to another promoter and has it judged, in one transaction; what moved and
/// what stayed.
pub async fn reassign(
    db: &Db,
    connection: &ConnectionId,
    clock: &dyn Clock,
    (referral, to): (&ReferralId, &PromoterId),
    reason: &str,
    by: &By,
) -> Result<Move, RegistryError> {
    let reason = check_reason(reason)?;
    retry(|| async {
        let mut tx = db.begin().await?;
        enter(&mut tx, connection, Stage::Register).await?;
        enter(&mut tx, connection, Stage::Judge).await?;
        let done = plan(&mut tx, connection, (referral, to), clock.now()).await?;
        // A batch counts limits by promoter when it plans; what it is just settling stays as
        // it was planned.
        if !done.moves.is_empty() && !open_batches(&mut tx, connection).await?.is_empty() {
            return Err(RegistryError::Conflict {
                code: "batch_running",
                message: "a batch is being settled at this moment; repeat it when it is done"
                    .to_owned(),
            });
        }
        let promoters = (&done.from.id, &done.to.id);
        reassign_referral(&mut tx, connection, referral, promoters).await?;
        rejudge(&mut tx, connection, seeds(referral), clock.now()).await?;
        let ids = |of: &[Qualification]| -> Vec<String> {
            of.iter().map(|one| one.id.to_string()).collect()
        };
        let what = json!({
            "before": done.from.id, "after": done.to.id, "reason": reason,
            "moved": ids(&done.moves), "stayed": ids(&done.stays),
        });
        let entry = (
            Action::ReferralReassigned,
            format!("referral:{referral}"),
            what,
        );
        note(&mut tx, connection, clock.now_us(), by, entry).await?;
        tx.commit().await?;
        Ok(done)
    })
    .await
}

fn check_reason(reason: &str) -> Result<&str, RegistryError> {
    let reason = reason.trim();
    let message = if reason.is_empty() {
        "say why; the reason is kept in the audit log"
    } else if reason.chars().count() > REASON_CHARS_MAX || reason.contains('\0') {
        "a reason has at most 500 characters"
    } else {
        return Ok(reason);
    };
    let code = if reason.is_empty() {
        "reason_missing"
    } else {
        "reason_invalid"
    };
    Err(RegistryError::invalid(code, "/reason", message))
}

fn seeds(referral: &ReferralId) -> Seeds {
    Seeds {
        referrals: BTreeSet::from([referral.clone()]),
        ..Seeds::default()
    }
}

async fn plan(
    tx: &mut Tx,
    connection: &ConnectionId,
    (id, to): (&ReferralId, &PromoterId),
    now: Timestamp,
) -> Result<Move, RegistryError> {
    let referral = registered(tx, connection, id).await?;
    let unknown = |id: &PromoterId| {
        let message = format!("there is no promoter `{id}` here");
        RegistryError::invalid("promoter_unknown", "/promoter", message)
    };
    let to = get_promoter(tx, connection, to)
        .await?
        .ok_or_else(|| unknown(to))?
        .promoter;
    if referral.promoter.as_ref() == Some(&to.id) {
        let message = format!("the referral is {}'s already", to.name);
        return Err(RegistryError::invalid(
            "nothing_to_change",
            "/promoter",
            message,
        ));
    }
    let from = match &referral.promoter {
        Some(from) => get_promoter(tx, connection, from).await?,
        None => None,
    };
    let from = from.ok_or_else(|| RegistryError::NotFound(format!("the promoter of {id}")))?;
    let ids = std::slice::from_ref(id);
    let all = qualifications_of_referrals(tx, connection, ids).await?;
    let mine = all.into_iter().filter(|q| q.campaign == referral.campaign);
    let mine = mine.filter(|q| q.state != QualificationState::Withdrawn);
    let (moves, stays): (Vec<_>, Vec<_>) =
        mine.partition(|q| q.state == QualificationState::Queued);
    let (before, after) = verdicts(tx, connection, &referral, &to, now).await?;
    Ok(Move {
        referral,
        from: from.promoter,
        to,
        moves,
        stays,
        before,
        after,
    })
}

async fn registered(
    tx: &mut Tx,
    connection: &ConnectionId,
    id: &ReferralId,
) -> Result<Referral, RegistryError> {
    if id.as_str().starts_with("coupon:") {
        let message = "a coupon made this referral, and it follows the coupon: \
                       give the coupon id to the other promoter instead";
        return Err(RegistryError::Conflict {
            code: "coupon_referral",
            message: message.to_owned(),
        });
    }
    get_referral(tx, connection, id)
        .await?
        .ok_or_else(|| RegistryError::NotFound(format!("the referral {id}")))
}

/// What the rules say of it as it is, and as the other promoter's.
async fn verdicts(
    tx: &mut Tx,
    connection: &ConnectionId,
    referral: &Referral,
    to: &Promoter,
    now: Timestamp,
) -> Result<(Option<Verdict>, Option<Verdict>), RegistryError> {
    let prepared = prepare(tx, connection, seeds(&referral.id)).await?;
    let mut neighbourhood = prepared.neighbourhood;
    let key = (referral.campaign.clone(), referral.id.clone());
    let before = judge(&neighbourhood, now).judged.remove(&key);
    // What is settled goes on being judged as of whom it was settled for.
    if !neighbourhood.settled.contains_key(&key) {
        let mut referrals = neighbourhood.referrals.iter_mut();
        if let Some(mine) = referrals.find(|one| one.id == referral.id) {
            mine.promoter = Some(to.id.clone());
        }
        neighbourhood.promoters.add([to.clone()]);
    }
    let after = judge(&neighbourhood, now).judged.remove(&key);
    Ok((before.map(|j| j.verdict), after.map(|j| j.verdict)))
}
