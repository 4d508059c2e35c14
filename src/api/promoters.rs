//! `/promoters`: the people who refer.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::Serialize;

use super::Api;
use super::answer::{Answer, List, ok, with};
use super::caller::Caller;
use super::document::operation::{Operation, Resource, Takes};
use super::input::{Input, Nothing};
use super::params::{Params, bad_cursor};
use super::refusal::not_found;
use crate::access::routes::{self, On};
use crate::domain::email::CanonicalEmail;
use crate::domain::ids::{CouponId, PromoterId};
use crate::domain::time::Timestamp;
use crate::http::Problem;
use crate::registry::promoters::{PromoterChange, PromoterInput, change, create, suspend};
use crate::store::promoters::{
    StoredPromoter, get_promoter, list_promoters, promoters_by_code, promoters_by_email,
};
use crate::store::{StoreError, Tx};

pub(super) fn routes() -> Router<Arc<Api>> {
    Router::new()
        .on(routes::API_PROMOTERS, list)
        .on(routes::API_PROMOTER_ADD, add)
        .on(routes::API_PROMOTER, one)
        .on(routes::API_PROMOTER_EDIT, edit)
        .on(routes::API_PROMOTER_SUSPEND, suspended)
        .on(routes::API_PROMOTER_UNSUSPEND, unsuspended)
}

pub(super) fn describe() -> Resource {
    Resource {
        name: "promoters",
        says: "The people who refer.",
        operations: vec![
            Operation::new(routes::API_PROMOTERS, "list_promoters", "List promoters")
                .says("In order of id.")
                .filter("email", Takes::Text, "Of this email address.")
                .filter("code", Takes::Text, "With this code in the referral link.")
                .lists::<Shown>("The `id` of the last row of the page before."),
            Operation::new(routes::API_PROMOTER_ADD, "add_promoter", "Add a promoter")
                .takes::<PromoterInput>()
                .refuses(409, &["code_in_use", "coupon_in_use", "id_taken"])
                .refuses(422, REFUSED)
                .answers::<Shown>(201, "The promoter."),
            Operation::new(routes::API_PROMOTER, "get_promoter", "Get a promoter")
                .answers::<Shown>(200, "The promoter."),
            Operation::new(
                routes::API_PROMOTER_EDIT,
                "change_promoter",
                "Change a promoter",
            )
            .may_take::<PromoterChange>()
            .refuses(409, &["code_in_use", "coupon_in_use"])
            .refuses(422, REFUSED)
            .answers::<Shown>(200, "The promoter."),
            Operation::new(
                routes::API_PROMOTER_SUSPEND,
                "suspend_promoter",
                "Suspend a promoter",
            )
            .says("It earns nothing from now on; its open referrals are judged again.")
            .may_take::<Nothing>()
            .answers::<Shown>(200, "The promoter, suspended."),
            Operation::new(
                routes::API_PROMOTER_UNSUSPEND,
                "unsuspend_promoter",
                "Reinstate a promoter",
            )
            .may_take::<Nothing>()
            .answers::<Shown>(200, "The promoter, no longer suspended."),
            super::users::describe_invite(),
        ],
    }
}

/// Codes of fields that a promoter cannot have.
const REFUSED: &[&str] = &[
    "coupon_invalid",
    "coupon_is_promotion_code",
    "email_invalid",
    "id_invalid",
    "name_invalid",
];

/// A promoter as it is answered.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Promoter")]
struct Shown {
    id: PromoterId,
    name: String,
    email: Option<CanonicalEmail>,
    /// The code in its referral link.
    code: Option<String>,
    /// Coupon ids that attribute a payment to it.
    coupons: Vec<CouponId>,
    /// Its own Stripe customer id, if it is a customer too.
    stripe_customer_id: Option<String>,
    /// Whether it earns nothing for now.
    suspended: bool,
    created_at: Timestamp,
}

fn shown(stored: StoredPromoter) -> Shown {
    let StoredPromoter {
        promoter,
        created_at,
    } = stored;
    Shown {
        id: promoter.id,
        name: promoter.name,
        email: promoter.email,
        code: promoter.code,
        coupons: promoter.coupons,
        stripe_customer_id: promoter.stripe_customer_id,
        suspended: promoter.suspended,
        created_at,
    }
}

async fn add(State(api): State<Arc<Api>>, caller: Caller, input: Input) -> Answer {
    let input: PromoterInput = input.json()?;
    let app = &api.app;
    let created = create(
        &app.db,
        &caller.connection,
        app.clock.as_ref(),
        input,
        &caller.by,
    )
    .await?;
    app.touched.notify_one();
    with(StatusCode::CREATED, &shown(created))
}

async fn list(State(api): State<Arc<Api>>, caller: Caller, params: Params) -> Answer {
    let page = params.page(&["email", "code"])?;
    let mut tx = api.app.db.read().await?;
    let after: Option<PromoterId> = page.after.as_deref().map(PromoterId::from);
    if let Some(after) = &after {
        let there = get_promoter(&mut tx, &caller.connection, after).await?;
        there.ok_or_else(bad_cursor)?;
    }
    let rows = match (params.text("email"), params.text("code")) {
        (None, None) => {
            list_promoters(&mut tx, &caller.connection, after.as_ref(), page.rows()).await?
        }
        (email, code) => {
            let found = filtered(&mut tx, &caller, email, code).await?;
            let behind = found
                .into_iter()
                .filter(|row| after.as_ref().is_none_or(|after| row.promoter.id > *after));
            behind.collect()
        }
    };
    ok(&List::cut(rows, &page).map(shown))
}

/// Several promoters may share an email or a code, but never many.
async fn filtered(
    tx: &mut Tx,
    caller: &Caller,
    email: Option<&str>,
    code: Option<&str>,
) -> Result<Vec<StoredPromoter>, StoreError> {
    let Some(email) = email else {
        return promoters_by_code(tx, &caller.connection, code.unwrap_or("")).await;
    };
    let emails: Vec<CanonicalEmail> = CanonicalEmail::parse(email).into_iter().collect();
    let mut found = promoters_by_email(tx, &caller.connection, &emails).await?;
    found.retain(|row| code.is_none() || row.promoter.code.as_deref() == code);
    Ok(found)
}

async fn one(State(api): State<Arc<Api>>, caller: Caller, Path(id): Path<String>) -> Answer {
    let found = find(&api, &caller, &PromoterId::from(id)).await?;
    ok(&shown(found))
}

async fn find(api: &Api, caller: &Caller, id: &PromoterId) -> Result<StoredPromoter, Problem> {
    let mut tx = api.app.db.read().await?;
    let found = get_promoter(&mut tx, &caller.connection, id).await?;
    found.ok_or_else(|| not_found("promoter"))
}

async fn edit(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    input: Input,
) -> Answer {
    let wanted: PromoterChange = input.json()?;
    let (app, id) = (&api.app, PromoterId::from(id));
    let clock = app.clock.as_ref();
    let changed = change(&app.db, &caller.connection, clock, &id, wanted, &caller.by).await?;
    app.touched.notify_one();
    ok(&shown(changed))
}

async fn suspended(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    input: Input,
) -> Answer {
    set_suspended(&api, &caller, id, &input, true).await
}

async fn unsuspended(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    input: Input,
) -> Answer {
    set_suspended(&api, &caller, id, &input, false).await
}

async fn set_suspended(api: &Api, caller: &Caller, id: String, input: &Input, to: bool) -> Answer {
    let Nothing {} = input.json()?;
    let (app, id) = (&api.app, PromoterId::from(id));
    suspend(
        &app.db,
        &caller.connection,
        app.clock.as_ref(),
        &id,
        to,
        &caller.by,
    )
    .await?;
    app.touched.notify_one();
    ok(&shown(find(api, caller, &id).await?))
}
