//! How values are written for people: money by its currency, counts, times with their zone and
//! how far away they are. Strings in, strings out; nothing here reads a clock.

use crate::domain::email::CanonicalEmail;
use crate::domain::money::Money;
use crate::domain::time::{DAY_SECONDS, Timestamp};
use crate::http::words::capital;

/// `4,251.90 USD`: in the decimals of its currency, thousands apart.
pub fn money(money: Money) -> String {
    format!("{} {}", amount(money), money.currency)
}

/// `4,251.90`: the amount alone, for a column whose head names the currency.
pub fn amount(money: Money) -> String {
    let plain = money.major();
    let (sign, digits) = plain
        .strip_prefix('-')
        .map_or(("", plain.as_str()), |rest| ("\u{2212}", rest));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{sign}{}{point}{fraction}", thousands(whole))
}

/// A change: `+12.00 USD`, `−3.50 USD`, `0.00 USD`.
pub fn change(change: Money) -> String {
    let plus = if change.minor > 0 { "+" } else { "" };
    format!("{plus}{}", money(change))
}

/// `12,345`.
pub fn count(number: i64) -> String {
    let sign = if number < 0 { "\u{2212}" } else { "" };
    format!("{sign}{}", thousands(&number.unsigned_abs().to_string()))
}

/// `+18`, `−3`, `0`.
pub fn count_change(number: i64) -> String {
    let plus = if number > 0 { "+" } else { "" };
    format!("{plus}{}", count(number))
}

fn thousands(digits: &str) -> String {
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 referral`, `12 referrals`: the word in the singular, its plural made with `s`.
pub fn plural(number: i64, word: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{} {word}{ending}", count(number))
}

/// How far an instant is from now: `in 3 days`, `5 months ago`, `just now`.
pub fn relative(at: Timestamp, now: Timestamp) -> String {
    const MINUTE: i64 = 60;
    const HOUR: i64 = 3_600;
    const STEPS: [(i64, i64, &str); 5] = [
        // Below this distance it is counted in this unit.
        (HOUR, MINUTE, "minute"),
        (36 * HOUR, HOUR, "hour"),
        (60 * DAY_SECONDS, DAY_SECONDS, "day"),
        (730 * DAY_SECONDS, 30 * DAY_SECONDS, "month"),
        (i64::MAX, 365 * DAY_SECONDS, "year"),
    ];
    let distance = at.unix().saturating_sub(now.unix());
    let size = distance.saturating_abs();
    if size < MINUTE {
        return if distance > 0 {
            "in a moment"
        } else {
            "just now"
        }
        .to_owned();
    }
    let unit = STEPS.iter().find(|(below, ..)| size < *below);
    let words = unit.map_or_else(String::new, |(_, unit, word)| plural(size / unit, word));
    if distance > 0 {
        format!("in {words}")
    } else {
        format!("{words} ago")
    }
}

/// How long until an instant, in two units: `in 5 h 12 min`, `in 3 d 4 h`, `in 40 s`; `now` once
/// it has come.
pub fn countdown(at: Timestamp, now: Timestamp) -> String {
    const UNITS: [(i64, &str); 4] = [(DAY_SECONDS, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let left = at.unix().saturating_sub(now.unix());
    let first = UNITS.iter().position(|(size, _)| left >= *size);
    let Some(first) = first else {
        return "now".to_owned();
    };
    // Seconds beside minutes would only look exact.
    let shown = UNITS.iter().skip(first).take(2);
    let mut rest = left;
    let mut words = Vec::new();
    for (size, unit) in shown {
        let count = rest / size;
        rest %= size;
        if count > 0 && (*size > 1 || words.is_empty()) {
            words.push(format!("{count} {unit}"));
        }
    }
    format!("in {}", words.join(" "))
}

/// An email of which only the first letters show: `a***@e***.com`.
pub fn masked(email: &CanonicalEmail) -> String {
    email.masked()
}

/// The first characters of a hash, enough to tell two apart: `sha256:0123456789ab`.
pub fn short_hash(hash: &str) -> &str {
    hash.get(..19).unwrap_or(hash)
}

/// A stable code as words: `duplicate_customers` → `Duplicate customers`.
pub fn code_words(code: &str) -> String {
    capital(&code.replace(['_', '-'], " "))
}

/// Who made a change, as people say it: `user:Mara Lind` → `Mara Lind`.
pub fn actor(label: &str) -> String {
    match label.split_once(':') {
        Some(("user", name)) => name.to_owned(),
        Some(("key", name)) => format!("API key {name}"),
        _ => code_words(label),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::currency::Currency;

    #[test]
    fn money_has_its_currencys_decimals() {
        let of = |code, minor| Money::new(minor, Currency::parse(code).unwrap());
        for (code, minor, words) in [
            ("usd", 425_190, "4,251.90 USD"),
            ("usd", 5, "0.05 USD"),
            ("usd", -40_200, "\u{2212}402.00 USD"),
            ("jpy", 86_000, "86,000 JPY"),
            ("kwd", 1_234_567, "1,234.567 KWD"),
            ("usd", 100_000_000_000, "1,000,000,000.00 USD"),
        ] {
            assert_eq!(money(of(code, minor)), words);
        }
        assert_eq!(change(of("usd", 1200)), "+12.00 USD");
        assert_eq!(change(of("usd", 0)), "0.00 USD");
        assert_eq!(
            (count(-1_234), count_change(7)),
            ("\u{2212}1,234".into(), "+7".into())
        );
        assert_eq!(
            (plural(1, "payment"), plural(0, "payment")),
            ("1 payment".into(), "0 payments".into())
        );
    }

    #[test]
    fn distances_are_told_in_the_unit_that_says_most() {
        let now = Timestamp::parse("2026-03-10T12:00:00Z").unwrap();
        for (seconds, words) in [
            (0, "just now"),
            (-59, "just now"),
            (30, "in a moment"),
            (60, "in 1 minute"),
            (-3_599, "59 minutes ago"),
            (3_600, "in 1 hour"),
            (-35 * 3_600, "35 hours ago"),
            (3 * DAY_SECONDS, "in 3 days"),
            (-59 * DAY_SECONDS, "59 days ago"),
            (-60 * DAY_SECONDS, "2 months ago"),
            (800 * DAY_SECONDS, "in 2 years"),
        ] {
            assert_eq!(relative(now.plus_seconds(seconds), now), words, "{seconds}");
        }
    }

    #[test]
    fn a_countdown_has_two_units() {
        let now = Timestamp::parse("2026-03-10T12:00:00Z").unwrap();
        for (seconds, words) in [
            (-5, "now"),
            (0, "now"),
            (40, "in 40 s"),
            (61, "in 1 min"),
            (5 * 3_600 + 12 * 60 + 59, "in 5 h 12 min"),
            (3_600, "in 1 h"),
            (3 * DAY_SECONDS + 4 * 3_600, "in 3 d 4 h"),
            (DAY_SECONDS + 59, "in 1 d"),
        ] {
            assert_eq!(
                countdown(now.plus_seconds(seconds), now),
                words,
                "{seconds}"
            );
        }
    }

    #[test]
    fn codes_read_as_words() {
        assert_eq!(code_words("duplicate_customers"), "Duplicate customers");
        assert_eq!(code_words(""), "");
        assert_eq!(actor("user:Mara: Lind"), "Mara: Lind");
        assert_eq!(actor("key:shop"), "API key shop");
        assert_eq!(actor("command line"), "Command line");
    }
}
