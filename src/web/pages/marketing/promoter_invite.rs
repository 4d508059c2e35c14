//! `/promoters/{id}/invite`: lets a promoter into the portal.

use std::sync::Arc;

use axum::extract::{Path, State};

use super::promoter::find;
use crate::domain::access::Permission;
use crate::domain::ids::PromoterId;
use crate::web::answer::{Answer, on_to, page, refused};
use crate::web::input::Sent;
use crate::web::pages::admin::users::{errors, said, where_the_link_goes};
use crate::web::pages::marketing::promoter_form::FormPage;
use crate::web::parts::{Errors, Field};
use crate::web::{View, Web, url};

/// `GET /promoters/{id}/invite`
pub(crate) async fn ask(State(web): State<Arc<Web>>, view: View, Path(id): Path<String>) -> Answer {
    let promoter = find(&web, &view, &id).await?.promoter;
    let email = promoter.email.map_or_else(String::new, |e| e.to_string());
    page(&form(
        (&web, &view),
        (&id, &promoter.name),
        &email,
        Errors::none(),
    ))
}

/// `POST /promoters/{id}/invite`
pub(crate) async fn invite(
    State(web): State<Arc<Web>>,
    view: View,
    Path(id): Path<String>,
    Sent(sent): Sent,
) -> Answer {
    let promoter = find(&web, &view, &id).await?.promoter;
    let email = sent.text("email");
    let who = PromoterId::from(id.as_str());
    let invited = web.app.access.invite_promoter(&who, Some(email), &view.by);
    match invited.await {
        // There the link is shown to owners when no mail goes out.
        Ok(user) if view.may(Permission::UsersRead) => {
            on_to(&url::user(user.id.as_str()), Some(said(&web, &view)))
        }
        Ok(_) => on_to(&url::promoter(&id), Some(said(&web, &view))),
        Err(error) => {
            let errors = errors(error)?;
            refused(&form((&web, &view), (&id, &promoter.name), email, errors))
        }
    }
}

fn form(
    (web, view): (&Web, &View),
    (id, name): (&str, &str),
    email: &str,
    errors: Errors,
) -> FormPage {
    let here = url::promoter(id);
    let link = where_the_link_goes(web.app.config.smtp_url.is_some());
    let hint = format!(
        "{link} In the portal they see their own referrals and rewards, and nothing of anybody \
         else."
    );
    FormPage {
        page: view
            .page(format!("Invite {name} to the portal"), "/promoters")
            .under("Promoters", "/promoters")
            .under(name, &here)
            .with_errors(errors.any()),
        fields: vec![
            Field::email("email", "Email address")
                .hint(hint)
                .value(email)
                .error(errors.at("email")),
        ],
        errors,
        action: format!("{here}/invite"),
        button: "Invite",
        cancel: here,
    }
}
