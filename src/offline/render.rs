//! Verdicts for people: per campaign the counts, the money, and one sentence a referral. Plain
//! text without colour, so that `NO_COLOR` has nothing to switch off.

use std::borrow::Cow;
use std::io::{self, Write};

use unicode_width::UnicodeWidthStr;

use crate::domain::campaign::Campaign;
use crate::domain::currency::Currency;
use crate::domain::money::Money;
use crate::domain::time::Timestamp;
use crate::domain::verdict::{Reason, VerdictState};
use crate::evaluate::backtest::{Changed, Difference, Summary};

/// The states in the order they are told.
const STATES: [VerdictState; 4] = [
    VerdictState::Qualified,
    VerdictState::Pending,
    VerdictState::Review,
    VerdictState::Rejected,
];

/// How wide the columns of a campaign's table are, in cells of a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Widths {
    referral: usize,
    promoter: usize,
}

const HEADER: [&str; 3] = ["REFERRAL", "PROMOTER", "VERDICT"];

impl Default for Widths {
    fn default() -> Self {
        let [referral, promoter, _] = HEADER.map(UnicodeWidthStr::width);
        Self { referral, promoter }
    }
}

impl Widths {
    /// Makes room for a line.
    pub fn fit(&mut self, referral: &str, promoter: Option<&str>) {
        self.referral = self.referral.max(printable(referral).width());
        self.promoter = self
            .promoter
            .max(printable(promoter.unwrap_or("-")).width());
    }

    fn line(self, [referral, promoter, verdict]: [&str; 3], out: &mut dyn Write) -> io::Result<()> {
        let gap = |text: &str, width: usize| " ".repeat(width.saturating_sub(text.width()));
        let (after, next) = (gap(referral, self.referral), gap(promoter, self.promoter));
        let line = format!("  {referral}{after}  {promoter}{next}  {verdict}");
        writeln!(out, "{}", line.trim_end())
    }
}

/// Writes a campaign's heading: its name, its counts and rewards, and the head of its table.
/// Lines follow, and a blank one after the last.
pub fn campaign(
    campaign: &Campaign,
    summary: &Summary,
    widths: &Widths,
    as_of: Timestamp,
    out: &mut dyn Write,
) -> io::Result<()> {
    writeln!(out, "{}  {}", campaign.id, campaign.name)?;
    let counts = STATES.map(|state| {
        let count = summary.states.get(state.name()).copied().unwrap_or(0);
        format!("{count} {}", state.name())
    });
    let (mode, at) = (campaign.mode.name(), as_of.words());
    writeln!(out, "  {} ({mode}, as of {at})", counts.join(", "))?;
    writeln!(out, "  rewards: {}", amounts(&summary.rewards, false))?;
    if summary.states.is_empty() {
        return writeln!(out, "  no referrals\n");
    }
    widths.line(HEADER, out)
}

/// Writes one referral. `limit` says why it settles nothing although it qualified.
pub fn line(
    widths: Widths,
    referral: &str,
    promoter: Option<&str>,
    sentence: &str,
    limit: Option<&Reason>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let limit = limit.map(|reason| format!("; {}: {}", reason.code, reason.detail));
    let sentence = format!("{sentence}{}", limit.unwrap_or_default());
    let cells = [referral, promoter.unwrap_or("-"), &sentence].map(printable);
    widths.line(cells.each_ref().map(|cell| &**cell), out)
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
fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(char::is_control) {
        return Cow::Borrowed(text);
    }
    let shown = text.chars();
    shown
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}
