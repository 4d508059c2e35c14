//! `each_payment`: the smallest payment that counts, in whatever currency a payment has.
//! Amounts that name their currency are `amount`'s.

use rust_decimal::Decimal;

use super::amount::{bound, invalid};
use super::item::Item;
use super::problem::{Report, codes};
use crate::domain::campaign::{Bound, EachPayment};
use crate::domain::money::{AMOUNT_MINOR_MAX, AmountError, parse_decimal};

/// Most decimals that any currency has.
const DECIMALS_MAX: u32 = 3;

/// `{ more_than = "0.50" }`, in whatever currency a payment has.
pub(super) fn read(report: &mut Report<'_>, item: &Item<'_, '_>) -> Option<EachPayment> {
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
    let made = make(bound, value);
    if made.is_none() {
        invalid(report, &written, &AmountError::TooLarge(text.to_owned()));
    }
    made
}

/// The smallest payments in minor units for 0 to 3 decimals; `None` if one does not fit.
pub(super) fn make(bound: Bound, value: Decimal) -> Option<EachPayment> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_payment_follows_each_currencys_decimals() {
        let least = |bound, text| {
            make(bound, parse_decimal(text).unwrap())
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
            make(Bound::AtLeast, parse_decimal(text).unwrap())
                .unwrap()
                .major
        };
        assert_eq!((major("0.5"), major("3")), ("0.50".into(), "3.00".into()));
        assert_eq!(major("0.5050"), "0.505");
    }
}
