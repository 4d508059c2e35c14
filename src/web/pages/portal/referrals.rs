//! `/portal`: a promoter's links and coupons, and each of their referrals: where it has got
//! to, what is missing, and until when.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use askama::Template;
use axum::extract::State;

use super::words::{amounts, progress, time_left, told};
use super::{Names, ROWS, SUSPENDED, own, page_number, pager, promoter_id};
use crate::domain::ids::{CampaignId, ConnectionId, CouponId, ReferralId};
use crate::domain::people::{Promoter, Referral};
use crate::domain::referral_link::{CLICK_DAYS, day};
use crate::domain::time::Timestamp;
use crate::store::portal::verdicts_of_promoter;
use crate::store::promoters::promoters_by_code;
use crate::store::qualifications::{Qualification, qualifications_of_referrals};
use crate::store::referral_links::{campaign_links, clicks_since};
use crate::store::referrals::load_referrals;
use crate::store::reports::verdicts_of_promoters;
use crate::store::verdicts::StoredVerdict;
use crate::store::{StoreError, Tx};
use crate::track;
use crate::web::answer::{self, Answer};
use crate::web::input::Asked;
use crate::web::layout::Page;
use crate::web::parts::{Empty, Pager, Progress, State as Badge, When};
use crate::web::{View, Web, format};

/// `/portal`
#[derive(Debug, Template)]
#[template(path = "pages/portal/referrals.html", config = ".askama.toml")]
pub(crate) struct ReferralsPage {
    pub page: Page,
    pub suspended: Option<&'static str>,
    pub links: Vec<OwnLink>,
    /// What is said where there is no link.
    pub no_link: Option<&'static str>,
    pub coupons: Vec<String>,
    pub figures: Vec<(&'static str, String)>,
    pub rows: Vec<Row>,
    pub empty: Option<Empty>,
    pub pager: Pager,
}

/// A link of theirs.
#[derive(Debug)]
pub(crate) struct OwnLink {
    pub id: String,
    pub label: String,
    pub address: String,
}

/// A referral's line.
#[derive(Debug)]
pub(crate) struct Row {
    pub person: String,
    pub campaign: String,
    pub state: Badge,
    pub words: String,
    pub progress: Option<Progress>,
    pub left: Option<String>,
    pub reward: String,
    pub referred: Option<When>,
}

/// `GET /portal`
pub(crate) async fn show(State(web): State<Arc<Web>>, view: View, Asked(query): Asked) -> Answer {
    let (connection, id) = (view.connection(), promoter_id(&view)?);
    let number = page_number(&query);
    let skip = ROWS.saturating_mul(number.saturating_sub(1));
    let mut tx = web.app.db.read().await?;
    let promoter = own(&mut tx, connection, &id).await?;
    let mut stored = verdicts_of_promoter(&mut tx, connection, &id, skip, ROWS + 1).await?;
    let has_more = stored.len() > ROWS as usize;
    stored.truncate(ROWS as usize);
    let (rows, names) = complete(&mut tx, connection, stored, view.now).await?;
    let counts = verdicts_of_promoters(&mut tx, connection, std::slice::from_ref(&id)).await?;
    let since = day(view.now).saturating_sub(CLICK_DAYS - 1);
    let clicks = clicks_since(&mut tx, connection, &id, since).await?;
    let targets = campaign_links(&mut tx, connection).await?;
    let code = promoter.code.as_deref().unwrap_or_default();
    // Of a code that several have, links are nobody's.
    let shared = promoters_by_code(&mut tx, connection, code).await?.len() > 1;
    tx.rollback().await?;
    let running = targets.into_iter().map(|link| link.campaign);
    let running: Vec<CampaignId> = running.filter(|id| runs(&names, id, view.now)).collect();
    let links = if shared {
        Vec::new()
    } else {
        own_links(web.app.access.base_url(), &promoter, &running, &names)
    };
    let coupons: Vec<String> = promoter.coupons.iter().map(CouponId::to_string).collect();
    let no_link = no_link(&promoter, running.is_empty(), shared);
    answer::page(&ReferralsPage {
        page: view.page("Your referrals", "/portal"),
        suspended: promoter.suspended.then_some(SUSPENDED),
        empty: rows
            .is_empty()
            .then(|| empty(!links.is_empty(), !coupons.is_empty())),
        figures: figures(&counts, clicks),
        links,
        no_link,
        coupons,
        rows,
        pager: pager("/portal", number, has_more),
    })
}

/// Verdicts as lines, with what names them.
async fn complete(
    tx: &mut Tx,
    connection: &ConnectionId,
    stored: Vec<StoredVerdict>,
    now: Timestamp,
) -> Result<(Vec<Row>, Names), StoreError> {
    let ids: Vec<ReferralId> = stored.iter().map(|s| s.verdict.referral.clone()).collect();
    let names = Names::of(tx, connection, &ids).await?;
    let claims = load_referrals(tx, connection, &ids).await?;
    let claims: HashMap<&ReferralId, &Referral> = claims.iter().map(|c| (&c.id, c)).collect();
    let mut latest: HashMap<(CampaignId, ReferralId), Qualification> = HashMap::new();
    // In the order in which they were queued: the last one speaks.
    for one in qualifications_of_referrals(tx, connection, &ids).await? {
        latest.insert((one.campaign.clone(), one.referral.clone()), one);
    }
    let rows = stored.iter().map(|stored| {
        let verdict = &stored.verdict;
        let key = (verdict.campaign.clone(), verdict.referral.clone());
        let claim = claims.get(&verdict.referral);
        shown(stored, latest.get(&key), claim.copied(), (&names, now))
    });
    let rows = rows.collect();
    Ok((rows, names))
}

fn shown(
    stored: &StoredVerdict,
    qualification: Option<&Qualification>,
    claim: Option<&Referral>,
    (names, now): (&Names, Timestamp),
) -> Row {
    let verdict = &stored.verdict;
    let campaign = names.campaigns.get(&verdict.campaign);
    let (state, words) = told(verdict, qualification, campaign);
    let referred = claim.map(|claim| claim.referred_at);
    let referred = referred.or(verdict.window.map(|window| window.opens_at));
    let reward = match qualification {
        Some(one) if !one.given.is_empty() => amounts(&one.given),
        _ if verdict.rewards.is_empty() => String::new(),
        _ => amounts(&verdict.rewards),
    };
    Row {
        person: names.person(&verdict.referral),
        campaign: names.campaign(&verdict.campaign),
        state,
        words,
        progress: progress(verdict, campaign),
        left: time_left(verdict, now),
        reward,
        referred: referred.map(|at| When::new(at, now)),
    }
}

fn runs(names: &Names, id: &CampaignId, now: Timestamp) -> bool {
    names.campaigns.get(id).is_some_and(|campaign| {
        campaign.starts.is_none_or(|starts| starts <= now)
            && campaign.ends.is_none_or(|ends| now < ends)
    })
}

/// The links that can be shared now: one of each campaign that runs, the short one if it is
/// the only one.
fn own_links(
    base_url: &str,
    promoter: &Promoter,
    running: &[CampaignId],
    names: &Names,
) -> Vec<OwnLink> {
    let Some(code) = promoter.code.as_deref() else {
        return Vec::new();
    };
    let is_only = running.len() == 1;
    let links = running.iter().enumerate().map(|(index, id)| OwnLink {
        id: format!("link-{index}"),
        label: names.campaign(id),
        address: track::address(base_url, code, (!is_only).then_some(id)),
    });
    links.collect()
}

fn no_link(promoter: &Promoter, nothing_runs: bool, shared: bool) -> Option<&'static str> {
    match (&promoter.code, nothing_runs) {
        _ if shared => Some(
            "Your link works for nobody at the moment, because somebody else was given the same \
             code. Ask the people who invited you for another one.",
        ),
        (None, _) => Some(
            "You have no link yet, because you have no code. Ask the people who invited you for \
             one.",
        ),
        (_, true) => Some(
            "Your link leads nowhere yet: no campaign that runs has a landing page. Ask the \
             people who invited you.",
        ),
        _ => None,
    }
}

fn figures(counts: &[(String, String, i64)], clicks: i64) -> Vec<(&'static str, String)> {
    let mut by_state: BTreeMap<&str, i64> = BTreeMap::new();
    for (_, state, count) in counts {
        *by_state.entry(state).or_default() += count;
    }
    let of = |state: &str| format::count(by_state.get(state).copied().unwrap_or_default());
    vec![
        ("Clicks, last 30 days", format::count(clicks)),
        ("Referrals", format::count(by_state.values().sum())),
        ("Pending", of("pending")),
        ("Qualified", of("qualified")),
    ]
}

fn empty(has_links: bool, has_coupons: bool) -> Empty {
    let text = match (has_links, has_coupons) {
        (true, true) => {
            "Share your link or your coupon. Whoever signs up through the link, or pays with the \
             coupon, appears here with what is still missing for your reward."
        }
        (true, false) => {
            "Share your link. Whoever signs up through it appears here with what is still missing \
             for your reward."
        }
        (false, true) => {
            "Share your coupon. Whoever pays with it appears here with what is still missing for \
             your reward."
        }
        (false, false) => {
            "You have neither a link nor a coupon to share yet. Ask the people who invited you \
             for one of them."
        }
    };
    Empty::new("No referrals yet", text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::access::Role;
    use crate::domain::reason::ReasonCode;
    use crate::domain::verdict::{Reward, RewardTo, VerdictState};
    use crate::web::pages::portal::words::tests::verdict;
    use crate::web::samples::{frame, hold, now};

    fn row(state: VerdictState, code: ReasonCode) -> Row {
        let mut stored = StoredVerdict {
            verdict: verdict(state, code),
            evaluated_at: now(),
            next_check_at: None,
        };
        if state == VerdictState::Qualified {
            stored.verdict.rewards = vec![Reward {
                to: RewardTo::Promoter,
                amount_minor: 2_000,
                currency: crate::domain::currency::Currency::USD,
            }];
        }
        let names = Names {
            people: [("ref_1".into(), "b***@i***.example".to_owned())].into(),
            ..Names::default()
        };
        shown(&stored, None, None, (&names, now()))
    }

    fn page(links: Vec<OwnLink>, rows: Vec<Row>, suspended: bool) -> ReferralsPage {
        let mut frame = frame(Role::Promoter);
        frame.demo = false;
        let coupons = if links.is_empty() {
            vec![]
        } else {
            vec!["ANA10".to_owned()]
        };
        let bare = links.is_empty().then_some("You have no link yet.");
        ReferralsPage {
            page: frame.page("Your referrals", "/portal"),
            suspended: suspended.then_some(SUSPENDED),
            empty: rows
                .is_empty()
                .then(|| empty(!links.is_empty(), !coupons.is_empty())),
            links,
            no_link: bare,
            coupons,
            figures: figures(&[("prom_ana".into(), "pending".into(), 1_204)], 3_561),
            pager: pager("/portal", 1, !rows.is_empty()),
            rows,
        }
    }

    #[test]
    fn the_portal_with_referrals_and_before_any() {
        use VerdictState::{Pending, Qualified, Rejected, Review};
        let rows = vec![
            row(Pending, ReasonCode::BelowThreshold),
            row(Qualified, ReasonCode::ThresholdMet),
            row(Review, ReasonCode::DuplicateCustomers),
            row(Rejected, ReasonCode::RejectedByAdmin),
        ];
        let link = |index: usize, label: &str, address: &str| OwnLink {
            id: format!("link-{index}"),
            label: label.to_owned(),
            address: address.to_owned(),
        };
        let two = vec![
            link(
                0,
                "Spring 2026",
                "https://refer.example.com/r/ANA10?c=spring",
            ),
            link(1, "Tokyo 2026", "https://refer.example.com/r/ANA10?c=tokyo"),
        ];
        hold("portal", &page(two, rows, false));
        let one = vec![link(0, "Spring 2026", "https://refer.example.com/r/ANA10")];
        hold("portal_first", &page(one, Vec::new(), false));
        hold("portal_nothing", &page(Vec::new(), Vec::new(), true));
    }
}
