//! Coming in and going out: signing in, links that open something once, one's own account.

pub mod account;
pub mod link;

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::header::SET_COOKIE;
use axum::response::Response;

use crate::access::{AccessError, Started};
use crate::domain::access::{By, Signed};
use crate::http::Problem;
use crate::web::answer::{Answer, on_to, page, refused};
use crate::web::input::{Asked, Fields, Sent};
use crate::web::layout::{Page, Said};
use crate::web::parts::{Errors, Field};
use crate::web::view::Visit;
use crate::web::{Web, url};

/// `/sign-in`
#[derive(Debug, Template)]
#[template(path = "pages/sign_in/sign_in.html", config = ".askama.toml")]
pub(crate) struct SignInPage {
    pub page: Page,
    pub errors: Errors,
    pub email: Field,
    pub password: Field,
    pub next: String,
}

/// `/forgotten-password`
#[derive(Debug, Template)]
#[template(path = "pages/sign_in/forgotten.html", config = ".askama.toml")]
pub(crate) struct ForgottenPage {
    pub page: Page,
    pub email: Field,
}

/// After a link was asked for.
#[derive(Debug, Template)]
#[template(path = "pages/sign_in/sent.html", config = ".askama.toml")]
pub(crate) struct SentPage {
    pub page: Page,
    pub minutes: i64,
}

/// `GET /sign-in`
pub(crate) async fn show(visit: Visit, Asked(query): Asked) -> Answer {
    if visit.signed.is_some() {
        return on_to(own_page(query.raw("next")), None);
    }
    page(&form(visit.page("Sign in"), &query, Errors::none()))
}

fn form(page: Page, sent: &Fields, errors: Errors) -> SignInPage {
    SignInPage {
        page: page.with_errors(errors.any()),
        email: Field::email("email", "Email address")
            .autocomplete("username")
            .value(sent.text("email"))
            .error(errors.at("email"))
            .required(),
        password: Field::password("password", "Password", "current-password")
            .error(errors.at("password")),
        next: own_page(sent.raw("next")).to_owned(),
        errors,
    }
}

/// A page of ours: after signing in nobody is sent anywhere else.
fn own_page(next: &str) -> &str {
    let path = next.strip_prefix('/');
    let fine = path.is_some_and(|path| {
        !path.starts_with(['/', '\\'])
            && next.bytes().all(|b| b.is_ascii_graphic() && b != b'\\')
            && next.len() <= 1024
    });
    if fine { next } else { "/" }
}

/// `POST /sign-in`: with a password, or by a link that is mailed.
pub(crate) async fn sign_in(State(web): State<Arc<Web>>, visit: Visit, Sent(sent): Sent) -> Answer {
    let access = &web.app.access;
    let email = sent.text("email");
    let again = |errors: Errors| refused(&form(visit.page("Sign in"), &sent, errors));
    if email.is_empty() {
        return again(Errors::one("email", "Enter your email address"));
    }
    if sent.raw("do") == "link" {
        access.send_sign_in_link(email, &visit.visitor).await?;
        return mailed(&visit, crate::access::links::LinkPurpose::SignIn);
    }
    if sent.raw("password").is_empty() {
        let words = "Enter your password, or have a link sent";
        return again(Errors::one("password", words));
    }
    let password = sent.raw("password");
    match access.sign_in(email, password, &visit.visitor).await {
        Ok(started) => come_in(&started, own_page(sent.raw("next")), None),
        Err(AccessError::Refused) => {
            let words = "The email or the password is not right";
            again(Errors::one("email", words))
        }
        Err(error) => Err(error.into()),
    }
}

fn mailed(visit: &Visit, purpose: crate::access::links::LinkPurpose) -> Answer {
    page(&SentPage {
        page: visit.page("Look into your mail"),
        minutes: crate::access::links::lasts(purpose) / 60,
    })
}

/// On to a page, with the session's cookie.
fn come_in(started: &Started, place: &str, said: Option<Said>) -> Answer {
    let mut response = on_to(place, said)?;
    response
        .headers_mut()
        .append(SET_COOKIE, started.cookie.clone());
    Ok(response)
}

/// `GET /forgotten-password`
pub(crate) async fn forgotten(visit: Visit) -> Answer {
    page(&ForgottenPage {
        page: visit.page("Forgotten password"),
        email: forgotten_field(Errors::none().at("email")),
    })
}

fn forgotten_field(error: Option<&str>) -> Field {
    Field::email("email", "Email address")
        .autocomplete("username")
        .error(error)
        .required()
}

/// `POST /forgotten-password`
pub(crate) async fn send_reset(
    State(web): State<Arc<Web>>,
    visit: Visit,
    Sent(sent): Sent,
) -> Answer {
    let Some(email) = sent.some("email") else {
        let page = visit.page("Forgotten password").with_errors(true);
        let email = forgotten_field(Some("Enter your email address"));
        return refused(&ForgottenPage { page, email });
    };
    let access = &web.app.access;
    access.send_reset_link(email, &visit.visitor).await?;
    mailed(&visit, crate::access::links::LinkPurpose::Reset)
}

/// `POST /sign-out`
pub(crate) async fn sign_out(
    State(web): State<Arc<Web>>,
    signed: Signed,
    by: By,
) -> Result<Response, Problem> {
    let cookie = web.app.access.sign_out(&signed, &by).await?;
    let mut response = on_to("/sign-in", Some(Said::SignedOut))?;
    response.headers_mut().append(SET_COOKIE, cookie);
    Ok(response)
}

/// Where somebody who is not signed in is sent, to come back to the page they wanted.
pub(crate) fn sign_in_for(wanted: &str) -> String {
    match own_page(wanted) {
        "/" => "/sign-in".to_owned(),
        wanted => url::with("/sign-in", &[("next", wanted)]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::layout::Frame;
    use crate::web::samples::hold;

    #[test]
    fn the_ways_in() {
        let frame = || Frame {
            demo: true,
            ..Frame::default()
        };
        let page = || frame().page("Sign in", "");
        let sent = Fields::new([("email".to_owned(), "mara@example.com".to_owned())]);
        hold("sign_in", &form(page(), &Fields::default(), Errors::none()));
        let errors = Errors::one("email", "The email or the password is not right");
        hold("sign_in_refused", &form(page(), &sent, errors));
        let email = forgotten_field(None);
        let page = frame().page("Forgotten password", "");
        hold("forgotten_password", &ForgottenPage { page, email });
        let page = frame().page("Look into your mail", "");
        hold("mail_sent", &SentPage { page, minutes: 15 });
    }

    #[test]
    fn nobody_is_sent_to_another_site() {
        for ours in ["/", "/referrals?state=pending", "/a/b"] {
            assert_eq!(own_page(ours), ours);
        }
        for other in [
            "",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "/a\nb",
            "/ü",
            "/\\/x",
            "javascript:1",
        ] {
            assert_eq!(own_page(other), "/", "{other}");
        }
        assert_eq!(sign_in_for("/campaigns"), "/sign-in?next=%2Fcampaigns");
        assert_eq!(sign_in_for("/"), "/sign-in");
    }
}
