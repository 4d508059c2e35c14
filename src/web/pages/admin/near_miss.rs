//! `/admin/near-misses/{id}`: two sides of a near miss, what linking them would do, and saying
//! whether they are one person.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;

use super::cases::known;
use super::effects::Effects;
use super::near_misses::{HERE, at, found, kind};
use super::refusal;
use crate::domain::access::Permission;
use crate::domain::ids::{CampaignId, CustomerId, NearMissId, ReferralId};
use crate::domain::money::Money;
use crate::domain::payment::{Customer, Outcome};
use crate::domain::time::Timestamp;
use crate::http::Problem;
use crate::registry::RegistryError;
use crate::registry::decisions::Decider;
use crate::registry::near_misses::{self, NearView, look};
use crate::web::answer::{Answer, on_to, page, page_as, refused};
use crate::web::input::{Fields, Sent};
use crate::web::layout::{Page, Said};
use crate::web::parts::{Errors, Field, Link, When};
use crate::web::{View, Web, format, url};

/// `/admin/near-misses/{id}`
#[derive(Debug, Template)]
#[template(path = "pages/admin/near_miss.html", config = ".askama.toml")]
pub(crate) struct NearMissPage {
    pub page: Page,
    pub here: String,
    pub errors: Errors,
    pub detail: String,
    pub step: &'static str,
    pub campaign: Option<Link>,
    pub referral: Option<Link>,
    pub claim: Vec<(&'static str, String)>,
    pub customer: Vec<(&'static str, String)>,
    pub found: When,
    /// What linking them would do, where they can be linked.
    pub effects: Option<Effects>,
    pub reason: Field,
    pub can_decide: bool,
}

/// `GET /admin/near-misses/{id}`
pub(crate) async fn show(
    State(web): State<Arc<Web>>,
    view: View,
    Path(id): Path<NearMissId>,
) -> Answer {
    let near = find(&web, &view, &id).await?;
    page(&made(&view, &near, &Fields::default(), Errors::none()))
}

/// `POST /admin/near-misses/{id}`: they are one person, or they are not.
pub(crate) async fn answer(
    State(web): State<Arc<Web>>,
    view: View,
    Path(id): Path<NearMissId>,
    Sent(sent): Sent,
) -> Answer {
    let (said, note, usual) = match sent.raw("answer") {
        "same" => (
            near_misses::Answer::Same,
            Said::NearMissLinked,
            "they look like one person",
        ),
        "different" => (
            near_misses::Answer::Different,
            Said::NearMissDismissed,
            "they are two people",
        ),
        _ => {
            let near = find(&web, &view, &id).await?;
            let errors = Errors::one("", "Press one of the two buttons.");
            return refused(&made(&view, &near, &sent, errors));
        }
    };
    // One press suffices: what the answer says is why it was given.
    let reason = sent.some("reason").unwrap_or(usual);
    let app = &web.app;
    let decider = Decider {
        by: &view.by,
        reason,
    };
    let clock = app.clock.as_ref();
    match near_misses::answer(&app.db, view.connection(), clock, (&id, said), decider).await {
        Ok(_) => {
            app.touched.notify_one();
            on_to(HERE, Some(note))
        }
        Err(RegistryError::NotFound(_)) => Err(gone()),
        Err(error) => {
            let errors = Errors::one("", refusal(error)?);
            let near = find(&web, &view, &id).await?;
            page_as(StatusCode::CONFLICT, &made(&view, &near, &sent, errors))
        }
    }
}

async fn find(web: &Web, view: &View, id: &NearMissId) -> Result<NearView, Problem> {
    let app = &web.app;
    match look(&app.db, view.connection(), app.clock.as_ref(), id).await {
        Err(RegistryError::NotFound(_)) => Err(gone()),
        other => Ok(other?),
    }
}

fn gone() -> Problem {
    let words = "This near miss is no longer there: somebody has answered it, or the facts have \
                 changed so that it either matches or is no longer near.";
    Problem::not_found(words)
}

fn made(view: &View, near: &NearView, sent: &Fields, errors: Errors) -> NearMissPage {
    let page = view
        .page(kind(&near.near.kind), HERE)
        .under("Near misses", HERE)
        .with_errors(errors.any());
    let can_decide = view.may(Permission::CasesWrite);
    filled(page, view.now, near, (sent, errors), can_decide)
}

pub(super) fn filled(
    page: Page,
    now: Timestamp,
    view: &NearView,
    (sent, errors): (&Fields, Errors),
    can_decide: bool,
) -> NearMissPage {
    let near = &view.near;
    NearMissPage {
        page,
        here: at(&near.near_miss_id),
        detail: near.detail.clone(),
        step: step(&near.kind),
        campaign: near
            .campaign_id
            .as_ref()
            .map(CampaignId::as_str)
            .map(|id| Link::new(view.campaign.as_deref().unwrap_or(id), url::campaign(id))),
        referral: near
            .referral_id
            .as_ref()
            .map(ReferralId::as_str)
            .map(|id| Link::new(id, url::referral(id))),
        claim: claim(view),
        customer: customer(view),
        found: When::new(found(near), now),
        effects: view
            .link
            .as_ref()
            .map(|all| Effects::of(all, &view.promoters)),
        reason: Field::text("reason", "Why")
            .hint("If there is more to say than that they look like it.")
            .value(sent.raw("reason"))
            .error(errors.at("reason")),
        errors,
        can_decide,
    }
}

/// What somebody can do about a near miss of this kind.
fn step(kind: &str) -> &'static str {
    match kind {
        "similar_email" => {
            "An email with a tag or other dots is another email: it matches nobody by itself. If \
             these are one person, link them."
        }
        "same_uid" => {
            "The campaign does not match by metadata, so the id says nothing to it. If these are \
             one person, link them."
        }
        "similar_coupon" => {
            "If the coupon is a promoter’s, add its id to theirs; payments with it count from then \
             on, those of the past as well."
        }
        "just_outside_window" => {
            "The campaign’s window decides, and this payment is outside of it. If such payments \
             should count, change the window in the campaign."
        }
        _ => "Look at both sides.",
    }
}

fn claim(view: &NearView) -> Vec<(&'static str, String)> {
    let Some(referral) = &view.referral else {
        return Vec::new();
    };
    let promoter = referral.promoter.as_ref().map(|id| {
        let name = view.promoters.get(id);
        name.map_or_else(|| id.to_string(), Clone::clone)
    });
    vec![
        ("Person", known(referral)),
        ("Promoter", promoter.unwrap_or_default()),
        ("Referred", referral.referred_at.words()),
    ]
}

fn customer(view: &NearView) -> Vec<(&'static str, String)> {
    let id = view.near.customer_id.as_ref().map(CustomerId::to_string);
    let mut rows = vec![("Customer", id.unwrap_or_default())];
    rows.extend(view.known.name.clone().map(|name| ("Name", name)));
    let Some(customer) = &view.customer else {
        return rows;
    };
    rows.extend(
        customer
            .emails
            .iter()
            .map(|email| ("Email", email.to_string())),
    );
    rows.extend(customer.created.map(|at| ("Created", at.words())));
    rows.push(("Paid", paid(customer)));
    let subscriptions = view.known.subscriptions.iter();
    rows.extend(subscriptions.map(|(id, state)| ("Subscription", format!("{id}: {state}"))));
    rows
}

/// What a customer has paid in all, by currency, whatever counts of it.
fn paid(customer: &Customer) -> String {
    let mut sums: BTreeMap<_, i64> = BTreeMap::new();
    let payments = customer.payments.iter();
    let paid = payments.filter(|payment| payment.outcome == Outcome::Paid);
    for payment in paid {
        let sum = sums.entry(payment.currency).or_default();
        *sum = sum.saturating_add(payment.amount);
    }
    let sums = sums.into_iter();
    let sums: Vec<String> = sums
        .map(|(currency, minor)| format::money(Money::new(minor, currency)))
        .collect();
    if sums.is_empty() {
        "nothing yet".to_owned()
    } else {
        sums.join(" + ")
    }
}
