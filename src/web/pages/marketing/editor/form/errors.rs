//! Problems of a campaign file, told at the form's fields.

use std::collections::BTreeSet;

use crate::rules::Problem;
use crate::web::parts::Errors;

/// Every problem of a file at the field it came from; what has no field is told on its own.
pub(in super::super) fn errors(problems: &[Problem]) -> Errors {
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
