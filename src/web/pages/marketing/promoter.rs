//! `/promoters/{id}`: one promoter with their referrals and rewards; suspending them.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};

use super::promoters::standing;
use super::referral_rows::{ReferralRow, complete, shown};
use super::{MoneyRow, campaigns::names, no_such};
use crate::access::users::{User, UserState};
use crate::domain::access::Permission;
use crate::domain::ids::{ConnectionId, CouponId, PromoterId};
use crate::domain::people::Promoter;
use crate::domain::referral_link::{CLICK_DAYS, day};
use crate::http::Problem;
use crate::registry::promoters::suspend;
use crate::store::promoters::{StoredPromoter, get_promoter, promoters_by_code};
use crate::store::referral_links::{campaign_links, clicks_since};
use crate::store::reports::{RewardFilter, reward_totals};
use crate::store::verdicts::{VerdictFilter, list_verdicts};
use crate::store::{StoreError, Tx};
use crate::track;
use crate::web::answer::{Answer, on_to, page};
use crate::web::input::Sent;
use crate::web::layout::{ConfirmPage, Page, Said};
use crate::web::parts::{Empty, State as Badge, When};
use crate::web::{View, Web, format, url};

/// Referrals on the page; the list has the rest.
const REFERRALS: u32 = 25;

/// `/promoters/{id}`
#[derive(Debug, Template)]
#[template(path = "pages/marketing/promoter.html", config = ".askama.toml")]
pub(crate) struct PromoterPage {
    pub page: Page,
    pub state: Badge,
    pub about: Vec<(&'static str, String)>,
    pub since: When,
    /// Why their link is nobody's, if it is.
    pub shared: Option<String>,
    pub money: Vec<MoneyRow>,
    pub rows: Vec<ReferralRow>,
    pub empty: Option<Empty>,
    /// Where all of their referrals are.
    pub all: String,
    pub here: String,
    /// Where a referral of theirs is registered.
    pub add: String,
    pub suspended: bool,
    pub can_edit: bool,
}

/// `GET /promoters/{id}`
pub(crate) async fn show(
    State(web): State<Arc<Web>>,
    view: View,
    Path(id): Path<String>,
) -> Answer {
    let connection = view.connection();
    let id = PromoterId::from(id);
    let mut tx = web.app.db.read().await?;
    let stored = get_promoter(&mut tx, connection, &id).await?;
    let stored = stored.ok_or_else(|| no_such("promoter"))?;
    let filter = VerdictFilter {
        promoter: Some(id.clone()),
        ..VerdictFilter::default()
    };
    let verdicts = list_verdicts(&mut tx, connection, &filter, None, REFERRALS).await?;
    let rows = complete(&mut tx, connection, verdicts).await?;
    let filter = RewardFilter {
        promoter: Some(id.clone()),
        ..RewardFilter::default()
    };
    let money = reward_totals(&mut tx, connection, &filter).await?;
    let campaigns = names(&mut tx, connection).await?;
    let since = day(view.now).saturating_sub(CLICK_DAYS - 1);
    let clicks = clicks_since(&mut tx, connection, &id, since).await?;
    let has_landing = !campaign_links(&mut tx, connection).await?.is_empty();
    let shared = shared(&mut tx, connection, &stored.promoter).await?;
    tx.rollback().await?;
    let users = web.app.access.users_of_promoter(&id).await?;
    let promoter = stored.promoter;
    let mut about = about(&promoter);
    if let Some(code) = &promoter.code {
        let link = track::address(web.app.access.base_url(), code, None);
        let nowhere = " (leads nowhere yet: no campaign has a landing page)";
        about.push((
            "Referral link",
            link + if has_landing { "" } else { nowhere },
        ));
    }
    about.push(("Clicks, last 30 days", format::count(clicks)));
    about.push(("Portal", portal(&users)));
    page(&PromoterPage {
        page: view
            .page(&promoter.name, "/promoters")
            .under("Promoters", "/promoters"),
        state: standing(promoter.suspended),
        about,
        since: When::new(stored.created_at, view.now),
        shared,
        money: money.iter().map(MoneyRow::from).collect(),
        empty: rows.is_empty().then(empty),
        rows: rows
            .into_iter()
            .map(|row| shown(row, &campaigns, view.now))
            .collect(),
        all: url::with("/referrals", &[("promoter", id.as_str())]),
        here: url::promoter(id.as_str()),
        add: url::with("/new-referral", &[("promoter", id.as_str())]),
        suspended: promoter.suspended,
        can_edit: view.may(Permission::PromotersWrite),
    })
}

/// Who shares their code, so that links with it are nobody's. No code is given twice any more;
/// older ones may be.
async fn shared(
    tx: &mut Tx,
    connection: &ConnectionId,
    promoter: &Promoter,
) -> Result<Option<String>, StoreError> {
    let Some(code) = &promoter.code else {
        return Ok(None);
    };
    let all = promoters_by_code(tx, connection, code).await?;
    let others = all.iter().map(|stored| &stored.promoter);
    let others: Vec<String> = others
        .filter(|other| other.id != promoter.id)
        .map(|other| format!("{} ({})", other.name, other.id))
        .collect();
    Ok((!others.is_empty()).then(|| {
        let have = if others.len() == 1 { "has" } else { "have" };
        let others = others.join(", ");
        format!(
            "{others} {have} the code {code} too, so nothing tells whose its links are, and they \
             register nobody. Give all but one of them another code."
        )
    }))
}

/// Who comes into the portal as this promoter, in words.
fn portal(users: &[User]) -> String {
    let one = |user: &User| {
        let state = match user.state {
            UserState::Invited => "is invited and has not come in yet",
            UserState::Active => "comes in",
            UserState::Deactivated => "is deactivated",
        };
        format!("{} {state}", user.email)
    };
    match users {
        [] => "nobody is invited".to_owned(),
        users => users.iter().map(one).collect::<Vec<_>>().join(", "),
    }
}

fn empty() -> Empty {
    let text = "Nobody was referred by them yet, and no payment carries a coupon of theirs.";
    Empty::new("No referrals yet", text)
}

fn about(promoter: &Promoter) -> Vec<(&'static str, String)> {
    let coupons: Vec<&str> = promoter.coupons.iter().map(CouponId::as_str).collect();
    let rows = [
        ("Id", Some(promoter.id.to_string())),
        ("Email", promoter.email.as_ref().map(ToString::to_string)),
        ("Code in the link", promoter.code.clone()),
        (
            "Coupons",
            Some(coupons.join(", ")).filter(|all| !all.is_empty()),
        ),
        ("Own Stripe customer", promoter.stripe_customer_id.clone()),
    ];
    let rows = rows.into_iter();
    rows.filter_map(|(what, text)| Some((what, text?)))
        .collect()
}

/// `GET /promoters/{id}/suspend`: asks once more, either way.
pub(crate) async fn ask(State(web): State<Arc<Web>>, view: View, Path(id): Path<String>) -> Answer {
    let stored = find(&web, &view, &id).await?;
    let (name, suspended) = (stored.promoter.name, stored.promoter.suspended);
    let here = url::promoter(&id);
    let (title, says, button) = if suspended {
        let says = "Their referrals are judged again, and what is earned is queued.";
        (format!("Reinstate {name}?"), says, "Reinstate")
    } else {
        let says = "Their referrals are judged again and no longer qualify. What is settled stays. \
                    They can be reinstated at any time.";
        (format!("Suspend {name}?"), says, "Suspend")
    };
    page(&ConfirmPage {
        page: view
            .page(title, "/promoters")
            .under("Promoters", "/promoters")
            .under(name, &here),
        says: vec![says.to_owned()],
        state: Some(standing(suspended)),
        action: format!("{here}/suspend"),
        hidden: vec![("suspended".to_owned(), (!suspended).to_string())],
        button: button.to_owned(),
        danger: !suspended,
        cancel: here,
    })
}

/// `POST /promoters/{id}/suspend`
pub(crate) async fn decide(
    State(web): State<Arc<Web>>,
    view: View,
    Path(id): Path<String>,
    Sent(sent): Sent,
) -> Answer {
    let suspended = sent.raw("suspended") == "true";
    let (app, promoter) = (&web.app, PromoterId::from(id.as_str()));
    let clock = app.clock.as_ref();
    suspend(
        &app.db,
        view.connection(),
        clock,
        &promoter,
        suspended,
        &view.by,
    )
    .await?;
    app.touched.notify_one();
    let said = if suspended {
        Said::PromoterSuspended
    } else {
        Said::PromoterResumed
    };
    on_to(&url::promoter(&id), Some(said))
}

pub(super) async fn find(web: &Web, view: &View, id: &str) -> Result<StoredPromoter, Problem> {
    let mut tx = web.app.db.read().await?;
    let found = get_promoter(&mut tx, view.connection(), &PromoterId::from(id)).await?;
    tx.rollback().await?;
    found.ok_or_else(|| no_such("promoter"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::access::Role;
    use crate::web::samples::{frame, hold, now};

    #[test]
    fn a_promoter() {
        let page = PromoterPage {
            page: frame(Role::Marketer)
                .page("Ana Lima", "/promoters")
                .under("Promoters", "/promoters"),
            state: standing(true),
            about: vec![("Id", "prom_ana".to_owned())],
            since: When::new(now(), now()),
            shared: Some("Ben has the code ANA10 too.".to_owned()),
            money: Vec::new(),
            rows: Vec::new(),
            empty: Some(empty()),
            all: "/referrals?promoter=prom_ana".to_owned(),
            here: "/promoters/prom_ana".to_owned(),
            add: "/new-referral?promoter=prom_ana".to_owned(),
            suspended: true,
            can_edit: true,
        };
        hold("promoter", &page);
    }
}
