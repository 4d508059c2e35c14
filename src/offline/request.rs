//! What is asked of a backtest, and what it answers beside the verdicts it writes.

use super::streamed::{Means, Output, Question};
use crate::domain::campaign::Campaign;
use crate::domain::time::Timestamp;
use crate::evaluate::backtest::Difference;

/// What is asked.
#[derive(Debug, Clone)]
pub struct Request<'r> {
    /// The rules whose verdicts are written.
    pub campaigns: &'r [Campaign],
    /// Other rules to compare with.
    pub against: Option<&'r [Campaign]>,
    /// The instant to decide for; the newest event's if `None`.
    pub at: Option<Timestamp>,
    /// What is printed.
    pub output: Output,
    /// Threads and temporary files.
    pub means: Means,
}

impl<'r> Request<'r> {
    /// The question at an instant.
    pub(super) const fn question(&self, as_of: Timestamp) -> Question<'r> {
        Question {
            campaigns: self.campaigns,
            against: self.against,
            as_of,
            output: self.output,
        }
    }
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The instant that was decided for.
    pub as_of: Timestamp,
    /// What the other rules would change.
    pub difference: Option<Difference>,
}
