//! `/promoters`: who refers, what came of it, and what they are owed; and the same as CSV.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::extract::State;

use super::ROWS;
use crate::domain::access::Permission;
use crate::domain::currency::Currency;
use crate::domain::email::CanonicalEmail;
use crate::domain::ids::{ConnectionId, CouponId, PromoterId};
use crate::domain::ledger::Account;
use crate::domain::money::Money;
use crate::shared::App;
use crate::store::ledger::balances;
use crate::store::promoters::{
    StoredPromoter, get_promoter, list_promoters, owners_of_coupons, promoters_by_code,
    promoters_by_email,
};
use crate::store::reports::verdicts_of_promoters;
use crate::store::{StoreError, Tx};
use crate::web::answer::Answer;
use crate::web::csv;
use crate::web::input::Asked;
use crate::web::layout::Page;
use crate::web::parts::{Empty, Field, Icon, Link, Pager, State as Badge, Tone};
use crate::web::{View, Web, answer, format, url};

/// Rows of a piece of a download.
const PIECE: u32 = 500;

/// `/promoters`
#[derive(Debug, Template)]
#[template(path = "pages/marketing/promoters.html", config = ".askama.toml")]
pub(crate) struct PromotersPage {
    pub page: Page,
    pub search: Field,
    pub empty: Option<Empty>,
    pub rows: Vec<PromoterRow>,
    pub pager: Pager,
    pub can_add: bool,
}

/// A promoter's line.
#[derive(Debug)]
pub(crate) struct PromoterRow {
    pub link: Link,
    pub id: String,
    pub email: String,
    pub code: String,
    pub state: Badge,
    pub referrals: String,
    pub qualified: String,
    pub owed: Vec<String>,
}

/// A promoter with what came of it.
struct Row {
    stored: StoredPromoter,
    referrals: i64,
    qualified: i64,
    owed: Vec<Money>,
}

/// `GET /promoters`
pub(crate) async fn list(State(web): State<Arc<Web>>, view: View, Asked(query): Asked) -> Answer {
    let connection = view.connection();
    let mut tx = web.app.db.read().await?;
    let (stored, next) = if let Some(who) = query.some("q") {
        (lookup(&mut tx, connection, who).await?, None)
    } else {
        let after = query.some("after").map(PromoterId::from);
        next_page(&mut tx, connection, after.as_ref(), ROWS).await?
    };
    let rows = complete(&mut tx, connection, stored).await?;
    tx.rollback().await?;
    let can_add = view.may(Permission::PromotersWrite);
    let searched = query.some("q").is_some();
    answer::page(&PromotersPage {
        page: view.page("Promoters", "/promoters"),
        search: Field::search("q", "Search").value(query.text("q")),
        empty: rows.is_empty().then(|| empty(searched, can_add)),
        rows: rows.into_iter().map(shown).collect(),
        pager: Pager {
            first: query.some("after").map(|_| "/promoters".to_owned()),
            next: next.map(|last| url::with("/promoters", &[("after", last.as_str())])),
        },
        can_add,
    })
}

async fn next_page(
    tx: &mut Tx,
    connection: &ConnectionId,
    after: Option<&PromoterId>,
    rows: u32,
) -> Result<(Vec<StoredPromoter>, Option<PromoterId>), StoreError> {
    let mut stored = list_promoters(tx, connection, after, rows + 1).await?;
    let more = stored.len() > rows as usize;
    stored.truncate(rows as usize);
    let next = stored.last().filter(|_| more);
    let next = next.map(|last| last.promoter.id.clone());
    Ok((stored, next))
}

/// Whoever somebody may mean: by id, email, code in the link, or coupon.
pub(super) async fn lookup(
    tx: &mut Tx,
    connection: &ConnectionId,
    who: &str,
) -> Result<Vec<StoredPromoter>, StoreError> {
    let mut found = Vec::new();
    found.extend(get_promoter(tx, connection, &PromoterId::from(who)).await?);
    found.extend(promoters_by_code(tx, connection, who).await?);
    if let Some(email) = CanonicalEmail::parse(who) {
        found.extend(promoters_by_email(tx, connection, &[email]).await?);
    }
    let owners = owners_of_coupons(tx, connection, &[CouponId::from(who)]).await?;
    for (_, owner) in owners {
        // A coupon has one owner.
        found.extend(get_promoter(tx, connection, &owner).await?);
    }
    found.sort_by(|a, b| a.promoter.id.cmp(&b.promoter.id));
    found.dedup_by(|a, b| a.promoter.id == b.promoter.id);
    Ok(found)
}

async fn complete(
    tx: &mut Tx,
    connection: &ConnectionId,
    stored: Vec<StoredPromoter>,
) -> Result<Vec<Row>, StoreError> {
    let ids: Vec<PromoterId> = stored.iter().map(|s| s.promoter.id.clone()).collect();
    let mut counts: BTreeMap<String, (i64, i64)> = BTreeMap::new();
    for (promoter, state, count) in verdicts_of_promoters(tx, connection, &ids).await? {
        let of = counts.entry(promoter).or_default();
        of.0 += count;
        if state == "qualified" {
            of.1 += count;
        }
    }
    let accounts: Vec<Account> = ids.into_iter().map(Account::Promoter).collect();
    let mut owed: BTreeMap<PromoterId, Vec<Money>> = BTreeMap::new();
    let sums: BTreeMap<(Account, Currency), i64> = balances(tx, connection, &accounts).await?;
    for ((account, currency), minor) in sums {
        if let Account::Promoter(id) = account {
            let money = Money::new(minor, currency);
            owed.entry(id).or_default().push(money);
        }
    }
    let row = |stored: StoredPromoter| {
        let id = &stored.promoter.id;
        let (referrals, qualified) = counts.get(id.as_str()).copied().unwrap_or_default();
        Row {
            owed: owed.remove(id).unwrap_or_default(),
            referrals,
            qualified,
            stored,
        }
    };
    Ok(stored.into_iter().map(row).collect())
}

pub(super) fn standing(suspended: bool) -> Badge {
    if suspended {
        Badge::new(Tone::Bad, Icon::Minus, "Suspended")
    } else {
        Badge::new(Tone::Good, Icon::Check, "Active")
    }
}

fn shown(row: Row) -> PromoterRow {
    let promoter = row.stored.promoter;
    let email = promoter.email.as_ref();
    PromoterRow {
        link: Link::new(&promoter.name, url::promoter(promoter.id.as_str())),
        email: email.map_or_else(String::new, ToString::to_string),
        code: promoter.code.unwrap_or_default(),
        state: standing(promoter.suspended),
        referrals: format::count(row.referrals),
        qualified: format::count(row.qualified),
        owed: row.owed.into_iter().map(format::money).collect(),
        id: promoter.id.to_string(),
    }
}

fn empty(searched: bool, can_add: bool) -> Empty {
    if searched {
        let text = "Search takes a promoter’s id, email, code or coupon id, each of them whole.";
        return Empty::new("Nobody found", text).step("Show all", "/promoters");
    }
    let text = "A promoter refers people: by a link with a code, or by a coupon of their own.";
    let empty = Empty::new("No promoters yet", text);
    if can_add {
        empty.step("Add a promoter", "/new-promoter")
    } else {
        empty
    }
}

/// The columns of the download; the first five are what `qualify import promoters` reads.
const COLUMNS: [&str; 10] = [
    "id",
    "name",
    "email",
    "code",
    "coupons",
    "stripe_customer_id",
    "suspended",
    "referrals",
    "qualified",
    "owed",
];

/// `GET /promoters.csv`
pub(crate) async fn download(State(web): State<Arc<Web>>, view: View) -> Answer {
    let (app, connection) = (Arc::clone(&web.app), view.connection().clone());
    Ok(csv::paged("promoters", &COLUMNS, move |after| {
        let (app, connection) = (Arc::clone(&app), connection.clone());
        async move { piece(&app, &connection, after).await }
    }))
}

async fn piece(
    app: &App,
    connection: &ConnectionId,
    after: Option<PromoterId>,
) -> Result<(String, Option<PromoterId>), StoreError> {
    let mut tx = app.db.read().await?;
    let (stored, next) = next_page(&mut tx, connection, after.as_ref(), PIECE).await?;
    let rows = complete(&mut tx, connection, stored).await?;
    tx.rollback().await?;
    Ok((rows.iter().map(csv_line).collect(), next))
}

fn csv_line(row: &Row) -> String {
    let promoter = &row.stored.promoter;
    let coupons: Vec<&str> = promoter.coupons.iter().map(CouponId::as_str).collect();
    let owed: Vec<String> = row.owed.iter().map(ToString::to_string).collect();
    let email = promoter.email.as_ref().map(ToString::to_string);
    csv::line([
        promoter.id.to_string(),
        promoter.name.clone(),
        email.unwrap_or_default(),
        promoter.code.clone().unwrap_or_default(),
        coupons.join(";"),
        promoter.stripe_customer_id.clone().unwrap_or_default(),
        if promoter.suspended { "yes" } else { "no" }.to_owned(),
        row.referrals.to_string(),
        row.qualified.to_string(),
        owed.join("; "),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::access::Role;
    use crate::web::samples::{frame, hold};

    #[test]
    fn the_list() {
        let row = PromoterRow {
            link: Link::new("Ana Lima", "/promoters/prom_ana"),
            id: "prom_ana".to_owned(),
            email: "ana@example.com".to_owned(),
            code: "ANA10".to_owned(),
            state: standing(false),
            referrals: "12".to_owned(),
            qualified: "7".to_owned(),
            owed: vec!["140.00 USD".to_owned()],
        };
        let page = |rows: Vec<PromoterRow>| PromotersPage {
            page: frame(Role::Marketer).page("Promoters", "/promoters"),
            search: Field::search("q", "Search"),
            empty: rows.is_empty().then(|| empty(false, true)),
            rows,
            pager: Pager::default(),
            can_add: true,
        };
        hold("promoters", &page(vec![row]));
        hold("promoters_empty", &page(Vec::new()));
    }
}
