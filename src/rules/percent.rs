//! `percent`: a share as basis points. What it is taken of is the evaluator's business.

use rust_decimal::Decimal;

use super::item::Item;
use super::problem::{Report, codes};
use crate::domain::money::parse_decimal;

/// All of it, in basis points.
const BASIS_POINTS_MAX: u32 = 10_000;

/// `"12.5"` as basis points, 1 to 10,000.
pub(super) fn read(report: &mut Report<'_>, item: &Item<'_, '_>) -> Option<u32> {
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
