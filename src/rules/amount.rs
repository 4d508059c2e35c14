//! Amounts, currencies, thresholds and percentages as a campaign file writes them.
//! The arithmetic of money itself is `domain::money`'s.

use rust_decimal::Decimal;

use super::problem::{Report, codes};
use super::reader::{Item, Section};
use super::suggest;
use crate::domain::campaign::{Bound, EachPayment, Threshold};
use crate::domain::currency::Currency;
use crate::domain::money::{AMOUNT_MINOR_MAX, AmountError, Money, parse_decimal};

/// All of it, in basis points.
pub(super) const BASIS_POINTS_MAX: u32 = 10_000;

/// Most decimals that any currency has.
const DECIMALS_MAX: u32 = 3;

/// Currencies offered as suggestions: those of most Stripe accounts.
const COMMON: [&str; 16] = [
    "usd", "eur", "gbp", "jpy", "aud", "cad", "chf", "sek", "nok", "dkk", "pln", "brl", "inr",
    "mxn", "sgd", "nzd",
];

/// Names and signs that people write for a currency.
const NAMES: [(&str, &str); 10] = [
    ("$", "usd"),
    ("us$", "usd"),
    ("dollar", "usd"),
    ("dollars", "usd"),
    ("€", "eur"),
    ("euro", "eur"),
    ("euros", "eur"),
    ("£", "gbp"),
    ("¥", "jpy"),
    ("yen", "jpy"),
];

/// A currency code in either case.
pub(super) fn currency(report: &mut Report<'_>, section: &Section<'_, '_>) -> Option<Currency> {
    let Some(item) = section.get("currency") else {
        missing(report, section, "currency", "currency = \"usd\"");
        return None;
    };
    let text = item.text(report, "a quoted currency code like \"usd\"")?;
    let found = Currency::parse(text);
    if found.is_none() {
        let lower = text.to_lowercase();
        let hint = NAMES
            .iter()
            .find(|(name, _)| *name == lower)
            .map(|(_, code)| *code)
            .or_else(|| suggest::nearest(text, &COMMON))
            .map_or_else(String::new, |code| format!(", did you mean \"{code}\"?"));
        let message = format!(
            "found {}{hint}; accepted are the three letters of ISO 4217, like \"usd\"",
            item.found()
        );
        item.refuse(report, codes::CURRENCY_UNKNOWN, message);
    }
    found
}

/// Reports a key that has to be there, at the table it belongs to.
pub(super) fn missing(
    report: &mut Report<'_>,
    section: &Section<'_, '_>,
    key: &str,
    example: &str,
) {
    let path = if section.path.is_empty() {
        key.to_owned()
    } else {
        format!("{}.{key}", section.path)
    };
    let message = format!("found no `{key}`; write for example {example}");
    report.add(section.at, &path, codes::MISSING_KEY, message);
}

/// `{ amount = "20.00", currency = "usd" }`, more than zero.
pub(super) fn money(report: &mut Report<'_>, item: &Item<'_, '_>) -> Option<Money> {
    let section = item.table(report, &["amount", "currency"])?;
    let currency = currency(report, &section);
    let Some(amount) = section.get("amount") else {
        missing(report, &section, "amount", "amount = \"20.00\"");
        return None;
    };
    positive(report, &amount, currency)
}

/// A positive amount. Without a known currency only its form is checked.
fn positive(
    report: &mut Report<'_>,
    item: &Item<'_, '_>,
    currency: Option<Currency>,
) -> Option<Money> {
    let text = item.decimal(report, "50.00")?;
    let Some(currency) = currency else {
        if let Err(error @ AmountError::NotANumber(_)) = parse_decimal(text) {
            invalid(report, item, &error);
        }
        return None;
    };
    match Money::parse_major(text, currency) {
        Err(error) => {
            invalid(report, item, &error);
            None
        }
        Ok(money) if money.minor <= 0 => {
            let message = format!("found {}; accepted are amounts above zero", item.found());
            item.refuse(report, codes::OUT_OF_RANGE, message);
            None
        }
        Ok(money) => Some(money),
    }
}

fn invalid(report: &mut Report<'_>, item: &Item<'_, '_>, error: &AmountError) {
    let found = item.found();
    let message = match error {
        AmountError::NotANumber(text) if text.starts_with('-') => {
            format!("found {found}; accepted are amounts above zero, like \"50.00\"")
        }
        AmountError::NotANumber(_) => format!(
            "found {found}; accepted are plain digits with a point for decimals, like \"50.00\", \
             without signs, spaces or thousands separators"
        ),
        AmountError::TooPrecise {
            currency,
            decimals: 0,
            ..
        } => {
            format!("found {found}; accepted for {currency} are whole numbers, it has no decimals")
        }
        AmountError::TooPrecise {
            currency, decimals, ..
        } => format!("found {found}; accepted for {currency} are at most {decimals} decimals"),
        AmountError::TooLarge(_) => format!(
            "found {found}; accepted are amounts up to {AMOUNT_MINOR_MAX} of the smallest unit"
        ),
    };
    item.refuse(report, codes::AMOUNT_INVALID, message);
}

/// The one of `at_least` and `more_than` that was written.
fn bound<'a, 'i>(
    report: &mut Report<'_>,
    section: &Section<'a, 'i>,
) -> Option<(Bound, Item<'a, 'i>)> {
    match (section.get("at_least"), section.get("more_than")) {
        (Some(item), None) => Some((Bound::AtLeast, item)),
        (None, Some(item)) => Some((Bound::MoreThan, item)),
        (None, None) => {
            missing(
                report,
                section,
                "at_least",
                "at_least = \"50.00\" or more_than = \"50.00\"",
            );
            None
        }
        (Some(least), Some(more)) => {
            let later = if least.at > more.at { least } else { more };
            later.refuse(
                report,
                codes::CONFLICT,
                "found both `at_least` and `more_than`; accepted is one of them",
            );
            None
        }
    }
}

/// `{ at_least = "50.00", currency = "usd" }`.
pub(super) fn threshold(report: &mut Report<'_>, item: &Item<'_, '_>) -> Option<Threshold> {
    let section = item.table(report, &["at_least", "more_than", "currency"])?;
    let currency = currency(report, &section);
    let (bound, written) = bound(report, &section)?;
    let amount = positive(report, &written, currency)?;
    Some(Threshold { bound, amount })
}

/// `{ more_than = "0.50" }`, in whatever currency a payment has.
pub(super) fn each_payment(report: &mut Report<'_>, item: &Item<'_, '_>) -> Option<EachPayment> {
    let section = item.table(report, &["at_least", "more_than"])?;
    let (bound, written) = bound(report, &section)?;
    let text = written.decimal(report, "0.50")?;
    let value = match parse_decimal(text) {
        Ok(value) => value.normalize(),
        Err(error) => {
            invalid(report, &written, &error);
            return None;
        }
    };
    if value.scale() > DECIMALS_MAX {
        let message = format!(
            "found {}; accepted are at most {DECIMALS_MAX} decimals, no currency has more",
            written.found()
        );
        written.refuse(report, codes::AMOUNT_INVALID, message);
        return None;
    }
    if bound == Bound::AtLeast && value.is_zero() {
        let message = "found zero; accepted are amounts above zero, or more_than = \"0\" to count \
                       every payment (a payment of nothing never counts)";
        written.refuse(report, codes::OUT_OF_RANGE, message);
        return None;
    }
    let made = make_each_payment(bound, value);
    if made.is_none() {
        invalid(report, &written, &AmountError::TooLarge(text.to_owned()));
    }
    made
}

/// The smallest payments in minor units for 0 to 3 decimals; `None` if one does not fit.
pub(super) fn make_each_payment(bound: Bound, value: Decimal) -> Option<EachPayment> {
    let mut least_minor = [0; 4];
    for (least, power) in least_minor.iter_mut().zip([1_i64, 10, 100, 1000]) {
        let scaled = value.checked_mul(Decimal::from(power))?;
        let units = match bound {
            Bound::AtLeast => i64::try_from(scaled.ceil()).ok()?,
            Bound::MoreThan => i64::try_from(scaled.floor()).ok()?.checked_add(1)?,
        };
        if units > AMOUNT_MINOR_MAX {
            return None;
        }
        *least = units;
    }
    let mut shown = value.normalize();
    if shown.scale() < 2 {
        shown.rescale(2);
    }
    Some(EachPayment {
        bound,
        major: shown.to_string(),
        least_minor,
    })
}

/// `"12.5"` as basis points, 1 to 10,000.
pub(super) fn percent(report: &mut Report<'_>, item: &Item<'_, '_>) -> Option<u32> {
    let text = item.decimal(report, "12.5")?;
    let accepted = "accepted are percentages above 0 up to 100 with at most two decimals, \
                    without a sign, like \"12.5\"";
    let found = item.found();
    let Some(value) = parse_decimal(text).ok().map(|value| value.normalize()) else {
        item.refuse(
            report,
            codes::PERCENT_INVALID,
            format!("found {found}; {accepted}"),
        );
        return None;
    };
    if value.scale() > 2 {
        item.refuse(
            report,
            codes::PERCENT_INVALID,
            format!("found {found}; {accepted}"),
        );
        return None;
    }
    let points = value
        .checked_mul(Decimal::ONE_HUNDRED)
        .and_then(|points| u32::try_from(points).ok())
        .filter(|points| (1..=BASIS_POINTS_MAX).contains(points));
    if points.is_none() {
        item.refuse(
            report,
            codes::OUT_OF_RANGE,
            format!("found {found}; {accepted}"),
        );
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_payment_follows_each_currencys_decimals() {
        let least = |bound, text| {
            make_each_payment(bound, parse_decimal(text).unwrap())
                .unwrap()
                .least_minor
        };
        assert_eq!(least(Bound::MoreThan, "0.50"), [1, 6, 51, 501]);
        assert_eq!(least(Bound::AtLeast, "0.50"), [1, 5, 50, 500]);
        assert_eq!(least(Bound::AtLeast, "0.505"), [1, 6, 51, 505]);
        assert_eq!(least(Bound::MoreThan, "0"), [1, 1, 1, 1]);
        assert_eq!(least(Bound::MoreThan, "10"), [11, 101, 1001, 10001]);
    }

    #[test]
    fn the_smallest_payment_is_written_in_one_way() {
        let major = |text| {
            make_each_payment(Bound::AtLeast, parse_decimal(text).unwrap())
                .unwrap()
                .major
        };
        assert_eq!((major("0.5"), major("3")), ("0.50".into(), "3.00".into()));
        assert_eq!(major("0.5050"), "0.505");
    }
}
