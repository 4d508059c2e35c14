//! Verdicts for people: per campaign the counts, the money, and one sentence a referral. Plain
//! text without colour, so that `NO_COLOR` has nothing to switch off.

use std::io::{self, Write};

use super::trial::Judged;
use crate::domain::currency::Currency;
use crate::domain::money::Money;
use crate::domain::time::Timestamp;
use crate::domain::verdict::{Verdict, VerdictState};
use crate::evaluate::backtest::{Changed, Difference, Summary};
use crate::evaluate::explain;

/// The states in the order they are told.
const STATES: [VerdictState; 4] = [
    VerdictState::Qualified,
    VerdictState::Pending,
    VerdictState::Review,
    VerdictState::Rejected,
];

/// Writes one campaign: its name, its counts and rewards, a line a referral.
pub fn campaign(judged: &Judged<'_>, as_of: Timestamp, out: &mut dyn Write) -> io::Result<()> {
    let campaign = judged.campaign;
    let summary = Summary::of(&judged.verdicts);
    writeln!(out, "{}  {}", campaign.id, campaign.name)?;
    let counts = STATES.map(|state| {
        let count = summary.states.get(state.name()).copied().unwrap_or(0);
        format!("{count} {}", state.name())
    });
    let (mode, at) = (campaign.mode.name(), as_of.words());
    writeln!(out, "  {} ({mode}, as of {at})", counts.join(", "))?;
    writeln!(out, "  rewards: {}", amounts(&summary.rewards, false))?;
    if judged.verdicts.is_empty() {
        return writeln!(out, "  no referrals\n");
    }
    let mut table = comfy_table::Table::new();
    table.load_preset(comfy_table::presets::NOTHING);
    table.set_content_arrangement(comfy_table::ContentArrangement::Disabled);
    table.set_header(["REFERRAL", "PROMOTER", "VERDICT"]);
    for verdict in &judged.verdicts {
        let sentence = explain::sentence(verdict) + &limited(verdict);
        let cells = [verdict.referral.as_str(), promoter(verdict), &sentence];
        table.add_row(cells.map(printable));
    }
    for line in table.lines() {
        writeln!(out, " {}", line.trim_end())?;
    }
    writeln!(out)
}

/// Writes what another rule set would change.
pub fn difference(other: &str, difference: &Difference, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "with {other} instead:")?;
    let lists = [
        ("newly qualified", &difference.newly_qualified),
        ("dropped out", &difference.dropped_out),
    ];
    for (what, changed) in lists {
        writeln!(out, "  {} {what}", changed.len())?;
        for Changed {
            campaign,
            referral,
            promoter,
        } in changed
        {
            let by = promoter.as_ref().map_or("nobody", |id| id.as_str());
            let line = format!("    {campaign}  {referral}  by {by}");
            writeln!(out, "{}", printable(&line))?;
        }
    }
    let change = amounts(&difference.rewards_change, true);
    writeln!(out, "  change in rewards: {change}")
}

/// A qualified referral that settles nothing says so behind its sentence.
fn limited(verdict: &Verdict) -> String {
    let further = verdict.reasons.get(1..).unwrap_or_default();
    match (verdict.state, further.first()) {
        (VerdictState::Qualified, Some(reason)) => format!("; {}: {}", reason.code, reason.detail),
        _ => String::new(),
    }
}

fn promoter(verdict: &Verdict) -> &str {
    verdict.promoter.as_ref().map_or("-", |id| id.as_str())
}

fn amounts(sums: &std::collections::BTreeMap<Currency, i64>, signed: bool) -> String {
    let amounts = sums.iter().map(|(currency, minor)| {
        let plus = if signed && *minor > 0 { "+" } else { "" };
        format!("{plus}{}", Money::new(*minor, *currency))
    });
    let amounts: Vec<String> = amounts.collect();
    if amounts.is_empty() {
        "none".to_owned()
    } else {
        amounts.join(", ")
    }
}

/// Ids come from files; a terminal must not obey what they contain.
fn printable(text: &str) -> String {
    let shown = text
        .chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c });
    shown.collect()
}
