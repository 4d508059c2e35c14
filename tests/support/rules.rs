//! Generates campaign files as people write them, and reads them the product's way.

use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use qualify::domain::campaign::Campaign;

use super::story::{BASE, DAY};

/// The campaign that a text describes.
pub fn campaign(text: &str) -> Campaign {
    qualify::rules::parse("c.toml", text).unwrap_or_else(|problems| panic!("{problems:?}\n{text}"))
}

fn at(offset: i64) -> String {
    super::story::instant(offset).to_string()
}

fn header() -> impl Strategy<Value = String> {
    let starts = weighted(0.08, select(vec![0, DAY, 3 * DAY]));
    let ends = weighted(0.1, select(vec![7 * DAY, 14 * DAY, 30 * DAY]));
    (starts, ends).prop_map(|(starts, ends)| {
        let mut text = String::from("schema = 1\nid = \"c\"\nname = \"C\"\n");
        for (key, value) in [("starts", starts), ("ends", ends)] {
            text += &value.map_or(String::new(), |v| format!("{key} = {}\n", at(v)));
        }
        const { assert!(BASE % DAY == 0) };
        text
    })
}

fn matching() -> impl Strategy<Value = String> {
    let keys = prop_oneof![
        3 => Just(vec!["stripe_id", "metadata", "email"]),
        1 => subsequence(vec!["stripe_id", "metadata", "email"], 1..=3),
    ];
    let duplicates = select(vec!["hold", "combine", "oldest", "newest", "highest_spend"]);
    (
        keys,
        duplicates,
        prop::bool::weighted(0.2),
        prop::bool::weighted(0.05),
    )
        .prop_map(|(keys, duplicates, new, other_key)| {
            let customers = if new { "new" } else { "any" };
            let metadata = if other_key { "user" } else { "fp_uid" };
            format!(
                "[match]\nkeys = {keys:?}\nduplicates = {duplicates:?}\n\
                 customers = {customers:?}\nmetadata = [{metadata:?}]\n"
            )
        })
}

/// Thresholds of currencies, in their order, with the currencies that they name.
fn spend() -> impl Strategy<Value = (String, Vec<&'static str>)> {
    let bound = || select(vec!["at_least", "more_than"]);
    let usd = (bound(), select(vec!["25.00", "50.00", "60", "0.51", "10"]));
    let eur = weighted(0.3, (bound(), select(vec!["25.00", "10.00"])));
    let jpy = weighted(0.3, (bound(), select(vec!["2500", "5000", "1"])));
    (weighted(0.85, usd), eur, jpy).prop_map(|(usd, eur, jpy)| {
        let all = [("usd", usd), ("eur", eur), ("jpy", jpy)];
        let mut entries = Vec::new();
        let mut currencies = Vec::new();
        for (currency, threshold) in all {
            if let Some((bound, amount)) = threshold {
                entries.push(format!(
                    "{{ {bound} = {amount:?}, currency = {currency:?} }}"
                ));
                currencies.push(currency);
            }
        }
        if entries.is_empty() {
            return (String::new(), currencies);
        }
        (format!("spend = [ {} ]\n", entries.join(", ")), currencies)
    })
}

fn conditions() -> impl Strategy<Value = String> {
    let window = weighted(
        0.65,
        (
            select(vec![1, 7, 14, 30, 30, 45]),
            select(vec!["referral", "first_payment", "customer_created"]),
        ),
    );
    let each = select(vec![
        "",
        "",
        "each_payment = { more_than = \"0.50\" }\n",
        "each_payment = { at_least = \"25.00\" }\n",
        "each_payment = { more_than = \"5\" }\n",
    ]);
    let products = select(vec![
        "",
        "",
        "",
        "",
        "",
        "",
        "[qualify.products]\ninclude = [\"prod_Pro\"]\n",
        "[qualify.products]\nexclude = [\"price_Setup\"]\n",
        "[qualify.products]\ninclude = [\"price_Pro\", \"prod_Team\"]\nexclude = [\"price_Team\"]\n",
    ]);
    let rest = (
        prop::bool::weighted(0.2),
        prop::bool::weighted(0.3),
        0..=14_u32,
    );
    (window, select(vec![1, 1, 1, 2, 3]), each, products, rest).prop_map(
        |(window, payments, each, products, (before_tax, out_of_band, hold))| {
            let mut text = String::new();
            if let Some((days, from)) = window {
                text += &format!("within_days = {days}\nfrom = {from:?}\n");
            }
            let amount = if before_tax { "before_tax" } else { "paid" };
            text += &format!(
                "payments = {payments}\namount = {amount:?}\nout_of_band = {out_of_band}\n\
                 hold_days = {hold}\n{each}{products}"
            );
            text
        },
    )
}

fn attribution() -> impl Strategy<Value = String> {
    (
        prop::bool::weighted(0.8),
        select(vec!["link", "coupon", "earliest", "hold"]),
        select(vec!["first", "last"]),
    )
        .prop_map(|(coupons, prefer, touch)| {
            format!("[attribution]\ncoupons = {coupons}\nprefer = {prefer:?}\ntouch = {touch:?}\n")
        })
}

/// A reward that fits to thresholds in some currencies.
fn reward(to: &'static str, currencies: &[&'static str]) -> String {
    let cap = match currencies {
        [] => "usd",
        [first, ..] => first,
    };
    let amount = if cap == "jpy" { "300" } else { "3.00" };
    match to {
        "fixed" => "fixed = { amount = \"20.00\", currency = \"usd\" }\n".into(),
        "capped" => {
            format!("percent = \"12.5\"\ncap = {{ amount = {amount:?}, currency = {cap:?} }}\n")
        }
        _ => "percent = \"7.77\"\n".into(),
    }
}

/// Texts of valid campaigns.
pub fn campaigns() -> impl Strategy<Value = String> {
    let kinds = || select(vec!["fixed", "percent", "capped"]);
    let rewards = (kinds(), weighted(0.3, kinds()));
    (
        header(),
        matching(),
        spend(),
        conditions(),
        attribution(),
        rewards,
    )
        .prop_map(
            |(
                header,
                matching,
                (spend, currencies),
                conditions,
                attribution,
                (promoter, invited),
            )| {
                let mut text =
                    format!("{header}{matching}[qualify]\n{spend}{conditions}{attribution}");
                text += &format!("[reward.promoter]\n{}", reward(promoter, &currencies));
                if let Some(kind) = invited {
                    text += &format!("[reward.invited]\n{}", reward(kind, &currencies));
                }
                text
            },
        )
}
