//! One operation of the document, as a page shows it.

use std::fmt::Write as _;

use serde_json::Value;

use super::fields::{self, Field};
use super::words;
use crate::api::document::document;
use crate::web::url;

/// One operation.
#[derive(Debug)]
pub(crate) struct Operation {
    /// Its name, which is also its place on the page.
    pub id: String,
    /// `GET`
    pub method: String,
    /// Its path, with parameters in braces.
    pub path: String,
    /// What it does, in a few words.
    pub summary: String,
    /// What else there is to know, as HTML.
    pub says: String,
    /// The scope that it needs.
    pub scope: String,
    /// Parameters of address and header.
    pub parameters: Vec<Parameter>,
    /// Fields of the body.
    pub body: Vec<Field>,
    /// Fields of the answer.
    pub answer: Vec<Field>,
    /// Every status that it may answer, the good ones first.
    pub answers: Vec<Answered>,
    /// A request for a shell.
    pub curl: String,
    /// Status and body of what it was answered.
    pub example: Option<(String, String)>,
}

/// One parameter.
#[derive(Debug)]
pub(crate) struct Parameter {
    /// `limit`
    pub name: String,
    /// `path`, `query` or `header`.
    pub place: String,
    /// What it takes.
    pub kind: String,
    /// Whether it has to be there.
    pub required: bool,
    /// What it says, as HTML.
    pub says: String,
}

/// One status.
#[derive(Debug)]
pub(crate) struct Answered {
    /// `404`
    pub status: String,
    /// What it means, as HTML.
    pub says: String,
}

/// The operations of a resource, in the order of the document.
pub(super) fn of(resource: &str, base: &str) -> Vec<Operation> {
    let paths = document().get("paths").and_then(Value::as_object);
    let all = paths.into_iter().flatten().flat_map(|(path, methods)| {
        let methods = methods.as_object().into_iter().flatten();
        methods.map(move |(method, described)| (path, method, described))
    });
    let mine = all.filter(|(_, _, described)| {
        described.pointer("/tags/0").and_then(Value::as_str) == Some(resource)
    });
    mine.map(|(path, method, described)| read(path, method, described, base))
        .collect()
}

fn read(path: &str, method: &str, described: &Value, base: &str) -> Operation {
    let text = |name: &str| text(described, name);
    let parameters = described.get("parameters").and_then(Value::as_array);
    let parameters: Vec<&Value> = parameters.into_iter().flatten().collect();
    let body = described.pointer("/requestBody/content/application~1json");
    let schema = body.and_then(|body| body.get("schema"));
    let answers = described.get("responses").and_then(Value::as_object);
    let answers: Vec<(&String, &Value)> = answers.into_iter().flatten().collect();
    let good = answers.iter().find_map(|(status, answer)| {
        let content = answer.pointer("/content/application~1json")?;
        Some((*status, content))
    });
    let shown = answers.iter().find_map(|(status, answer)| {
        let example = answer.pointer("/content/application~1json/example")?;
        Some(((*status).clone(), pretty(example)))
    });
    let sent = body.and_then(|body| body.get("example"));
    Operation {
        id: text("operationId"),
        method: method.to_ascii_uppercase(),
        path: path.to_owned(),
        summary: text("summary"),
        says: words::line(&text("description")),
        scope: text("x-scope"),
        curl: curl(base, (path, method), &parameters, sent),
        parameters: parameters.into_iter().map(parameter).collect(),
        body: schema.map(fields::of).unwrap_or_default(),
        answer: good
            .and_then(|(_, content)| content.get("schema"))
            .map(fields::of)
            .unwrap_or_default(),
        answers: answers.into_iter().map(answered).collect(),
        example: shown,
    }
}

fn text(of: &Value, name: &str) -> String {
    let found = of.get(name).and_then(Value::as_str);
    found.unwrap_or_default().to_owned()
}

fn parameter(described: &Value) -> Parameter {
    let schema = described.get("schema");
    Parameter {
        name: text(described, "name"),
        place: text(described, "in"),
        kind: schema.map(fields::kind).unwrap_or_default(),
        required: described.get("required").and_then(Value::as_bool) == Some(true),
        says: words::line(&text(described, "description")),
    }
}

fn answered((status, described): (&String, &Value)) -> Answered {
    Answered {
        status: status.clone(),
        says: words::blocks(&text(described, "description")),
    }
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

/// A request for a shell, with what the example has.
fn curl(
    base: &str,
    (path, method): (&str, &str),
    parameters: &[&Value],
    sent: Option<&Value>,
) -> String {
    let mut path = path.to_owned();
    for parameter in parameters {
        let name = text(parameter, "name");
        if let Some(value) = parameter.get("example").and_then(Value::as_str) {
            path = path.replace(&format!("{{{name}}}"), &url::encode(value));
        }
    }
    let mut line = "curl".to_owned();
    let is_plain = method == "get" || (method == "post" && sent.is_some());
    if !is_plain {
        let _ = write!(line, " -X {}", method.to_ascii_uppercase());
    }
    let _ = write!(
        line,
        " '{base}{path}' \\\n  -H \"Authorization: Bearer $KEY\""
    );
    if let Some(sent) = sent {
        let sent = sent.to_string().replace('\'', "'\\''");
        let _ = write!(line, " \\\n  --json '{sent}'");
    }
    line
}
