//! Verdicts: what the rules say of one referral at one instant, with the evidence.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::currency::Currency;
use super::ids::{CampaignId, CaseId, CustomerId, PaymentId, PromoterId, ReferralId, RevisionId};
use super::reason::{LeftOut, ReasonCode};
use super::time::{Timestamp, Window};

/// The four answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum VerdictState {
    /// Every condition is met.
    Qualified,
    /// Can still qualify.
    Pending,
    /// Cannot, as things stand.
    Rejected,
    /// A person has to decide.
    Review,
}

impl VerdictState {
    /// The stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Qualified => "qualified",
            Self::Pending => "pending",
            Self::Rejected => "rejected",
            Self::Review => "review",
        }
    }
}

/// A reason with its evidence in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reason {
    /// The stable code.
    pub code: ReasonCode,
    /// What was seen, and for a pending verdict what is missing and until when.
    pub detail: String,
}

impl Reason {
    /// A reason.
    pub fn new(code: ReasonCode, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
        }
    }
}

/// How a customer was found for a referral, strongest first.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum MatchedBy {
    /// An admin linked them.
    Admin,
    /// By Stripe id.
    StripeId,
    /// By metadata or `client_reference_id`.
    Metadata,
    /// By email.
    Email,
    /// By a promoter's coupon.
    Coupon,
}

/// A customer that the verdict is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MatchedCustomer {
    /// The customer.
    pub id: CustomerId,
    /// How it was found.
    pub matched_by: MatchedBy,
}

/// Spend in one currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Spend {
    /// The currency.
    pub currency: Currency,
    /// What was counted, after refunds.
    pub counted_minor: i64,
    /// The smallest spend that suffices.
    pub needed_minor: i64,
    /// What is still missing.
    pub missing_minor: i64,
}

/// One payment as the verdict saw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PaymentEvidence {
    /// The payment.
    pub id: PaymentId,
    /// Paid, before refunds.
    pub amount_minor: i64,
    /// Given back.
    pub refunded_minor: i64,
    /// Its currency.
    pub currency: Currency,
    /// When it happened at Stripe.
    pub occurred_at: Timestamp,
    /// Whether any of it counts.
    pub counted: bool,
    /// Why not, if not.
    pub why: Option<LeftOut>,
    /// Present when an invoice is only presumed to be the same money.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub presumed_link: bool,
}

/// Who is owed.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum RewardTo {
    /// The promoter.
    Promoter,
    /// The invited person.
    Invited,
}

impl RewardTo {
    /// The stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Promoter => "promoter",
            Self::Invited => "invited",
        }
    }

    /// In a sentence: `the promoter`, `the invited person`.
    pub const fn person(self) -> &'static str {
        match self {
            Self::Promoter => "promoter",
            Self::Invited => "invited person",
        }
    }
}

/// What a settlement would owe.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub struct Reward {
    /// To whom.
    pub to: RewardTo,
    /// How much, minor units.
    pub amount_minor: i64,
    /// In which currency.
    pub currency: Currency,
}

/// What would turn a pending verdict into a qualified one: any one of `spend`, and `payments`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Missing {
    /// Counted payments still needed.
    pub payments: u32,
    /// The instant from which it is too late; `None` means no limit.
    pub until: Option<Timestamp>,
}

/// What the rules say of one referral at one instant.
///
/// The serialised form is the contract of `qualify backtest --json`; fields are only added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    /// The campaign.
    pub campaign: CampaignId,
    /// The revision that judged.
    pub revision: RevisionId,
    /// The referral.
    pub referral: ReferralId,
    /// Who would be rewarded; `None` while two promoters' coupons contradict each other.
    pub promoter: Option<PromoterId>,
    /// The answer.
    #[serde(rename = "verdict")]
    pub state: VerdictState,
    /// Why, the deciding reason first.
    pub reasons: Vec<Reason>,
    /// The customers it is about.
    pub customers: Vec<MatchedCustomer>,
    /// Spend per currency.
    pub spend: Vec<Spend>,
    /// Every payment of those customers, counted or not.
    pub payments: Vec<PaymentEvidence>,
    /// The window in which payments count.
    pub window: Option<Window>,
    /// When the payment happened that completed every condition.
    pub qualified_at: Option<Timestamp>,
    /// The earliest instant at which it may settle.
    pub settle_after: Option<Timestamp>,
    /// What would be owed.
    pub rewards: Vec<Reward>,
    /// What is missing, when pending.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<Missing>,
    /// The case to decide, when in review.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case: Option<CaseId>,
}

impl Verdict {
    /// The deciding reason's code.
    pub fn code(&self) -> Option<ReasonCode> {
        self.reasons.first().map(|reason| reason.code)
    }
}
