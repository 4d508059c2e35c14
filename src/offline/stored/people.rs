//! Who refers, who was referred, and what admins decided, from a connection of the database.

use crate::domain::decision::Decision;
use crate::domain::ids::{ConnectionId, DecisionId, PromoterId, ReferralId};
use crate::domain::time::Timestamp;
use crate::offline::streamed::People;
use crate::store::decisions::decision_page;
use crate::store::promoters::list_promoters;
use crate::store::referrals::referral_page;
use crate::store::{StoreError, Tx};

/// Rows read at a time.
const PAGE: u32 = 2_000;

/// Reads a connection's people; decisions after `until` are left out.
pub async fn stored_people(
    tx: &mut Tx,
    connection: &ConnectionId,
    until: Option<Timestamp>,
) -> Result<People, StoreError> {
    let mut people = People::default();
    let mut promoters = Vec::new();
    let mut after: Option<PromoterId> = None;
    loop {
        let page = list_promoters(tx, connection, after.as_ref(), PAGE).await?;
        let full = page.len() >= PAGE as usize;
        after = page.last().map(|last| last.promoter.id.clone());
        promoters.extend(page.into_iter().map(|stored| stored.promoter));
        if !full {
            break;
        }
    }
    people.promoters = promoters.into_iter().collect();
    let mut after: Option<ReferralId> = None;
    loop {
        let page = referral_page(tx, connection, after.as_ref(), PAGE).await?;
        for referral in &page {
            people.referrals.push(referral);
        }
        let full = page.len() >= PAGE as usize;
        after = page.into_iter().next_back().map(|last| last.id);
        if !full {
            break;
        }
    }
    let mut after: Option<DecisionId> = None;
    loop {
        let page = decision_page(tx, connection, after.as_ref(), PAGE).await?;
        let full = page.len() >= PAGE as usize;
        after = page.last().map(|last| last.id.clone());
        let taken = |decision: &Decision| until.is_none_or(|at| decision.decided_at <= at);
        people.decisions.extend(page.into_iter().filter(taken));
        if !full {
            return Ok(people);
        }
    }
}
