//! What comes with a request: the query of an address, and the fields of a form. Both are text;
//! what they mean is checked by the command they are given to.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;

use super::Web;
use crate::http::Problem;
use crate::http::body::{self, BodyError};

/// Longest form, in bytes: a campaign file twice, encoded, and room around it.
const FORM_BYTES_MAX: usize = 512 * 1024;
/// Longest text of a query's value, in bytes.
const VALUE_BYTES_MAX: usize = 1024;

/// The values of an address's query, or of a form; of one name the first, or all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fields(BTreeMap<String, Vec<String>>);

impl Fields {
    /// From (name, value).
    pub fn new(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut fields: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, value) in pairs {
            fields.entry(name).or_default().push(value);
        }
        Self(fields)
    }

    /// A value as it was typed; empty if it is not there.
    pub fn raw(&self, name: &str) -> &str {
        let values = self.0.get(name);
        values
            .and_then(|values| values.first())
            .map_or("", String::as_str)
    }

    /// A value without blanks around it; empty if it is not there.
    pub fn text(&self, name: &str) -> &str {
        self.raw(name).trim()
    }

    /// A value, if it is there and not blank.
    pub fn some(&self, name: &str) -> Option<&str> {
        Some(self.text(name)).filter(|text| !text.is_empty())
    }

    /// A value of the caller's own, if it is there and not blank.
    pub fn owned(&self, name: &str) -> Option<String> {
        self.some(name).map(str::to_owned)
    }

    /// Every value of a name.
    pub fn all(&self, name: &str) -> &[String] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }

    /// Every name with its values.
    pub fn each(&self) -> impl Iterator<Item = (&str, &[String])> {
        let pairs = self.0.iter();
        pairs.map(|(name, values)| (name.as_str(), values.as_slice()))
    }

    /// Whether a box is ticked.
    pub fn is_ticked(&self, name: &str) -> bool {
        self.raw(name) == "yes"
    }

    /// A whole number.
    pub fn number(&self, name: &str) -> Option<i64> {
        self.some(name)?.parse().ok()
    }
}

/// The query of an address.
#[derive(Debug, Clone)]
pub struct Asked(pub Fields);

impl<S: Send + Sync> FromRequestParts<S> for Asked {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let pairs = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri);
        let pairs = pairs.map(|query| query.0).ok().filter(|pairs| {
            let fine =
                |text: &str| text.len() <= VALUE_BYTES_MAX && !text.chars().any(char::is_control);
            pairs.iter().all(|(_, value)| fine(value))
        });
        let pairs = pairs.ok_or_else(|| {
            let detail = "The address cannot be read; start again from the first page.";
            let title = "Address not understood";
            Problem::new(StatusCode::BAD_REQUEST, "parameter_invalid", title, detail)
        })?;
        Ok(Self(Fields::new(pairs)))
    }
}

/// The fields of a form.
#[derive(Debug, Clone)]
pub struct Sent(pub Fields);

impl FromRequest<Arc<Web>> for Sent {
    type Rejection = Problem;

    async fn from_request(request: Request, web: &Arc<Web>) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let bytes = body::read(body, FORM_BYTES_MAX, web.body_read).await;
        let bytes = bytes.map_err(bad_body)?;
        let request = Request::from_parts(parts, Body::from(bytes));
        let pairs = axum::Form::<Vec<(String, String)>>::from_request(request, &()).await;
        let pairs = pairs.map_err(|_| {
            let detail = "The form cannot be read; go back, reload the page and repeat it.";
            let title = "Form not understood";
            Problem::new(StatusCode::BAD_REQUEST, "form_invalid", title, detail)
        })?;
        Ok(Self(Fields::new(pairs.0)))
    }
}

fn bad_body(error: BodyError) -> Problem {
    let (status, code, title, detail) = match error {
        BodyError::TooLarge => (
            StatusCode::PAYLOAD_TOO_LARGE,
            "payload_too_large",
            "Form too large",
            "The form has more text than any field takes.",
        ),
        BodyError::TooSlow | BodyError::Broken => (
            StatusCode::REQUEST_TIMEOUT,
            "body_timeout",
            "Form incomplete",
            "The form did not arrive in time; send it again.",
        ),
    };
    Problem::new(status, code, title, detail)
}
