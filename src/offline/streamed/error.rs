//! Why a backtest ends without an answer.

use super::views::TrialError;
use crate::offline::files::ReadError;
use crate::store::StoreError;

/// Why a backtest ends without an answer.
#[derive(Debug, thiserror::Error)]
pub enum BacktestError {
    /// It was told to stop.
    #[error("the backtest was stopped")]
    Cancelled,
    /// Nothing says which instant to decide for.
    #[error("no event says when to decide for; give the instant with --at")]
    NoInstant,
    /// Lines that cannot be used, where all have to be.
    #[error("{lines} {} cannot be used; --strict goes no further", plural(*lines))]
    Unusable {
        /// How many.
        lines: u64,
    },
    /// The rules and the history do not fit.
    #[error(transparent)]
    Trial(#[from] TrialError),
    /// A file is not there, broke off, or contradicts itself.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Something could not be put aside for a moment.
    #[error("cannot use a temporary file; choose another folder with --tmp-dir: {0}")]
    Temporary(std::io::Error),
    /// The verdicts could not be written.
    #[error(transparent)]
    Output(std::io::Error),
}

const fn plural(lines: u64) -> &'static str {
    if lines == 1 { "line" } else { "lines" }
}
