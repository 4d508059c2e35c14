//! Which facts a campaign sees: those of its account in its mode, and for the evidence those of
//! the other mode. Several campaigns mostly see the same.

use std::collections::BTreeSet;

use crate::domain::campaign::{Campaign, Mode};
use crate::domain::ids::{AccountId, CampaignId, CustomerId};
use crate::domain::payment::Customer;
use crate::offline::origin::Origin;

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

/// One campaign of one of the rule sets, and where its customers are.
#[derive(Debug, Clone, Copy)]
pub struct Tried<'c> {
    /// The campaign.
    pub campaign: &'c Campaign,
    /// The view of its account and mode; `None` if there are no such facts.
    pub own: Option<usize>,
    /// The view of its account in the other mode.
    pub other: Option<usize>,
}

/// What is seen of a history: each view is the facts of some of its origins, taken together.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Views(Vec<Vec<usize>>);

impl Views {
    /// The origins of each view, by their position.
    pub fn iter(&self) -> impl Iterator<Item = &[usize]> {
        self.0.iter().map(Vec::as_slice)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing is seen.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Places a rule set's campaigns, in the order of their ids, adding the views they need.
    pub fn place<'c>(
        &mut self,
        origins: &[Origin],
        campaigns: &'c [Campaign],
    ) -> Result<Vec<Tried<'c>>, TrialError> {
        let mut placed = Vec::with_capacity(campaigns.len());
        for campaign in campaigns {
            let account = account_of(origins, campaign)?;
            let other = match campaign.mode {
                Mode::Live => Mode::Test,
                Mode::Test => Mode::Live,
            };
            placed.push(Tried {
                campaign,
                own: self.view(origins, account, campaign.mode),
                other: self.view(origins, account, other),
            });
        }
        placed.sort_by(|a, b| a.campaign.id.cmp(&b.campaign.id));
        Ok(placed)
    }

    /// The facts of an account in a mode: those that name it, and those that name none.
    fn view(
        &mut self,
        origins: &[Origin],
        account: Option<&AccountId>,
        mode: Mode,
    ) -> Option<usize> {
        let is_seen = |origin: &Origin| {
            origin.mode == mode && (origin.account.is_none() || origin.account.as_ref() == account)
        };
        let seen = origins.iter().enumerate();
        let seen = seen.filter(|(_, origin)| is_seen(origin));
        let seen: Vec<usize> = seen.map(|(position, _)| position).collect();
        if seen.is_empty() {
            return None;
        }
        let there = self.0.iter().position(|view| *view == seen);
        Some(there.unwrap_or_else(|| {
            self.0.push(seen);
            self.0.len() - 1
        }))
    }
}

/// The account a campaign is about: its own, else the only one that events named.
fn account_of<'a>(
    origins: &'a [Origin],
    campaign: &'a Campaign,
) -> Result<Option<&'a AccountId>, TrialError> {
    if let Some(account) = &campaign.account {
        return Ok(Some(account));
    }
    let accounts: BTreeSet<&AccountId> =
        origins.iter().filter_map(|o| o.account.as_ref()).collect();
    if accounts.len() > 1 {
        return Err(TrialError::AccountUnclear {
            campaign: campaign.id.clone(),
            accounts: accounts.iter().map(ToString::to_string).collect(),
        });
    }
    Ok(accounts.into_iter().next())
}

/// One customer id, as each view shows it: a guest of both modes has one id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The id.
    pub id: CustomerId,
    /// (view, the customer there).
    pub seen: Vec<(usize, Customer)>,
}

impl Person {
    /// Somebody seen in one view.
    pub fn in_view(view: usize, customer: Customer) -> Self {
        Self {
            id: customer.id.clone(),
            seen: vec![(view, customer)],
        }
    }
}
