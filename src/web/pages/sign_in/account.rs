//! `/account`: one's own password and sessions.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::header::SET_COOKIE;

use super::come_in;
use crate::access::AccessError;
use crate::domain::time::Timestamp;
use crate::http::Problem;
use crate::store::sessions::Session;
use crate::web::answer::{Answer, on_to, page, refused};
use crate::web::input::Sent;
use crate::web::layout::{Page, Said};
use crate::web::parts::{Errors, Field, When};
use crate::web::view::Visit;
use crate::web::{View, Web};

/// `/account`
#[derive(Debug, Template)]
#[template(path = "pages/sign_in/account.html", config = ".askama.toml")]
pub(crate) struct AccountPage {
    pub page: Page,
    pub errors: Errors,
    pub about: Vec<(&'static str, String)>,
    pub fields: Vec<Field>,
    pub sessions: Vec<SessionRow>,
}

/// A session's line.
#[derive(Debug)]
pub(crate) struct SessionRow {
    pub this: bool,
    pub began: When,
    pub used: When,
    pub ends: When,
}

/// `GET /account`
pub(crate) async fn show(State(web): State<Arc<Web>>, view: View) -> Answer {
    page(&made(&web, &view, Errors::none()).await?)
}

async fn made(web: &Web, view: &View, errors: Errors) -> Result<AccountPage, Problem> {
    let sessions = web.app.access.sessions(&view.signed.user).await?;
    let signed = &view.signed;
    let about = vec![
        ("Name", signed.name.clone()),
        ("Email", signed.email.to_string()),
        ("Role", signed.role.name().to_owned()),
    ];
    let row = |session: &Session| {
        let at = |unix| When::new(Timestamp::from_unix(unix).unwrap_or_default(), view.now);
        SessionRow {
            this: session.session_id == signed.session,
            began: at(session.created_at),
            used: at(session.seen_at),
            ends: at(session.ends_at.min(session.idle_ends_at)),
        }
    };
    Ok(AccountPage {
        page: view.page("Account", "/account").with_errors(errors.any()),
        fields: fields(&errors),
        errors,
        about,
        sessions: sessions.iter().map(row).collect(),
    })
}

fn fields(errors: &Errors) -> Vec<Field> {
    vec![
        Field::password("current", "Present password", "current-password")
            .hint("Leave it blank if you have none yet.")
            .error(errors.at("current")),
        Field::password("new", "New password", "new-password")
            .hint("At least 12 characters. A few words are better than a few signs.")
            .error(errors.at("new")),
    ]
}

/// `POST /account/password`
pub(crate) async fn password(
    State(web): State<Arc<Web>>,
    view: View,
    visit: Visit,
    Sent(sent): Sent,
) -> Answer {
    let (current, new) = (sent.raw("current"), sent.raw("new"));
    let access = &web.app.access;
    match access
        .change_password(&view.signed, current, new, &visit.visitor)
        .await
    {
        Ok(started) => come_in(&started, "/account", Some(Said::PasswordChanged)),
        Err(AccessError::Invalid {
            pointer, message, ..
        }) => {
            let field = match pointer {
                "/current" => "current",
                _ => "new",
            };
            let errors = Errors::one(field, message);
            refused(&made(&web, &view, errors).await?)
        }
        Err(error) => Err(error.into()),
    }
}

/// `POST /account/sign-out-everywhere`
pub(crate) async fn end(State(web): State<Arc<Web>>, view: View) -> Answer {
    let access = &web.app.access;
    let cookie = access.sign_out_everywhere(&view.signed, &view.by).await?;
    let mut response = on_to("/sign-in", Some(Said::SignedOut))?;
    response.headers_mut().append(SET_COOKIE, cookie);
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::access::Role;
    use crate::web::samples::{frame, hold, now};

    #[test]
    fn the_account() {
        let errors = Errors::one("new", "The new password is too short");
        let session = |this| SessionRow {
            this,
            began: When::new(now().plus_seconds(-7_200), now()),
            used: When::new(now(), now()),
            ends: When::new(now().plus_days(1), now()),
        };
        let page = AccountPage {
            page: frame(Role::Promoter)
                .page("Account", "/account")
                .with_errors(true),
            fields: fields(&errors),
            errors,
            about: vec![("Name", "Mara Lind".to_owned())],
            sessions: vec![session(true), session(false)],
        };
        hold("account", &page);
    }
}
