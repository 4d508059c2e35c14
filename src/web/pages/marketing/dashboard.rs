//! `/`: where referrals have got to, what it costs, what waits for people, what comes next.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use super::tally::{Tally, all, by_campaign, share};
use super::{MoneyRow, campaigns::names, owed};
use crate::domain::access::{Permission, Role};
use crate::domain::decision::CaseKind;
use crate::domain::time::{DAY_SECONDS, Timestamp};
use crate::http::Problem;
use crate::settle::schedule;
use crate::store::reports::{self, RewardFilter};
use crate::web::layout::Page;
use crate::web::pages::admin::words;
use crate::web::parts::{Empty, Link, Point, Trend, When};
use crate::web::{View, Web, answer, format, url};

/// Weeks that the trend shows: half a year.
const WEEKS: u32 = 26;

/// `/`
#[derive(Debug, Template)]
#[template(path = "pages/marketing/dashboard.html", config = ".askama.toml")]
pub(crate) struct DashboardPage {
    pub page: Page,
    pub empty: Option<Empty>,
    pub figures: Vec<Figure>,
    pub owed: Vec<String>,
    pub money: Vec<MoneyRow>,
    pub campaigns: Vec<FunnelRow>,
    pub trend: Trend,
    pub waiting: Vec<WaitingRow>,
    pub cases: Option<Link>,
    pub next: Option<NextBatch>,
}

/// A large number.
#[derive(Debug)]
pub(crate) struct Figure {
    pub label: &'static str,
    pub number: String,
    pub hint: String,
}

/// A campaign's line.
#[derive(Debug)]
pub(crate) struct FunnelRow {
    pub link: Link,
    pub tally: Tally,
}

/// Cases of one kind.
#[derive(Debug)]
pub(crate) struct WaitingRow {
    pub what: String,
    pub count: String,
}

/// The batch that comes next.
#[derive(Debug)]
pub(crate) struct NextBatch {
    pub at: When,
    pub due: String,
}

/// `GET /`. A promoter's first page is their own.
pub(crate) async fn show(State(web): State<Arc<Web>>, view: View) -> Result<Response, Problem> {
    if view.signed.role == Role::Promoter {
        return answer::on_to("/portal", None);
    }
    let connection = view.connection();
    let mut tx = web.app.db.read().await?;
    let names = names(&mut tx, connection).await?;
    let tallies = by_campaign(&mut tx, connection).await?;
    let money = reports::reward_totals(&mut tx, connection, &RewardFilter::default()).await?;
    let from = week_start(view.now).plus_seconds(-i64::from(WEEKS - 1) * 7 * DAY_SECONDS);
    let weeks = reports::weeks(&mut tx, connection, None, from, WEEKS).await?;
    let cases = reports::open_cases_by_kind(&mut tx, connection).await?;
    let at = schedule::next(&web.app.config.settle_cron.schedule, view.now);
    let next = match at {
        None => None,
        Some(at) => {
            let due = reports::queued_until(&mut tx, connection, at).await?;
            let due = format!("{} due by then", format::plural(due, "reward"));
            let at = When::new(at, view.now);
            Some(NextBatch { at, due })
        }
    };
    tx.rollback().await?;
    let sum = all(tallies.values());
    let point = |(week, counts): (u32, reports::Week)| Point {
        label: from.plus_days(week * 7).date(),
        first: counts.referred,
        second: counts.qualified,
    };
    answer::page(&DashboardPage {
        page: view.page("Dashboard", "/"),
        empty: empty(names.is_empty(), sum.referrals),
        figures: figures(&sum),
        owed: owed(&money),
        money: money.iter().map(MoneyRow::from).collect(),
        campaigns: names
            .into_iter()
            .map(|(id, name)| FunnelRow {
                tally: tallies.get(id.as_str()).copied().unwrap_or_default(),
                link: Link::new(name, url::campaign(&id)),
            })
            .collect(),
        trend: trend((0..).zip(weeks).map(point).collect()),
        waiting: cases.iter().map(waiting).collect(),
        cases: view
            .may(Permission::CasesRead)
            .then(|| Link::new("Decide cases", "/admin/cases")),
        next,
    })
}

/// Monday, 00:00 UTC, of an instant's week. The first day of unix time was a Thursday.
fn week_start(at: Timestamp) -> Timestamp {
    const MONDAY: i64 = 3;
    let days = at.unix().div_euclid(DAY_SECONDS);
    let since_monday = (days + MONDAY).rem_euclid(7);
    let monday = (days - since_monday).saturating_mul(DAY_SECONDS);
    Timestamp::from_unix(monday).unwrap_or(at)
}

fn trend(points: Vec<Point>) -> Trend {
    Trend {
        title: "Referrals registered and referrals qualified, by week".to_owned(),
        span: "Week from".to_owned(),
        first: "Registered".to_owned(),
        second: "Qualified".to_owned(),
        points,
    }
}

fn waiting((kind, count): &(String, i64)) -> WaitingRow {
    WaitingRow {
        // As the desk calls them.
        what: CaseKind::parse(kind).map_or_else(
            || format::code_words(kind),
            |kind| words::kind(kind).to_owned(),
        ),
        count: format::count(*count),
    }
}

pub(super) fn figures(sum: &Tally) -> Vec<Figure> {
    let figure = |label, number, hint| Figure {
        label,
        number: format::count(number),
        hint,
    };
    let pending = format!("{} pending", format::count(sum.pending));
    vec![
        figure("Referrals", sum.referrals, pending),
        figure(
            "With a customer",
            sum.matched,
            share(sum.matched, sum.referrals, "referrals"),
        ),
        figure(
            "Qualified",
            sum.qualified,
            share(sum.qualified, sum.referrals, "referrals"),
        ),
        figure(
            "Settled",
            sum.settled,
            share(sum.settled, sum.qualified, "qualified"),
        ),
    ]
}

fn empty(no_campaign: bool, referrals: i64) -> Option<Empty> {
    if no_campaign {
        let text = "A campaign says when a referral has earned its reward. Start from a sample.";
        return Some(Empty::new("No campaign yet", text).step("New campaign", "/new-campaign"));
    }
    (referrals == 0).then(|| {
        let text = "Add promoters, then register who they referred: by hand, by file or over \
                    the API. Payments that are already known count.";
        Empty::new("No referrals yet", text).step("Add a promoter", "/new-promoter")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::access::Role;
    use crate::web::samples::{frame, hold, now};

    #[test]
    fn weeks_begin_on_monday() {
        assert_eq!(week_start(now()).to_string(), "2026-03-09T00:00:00Z");
        let sunday = Timestamp::parse("2026-03-08T23:59:59Z").unwrap();
        assert_eq!(week_start(sunday).to_string(), "2026-03-02T00:00:00Z");
    }

    fn sample() -> DashboardPage {
        let tally = Tally {
            referrals: 1_416,
            matched: 1_370,
            pending: 57,
            review: 10,
            rejected: 97,
            qualified: 1_252,
            settled: 1_238,
        };
        DashboardPage {
            page: frame(Role::Marketer).page("Dashboard", "/"),
            empty: None,
            figures: figures(&tally),
            owed: vec!["80,000 JPY".to_owned(), "4,251.90 USD".to_owned()],
            money: vec![MoneyRow {
                to: "Promoters",
                currency: "USD".to_owned(),
                rewards: "238".to_owned(),
                given: "4,593.90".to_owned(),
                taken_back: "\u{2212}402.00".to_owned(),
                given_again: "60.00".to_owned(),
                owed: "4,251.90".to_owned(),
            }],
            campaigns: vec![FunnelRow {
                link: Link::new("Spring 2026", "/campaigns/spring-2026"),
                tally,
            }],
            trend: trend(vec![Point {
                label: "2026-03-09".to_owned(),
                first: 12,
                second: 7,
            }]),
            waiting: vec![WaitingRow {
                what: "Several customers, one person".to_owned(),
                count: "4".to_owned(),
            }],
            cases: Some(Link::new("Decide cases", "/admin/cases")),
            next: Some(NextBatch {
                at: When::new(now().plus_seconds(10_800), now()),
                due: "14 rewards due by then".to_owned(),
            }),
        }
    }

    #[test]
    fn the_dashboard() {
        hold("dashboard", &sample());
        hold(
            "dashboard_empty",
            &DashboardPage {
                empty: empty(true, 0),
                ..sample()
            },
        );
    }
}
