//! `/new-promoter` and `/promoters/{id}/edit`.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};

use super::promoter::find;
use crate::domain::ids::{CouponId, PromoterId};
use crate::domain::people::Promoter;
use crate::http::Problem;
use crate::http::words::capital;
use crate::registry::RegistryError;
use crate::registry::promoters::{PromoterChange, PromoterInput, change, create};
use crate::web::answer::{Answer, on_to, page, refused};
use crate::web::input::{Fields, Sent};
use crate::web::layout::{Page, Said};
use crate::web::parts::{Errors, Field};
use crate::web::{View, Web, url};

/// A form of a few fields.
#[derive(Debug, Template)]
#[template(path = "pages/marketing/form.html", config = ".askama.toml")]
pub(crate) struct FormPage {
    pub page: Page,
    pub errors: Errors,
    pub fields: Vec<Field>,
    pub action: String,
    pub button: &'static str,
    pub cancel: String,
}

/// `GET /new-promoter`
pub(crate) async fn new(view: View) -> Answer {
    page(&form(&view, None, &Fields::default(), Errors::none()))
}

/// `POST /new-promoter`
pub(crate) async fn add(State(web): State<Arc<Web>>, view: View, Sent(sent): Sent) -> Answer {
    let app = &web.app;
    let input = PromoterInput {
        id: sent.text("id").to_owned(),
        name: sent.text("name").to_owned(),
        email: sent.owned("email"),
        code: sent.owned("code"),
        coupons: coupons(&sent),
        stripe_customer_id: sent.owned("stripe_customer_id"),
    };
    match create(
        &app.db,
        view.connection(),
        app.clock.as_ref(),
        input,
        &view.by,
    )
    .await
    {
        Ok(stored) => {
            app.touched.notify_one();
            let place = url::promoter(stored.promoter.id.as_str());
            on_to(&place, Some(Said::PromoterAdded))
        }
        Err(error) => refused(&form(&view, None, &sent, errors(error)?)),
    }
}

/// `GET /promoters/{id}/edit`
pub(crate) async fn edit(
    State(web): State<Arc<Web>>,
    view: View,
    Path(id): Path<String>,
) -> Answer {
    let stored = find(&web, &view, &id).await?;
    let fields = of(&stored.promoter);
    page(&form(
        &view,
        Some(&stored.promoter),
        &fields,
        Errors::none(),
    ))
}

/// `POST /promoters/{id}/edit`
pub(crate) async fn save(
    State(web): State<Arc<Web>>,
    view: View,
    Path(id): Path<String>,
    Sent(sent): Sent,
) -> Answer {
    let stored = find(&web, &view, &id).await?;
    let app = &web.app;
    let wanted = PromoterChange {
        name: Some(sent.text("name").to_owned()),
        email: Some(sent.owned("email")),
        code: Some(sent.owned("code")),
        coupons: Some(coupons(&sent)),
        stripe_customer_id: Some(sent.owned("stripe_customer_id")),
    };
    let (clock, promoter) = (app.clock.as_ref(), PromoterId::from(id.as_str()));
    match change(
        &app.db,
        view.connection(),
        clock,
        &promoter,
        wanted,
        &view.by,
    )
    .await
    {
        Ok(_) => {
            app.touched.notify_one();
            on_to(&url::promoter(&id), Some(Said::PromoterSaved))
        }
        Err(error) => refused(&form(&view, Some(&stored.promoter), &sent, errors(error)?)),
    }
}

fn coupons(sent: &Fields) -> Vec<String> {
    let lines = sent.raw("coupons").lines().map(str::trim);
    lines
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect()
}

fn of(promoter: &Promoter) -> Fields {
    let coupons: Vec<&str> = promoter.coupons.iter().map(CouponId::as_str).collect();
    let email = promoter.email.as_ref().map(ToString::to_string);
    let pairs = [
        ("name", promoter.name.clone()),
        ("email", email.unwrap_or_default()),
        ("code", promoter.code.clone().unwrap_or_default()),
        ("coupons", coupons.join("\n")),
        (
            "stripe_customer_id",
            promoter.stripe_customer_id.clone().unwrap_or_default(),
        ),
    ];
    Fields::new(pairs.map(|(name, value)| (name.to_owned(), value)))
}

/// What a refused command says, at the field; what no field can mend is a problem.
pub(super) fn errors(error: RegistryError) -> Result<Errors, Problem> {
    match error {
        RegistryError::Invalid {
            pointer, message, ..
        } => {
            // `/coupons/0` is the field `coupons`.
            let field = pointer.trim_start_matches('/').split('/').next();
            Ok(Errors::one(field.unwrap_or_default(), capital(&message)))
        }
        RegistryError::Conflict { code, message } => {
            let field = match code {
                "code_in_use" => "code",
                "coupon_in_use" => "coupons",
                "id_taken" => "id",
                _ => "",
            };
            Ok(Errors::one(field, capital(&message)))
        }
        other => Err(other.into()),
    }
}

fn form(view: &View, of: Option<&Promoter>, sent: &Fields, errors: Errors) -> FormPage {
    let (title, here) = match of {
        None => ("Add a promoter".to_owned(), None),
        Some(promoter) => {
            let here = url::promoter(promoter.id.as_str());
            (format!("Edit {}", promoter.name), Some(here))
        }
    };
    let page = view
        .page(title, "/promoters")
        .under("Promoters", "/promoters")
        .with_errors(errors.any());
    filled(page, here, sent, errors)
}

fn filled(page: Page, here: Option<String>, sent: &Fields, errors: Errors) -> FormPage {
    let fill = |field: Field, name: &str| field.value(sent.raw(name)).error(errors.at(name));
    let mut fields = vec![
        fill(Field::text("name", "Name"), "name"),
        fill(
            Field::email("email", "Email address").hint("Where their invitation and mails go."),
            "email",
        ),
        fill(
            Field::text("code", "Code in their link")
                .hint("As ANA10 in /r/ANA10. No two promoters have the same; capitals count."),
            "code",
        ),
        fill(
            Field::area("coupons", "Coupon ids", 3).hint(
                "One a line, as Stripe shows them under Coupons; not the promotion code that \
                 customers type. A coupon belongs to one promoter.",
            ),
            "coupons",
        ),
        fill(
            Field::text("stripe_customer_id", "Their own Stripe customer id")
                .hint("If they are a customer too: nobody earns by referring themselves."),
            "stripe_customer_id",
        ),
    ];
    if here.is_none() {
        let hint = "Leave it blank to have one made. It cannot be changed.";
        fields.push(fill(Field::text("id", "Id").hint(hint), "id"));
    }
    FormPage {
        page,
        fields,
        action: here
            .as_ref()
            .map_or_else(|| "/new-promoter".to_owned(), |here| format!("{here}/edit")),
        button: if here.is_some() { "Save" } else { "Add" },
        cancel: here.unwrap_or_else(|| "/promoters".to_owned()),
        errors,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::access::Role;
    use crate::web::samples::{frame, hold};

    #[test]
    fn the_form_with_what_is_wrong() {
        let sent = [("name", "Ana"), ("email", "ana(at)example")];
        let sent = Fields::new(sent.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let error = RegistryError::invalid("email_invalid", "/email", "this is no email address");
        let errors = errors(error).unwrap();
        let page = frame(Role::Marketer)
            .page("Add a promoter", "/promoters")
            .with_errors(true);
        hold("promoter_form", &filled(page, None, &sent, errors));
    }
}
