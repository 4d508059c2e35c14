//! Problem answers as RFC 9457 writes them, with a stable `code`. They say what was wrong and
//! what to do; they never repeat the body, a secret, SQL or a path of the file system.

use axum::http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// The media type of RFC 9457.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// One problem, ready to be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// HTTP status.
    pub status: StatusCode,
    /// Stable code, lower snake case, append-only.
    pub code: &'static str,
    /// What kind of problem, the same for every occurrence.
    pub title: &'static str,
    /// This occurrence: what was seen, what is expected, what to do next.
    pub detail: String,
    /// JSON pointer to the field that is wrong.
    pub pointer: Option<String>,
    /// Seconds after which to try again.
    pub retry_after: Option<u32>,
    /// The methods that are allowed (405).
    pub allow: Option<&'static str>,
    /// Extension members of RFC 9457, such as every problem of a campaign's rules.
    pub members: Option<Box<Members>>,
}

/// Extension members of a problem.
pub type Members = serde_json::Map<String, serde_json::Value>;

/// How to sign in: RFC 9110 §11.6.1 has every 401 say it.
const CHALLENGE: &str = "Bearer realm=\"qualify\"";

#[derive(Serialize)]
struct Body<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pointer: Option<&'a str>,
    #[serde(flatten)]
    members: Option<&'a Members>,
}

impl Problem {
    /// A problem without pointer or extra headers.
    pub fn new(
        status: StatusCode,
        code: &'static str,
        title: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            status,
            code,
            title,
            detail: detail.into(),
            pointer: None,
            retry_after: None,
            allow: None,
            members: None,
        }
    }

    /// Points at the field that is wrong, `/reward/promoter/fixed/amount`.
    #[must_use]
    pub fn at(mut self, pointer: impl Into<String>) -> Self {
        self.pointer = Some(pointer.into());
        self
    }

    /// Adds an extension member.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<serde_json::Value>) -> Self {
        let members = self.members.get_or_insert_default();
        members.insert(name.to_owned(), value.into());
        self
    }

    /// 503: please try again after these seconds.
    pub fn unavailable(code: &'static str, retry_after: u32, detail: impl Into<String>) -> Self {
        let title = "Not available at the moment";
        Self {
            retry_after: Some(retry_after),
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, code, title, detail)
        }
    }

    /// 404, for what is not there and for what is not yours alike.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "Not found", detail)
    }

    /// 422: a field is not acceptable, the one at this JSON pointer.
    pub fn field(code: &'static str, pointer: &str, detail: impl Into<String>) -> Self {
        let title = "A field is not acceptable";
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, title, detail).at(pointer)
    }

    /// 409: it contradicts what is there.
    pub fn conflict(code: &'static str, detail: impl Into<String>) -> Self {
        let title = "It contradicts what is there";
        Self::new(StatusCode::CONFLICT, code, title, detail)
    }

    /// 405 with the methods that are allowed.
    pub fn method_not_allowed(allow: &'static str) -> Self {
        Self {
            allow: Some(allow),
            ..Self::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                "Method not allowed",
                format!("This address takes {allow} only."),
            )
        }
    }

    /// 500, with nothing about the cause: that is in the log under the request's id.
    pub fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal_error",
            "Internal error",
            "Something failed on our side; the log has it under this answer's x-request-id.",
        )
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = Body {
            r#type: format!("urn:qualify:problem:{}", self.code),
            title: self.title,
            status: self.status.as_u16(),
            detail: &self.detail,
            code: self.code,
            pointer: self.pointer.as_deref(),
            members: self.members.as_deref(),
        };
        let text = serde_json::to_vec(&body).unwrap_or_default();
        let mut response = (self.status, text).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(methods) = self.allow {
            headers.insert(ALLOW, HeaderValue::from_static(methods));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(CHALLENGE));
        }
        // For whoever shows it in another form, such as a page.
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn body(response: Response) -> String {
        let bytes = axum::body::to_bytes(response.into_body(), 4096).await;
        String::from_utf8(bytes.unwrap().to_vec()).unwrap()
    }

    #[tokio::test]
    async fn a_problem_is_written_as_rfc_9457_says() {
        let problem = Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "amount_invalid",
            "Amount not valid",
            "USD has two decimals.",
        );
        let response = problem.at("/amount").into_response();
        assert_eq!(response.status(), 422);
        assert_eq!(response.headers()[CONTENT_TYPE], MEDIA_TYPE);
        insta::assert_snapshot!(body(response).await, @r#"{"type":"urn:qualify:problem:amount_invalid","title":"Amount not valid","status":422,"detail":"USD has two decimals.","code":"amount_invalid","pointer":"/amount"}"#);
    }

    #[tokio::test]
    async fn unavailable_and_not_allowed_carry_their_headers() {
        let response = Problem::unavailable("database_unavailable", 5, "x").into_response();
        assert_eq!(response.headers()[RETRY_AFTER], "5");
        let response = Problem::method_not_allowed("POST").into_response();
        assert_eq!(response.headers()[ALLOW], "POST");
    }
}
