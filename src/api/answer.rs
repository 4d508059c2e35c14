//! The shapes that answers share: one object, or a page of a list.

use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;

use super::params::Page;
use crate::domain::time::Timestamp;
use crate::http::Problem;

/// What a handler answers.
pub type Answer = Result<Response, Problem>;

/// A page of a list.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline, rename = "ListOf{T}")]
pub struct List<T> {
    /// The rows, in a stable order.
    pub data: Vec<T>,
    /// Whether there are more behind them: ask again with `starting_after` the last id.
    pub has_more: bool,
}

impl<T> List<T> {
    /// A page of rows, of which one more was asked for than the page has.
    pub fn cut(mut rows: Vec<T>, page: &Page) -> Self {
        let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        Self {
            data: rows,
            has_more,
        }
    }

    /// The same page with every row in another form.
    pub fn map<U>(self, form: impl FnMut(T) -> U) -> List<U> {
        List {
            data: self.data.into_iter().map(form).collect(),
            has_more: self.has_more,
        }
    }
}

/// 200 with a value.
pub fn ok<T: Serialize>(value: &T) -> Answer {
    with(StatusCode::OK, value)
}

/// A status with a value.
pub fn with<T: Serialize>(status: StatusCode, value: &T) -> Answer {
    let body = serde_json::to_vec(value).map_err(|error| {
        tracing::error!(%error, "an answer could not be written");
        Problem::internal()
    })?;
    Ok(raw(status, body))
}

/// A status with a body that is JSON already; a problem from 400 on.
pub fn raw(status: StatusCode, body: Vec<u8>) -> Response {
    let kind = if status.as_u16() < 400 {
        "application/json"
    } else {
        crate::http::problem::MEDIA_TYPE
    };
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    let never = HeaderValue::from_static("no-store");
    headers.insert(axum::http::header::CACHE_CONTROL, never);
    response
}

/// Stored unix seconds as an instant.
pub fn instant(seconds: i64) -> Timestamp {
    Timestamp::from_unix(seconds).unwrap_or_default()
}
