//! What a long run tells while it goes on, and how it is stopped.

/// How far a run is. Called often and from several threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// So many events have been read in all.
    Events(u64),
    /// So many customers have been judged in all.
    Customers {
        /// So far.
        done: u64,
        /// Of about so many, if that can be told.
        of: Option<u64>,
    },
    /// So many verdicts have been written in all.
    Verdicts {
        /// So far.
        done: u64,
        /// Of so many, if that is known.
        of: Option<u64>,
    },
}

/// Somebody who waits for a backtest.
pub trait Watch: Sync {
    /// It got so far.
    fn progress(&self, step: Step);

    /// Whether it is to stop at the next good moment.
    fn is_cancelled(&self) -> bool {
        false
    }
}

/// Nobody waits.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unwatched;

impl Watch for Unwatched {
    fn progress(&self, _: Step) {}
}
