//! Amounts, currencies and thresholds as a campaign file writes them.
//! The arithmetic of money itself is `domain::money`'s.

use super::item::Item;
use super::problem::{Report, codes};
use super::section::Section;
use super::suggest;
use crate::domain::campaign::{Bound, Threshold};
use crate::domain::currency::Currency;
use crate::domain::money::{AMOUNT_MINOR_MAX, AmountError, Money, parse_decimal};

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

/// Reports why a text is not an amount.
pub(super) fn invalid(report: &mut Report<'_>, item: &Item<'_, '_>, error: &AmountError) {
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
pub(super) fn bound<'a, 'i>(
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
