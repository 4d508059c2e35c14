//! A rule set tried on a history: every campaign's verdicts. Pure.

use std::collections::BTreeMap;

use super::history::History;
use crate::domain::campaign::{Campaign, Mode};
use crate::domain::ids::{AccountId, CampaignId};
use crate::domain::payment::Customer;
use crate::domain::time::Timestamp;
use crate::domain::verdict::Verdict;
use crate::evaluate::backtest::{Trial, backtest};
use crate::payments;

/// One campaign with its verdicts, sorted by referral id.
#[derive(Debug, Clone)]
pub struct Judged<'c> {
    /// The campaign.
    pub campaign: &'c Campaign,
    /// Its verdicts.
    pub verdicts: Vec<Verdict>,
}

/// Why a rule set cannot be tried on a history.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrialError {
    /// Nothing says which account a campaign is about.
    #[error(
        "campaign `{campaign}` names no account, and the events are of several ({}); write one of \
         them into the campaign as `account`",
        accounts.join(", ")
    )]
    AccountUnclear {
        /// The campaign.
        campaign: CampaignId,
        /// The accounts that events named.
        accounts: Vec<String>,
    },
}

/// Judges every referral of every campaign at one instant, campaigns in the order of their
/// ids.
pub fn judge<'c>(
    history: &History,
    campaigns: &'c [Campaign],
    as_of: Timestamp,
) -> Result<Vec<Judged<'c>>, TrialError> {
    let mut customers = Customers {
        history,
        assembled: BTreeMap::new(),
    };
    let mut wanted = Vec::with_capacity(campaigns.len());
    for campaign in campaigns {
        let account = account_of(history, campaign)?;
        customers.assemble(account, Mode::Live);
        customers.assemble(account, Mode::Test);
        wanted.push((campaign, account));
    }
    wanted.sort_by(|a, b| a.0.id.cmp(&b.0.id));
    let judged = wanted.into_iter().map(|(campaign, account)| {
        let other = match campaign.mode {
            Mode::Live => Mode::Test,
            Mode::Test => Mode::Live,
        };
        let trial = Trial {
            customers: customers.of(account, campaign.mode),
            other_mode: customers.of(account, other),
            referrals: &history.referrals,
            promoters: &history.promoters,
            decisions: &history.decisions,
            as_of,
        };
        Judged {
            campaign,
            verdicts: backtest(campaign, &trial),
        }
    });
    Ok(judged.collect())
}

/// The account a campaign is about: its own, else the only one that events named.
fn account_of<'a>(
    history: &'a History,
    campaign: &'a Campaign,
) -> Result<Option<&'a AccountId>, TrialError> {
    if let Some(account) = &campaign.account {
        return Ok(Some(account));
    }
    let accounts = history.accounts();
    if accounts.len() > 1 {
        return Err(TrialError::AccountUnclear {
            campaign: campaign.id.clone(),
            accounts: accounts.iter().map(ToString::to_string).collect(),
        });
    }
    Ok(accounts.into_iter().next())
}

/// Customers by account and mode, assembled once for all campaigns.
struct Customers<'h> {
    history: &'h History,
    assembled: BTreeMap<(Option<AccountId>, Mode), Vec<Customer>>,
}

impl Customers<'_> {
    fn assemble(&mut self, account: Option<&AccountId>, mode: Mode) {
        let history = self.history;
        self.assembled
            .entry((account.cloned(), mode))
            .or_insert_with(|| payments::customers(&history.facts_of(account, mode)));
    }

    fn of(&self, account: Option<&AccountId>, mode: Mode) -> &[Customer] {
        let found = self.assembled.get(&(account.cloned(), mode));
        found.map_or(&[], Vec::as_slice)
    }
}
