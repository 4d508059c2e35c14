//! What webhook endpoints are told: the `data` of each topic's message. Fields have the names and
//! shapes that they have in the API's answers; who was invited is named by the customer alone.

use schemars::JsonSchema;
use serde::Serialize;

use super::decision::CaseKind;
use super::ids::{
    BatchId, CampaignId, CaseId, PromoterId, QualificationId, ReferralId, RevisionId,
};
use super::time::Timestamp;
use super::verdict::Reward;

/// Of `qualification.qualified` and `qualification.withdrawn`: the qualification as it is now.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "WebhookQualification")]
pub struct QualificationTold<'a> {
    /// Its id.
    pub id: &'a QualificationId,
    /// The campaign.
    pub campaign: &'a CampaignId,
    /// The campaign's revision that judged.
    pub revision: &'a RevisionId,
    /// The referral.
    pub referral: &'a ReferralId,
    /// Whose reward it is.
    pub promoter: &'a PromoterId,
    /// The referred person: one reward a person in a campaign.
    pub customer: &'a str,
    /// `queued` or `withdrawn`.
    pub state: &'a str,
    /// Why it is in this state: a stable code.
    pub reason: &'a str,
    /// When the payment happened that completed every condition.
    pub qualified_at: Timestamp,
    /// The earliest instant at which it may settle.
    pub settle_after: Timestamp,
    /// What it owes.
    pub rewards: &'a [Reward],
    /// What the ledger has given for it in all, reversals taken off.
    pub given: &'a [Reward],
    /// When it was queued.
    pub created_at: Timestamp,
    /// When it changed last.
    pub changed_at: Timestamp,
}

/// Of `qualification.settled`, `qualification.reversed` and `qualification.reinstated`: what was
/// booked.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "WebhookSettlement")]
pub struct SettlementTold<'a> {
    /// The qualification.
    pub qualification: &'a QualificationId,
    /// The campaign.
    pub campaign: &'a str,
    /// The referral.
    pub referral: &'a str,
    /// Whose reward it is.
    pub promoter: &'a str,
    /// What was given, or taken back if it is negative.
    pub amounts: &'a [Reward],
    /// Why: a stable code.
    pub reason: &'a str,
    /// The batch that booked it.
    pub batch: &'a BatchId,
}

/// Of `case.opened`: the case.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "WebhookCase")]
pub struct CaseTold<'a> {
    /// Its id.
    pub id: &'a CaseId,
    /// What it is about.
    pub kind: CaseKind,
    /// `open`.
    pub state: &'a str,
    /// In which campaign.
    pub campaign: &'a CampaignId,
    /// On which referral.
    pub referral: &'a ReferralId,
    /// When it was found first.
    pub opened_at: Timestamp,
    /// When its state changed last.
    pub changed_at: Timestamp,
}

/// Of `batch.settled`: the batch.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "WebhookBatch")]
pub struct BatchTold<'a> {
    /// Its id.
    pub id: &'a BatchId,
    /// How it came to be.
    pub kind: &'a str,
    /// `done`.
    pub state: &'a str,
    /// The start of its slot.
    pub slot_at: Timestamp,
    /// What was due by then is in it.
    pub cut_off: Timestamp,
    /// When its plan was made.
    pub planned_at: Timestamp,
    /// When it was carried out to its end.
    pub done_at: Option<Timestamp>,
    /// How many items its plan has.
    pub items: i64,
    /// How many were settled.
    pub settled: i64,
    /// How many were taken back.
    pub reversed: i64,
    /// How many were given again.
    pub reinstated: i64,
    /// How many were left for later.
    pub skipped: i64,
}
