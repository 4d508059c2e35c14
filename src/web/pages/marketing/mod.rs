//! What marketing works with: the dashboard, campaigns and their editor, referrals, promoters,
//! reports.

pub mod campaign;
pub mod campaign_link;
pub mod campaigns;
pub mod dashboard;
pub mod editor;
pub mod promoter;
pub mod promoter_form;
pub mod promoter_invite;
pub mod promoters;
pub mod reassign;
pub mod referral;
pub mod referral_form;
pub(crate) mod referral_parts;
mod referral_rows;
pub mod referrals;
pub mod reports;
mod rules_words;
mod tally;
pub mod timeline;

use crate::domain::money::Money;
use crate::http::Problem;
use crate::store::reports::RewardSum;
use crate::web::format;

/// Rows of a page of a list.
pub(crate) const ROWS: u32 = 50;

/// What people were given in one currency, written out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MoneyRow {
    pub to: &'static str,
    pub currency: String,
    pub rewards: String,
    pub given: String,
    pub taken_back: String,
    pub given_again: String,
    pub owed: String,
}

impl From<&RewardSum> for MoneyRow {
    fn from(sum: &RewardSum) -> Self {
        let amount = |minor| format::amount(Money::new(minor, sum.currency));
        Self {
            to: match sum.to.name() {
                "promoter" => "Promoters",
                _ => "Invited people",
            },
            currency: sum.currency.to_string(),
            rewards: format::count(sum.rewards),
            given: amount(sum.accrued),
            taken_back: amount(sum.taken_back),
            given_again: amount(sum.given_again),
            owed: amount(sum.owed()),
        }
    }
}

/// What is owed in all, one text a currency: `4,251.90 USD`.
pub(crate) fn owed(sums: &[RewardSum]) -> Vec<String> {
    let mut by_currency = std::collections::BTreeMap::new();
    for sum in sums {
        let all: &mut i64 = by_currency.entry(sum.currency).or_default();
        *all = all.saturating_add(sum.owed());
    }
    let written = by_currency.into_iter();
    written
        .map(|(currency, minor)| format::money(Money::new(minor, currency)))
        .collect()
}

/// There is no such thing, or it is another connection's.
pub(crate) fn no_such(what: &str) -> Problem {
    Problem::not_found(format!("There is no {what} of this id."))
}
