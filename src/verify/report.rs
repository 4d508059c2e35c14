//! What a check says, the same for the command line and for pages.

use serde::Serialize;

use crate::store::StoreError;

/// Differences that one check lists; of more, only the number is told.
pub(super) const LISTED_MAX: usize = 100;

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Where: table and key.
    pub place: String,
    /// What is stored and what it should be.
    pub seen: String,
    /// What to do about it.
    pub todo: &'static str,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Its stable name.
    pub name: &'static str,
    /// How many rows it looked at.
    pub looked_at: u64,
    /// How many differences there are in all.
    pub found: u64,
    /// The first of them.
    pub differences: Vec<Difference>,
}

impl Check {
    /// A check that has looked at nothing yet.
    pub(super) const fn new(name: &'static str) -> Self {
        Self {
            name,
            looked_at: 0,
            found: 0,
            differences: Vec::new(),
        }
    }

    /// Whether everything is as it should be.
    pub const fn is_ok(&self) -> bool {
        self.found == 0
    }

    /// Adds what another walk of the same check has found.
    pub(super) fn merge(&mut self, other: Self) {
        self.looked_at += other.looked_at;
        self.found += other.found;
        let room = LISTED_MAX.saturating_sub(self.differences.len());
        self.differences
            .extend(other.differences.into_iter().take(room));
    }

    pub(super) fn differs(
        &mut self,
        place: impl Into<String>,
        seen: impl Into<String>,
        todo: &'static str,
    ) {
        self.found += 1;
        if self.differences.len() < LISTED_MAX {
            self.differences.push(Difference {
                place: place.into(),
                seen: seen.into(),
                todo,
            });
        }
    }
}

/// All checks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Customers and referrals that waited to be judged, and were left out.
    pub waiting: usize,
    /// The checks, in the order in which one rests on the other.
    pub checks: Vec<Check>,
}

impl Report {
    /// Whether everything is as it should be.
    pub fn is_ok(&self) -> bool {
        self.checks.iter().all(Check::is_ok)
    }
}

/// A check that met a value that does not read back has found a difference.
pub(super) fn readable(
    name: &'static str,
    check: Result<Check, StoreError>,
) -> Result<Check, StoreError> {
    match check {
        Err(StoreError::Unreadable { table, detail }) => {
            let mut check = Check::new(name);
            check.differs(
                table,
                format!("a value does not read back: {detail}"),
                "restore the row from a backup; the check looked no further",
            );
            Ok(check)
        }
        check => check,
    }
}
