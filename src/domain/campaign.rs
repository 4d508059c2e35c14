//! A campaign's rules, parsed and valid. How they are written is `rules/`'s business.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::currency::Currency;
use super::ids::{AccountId, CampaignId, RevisionId};
use super::money::Money;
use super::time::Timestamp;

/// Stripe's two worlds. Facts of one never meet facts of the other.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Real money.
    #[default]
    Live,
    /// Test data.
    Test,
}

impl Mode {
    /// The mode of an event by its `livemode`.
    pub const fn from_livemode(livemode: bool) -> Self {
        if livemode { Self::Live } else { Self::Test }
    }

    /// `live` or `test`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Test => "test",
        }
    }
}

/// A key by which a customer is matched to a referral, strongest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MatchKey {
    /// The referral's Stripe customer id, or its uid, is the customer's id.
    StripeId,
    /// Customer metadata or a `client_reference_id` is the referral's uid.
    Metadata,
    /// Canonical emails are equal.
    Email,
}

/// What to do when several customers match one referral with equal strength.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Duplicates {
    /// Open a case.
    #[default]
    Hold,
    /// Add them together.
    Combine,
    /// The customer created first.
    Oldest,
    /// The customer created last.
    Newest,
    /// The customer with the highest counted spend.
    HighestSpend,
}

/// Who wins when a referral says one promoter and a coupon says another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prefer {
    /// The referral.
    #[default]
    Link,
    /// The coupon.
    Coupon,
    /// Whichever came first.
    Earliest,
    /// Nobody: open a case.
    Hold,
}

/// Who wins when two referrals claim one person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Touch {
    /// The earlier claim.
    #[default]
    First,
    /// The later claim.
    Last,
}

/// What a window of `within_days` is counted from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Anchor {
    /// `referred_at`.
    #[default]
    Referral,
    /// The first counted payment at or after `referred_at`.
    FirstPayment,
    /// The customer's creation, if later than `referred_at`.
    CustomerCreated,
}

/// What of a payment is spend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AmountBasis {
    /// What was paid.
    #[default]
    Paid,
    /// What was paid, without tax and shipping; needs the invoice.
    BeforeTax,
}

/// How a threshold was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// The amount itself suffices.
    AtLeast,
    /// The amount itself does not suffice.
    MoreThan,
}

/// Spend to reach in one currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Threshold {
    /// How it was written.
    pub bound: Bound,
    /// What was written.
    pub amount: Money,
}

impl Threshold {
    /// The smallest number of minor units that satisfies it.
    pub fn needed_minor(&self) -> i64 {
        match self.bound {
            Bound::AtLeast => self.amount.minor,
            Bound::MoreThan => self.amount.minor.saturating_add(1),
        }
    }

    /// `at least 50.00 USD` or `more than 50.00 USD`.
    pub fn words(&self) -> String {
        match self.bound {
            Bound::AtLeast => format!("at least {}", self.amount),
            Bound::MoreThan => format!("more than {}", self.amount),
        }
    }
}

/// The smallest payment that counts, in each payment's own currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EachPayment {
    /// How it was written.
    pub bound: Bound,
    /// What was written, in major units.
    pub major: String,
    /// The smallest number of minor units that counts, by the currency's decimals 0 to 3.
    pub least_minor: [i64; 4],
}

impl EachPayment {
    /// The smallest number of minor units that counts in a currency.
    pub fn least(&self, currency: Currency) -> i64 {
        let decimals = usize::try_from(currency.exponent()).unwrap_or(2);
        self.least_minor.get(decimals).copied().unwrap_or(0)
    }
}

/// Products or prices that count, by id on the invoice's lines.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Products {
    /// Only these count; empty means all.
    pub include: Vec<String>,
    /// These never count.
    pub exclude: Vec<String>,
}

/// `[match]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MatchRules {
    /// Keys in use, strongest first.
    pub keys: Vec<MatchKey>,
    /// Customer metadata keys compared with the referral's uid.
    pub metadata: Vec<String>,
    /// Several customers for one referral.
    pub duplicates: Duplicates,
    /// Whether the customer may not be older than the referral.
    pub new_customers_only: bool,
}

/// `[qualify]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QualifyRules {
    /// Any one of these suffices; empty means any counted payment.
    pub spend: Vec<Threshold>,
    /// Length of the window in days of 24 hours; `None` means no limit.
    pub within_days: Option<u32>,
    /// What the window is counted from.
    pub from: Anchor,
    /// At least this many counted payments.
    pub payments: u32,
    /// The smallest payment that counts.
    pub each_payment: EachPayment,
    /// What of a payment is spend.
    pub amount: AmountBasis,
    /// Whether invoices marked paid outside Stripe count.
    pub out_of_band: bool,
    /// Days between `qualified_at` and settlement.
    pub hold_days: u32,
    /// Which products count.
    pub products: Option<Products>,
}

/// `[attribution]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttributionRules {
    /// Whether a promoter's coupon on a payment attributes it.
    pub coupons: bool,
    /// A referral says one promoter, a coupon another.
    pub prefer: Prefer,
    /// Two referrals claim one person.
    pub touch: Touch,
}

/// What a settlement owes to one side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RewardRule {
    /// A fixed amount.
    Fixed(Money),
    /// A share of the counted spend, in each currency that was counted.
    Percent {
        /// Hundredths of a percent: 12.5 % is 1250.
        basis_points: u32,
        /// At most this much, in this currency.
        cap: Option<Money>,
    },
}

/// `[limits]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Limits {
    /// Settlements for one promoter in this campaign.
    pub per_promoter_settled: Option<u32>,
    /// What the campaign may owe in all, in this currency.
    pub budget: Option<Money>,
}

/// One revision of a campaign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Campaign {
    /// Its id, the same through all revisions.
    pub id: CampaignId,
    /// `sha256:` of its canonical form.
    pub revision: RevisionId,
    /// What people call it.
    pub name: String,
    /// Its Stripe account; `None` means the only one there is.
    pub account: Option<AccountId>,
    /// Live or test facts.
    pub mode: Mode,
    /// A referral belongs to it from here.
    pub starts: Option<Timestamp>,
    /// A referral belongs to it until before here.
    pub ends: Option<Timestamp>,
    /// `[match]`.
    pub matching: MatchRules,
    /// `[qualify]`.
    pub qualify: QualifyRules,
    /// `[attribution]`.
    pub attribution: AttributionRules,
    /// `[reward.promoter]`.
    pub reward_promoter: Option<RewardRule>,
    /// `[reward.invited]`.
    pub reward_invited: Option<RewardRule>,
    /// `[limits]`.
    pub limits: Limits,
}
