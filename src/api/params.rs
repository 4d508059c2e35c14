//! Parameters of the address: filters, and the page of a list. What a handler does not name is
//! refused, so that a misspelt filter never shows everything.

use std::collections::BTreeMap;

use axum::extract::{FromRequestParts, Query};
use axum::http::Uri;
use axum::http::request::Parts;

use super::refusal;
use crate::domain::time::Timestamp;
use crate::http::Problem;

/// Rows of a page unless told otherwise.
pub const LIMIT_DEFAULT: u32 = 25;
/// Rows of a page at most.
pub const LIMIT_MAX: u32 = 100;

/// The parameters of a request.
#[derive(Debug, Default)]
pub struct Params(BTreeMap<String, String>);

impl<S: Send + Sync> FromRequestParts<S> for Params {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Self::of(&parts.uri)
    }
}

/// Which page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Rows at most.
    pub limit: u32,
    /// The id of the last row of the page before.
    pub after: Option<String>,
}

impl Page {
    /// How many rows to ask the store for: one more tells whether there is another page.
    pub const fn rows(&self) -> u32 {
        self.limit + 1
    }
}

impl Params {
    /// The parameters of an address, each once.
    pub fn of(uri: &Uri) -> Result<Self, Problem> {
        let pairs = Query::<Vec<(String, String)>>::try_from_uri(uri)
            .map_err(|_| refusal::parameter("", "The parameters cannot be read."))?;
        let mut params = BTreeMap::new();
        for (name, value) in pairs.0 {
            if value.chars().any(char::is_control) {
                return Err(refusal::parameter(&name, "It has control characters."));
            }
            if params.insert(name.clone(), value).is_some() {
                return Err(refusal::parameter(&name, "It is there twice."));
            }
        }
        Ok(Self(params))
    }

    /// Refuses parameters that are not among these.
    pub fn only(&self, known: &[&str]) -> Result<(), Problem> {
        let unknown = self.0.keys().find(|name| !known.contains(&name.as_str()));
        let Some(unknown) = unknown else {
            return Ok(());
        };
        let takes = match known {
            [] => "it takes none".to_owned(),
            names => names.join(", "),
        };
        let detail = format!("There is no such parameter here; {takes}.");
        Err(refusal::parameter(unknown, detail))
    }

    /// The page of a list that has these filters and no others.
    pub fn page(&self, filters: &[&str]) -> Result<Page, Problem> {
        self.only(&[&["limit", "starting_after"], filters].concat())?;
        let limit = match self.text("limit") {
            None => LIMIT_DEFAULT,
            Some(text) => text
                .parse()
                .ok()
                .filter(|limit| (1..=LIMIT_MAX).contains(limit))
                .ok_or_else(|| {
                    refusal::parameter("limit", format!("It is a number from 1 to {LIMIT_MAX}."))
                })?,
        };
        let after = self.text("starting_after").map(str::to_owned);
        if after.as_deref() == Some("") {
            return Err(bad_cursor());
        }
        Ok(Page { limit, after })
    }

    /// A parameter's text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A parameter as an id.
    pub fn id<T: for<'a> From<&'a str>>(&self, name: &str) -> Option<T> {
        self.text(name).map(T::from)
    }

    /// A parameter that is one of a few names.
    pub fn one_of<T>(
        &self,
        name: &str,
        read: impl Fn(&str) -> Option<T>,
        accepted: &[&str],
    ) -> Result<Option<T>, Problem> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        let value = read(text).ok_or_else(|| {
            refusal::parameter(name, format!("It is one of {}.", accepted.join(", ")))
        })?;
        Ok(Some(value))
    }

    /// A parameter that is an instant.
    pub fn instant(&self, name: &str) -> Result<Option<Timestamp>, Problem> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        let value = Timestamp::parse(text)
            .ok_or_else(|| refusal::parameter(name, "It is a time like 2026-03-01T00:00:00Z."))?;
        Ok(Some(value))
    }
}

/// A cursor that names nothing in the list.
pub fn bad_cursor() -> Problem {
    let detail = "It is the id of the last row of the page before; nothing has this id.";
    refusal::parameter("starting_after", detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(pairs: &[(&str, &str)]) -> Params {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Params(pairs.iter().map(own).collect())
    }

    #[test]
    fn a_limit_has_bounds_and_a_misspelt_filter_is_refused() {
        for (limit, read) in [
            ("1", Some(1)),
            ("100", Some(100)),
            ("0", None),
            ("101", None),
            ("-1", None),
            ("x", None),
            ("", None),
        ] {
            let page = params(&[("limit", limit)]).page(&[]).ok();
            assert_eq!(page.map(|page| page.limit), read, "{limit}");
        }
        let refused = params(&[("promotr", "x")]).page(&["promoter"]).unwrap_err();
        assert_eq!(refused.code, "parameter_invalid");
        assert!(refused.detail.contains("starting_after, promoter."));
        assert!(params(&[("starting_after", "")]).page(&[]).is_err());
    }
}
