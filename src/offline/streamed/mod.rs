//! Rule sets tried on a history of any length, in little memory and on all cores. The verdicts
//! are those of [`backtest`](crate::evaluate::backtest::backtest) on everything at once.
//!
//! 1. [`shards`] says where customers come from; [`persons()`] assembles them from facts.
//! 2. [`pass`] judges each as it is read, by [`part`], with the referrals that [`index`] finds
//!    for it in the [`book`]; [`touches`] tells which have to be judged together after all.
//! 3. Verdicts are [`rows`] of bytes in sorted [`runs`]; [`report`] applies limits and prints.

mod book;
mod error;
mod index;
mod part;
mod pass;
mod persons;
mod report;
mod rows;
mod runs;
mod shards;
mod threads;
mod touches;
mod views;
mod watch;

use std::io::Write;

pub use book::ReferralBook;
pub use error::BacktestError;
pub use index::Hashed;
pub use part::{Output, People};
pub use pass::{Held, Means};
pub use persons::persons;
pub use runs::temporary;
pub use shards::{Shards, Take};
pub use threads::share_out;
pub use views::{Person, TrialError, Tried, Views};
pub use watch::{Step, Unwatched, Watch};

use crate::domain::campaign::Campaign;
use crate::domain::time::Timestamp;
use crate::evaluate::backtest::Difference;
use crate::offline::origin::Origin;

/// One or two rule sets, and how to try them.
#[derive(Debug, Clone)]
pub struct Question<'c> {
    /// The rules whose verdicts are written.
    pub campaigns: &'c [Campaign],
    /// Other rules to compare with, if any.
    pub against: Option<&'c [Campaign]>,
    /// The instant to decide for.
    pub as_of: Timestamp,
    /// What is printed.
    pub output: Output,
}

/// A question with the views that its campaigns need.
#[derive(Debug)]
pub struct Placed<'c> {
    sets: Vec<Vec<Tried<'c>>>,
    views: Views,
    as_of: Timestamp,
    output: Output,
}

impl<'c> Question<'c> {
    /// Finds out which of these origins' facts each campaign sees.
    pub fn place(&self, origins: &[Origin]) -> Result<Placed<'c>, TrialError> {
        let mut views = Views::default();
        let mut sets = Vec::new();
        for campaigns in std::iter::once(self.campaigns).chain(self.against) {
            sets.push(views.place(origins, campaigns)?);
        }
        Ok(Placed {
            sets,
            views,
            as_of: self.as_of,
            output: self.output,
        })
    }
}

impl Placed<'_> {
    /// What is seen of the origins; shards hand over persons as seen so.
    pub const fn views(&self) -> &Views {
        &self.views
    }

    /// Judges everybody and writes the verdicts, sorted by campaign and referral. Blocks, on
    /// `means.threads` threads. Answers what the other rules would change, if there are any.
    pub fn answer(
        self,
        people: &People,
        shards: &dyn Shards,
        means: &Means,
        watch: &dyn Watch,
        out: &mut dyn Write,
    ) -> Result<Option<Difference>, BacktestError> {
        let judge = part::Judge {
            people,
            sets: self.sets,
            as_of: self.as_of,
            output: self.output,
        };
        let mut verdicts = pass::judge_all(&judge, shards, means, watch)?;
        report::write(&judge, &mut verdicts, out, watch)
    }
}
