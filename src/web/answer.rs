//! How a page is answered: rendered, or on to the next one with a note.

use askama::Template;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION, SET_COOKIE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use super::layout::{COOKIE, Said};
use crate::http::Problem;

/// What a page's handler answers.
pub type Answer = Result<Response, Problem>;

/// A page.
pub fn page(template: &impl Template) -> Answer {
    page_as(StatusCode::OK, template)
}

/// A page whose form was refused.
pub fn refused(template: &impl Template) -> Answer {
    page_as(StatusCode::UNPROCESSABLE_ENTITY, template)
}

/// A page with a status of its own.
pub fn page_as(status: StatusCode, template: &impl Template) -> Answer {
    let html = template.render().map_err(|error| {
        tracing::error!(%error, "a page could not be rendered");
        Problem::internal()
    })?;
    let mut response = (status, html).into_response();
    let headers = response.headers_mut();
    let media = HeaderValue::from_static("text/html; charset=utf-8");
    headers.insert(CONTENT_TYPE, media);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// On to another page of ours, after something was done.
pub fn on_to(address: &str, said: Option<Said>) -> Answer {
    let mut response = StatusCode::SEE_OTHER.into_response();
    let headers = response.headers_mut();
    let address = HeaderValue::from_str(address).map_err(|_| Problem::internal())?;
    headers.insert(LOCATION, address);
    if let Some(said) = said {
        // A minute suffices for the next page; a script has no business with it.
        let cookie = format!(
            "{COOKIE}={}; Path=/; Max-Age=60; HttpOnly; SameSite=Lax",
            said.name()
        );
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            headers.insert(SET_COOKIE, cookie);
        }
    }
    Ok(response)
}

/// What takes the note away once it was shown.
pub(super) fn said() -> HeaderValue {
    HeaderValue::from_static("qualify_said=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax")
}
