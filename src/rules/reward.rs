//! `[reward]` and `[limits]`: what a settlement owes, and what the campaign may owe in all.
//! They are also held against the thresholds' currencies, so that no rule is written in vain.

use super::amount;
use super::problem::{Report, codes};
use super::reader::{Item, Section};
use crate::domain::campaign::{Limits, RewardRule, Threshold};
use crate::domain::currency::Currency;
use crate::domain::money::Money;

/// Most settlements that a limit per promoter may name.
pub(super) const PER_PROMOTER_MAX: u32 = 1_000_000;

/// `[reward.promoter]` or `[reward.invited]`; `None` if it was left out.
pub(super) fn reward(
    report: &mut Report<'_>,
    section: &Section<'_, '_>,
    spend: &[Threshold],
) -> Option<RewardRule> {
    if !section.is_written() {
        return None;
    }
    let (fixed, percent) = (section.get("fixed"), section.get("percent"));
    let cap = section.get("cap");
    if let (Some(fixed), Some(percent)) = (&fixed, &percent) {
        let later = if fixed.at > percent.at {
            fixed
        } else {
            percent
        };
        later.refuse(
            report,
            codes::CONFLICT,
            "found both `fixed` and `percent`; accepted is one of them",
        );
    }
    let percent = percent.map(|item| amount::percent(report, &item));
    let capped = cap.as_ref().and_then(|item| amount::money(report, item));
    if let (Some(item), None) = (&cap, &percent) {
        let message = "found `cap` without `percent`; a fixed reward needs no cap";
        item.refuse(report, codes::CONFLICT, message);
    }
    if let (Some(item), Some(cap), Some(_)) = (&cap, capped, &percent) {
        refuse_other_currency(report, item, cap, spend);
    }
    match (fixed, percent) {
        (Some(item), _) => amount::money(report, &item).map(RewardRule::Fixed),
        (None, Some(points)) => points.map(|basis_points| RewardRule::Percent {
            basis_points,
            cap: capped,
        }),
        (None, None) => {
            let example = "fixed = { amount = \"20.00\", currency = \"usd\" } or percent = \"10\"";
            amount::missing(report, section, "fixed", example);
            None
        }
    }
}

/// With thresholds, only their currencies are ever counted.
fn refuse_other_currency(
    report: &mut Report<'_>,
    item: &Item<'_, '_>,
    money: Money,
    spend: &[Threshold],
) {
    let counted = spend.iter().map(|threshold| threshold.amount.currency);
    if spend.is_empty() || counted.clone().any(|currency| currency == money.currency) {
        return;
    }
    let counted: Vec<String> = counted.map(|currency| currency.to_string()).collect();
    let message = format!(
        "found {}, but spend is counted in {} alone, so this would never apply",
        money.currency,
        counted.join(", ")
    );
    item.refuse(report, codes::CONFLICT, message);
}

/// `[limits]`. `rewards` is `None` when they could not be read: then nothing is held against
/// them.
pub(super) fn limits(
    report: &mut Report<'_>,
    section: &Section<'_, '_>,
    rewards: Option<[Option<RewardRule>; 2]>,
    spend: &[Threshold],
) -> Limits {
    let per_promoter_settled = section
        .get("per_promoter_settled")
        .and_then(|item| item.whole(report, 1, PER_PROMOTER_MAX));
    let budget = section.get("budget").and_then(|item| {
        let budget = amount::money(report, &item)?;
        if let Some(rewards) = rewards {
            refuse_idle_budget(report, &item, budget, rewards, spend);
        }
        Some(budget)
    });
    Limits {
        per_promoter_settled,
        budget,
    }
}

/// A budget has to be in the currency of what it is to limit, and to cover one settlement.
fn refuse_idle_budget(
    report: &mut Report<'_>,
    item: &Item<'_, '_>,
    budget: Money,
    rewards: [Option<RewardRule>; 2],
    spend: &[Threshold],
) {
    if rewards.iter().all(Option::is_none) {
        let message = "found a budget, but the campaign has no reward that it could limit";
        item.refuse(report, codes::CONFLICT, message);
    }
    let mut owed: i64 = 0;
    for reward in rewards.into_iter().flatten() {
        match reward {
            RewardRule::Fixed(fixed) if fixed.currency == budget.currency => {
                owed = owed.saturating_add(fixed.minor);
            }
            RewardRule::Fixed(fixed) => {
                let message = mismatch(budget.currency, fixed.currency);
                item.refuse(report, codes::CONFLICT, message);
            }
            RewardRule::Percent { .. } => refuse_other_currency(report, item, budget, spend),
        }
    }
    if owed > budget.minor {
        let message = format!(
            "found {budget}, which is less than the {} that one settlement owes",
            Money::new(owed, budget.currency)
        );
        item.refuse(report, codes::CONFLICT, message);
    }
}

fn mismatch(budget: Currency, reward: Currency) -> String {
    format!(
        "found a budget in {budget}, but a fixed reward is in {reward}; there is no conversion, \
         so the budget would not limit it"
    )
}
