//! The clock: the only place that reads time. Everything else is handed an instant.
//! Not a timer: waiting is done with tokio, deciding with the instants from here.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::domain::time::Timestamp;

/// Microseconds in a second.
pub const SECOND_US: i64 = 1_000_000;

/// Tells the time, in UTC.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// Unix microseconds, for `received_at` and for measuring lag.
    fn now_us(&self) -> i64;

    /// The instant in whole seconds, as rules and Stripe count.
    fn now(&self) -> Timestamp {
        Timestamp::from_unix(self.now_us().div_euclid(SECOND_US)).unwrap_or_default()
    }
}

/// A clock that rooms share.
pub type SharedClock = Arc<dyn Clock>;

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl SystemClock {
    /// The machine's clock, ready to be shared.
    pub fn shared() -> SharedClock {
        Arc::new(Self)
    }
}

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that may read the machine's clock"
    )]
    fn now_us(&self) -> i64 {
        chrono::Utc::now().timestamp_micros()
    }
}

/// A clock that stands still until it is set: for the demo and for tests.
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that shows this instant.
    pub const fn at(instant: Timestamp) -> Self {
        Self(AtomicI64::new(instant.unix().saturating_mul(SECOND_US)))
    }

    /// Sets it, forwards or backwards.
    pub fn set(&self, instant: Timestamp) {
        let us = instant.unix().saturating_mul(SECOND_US);
        self.0.store(us, Ordering::SeqCst);
    }

    /// Moves it by a number of seconds.
    pub fn advance(&self, seconds: i64) {
        let us = seconds.saturating_mul(SECOND_US);
        self.0.fetch_add(us, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now_us(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_when_told() {
        let noon = Timestamp::parse("2026-03-01T12:00:00Z").unwrap();
        let clock = ManualClock::at(noon);
        assert_eq!((clock.now(), clock.now()), (noon, noon));
        clock.advance(-1);
        assert_eq!(clock.now().to_string(), "2026-03-01T11:59:59Z");
        clock.set(noon);
        assert_eq!(clock.now_us(), noon.unix() * SECOND_US);
    }

    #[test]
    fn an_instant_before_1970_is_cut_down_not_up() {
        let clock = ManualClock(AtomicI64::new(-1));
        assert_eq!(clock.now().unix(), -1);
    }

    #[test]
    fn the_machines_clock_is_later_than_this_code() {
        assert!(SystemClock.now() > Timestamp::parse("2026-01-01").unwrap());
    }
}
