//! When an attempt that failed is made again, and when it is given up. Pure: chance is an
//! argument.

use std::time::Duration;

use crate::domain::time::{DAY_SECONDS, Timestamp};

/// Pauses after each attempt, in seconds: 1, 3, 9, 27 minutes, 1.4 and 4 hours, and then 12 hours five times.
/// With what chance adds, up to a tenth, that is about three days.
const PAUSES_SECONDS: [i64; 11] = [
    60, 180, 540, 1_620, 4_860, 14_580, 43_200, 43_200, 43_200, 43_200, 43_200,
];
/// An endpoint of which nothing but failures came for this long is turned off. Longer than the
/// attempts of one message take, so that each has had its chance.
pub const DISABLED_AFTER_SECONDS: i64 = 4 * DAY_SECONDS;

/// The longest that chance may add to the pause after so many attempts.
pub fn spread(attempts: i64) -> Duration {
    let pause = pause(attempts).unwrap_or_default();
    Duration::from_secs(u64::try_from(pause.div_euclid(10)).unwrap_or_default())
}

/// When it is tried again after so many attempts; `None` if it is given up.
pub fn again_at(attempts: i64, now: Timestamp, chance: Duration) -> Option<Timestamp> {
    let chance = i64::try_from(chance.as_secs()).unwrap_or_default();
    pause(attempts).map(|pause| now.plus_seconds(pause.saturating_add(chance)))
}

fn pause(attempts: i64) -> Option<i64> {
    let place = usize::try_from(attempts.saturating_sub(1)).unwrap_or_default();
    PAUSES_SECONDS.get(place).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_end_after_about_three_days() {
        let now = Timestamp::default();
        let mut at = now;
        let mut attempts = 1;
        let mut last = 0;
        while let Some(next) = again_at(attempts, at, Duration::ZERO) {
            let pause = next.unix() - at.unix();
            assert!(pause >= last, "{attempts}: {pause}");
            assert!(spread(attempts).as_secs() <= u64::try_from(pause).unwrap() / 10);
            (at, last, attempts) = (next, pause, attempts + 1);
        }
        assert_eq!(attempts, 12);
        let days = at.unix() - now.unix();
        assert!((2 * DAY_SECONDS..3 * DAY_SECONDS).contains(&days), "{days}");
        assert!(days * 11 / 10 < DISABLED_AFTER_SECONDS);
        assert_eq!(spread(12), Duration::ZERO);
        let late = again_at(1, now, Duration::from_secs(6)).unwrap();
        assert_eq!(late.unix() - now.unix(), 66);
    }
}
