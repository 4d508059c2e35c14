//! Double entry: accounts and transactions that sum to zero.

use serde::{Deserialize, Serialize};

use super::ids::{CampaignId, PromoterId, ReferralId};
use super::money::Money;

/// Whose balance an entry changes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "of", content = "id", rename_all = "snake_case")]
pub enum Account {
    /// What is owed to a promoter (positive).
    Promoter(PromoterId),
    /// What is owed to an invited person, by referral (positive).
    Invited(ReferralId),
    /// What a campaign has spent (negative).
    Budget(CampaignId),
    /// Passed through within one transaction; zero outside of one.
    Clearing,
}

impl std::fmt::Display for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Promoter(id) => write!(f, "promoter:{id}"),
            Self::Invited(id) => write!(f, "invited:{id}"),
            Self::Budget(id) => write!(f, "budget:{id}"),
            Self::Clearing => f.write_str("clearing"),
        }
    }
}

/// One line of a transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Whose balance.
    pub account: Account,
    /// By how much.
    #[serde(flatten)]
    pub amount: Money,
}
