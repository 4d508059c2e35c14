//! Instants and half-open windows, in UTC, at Stripe's own resolution of one second.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Seconds in the day that campaigns count with: always 24 hours, never a calendar day.
pub const DAY_SECONDS: i64 = 86_400;

/// An instant in unix seconds. Stripe reports nothing finer, so finer input is cut down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// 9999-12-31T23:59:59Z, the last instant that can be written as RFC 3339.
    pub const MAX: Self = Self(253_402_300_799);

    /// From unix seconds; `None` outside the years 0001 to 9999.
    pub fn from_unix(seconds: i64) -> Option<Self> {
        (-62_135_596_800..=Self::MAX.0)
            .contains(&seconds)
            .then_some(Self(seconds))
    }

    /// Unix seconds.
    pub const fn unix(self) -> i64 {
        self.0
    }

    /// This instant moved by a number of seconds, held inside the years that can be written.
    #[must_use]
    pub fn plus_seconds(self, seconds: i64) -> Self {
        Self(
            self.0
                .saturating_add(seconds)
                .clamp(-62_135_596_800, Self::MAX.0),
        )
    }

    /// This instant moved by whole days of 24 hours.
    #[must_use]
    pub fn plus_days(self, days: u32) -> Self {
        self.plus_seconds(i64::from(days) * DAY_SECONDS)
    }

    /// Reads RFC 3339 (`2026-03-01T00:00:00Z`, any offset); a bare date is midnight UTC.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if let Ok(date) = chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d") {
            return Self::from_unix(date.and_hms_opt(0, 0, 0)?.and_utc().timestamp());
        }
        DateTime::parse_from_rfc3339(text)
            .ok()
            .and_then(|t| Self::from_unix(t.timestamp()))
    }

    /// The date alone, `2026-03-12`.
    pub fn date(self) -> String {
        self.to_chrono().format("%Y-%m-%d").to_string()
    }

    /// Date and time to the minute with its zone, `2026-03-12 09:00 UTC`, for sentences.
    pub fn words(self) -> String {
        self.to_chrono().format("%Y-%m-%d %H:%M UTC").to_string()
    }

    /// The same instant as chrono has it.
    pub fn to_chrono(self) -> DateTime<Utc> {
        DateTime::from_timestamp(self.0, 0).unwrap_or_default()
    }
}

impl std::fmt::Display for Timestamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.to_chrono().to_rfc3339_opts(SecondsFormat::Secs, true))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| {
            serde::de::Error::custom(format!(
                "`{text}` is not a time; write it like 2026-03-01T00:00:00Z"
            ))
        })
    }
}

/// A half-open window `[opens_at, closes_at)`; without an end it stays open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// The first instant inside.
    pub opens_at: Timestamp,
    /// The first instant outside again.
    pub closes_at: Option<Timestamp>,
}

impl Window {
    /// Whether an instant is past the end.
    pub fn closed_at(&self, instant: Timestamp) -> bool {
        self.closes_at.is_some_and(|end| instant >= end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_read_and_written_in_utc() {
        let t = Timestamp::parse("2026-03-01T01:00:00.9+01:00").unwrap();
        assert_eq!(t.to_string(), "2026-03-01T00:00:00Z");
        assert_eq!(Timestamp::parse("2026-03-01"), Some(t));
        assert_eq!(Timestamp::parse("yesterday"), None);
        assert_eq!(Timestamp::from_unix(i64::MAX), None);
        assert_eq!(Timestamp::MAX.plus_days(1), Timestamp::MAX);
    }

    #[test]
    fn a_window_leaves_out_its_end() {
        let at = |s| Timestamp::from_unix(s).unwrap();
        let w = Window {
            opens_at: at(10),
            closes_at: Some(at(20)),
        };
        assert!(!w.closed_at(at(19)) && w.closed_at(at(20)));
        assert!(
            !Window {
                opens_at: at(10),
                closes_at: None
            }
            .closed_at(Timestamp::MAX)
        );
    }
}
