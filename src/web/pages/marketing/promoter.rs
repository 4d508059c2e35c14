//! `/promoters/{id}`: one promoter with their referrals and rewards; suspending them.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};

use super::promoters::standing;
use super::referral_rows::{ReferralRow, complete, shown};
use super::{MoneyRow, campaigns::names, no_such};
use crate::domain::access::Permission;
use crate::domain::ids::{CouponId, PromoterId};
use crate::domain::people::Promoter;
use crate::domain::referral_link::{CLICK_DAYS, day};
use crate::http::Problem;
use crate::registry::promoters::suspend;
use crate::store::promoters::{StoredPromoter, get_promoter};
use crate::store::referral_links::clicks_since;
use crate::store::reports::{RewardFilter, reward_totals};
use crate::store::verdicts::{VerdictFilter, list_verdicts};
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
    tx.rollback().await?;
    let promoter = stored.promoter;
    let mut about = about(&promoter);
    if let Some(code) = &promoter.code {
        let link = track::address(web.app.access.base_url(), code, None);
        about.push(("Referral link", link));
    }
    about.push(("Clicks, last 30 days", format::count(clicks)));
    page(&PromoterPage {
        page: view
            .page(&promoter.name, "/promoters")
            .under("Promoters", "/promoters"),
        state: standing(promoter.suspended),
        about,
        since: When::new(stored.created_at, view.now),
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
