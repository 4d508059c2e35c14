//! The canonical form of a campaign, and the revision that is its digest. Defaults are left
//! out, so that a key added later with a default changes no revision that exists.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use super::campaign::SCHEMA;
use super::sections::{
    AMOUNTS, ANCHORS, DUPLICATES, MATCH_KEYS, METADATA_DEFAULT, PREFER, TOUCH, each_payment_default,
};
use crate::domain::campaign::{
    AttributionRules, Bound, Campaign, Limits, MatchRules, Mode, QualifyRules, RewardRule,
};
use crate::domain::ids::RevisionId;
use crate::domain::money::Money;

/// The canonical text: what a campaign means, written in one way. Reading it gives the same
/// campaign; two files with one meaning have one canonical text.
pub fn to_toml(campaign: &Campaign) -> String {
    let mut out = Writer::default();
    out.key("schema", &SCHEMA.to_string());
    out.key("id", &quoted(campaign.id.as_str()));
    out.key("name", &quoted(&campaign.name));
    if let Some(account) = &campaign.account {
        out.key("account", &quoted(account.as_str()));
    }
    if campaign.mode != Mode::default() {
        out.key("mode", &quoted(campaign.mode.name()));
    }
    if let Some(starts) = campaign.starts {
        out.key("starts", &starts.to_string());
    }
    if let Some(ends) = campaign.ends {
        out.key("ends", &ends.to_string());
    }
    matching(&mut out, &campaign.matching);
    qualify(&mut out, &campaign.qualify);
    attribution(&mut out, campaign.attribution);
    reward(&mut out, "reward.promoter", campaign.reward_promoter);
    reward(&mut out, "reward.invited", campaign.reward_invited);
    limits(&mut out, &campaign.limits);
    out.text
}

/// `sha256:<hex>` of the canonical text.
pub fn revision(campaign: &Campaign) -> RevisionId {
    let digest = Sha256::digest(to_toml(campaign));
    RevisionId::new(format!("sha256:{}", hex::encode(digest)))
}

/// Writes keys, and a table's header before its first key.
#[derive(Default)]
struct Writer {
    text: String,
    header: Option<&'static str>,
}

impl Writer {
    fn table(&mut self, name: &'static str) {
        self.header = Some(name);
    }

    fn key(&mut self, key: &str, value: &str) {
        if let Some(name) = self.header.take() {
            let _ = write!(self.text, "\n[{name}]\n");
        }
        let _ = writeln!(self.text, "{key} = {value}");
    }

    /// A word, unless it is the default.
    fn word<T: Copy + PartialEq + Default>(&mut self, key: &str, words: &[(&str, T)], value: T) {
        if value != T::default()
            && let Some((word, _)) = words.iter().find(|(_, known)| *known == value)
        {
            self.key(key, &quoted(word));
        }
    }
}

/// A basic string. Campaigns hold no control characters, so two escapes suffice.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn list<'s>(texts: impl IntoIterator<Item = &'s str>) -> String {
    let texts: Vec<String> = texts.into_iter().map(quoted).collect();
    format!("[{}]", texts.join(", "))
}

fn money(money: Money) -> String {
    format!(
        "{{ amount = \"{}\", currency = \"{}\" }}",
        money.major(),
        money.currency.code()
    )
}

const fn bound_key(bound: Bound) -> &'static str {
    match bound {
        Bound::AtLeast => "at_least",
        Bound::MoreThan => "more_than",
    }
}

fn matching(out: &mut Writer, rules: &MatchRules) {
    out.table("match");
    if rules.keys != MATCH_KEYS.map(|(_, key)| key) {
        let words = MATCH_KEYS
            .iter()
            .filter(|(_, key)| rules.keys.contains(key));
        out.key("keys", &list(words.map(|(word, _)| *word)));
    }
    if rules.metadata != [METADATA_DEFAULT] {
        out.key("metadata", &list(rules.metadata.iter().map(String::as_str)));
    }
    out.word("duplicates", &DUPLICATES, rules.duplicates);
    if rules.new_customers_only {
        out.key("customers", &quoted("new"));
    }
}

fn qualify(out: &mut Writer, rules: &QualifyRules) {
    out.table("qualify");
    if !rules.spend.is_empty() {
        let entries: Vec<String> = rules
            .spend
            .iter()
            .map(|threshold| {
                format!(
                    "{{ {} = \"{}\", currency = \"{}\" }}",
                    bound_key(threshold.bound),
                    threshold.amount.major(),
                    threshold.amount.currency.code()
                )
            })
            .collect();
        out.key("spend", &format!("[{}]", entries.join(", ")));
    }
    if let Some(days) = rules.within_days {
        out.key("within_days", &days.to_string());
    }
    out.word("from", &ANCHORS, rules.from);
    if rules.payments != 1 {
        out.key("payments", &rules.payments.to_string());
    }
    if rules.each_payment != each_payment_default() {
        let each = &rules.each_payment;
        let value = format!("{{ {} = \"{}\" }}", bound_key(each.bound), each.major);
        out.key("each_payment", &value);
    }
    out.word("amount", &AMOUNTS, rules.amount);
    if rules.out_of_band {
        out.key("out_of_band", "true");
    }
    if rules.hold_days != 0 {
        out.key("hold_days", &rules.hold_days.to_string());
    }
    if let Some(products) = &rules.products {
        out.table("qualify.products");
        for (key, ids) in [
            ("include", &products.include),
            ("exclude", &products.exclude),
        ] {
            if !ids.is_empty() {
                out.key(key, &list(ids.iter().map(String::as_str)));
            }
        }
    }
}

fn attribution(out: &mut Writer, rules: AttributionRules) {
    out.table("attribution");
    if !rules.coupons {
        out.key("coupons", "false");
    }
    out.word("prefer", &PREFER, rules.prefer);
    out.word("touch", &TOUCH, rules.touch);
}

fn reward(out: &mut Writer, table: &'static str, rule: Option<RewardRule>) {
    out.table(table);
    match rule {
        None => {}
        Some(RewardRule::Fixed(fixed)) => out.key("fixed", &money(fixed)),
        Some(RewardRule::Percent { basis_points, cap }) => {
            let (whole, rest) = (basis_points / 100, basis_points % 100);
            let percent = format!("{whole}.{rest:02}");
            let percent = percent.trim_end_matches('0').trim_end_matches('.');
            out.key("percent", &quoted(percent));
            if let Some(cap) = cap {
                out.key("cap", &money(cap));
            }
        }
    }
}

fn limits(out: &mut Writer, limits: &Limits) {
    out.table("limits");
    if let Some(most) = limits.per_promoter_settled {
        out.key("per_promoter_settled", &most.to_string());
    }
    if let Some(budget) = limits.budget {
        out.key("budget", &money(budget));
    }
}
