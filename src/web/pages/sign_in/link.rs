//! `/link`: what a mailed or printed link opens. Looking at it shows a button; only pressing
//! the button uses the link up, because mail scanners open every link they see.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;

use super::come_in;
use crate::access::links::LinkPurpose;
use crate::access::{AccessError, Filled, LinkView};
use crate::web::Web;
use crate::web::answer::{Answer, page, refused};
use crate::web::input::{Asked, Fields, Sent};
use crate::web::layout::Page;
use crate::web::parts::{Errors, Field, When};
use crate::web::view::Visit;

/// `/link`
#[derive(Debug, Template)]
#[template(path = "pages/sign_in/link.html", config = ".askama.toml")]
pub(crate) struct LinkPage {
    pub page: Page,
    pub errors: Errors,
    pub says: String,
    pub fields: Vec<Field>,
    pub token: String,
    pub button: &'static str,
    pub ends: When,
}

/// `GET /link?token=…`
pub(crate) async fn show(State(web): State<Arc<Web>>, visit: Visit, Asked(query): Asked) -> Answer {
    let token = query.raw("token");
    let link = web.app.access.look_at_link(token).await?;
    page(&form(&visit, &link, &query, Errors::none()))
}

/// `POST /link`
pub(crate) async fn press(State(web): State<Arc<Web>>, visit: Visit, Sent(sent): Sent) -> Answer {
    let (access, token) = (&web.app.access, sent.raw("token"));
    let filled = Filled {
        email: sent.text("email").to_owned(),
        name: sent.text("name").to_owned(),
        password: sent.raw("password").to_owned(),
    };
    match access.use_link(token, &filled, &visit.visitor).await {
        Ok(started) => come_in(&started, "/", None),
        Err(AccessError::Invalid {
            pointer, message, ..
        }) => {
            let link = access.look_at_link(token).await?;
            let field = pointer.trim_start_matches('/');
            let errors = Errors::one(field, format!("This does not work: {message}"));
            refused(&form(&visit, &link, &sent, errors))
        }
        Err(error) => Err(error.into()),
    }
}

fn form(visit: &Visit, link: &LinkView, sent: &Fields, errors: Errors) -> LinkPage {
    let ends = When::new(link.ends_at, visit.now);
    filled(|title| visit.page(title), link, sent, errors, ends)
}

fn filled(
    page: impl FnOnce(&'static str) -> Page,
    link: &LinkView,
    sent: &Fields,
    errors: Errors,
    ends: When,
) -> LinkPage {
    let who = link
        .email
        .as_ref()
        .map_or_else(String::new, ToString::to_string);
    let role = link.role.name();
    let name = Field::text("name", "Your name")
        .hint("As the others see it.")
        .autocomplete("name")
        .value(match sent.some("name") {
            Some(name) => name.to_owned(),
            None => link.name.clone().unwrap_or_default(),
        })
        .error(errors.at("name"));
    let password = |label: &str, hint: &str| {
        let field = Field::password("password", label, "new-password");
        field.hint(hint).error(errors.at("password"))
    };
    let long = "At least 12 characters. A few words are better than a few signs.";
    let (title, says, button, fields) = match link.purpose {
        LinkPurpose::Setup => {
            let email = Field::email("email", "Email address")
                .value(sent.text("email"))
                .error(errors.at("email"))
                .required();
            let says = "You are the first: this makes your account, as the owner. Nobody else can \
                        make one by themselves.";
            let fields = vec![email, name, password("Password", long).required()];
            ("Set up", says.to_owned(), "Make the account", fields)
        }
        LinkPurpose::Invitation => {
            let says = format!("You are invited as {who}, as a {role}.");
            let hint = "Leave it blank to sign in by mailed links only.";
            let fields = vec![name, password("Password, if you like", hint)];
            ("Accept the invitation", says, "Accept", fields)
        }
        LinkPurpose::SignIn => {
            let says = format!("Sign in as {who}.");
            ("Sign in", says, "Sign in", Vec::new())
        }
        LinkPurpose::Reset => {
            let says = format!("For {who}. Every session of yours ends.");
            let fields = vec![password("New password", long).required()];
            ("Choose a new password", says, "Save and sign in", fields)
        }
    };
    LinkPage {
        page: page(title).with_errors(errors.any()),
        errors,
        says,
        fields,
        token: sent.raw("token").to_owned(),
        button,
        ends,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::access::Role;
    use crate::domain::email::CanonicalEmail;
    use crate::web::layout::Frame;
    use crate::web::samples::{hold, now};

    #[test]
    fn what_links_open() {
        for (name, purpose, role, known) in [
            ("link_setup", LinkPurpose::Setup, Role::Owner, false),
            (
                "link_invitation",
                LinkPurpose::Invitation,
                Role::Marketer,
                true,
            ),
            ("link_sign_in", LinkPurpose::SignIn, Role::Promoter, true),
            ("link_reset", LinkPurpose::Reset, Role::Admin, true),
        ] {
            let link = LinkView {
                purpose,
                email: CanonicalEmail::parse("mara@example.com").filter(|_| known),
                name: known.then(|| "Mara Lind".to_owned()),
                role,
                ends_at: now().plus_days(1),
            };
            let sent = Fields::new([("token".to_owned(), "tok".to_owned())]);
            let errors = match purpose {
                LinkPurpose::Reset => Errors::one("password", "Too short"),
                _ => Errors::none(),
            };
            let page = |title| Frame::default().page(title, "");
            let ends = When::new(link.ends_at, now());
            hold(name, &filled(page, &link, &sent, errors, ends));
        }
    }
}
