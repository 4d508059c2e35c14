//! The keys there are, by table, and what is said of one that is not. What a key means is
//! its section's business.

use super::item::shown;
use super::suggest;

/// The keys of every table of a campaign file, by the table's dotted name.
pub const TABLES: &[(&str, &[&str])] = &[
    (
        "",
        &[
            "schema",
            "id",
            "name",
            "account",
            "mode",
            "starts",
            "ends",
            "match",
            "qualify",
            "attribution",
            "reward",
            "limits",
        ],
    ),
    ("match", &["keys", "metadata", "duplicates", "customers"]),
    (
        "qualify",
        &[
            "spend",
            "within_days",
            "from",
            "payments",
            "each_payment",
            "amount",
            "out_of_band",
            "hold_days",
            "products",
        ],
    ),
    ("qualify.products", &["include", "exclude"]),
    ("attribution", &["coupons", "prefer", "touch"]),
    ("reward", &["promoter", "invited"]),
    ("reward.promoter", &["fixed", "percent", "cap"]),
    ("reward.invited", &["fixed", "percent", "cap"]),
    ("limits", &["per_promoter_settled", "budget"]),
];

/// The keys of a table by its dotted name.
pub(super) fn of(path: &str) -> &'static [&'static str] {
    TABLES
        .iter()
        .find(|(name, _)| *name == path)
        .map_or(&[], |(_, keys)| keys)
}

/// What is said of an unknown key.
pub(super) fn unknown(name: &str, path: &str, known: &[&str]) -> String {
    let place = if path.is_empty() {
        "at the top of the file".to_owned()
    } else {
        format!("in {path}")
    };
    format!(
        "found the unknown key `{}`{}; accepted {place} are {}",
        shown(name),
        hint_for_key(name, path, known),
        suggest::all_of(known)
    )
}

/// Where a misplaced key belongs, or what a misspelt one may mean.
fn hint_for_key(name: &str, path: &str, known: &[&str]) -> String {
    if let Some(word) = suggest::nearest(name, known) {
        return format!(", did you mean `{word}`?");
    }
    let elsewhere = TABLES
        .iter()
        .find(|(table, keys)| *table != path && keys.contains(&name));
    match elsewhere {
        Some(("", _)) => {
            ", which belongs at the top of the file, above the first [table]".to_owned()
        }
        Some((table, _)) => format!(", which belongs in [{table}]"),
        None => String::new(),
    }
}
