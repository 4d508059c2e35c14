//! Instants and half-open windows, in UTC, at Stripe's own resolution of one second.

use chrono::{DateTime, SecondsFormat, Utc};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
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
        if let Some(instant) = Self::parse_plain(text.as_bytes()) {
            return Some(instant);
        }
        let text = text.trim();
        if let Ok(date) = chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d") {
            return Self::from_unix(date.and_hms_opt(0, 0, 0)?.and_utc().timestamp());
        }
        DateTime::parse_from_rfc3339(text)
            .ok()
            .and_then(|t| Self::from_unix(t.timestamp()))
    }

    /// The one form in which this type writes itself, `2026-03-01T00:00:00Z`: a backtest reads
    /// tens of millions of them. `None` for any other form, right or wrong.
    fn parse_plain(text: &[u8]) -> Option<Self> {
        let [
            y0,
            y1,
            y2,
            y3,
            b'-',
            m0,
            m1,
            b'-',
            d0,
            d1,
            b'T',
            h0,
            h1,
            b':',
            i0,
            i1,
            b':',
            s0,
            s1,
            b'Z',
        ] = text
        else {
            return None;
        };
        let number = |digits: &[&u8]| {
            digits.iter().try_fold(0_i64, |sum, digit| {
                let digit = digit.checked_sub(b'0').filter(|digit| *digit < 10)?;
                Some(sum * 10 + i64::from(digit))
            })
        };
        let (year, month) = (number(&[y0, y1, y2, y3])?, number(&[m0, m1])?);
        let (day, hour) = (number(&[d0, d1])?, number(&[h0, h1])?);
        let (minute, second) = (number(&[i0, i1])?, number(&[s0, s1])?);
        // Days that not every month has, and leap seconds, are left to the long way.
        let plain = (1..=12).contains(&month) && (1..=28).contains(&day);
        if !plain || hour > 23 || minute > 59 || second > 59 || year == 0 {
            return None;
        }
        let days = days_from_civil(year, month, day);
        Self::from_unix(days * DAY_SECONDS + hour * 3_600 + minute * 60 + second)
    }

    /// The date alone, `2026-03-12`.
    pub fn date(self) -> String {
        self.to_chrono().format("%Y-%m-%d").to_string()
    }

    /// Date and time to the minute with its zone, `2026-03-12 09:00 UTC`, for sentences.
    pub fn words(self) -> String {
        self.to_chrono().format("%Y-%m-%d %H:%M UTC").to_string()
    }

    /// The instant as text; `None` outside the years of four digits.
    fn plain(self) -> Option<[u8; 20]> {
        let (year, month, day) = civil_from_days(self.0.div_euclid(DAY_SECONDS));
        if !(1..=9_999).contains(&year) {
            return None;
        }
        let second = self.0.rem_euclid(DAY_SECONDS);
        let two = |number: i64| [digit(number / 10), digit(number)];
        let ([y0, y1], [y2, y3]) = (two(year / 100), two(year));
        let ([m0, m1], [d0, d1]) = (two(month), two(day));
        let ([h0, h1], [i0, i1]) = (two(second / 3_600), two(second / 60 % 60));
        let [s0, s1] = two(second % 60);
        Some([
            y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1, b'T', h0, h1, b':', i0, i1, b':', s0, s1,
            b'Z',
        ])
    }

    /// The same instant as chrono has it.
    pub fn to_chrono(self) -> DateTime<Utc> {
        DateTime::from_timestamp(self.0, 0).unwrap_or_default()
    }
}

impl std::fmt::Display for Timestamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.plain() {
            Some(text) => f.write_str(std::str::from_utf8(&text).unwrap_or_default()),
            None => f.write_str(&self.to_chrono().to_rfc3339_opts(SecondsFormat::Secs, true)),
        }
    }
}

/// The last decimal digit of a number that is not negative.
fn digit(number: i64) -> u8 {
    b'0' + u8::try_from(number.rem_euclid(10)).unwrap_or(0)
}

/// Days from 1970-01-01 to a date of the Gregorian calendar. Years are counted from March, so
/// that the leap day is the last of its year; 400 years are 146,097 days.
const fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The date that lies so many days after 1970-01-01: (year, month, day).
const fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year + era * 400;
    (if month <= 2 { year + 1 } else { year }, month, day)
}

impl JsonSchema for Timestamp {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Timestamp".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date-time" })
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
    fn the_short_way_and_the_long_way_agree() {
        let mut instant = -62_135_596_800_i64;
        while instant < Timestamp::MAX.unix() {
            let t = Timestamp::from_unix(instant).unwrap();
            let long = t.to_chrono().to_rfc3339_opts(SecondsFormat::Secs, true);
            assert_eq!(t.to_string(), long);
            assert_eq!(Timestamp::parse(&long), Some(t), "{long}");
            instant += 86_400 * 13 + 3_671;
        }
        assert_eq!(Timestamp::MAX.to_string(), "9999-12-31T23:59:59Z");
        for leap in [
            "2000-02-29T23:59:59Z",
            "2024-02-29T00:00:00Z",
            "2026-12-31T10:00:00Z",
        ] {
            assert_eq!(Timestamp::parse(leap).unwrap().to_string(), leap);
        }
        for wrong in [
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-01-01T24:00:00Z",
        ] {
            assert_eq!(Timestamp::parse(wrong), None, "{wrong}");
        }
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
