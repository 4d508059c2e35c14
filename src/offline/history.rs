//! Everything a rule set is tried on. Where it came from (files, the database) is not known
//! here, and nothing in it is decided yet.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::domain::campaign::Mode;
use crate::domain::decision::Decisions;
use crate::domain::fact::{Fact, FactBook};
use crate::domain::ids::AccountId;
use crate::domain::people::Referral;
use crate::domain::time::Timestamp;
use crate::matching::Promoters;

/// Whose facts: facts of different origins never meet, but for those that name no account.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    /// The account that the event named; only Connect's events do.
    pub account: Option<AccountId>,
    /// Live or test.
    pub mode: Mode,
}

/// Facts, people and decisions.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// Folded facts by origin.
    pub facts: BTreeMap<Origin, FactBook>,
    /// The newest `created` among the events.
    pub newest: Option<Timestamp>,
    /// Referrals of all campaigns.
    pub referrals: Vec<Referral>,
    /// Promoters of all campaigns.
    pub promoters: Promoters,
    /// Decisions in force; files know none.
    pub decisions: Decisions,
}

impl History {
    /// The accounts that events named.
    pub fn accounts(&self) -> BTreeSet<&AccountId> {
        let named = self.facts.keys().filter_map(|o| o.account.as_ref());
        named.collect()
    }

    /// The facts of an account in a mode: those that name it, and those that name none.
    pub fn facts_of(&self, account: Option<&AccountId>, mode: Mode) -> Cow<'_, FactBook> {
        let book = |account: Option<&AccountId>| {
            let account = account.cloned();
            self.facts.get(&Origin { account, mode })
        };
        match (book(None), account.and_then(|account| book(Some(account)))) {
            (None, None) => Cow::Owned(FactBook::default()),
            (Some(only), None) | (None, Some(only)) => Cow::Borrowed(only),
            (Some(all), Some(own)) => {
                let mut both = all.clone();
                both.extend(own.iter().map(|(object, state)| Fact {
                    object: object.clone(),
                    state: state.clone(),
                }));
                Cow::Owned(both)
            }
        }
    }
}
