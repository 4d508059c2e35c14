//! What could not be used, said line by line as it is found: `events.jsonl:17: reason`. It
//! counts; whether that is an error is `--strict`'s business.

use std::fmt::Display;
use std::io::Write;

/// Where complaints go.
pub struct Notes<'w> {
    out: &'w mut dyn Write,
    unusable: u64,
}

impl<'w> Notes<'w> {
    /// Complains to `out`.
    pub fn new(out: &'w mut dyn Write) -> Self {
        Self { out, unusable: 0 }
    }

    /// A line that cannot be used, or not as it is written.
    pub fn unusable(&mut self, file: &str, line: u64, reason: impl Display) {
        self.unusable += 1;
        // A closed stderr is no reason to stop.
        let _ = writeln!(self.out, "{file}:{line}: {reason}");
    }

    /// Something worth knowing that is no fault of a line.
    pub fn say(&mut self, text: impl Display) {
        let _ = writeln!(self.out, "{text}");
    }

    /// How many lines were complained about.
    pub const fn count(&self) -> u64 {
        self.unusable
    }
}
