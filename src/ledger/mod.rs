//! Double entry. [`entries`] (pure) writes transactions that sum to zero; [`audit`] (pure)
//! checks sums. Entries are never changed: what was wrong is countered.

pub mod audit;
pub mod entries;
