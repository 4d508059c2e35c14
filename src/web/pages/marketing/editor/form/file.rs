//! The form as it was sent → a campaign file, with nothing in it put right.

use std::fmt::Write as _;

use super::{only_in_file, spend};
use crate::domain::campaign::Campaign;
use crate::domain::time::Timestamp;
use crate::web::input::Fields;

/// A campaign file from the form's fields; what the form does not have is taken from `base`.
pub(in super::super) fn to_file(fields: &Fields, base: Option<&Campaign>) -> String {
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
