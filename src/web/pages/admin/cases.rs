//! `/admin/cases`: what waits for a person to decide, and what was decided.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use askama::Template;
use axum::extract::State;

use super::stake::{self, Stake};
use super::words;
use crate::domain::decision::{CaseKind, Decision, Decisions, Subject};
use crate::domain::email::CanonicalEmail;
use crate::domain::ids::{CaseId, ConnectionId, CustomerId, PromoterId, ReferralId};
use crate::domain::people::Referral;
use crate::domain::time::Timestamp;
use crate::store::cases::{CaseFilter, CaseState, StoredCase, get_case, list_cases};
use crate::store::decisions::decisions_on_cases;
use crate::store::referrals::load_referrals;
use crate::store::verdicts::VerdictKey;
use crate::store::{StoreError, Tx};
use crate::web::answer::Answer;
use crate::web::input::{Asked, Fields};
use crate::web::layout::Page;
use crate::web::pages::marketing::{ROWS, campaigns};
use crate::web::parts::{Choice, Empty, Field, Link, Pager, State as Badge, Tabs, When};
use crate::web::{View, Web, answer, format, url};

/// Where the inbox is.
pub(crate) const HERE: &str = "/admin/cases";
const RESOLVED: &str = "/admin/cases?state=resolved";
const GONE: &str = "/admin/cases?state=gone";

/// `/admin/cases`
#[derive(Debug, Template)]
#[template(path = "pages/admin/cases.html", config = ".askama.toml")]
pub(crate) struct CasesPage {
    pub page: Page,
    pub tabs: Tabs,
    /// The state that the filter keeps.
    pub state: &'static str,
    pub kinds: Field,
    pub empty: Option<Empty>,
    pub rows: Vec<CaseRow>,
    pub pager: Pager,
}

/// A case's line.
#[derive(Debug)]
pub(crate) struct CaseRow {
    pub link: Link,
    pub question: &'static str,
    pub state: Badge,
    pub person: String,
    pub referral: Link,
    pub campaign: Link,
    pub stake: Stake,
    pub opened: When,
    /// What was decided, by whom.
    pub decided: Option<(String, String)>,
}

/// `GET /admin/cases`
pub(crate) async fn list(State(web): State<Arc<Web>>, view: View, Asked(query): Asked) -> Answer {
    let connection = view.connection();
    let filter = filter_of(&query);
    let mut tx = web.app.db.read().await?;
    let (cases, next) = next_page(&mut tx, connection, filter, query.some("after")).await?;
    let names = campaigns::names(&mut tx, connection).await?;
    let mut around = around(&mut tx, connection, &cases).await?;
    tx.rollback().await?;
    let here = |after: &str| {
        let state = query.text("state");
        let all = [
            ("state", state),
            ("kind", query.text("kind")),
            ("after", after),
        ];
        url::with(HERE, &all)
    };
    answer::page(&CasesPage {
        page: view.page("Cases", HERE),
        tabs: tabs(filter.state),
        state: filter.state.name(),
        kinds: kinds(filter.kind),
        empty: cases.is_empty().then(|| empty(filter)),
        rows: cases
            .iter()
            .map(|case| row(case, &mut around, &names, view.now))
            .collect(),
        pager: Pager {
            first: query.some("after").map(|_| here("")),
            next: next.map(|last| here(last.as_str())),
        },
    })
}

fn filter_of(query: &Fields) -> CaseFilter {
    let state = query.some("state").and_then(CaseState::parse);
    let state = state.unwrap_or(CaseState::Open);
    CaseFilter {
        state,
        kind: query.some("kind").and_then(CaseKind::parse),
        // What waits longest comes first; of what is over, what happened last.
        newest_first: state != CaseState::Open,
    }
}

async fn next_page(
    tx: &mut Tx,
    connection: &ConnectionId,
    filter: CaseFilter,
    after: Option<&str>,
) -> Result<(Vec<StoredCase>, Option<CaseId>), StoreError> {
    let last = match after {
        Some(id) => get_case(tx, connection, &CaseId::from(id)).await?,
        None => None,
    };
    let after = last.as_ref().map(|last| (last.opened_at, &last.id));
    let mut cases = list_cases(tx, connection, filter, after, ROWS + 1).await?;
    let more = cases.len() > ROWS as usize;
    cases.truncate(ROWS as usize);
    let next = cases.last().filter(|_| more).map(|last| last.id.clone());
    Ok((cases, next))
}

/// What is told of the cases of a page beside themselves.
struct Around {
    referrals: HashMap<ReferralId, Referral>,
    stakes: BTreeMap<VerdictKey, Stake>,
    decisions: Decisions,
}

async fn around(
    tx: &mut Tx,
    connection: &ConnectionId,
    cases: &[StoredCase],
) -> Result<Around, StoreError> {
    let ids: Vec<ReferralId> = cases.iter().map(|case| case.referral.clone()).collect();
    let referrals = load_referrals(tx, connection, &ids).await?;
    let ids: Vec<CaseId> = cases.iter().map(|case| case.id.clone()).collect();
    let mut decisions = Decisions::default();
    decisions.extend(decisions_on_cases(tx, connection, &ids).await?);
    Ok(Around {
        referrals: referrals.into_iter().map(|r| (r.id.clone(), r)).collect(),
        stakes: stake::of(tx, connection, cases).await?,
        decisions,
    })
}

fn row(
    case: &StoredCase,
    around: &mut Around,
    names: &BTreeMap<String, String>,
    now: Timestamp,
) -> CaseRow {
    let campaign = case.campaign.as_str();
    let name = names.get(campaign).map_or(campaign, String::as_str);
    let subject = Subject::Case {
        case: case.id.clone(),
    };
    let key = (case.campaign.clone(), case.referral.clone());
    CaseRow {
        link: Link::new(words::kind(case.kind), url::at(HERE, case.id.as_str())),
        question: words::question(case.kind),
        state: words::state(case.state),
        person: person(case, around.referrals.get(&case.referral)),
        referral: Link::new(
            case.referral.as_str(),
            url::referral(case.referral.as_str()),
        ),
        campaign: Link::new(name, url::campaign(campaign)),
        stake: around.stakes.remove(&key).unwrap_or_default(),
        opened: When::new(case.opened_at, now),
        decided: around.decisions.on(&subject).map(decided),
    }
}

fn decided(decision: &Decision) -> (String, String) {
    let choice = decision.choice.as_ref();
    // The names of promoters are on the case's own page.
    let names: BTreeMap<PromoterId, String> = BTreeMap::new();
    let choice = choice.map_or_else(String::new, |choice| words::choice(choice, &names));
    let at = decision.decided_at.words();
    (choice, format!("{}, {at}", format::actor(&decision.actor)))
}

/// The person as far as they are known: who was registered, or the customer of a coupon.
pub(crate) fn person(case: &StoredCase, referral: Option<&Referral>) -> String {
    let Some(referral) = referral else {
        let customer = case.referral.coupon_customer(&case.campaign);
        let customer = customer.as_ref().map(CustomerId::as_str);
        let customer = customer.unwrap_or_else(|| case.referral.as_str());
        return customer.trim_start_matches("guest:").to_owned();
    };
    known(referral)
}

/// A referral's person by email, uid or Stripe customer, whatever there is.
pub(crate) fn known(referral: &Referral) -> String {
    let email = referral.email.as_ref().map(CanonicalEmail::as_str);
    let others = referral.uid.as_deref();
    let others = others.or(referral.stripe_customer_id.as_deref());
    email.or(others).unwrap_or_default().to_owned()
}

fn tabs(state: CaseState) -> Tabs {
    let current = match state {
        CaseState::Open => HERE,
        CaseState::Resolved => RESOLVED,
        CaseState::Gone => GONE,
    };
    let all = [
        ("Open", HERE),
        ("Resolved", RESOLVED),
        ("Nothing to decide", GONE),
    ];
    Tabs::new("Cases", current, &all)
}

fn kinds(chosen: Option<CaseKind>) -> Field {
    let one = |kind: CaseKind| Choice::new(kind.reason().code(), words::kind(kind));
    let any = std::iter::once(Choice::new("", "Any"));
    let of = any.chain(CaseKind::ALL.map(one)).collect();
    let chosen = chosen.map_or("", |kind| kind.reason().code());
    Field::select("kind", "Kind", of).value(chosen)
}

fn empty(filter: CaseFilter) -> Empty {
    if filter.kind.is_some() {
        let text = "No case of this kind is in this list.";
        return Empty::new("Nothing found", text).step("Show all kinds", HERE);
    }
    match filter.state {
        CaseState::Open => {
            let text = "Nothing waits for you. A case opens when the rules alone cannot tell whose \
                        a payment is, such as when two customers share one email.";
            Empty::new("No open cases", text).step("See what was decided", RESOLVED)
        }
        CaseState::Resolved => {
            let text = "Whatever somebody decides is kept here, with who, when and why.";
            Empty::new("Nothing decided yet", text).step("Open cases", HERE)
        }
        CaseState::Gone => {
            let text = "Cases come here when the facts have changed so that nobody has to decide.";
            Empty::new("No such cases", text).step("Open cases", HERE)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::access::Role;
    use crate::web::samples::{frame, hold, now};

    fn page(filter: CaseFilter, rows: Vec<CaseRow>) -> CasesPage {
        CasesPage {
            page: frame(Role::Admin).page("Cases", HERE),
            tabs: tabs(filter.state),
            state: filter.state.name(),
            kinds: kinds(filter.kind),
            empty: rows.is_empty().then(|| empty(filter)),
            rows,
            pager: Pager {
                first: None,
                next: Some("/admin/cases?after=case_9".to_owned()),
            },
        }
    }

    fn line(kind: CaseKind, state: CaseState) -> CaseRow {
        CaseRow {
            link: Link::new(words::kind(kind), "/admin/cases/case_1"),
            question: words::question(kind),
            state: words::state(state),
            person: "bea@example.com".to_owned(),
            referral: Link::new("ref_1", "/referrals/ref_1"),
            campaign: Link::new("Spring 2026", "/campaigns/spring-2026"),
            stake: Stake {
                rewards: "up to 30.00 USD".to_owned(),
                spend: "128.00 USD spent".to_owned(),
            },
            opened: When::new(now().plus_seconds(-86_400 * 3), now()),
            decided: (state == CaseState::Resolved).then(|| {
                (
                    "It is cus_2".to_owned(),
                    "Mara Lind, 2026-03-09 10:00 UTC".to_owned(),
                )
            }),
        }
    }

    #[test]
    fn the_inbox() {
        let open = CaseFilter::of(CaseState::Open);
        let rows = CaseKind::ALL.map(|kind| line(kind, CaseState::Open));
        hold("cases", &page(open, rows.into()));
        hold("cases_empty", &page(open, Vec::new()));
        let resolved = CaseFilter::of(CaseState::Resolved);
        let rows = vec![line(CaseKind::DuplicateCustomers, CaseState::Resolved)];
        hold("cases_resolved", &page(resolved, rows));
        for filter in [
            resolved,
            CaseFilter::of(CaseState::Gone),
            CaseFilter {
                kind: Some(CaseKind::TwoCoupons),
                ..open
            },
        ] {
            let nothing = page(filter, Vec::new()).render().unwrap();
            assert!(nothing.contains("class=\"empty\""), "{filter:?}");
        }
    }
}
