//! `/users`: who has an account, inviting people, changing their roles, deactivating them; and
//! inviting a promoter to the portal.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Api;
use super::answer::{Answer, List, ok, with};
use super::caller::Caller;
use super::document::names;
use super::document::operation::{Operation, Resource, Takes};
use super::input::{Input, Nothing};
use super::params::{Params, bad_cursor};
use crate::access::routes::{self, On};
use crate::access::users::{Invitation, User};
use crate::domain::access::Role;
use crate::domain::email::CanonicalEmail;
use crate::domain::ids::{PromoterId, UserId};
use crate::domain::time::Timestamp;
use crate::http::Problem;

pub(super) fn routes() -> Router<Arc<Api>> {
    Router::new()
        .on(routes::API_USERS, list)
        .on(routes::API_USER_INVITE, invite)
        .on(routes::API_USER, one)
        .on(routes::API_USER_EDIT, edit)
        .on(routes::API_USER_DEACTIVATE, deactivate)
        .on(routes::API_USER_REACTIVATE, reactivate)
        .on(routes::API_PROMOTER_INVITE, invite_promoter)
}

pub(super) fn describe() -> Resource {
    Resource {
        name: "users",
        says: "People with an account: inviting them, changing their role, deactivating them.",
        operations: vec![
            Operation::new(routes::API_USERS, "list_users", "List users")
                .says("In order of id.")
                .filter("role", Takes::one_of::<names::Role>(), "Of this role.")
                .refuses(404, &["not_found"])
                .lists::<Shown>("The `id` of the last row of the page before."),
            Operation::new(routes::API_USER_INVITE, "invite_user", "Invite somebody")
                .says("They are sent a link. Nobody makes somebody who may do more than they do.")
                .takes::<Invite>()
                .refuses(403, &["forbidden"])
                .refuses(404, &["not_found"])
                .refuses(409, &["email_in_use"])
                .refuses(
                    422,
                    &[
                        "email_invalid",
                        "name_invalid",
                        "promoter_invalid",
                        "role_invalid",
                    ],
                )
                .answers::<Shown>(201, "The user."),
            Operation::new(routes::API_USER, "get_user", "Get a user")
                .answers::<Shown>(200, "The user."),
            Operation::new(routes::API_USER_EDIT, "change_user", "Give a user a role")
                .takes::<Edit>()
                .refuses(403, &["forbidden"])
                .refuses(409, &["nothing_to_change"])
                .refuses(422, &["promoter_invalid", "role_invalid"])
                .answers::<Shown>(200, "The user."),
            Operation::new(
                routes::API_USER_DEACTIVATE,
                "deactivate_user",
                "Deactivate a user",
            )
            .says("They are signed out everywhere and cannot sign in.")
            .may_take::<Nothing>()
            .refuses(403, &["forbidden"])
            .refuses(409, &["nothing_to_change"])
            .answers::<Shown>(200, "The user, deactivated."),
            Operation::new(
                routes::API_USER_REACTIVATE,
                "reactivate_user",
                "Reactivate a user",
            )
            .may_take::<Nothing>()
            .refuses(403, &["forbidden"])
            .refuses(409, &["nothing_to_change"])
            .answers::<Shown>(200, "The user, who may sign in again."),
        ],
    }
}

/// Promoters are invited under their own address.
pub(super) fn describe_invite() -> Operation {
    Operation::new(
        routes::API_PROMOTER_INVITE,
        "invite_promoter",
        "Invite a promoter to the portal",
    )
    .says("They are sent a link, to the promoter's email or to the one given.")
    .may_take::<InvitePromoter>()
    .refuses(403, &["forbidden"])
    .refuses(409, &["email_in_use"])
    .refuses(422, &["email_invalid", "name_invalid", "promoter_invalid"])
    .answers::<Shown>(201, "The user that the promoter is.")
}

/// A person as they are answered.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "User")]
struct Shown {
    id: UserId,
    email: CanonicalEmail,
    name: String,
    #[schemars(with = "names::Role")]
    role: Role,
    /// The promoter they are, if their role is that.
    promoter: Option<PromoterId>,
    #[schemars(with = "names::UserState")]
    state: &'static str,
    /// Whether they have a password; without one they sign in by mail.
    has_password: bool,
    created_at: Timestamp,
    changed_at: Timestamp,
    signed_in_at: Option<Timestamp>,
}

fn shown(user: User) -> Shown {
    Shown {
        id: user.id,
        email: user.email,
        name: user.name,
        role: user.role,
        promoter: user.promoter,
        state: user.state.name(),
        has_password: user.has_password,
        created_at: user.created_at,
        changed_at: user.changed_at,
        signed_in_at: user.signed_in_at,
    }
}

async fn list(State(api): State<Arc<Api>>, caller: Caller, params: Params) -> Answer {
    let access = api.access(&caller)?;
    let page = params.page(&["role"])?;
    let role = params.one_of("role", Role::parse, &Role::ALL.map(Role::name))?;
    let after = page.after.as_deref().map(UserId::from);
    if let Some(after) = &after {
        access.user(after).await.map_err(|_| bad_cursor())?;
    }
    let rows = access.users(role, after.as_ref(), page.rows());
    ok(&List::cut(rows.await?, &page).map(shown))
}

async fn one(State(api): State<Arc<Api>>, caller: Caller, Path(id): Path<String>) -> Answer {
    ok(&shown(api.access(&caller)?.user(&id.into()).await?))
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "UserInvite")]
struct Invite {
    email: String,
    #[serde(default)]
    name: String,
    #[schemars(with = "names::Role")]
    role: String,
    /// The promoter they are, if their role is that.
    promoter: Option<String>,
}

async fn invite(State(api): State<Arc<Api>>, caller: Caller, input: Input) -> Answer {
    let wanted: Invite = input.json()?;
    let invitation = Invitation {
        email: wanted.email,
        name: wanted.name,
        role: role(&wanted.role)?,
        promoter: wanted.promoter.map(PromoterId::from),
    };
    let user = api.access(&caller)?.invite(&invitation, &caller.by).await?;
    with(StatusCode::CREATED, &shown(user))
}

fn role(name: &str) -> Result<Role, Problem> {
    Role::parse(name).ok_or_else(|| {
        let names = Role::ALL.map(Role::name).join(", ");
        Problem::field(
            "role_invalid",
            "/role",
            format!("A role is one of {names}."),
        )
    })
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "UserChange")]
struct Edit {
    #[schemars(with = "names::Role")]
    role: String,
    /// The promoter they are, if their role is that.
    promoter: Option<String>,
}

async fn edit(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    input: Input,
) -> Answer {
    let wanted: Edit = input.json()?;
    let wanted = (role(&wanted.role)?, wanted.promoter.map(PromoterId::from));
    let access = api.access(&caller)?;
    ok(&shown(
        access.set_role(&id.into(), wanted, &caller.by).await?,
    ))
}

async fn deactivate(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    input: Input,
) -> Answer {
    let Nothing {} = input.json()?;
    let access = api.access(&caller)?;
    ok(&shown(access.deactivate(&id.into(), &caller.by).await?))
}

async fn reactivate(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    input: Input,
) -> Answer {
    let Nothing {} = input.json()?;
    let access = api.access(&caller)?;
    ok(&shown(access.reactivate(&id.into(), &caller.by).await?))
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "PromoterInvite")]
struct InvitePromoter {
    /// Where the link goes; the promoter's email, if left out.
    email: Option<String>,
}

async fn invite_promoter(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
    input: Input,
) -> Answer {
    let wanted: InvitePromoter = input.json()?;
    let (id, email) = (PromoterId::from(id), wanted.email.as_deref());
    let access = api.access(&caller)?;
    let invited = access.invite_promoter(&id, email, &caller.by);
    with(StatusCode::CREATED, &shown(invited.await?))
}
