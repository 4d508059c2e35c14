//! `/referrals`: every referral with its verdict, found by whom it is about or by where it
//! stands; and the same as CSV.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::extract::State;

use super::ROWS;
use super::campaigns::names;
use super::referral_rows::{ReferralRow, Row, complete, shown};
use crate::domain::access::Permission;
use crate::domain::email::CanonicalEmail;
use crate::domain::ids::{ConnectionId, PromoterId, ReferralId};
use crate::domain::money::Money;
use crate::domain::reason::ReasonCode;
use crate::domain::time::Timestamp;
use crate::domain::verdict::VerdictState;
use crate::registry::explain::{NotFound, find};
use crate::shared::App;
use crate::store::verdicts::{
    StoredVerdict, VerdictFilter, VerdictKey, list_verdicts, verdicts_on_referrals,
};
use crate::store::{StoreError, Tx};
use crate::web::answer::Answer;
use crate::web::csv;
use crate::web::input::{Asked, Fields};
use crate::web::layout::Page;
use crate::web::parts::{Choice, Empty, Field, Pager, State as Badge};
use crate::web::{View, Web, answer, format, url};

/// Referrals that a search shows at most.
const FOUND_MAX: usize = 100;
/// Pages of referrals looked through for what is almost what was searched for.
const NEAR_PAGES: usize = 4;
/// Rows of a piece of a download.
const PIECE: u32 = 500;

pub(super) const STATES: [VerdictState; 4] = [
    VerdictState::Qualified,
    VerdictState::Pending,
    VerdictState::Review,
    VerdictState::Rejected,
];

/// `/referrals`
#[derive(Debug, Template)]
#[template(path = "pages/marketing/referrals.html", config = ".askama.toml")]
pub(crate) struct ReferralsPage {
    pub page: Page,
    pub search: Field,
    pub filters: Vec<Field>,
    /// What is almost what was searched for.
    pub near: Vec<String>,
    pub empty: Option<Empty>,
    pub rows: Vec<ReferralRow>,
    pub pager: Pager,
    pub csv: Option<String>,
    pub can_add: bool,
}

/// `GET /referrals`
pub(crate) async fn list(State(web): State<Arc<Web>>, view: View, Asked(query): Asked) -> Answer {
    let connection = view.connection();
    let mut tx = web.app.db.read().await?;
    let campaigns = names(&mut tx, connection).await?;
    let (stored, near, next) = if let Some(who) = query.some("q") {
        let (stored, near) = search(&mut tx, connection, who).await?;
        (stored, near, None)
    } else {
        let (stored, next) = page_of(&mut tx, connection, &query, ROWS).await?;
        (stored, Vec::new(), next)
    };
    let rows = complete(&mut tx, connection, stored).await?;
    tx.rollback().await?;
    let filters = filter_values(&query);
    let is_filtered = query.some("q").is_some() || filters.iter().any(|(_, v)| !v.is_empty());
    let with = |more: &[(&str, &str)]| {
        let all: Vec<(&str, &str)> = filters.iter().chain(more).copied().collect();
        url::with("/referrals", &all)
    };
    let can_add = view.may(Permission::ReferralsWrite);
    answer::page(&ReferralsPage {
        page: view.page("Referrals", "/referrals"),
        search: Field::search("q", "Search").value(query.text("q")),
        filters: filter_fields(&query, &campaigns),
        empty: rows.is_empty().then(|| empty(is_filtered, can_add)),
        near,
        rows: rows
            .into_iter()
            .map(|row| shown(row, &campaigns, view.now))
            .collect(),
        pager: Pager {
            first: query.some("after").map(|_| with(&[])),
            next: next.map(|(campaign, referral)| {
                let after = [
                    ("after_campaign", campaign.as_str()),
                    ("after", referral.as_str()),
                ];
                with(&after)
            }),
        },
        csv: query
            .some("q")
            .is_none()
            .then(|| url::with("/referrals.csv", &filters)),
        can_add,
    })
}

fn filter_values(query: &Fields) -> [(&'static str, &str); 4] {
    ["campaign", "state", "promoter", "code"].map(|name| (name, query.text(name)))
}

pub(super) fn filter_of(query: &Fields) -> VerdictFilter {
    let state = |text: &str| STATES.into_iter().find(|state| state.name() == text);
    let code = |text: &str| {
        let mut all = ReasonCode::ALL.iter().copied();
        all.find(|code| code.code() == text)
    };
    VerdictFilter {
        campaign: query.some("campaign").map(Into::into),
        promoter: query.some("promoter").map(Into::into),
        state: query.some("state").and_then(state),
        code: query.some("code").and_then(code),
        ..VerdictFilter::default()
    }
}

/// A page of verdicts, and where the next one begins.
async fn page_of(
    tx: &mut Tx,
    connection: &ConnectionId,
    query: &Fields,
    rows: u32,
) -> Result<(Vec<StoredVerdict>, Option<VerdictKey>), StoreError> {
    let after = match (query.some("after_campaign"), query.some("after")) {
        (Some(campaign), Some(referral)) => Some((campaign.into(), referral.into())),
        _ => None,
    };
    let filter = filter_of(query);
    next_page(tx, connection, &filter, after.as_ref(), rows).await
}

async fn next_page(
    tx: &mut Tx,
    connection: &ConnectionId,
    filter: &VerdictFilter,
    after: Option<&VerdictKey>,
    rows: u32,
) -> Result<(Vec<StoredVerdict>, Option<VerdictKey>), StoreError> {
    let mut stored = list_verdicts(tx, connection, filter, after, rows + 1).await?;
    let more = stored.len() > rows as usize;
    stored.truncate(rows as usize);
    let next = stored.last().filter(|_| more).map(|last| {
        let verdict = &last.verdict;
        (verdict.campaign.clone(), verdict.referral.clone())
    });
    Ok((stored, next))
}

/// What somebody typed may be: an id, a uid, a customer, an email.
async fn search(
    tx: &mut Tx,
    connection: &ConnectionId,
    who: &str,
) -> Result<(Vec<StoredVerdict>, Vec<String>), StoreError> {
    match find(tx, connection, who, NEAR_PAGES).await? {
        Ok(found) => {
            let ids: Vec<ReferralId> = found.referrals.into_iter().take(FOUND_MAX).collect();
            Ok((
                verdicts_on_referrals(tx, connection, &ids).await?,
                Vec::new(),
            ))
        }
        Err(NotFound { near, .. }) => Ok((Vec::new(), near)),
    }
}

fn filter_fields(query: &Fields, campaigns: &BTreeMap<String, String>) -> Vec<Field> {
    let any = |words: &str| vec![Choice::new("", words)];
    let mut of_campaign = any("Any");
    of_campaign.extend(campaigns.iter().map(|(id, name)| Choice::new(id, name)));
    let mut of_state = any("Any");
    let word = |state: VerdictState| Badge::verdict(state, false).word;
    of_state.extend(STATES.map(|state| Choice::new(state.name(), word(state))));
    let mut of_code = any("Any");
    let codes = ReasonCode::ALL
        .iter()
        .filter(|code| **code != ReasonCode::Settled);
    of_code.extend(codes.map(|c| Choice::new(c.code(), format::code_words(c.code()))));
    let value = |name: &str| query.text(name).to_owned();
    vec![
        Field::select("campaign", "Campaign", of_campaign).value(value("campaign")),
        Field::select("state", "State", of_state).value(value("state")),
        Field::select("code", "Reason", of_code).value(value("code")),
        Field::text("promoter", "Promoter’s id").value(value("promoter")),
    ]
}

fn empty(is_filtered: bool, can_add: bool) -> Empty {
    if is_filtered {
        let text = "No referral fits. Search takes a referral’s id or uid, an email, or a Stripe \
                    customer’s id, each of them whole.";
        return Empty::new("Nothing found", text).step("Show all", "/referrals");
    }
    let text = "Register who was referred by hand, by file (qualify import referrals) or over \
                the API. Payments that are already known count.";
    let empty = Empty::new("No referrals yet", text);
    if can_add {
        empty.step("Register a referral", "/new-referral")
    } else {
        empty
    }
}

/// The columns of the download.
const COLUMNS: [&str; 14] = [
    "id",
    "campaign",
    "promoter",
    "promoter_name",
    "email",
    "uid",
    "stripe_customer_id",
    "referred_at",
    "state",
    "reason",
    "detail",
    "qualified_at",
    "settle_after",
    "rewards",
];

/// `GET /referrals.csv`, with the list's filters.
pub(crate) async fn download(
    State(web): State<Arc<Web>>,
    view: View,
    Asked(query): Asked,
) -> Answer {
    let filter = filter_of(&query);
    let (app, connection) = (Arc::clone(&web.app), view.connection().clone());
    Ok(csv::paged("referrals", &COLUMNS, move |after| {
        let (app, connection, filter) = (Arc::clone(&app), connection.clone(), filter.clone());
        async move { piece(&app, &connection, &filter, after).await }
    }))
}

async fn piece(
    app: &App,
    connection: &ConnectionId,
    filter: &VerdictFilter,
    after: Option<VerdictKey>,
) -> Result<(String, Option<VerdictKey>), StoreError> {
    let mut tx = app.db.read().await?;
    let (stored, next) = next_page(&mut tx, connection, filter, after.as_ref(), PIECE).await?;
    let rows = complete(&mut tx, connection, stored).await?;
    tx.rollback().await?;
    Ok((rows.iter().map(csv_line).collect(), next))
}

fn csv_line(row: &Row) -> String {
    let (verdict, claim) = (&row.verdict, row.claim.as_ref());
    let reason = verdict.reasons.first();
    let at = |at: Option<Timestamp>| at.map_or_else(String::new, |at| at.to_string());
    let referred = claim.map(|c| c.referred_at);
    let referred = referred.or(verdict.window.map(|window| window.opens_at));
    let rewards: Vec<String> = verdict
        .rewards
        .iter()
        .map(|r| {
            format!(
                "{} to {}",
                Money::new(r.amount_minor, r.currency),
                r.to.name()
            )
        })
        .collect();
    let some = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let state = if row.settled {
        "settled"
    } else {
        verdict.state.name()
    };
    csv::line([
        verdict.referral.to_string(),
        verdict.campaign.to_string(),
        some(verdict.promoter.as_ref().map(PromoterId::as_str)),
        some(row.promoter_name.as_deref()),
        some(
            claim
                .and_then(|c| c.email.as_ref())
                .map(CanonicalEmail::as_str),
        ),
        some(claim.and_then(|c| c.uid.as_deref())),
        some(claim.and_then(|c| c.stripe_customer_id.as_deref())),
        at(referred),
        state.to_owned(),
        some(reason.map(|r| r.code.code())),
        some(reason.map(|r| r.detail.as_str())),
        at(verdict.qualified_at),
        at(verdict.settle_after),
        rewards.join("; "),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::access::Role;
    use crate::web::parts::{Link, When};
    use crate::web::samples::{frame, hold, now};

    #[test]
    fn the_list() {
        let row = ReferralRow {
            link: Link::new("ref_1", "/referrals/ref_1"),
            person: "bea@example.com".to_owned(),
            campaign: Link::new("Spring 2026", "/campaigns/spring-2026"),
            promoter: Some(Link::new("Ana Lima", "/promoters/prom_ana")),
            state: Badge::verdict(VerdictState::Pending, false),
            detail: "12.40 USD more before 2026-03-12 09:00 UTC".to_owned(),
            referred: Some(When::new(now().plus_seconds(-864_000), now())),
        };
        let campaigns = [("spring-2026".to_owned(), "Spring 2026".to_owned())].into();
        let page = |rows: Vec<ReferralRow>, near: Vec<String>| ReferralsPage {
            page: frame(Role::Marketer).page("Referrals", "/referrals"),
            search: Field::search("q", "Search").value("bea"),
            filters: filter_fields(&Fields::default(), &campaigns),
            empty: rows.is_empty().then(|| empty(true, true)),
            near,
            pager: Pager {
                first: None,
                next: (!rows.is_empty()).then(|| "/referrals?after=ref_1".to_owned()),
            },
            rows,
            csv: Some("/referrals.csv".to_owned()),
            can_add: true,
        };
        hold("referrals", &page(vec![row], Vec::new()));
        let near = "referral ref_1 has the similar email bea@example.com";
        hold("referrals_none", &page(Vec::new(), vec![near.to_owned()]));
    }
}
