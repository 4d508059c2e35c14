//! From sorted verdicts to what is printed: limits and budgets in the order in which money was
//! earned, sums, and what another rule set would change. Verdicts pass by; what is kept of each
//! is a few bytes, and only where a limit or a comparison asks for it.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::io::Write;

use super::book::Numbered;
use super::error::BacktestError;
use super::part::{Judge, Output};
use super::pass::Verdicts;
use super::rows::Row;
use super::runs::Merge;
use super::watch::{Step, Watch};
use crate::domain::ids::{CampaignId, PromoterId, ReferralId};
use crate::domain::time::Timestamp;
use crate::domain::verdict::{Reason, Reward, RewardTo, Verdict, VerdictState};
use crate::evaluate::backtest::{Changed, Difference, Summary};
use crate::evaluate::limits::Used;
use crate::offline::render::{self, Widths};

/// Writes the first rule set's verdicts; the difference to the second one's, if there is one.
pub fn write(
    judge: &Judge<'_>,
    verdicts: &mut Verdicts,
    out: &mut dyn Write,
    watch: &dyn Watch,
) -> Result<Option<Difference>, BacktestError> {
    let refused: Vec<Refused> = (0..judge.sets.len())
        .map(|set| limits(judge, verdicts, set))
        .collect::<Result<_, _>>()?;
    match judge.output {
        Output::Json => json(verdicts, &refused, out, watch)?,
        Output::Table => tables(judge, verdicts, &refused, out, watch)?,
    }
    compare(judge, verdicts, &refused)
}

/// The verdicts of one rule set that a limit keeps from settling: by campaign and position.
#[derive(Default)]
struct Refused {
    by_place: HashMap<Place, u32>,
    reasons: Numbered<(crate::domain::reason::ReasonCode, String)>,
}

impl Refused {
    fn why(&self, place: Place) -> Option<Reason> {
        let (code, detail) = self.reasons.get(*self.by_place.get(&place)?)?;
        Some(Reason::new(*code, detail.clone()))
    }
}

/// A verdict's place: its campaign's position in the rule set, and its own in the campaign.
type Place = (u16, u32);
/// A row with its place, while there is one.
type Next<'r> = Result<Option<(Place, Row<'r>)>, BacktestError>;

/// Rows of one rule set in order, without those struck out, each with its position in its
/// campaign.
struct Rows<'v> {
    merge: Merge<'v>,
    struck_out: &'v dyn Fn(u32) -> bool,
    campaign: Option<u16>,
    position: u32,
}

impl Rows<'_> {
    fn next_row(&mut self) -> Next<'_> {
        loop {
            let Some(row) = self.merge.next_row().map_err(BacktestError::Temporary)? else {
                return Ok(None);
            };
            let tag = super::rows::tag(row).unwrap_or(super::rows::NO_TAG);
            if !(self.struck_out)(tag) {
                break;
            }
        }
        let damaged = || BacktestError::Temporary(std::io::Error::other("it is damaged"));
        let row = self
            .merge
            .current()
            .and_then(Row::read)
            .ok_or_else(damaged)?;
        if self.campaign == Some(row.campaign) {
            self.position = self.position.saturating_add(1);
        } else {
            (self.campaign, self.position) = (Some(row.campaign), 0);
        }
        Ok(Some(((row.campaign, self.position), row)))
    }
}

/// Hands over every row of a rule set.
fn each(
    verdicts: &mut Verdicts,
    set: usize,
    mut take: impl FnMut(Place, &Row<'_>) -> Result<(), BacktestError>,
) -> Result<(), BacktestError> {
    let (runs, components) = verdicts.split();
    let Some(runs) = runs.get_mut(set) else {
        return Ok(());
    };
    let struck_out = |tag| components.strikes_out(tag);
    let mut rows = Rows {
        merge: runs.merge().map_err(BacktestError::Temporary)?,
        struck_out: &struck_out,
        campaign: None,
        position: 0,
    };
    while let Some((place, row)) = rows.next_row()? {
        take(place, &row)?;
    }
    Ok(())
}

/// What a limit looks at, of one qualified verdict.
struct Qualified {
    at: Option<Timestamp>,
    place: Place,
    promoter: u32,
    /// In the budget's currency.
    owed: i64,
}

/// Applies limits and budgets as settling all of it would, in the order of (`qualified_at`, id).
fn limits(
    judge: &Judge<'_>,
    verdicts: &mut Verdicts,
    set: usize,
) -> Result<Refused, BacktestError> {
    let campaigns = judge.sets.get(set).map_or(&[][..], Vec::as_slice);
    let campaign = |position: u16| {
        campaigns
            .get(usize::from(position))
            .map(|tried| tried.campaign)
    };
    let mut refused = Refused::default();
    let limited = |position| {
        let limits = campaign(position).map(|campaign| campaign.limits);
        limits.is_some_and(|l| l.per_promoter_settled.is_some() || l.budget.is_some())
    };
    if !(0..u16::try_from(campaigns.len()).unwrap_or(u16::MAX)).any(limited) {
        return Ok(refused);
    }
    let mut promoters: Numbered<PromoterId> = Numbered::default();
    let mut qualified = Vec::new();
    each(verdicts, set, |place, row| {
        let promoter = row
            .promoter
            .filter(|_| row.state == VerdictState::Qualified && limited(place.0));
        if let (Some(promoter), Some(campaign)) = (promoter, campaign(place.0)) {
            let budget = campaign.limits.budget.map(|budget| budget.currency);
            let counts = row.rewards.iter().filter(|r| Some(r.currency) == budget);
            qualified.push(Qualified {
                at: row.qualified_at,
                place,
                promoter: promoters.number(&PromoterId::from(promoter)),
                owed: counts.fold(0, |sum: i64, r| sum.saturating_add(r.amount_minor)),
            });
        }
        Ok(())
    })?;
    qualified.sort_unstable_by_key(|q| (q.place.0, q.at, q.place.1));
    let mut used = Used::default();
    for one in qualified {
        let (Some(campaign), Some(promoter)) = (campaign(one.place.0), promoters.get(one.promoter))
        else {
            continue;
        };
        let owed = campaign.limits.budget.map(|budget| Reward {
            to: RewardTo::Promoter,
            amount_minor: one.owed,
            currency: budget.currency,
        });
        if let Err(reason) = used.admit(campaign, promoter, owed.as_slice()) {
            let number = refused.reasons.number(&(reason.code, reason.detail));
            refused.by_place.insert(one.place, number);
        }
    }
    Ok(refused)
}

fn json(
    verdicts: &mut Verdicts,
    refused: &[Refused],
    out: &mut dyn Write,
    watch: &dyn Watch,
) -> Result<(), BacktestError> {
    let mut count = Count::new(watch);
    each(verdicts, 0, |place, row| {
        count.one()?;
        let written = match refused.first().and_then(|refused| refused.why(place)) {
            None => out.write_all(row.text),
            Some(reason) => limited(row.text, reason).and_then(|text| out.write_all(&text)),
        };
        let written = written.and_then(|()| out.write_all(b"\n"));
        written.map_err(BacktestError::Output)
    })
}

/// A verdict that a limit keeps from settling.
fn limited(text: &[u8], reason: Reason) -> std::io::Result<Vec<u8>> {
    let mut verdict: Verdict = serde_json::from_slice(text)?;
    verdict.reasons.push(reason);
    verdict.rewards.clear();
    Ok(serde_json::to_vec(&verdict)?)
}

fn tables(
    judge: &Judge<'_>,
    verdicts: &mut Verdicts,
    refused: &[Refused],
    out: &mut dyn Write,
    watch: &dyn Watch,
) -> Result<(), BacktestError> {
    let campaigns = judge.sets.first().map_or(&[][..], Vec::as_slice);
    let refused = |place| refused.first().and_then(|refused| refused.why(place));
    let mut sums: Vec<(Summary, Widths)> = campaigns.iter().map(|_| Default::default()).collect();
    each(verdicts, 0, |place, row| {
        if let Some((summary, widths)) = sums.get_mut(usize::from(place.0)) {
            let rewards = if refused(place).is_some() {
                &[]
            } else {
                row.rewards.as_slice()
            };
            summary.add(row.state, rewards);
            widths.fit(row.referral, row.promoter);
        }
        Ok(())
    })?;
    // Campaigns without any verdict have a heading as well.
    let mut headed = 0;
    let mut head = |upto: usize, out: &mut dyn Write| -> std::io::Result<()> {
        while headed < upto {
            if let (Some(tried), Some((summary, widths))) =
                (campaigns.get(headed), sums.get(headed))
            {
                render::campaign(tried.campaign, summary, widths, judge.as_of, out)?;
            }
            headed += 1;
        }
        Ok(())
    };
    let mut count = Count::new(watch);
    let mut last = None;
    each(verdicts, 0, |place, row| {
        count.one()?;
        let campaign = usize::from(place.0);
        let mut line = || {
            if last != Some(campaign) {
                if last.is_some() {
                    writeln!(out)?;
                }
                last = Some(campaign);
                head(campaign + 1, out)?;
            }
            let widths = sums
                .get(campaign)
                .map(|(_, widths)| *widths)
                .unwrap_or_default();
            let sentence = String::from_utf8_lossy(row.text);
            let further = refused(place);
            render::line(
                widths,
                row.referral,
                row.promoter,
                &sentence,
                further.as_ref(),
                out,
            )
        };
        line().map_err(BacktestError::Output)
    })?;
    let mut end = || {
        if last.is_some() {
            writeln!(out)?;
        }
        head(campaigns.len(), out)
    };
    end().map_err(BacktestError::Output)
}

/// What the second rule set would change.
fn compare(
    judge: &Judge<'_>,
    verdicts: &mut Verdicts,
    refused: &[Refused],
) -> Result<Option<Difference>, BacktestError> {
    let (Some(live), Some(draft)) = (judge.sets.first(), judge.sets.get(1)) else {
        return Ok(None);
    };
    let name = |campaigns: &[super::views::Tried<'_>], position: u16| {
        let tried = campaigns.get(usize::from(position));
        tried.map_or(CampaignId::from(""), |tried| tried.campaign.id.clone())
    };
    let mut totals = [Summary::default(), Summary::default()];
    for (set, summary) in totals.iter_mut().enumerate() {
        let refused = refused.get(set);
        each(verdicts, set, |place, row| {
            let kept = refused.is_none_or(|refused| refused.why(place).is_none());
            summary.add(row.state, if kept { &row.rewards } else { &[] });
            Ok(())
        })?;
    }
    let (runs, components) = verdicts.split();
    let struck_out = |tag| components.strikes_out(tag);
    let [first, second, ..] = runs else {
        return Ok(None);
    };
    let (of_live, of_draft) = (
        |position| name(live, position),
        |position| name(draft, position),
    );
    let mut before = Walk::new(first, &struck_out, &of_live)?;
    let mut after = Walk::new(second, &struck_out, &of_draft)?;
    let mut difference = Difference::default();
    let (mut mine, mut theirs) = (before.next_qualified()?, after.next_qualified()?);
    loop {
        let order = match (&mine, &theirs) {
            (None, None) => break,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(mine), Some(theirs)) => mine.cmp(theirs),
        };
        if order == Ordering::Less {
            difference.dropped_out.extend(mine.take());
        } else if order == Ordering::Greater {
            difference.newly_qualified.extend(theirs.take());
        }
        if order != Ordering::Greater {
            mine = before.next_qualified()?;
        }
        if order != Ordering::Less {
            theirs = after.next_qualified()?;
        }
    }
    let [live, draft] = totals;
    difference.rewards_change = draft.rewards;
    for (currency, minor) in live.rewards {
        let change = difference.rewards_change.entry(currency).or_default();
        *change = change.saturating_sub(minor);
    }
    difference.rewards_change.retain(|_, minor| *minor != 0);
    Ok(Some(difference))
}

/// The qualified referrals of a rule set, in order.
struct Walk<'v> {
    rows: Rows<'v>,
    name: &'v dyn Fn(u16) -> CampaignId,
}

impl<'v> Walk<'v> {
    fn new(
        runs: &'v mut super::runs::Runs,
        struck_out: &'v dyn Fn(u32) -> bool,
        name: &'v dyn Fn(u16) -> CampaignId,
    ) -> Result<Self, BacktestError> {
        let rows = Rows {
            merge: runs.merge().map_err(BacktestError::Temporary)?,
            struck_out,
            campaign: None,
            position: 0,
        };
        Ok(Self { rows, name })
    }

    fn next_qualified(&mut self) -> Result<Option<Changed>, BacktestError> {
        while let Some(((campaign, _), row)) = self.rows.next_row()? {
            if row.state == VerdictState::Qualified {
                return Ok(Some(Changed {
                    campaign: (self.name)(campaign),
                    referral: ReferralId::from(row.referral),
                    promoter: row.promoter.map(PromoterId::from),
                }));
            }
        }
        Ok(None)
    }
}

/// Tells now and then how many verdicts have been written.
struct Count<'w> {
    watch: &'w dyn Watch,
    done: u64,
}

impl<'w> Count<'w> {
    fn new(watch: &'w dyn Watch) -> Self {
        Self { watch, done: 0 }
    }

    fn one(&mut self) -> Result<(), BacktestError> {
        self.done += 1;
        if self.done.is_multiple_of(10_000) {
            self.watch.progress(Step::Verdicts {
                done: self.done,
                of: None,
            });
            if self.watch.is_cancelled() {
                return Err(BacktestError::Cancelled);
            }
        }
        Ok(())
    }
}
