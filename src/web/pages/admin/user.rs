//! `/admin/users/{id}`: one person; their role, their state, their link, their sessions.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;

use super::users::{errors, roles, state, title};
use crate::access::links::{LinkPurpose, lasts};
use crate::access::users::{User, UserState};
use crate::domain::access::{Permission, Role};
use crate::domain::ids::{PromoterId, UserId};
use crate::domain::time::{DAY_SECONDS, Timestamp};
use crate::http::Problem;
use crate::store::sessions::Session;
use crate::web::answer::{Answer, on_to, page, refused};
use crate::web::input::Sent;
use crate::web::layout::{ConfirmPage, Page, Said};
use crate::web::parts::{Choice, Errors, Field, Link, State as Badge, When};
use crate::web::{View, Web, format, url};

/// `/admin/users/{id}`
#[derive(Debug, Template)]
#[template(path = "pages/admin/user.html", config = ".askama.toml")]
pub(crate) struct UserPage {
    pub page: Page,
    pub errors: Errors,
    pub state: Badge,
    pub about: Vec<(&'static str, String)>,
    pub promoter: Option<Link>,
    pub times: Vec<(&'static str, When)>,
    pub here: String,
    /// Who looks may change this person.
    pub can_change: bool,
    pub fields: Vec<Field>,
    pub deactivated: bool,
    /// They have not come in yet.
    pub invited: bool,
    pub reach: Reach,
    pub sessions: Vec<(When, When)>,
}

/// How somebody gets a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// It is mailed.
    Mail,
    /// No mail is set: an owner is shown it, to hand it over.
    Shown,
    /// No mail is set: an owner has to be asked.
    AskOwner,
    /// They get none.
    Nothing,
}

/// A link that is shown once.
#[derive(Debug, Template)]
#[template(path = "pages/admin/link.html", config = ".askama.toml")]
pub(crate) struct LinkPage {
    pub page: Page,
    pub link: String,
    pub lasts: String,
    pub back: String,
}

/// `GET /admin/users/{id}`
pub(crate) async fn show(
    State(web): State<Arc<Web>>,
    view: View,
    Path(id): Path<String>,
) -> Answer {
    let user = web.app.access.user(&UserId::from(id)).await?;
    page(&made(&web, &view, &user, Errors::none()).await?)
}

async fn made(web: &Web, view: &View, user: &User, errors: Errors) -> Result<UserPage, Problem> {
    let sessions = web.app.access.sessions(&user.id).await?;
    let can_change = view.may(Permission::UsersWrite) && view.by.grants.may_give_role(user.role);
    let page = view
        .page(&user.name, "/admin/users")
        .under("Users", "/admin/users")
        .with_errors(errors.any());
    let reach = reach(web, view, user);
    let roles = if can_change { roles(view) } else { Vec::new() };
    Ok(filled(
        page,
        view.now,
        user,
        (roles, reach, &sessions),
        errors,
    ))
}

fn reach(web: &Web, view: &View, user: &User) -> Reach {
    if user.state == UserState::Deactivated {
        Reach::Nothing
    } else if web.app.config.smtp_url.is_some() {
        Reach::Mail
    } else if view.signed.role == Role::Owner {
        Reach::Shown
    } else {
        Reach::AskOwner
    }
}

fn filled(
    page: Page,
    now: Timestamp,
    user: &User,
    (roles, reach, sessions): (Vec<Choice>, Reach, &[Session]),
    errors: Errors,
) -> UserPage {
    let at = |unix| When::new(Timestamp::from_unix(unix).unwrap_or_default(), now);
    let times = [
        ("Invited", Some(user.created_at)),
        ("Changed last", Some(user.changed_at)),
        ("Signed in last", user.signed_in_at),
    ];
    let can_change = !roles.is_empty();
    let promoter = user.promoter.as_ref().map(PromoterId::as_str);
    let in_force = sessions
        .iter()
        .filter(|session| session.ends_at.min(session.idle_ends_at) > now.unix());
    UserPage {
        page,
        state: state(user.state),
        about: vec![
            ("Email", user.email.to_string()),
            ("Role", title(user.role).to_owned()),
            (
                "Signs in by",
                match (user.has_password, reach) {
                    (true, Reach::Mail) => "password or mail",
                    (false, Reach::Mail) => "mail",
                    (true, _) => "password",
                    (false, _) => "a link that an owner hands over",
                }
                .to_owned(),
            ),
        ],
        promoter: promoter.map(|id| Link::new(id, url::promoter(id))),
        times: times
            .into_iter()
            .filter_map(|(what, at)| Some((what, When::new(at?, now))))
            .collect(),
        here: url::user(user.id.as_str()),
        can_change,
        fields: if can_change {
            vec![
                Field::radios("role", "Role", roles)
                    .value(user.role.name())
                    .error(errors.at("role")),
                Field::text("promoter", "Promoter id")
                    .hint("For the role promoter, and only for it.")
                    .value(promoter.unwrap_or_default())
                    .error(errors.at("promoter")),
            ]
        } else {
            Vec::new()
        },
        errors,
        deactivated: user.state == UserState::Deactivated,
        invited: user.state == UserState::Invited,
        reach,
        sessions: in_force
            .map(|session| (at(session.created_at), at(session.seen_at)))
            .collect(),
    }
}

/// `POST /admin/users/{id}/role`
pub(crate) async fn role(
    State(web): State<Arc<Web>>,
    view: View,
    Path(id): Path<String>,
    Sent(sent): Sent,
) -> Answer {
    let access = &web.app.access;
    let id = UserId::from(id);
    let user = access.user(&id).await?;
    let Some(role) = Role::parse(sent.text("role")) else {
        let errors = Errors::one("role", "Choose what they will be");
        return refused(&made(&web, &view, &user, errors).await?);
    };
    let promoter = sent.some("promoter").map(PromoterId::from);
    // Who stops being a promoter is none; the field still says which one they were.
    let promoter = promoter.filter(|_| role == Role::Promoter);
    let here = url::user(id.as_str());
    if (role, &promoter) == (user.role, &user.promoter) {
        return on_to(&here, Some(Said::RoleSame));
    }
    match access.set_role(&id, (role, promoter), &view.by).await {
        Ok(_) => on_to(&here, Some(Said::RoleChanged)),
        Err(error) => {
            let errors = errors(error)?;
            refused(&made(&web, &view, &user, errors).await?)
        }
    }
}

/// `GET /admin/users/{id}/state`: asks once more, either way.
pub(crate) async fn ask(State(web): State<Arc<Web>>, view: View, Path(id): Path<String>) -> Answer {
    let user = web.app.access.user(&UserId::from(id)).await?;
    let off = user.state == UserState::Deactivated;
    let here = url::user(user.id.as_str());
    let (title, says, button) = if off {
        let says = "They can sign in again as before, with the role they have.";
        (format!("Reactivate {}?", user.name), says, "Reactivate")
    } else {
        let says = "They are signed out everywhere at once and cannot come in any more. What they \
                    did stays in the audit log. They can be reactivated at any time.";
        (format!("Deactivate {}?", user.name), says, "Deactivate")
    };
    page(&ConfirmPage {
        page: view
            .page(title, "/admin/users")
            .under("Users", "/admin/users")
            .under(&user.name, &here),
        says: vec![says.to_owned()],
        state: Some(state(user.state)),
        action: format!("{here}/state"),
        hidden: vec![("active".to_owned(), off.to_string())],
        button: button.to_owned(),
        danger: !off,
        cancel: here,
    })
}

/// `POST /admin/users/{id}/state`
pub(crate) async fn decide(
    State(web): State<Arc<Web>>,
    view: View,
    Path(id): Path<String>,
    Sent(sent): Sent,
) -> Answer {
    let access = &web.app.access;
    let id = UserId::from(id);
    let user = access.user(&id).await?;
    let (done, said) = if sent.raw("active") == "true" {
        let done = access.reactivate(&id, &view.by).await;
        (done, Said::UserReactivated)
    } else {
        let done = access.deactivate(&id, &view.by).await;
        (done, Said::UserDeactivated)
    };
    match done {
        Ok(_) => on_to(&url::user(id.as_str()), Some(said)),
        Err(error) => {
            let errors = errors(error)?;
            refused(&made(&web, &view, &user, errors).await?)
        }
    }
}

/// `POST /admin/users/{id}/link`: mails the link, or shows it where no mail is set.
pub(crate) async fn link(
    State(web): State<Arc<Web>>,
    view: View,
    Path(id): Path<String>,
) -> Answer {
    let access = &web.app.access;
    let id = UserId::from(id);
    let user = access.user(&id).await?;
    let here = url::user(id.as_str());
    match reach(&web, &view, &user) {
        Reach::Mail | Reach::Nothing => match access.mail_link(&id, &view.by).await {
            Ok(_) => on_to(&here, Some(Said::LinkSent)),
            Err(error) => {
                let errors = errors(error)?;
                refused(&made(&web, &view, &user, errors).await?)
            }
        },
        Reach::AskOwner => Err(Problem::new(
            StatusCode::FORBIDDEN,
            "owner_only",
            "Not allowed",
            "No mail is set, and only an owner may be shown somebody's link.",
        )),
        Reach::Shown => {
            let link = access.link_for(&id, false, &view.by).await?;
            page(&shown(&view, &user, link))
        }
    }
}

fn shown(view: &View, user: &User, link: String) -> LinkPage {
    let here = url::user(user.id.as_str());
    LinkPage {
        page: view
            .page(format!("Link for {}", user.name), "/admin/users")
            .under("Users", "/admin/users")
            .under(&user.name, &here),
        link,
        lasts: words(user.state),
        back: here,
    }
}

/// How long the link for somebody in this state is good.
fn words(state: UserState) -> String {
    let purpose = match state {
        UserState::Invited => LinkPurpose::Invitation,
        _ => LinkPurpose::SignIn,
    };
    match lasts(purpose) {
        seconds if seconds >= DAY_SECONDS => format::plural(seconds / DAY_SECONDS, "day"),
        seconds => format::plural(seconds / 60, "minute"),
    }
}

/// `POST /admin/users/{id}/end-sessions`
pub(crate) async fn end(State(web): State<Arc<Web>>, view: View, Path(id): Path<String>) -> Answer {
    let id = UserId::from(id);
    web.app.access.end_sessions(&id, &view.by).await?;
    on_to(&url::user(id.as_str()), Some(Said::SessionsEnded))
}

#[cfg(test)]
mod tests {
    use super::super::users::{means, tests::user};
    use super::*;
    use crate::web::samples::{frame, hold, now};

    fn choices() -> Vec<Choice> {
        let of = |role: Role| Choice::new(role.name(), title(role)).hint(means(role));
        Role::ALL.into_iter().map(of).collect()
    }

    #[test]
    fn a_user() {
        let session = Session {
            session_id: "ses_1".into(),
            user_id: "usr_1".into(),
            created_at: now().plus_seconds(-600).unix(),
            seen_at: now().unix(),
            idle_ends_at: now().plus_days(1).unix(),
            ends_at: now().plus_days(7).unix(),
        };
        let page = || {
            frame(Role::Owner)
                .page("Jo Berg", "/admin/users")
                .under("Users", "/admin/users")
        };
        let last = Errors::one("role", "This is the last owner; make another one first");
        let owner = user(Role::Owner, UserState::Active);
        let sessions = [session];
        let looks = (choices(), Reach::Mail, &sessions[..]);
        hold(
            "user",
            &filled(page().with_errors(true), now(), &owner, looks, last),
        );
        let invited = user(Role::Promoter, UserState::Invited);
        let looks = (Vec::new(), Reach::AskOwner, &[][..]);
        hold(
            "user_invited",
            &filled(page(), now(), &invited, looks, Errors::none()),
        );
    }

    #[test]
    fn a_link_is_shown_once() {
        let page = LinkPage {
            page: frame(Role::Owner).page("Link for Jo Berg", "/admin/users"),
            link: "https://q.example.com/link?token=abc".to_owned(),
            lasts: words(UserState::Invited),
            back: "/admin/users/usr_1".to_owned(),
        };
        assert_eq!(page.lasts, "7 days");
        assert_eq!(words(UserState::Active), "15 minutes");
        hold("user_link", &page);
    }
}
