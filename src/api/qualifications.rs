//! `/qualifications`: the queue, and what became of it in batches and ledger.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use schemars::JsonSchema;
use serde::Serialize;

use super::Api;
use super::answer::{Answer, List, ok};
use super::batches::ShownItem;
use super::caller::Caller;
use super::document::names;
use super::document::operation::{Operation, Resource, Takes};
use super::ledger::ShownTransaction;
use super::params::{Params, bad_cursor};
use super::refusal::not_found;
use crate::access::routes::{self, On};
use crate::domain::ids::{
    BatchId, CampaignId, ConnectionId, PromoterId, QualificationId, ReferralId, RevisionId,
};
use crate::domain::time::Timestamp;
use crate::domain::verdict::Reward;
use crate::store::batch_items::items_of_qualification;
use crate::store::ledger::transactions_of_qualifications;
use crate::store::qualifications::{
    Qualification, QualificationFilter, QualificationState, list_qualifications,
    load_qualifications,
};
use crate::store::{StoreError, Tx};

pub(super) fn routes() -> Router<Arc<Api>> {
    Router::new()
        .on(routes::API_QUALIFICATIONS, list)
        .on(routes::API_QUALIFICATION, one)
}

pub(super) fn describe() -> Resource {
    Resource {
        name: "qualifications",
        says: "Positive verdicts that wait to be settled, and what became of them in batches and ledger.",
        operations: vec![
            Operation::new(
                routes::API_QUALIFICATIONS,
                "list_qualifications",
                "List qualifications",
            )
            .says("In order of id.")
            .filter("campaign", Takes::Text, "In this campaign.")
            .filter("promoter", Takes::Text, "Of this promoter.")
            .filter(
                "state",
                Takes::one_of::<names::QualificationState>(),
                "In this state.",
            )
            .lists::<Shown>("The `id` of the last row of the page before."),
            Operation::new(
                routes::API_QUALIFICATION,
                "get_qualification",
                "Get a qualification",
            )
            .answers::<Detail>(200, "The qualification with its batches and transactions."),
        ],
    }
}

/// A qualification as it is answered.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Qualification")]
struct Shown {
    id: QualificationId,
    campaign: CampaignId,
    revision: RevisionId,
    referral: ReferralId,
    promoter: PromoterId,
    /// The referred person: one reward a person in a campaign.
    customer: String,
    #[schemars(with = "names::QualificationState")]
    state: &'static str,
    /// Why it is in this state: a stable code.
    reason: String,
    qualified_at: Timestamp,
    /// The earliest instant at which it may settle.
    settle_after: Timestamp,
    /// What it owes.
    rewards: Vec<Reward>,
    /// What the ledger has given for it in all, reversals taken off.
    given: Vec<Reward>,
    created_at: Timestamp,
    changed_at: Timestamp,
}

fn shown(q: Qualification) -> Shown {
    Shown {
        id: q.id,
        campaign: q.campaign,
        revision: q.revision,
        referral: q.referral,
        promoter: q.promoter,
        customer: q.person,
        state: q.state.name(),
        reason: q.reason,
        qualified_at: q.qualified_at,
        settle_after: q.settle_after,
        rewards: q.rewards,
        given: q.given,
        created_at: q.created_at,
        changed_at: q.changed_at,
    }
}

/// A qualification with what became of it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "QualificationDetail")]
pub(super) struct Detail {
    #[serde(flatten)]
    shown: Shown,
    batches: Vec<InBatch>,
    transactions: Vec<ShownTransaction>,
}

/// What a batch did with a qualification.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "InBatch")]
struct InBatch {
    batch: BatchId,
    #[serde(flatten)]
    item: ShownItem,
}

/// Qualifications of one referral, each with its batches and transactions. They are few: each
/// but the last was withdrawn.
pub(super) async fn details(
    tx: &mut Tx,
    connection: &ConnectionId,
    qualifications: Vec<Qualification>,
) -> Result<Vec<Detail>, StoreError> {
    let ids: Vec<QualificationId> = qualifications.iter().map(|q| q.id.clone()).collect();
    let mut transactions = transactions_of_qualifications(tx, connection, &ids).await?;
    let mut details = Vec::with_capacity(qualifications.len());
    for qualification in qualifications {
        let items = items_of_qualification(tx, connection, &qualification.id).await?;
        let in_batch = |(batch, item)| InBatch {
            batch,
            item: ShownItem::from(item),
        };
        let mine = transactions.extract_if(.., |t| t.qualification == qualification.id);
        details.push(Detail {
            transactions: mine.map(ShownTransaction::from).collect(),
            batches: items.into_iter().map(in_batch).collect(),
            shown: shown(qualification),
        });
    }
    Ok(details)
}

async fn list(State(api): State<Arc<Api>>, caller: Caller, params: Params) -> Answer {
    let page = params.page(&["campaign", "promoter", "state"])?;
    let states: Vec<&str> = QualificationState::ALL.iter().map(|s| s.name()).collect();
    let filter = QualificationFilter {
        campaign: params.id("campaign"),
        promoter: params.id("promoter"),
        state: params.one_of("state", QualificationState::parse, &states)?,
    };
    let mut tx = api.app.db.read().await?;
    let after: Option<QualificationId> = page.after.as_deref().map(QualificationId::from);
    if let Some(after) = &after {
        let ids = std::slice::from_ref(after);
        let there = load_qualifications(&mut tx, &caller.connection, ids).await?;
        there.first().ok_or_else(bad_cursor)?;
    }
    let connection = &caller.connection;
    let rows = list_qualifications(&mut tx, connection, &filter, after.as_ref(), page.rows());
    ok(&List::cut(rows.await?, &page).map(shown))
}

async fn one(State(api): State<Arc<Api>>, caller: Caller, Path(id): Path<String>) -> Answer {
    let ids = [QualificationId::from(id)];
    let mut tx = api.app.db.read().await?;
    let found = load_qualifications(&mut tx, &caller.connection, &ids).await?;
    let found = details(&mut tx, &caller.connection, found).await?;
    ok(found.first().ok_or_else(|| not_found("qualification"))?)
}
