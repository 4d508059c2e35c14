//! Amounts: whole minor units with their currency. There is no float and no `Add`.

use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::currency::Currency;

/// Largest amount accepted from outside, in minor units. Stripe caps a charge at 99,999,999;
/// this leaves room for sums and for every percentage taken of them.
pub const AMOUNT_MINOR_MAX: i64 = 1_000_000_000_000_000;

/// An amount in minor units of one currency.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub struct Money {
    /// Minor units as Stripe's API counts them (cents, yen, fils).
    #[serde(rename = "amount_minor")]
    pub minor: i64,
    /// The currency.
    pub currency: Currency,
}

/// Why a sum could not be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SumError {
    /// Two currencies never mix; there is no conversion.
    #[error("{0} and {1} cannot be added: there is no conversion between currencies")]
    CurrencyMismatch(Currency, Currency),
    /// The sum does not fit.
    #[error("the sum is larger than any amount this product handles")]
    Overflow,
}

/// Why a text is not an amount of money.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// Not digits with at most one point.
    #[error("`{0}` is not an amount; write digits with a point for decimals, like \"50.00\"")]
    NotANumber(String),
    /// More decimals than the currency has.
    #[error("`{text}` has more decimals than {currency} has ({decimals})")]
    TooPrecise {
        /// What was written.
        text: String,
        /// Its currency.
        currency: Currency,
        /// How many decimals that currency has.
        decimals: u32,
    },
    /// Beyond [`AMOUNT_MINOR_MAX`].
    #[error("`{0}` is larger than any amount this product handles")]
    TooLarge(String),
}

/// Reads plain ASCII digits with an optional point; no sign, exponent, grouping or spaces.
pub fn parse_decimal(text: &str) -> Result<Decimal, AmountError> {
    let bad = || AmountError::NotANumber(text.to_owned());
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return Err(bad());
    }
    if whole.len() > 18 || fraction.len() > 9 {
        return Err(AmountError::TooLarge(text.to_owned()));
    }
    Decimal::from_str_exact(text).map_err(|_| bad())
}

impl Money {
    /// An amount of minor units.
    pub const fn new(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    /// Reads major units, `"50.00"`, exactly.
    pub fn parse_major(text: &str, currency: Currency) -> Result<Self, AmountError> {
        let value = parse_decimal(text)?.normalize();
        let decimals = currency.exponent();
        if value.scale() > decimals {
            return Err(AmountError::TooPrecise {
                text: text.to_owned(),
                currency,
                decimals,
            });
        }
        let scaled = value
            .checked_mul(Decimal::from(10_i64.pow(decimals)))
            .and_then(|v| i64::try_from(v).ok())
            .filter(|v| *v <= AMOUNT_MINOR_MAX)
            .ok_or_else(|| AmountError::TooLarge(text.to_owned()))?;
        Ok(Self::new(scaled, currency))
    }

    /// The sum, if both are of one currency and it fits.
    pub fn checked_add(self, other: Self) -> Result<Self, SumError> {
        if self.currency != other.currency {
            return Err(SumError::CurrencyMismatch(self.currency, other.currency));
        }
        let minor = self
            .minor
            .checked_add(other.minor)
            .ok_or(SumError::Overflow)?;
        Ok(Self::new(minor, self.currency))
    }

    /// Major units without the code, `12.40`.
    pub fn major(self) -> String {
        Decimal::new(self.minor, self.currency.exponent()).to_string()
    }
}

impl std::fmt::Display for Money {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.major(), self.currency)
    }
}

/// `value × numerator ÷ denominator`, rounded half down (towards zero on a tie).
///
/// `None` when the denominator is not positive or the result does not fit.
pub fn share_half_down(value: i64, numerator: i128, denominator: i128) -> Option<i64> {
    if denominator <= 0 {
        return None;
    }
    let product = i128::from(value).checked_mul(numerator)?;
    let (quotient, remainder) = (product / denominator, product % denominator);
    let up = remainder.abs().checked_mul(2)? > denominator;
    i64::try_from(quotient + if up { product.signum() } else { 0 }).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_exactly_or_refused() {
        let usd = |t| Money::parse_major(t, Currency::USD).map(|m| m.minor);
        assert_eq!(usd("50.00"), Ok(5000));
        assert_eq!(usd("50"), Ok(5000));
        assert_eq!(usd("0.10"), Ok(10));
        assert_eq!(
            usd("10.500"),
            Ok(1050),
            "zeros behind the last decimal say nothing"
        );
        assert!(matches!(
            usd("10.005"),
            Err(AmountError::TooPrecise { decimals: 2, .. })
        ));
        for bad in [
            "-1", "+1", "1e18", "1,000", "１０", "", ".5", "5.", " 5", "0x5",
        ] {
            assert!(matches!(usd(bad), Err(AmountError::NotANumber(_))), "{bad}");
        }
        assert!(matches!(
            usd("10000000000001"),
            Err(AmountError::TooLarge(_))
        ));
        let jpy = Currency::parse("jpy").unwrap();
        assert!(matches!(
            Money::parse_major("5.5", jpy),
            Err(AmountError::TooPrecise { .. })
        ));
        assert_eq!(
            Money::parse_major("500", jpy).unwrap().to_string(),
            "500 JPY"
        );
        assert_eq!(Money::new(1240, Currency::USD).to_string(), "12.40 USD");
        assert_eq!(Money::new(-5, Currency::USD).to_string(), "-0.05 USD");
    }

    #[test]
    fn currencies_do_not_mix() {
        let jpy = Currency::parse("jpy").unwrap();
        let mixed = Money::new(1, Currency::USD).checked_add(Money::new(1, jpy));
        assert_eq!(mixed, Err(SumError::CurrencyMismatch(Currency::USD, jpy)));
        let big = Money::new(i64::MAX, jpy);
        assert_eq!(big.checked_add(big), Err(SumError::Overflow));
    }

    #[test]
    fn shares_round_half_down() {
        assert_eq!(share_half_down(1, 1, 2), Some(0));
        assert_eq!(share_half_down(3, 1, 2), Some(1));
        assert_eq!(share_half_down(5, 1, 3), Some(2), "1.67 is nearer to 2");
        assert_eq!(share_half_down(11900, 10000, 11900), Some(10000));
        assert_eq!(share_half_down(1, 1, 0), None);
    }
}
