//! The whole way of one referral, from what Stripe sent to the ledger: the timeline that an
//! explanation has, and before it the customers, refunds, verdicts and events behind it.

use std::collections::BTreeSet;

use super::Explained;
use super::events::{Looked, events_about};
use super::timeline::{Moment, MomentKind};
use crate::access::audit::Action;
use crate::clock::SECOND_US;
use crate::domain::fact::{DisputeStatus, ObjectKey, ObjectKind, ObjectState, RefundStatus};
use crate::domain::ids::{ConnectionId, CustomerId};
use crate::domain::money::Money;
use crate::domain::time::Timestamp;
use crate::domain::verdict::{MatchedBy, Verdict};
use crate::evaluate::explain::sentence;
use crate::store::audit::{AuditFilter, list_audit};
use crate::store::objects::{StoredObject, load_groups, load_objects};
use crate::store::payments::load_payments;
use crate::store::verdicts::get_verdict;
use crate::store::{StoreError, Tx};

/// How often a referral is given away, as far as it is told.
const MOVES_MAX: u32 = 50;

/// What happened to one referral.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    /// Everything, oldest first.
    pub moments: Vec<Moment>,
    /// Whether events may be missing because there were too many to look through.
    pub events_cut: bool,
}

/// Tells everything about an explained referral; Stripe's events only to whoever may see them.
pub async fn history(
    tx: &mut Tx,
    connection: &ConnectionId,
    one: &Explained,
    with_events: bool,
) -> Result<History, StoreError> {
    let verdict = &one.verdict;
    let mut moments = one.timeline.clone();
    let objects = objects_of(tx, connection, verdict).await?;
    moments.extend(objects.iter().filter_map(|object| told(object, verdict)));
    moments.extend(judged(tx, connection, verdict).await?);
    moments.extend(given_away(tx, connection, verdict).await?);
    let mut events_cut = false;
    if with_events {
        let ids: BTreeSet<String> = objects.iter().map(|o| o.key.id.clone()).collect();
        let instants = moments.iter().filter(|moment| is_of_stripe(moment.kind));
        let instants: BTreeSet<Timestamp> = instants.map(|moment| moment.at).collect();
        let Looked { found, cut } = events_about(tx, connection, &ids, &instants).await?;
        moments.extend(found);
        events_cut = cut;
    }
    moments.sort_by_key(|moment| (moment.at, moment.kind));
    Ok(History {
        moments,
        events_cut,
    })
}

const fn is_of_stripe(kind: MomentKind) -> bool {
    matches!(
        kind,
        MomentKind::Customer | MomentKind::Paid | MomentKind::Refunded
    )
}

/// The verdict's customers, and every object of their payments.
async fn objects_of(
    tx: &mut Tx,
    connection: &ConnectionId,
    verdict: &Verdict,
) -> Result<Vec<StoredObject>, StoreError> {
    let customers: Vec<CustomerId> = verdict.customers.iter().map(|c| c.id.clone()).collect();
    let keys = customers
        .iter()
        .map(|id| ObjectKey::new(ObjectKind::Customer, id.as_str()));
    let keys: Vec<ObjectKey> = keys.collect();
    let mut objects = load_objects(tx, connection, &keys).await?;
    let payments = load_payments(tx, connection, &customers).await?;
    let groups: Vec<String> = payments.into_iter().map(|p| p.group_id).collect();
    objects.extend(load_groups(tx, connection, &groups).await?);
    Ok(objects)
}

fn plain(at: Timestamp, kind: MomentKind, what: String) -> Moment {
    Moment {
        at,
        what,
        kind,
        about: None,
    }
}

/// What an object adds that the verdict does not tell.
fn told(object: &StoredObject, verdict: &Verdict) -> Option<Moment> {
    let id = &object.key.id;
    match &object.state {
        ObjectState::Customer(state) => {
            let matched = verdict.customers.iter().find(|c| c.id.as_str() == id)?;
            let at = state.created.or(state.first_seen)?;
            let how = match matched.matched_by {
                MatchedBy::Admin => "linked by an admin",
                MatchedBy::StripeId => "matched by Stripe id",
                MatchedBy::Metadata => "matched by metadata",
                MatchedBy::Email => "matched by email",
                MatchedBy::Coupon => "brought by a coupon",
            };
            let what = format!("customer {id} created; {how}");
            Some(plain(at, MomentKind::Customer, what))
        }
        ObjectState::Refund(state) => {
            let money = Money::new(state.amount, state.currency?);
            let how = match state.status {
                RefundStatus::Failed | RefundStatus::Canceled => "a refund that came to nothing: ",
                _ => "refunded: ",
            };
            let what = format!("{how}{money} ({id})");
            Some(plain(state.created?, MomentKind::Refunded, what))
        }
        ObjectState::Dispute(state) => {
            let money = Money::new(state.amount, state.currency?);
            let how = match state.status {
                DisputeStatus::Inquiry => "inquiry about",
                DisputeStatus::Lost => "dispute, lost by now, of",
                DisputeStatus::Won => "dispute, won by now, of",
                DisputeStatus::Prevented => "dispute, prevented, of",
                DisputeStatus::Unknown | DisputeStatus::Open => "dispute of",
            };
            let what = format!("{how} {money} ({id})");
            Some(plain(state.created?, MomentKind::Refunded, what))
        }
        _ => None,
    }
}

/// When the rules were met, and what they said last.
async fn judged(
    tx: &mut Tx,
    connection: &ConnectionId,
    verdict: &Verdict,
) -> Result<Vec<Moment>, StoreError> {
    let mut moments = Vec::new();
    if let Some(at) = verdict.qualified_at {
        let what = "every condition met".to_owned();
        moments.push(plain(at, MomentKind::Judged, what));
    }
    let stored = get_verdict(tx, connection, &verdict.campaign, &verdict.referral).await?;
    if let Some(stored) = stored {
        let what = format!("judged: {}", sentence(&stored.verdict));
        moments.push(plain(stored.evaluated_at, MomentKind::Judged, what));
    }
    Ok(moments)
}

/// To whom it was given, and why, from the audit log.
async fn given_away(
    tx: &mut Tx,
    connection: &ConnectionId,
    verdict: &Verdict,
) -> Result<Vec<Moment>, StoreError> {
    #[derive(serde::Deserialize)]
    struct Detail {
        before: String,
        after: String,
        reason: String,
    }
    let filter = AuditFilter {
        action: Some(Action::ReferralReassigned.name().to_owned()),
        subject: Some(format!("referral:{}", verdict.referral)),
        ..AuditFilter::default()
    };
    let rows = list_audit(tx, connection, &filter, None, MOVES_MAX).await?;
    let moved = rows.into_iter().filter_map(|row| {
        let detail: Detail = serde_json::from_str(&row.detail).ok()?;
        let at = Timestamp::from_unix(row.at_us.div_euclid(SECOND_US))?;
        let what = format!(
            "given by {} to {}: {}",
            detail.before, detail.after, detail.reason
        );
        Some(plain(at, MomentKind::Referred, what))
    });
    Ok(moved.collect())
}
