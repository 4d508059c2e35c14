//! `/admin/users`: who has an account; `/admin/invite`: inviting somebody.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;

use crate::access::AccessError;
use crate::access::users::{Invitation, User, UserState};
use crate::domain::access::{Permission, Role};
use crate::domain::ids::{PromoterId, UserId};
use crate::domain::time::Timestamp;
use crate::http::Problem;
use crate::http::words::capital;
use crate::web::answer::{Answer, on_to, page, refused};
use crate::web::input::{Asked, Fields, Sent};
use crate::web::layout::{Page, Said};
use crate::web::pages::marketing::promoter_form::FormPage;
use crate::web::parts::{
    Choice, Empty, Errors, Field, Icon, Link, Pager, State as Badge, Tone, When,
};
use crate::web::{View, Web, url};

/// People on a page.
const ROWS: u32 = 50;

/// `/admin/users`
#[derive(Debug, Template)]
#[template(path = "pages/admin/users.html", config = ".askama.toml")]
pub(crate) struct UsersPage {
    pub page: Page,
    pub filter: Field,
    pub rows: Vec<UserRow>,
    pub empty: Option<Empty>,
    pub pager: Pager,
    pub can_invite: bool,
}

/// Somebody's line.
#[derive(Debug)]
pub(crate) struct UserRow {
    pub link: Link,
    pub email: String,
    pub role: String,
    pub state: Badge,
    pub signs_in: &'static str,
    pub seen: Option<When>,
}

/// `GET /admin/users`
pub(crate) async fn list(State(web): State<Arc<Web>>, view: View, Asked(query): Asked) -> Answer {
    let role = Role::parse(query.text("role"));
    let after = query.some("after").map(UserId::from);
    let access = &web.app.access;
    let mut found = access.users(role, after.as_ref(), ROWS + 1).await?;
    let more = found.len() > ROWS as usize;
    found.truncate(ROWS as usize);
    let name = role.map_or("", Role::name);
    let place = |after: &str| url::with("/admin/users", &[("role", name), ("after", after)]);
    let last = found.last().filter(|_| more);
    page(&UsersPage {
        page: view.page("Users", "/admin/users"),
        filter: filter(name),
        empty: found.is_empty().then(empty),
        pager: Pager {
            first: after.map(|_| place("")),
            next: last.map(|user| place(user.id.as_str())),
        },
        rows: found.iter().map(|user| row(user, view.now)).collect(),
        can_invite: view.may(Permission::UsersWrite),
    })
}

fn filter(chosen: &str) -> Field {
    let all = Role::ALL.map(|role| Choice::new(role.name(), title(role)));
    let of = std::iter::once(Choice::new("", "Any role")).chain(all);
    Field::select("role", "Role", of.collect()).value(chosen)
}

fn empty() -> Empty {
    Empty::new(
        "Nobody has this role",
        "Invite somebody, or look at another role.",
    )
    .step("See everybody", "/admin/users")
}

fn row(user: &User, now: Timestamp) -> UserRow {
    UserRow {
        link: Link::new(&user.name, url::user(user.id.as_str())),
        email: user.email.to_string(),
        role: title(user.role).to_owned(),
        state: state(user.state),
        signs_in: if user.has_password {
            "Password or link"
        } else {
            "Link"
        },
        seen: user.signed_in_at.map(|at| When::new(at, now)),
    }
}

/// A role as a word.
pub(super) const fn title(role: Role) -> &'static str {
    match role {
        Role::Owner => "Owner",
        Role::Admin => "Admin",
        Role::Marketer => "Marketer",
        Role::Viewer => "Viewer",
        Role::Promoter => "Promoter",
    }
}

/// What a role may do, in a line.
pub(super) const fn means(role: Role) -> &'static str {
    match role {
        Role::Owner => "Everything, and the only one who makes and changes owners.",
        Role::Admin => "Runs it: cases, batches, events, users, keys, and all that marketers do.",
        Role::Marketer => "Campaigns, promoters and referrals.",
        Role::Viewer => "Looks at everything of marketing and the batches, and changes nothing.",
        Role::Promoter => "Sees their own referrals and rewards, and nothing else.",
    }
}

/// Whether somebody may come in.
pub(super) fn state(state: UserState) -> Badge {
    match state {
        UserState::Invited => Badge::new(Tone::Wait, Icon::Clock, "Invited"),
        UserState::Active => Badge::new(Tone::Good, Icon::Check, "Active"),
        UserState::Deactivated => Badge::new(Tone::Bad, Icon::Minus, "Deactivated"),
    }
}

/// The roles that whoever looks may give, as choices.
pub(super) fn roles(view: &View) -> Vec<Choice> {
    let given = Role::ALL
        .into_iter()
        .filter(|role| view.by.grants.may_give_role(*role));
    given
        .map(|role| Choice::new(role.name(), title(role)).hint(means(role)))
        .collect()
}

/// `GET /admin/invite`
pub(crate) async fn new(State(web): State<Arc<Web>>, view: View, Asked(query): Asked) -> Answer {
    page(&form(&web, &view, &query, Errors::none()))
}

/// `POST /admin/invite`
pub(crate) async fn invite(State(web): State<Arc<Web>>, view: View, Sent(sent): Sent) -> Answer {
    let Some(role) = Role::parse(sent.text("role")) else {
        let errors = Errors::one("role", "Choose what they will be");
        return refused(&form(&web, &view, &sent, errors));
    };
    let promoter = sent.some("promoter").map(PromoterId::from);
    let invitation = Invitation {
        email: sent.text("email").to_owned(),
        name: sent.text("name").to_owned(),
        role,
        promoter,
    };
    match web.app.access.invite(&invitation, &view.by).await {
        Ok(user) => on_to(&url::user(user.id.as_str()), Some(said(&web, &view))),
        Err(error) => refused(&form(&web, &view, &sent, errors(error)?)),
    }
}

/// What is said once somebody is invited: whether a mail goes out, and if not, what to do.
pub(in crate::web::pages) fn said(web: &Web, view: &View) -> Said {
    if web.app.config.smtp_url.is_some() {
        Said::UserInvited
    } else if view.signed.role == Role::Owner {
        Said::UserInvitedByHand
    } else {
        Said::UserInvitedAskOwner
    }
}

/// What becomes of the link of somebody who is being invited.
pub(in crate::web::pages) const fn where_the_link_goes(by_mail: bool) -> &'static str {
    if by_mail {
        "A mail with the link goes there. The link is good for 7 days."
    } else {
        "No mail is set up, so nothing is sent: an owner is shown the link, to hand it over. It is \
         good for 7 days."
    }
}

/// What a refused command says, at the field; what no field can mend is a problem.
pub(in crate::web::pages) fn errors(error: AccessError) -> Result<Errors, Problem> {
    match error {
        AccessError::Invalid {
            pointer, message, ..
        } => Ok(Errors::one(
            pointer.trim_start_matches('/'),
            capital(&message),
        )),
        AccessError::Conflict { code, message } => {
            let field = match code {
                "email_in_use" => "email",
                "last_owner" => "role",
                _ => "",
            };
            Ok(Errors::one(field, capital(&message)))
        }
        other => Err(other.into()),
    }
}

fn form(web: &Web, view: &View, sent: &Fields, errors: Errors) -> FormPage {
    let page = view
        .page("Invite somebody", "/admin/users")
        .under("Users", "/admin/users")
        .with_errors(errors.any());
    let by_mail = web.app.config.smtp_url.is_some();
    filled(page, (roles(view), by_mail), sent, errors)
}

fn filled(
    page: Page,
    (roles, by_mail): (Vec<Choice>, bool),
    sent: &Fields,
    errors: Errors,
) -> FormPage {
    let fill = |field: Field, name: &str| field.value(sent.raw(name)).error(errors.at(name));
    FormPage {
        page,
        fields: vec![
            fill(
                Field::email("email", "Email address").hint(where_the_link_goes(by_mail)),
                "email",
            ),
            fill(
                Field::text("name", "Name").hint("Blank: the first part of the address."),
                "name",
            ),
            fill(Field::radios("role", "Role", roles), "role"),
            fill(
                Field::text("promoter", "Promoter id")
                    .hint("For the role promoter, and only for it: which promoter they are."),
                "promoter",
            ),
        ],
        errors,
        action: "/admin/invite".to_owned(),
        button: "Invite",
        cancel: "/admin/users".to_owned(),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::web::samples::{frame, hold, now};

    pub(crate) fn user(role: Role, state: UserState) -> User {
        User {
            id: "usr_1".into(),
            email: crate::domain::email::CanonicalEmail::parse("jo@example.com").unwrap(),
            name: "Jo Berg".to_owned(),
            role,
            promoter: (role == Role::Promoter).then(|| "prom_ana".into()),
            state,
            created_at: now().plus_seconds(-86_400),
            changed_at: now().plus_seconds(-86_400),
            signed_in_at: (state == UserState::Active).then(|| now().plus_seconds(-600)),
            has_password: state == UserState::Active,
        }
    }

    #[test]
    fn the_list_of_users() {
        let all = [
            user(Role::Owner, UserState::Active),
            user(Role::Marketer, UserState::Invited),
            user(Role::Viewer, UserState::Deactivated),
        ];
        let made = |rows: Vec<UserRow>, chosen| UsersPage {
            page: frame(Role::Admin).page("Users", "/admin/users"),
            filter: filter(chosen),
            empty: rows.is_empty().then(empty),
            rows,
            pager: Pager::default(),
            can_invite: true,
        };
        let rows = all.iter().map(|user| row(user, now())).collect();
        hold("users", &made(rows, ""));
        hold("users_empty", &made(Vec::new(), "viewer"));
    }

    #[test]
    fn the_invitation() {
        let errors = Errors::one("email", "This is not one plain email address");
        let page = frame(Role::Owner)
            .page("Invite somebody", "/admin/users")
            .with_errors(true);
        let of = |role: Role| Choice::new(role.name(), title(role)).hint(means(role));
        let roles = Role::ALL.into_iter().map(of).collect();
        let nothing = Fields::default();
        hold("invite", &filled(page, (roles, true), &nothing, errors));
    }
}
