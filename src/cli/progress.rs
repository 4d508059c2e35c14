//! One line on stderr that says how far a long command is, how fast, and how long it may still
//! take. Never on stdout.

use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::offline::streamed::{Step, Watch};
use crate::verify;

/// The line is written anew no more often than this.
const EVERY: Duration = Duration::from_millis(250);

/// When to show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Shown {
    /// On a terminal, unless only data was asked for.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Shown {
    /// Whether to show it on this stderr.
    pub(super) fn is_wanted(self, only_data: bool) -> bool {
        match self {
            Self::Auto => !only_data && std::io::stderr().is_terminal(),
            Self::Always => true,
            Self::Never => false,
        }
    }
}

/// The line.
pub(super) struct Progress(Option<Mutex<Line>>);

struct Line {
    what: &'static str,
    began: Instant,
    written: Option<Instant>,
    /// How far each of several walks is.
    walks: Vec<(&'static str, u64)>,
}

impl Progress {
    /// A line, or none.
    pub(super) fn new(shown: bool) -> Self {
        let line = || Line {
            what: "",
            began: Instant::now(),
            written: None,
            walks: Vec::new(),
        };
        Self(shown.then(|| Mutex::new(line())))
    }

    /// Takes the line away again.
    pub(super) fn finish(&self) {
        let line = self.0.as_ref().and_then(|line| line.lock().ok());
        if line.is_some_and(|line| line.written.is_some()) {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}

impl Progress {
    /// Says how far it is, if the line is old enough.
    fn tell(&self, what: &'static str, done: u64, of: Option<u64>) {
        let Some(mut line) = self.0.as_ref().and_then(|line| line.try_lock().ok()) else {
            return;
        };
        if line.what != what {
            (line.what, line.began) = (what, Instant::now());
        }
        if line
            .written
            .is_some_and(|written| written.elapsed() < EVERY)
        {
            return;
        }
        line.written = Some(Instant::now());
        let text = words(what, done, of, line.began.elapsed());
        let _ = write!(std::io::stderr(), "\r{text}\x1b[K");
    }
}

impl Watch for Progress {
    fn progress(&self, step: Step) {
        match step {
            Step::Events(done) => self.tell("events read", done, None),
            Step::Customers { done, of } => self.tell("customers judged", done, of),
            Step::Verdicts { done, of } => self.tell("verdicts written", done, of),
        }
    }
}

/// Several walks at once: the line says how far all of them are together.
impl verify::Watch for Progress {
    fn looked_at(&self, what: &'static str, count: u64) {
        let done = {
            let Some(mut walks) = self.0.as_ref().and_then(|line| line.lock().ok()) else {
                return;
            };
            let walks = &mut walks.walks;
            match walks.iter_mut().find(|(walk, _)| *walk == what) {
                Some((_, done)) => *done = count,
                None => walks.push((what, count)),
            }
            walks.iter().map(|(_, done)| done).sum()
        };
        self.tell("rows looked at", done, None);
    }
}

/// `120,000 of about 1,000,000 customers judged, 60,000/s, 15 s left`
fn words(what: &str, done: u64, of: Option<u64>, took: Duration) -> String {
    let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX).max(1);
    let rate = done.saturating_mul(1_000) / millis;
    let of_all = of.map(|of| format!(" of about {}", grouped(of)));
    let left = of.filter(|_| rate > 0).map(|of| {
        let seconds = of.saturating_sub(done) / rate.max(1);
        format!(", {} s left", grouped(seconds))
    });
    let (of_all, left) = (of_all.unwrap_or_default(), left.unwrap_or_default());
    format!(
        "{}{of_all} {what}, {}/s{left}",
        grouped(done),
        grouped(rate)
    )
}

/// A number with a comma before every three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_how_far_how_fast_and_how_long() {
        let line = |done, of| words("customers judged", done, of, Duration::from_secs(2));
        assert_eq!(
            line(120_000, Some(1_000_000)),
            "120,000 of about 1,000,000 customers judged, 60,000/s, 14 s left"
        );
        assert_eq!(line(999, None), "999 customers judged, 499/s");
        assert_eq!(line(0, Some(5)), "0 of about 5 customers judged, 0/s");
    }
}
