//! Sums that must be zero. Pure.

use std::collections::BTreeMap;

use crate::domain::currency::Currency;
use crate::domain::ledger::Entry;

/// Currencies in which a transaction's entries do not sum to zero, with the sums.
pub fn unbalanced(entries: &[Entry]) -> Vec<(Currency, i128)> {
    let mut sums: BTreeMap<Currency, i128> = BTreeMap::new();
    for entry in entries {
        *sums.entry(entry.amount.currency).or_default() += i128::from(entry.amount.minor);
    }
    sums.into_iter().filter(|(_, sum)| *sum != 0).collect()
}
