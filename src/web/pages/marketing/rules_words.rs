//! A campaign's rules in sentences, for people who do not read files.

use crate::domain::campaign::{
    AmountBasis, Anchor, Bound, Campaign, Duplicates, MatchKey, Prefer, RewardRule, Threshold,
    Touch,
};
use crate::http::words::capital;
use crate::web::format;

/// (what it is about, what the rules say), in the order in which people ask.
pub(crate) fn words(campaign: &Campaign) -> Vec<(&'static str, String)> {
    let mut rows = vec![
        ("Runs", period(campaign)),
        ("Earned by", earned_by(campaign)),
        ("Time", time(campaign)),
        ("Counts", counts(campaign)),
        ("Reward", rewards(campaign)),
        ("Settles", settles(campaign)),
        ("Recognised by", recognised(campaign)),
        ("Whose it is", whose(campaign)),
    ];
    if let Some(limits) = limits(campaign) {
        rows.push(("Limits", limits));
    }
    rows
}

fn period(campaign: &Campaign) -> String {
    match (campaign.starts, campaign.ends) {
        (None, None) => "For referrals of any time.".to_owned(),
        (Some(from), None) => format!("For referrals from {} on.", from.words()),
        (None, Some(to)) => format!("For referrals before {}.", to.words()),
        (Some(from), Some(to)) => {
            format!(
                "For referrals from {} to before {}.",
                from.words(),
                to.words()
            )
        }
    }
}

fn earned_by(campaign: &Campaign) -> String {
    let rules = &campaign.qualify;
    let thresholds: Vec<String> = rules.spend.iter().map(Threshold::words).collect();
    let spend = if thresholds.is_empty() {
        "Any payment that counts".to_owned()
    } else {
        format!("Spending {}", thresholds.join(" or "))
    };
    if rules.payments > 1 {
        format!("{spend}, in at least {} payments.", rules.payments)
    } else {
        format!("{spend}.")
    }
}

fn time(campaign: &Campaign) -> String {
    let Some(days) = campaign.qualify.within_days else {
        return "No limit after the referral.".to_owned();
    };
    let from = match campaign.qualify.from {
        Anchor::Referral => "the referral",
        Anchor::FirstPayment => "the first payment that counts",
        Anchor::CustomerCreated => "the customer’s creation, if that is after the referral",
    };
    format!("Within {} of {from}.", format::plural(days.into(), "day"))
}

fn counts(campaign: &Campaign) -> String {
    let rules = &campaign.qualify;
    let each = &rules.each_payment;
    let bound = match each.bound {
        Bound::AtLeast => "at least",
        Bound::MoreThan => "more than",
    };
    let mut said = format!("Payments of {bound} {} each", each.major);
    if rules.amount == AmountBasis::BeforeTax {
        said.push_str(", without tax and shipping");
    }
    if rules.out_of_band {
        said.push_str(", also those marked as paid outside Stripe");
    }
    if let Some(products) = &rules.products {
        if !products.include.is_empty() {
            said.push_str(", for ");
            said.push_str(&products.include.join(", "));
        }
        if !products.exclude.is_empty() {
            said.push_str(", without ");
            said.push_str(&products.exclude.join(", "));
        }
    }
    said.push('.');
    said
}

fn rewards(campaign: &Campaign) -> String {
    let sides = [
        ("the promoter", campaign.reward_promoter),
        ("the invited person", campaign.reward_invited),
    ];
    let said: Vec<String> = sides
        .into_iter()
        .filter_map(|(to, rule)| Some(format!("{} to {to}", reward(&rule?))))
        .collect();
    if said.is_empty() {
        return "None.".to_owned();
    }
    format!("{}.", said.join(", "))
}

fn reward(rule: &RewardRule) -> String {
    match rule {
        RewardRule::Fixed(money) => format::money(*money),
        RewardRule::Percent { basis_points, cap } => {
            let percent = percent(*basis_points);
            let cap = cap.map_or_else(String::new, |cap| {
                format!(", {} at most,", format::money(cap))
            });
            format!("{percent} % of the spend that counts{cap}")
        }
    }
}

/// `12.5` of 1250 hundredths.
pub(crate) fn percent(basis_points: u32) -> String {
    let text = format!("{}.{:02}", basis_points / 100, basis_points % 100);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn settles(campaign: &Campaign) -> String {
    match campaign.qualify.hold_days {
        0 => "With the next batch after it is earned.".to_owned(),
        days => format!(
            "With the first batch after {} of waiting for refunds.",
            format::plural(days.into(), "day")
        ),
    }
}

fn recognised(campaign: &Campaign) -> String {
    let rules = &campaign.matching;
    let keys: Vec<&str> = rules
        .keys
        .iter()
        .map(|key| match key {
            MatchKey::StripeId => "Stripe id",
            MatchKey::Metadata => "metadata",
            MatchKey::Email => "email",
        })
        .collect();
    let several = match rules.duplicates {
        Duplicates::Hold => "a person decides",
        Duplicates::Combine => "their spend is added",
        Duplicates::Oldest => "the one created first counts",
        Duplicates::Newest => "the one created last counts",
        Duplicates::HighestSpend => "the one with the highest spend counts",
    };
    let new = if rules.new_customers_only {
        " Only new customers."
    } else {
        ""
    };
    format!(
        "{}. If several customers fit, {several}.{new}",
        capital(&keys.join(", then "))
    )
}

fn whose(campaign: &Campaign) -> String {
    let rules = campaign.attribution;
    let touch = match rules.touch {
        Touch::First => "The first who refers a person",
        Touch::Last => "The last who refers a person before they pay",
    };
    let coupons = match (rules.coupons, rules.prefer) {
        (false, _) => "Coupons attribute nothing.",
        (true, Prefer::Link) => "A coupon of somebody else does not change that.",
        (true, Prefer::Coupon) => "A coupon of somebody else beats that.",
        (true, Prefer::Earliest) => "Of referral and coupon, the earlier counts.",
        (true, Prefer::Hold) => "If a coupon says otherwise, a person decides.",
    };
    format!("{touch}. {coupons}")
}

fn limits(campaign: &Campaign) -> Option<String> {
    let limits = &campaign.limits;
    let most = limits.per_promoter_settled.map(|most| {
        let rewards = format::plural(most.into(), "reward");
        format!("{rewards} for each promoter")
    });
    let budget = limits
        .budget
        .map(|budget| format!("{} in all", format::money(budget)));
    let said: Vec<String> = most.into_iter().chain(budget).collect();
    (!said.is_empty()).then(|| format!("At most {}.", said.join(" and ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_reads_as_sentences() {
        let mut out = String::new();
        for (name, source) in crate::web::pages::marketing::editor::SAMPLES {
            let campaign = crate::rules::parse(name, source).unwrap();
            out.extend(["# ", name, "\n"]);
            for (about, says) in words(&campaign) {
                assert!(
                    says.ends_with('.') && !says.contains(",."),
                    "{name}: {says}"
                );
                out.extend([about, ": ", &says[..], "\n"]);
            }
        }
        insta::with_settings!({
            snapshot_path => "../../../../tests/snapshots/web",
            prepend_module_to_snapshot => false,
            omit_expression => true,
        }, {
            insta::assert_snapshot!("rules_in_words", out);
        });
    }
}
