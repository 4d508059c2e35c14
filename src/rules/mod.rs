//! Campaign files ⇄ `domain::campaign::Campaign`: read, checked with places, written back in
//! one canonical form. What the rules decide is the evaluator's business; `rules/README.md`
//! at the top of the repository teaches the language.

use std::collections::BTreeMap;

use crate::domain::campaign::Campaign;
use crate::domain::ids::CampaignId;

mod amount;
mod campaign;
mod canonical;
mod coupon;
mod load;
mod problem;
mod reader;
mod reward;
mod sections;
mod suggest;

pub use campaign::is_campaign_id;
pub use canonical::{revision, to_toml};
pub use coupon::{CouponProblem, KnownCoupons, check_coupon_id, check_promoter_coupons};
pub use load::load;
pub use problem::{PROBLEMS_MAX, Problem, codes};

/// Largest campaign file, in bytes.
pub const FILE_BYTES_MAX: usize = 64 * 1024;

/// Campaigns that were read together; no two have one id.
#[derive(Debug, Clone, Default)]
pub struct RuleSet {
    /// Sorted by id.
    pub campaigns: Vec<Campaign>,
    /// The file that each came from.
    pub sources: BTreeMap<CampaignId, String>,
}

/// Reads the text of one campaign file. `file` is what problems call it.
///
/// Errors: every problem in the order of the text, not only the first.
pub fn parse(file: &str, text: &str) -> Result<Campaign, Vec<Problem>> {
    campaign::read(file, text).map(|placed| placed.campaign)
}
