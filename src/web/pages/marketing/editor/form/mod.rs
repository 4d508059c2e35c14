//! The editor's form ⇄ a campaign file. The form's fields are named by the file's keys; what is
//! typed goes into a file as it is, so that the rules' own reader finds what is wrong with it.

mod errors;
mod file;

use crate::domain::campaign::{
    AmountBasis, Anchor, Bound, Campaign, Duplicates, MatchKey, Mode, Prefer, RewardRule, Touch,
};
use crate::domain::money::Money;
use crate::domain::time::Timestamp;
use crate::web::input::Fields;
use crate::web::pages::marketing::rules_words::percent;

pub(super) use errors::errors;
pub(super) use file::to_file;

/// Thresholds that the form has room for; a currency each.
pub(super) const SPEND_MAX: usize = 8;

/// A campaign as the form's fields.
pub(super) fn of(campaign: &Campaign) -> Fields {
    let mut pairs: Vec<(String, String)> = Vec::new();
    let mut put = |name: &str, value: String| pairs.push((name.to_owned(), value));
    put("id", campaign.id.to_string());
    put("name", campaign.name.clone());
    let instant = |at: Option<Timestamp>| at.map_or_else(String::new, |at| at.to_string());
    put("starts", instant(campaign.starts));
    put("ends", instant(campaign.ends));
    for key in &campaign.matching.keys {
        put("match.keys", match_key(*key).to_owned());
    }
    put(
        "match.duplicates",
        duplicates(campaign.matching.duplicates).to_owned(),
    );
    put("match.customers", yes(campaign.matching.new_customers_only));
    let rules = &campaign.qualify;
    for (index, threshold) in rules.spend.iter().enumerate() {
        let name = |part: &str| format!("qualify.spend[{index}].{part}");
        put(&name("bound"), bound(threshold.bound).to_owned());
        put(&name("amount"), threshold.amount.major());
        put(
            &name("currency"),
            threshold.amount.currency.code().to_owned(),
        );
    }
    let number = |number: Option<u32>| number.map_or_else(String::new, |n| n.to_string());
    put("qualify.within_days", number(rules.within_days));
    put("qualify.from", anchor(rules.from).to_owned());
    put("qualify.payments", rules.payments.to_string());
    put(
        "qualify.each_payment.bound",
        bound(rules.each_payment.bound).to_owned(),
    );
    put(
        "qualify.each_payment.amount",
        rules.each_payment.major.clone(),
    );
    let basis = match rules.amount {
        AmountBasis::Paid => "paid",
        AmountBasis::BeforeTax => "before_tax",
    };
    put("qualify.amount", basis.to_owned());
    put("qualify.out_of_band", yes(rules.out_of_band));
    put("qualify.hold_days", rules.hold_days.to_string());
    if let Some(products) = &rules.products {
        put("qualify.products.include", products.include.join("\n"));
        put("qualify.products.exclude", products.exclude.join("\n"));
    }
    put("attribution.coupons", yes(campaign.attribution.coupons));
    put(
        "attribution.prefer",
        prefer(campaign.attribution.prefer).to_owned(),
    );
    put(
        "attribution.touch",
        touch(campaign.attribution.touch).to_owned(),
    );
    for (side, rule) in [
        ("reward.promoter", campaign.reward_promoter),
        ("reward.invited", campaign.reward_invited),
    ] {
        let mut put = |part: &str, value: String| put(&format!("{side}.{part}"), value);
        match rule {
            None => put("kind", "none".to_owned()),
            Some(RewardRule::Fixed(money)) => {
                put("kind", "fixed".to_owned());
                put("amount", money.major());
                put("currency", money.currency.code().to_owned());
            }
            Some(RewardRule::Percent { basis_points, cap }) => {
                put("kind", "percent".to_owned());
                put("percent", percent(basis_points));
                put("cap_amount", cap.map_or_else(String::new, Money::major));
                let currency = cap.map(|cap| cap.currency.code().to_owned());
                put("cap_currency", currency.unwrap_or_default());
            }
        }
    }
    let limits = &campaign.limits;
    put(
        "limits.per_promoter_settled",
        number(limits.per_promoter_settled),
    );
    put(
        "limits.budget_amount",
        limits.budget.map_or_else(String::new, Money::major),
    );
    let currency = limits
        .budget
        .map(|budget| budget.currency.code().to_owned());
    put("limits.budget_currency", currency.unwrap_or_default());
    Fields::new(pairs)
}

/// The form's thresholds that are not blank, moved together.
pub(super) fn spend(fields: &Fields) -> Vec<[String; 3]> {
    let row = |index: usize| {
        ["bound", "amount", "currency"].map(|part| {
            fields
                .text(&format!("qualify.spend[{index}].{part}"))
                .to_owned()
        })
    };
    let rows = (0..SPEND_MAX).map(row);
    rows.filter(|[_, amount, _]| !amount.is_empty()).collect()
}

/// What only the file can say, as it stands now: (key, value).
pub(super) fn only_in_file(campaign: &Campaign) -> Vec<(&'static str, String)> {
    let mut rows = Vec::new();
    if let Some(account) = &campaign.account {
        rows.push(("account", account.to_string()));
    }
    if campaign.mode != Mode::default() {
        rows.push(("mode", campaign.mode.name().to_owned()));
    }
    if campaign.matching.metadata != ["fp_uid"] {
        rows.push(("match.metadata", campaign.matching.metadata.join(", ")));
    }
    rows
}

fn yes(ticked: bool) -> String {
    if ticked {
        "yes".to_owned()
    } else {
        String::new()
    }
}

const fn match_key(key: MatchKey) -> &'static str {
    match key {
        MatchKey::StripeId => "stripe_id",
        MatchKey::Metadata => "metadata",
        MatchKey::Email => "email",
    }
}

const fn bound(bound: Bound) -> &'static str {
    match bound {
        Bound::AtLeast => "at_least",
        Bound::MoreThan => "more_than",
    }
}

const fn duplicates(policy: Duplicates) -> &'static str {
    match policy {
        Duplicates::Hold => "hold",
        Duplicates::Combine => "combine",
        Duplicates::Oldest => "oldest",
        Duplicates::Newest => "newest",
        Duplicates::HighestSpend => "highest_spend",
    }
}

const fn anchor(anchor: Anchor) -> &'static str {
    match anchor {
        Anchor::Referral => "referral",
        Anchor::FirstPayment => "first_payment",
        Anchor::CustomerCreated => "customer_created",
    }
}

const fn prefer(prefer: Prefer) -> &'static str {
    match prefer {
        Prefer::Link => "link",
        Prefer::Coupon => "coupon",
        Prefer::Earliest => "earliest",
        Prefer::Hold => "hold",
    }
}

const fn touch(touch: Touch) -> &'static str {
    match touch {
        Touch::First => "first",
        Touch::Last => "last",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules;

    #[test]
    fn every_sample_survives_the_form() {
        for (name, source) in super::super::SAMPLES {
            let campaign = rules::parse(name, source).unwrap();
            let file = to_file(&of(&campaign), Some(&campaign));
            let again =
                rules::parse(name, &file).unwrap_or_else(|p| panic!("{name}: {p:?}\n{file}"));
            assert_eq!(again, campaign, "{name}:\n{file}");
        }
    }

    #[test]
    fn what_is_typed_wrong_is_told_at_its_field() {
        let typed = [
            ("id", "Spring"),
            ("name", "x"),
            ("starts", "tomorrow"),
            ("qualify.spend[1].amount", "5,00"),
            ("qualify.spend[1].currency", "usd"),
            ("qualify.within_days", "0"),
            ("qualify.payments", "two"),
            ("qualify.each_payment.amount", "-1"),
            ("attribution.coupons", "yes"),
            ("reward.promoter.kind", "percent"),
            ("reward.promoter.percent", "120"),
            ("reward.promoter.cap_amount", "5"),
            ("reward.promoter.cap_currency", "zzz"),
            ("reward.invited.kind", "fixed"),
            ("limits.budget_amount", "x\"y"),
            ("limits.budget_currency", "usd"),
        ];
        let typed = typed.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let file = to_file(&Fields::new(typed), None);
        let problems = rules::parse("the campaign", &file).unwrap_err();
        let errors = errors(&problems);
        let mut fields: Vec<&str> = errors.of.iter().map(|(field, _)| field.as_str()).collect();
        fields.sort_unstable();
        assert_eq!(
            fields,
            [
                "id",
                "limits.budget_amount",
                "qualify.each_payment.amount",
                "qualify.payments",
                "qualify.spend[0].amount",
                "qualify.within_days",
                "reward.invited.amount",
                "reward.invited.currency",
                "reward.promoter.cap_currency",
                "reward.promoter.percent",
                "starts",
            ],
            "{problems:#?}\n{file}"
        );
    }
}
