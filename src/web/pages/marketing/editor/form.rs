//! The editor's form ⇄ a campaign file. The form's fields are named by the file's keys; what is
//! typed goes into a file as it is, so that the rules' own reader finds what is wrong with it.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::domain::campaign::{
    AmountBasis, Anchor, Bound, Campaign, Duplicates, MatchKey, Mode, Prefer, RewardRule, Touch,
};
use crate::domain::money::Money;
use crate::domain::time::Timestamp;
use crate::rules::Problem;
use crate::web::input::Fields;
use crate::web::pages::marketing::rules_words::percent;
use crate::web::parts::Errors;

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

/// A campaign file from the form's fields; what the form does not have is taken from `base`.
pub(super) fn to_file(fields: &Fields, base: Option<&Campaign>) -> String {
    let mut file = File::default();
    file.text("id", fields.text("id"));
    file.text("name", fields.text("name"));
    if let Some(base) = base {
        for (key, value) in only_in_file(base) {
            if matches!(key, "account" | "mode") {
                file.text(key, &value);
            }
        }
    }
    for key in ["starts", "ends"] {
        file.instant(key, fields.text(key));
    }
    file.table("match");
    file.list("keys", fields.all("match.keys"));
    if let Some(base) = base.filter(|base| base.matching.metadata != ["fp_uid"]) {
        file.list("metadata", &base.matching.metadata);
    }
    file.text("duplicates", fields.text("match.duplicates"));
    if fields.is_ticked("match.customers") {
        file.text("customers", "new");
    }
    qualify(&mut file, fields);
    file.table("attribution");
    file.plain(
        "coupons",
        if fields.is_ticked("attribution.coupons") {
            "true"
        } else {
            "false"
        },
    );
    file.text("prefer", fields.text("attribution.prefer"));
    file.text("touch", fields.text("attribution.touch"));
    for side in ["reward.promoter", "reward.invited"] {
        let of = |part: &str| fields.text(&format!("{side}.{part}")).to_owned();
        file.table(side);
        match of("kind").as_str() {
            "fixed" => file.money("fixed", &of("amount"), &of("currency")),
            "percent" => {
                // Written even if blank, so that the reader says what is missing.
                file.key("percent", &quoted(&of("percent")));
                if !of("cap_amount").is_empty() {
                    file.money("cap", &of("cap_amount"), &of("cap_currency"));
                }
            }
            _ => {}
        }
    }
    file.table("limits");
    file.number(
        "per_promoter_settled",
        fields.text("limits.per_promoter_settled"),
    );
    let budget = fields.text("limits.budget_amount");
    if !budget.is_empty() {
        file.money("budget", budget, fields.text("limits.budget_currency"));
    }
    file.text
}

fn qualify(file: &mut File, fields: &Fields) {
    file.table("qualify");
    let spend: Vec<String> = spend(fields)
        .iter()
        .map(|[bound, amount, currency]| {
            let bound = if bound == "more_than" {
                "more_than"
            } else {
                "at_least"
            };
            let (amount, currency) = (quoted(amount), quoted(&currency.to_lowercase()));
            format!("{{ {bound} = {amount}, currency = {currency} }}")
        })
        .collect();
    if !spend.is_empty() {
        file.key("spend", &format!("[{}]", spend.join(", ")));
    }
    file.number("within_days", fields.text("qualify.within_days"));
    file.text("from", fields.text("qualify.from"));
    file.number("payments", fields.text("qualify.payments"));
    let each = fields.text("qualify.each_payment.amount");
    if !each.is_empty() {
        let bound = match fields.text("qualify.each_payment.bound") {
            "at_least" => "at_least",
            _ => "more_than",
        };
        file.key("each_payment", &format!("{{ {bound} = {} }}", quoted(each)));
    }
    file.text("amount", fields.text("qualify.amount"));
    if fields.is_ticked("qualify.out_of_band") {
        file.plain("out_of_band", "true");
    }
    file.number("hold_days", fields.text("qualify.hold_days"));
    file.table("qualify.products");
    for key in ["include", "exclude"] {
        let lines = fields.raw(&format!("qualify.products.{key}")).lines();
        let ids: Vec<String> = lines
            .map(|line| line.trim().to_owned())
            .filter(|line| !line.is_empty())
            .collect();
        file.list(key, &ids);
    }
}

/// Every problem of a file at the field it came from; what has no field is told on its own.
pub(super) fn errors(problems: &[Problem]) -> Errors {
    let mut errors = Errors::none();
    let mut seen: BTreeSet<String> = BTreeSet::new();
    for problem in problems {
        let field = field_of(&problem.key);
        let label = if field.is_empty() {
            ""
        } else {
            problem.key.as_str()
        };
        // The form's fields have no quotes to leave out.
        let message = problem.message.replace(", without quotes", "");
        let words = match label {
            "" => message,
            label => format!("{label}: {message}"),
        };
        // One error a field: the first is the cause of most others.
        if field.is_empty() || seen.insert(field.clone()) {
            errors.add(field, words);
        }
    }
    errors
}

/// The form's field for a key of the file; nothing if the form has none.
fn field_of(key: &str) -> String {
    const ONLY_FILE: [&str; 4] = ["", "account", "mode", "schema"];
    if ONLY_FILE.contains(&key) || key.starts_with("match.metadata") {
        return String::new();
    }
    if let Some(rest) = key.strip_prefix("qualify.spend") {
        let index: String = rest.chars().filter(char::is_ascii_digit).collect();
        let index = if index.is_empty() { "0" } else { &index };
        let part = if rest.ends_with("currency") {
            "currency"
        } else {
            "amount"
        };
        return format!("qualify.spend[{index}].{part}");
    }
    if key.starts_with("qualify.each_payment") {
        return "qualify.each_payment.amount".to_owned();
    }
    for list in [
        "match.keys",
        "qualify.products.include",
        "qualify.products.exclude",
    ] {
        if key.starts_with(list) {
            return list.to_owned();
        }
    }
    for (of, amount, currency) in [
        ("fixed", "amount", "currency"),
        ("cap", "cap_amount", "cap_currency"),
        ("budget", "budget_amount", "budget_currency"),
    ] {
        if let Some((table, rest)) = key.split_once(&format!(".{of}")) {
            let part = if rest.ends_with("currency") {
                currency
            } else {
                amount
            };
            return format!("{table}.{part}");
        }
    }
    if key == "reward.promoter" || key == "reward.invited" {
        return format!("{key}.kind");
    }
    key.to_owned()
}

/// A file in the making. A table's head is written before its first key.
#[derive(Default)]
struct File {
    text: String,
    head: Option<&'static str>,
}

impl File {
    fn table(&mut self, name: &'static str) {
        self.head = Some(name);
    }

    fn key(&mut self, key: &str, value: &str) {
        if let Some(name) = self.head.take() {
            let _ = write!(self.text, "\n[{name}]\n");
        }
        let _ = writeln!(self.text, "{key} = {value}");
    }

    fn plain(&mut self, key: &str, value: &str) {
        self.key(key, value);
    }

    /// Left out if blank: that means the default.
    fn text(&mut self, key: &str, value: &str) {
        if !value.is_empty() {
            self.key(key, &quoted(value));
        }
    }

    fn number(&mut self, key: &str, value: &str) {
        let plain = value.len() <= 18
            && value.bytes().all(|b| b.is_ascii_digit())
            && (value == "0" || !value.starts_with('0'));
        if plain && !value.is_empty() {
            self.key(key, value);
        } else {
            self.text(key, value);
        }
    }

    fn instant(&mut self, key: &str, value: &str) {
        match Timestamp::parse(value) {
            Some(at) => self.key(key, &at.to_string()),
            None => self.text(key, value),
        }
    }

    fn list(&mut self, key: &str, values: &[String]) {
        if !values.is_empty() {
            let values: Vec<String> = values.iter().map(|value| quoted(value)).collect();
            self.key(key, &format!("[{}]", values.join(", ")));
        }
    }

    fn money(&mut self, key: &str, amount: &str, currency: &str) {
        let (amount, currency) = (quoted(amount), quoted(&currency.to_lowercase()));
        self.key(
            key,
            &format!("{{ amount = {amount}, currency = {currency} }}"),
        );
    }
}

/// A basic string of TOML.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
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
