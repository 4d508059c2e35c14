//! `/new-referral`: registering who was referred, by hand.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;

use super::campaigns::names;
use super::promoter_form::{FormPage, errors};
use super::promoters::lookup;
use crate::domain::time::Timestamp;
use crate::registry::referrals::{ReferralInput, Registered, register};
use crate::web::answer::{Answer, on_to, page, refused};
use crate::web::input::{Asked, Fields, Sent};
use crate::web::layout::{Page, Said};
use crate::web::parts::{Choice, Errors, Field};
use crate::web::{View, Web, url};

/// `GET /new-referral`
pub(crate) async fn new(State(web): State<Arc<Web>>, view: View, Asked(query): Asked) -> Answer {
    let mut tx = web.app.db.read().await?;
    let campaigns = names(&mut tx, view.connection()).await?;
    tx.rollback().await?;
    page(&form(&view, &campaigns, &query, Errors::none()))
}

/// `POST /new-referral`
pub(crate) async fn add(State(web): State<Arc<Web>>, view: View, Sent(sent): Sent) -> Answer {
    let (app, connection) = (&web.app, view.connection());
    let mut tx = app.db.read().await?;
    let campaigns = names(&mut tx, connection).await?;
    let promoters = lookup(&mut tx, connection, sent.text("promoter")).await?;
    tx.rollback().await?;
    let again = |errors: Errors| refused(&form(&view, &campaigns, &sent, errors));
    let [promoter] = promoters.as_slice() else {
        let words = if promoters.is_empty() {
            "No promoter has this id, email, code or coupon"
        } else {
            "Several promoters fit; give the id of the one you mean"
        };
        return again(Errors::one("promoter", words));
    };
    let referred_at = match sent.some("referred_at") {
        None => None,
        Some(text) => {
            let Some(at) = Timestamp::parse(text) else {
                let words = "Enter a day or an instant, like 2026-03-01 or 2026-03-01T09:00:00Z";
                return again(Errors::one("referred_at", words));
            };
            Some(at)
        }
    };
    let input = ReferralInput {
        id: None,
        campaign: sent.text("campaign").to_owned(),
        promoter: promoter.promoter.id.to_string(),
        email: sent.owned("email"),
        uid: sent.owned("uid"),
        stripe_customer_id: sent.owned("stripe_customer_id"),
        referred_at,
    };
    match register(&app.db, connection, app.clock.as_ref(), &input, &view.by).await {
        Ok(registered) => {
            app.touched.notify_one();
            let said = match &registered {
                Registered::New(_) => Said::ReferralAdded,
                Registered::Existing(_) => Said::ReferralThere,
            };
            on_to(
                &url::referral(registered.referral().id.as_str()),
                Some(said),
            )
        }
        Err(error) => again(errors(error)?),
    }
}

fn form(
    view: &View,
    campaigns: &BTreeMap<String, String>,
    sent: &Fields,
    errors: Errors,
) -> FormPage {
    let page = view
        .page("Register a referral", "/referrals")
        .under("Referrals", "/referrals")
        .with_errors(errors.any());
    filled(page, campaigns, sent, errors)
}

fn filled(
    page: Page,
    campaigns: &BTreeMap<String, String>,
    sent: &Fields,
    errors: Errors,
) -> FormPage {
    let fill = |field: Field, name: &str| field.value(sent.raw(name)).error(errors.at(name));
    let of = campaigns.iter().map(|(id, name)| Choice::new(id, name));
    FormPage {
        page,
        fields: vec![
            fill(
                Field::select("campaign", "Campaign", of.collect()),
                "campaign",
            ),
            fill(
                Field::text("promoter", "Promoter").hint("Their id, email, code or coupon id."),
                "promoter",
            ),
            fill(
                Field::text("email", "The invited person’s email")
                    .hint("Of this and the next two, one suffices. More find more payments."),
                "email",
            ),
            fill(Field::text("uid", "Their id in your product"), "uid"),
            fill(
                Field::text("stripe_customer_id", "Their Stripe customer id"),
                "stripe_customer_id",
            ),
            fill(
                Field::text("referred_at", "When they were referred")
                    .hint("A day or an instant. Blank: now. Payments before it do not count."),
                "referred_at",
            ),
        ],
        errors,
        action: "/new-referral".to_owned(),
        button: "Register",
        cancel: "/referrals".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::access::Role;
    use crate::web::samples::{frame, hold};

    #[test]
    fn the_form() {
        let campaigns = [("spring-2026".to_owned(), "Spring 2026".to_owned())].into();
        let page = frame(Role::Marketer).page("Register a referral", "/referrals");
        let form = filled(page, &campaigns, &Fields::default(), Errors::none());
        hold("referral_form", &form);
    }
}
