//! `/referrals/{id}/reassign`: giving a referral to another promoter. First to whom, then what
//! moves and what stays, then the press of a button with a reason.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};

use super::no_such;
use super::promoter_form::errors;
use super::promoters::lookup;
use crate::domain::ids::{PromoterId, ReferralId};
use crate::domain::money::Money;
use crate::domain::people::Promoter;
use crate::domain::verdict::{Reward, RewardTo, Verdict};
use crate::evaluate::explain::sentence;
use crate::http::Problem;
use crate::registry::RegistryError;
use crate::registry::reassign::{Move, preview, reassign};
use crate::store::promoters::get_promoter;
use crate::store::qualifications::{Qualification, QualificationState};
use crate::store::referrals::get_referral;
use crate::web::answer::{Answer, on_to, page, refused};
use crate::web::input::{Asked, Fields, Sent};
use crate::web::layout::{Page, Said};
use crate::web::parts::{Errors, Field, Link};
use crate::web::{View, Web, format, url};

/// `/referrals/{id}/reassign`
#[derive(Debug, Template)]
#[template(path = "pages/marketing/reassign.html", config = ".askama.toml")]
pub(crate) struct ReassignPage {
    pub page: Page,
    pub errors: Errors,
    /// Whose it is now; nobody's where a coupon made it.
    pub from: Option<Link>,
    /// Why it cannot be given away.
    pub refusal: Option<String>,
    pub here: String,
    pub search: Field,
    pub planned: Option<Planned>,
    pub cancel: String,
}

/// What would happen.
#[derive(Debug)]
pub(crate) struct Planned {
    pub to: Link,
    pub to_id: String,
    pub moves: Vec<String>,
    pub stays: Vec<String>,
    pub before: Option<String>,
    pub after: Option<String>,
    pub warning: Option<String>,
    pub reason: Field,
}

/// `GET /referrals/{id}/reassign`
pub(crate) async fn show(
    State(web): State<Arc<Web>>,
    view: View,
    Path(id): Path<String>,
    Asked(query): Asked,
) -> Answer {
    let referral = ReferralId::from(id);
    page(&made(&web, &view, &referral, &query, Errors::none()).await?)
}

/// `POST /referrals/{id}/reassign`
pub(crate) async fn give(
    State(web): State<Arc<Web>>,
    view: View,
    Path(id): Path<String>,
    Sent(sent): Sent,
) -> Answer {
    let (app, referral) = (&web.app, ReferralId::from(id));
    let to = PromoterId::from(sent.text("promoter"));
    let (clock, reason) = (app.clock.as_ref(), sent.text("reason"));
    let which = (&referral, &to);
    match reassign(&app.db, view.connection(), clock, which, reason, &view.by).await {
        Ok(_) => {
            app.touched.notify_one();
            on_to(&url::referral(referral.as_str()), Some(Said::ReferralGiven))
        }
        Err(error) => {
            let errors = errors(error)?;
            refused(&made(&web, &view, &referral, &sent, errors).await?)
        }
    }
}

async fn made(
    web: &Web,
    view: &View,
    referral: &ReferralId,
    sent: &Fields,
    mut errors: Errors,
) -> Result<ReassignPage, Problem> {
    let (app, connection) = (&web.app, view.connection());
    let wanted = sent.text("promoter");
    let mut tx = app.db.read().await?;
    let claim = get_referral(&mut tx, connection, referral).await?;
    if claim.is_none() && referral.customer_of_coupon().is_none() {
        return Err(no_such("referral"));
    }
    let from = match claim.as_ref().and_then(|claim| claim.promoter.as_ref()) {
        Some(from) => get_promoter(&mut tx, connection, from).await?,
        None => None,
    };
    let found = if wanted.is_empty() {
        Vec::new()
    } else {
        lookup(&mut tx, connection, wanted).await?
    };
    tx.rollback().await?;
    let mut planned = None;
    match (claim.is_some() && !wanted.is_empty(), found.as_slice()) {
        (true, [one]) => {
            let which = (referral, &one.promoter.id);
            match preview(&app.db, connection, app.clock.as_ref(), which).await {
                Ok(plan) => planned = Some(plan),
                Err(error @ (RegistryError::Invalid { .. } | RegistryError::Conflict { .. })) => {
                    if !errors.any() {
                        errors = super::promoter_form::errors(error)?;
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        (true, all) if !errors.any() => {
            let words = if all.is_empty() {
                "No promoter has this id, email, code or coupon"
            } else {
                "Several promoters fit; give the id of the one you mean"
            };
            errors.add("promoter", words);
        }
        _ => {}
    }
    let here = url::referral(referral.as_str());
    let frame = view
        .page("Give it to another promoter", "/referrals")
        .under("Referrals", "/referrals")
        .under(format!("Referral {referral}"), here.clone())
        .with_errors(errors.any());
    let from = from.map(|stored| stored.promoter);
    Ok(filled(
        frame,
        (from.as_ref(), planned.as_ref()),
        &here,
        sent,
        errors,
    ))
}

fn filled(
    page: Page,
    (from, planned): (Option<&Promoter>, Option<&Move>),
    here: &str,
    sent: &Fields,
    errors: Errors,
) -> ReassignPage {
    let refusal = from.is_none().then(|| {
        "A coupon made this referral, and it follows the coupon: give the coupon id to the other \
         promoter instead. What is settled stays where it is then, too."
            .to_owned()
    });
    ReassignPage {
        page,
        from: from.map(link),
        refusal,
        search: Field::search("promoter", "To which promoter")
            .hint("Their id, email, code or coupon id.")
            .value(sent.raw("promoter"))
            .error(errors.at("promoter")),
        planned: planned.map(|plan| told(plan, sent, &errors)),
        errors,
        cancel: here.to_owned(),
        here: format!("{here}/reassign"),
    }
}

fn link(promoter: &Promoter) -> Link {
    Link::new(&promoter.name, url::promoter(promoter.id.as_str()))
}

fn told(plan: &Move, sent: &Fields, errors: &Errors) -> Planned {
    let words = |verdict: &Option<Verdict>| verdict.as_ref().map(sentence);
    let (before, after) = (words(&plan.before), words(&plan.after));
    Planned {
        to: link(&plan.to),
        to_id: plan.to.id.to_string(),
        moves: moves(plan),
        stays: plan.stays.iter().map(|q| stays(q, &plan.from)).collect(),
        // The same sentence twice would only look like a difference.
        after: after.filter(|after| Some(after) != before.as_ref()),
        before,
        warning: plan.to.suspended.then(|| {
            format!(
                "{} is suspended: nothing of it is settled until they are reinstated.",
                plan.to.name
            )
        }),
        reason: Field::text("reason", "Why")
            .hint("It is kept in the audit log and shown on the referral.")
            .required()
            .value(sent.raw("reason"))
            .error(errors.at("reason")),
    }
}

/// What goes along, one sentence each.
fn moves(plan: &Move) -> Vec<String> {
    if !plan.stays.is_empty() {
        let to = &plan.to.name;
        return vec![format!(
            "The referral itself: it is {to}’s from then on. No money moves, because a referral is \
             rewarded once and this one has been."
        )];
    }
    if plan.moves.is_empty() {
        let to = &plan.to.name;
        return vec![format!(
            "Nothing has been earned yet. Whatever it earns from now on is {to}’s."
        )];
    }
    let queued = plan.moves.iter().map(|q| {
        format!(
            "The queued reward, {}: it is settled for {} from {}.",
            money(&q.rewards),
            plan.to.name,
            q.settle_after.words()
        )
    });
    queued.collect()
}

/// What stays, in a sentence.
fn stays(qualification: &Qualification, from: &Promoter) -> String {
    // Whoever it was settled for, which need not be whose it is now.
    let whose = if qualification.promoter == from.id {
        from.name.clone()
    } else {
        qualification.promoter.to_string()
    };
    let later = "A later refund or dispute takes it back from them as well.";
    match qualification.state {
        QualificationState::Reversed => format!(
            "What was settled for {whose} and taken back again; should it be given again, it is \
             given to {whose}."
        ),
        _ => format!(
            "{}, settled for {whose}. It stays with {whose}. {later}",
            money(&qualification.given)
        ),
    }
}

fn money(rewards: &[Reward]) -> String {
    let mine = rewards
        .iter()
        .filter(|reward| reward.to == RewardTo::Promoter);
    let words: Vec<String> = mine
        .map(|reward| format::money(Money::new(reward.amount_minor, reward.currency)))
        .collect();
    if words.is_empty() {
        "nothing for the promoter".to_owned()
    } else {
        words.join(" and ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::access::Role;
    use crate::domain::currency::Currency;
    use crate::domain::people::Referral;
    use crate::web::samples::{frame, hold, now};

    fn promoter(id: &str, name: &str, suspended: bool) -> Promoter {
        Promoter {
            id: id.into(),
            name: name.to_owned(),
            email: None,
            code: None,
            coupons: Vec::new(),
            stripe_customer_id: None,
            suspended,
        }
    }

    fn qualification(state: QualificationState) -> Qualification {
        let reward = Reward {
            to: RewardTo::Promoter,
            amount_minor: 2_000,
            currency: Currency::USD,
        };
        Qualification {
            id: "qual_1".into(),
            campaign: "spring".into(),
            referral: "ref_1".into(),
            person: "cus_1".to_owned(),
            promoter: "prom_ana".into(),
            revision: "sha256:0".into(),
            state,
            reason: "threshold_met".to_owned(),
            qualified_at: now(),
            settle_after: now().plus_days(14),
            rewards: vec![reward],
            given: vec![reward],
            adjust_due: false,
            sequence: 1,
            created_at: now(),
            changed_at: now(),
        }
    }

    fn plan(moves: Vec<Qualification>, stays: Vec<Qualification>) -> Move {
        Move {
            referral: Referral {
                id: "ref_1".into(),
                campaign: "spring".into(),
                promoter: Some("prom_ana".into()),
                email: None,
                uid: Some("u1".to_owned()),
                stripe_customer_id: None,
                referred_at: now(),
            },
            from: promoter("prom_ana", "Ana", false),
            to: promoter("prom_ben", "Ben", true),
            moves,
            stays,
            before: None,
            after: None,
        }
    }

    #[test]
    fn it_says_what_moves_and_what_stays() {
        let page = || frame(Role::Admin).page("Give it to another promoter", "/referrals");
        let sent = Fields::new([("promoter".to_owned(), "prom_ben".to_owned())]);
        let here = "/referrals/ref_1";
        let queued = plan(vec![qualification(QualificationState::Queued)], Vec::new());
        let shown = filled(
            page(),
            (Some(&queued.from), Some(&queued)),
            here,
            &sent,
            Errors::none(),
        );
        hold("reassign_queued", &shown);
        let settled = plan(Vec::new(), vec![qualification(QualificationState::Settled)]);
        let shown = filled(
            page(),
            (Some(&settled.from), Some(&settled)),
            here,
            &sent,
            Errors::none(),
        );
        hold("reassign_settled", &shown);
        let none = Fields::default();
        let shown = filled(
            page(),
            (Some(&queued.from), None),
            here,
            &none,
            Errors::none(),
        );
        hold("reassign", &shown);
        let shown = filled(page(), (None, None), here, &none, Errors::none());
        hold("reassign_coupon", &shown);
    }
}
