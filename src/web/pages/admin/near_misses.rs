//! `/admin/near-misses`: what almost matched, for a person to look at; and what somebody has
//! said of two sides, to be taken back.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;

use super::cases::known;
use super::refusal;
use crate::domain::access::Permission;
use crate::domain::decision::Choice;
use crate::domain::ids::{ConnectionId, CustomerId, DecisionId, NearMissId, ReferralId};
use crate::domain::people::Referral;
use crate::domain::time::Timestamp;
use crate::registry::decisions::Decider;
use crate::registry::near_misses::{Decided, decided, take_back};
use crate::store::near_misses::{NearMiss, get_near_miss, list_near_misses};
use crate::store::referrals::load_referrals;
use crate::store::{StoreError, Tx};
use crate::web::answer::{Answer, on_to, page, page_as};
use crate::web::input::{Asked, Sent};
use crate::web::layout::{Page, Said};
use crate::web::pages::marketing::{ROWS, campaigns};
use crate::web::parts::{
    Empty, Errors, Field, Icon, Link, Pager, State as Badge, Tabs, Tone, When,
};
use crate::web::{View, Web, format, url};

/// Where the list is.
pub(crate) const HERE: &str = "/admin/near-misses";
const ANSWERED: &str = "/admin/near-misses?answered=yes";

/// Where a near miss is.
pub(super) fn at(id: &NearMissId) -> String {
    url::at(HERE, id.as_str())
}

/// `/admin/near-misses`
#[derive(Debug, Template)]
#[template(path = "pages/admin/near_misses.html", config = ".askama.toml")]
pub(crate) struct NearMissesPage {
    pub page: Page,
    pub tabs: Tabs,
    pub empty: Option<Empty>,
    pub rows: Vec<NearRow>,
    pub pager: Pager,
}

/// A near miss's line.
#[derive(Debug)]
pub(crate) struct NearRow {
    pub link: Link,
    pub detail: String,
    pub person: String,
    pub referral: Option<Link>,
    pub customer: String,
    pub campaign: Option<Link>,
    pub found: When,
}

/// `/admin/near-misses?answered=yes`
#[derive(Debug, Template)]
#[template(path = "pages/admin/near_answered.html", config = ".askama.toml")]
pub(crate) struct AnsweredPage {
    pub page: Page,
    pub tabs: Tabs,
    pub errors: Errors,
    pub empty: Option<Empty>,
    pub rows: Vec<AnsweredRow>,
    pub can_decide: bool,
}

/// What somebody has said of two sides.
#[derive(Debug)]
pub(crate) struct AnsweredRow {
    pub id: String,
    pub state: Badge,
    pub referral: Link,
    pub person: String,
    pub customer: String,
    pub by: String,
    pub at: When,
    pub reason: String,
    pub why: Field,
}

/// `GET /admin/near-misses`
pub(crate) async fn list(State(web): State<Arc<Web>>, view: View, Asked(query): Asked) -> Answer {
    if query.is_ticked("answered") {
        let made = answered(&web, &view, Errors::none()).await?;
        return page(&made);
    }
    let connection = view.connection();
    let mut tx = web.app.db.read().await?;
    let after = query.some("after").map(NearMissId::from);
    let (near, next) = next_page(&mut tx, connection, after).await?;
    let ids = near.iter().filter_map(|near| near.referral_id.clone());
    let ids: Vec<ReferralId> = ids.collect();
    let referrals = load_referrals(&mut tx, connection, &ids).await?;
    let names = campaigns::names(&mut tx, connection).await?;
    tx.rollback().await?;
    let referrals: HashMap<&str, &Referral> =
        referrals.iter().map(|r| (r.id.as_str(), r)).collect();
    page(&NearMissesPage {
        page: view.page("Near misses", HERE),
        tabs: tabs(HERE),
        empty: near.is_empty().then(empty),
        rows: near
            .iter()
            .map(|near| row(near, &referrals, &names, view.now))
            .collect(),
        pager: Pager {
            first: query.some("after").map(|_| HERE.to_owned()),
            next: next.map(|last| url::with(HERE, &[("after", last.as_str())])),
        },
    })
}

/// `POST /admin/near-misses`: takes back what somebody has said.
pub(crate) async fn undo(State(web): State<Arc<Web>>, view: View, Sent(sent): Sent) -> Answer {
    let (app, id) = (&web.app, DecisionId::from(sent.text("decision")));
    let decider = Decider {
        by: &view.by,
        reason: sent.text("reason"),
    };
    let clock = app.clock.as_ref();
    match take_back(&app.db, view.connection(), clock, &id, decider).await {
        Ok(_) => {
            app.touched.notify_one();
            on_to(ANSWERED, Some(Said::AnswerUndone))
        }
        Err(error) => {
            let errors = Errors::one("", refusal(error)?);
            let made = answered(&web, &view, errors).await?;
            page_as(StatusCode::UNPROCESSABLE_ENTITY, &made)
        }
    }
}

async fn next_page(
    tx: &mut Tx,
    connection: &ConnectionId,
    after: Option<NearMissId>,
) -> Result<(Vec<NearMiss>, Option<NearMissId>), StoreError> {
    let last = match after {
        Some(id) => get_near_miss(tx, connection, &id).await?,
        None => None,
    };
    let after = last.as_ref().map(|n| (n.found_at, &n.near_miss_id));
    let mut near = list_near_misses(tx, connection, after, ROWS + 1).await?;
    let more = near.len() > ROWS as usize;
    near.truncate(ROWS as usize);
    let next = near.last().filter(|_| more);
    let next = next.map(|last| last.near_miss_id.clone());
    Ok((near, next))
}

async fn answered(web: &Web, view: &View, errors: Errors) -> Result<AnsweredPage, StoreError> {
    let all = decided(&web.app.db, view.connection()).await?;
    Ok(AnsweredPage {
        page: view.page("Near misses", HERE).with_errors(errors.any()),
        tabs: tabs(ANSWERED),
        errors,
        empty: all.is_empty().then(none_answered),
        rows: all
            .iter()
            .enumerate()
            .map(|(index, one)| answered_row(index, one, view.now))
            .collect(),
        can_decide: view.may(Permission::CasesWrite),
    })
}

fn answered_row(index: usize, one: &Decided, now: Timestamp) -> AnsweredRow {
    let is_same = one.decision.choice == Some(Choice::Allow);
    let referral = one.referral.as_str();
    AnsweredRow {
        id: one.decision.id.to_string(),
        state: if is_same {
            Badge::new(Tone::Good, Icon::Check, "Linked")
        } else {
            Badge::new(Tone::Wait, Icon::Minus, "Two people")
        },
        referral: Link::new(referral, url::referral(referral)),
        person: one.claim.as_ref().map(known).unwrap_or_default(),
        customer: one.customer.to_string(),
        by: format::actor(&one.decision.actor),
        at: When::new(one.decision.decided_at, now),
        reason: one.decision.reason.clone(),
        why: why(index),
    }
}

/// The field's name is the same in every line's form; its id has to be another.
fn why(index: usize) -> Field {
    Field::text("reason", "Why take it back")
        .id(format!("reason-{index}"))
        .required()
}

fn row(
    near: &NearMiss,
    referrals: &HashMap<&str, &Referral>,
    names: &BTreeMap<String, String>,
    now: Timestamp,
) -> NearRow {
    let referral = near.referral_id.as_ref().map(ReferralId::as_str);
    let claim = referral.and_then(|id| referrals.get(id));
    NearRow {
        link: Link::new(kind(&near.kind), at(&near.near_miss_id)),
        detail: near.detail.clone(),
        person: claim.map(|claim| known(claim)).unwrap_or_default(),
        referral: referral.map(|id| Link::new(id, url::referral(id))),
        customer: near
            .customer_id
            .as_ref()
            .map_or_else(String::new, CustomerId::to_string),
        campaign: near.campaign_id.as_ref().map(|id| {
            let id = id.as_str();
            let name = names.get(id).map_or(id, String::as_str);
            Link::new(name, url::campaign(id))
        }),
        found: When::new(found(near), now),
    }
}

/// When it was seen first.
pub(crate) fn found(near: &NearMiss) -> Timestamp {
    Timestamp::from_unix(near.found_at).unwrap_or_default()
}

/// A kind in a few words.
pub(crate) fn kind(code: &str) -> &'static str {
    match code {
        "similar_email" => "Almost the same email",
        "same_uid" => "The same id, not matched by it",
        "similar_coupon" => "A coupon almost a promoter’s",
        "just_outside_window" => "Paid just outside the window",
        _ => "Almost a match",
    }
}

fn tabs(current: &str) -> Tabs {
    let all = [("To look at", HERE), ("Answered", ANSWERED)];
    Tabs::new("Near misses", current, &all)
}

fn empty() -> Empty {
    let text = "Nothing almost matches. An email that differs by a dot, or a payment an hour too \
                late, would be here.";
    Empty::new("No near misses", text).step("See referrals", "/referrals")
}

fn none_answered() -> Empty {
    let text = "Whoever says that two sides are one person, or are not, is named here.";
    Empty::new("Nothing answered yet", text).step("See near misses", HERE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::access::Role;
    use crate::web::samples::{frame, hold, now};

    fn near(kind: &str, referral: Option<&str>) -> NearRow {
        let near = NearMiss {
            near_miss_id: format!("near_{kind}").into(),
            kind: kind.to_owned(),
            campaign_id: Some("spring-2026".into()),
            referral_id: referral.map(ReferralId::from),
            customer_id: Some("cus_1".into()),
            detail: "b***@e***.com differs only by tag or dots".to_owned(),
            found_at: now().unix() - 7_200,
        };
        row(&near, &HashMap::new(), &BTreeMap::new(), now())
    }

    #[test]
    fn the_list() {
        let page = |rows: Vec<NearRow>| NearMissesPage {
            page: frame(Role::Admin).page("Near misses", HERE),
            tabs: tabs(HERE),
            empty: rows.is_empty().then(empty),
            rows,
            pager: Pager::default(),
        };
        let rows = ["similar_email", "same_uid", "just_outside_window"];
        let mut rows: Vec<NearRow> = rows.map(|kind| near(kind, Some("ref_1"))).into();
        rows.push(near("similar_coupon", None));
        hold("near_misses", &page(rows));
        hold("near_misses_empty", &page(Vec::new()));
    }

    #[test]
    fn what_was_answered() {
        let line = |index, id: &str, state| AnsweredRow {
            id: id.to_owned(),
            state,
            referral: Link::new("ref_1", "/referrals/ref_1"),
            person: "bea@example.com".to_owned(),
            customer: "cus_1".to_owned(),
            by: "Mara Lind".to_owned(),
            at: When::new(now().plus_seconds(-3_600), now()),
            reason: "She wrote to us".to_owned(),
            why: why(index),
        };
        let page = |rows: Vec<AnsweredRow>| AnsweredPage {
            page: frame(Role::Admin).page("Near misses", HERE),
            tabs: tabs(ANSWERED),
            errors: Errors::none(),
            empty: rows.is_empty().then(none_answered),
            rows,
            can_decide: true,
        };
        let linked = Badge::new(Tone::Good, Icon::Check, "Linked");
        let apart = Badge::new(Tone::Wait, Icon::Minus, "Two people");
        let rows = vec![line(0, "dec_2", linked), line(1, "dec_1", apart)];
        hold("near_misses_answered", &page(rows));
        hold("near_misses_answered_empty", &page(Vec::new()));
    }
}
