//! Slots: which half day a batch belongs to. Pure.

use crate::domain::time::Timestamp;

/// Length of a slot: 12 hours.
pub const SLOT_SECONDS: i64 = 43_200;

/// The number of the slot that an instant lies in: `floor(unix / 43200)`.
pub const fn number(at: Timestamp) -> i64 {
    at.unix().div_euclid(SLOT_SECONDS)
}

/// The first instant of a slot; `None` beyond the years that can be written.
pub fn start(number: i64) -> Option<Timestamp> {
    number
        .checked_mul(SLOT_SECONDS)
        .and_then(Timestamp::from_unix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_start_at_midnight_and_noon() {
        let at = |text| Timestamp::parse(text).unwrap();
        let slot = number(at("2026-03-01T11:59:59Z"));
        assert_eq!(start(slot), Some(at("2026-03-01T00:00:00Z")));
        assert_eq!(start(slot + 1), Some(at("2026-03-01T12:00:00Z")));
        assert_eq!(number(at("1969-12-31T23:59:59Z")), -1);
    }
}
