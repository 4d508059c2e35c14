//! `/referrals/{id}`: the sentence that says the verdict, then the evidence, then what happened.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};

use super::no_such;
use super::referral_parts::{PaymentRow, QueueRow, about, found_by, payment, progress, queued};
use super::timeline::{Timeline, timeline};
use crate::domain::access::Permission;
use crate::domain::ids::{CustomerId, PromoterId, ReferralId};
use crate::domain::money::Money;
use crate::domain::people::Referral;
use crate::domain::time::Timestamp;
use crate::domain::verdict::{Verdict, VerdictState};
use crate::evaluate::explain::sentence;
use crate::registry::explain::{Explained, explain, history};
use crate::store::promoters::get_promoter;
use crate::store::qualifications::QualificationState;
use crate::store::referrals::get_referral;
use crate::web::answer::Answer;
use crate::web::layout::Page;
use crate::web::parts::{Icon, Link, Progress, State as Badge, Tone, When};
use crate::web::{View, Web, answer, format, url};

/// `/referrals/{id}`
#[derive(Debug, Template)]
#[template(path = "pages/marketing/referral.html", config = ".askama.toml")]
pub(crate) struct ReferralPage {
    pub page: Page,
    pub sentence: String,
    pub tone: Tone,
    pub icon: Icon,
    /// What is stored, where that is another.
    pub stored: Option<String>,
    pub case: Option<Link>,
    pub progress: Vec<Progress>,
    pub about: Vec<(&'static str, String)>,
    pub campaign: Link,
    pub promoter: Option<Link>,
    pub referred: Option<When>,
    pub closes: Option<When>,
    pub settles: Option<When>,
    pub reasons: Vec<(String, String)>,
    pub customers: Vec<(String, &'static str)>,
    pub payments: Vec<PaymentRow>,
    pub rewards: Vec<(String, &'static str)>,
    pub queue: Vec<QueueRow>,
    pub timeline: Timeline,
    /// Where it is given to another promoter, for whoever may.
    pub reassign: Option<String>,
    /// Whose it is now, where what was settled is another's.
    pub given_to: Option<Link>,
}

/// `GET /referrals/{id}`
pub(crate) async fn show(
    State(web): State<Arc<Web>>,
    view: View,
    Path(id): Path<String>,
) -> Answer {
    let connection = view.connection();
    let referral = ReferralId::from(id);
    let mut tx = web.app.db.read().await?;
    let ids = BTreeSet::from([referral.clone()]);
    // A coupon's referral is judged with its customer.
    let customers: BTreeSet<CustomerId> = referral.customer_of_coupon().into_iter().collect();
    let all = explain(&mut tx, connection, (&ids, &customers), view.now).await?;
    let mut all = all.into_iter();
    let one = all.find(|one| one.verdict.referral == referral);
    let one = one.ok_or_else(|| no_such("referral"))?;
    let claim = get_referral(&mut tx, connection, &referral).await?;
    let promoter = match &one.verdict.promoter {
        Some(promoter) => get_promoter(&mut tx, connection, promoter).await?,
        None => None,
    };
    let given_to = match given_to(claim.as_ref(), &one.verdict) {
        Some(promoter) => get_promoter(&mut tx, connection, promoter).await?,
        None => None,
    };
    let campaigns = super::campaigns::names(&mut tx, connection).await?;
    let with_events = view.may(Permission::EventsRead);
    let history = history(&mut tx, connection, &one, with_events).await?;
    tx.rollback().await?;
    let name = promoter.map(|stored| stored.promoter.name);
    let page = view
        .page(format!("Referral {referral}"), "/referrals")
        .under("Referrals", "/referrals");
    let told = timeline(&history, view.now);
    let mut page = filled(
        page,
        view.now,
        (&one, told),
        claim.as_ref(),
        name,
        &campaigns,
    );
    let here = url::referral(referral.as_str());
    page.reassign = view
        .may(Permission::ReferralsReassign)
        .then(|| format!("{here}/reassign"));
    page.given_to = given_to.map(|stored| {
        let promoter = stored.promoter;
        Link::new(promoter.name, url::promoter(promoter.id.as_str()))
    });
    answer::page(&page)
}

/// Whose a referral is by now, where the verdict is about what was settled for another.
fn given_to<'c>(claim: Option<&'c Referral>, verdict: &Verdict) -> Option<&'c PromoterId> {
    let now = claim?.promoter.as_ref();
    now.filter(|_| now != verdict.promoter.as_ref())
}

fn filled(
    page: Page,
    now: Timestamp,
    (one, timeline): (&Explained, Timeline),
    claim: Option<&Referral>,
    promoter_name: Option<String>,
    campaigns: &BTreeMap<String, String>,
) -> ReferralPage {
    let verdict = &one.verdict;
    let settled = one
        .qualifications
        .last()
        .is_some_and(|q| q.state == QualificationState::Settled)
        && verdict.state == VerdictState::Qualified;
    let state = Badge::verdict(verdict.state, settled);
    let campaign = verdict.campaign.as_str();
    let name = campaigns.get(campaign).map_or(campaign, String::as_str);
    let when = |at: Timestamp| When::new(at, now);
    let opens = verdict.window.map(|window| window.opens_at);
    let case = verdict.case.as_ref();
    ReferralPage {
        page,
        sentence: sentence(verdict),
        tone: state.tone,
        icon: state.icon,
        stored: one.stored.clone(),
        case: case.map(|id| Link::new("Decide this case", url::at("/admin/cases", id.as_str()))),
        progress: progress(verdict),
        about: about(claim),
        campaign: Link::new(name, url::campaign(campaign)),
        promoter: verdict.promoter.as_ref().map(|id: &PromoterId| {
            let name = promoter_name.unwrap_or_else(|| id.to_string());
            Link::new(name, url::promoter(id.as_str()))
        }),
        referred: claim.map(|c| c.referred_at).or(opens).map(when),
        closes: verdict.window.and_then(|window| window.closes_at).map(when),
        settles: verdict.settle_after.filter(|_| !settled).map(when),
        reasons: verdict
            .reasons
            .iter()
            .map(|reason| {
                (
                    format::code_words(reason.code.code()),
                    reason.detail.clone(),
                )
            })
            .collect(),
        customers: verdict
            .customers
            .iter()
            .map(|customer| (customer.id.to_string(), found_by(customer.matched_by)))
            .collect(),
        payments: verdict.payments.iter().map(|p| payment(p, now)).collect(),
        rewards: verdict
            .rewards
            .iter()
            .map(|r| {
                (
                    format::money(Money::new(r.amount_minor, r.currency)),
                    r.to.person(),
                )
            })
            .collect(),
        queue: one.qualifications.iter().map(|q| queued(q, now)).collect(),
        timeline,
        reassign: None,
        given_to: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::access::Role;
    use crate::domain::currency::Currency;
    use crate::domain::email::CanonicalEmail;
    use crate::domain::reason::{LeftOut, ReasonCode};
    use crate::domain::time::Window;
    use crate::domain::verdict::{
        MatchedBy, MatchedCustomer, PaymentEvidence, Reason, Reward, RewardTo, Spend,
    };
    use crate::registry::explain::{About, History, Moment, MomentKind};
    use crate::web::samples::{frame, hold, now};

    fn explained() -> Explained {
        let at = now().plus_seconds(-86_400);
        let payment = |id: &str, amount, counted, why| PaymentEvidence {
            id: id.into(),
            amount_minor: amount,
            refunded_minor: if counted { 0 } else { amount },
            currency: Currency::USD,
            occurred_at: at,
            counted,
            why,
            presumed_link: counted,
        };
        Explained {
            verdict: Verdict {
                campaign: "spring-2026".into(),
                revision: "sha256:0".into(),
                referral: "ref_1".into(),
                promoter: Some("prom_ana".into()),
                state: VerdictState::Pending,
                reasons: vec![Reason::new(
                    ReasonCode::BelowThreshold,
                    "12.40 USD more before 2026-03-12 09:00 UTC (37.60 USD of at least 50.00 USD)",
                )],
                customers: vec![MatchedCustomer {
                    id: "cus_1".into(),
                    matched_by: MatchedBy::Email,
                }],
                spend: vec![Spend {
                    currency: Currency::USD,
                    counted_minor: 3_760,
                    needed_minor: 5_000,
                    missing_minor: 1_240,
                }],
                payments: vec![
                    payment("ch_1", 3_760, true, None),
                    payment("ch_2", 900, false, Some(LeftOut::Refunded)),
                ],
                window: Some(Window {
                    opens_at: at,
                    closes_at: Some(now().plus_days(2)),
                }),
                qualified_at: None,
                settle_after: None,
                rewards: vec![Reward {
                    to: RewardTo::Promoter,
                    amount_minor: 2_000,
                    currency: Currency::USD,
                }],
                missing: None,
                case: None,
            },
            stored: None,
            timeline: Vec::new(),
            qualifications: Vec::new(),
        }
    }

    fn history() -> History {
        let at = |seconds: i64| now().plus_seconds(seconds - 86_400);
        let moment = |seconds, kind, what: &str, about| Moment {
            at: at(seconds),
            what: what.to_owned(),
            kind,
            about,
        };
        let event = About::Event("evt_1".into());
        let batch = About::Batch("batch_slot.1".into());
        History {
            moments: vec![
                moment(
                    0,
                    MomentKind::Event,
                    "charge.succeeded (evt_1)",
                    Some(event),
                ),
                moment(0, MomentKind::Paid, "37.60 USD paid (ch_1)", None),
                moment(
                    60,
                    MomentKind::Ledger,
                    "settled in batch_slot.1",
                    Some(batch),
                ),
            ],
            events_cut: true,
        }
    }

    #[test]
    fn the_sentence_comes_first() {
        let claim = Referral {
            id: "ref_1".into(),
            campaign: "spring-2026".into(),
            promoter: Some("prom_ana".into()),
            email: CanonicalEmail::parse("bea@example.com"),
            uid: None,
            stripe_customer_id: None,
            referred_at: now().plus_seconds(-86_400),
        };
        let campaigns = [("spring-2026".to_owned(), "Spring 2026".to_owned())].into();
        let page = frame(Role::Marketer)
            .page("Referral ref_1", "/referrals")
            .under("Referrals", "/referrals");
        let name = Some("Ana Lima".to_owned());
        let one = (&explained(), timeline(&history(), now()));
        let mut page = filled(page, now(), one, Some(&claim), name, &campaigns);
        hold("referral", &page);
        page.page = frame(Role::Admin).page("Referral ref_1", "/referrals");
        page.reassign = Some("/referrals/ref_1/reassign".to_owned());
        page.given_to = Some(Link::new("Ben", "/promoters/prom_ben"));
        hold("referral_given_away", &page);
    }
}
