//! `/reports`: rewards by promoter and campaign in a span of time; and the same as CSV.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use askama::Template;
use axum::extract::State;

use super::campaigns::names;
use super::{MoneyRow, ROWS};
use crate::domain::ids::{ConnectionId, PromoterId};
use crate::domain::money::Money;
use crate::domain::time::Timestamp;
use crate::shared::App;
use crate::store::promoters::load_promoters;
use crate::store::reports::{
    RewardFilter, RewardKey, RewardSum, reward_totals, rewards_by_promoter,
};
use crate::store::{StoreError, Tx};
use crate::web::answer::{Answer, page_as};
use crate::web::csv;
use crate::web::input::{Asked, Fields};
use crate::web::layout::Page;
use crate::web::parts::{Choice, Empty, Errors, Field, Link, Pager};
use crate::web::{View, Web, url};

/// Rows of a piece of a download.
const PIECE: u32 = 500;

/// `/reports`
#[derive(Debug, Template)]
#[template(path = "pages/marketing/reports.html", config = ".askama.toml")]
pub(crate) struct ReportsPage {
    pub page: Page,
    pub errors: Errors,
    pub filters: Vec<Field>,
    pub money: Vec<MoneyRow>,
    pub empty: Option<Empty>,
    pub rows: Vec<ReportRow>,
    pub pager: Pager,
    pub csv: String,
}

/// A line of the report.
#[derive(Debug)]
pub(crate) struct ReportRow {
    pub promoter: Link,
    pub campaign: Link,
    pub to: &'static str,
    pub currency: String,
    pub rewards: String,
    pub given: String,
    pub taken_back: String,
    pub given_again: String,
    pub owed: String,
}

/// `GET /reports`
pub(crate) async fn show(State(web): State<Arc<Web>>, view: View, Asked(query): Asked) -> Answer {
    let connection = view.connection();
    let (filter, errors) = filter_of(&query);
    let after = match (query.some("after"), query.some("after_campaign")) {
        (Some(promoter), Some(campaign)) => Some((promoter.into(), campaign.into())),
        _ => None,
    };
    let mut tx = web.app.db.read().await?;
    let campaigns = names(&mut tx, connection).await?;
    let money = reward_totals(&mut tx, connection, &filter).await?;
    let (sums, next) = next_page(&mut tx, connection, &filter, after.as_ref(), ROWS).await?;
    let named = named(&mut tx, connection, &sums).await?;
    tx.rollback().await?;
    let values = ["campaign", "promoter", "from", "until"].map(|name| (name, query.text(name)));
    let status = if errors.any() {
        axum::http::StatusCode::UNPROCESSABLE_ENTITY
    } else {
        axum::http::StatusCode::OK
    };
    let page = ReportsPage {
        page: view.page("Reports", "/reports").with_errors(errors.any()),
        filters: filter_fields(&query, &campaigns, &errors),
        money: money.iter().map(MoneyRow::from).collect(),
        empty: sums.is_empty().then(empty),
        rows: sums
            .iter()
            .map(|(key, sum)| row(key, sum, &campaigns, &named))
            .collect(),
        pager: Pager {
            first: after.map(|_| url::with("/reports", &values)),
            next: next.map(|(promoter, campaign)| {
                let more = [
                    ("after", promoter.as_str()),
                    ("after_campaign", campaign.as_str()),
                ];
                let all: Vec<(&str, &str)> = values.iter().chain(&more).copied().collect();
                url::with("/reports", &all)
            }),
        },
        csv: url::with("/reports.csv", &values),
        errors,
    };
    page_as(status, &page)
}

fn empty() -> Empty {
    let text =
        "Nothing was settled in this span. Rewards appear here when a batch has settled them.";
    Empty::new("No rewards", text)
}

/// A day that ends a span is in it.
fn filter_of(query: &Fields) -> (RewardFilter, Errors) {
    let mut errors = Errors::none();
    let mut instant = |name: &str| {
        let text = query.some(name)?;
        let at = Timestamp::parse(text);
        if at.is_none() {
            errors.add(name, "Enter a day, like 2026-03-01");
        }
        at
    };
    let (from, until) = (instant("from"), instant("until"));
    let filter = RewardFilter {
        promoter: query.some("promoter").map(Into::into),
        campaign: query.some("campaign").map(Into::into),
        from,
        until: until.map(|day| day.plus_days(1)),
    };
    (filter, errors)
}

type Sums = Vec<(RewardKey, RewardSum)>;

async fn next_page(
    tx: &mut Tx,
    connection: &ConnectionId,
    filter: &RewardFilter,
    after: Option<&RewardKey>,
    pairs: u32,
) -> Result<(Sums, Option<RewardKey>), StoreError> {
    let mut sums = rewards_by_promoter(tx, connection, filter, after, pairs + 1).await?;
    let keys: BTreeSet<&RewardKey> = sums.iter().map(|(key, _)| key).collect();
    if keys.len() <= pairs as usize {
        return Ok((sums, None));
    }
    let last = keys.into_iter().next_back().cloned();
    sums.retain(|(key, _)| Some(key) != last.as_ref());
    let next = sums.last().map(|(key, _)| key.clone());
    Ok((sums, next))
}

async fn named(
    tx: &mut Tx,
    connection: &ConnectionId,
    sums: &Sums,
) -> Result<BTreeMap<PromoterId, String>, StoreError> {
    let ids: BTreeSet<PromoterId> = sums.iter().map(|((id, _), _)| id.clone()).collect();
    let ids: Vec<PromoterId> = ids.into_iter().collect();
    let stored = load_promoters(tx, connection, &ids).await?;
    let named = stored.into_iter();
    Ok(named.map(|s| (s.promoter.id, s.promoter.name)).collect())
}

fn row(
    (promoter, campaign): &RewardKey,
    sum: &RewardSum,
    campaigns: &BTreeMap<String, String>,
    named: &BTreeMap<PromoterId, String>,
) -> ReportRow {
    let name = named
        .get(promoter)
        .map_or(promoter.as_str(), String::as_str);
    let id = campaign.as_str();
    let campaign = campaigns.get(id).map_or(id, String::as_str);
    let MoneyRow {
        to,
        currency,
        rewards,
        given,
        taken_back,
        given_again,
        owed,
    } = MoneyRow::from(sum);
    ReportRow {
        promoter: Link::new(name, url::promoter(promoter.as_str())),
        campaign: Link::new(campaign, url::campaign(id)),
        to,
        currency,
        rewards,
        given,
        taken_back,
        given_again,
        owed,
    }
}

fn filter_fields(
    query: &Fields,
    campaigns: &BTreeMap<String, String>,
    errors: &Errors,
) -> Vec<Field> {
    let mut of_campaign = vec![Choice::new("", "Any")];
    of_campaign.extend(campaigns.iter().map(|(id, name)| Choice::new(id, name)));
    let day = |name: &str, label: &str| {
        let field = Field::date(name, label).value(query.text(name));
        field.error(errors.at(name))
    };
    vec![
        Field::select("campaign", "Campaign", of_campaign).value(query.text("campaign")),
        Field::text("promoter", "Promoter’s id").value(query.text("promoter")),
        day("from", "Settled from"),
        day("until", "Settled until"),
    ]
}

const COLUMNS: [&str; 10] = [
    "promoter",
    "promoter_name",
    "campaign",
    "to",
    "currency",
    "rewards",
    "given",
    "taken_back",
    "given_again",
    "owed",
];

/// `GET /reports.csv`, with the report's filters.
pub(crate) async fn download(
    State(web): State<Arc<Web>>,
    view: View,
    Asked(query): Asked,
) -> Answer {
    let (filter, _) = filter_of(&query);
    let (app, connection) = (Arc::clone(&web.app), view.connection().clone());
    Ok(csv::paged("rewards", &COLUMNS, move |after| {
        let (app, connection, filter) = (Arc::clone(&app), connection.clone(), filter.clone());
        async move { piece(&app, &connection, &filter, after).await }
    }))
}

async fn piece(
    app: &App,
    connection: &ConnectionId,
    filter: &RewardFilter,
    after: Option<RewardKey>,
) -> Result<(String, Option<RewardKey>), StoreError> {
    let mut tx = app.db.read().await?;
    let (sums, next) = next_page(&mut tx, connection, filter, after.as_ref(), PIECE).await?;
    let named = named(&mut tx, connection, &sums).await?;
    tx.rollback().await?;
    let line = |((promoter, campaign), sum): &(RewardKey, RewardSum)| {
        let major = |minor| Money::new(minor, sum.currency).major();
        csv::line([
            promoter.to_string(),
            named.get(promoter).cloned().unwrap_or_default(),
            campaign.to_string(),
            sum.to.name().to_owned(),
            sum.currency.to_string(),
            sum.rewards.to_string(),
            major(sum.accrued),
            major(sum.taken_back),
            major(sum.given_again),
            major(sum.owed()),
        ])
    };
    Ok((sums.iter().map(line).collect(), next))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::access::Role;
    use crate::domain::currency::Currency;
    use crate::domain::verdict::RewardTo;
    use crate::web::samples::{frame, hold};

    #[test]
    fn the_report() {
        let sum = RewardSum {
            to: RewardTo::Promoter,
            currency: Currency::USD,
            accrued: 459_390,
            taken_back: -40_200,
            given_again: 6_000,
            rewards: 238,
        };
        let campaigns = [("spring-2026".to_owned(), "Spring 2026".to_owned())].into();
        let key = ("prom_ana".into(), "spring-2026".into());
        let page = |sums: &[(RewardKey, RewardSum)]| ReportsPage {
            page: frame(Role::Viewer).page("Reports", "/reports"),
            errors: Errors::none(),
            filters: filter_fields(&Fields::default(), &campaigns, &Errors::none()),
            money: sums.iter().map(|(_, sum)| MoneyRow::from(sum)).collect(),
            empty: sums.is_empty().then(empty),
            rows: sums
                .iter()
                .map(|(key, sum)| row(key, sum, &campaigns, &BTreeMap::new()))
                .collect(),
            pager: Pager::default(),
            csv: "/reports.csv".to_owned(),
        };
        hold("reports", &page(&[(key, sum)]));
        hold("reports_empty", &page(&[]));
    }

    #[test]
    fn a_span_ends_with_its_last_day() {
        let query = [
            ("from", "2026-03-01"),
            ("until", "2026-03-31"),
            ("promoter", ""),
        ];
        let query = Fields::new(query.map(|(n, v)| (n.to_owned(), v.to_owned())));
        let (filter, errors) = filter_of(&query);
        assert!(!errors.any() && filter.promoter.is_none());
        assert_eq!(filter.until.unwrap().to_string(), "2026-04-01T00:00:00Z");
        let wrong = Fields::new([("from".to_owned(), "March".to_owned())]);
        assert!(filter_of(&wrong).1.at("from").is_some());
    }
}
