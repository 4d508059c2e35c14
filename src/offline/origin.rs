//! Whose facts: the account that an event named, and its mode.

use crate::domain::campaign::Mode;
use crate::domain::ids::AccountId;

/// Whose facts: facts of different origins never meet, but for those that name no account.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    /// The account that the event named; only Connect's events do.
    pub account: Option<AccountId>,
    /// Live or test.
    pub mode: Mode,
}
