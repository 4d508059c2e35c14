//! What came of trying a draft on the past, as it is shown beside the draft; it replaces itself
//! while the backtest runs.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};

use super::no_such;
use crate::backtests::{Change, Job, Outcome, Standing};
use crate::domain::ids::BacktestId;
use crate::domain::money::Money;
use crate::domain::time::Timestamp;
use crate::web::answer::{Answer, on_to, page};
use crate::web::layout::Said;
use crate::web::parts::{Field, Link, When};
use crate::web::{View, Web, format, url};

/// Seconds after which a page without JavaScript looks again.
pub(super) const REFRESH_SECONDS: u32 = 3;

/// `/backtests/{id}`: a part of the editor's page.
#[derive(Debug, Template)]
#[template(path = "pages/marketing/editor/tried.html", config = ".askama.toml")]
pub(crate) struct TriedPart {
    pub id: BacktestId,
    pub running: bool,
    /// How far it is, or why nothing came of it.
    pub standing: String,
    pub asked: When,
    pub result: Option<Tried>,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Tried {
    pub sentence: String,
    pub about: String,
    pub rows: Vec<TriedRow>,
    pub has_live: bool,
    pub money: Vec<TriedMoney>,
    pub newly: Vec<(Link, String)>,
    pub newly_more: String,
    pub dropped: Vec<(Link, String)>,
    pub dropped_more: String,
}

/// One state's counts.
#[derive(Debug)]
pub(crate) struct TriedRow {
    pub what: &'static str,
    pub draft: String,
    pub live: String,
    pub change: String,
}

/// Rewards in one currency.
#[derive(Debug)]
pub(crate) struct TriedMoney {
    pub currency: String,
    pub draft: String,
    pub live: String,
    pub change: String,
}

// Its template writes finished HTML, like those of `parts`.
impl askama::filters::HtmlSafe for TriedPart {}

impl TriedPart {
    pub(super) fn reload(&self) -> String {
        format!("/backtests/{}", self.id)
    }
}

/// `GET /backtests/{id}`: the part alone, for the page to put in.
pub(crate) async fn tried(
    State(web): State<Arc<Web>>,
    view: View,
    Path(id): Path<BacktestId>,
) -> Answer {
    let job = web.backtests.get(&web.app, view.connection(), &id).await?;
    let job = job.ok_or_else(|| no_such("backtest"))?;
    page(&part(&job, view.now))
}

/// `POST /backtests/{id}/stop`
pub(crate) async fn stop(
    State(web): State<Arc<Web>>,
    view: View,
    Path(id): Path<BacktestId>,
) -> Answer {
    let job = web.backtests.stop(&web.app, view.connection(), &id).await?;
    let job = job.ok_or_else(|| no_such("backtest"))?;
    let editor = match &job.draft.campaign {
        Some(campaign) => format!("{}/edit", url::campaign(campaign)),
        None => "/new-campaign".to_owned(),
    };
    let place = url::with(&editor, &[("backtest", job.id.as_str())]);
    on_to(&format!("{place}#tried"), Some(Said::BacktestStopped))
}

/// How far back to look.
pub(super) fn days() -> Field {
    Field::select("days", "Referrals of", super::spans()).value("90")
}

pub(super) fn part(job: &Arc<Job>, now: Timestamp) -> TriedPart {
    let standing = job.standing();
    let words = match &standing {
        Standing::Waiting => "Waiting for other backtests to end.".to_owned(),
        Standing::Reading => "Reading every stored event.".to_owned(),
        Standing::Judging => "Judging every referral.".to_owned(),
        Standing::Done(_) => String::new(),
        Standing::Failed(words) => words.clone(),
        Standing::Stopped => "Stopped.".to_owned(),
    };
    TriedPart {
        id: job.id.clone(),
        running: !standing.is_over(),
        standing: words,
        asked: When::new(job.asked_at, now),
        result: match &standing {
            Standing::Done(outcome) => Some(result(outcome)),
            _ => None,
        },
    }
}

fn result(outcome: &Outcome) -> Tried {
    let (draft, live) = (outcome.draft, outcome.live.unwrap_or_default());
    let has_live = outcome.live.is_some();
    let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let row = |what, draft: u64, live: u64| TriedRow {
        what,
        draft: format::count(signed(draft)),
        live: format::count(signed(live)),
        change: format::count_change(signed(draft).saturating_sub(signed(live))),
    };
    let money: Vec<TriedMoney> = outcome
        .money
        .iter()
        .map(|sum| {
            let money = |minor| Money::new(minor, sum.currency);
            TriedMoney {
                currency: sum.currency.to_string(),
                draft: format::amount(money(sum.draft)),
                live: format::amount(money(sum.live)),
                change: format::change(money(sum.draft.saturating_sub(sum.live))),
            }
        })
        .collect();
    let span = outcome.since.map_or_else(
        || "all referrals".to_owned(),
        |since| format!("referrals from {} on", since.words()),
    );
    let judged = format::plural(signed(outcome.referrals), "verdict");
    Tried {
        sentence: sentence(outcome, &money),
        about: format!(
            "Tried on {span}: {judged}, as of {}. What is settled stays settled, whatever the \
             rules become.",
            outcome.as_of.words()
        ),
        rows: vec![
            row("Qualified", draft.qualified, live.qualified),
            row("Pending", draft.pending, live.pending),
            row("In review", draft.review, live.review),
            row("Rejected", draft.rejected, live.rejected),
        ],
        has_live,
        money,
        newly: named(&outcome.newly),
        newly_more: more(&outcome.newly),
        dropped: named(&outcome.dropped),
        dropped_more: more(&outcome.dropped),
    }
}

/// `132 would qualify, +18 against the rules in force, at +360.00 USD.`
fn sentence(outcome: &Outcome, money: &[TriedMoney]) -> String {
    let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let qualified = signed(outcome.draft.qualified);
    let said = format!("{} would qualify", format::count(qualified));
    match outcome.live {
        None => {
            let costs: Vec<String> = money
                .iter()
                .map(|sum| format!("{} {}", sum.draft, sum.currency))
                .collect();
            if costs.is_empty() {
                format!("{said}.")
            } else {
                format!("{said}, for {}.", costs.join(" and "))
            }
        }
        Some(live) => {
            let more = qualified.saturating_sub(signed(live.qualified));
            let costs: Vec<&str> = money.iter().map(|sum| sum.change.as_str()).collect();
            let comma = if costs.is_empty() { "" } else { ", " };
            let costs = costs.join(" and ");
            let more = format::count_change(more);
            format!("{said}: {more} against the rules in force{comma}{costs}.")
        }
    }
}

fn named(change: &Change) -> Vec<(Link, String)> {
    let link = |(referral, promoter): &(String, String)| {
        (
            Link::new(referral, url::referral(referral)),
            promoter.clone(),
        )
    };
    change.named.iter().map(link).collect()
}

fn more(change: &Change) -> String {
    let rest = change.count.saturating_sub(change.named.len() as u64);
    match rest {
        0 => String::new(),
        rest => format!(
            "and {} more",
            format::count(i64::try_from(rest).unwrap_or(i64::MAX))
        ),
    }
}

#[cfg(test)]
pub(super) fn sample(now: Timestamp) -> TriedPart {
    use crate::backtests::{Counts, MoneyChange};
    use crate::domain::currency::Currency;
    let counts = |qualified| Counts {
        qualified,
        pending: 12,
        review: 1,
        rejected: 40,
    };
    let change = |count, name: &str| Change {
        count,
        named: vec![(name.to_owned(), "prom_ana".to_owned())],
    };
    TriedPart {
        id: "0123456789abcdef".into(),
        running: false,
        standing: String::new(),
        asked: When::new(now, now),
        result: Some(result(&Outcome {
            as_of: now,
            since: Some(now.plus_seconds(-7_776_000)),
            referrals: 416,
            draft: counts(132),
            live: Some(counts(114)),
            newly: change(20, "ref_9"),
            dropped: change(2, "ref_3"),
            money: vec![MoneyChange {
                currency: Currency::USD,
                draft: 264_000,
                live: 228_000,
            }],
        })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::samples::{hold_part, now};

    #[test]
    fn a_result_says_what_would_change() {
        let done = sample(now());
        let sentence = &done.result.as_ref().unwrap().sentence;
        let said = "132 would qualify: +18 against the rules in force, +360.00 USD.";
        assert_eq!(sentence, said);
        hold_part("tried", &done);
        let running = TriedPart {
            running: true,
            standing: "Reading every stored event.".to_owned(),
            result: None,
            ..done
        };
        hold_part("tried_running", &running);
    }
}
