//! Bodies: JSON that says exactly what the handler's type says, or a problem that points at
//! the field. Values of the body are never repeated in an answer.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_path_to_error::{Path, Segment};

use crate::domain::time::Timestamp;
use crate::http::Problem;

/// A body that was read but not yet understood, so that a handler authorises first.
#[derive(Debug)]
pub struct Input {
    bytes: Bytes,
    content_type: Option<String>,
}

impl<S: Send + Sync> FromRequest<S> for Input {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let content_type = request.headers().get(CONTENT_TYPE);
        let content_type = content_type.map(|v| v.to_str().unwrap_or("").to_owned());
        let bytes = Bytes::from_request(request, state).await;
        Ok(Self {
            bytes: bytes.map_err(|_| Problem::internal())?,
            content_type,
        })
    }
}

impl Input {
    /// The body as a value. No body at all is `{}`.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        let text: &[u8] = match &self.content_type {
            None if self.bytes.is_empty() => b"{}",
            Some(given) if is_json(given) => &self.bytes,
            _ => return Err(not_json()),
        };
        // Serde would read a list as a struct, field by field.
        if text.trim_ascii_start().first() != Some(&b'{') {
            let read = serde_json::from_slice::<serde::de::IgnoredAny>(text);
            return Err(read.map_or_else(|error| broken(&error), |_| not_an_object("")));
        }
        let mut reader = serde_json::Deserializer::from_slice(text);
        let value = serde_path_to_error::deserialize(&mut reader)
            .map_err(|error| refused(error.path(), error.inner()))?;
        reader.end().map_err(|error| broken(&error))?;
        Ok(value)
    }
}

fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or("").trim();
    essence.eq_ignore_ascii_case("application/json")
}

fn not_an_object(pointer: &str) -> Problem {
    let detail = "This value is not acceptable here; expected an object.";
    Problem::field("field_invalid", pointer, detail)
}

fn not_json() -> Problem {
    Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "content_type_unsupported",
        "Content type not supported",
        "Bodies are JSON; send `Content-Type: application/json`.",
    )
}

fn broken(error: &serde_json::Error) -> Problem {
    let (line, column) = (error.line(), error.column());
    let detail = format!("The body is not JSON from line {line}, column {column} on.");
    Problem::new(StatusCode::BAD_REQUEST, "json_invalid", "Not JSON", detail)
}

fn refused(path: &Path, error: &serde_json::Error) -> Problem {
    if !error.is_data() {
        return broken(error);
    }
    let words = error.to_string();
    let words = words.rsplit_once(" at line ").map_or(&*words, |(w, _)| w);
    let named = words.split('`').nth(1).unwrap_or("");
    let expected = words.rsplit_once(", expected ").map(|(_, e)| e);
    let pointer = pointer(path);
    if words.starts_with("unknown field ") {
        let takes = expected.map_or_else(
            || "it takes none".to_owned(),
            |e| {
                format!(
                    "it takes {}",
                    e.trim_start_matches("one of ").replace('`', "")
                )
            },
        );
        let detail = format!("There is no field of this name here; {takes}.");
        return Problem::field("unknown_field", &ending_in(pointer, named), detail);
    }
    if words.starts_with("missing field ") {
        let detail = "This field has to be there.";
        return Problem::field("field_missing", &ending_in(pointer, named), detail);
    }
    if expected.is_some_and(|expected| expected.starts_with("struct ")) {
        return not_an_object(&pointer);
    }
    let detail = expected.map_or_else(
        || "This value is not acceptable here.".to_owned(),
        |expected| {
            format!(
                "This value is not acceptable here; expected {}.",
                expected.replace('`', "")
            )
        },
    );
    Problem::field("field_invalid", &pointer, detail)
}

/// A JSON pointer (RFC 6901).
fn pointer(path: &Path) -> String {
    let mut pointer = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => pointer.push_str(&escaped(&index.to_string())),
            Segment::Map { key } => pointer.push_str(&escaped(key)),
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    pointer
}

fn escaped(key: &str) -> String {
    format!("/{}", key.replace('~', "~0").replace('/', "~1"))
}

fn ending_in(pointer: String, name: &str) -> String {
    let last = escaped(name);
    if pointer.ends_with(&last) {
        pointer
    } else {
        format!("{pointer}{last}")
    }
}

/// An instant in a field.
pub fn instant(text: Option<&str>, pointer: &str) -> Result<Option<Timestamp>, Problem> {
    let Some(text) = text else { return Ok(None) };
    let read = Timestamp::parse(text).ok_or_else(|| {
        let detail = "This is not a time; write it like 2026-03-01T00:00:00Z.";
        Problem::field("time_invalid", pointer, detail)
    });
    read.map(Some)
}

/// The body of an address that takes nothing.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Body {
        #[expect(dead_code, reason = "only its type matters")]
        name: String,
        #[expect(dead_code, reason = "only its type matters")]
        list: Option<Vec<Part>>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Part {
        #[expect(dead_code, reason = "only its type matters")]
        n: i64,
    }

    #[test]
    fn every_refusal_points_at_the_field_and_repeats_no_value() {
        for (text, code, at) in [
            ("{", "json_invalid", None),
            ("{\"name\":\"a\"} x", "json_invalid", None),
            (
                "{\"name\":\"SENTINEL\",\"e/x\":1}",
                "unknown_field",
                Some("/e~1x"),
            ),
            ("{\"list\":[]}", "field_missing", Some("/name")),
            ("{\"name\":77}", "field_invalid", Some("/name")),
            ("{\"name\":\"a\",\"name\":\"b\"}", "field_invalid", Some("")),
            (
                "{\"name\":\"a\",\"list\":[{\"n\":1},{\"n\":\"SENTINEL\"}]}",
                "field_invalid",
                Some("/list/1/n"),
            ),
            (
                "{\"name\":\"a\",\"list\":[{\"n\":1,\"m\":2}]}",
                "unknown_field",
                Some("/list/0/m"),
            ),
            ("[\"a\", null]", "field_invalid", Some("")),
            ("[", "json_invalid", None),
            ("", "json_invalid", None),
            (
                "{\"name\":\"a\",\"list\":[7]}",
                "field_invalid",
                Some("/list/0"),
            ),
        ] {
            let input = Input {
                bytes: text.as_bytes().into(),
                content_type: Some("application/json; charset=utf-8".to_owned()),
            };
            let problem = input.json::<Body>().unwrap_err();
            assert_eq!(problem.code, code, "{text}: {problem:?}");
            if let Some(at) = at.filter(|at| !at.is_empty()) {
                assert_eq!(problem.pointer.as_deref(), Some(at), "{text}");
            }
            assert!(!problem.detail.contains("SENTINEL"), "{problem:?}");
        }
    }

    #[test]
    fn only_json_is_taken() {
        for content_type in [None, Some("text/plain"), Some("application/jsonx")] {
            let input = Input {
                bytes: "{}".into(),
                content_type: content_type.map(str::to_owned),
            };
            assert_eq!(input.json::<Nothing>().unwrap_err().status, 415);
        }
    }
}
