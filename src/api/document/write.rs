//! Resources become the document: what the table and the types say, in `OpenAPI`'s words.

use schemars::generate::{SchemaGenerator, SchemaSettings};
use serde_json::{Map, Value, json};

use super::codes::{self, meaning, takes_key};
use super::examples::{self, Example};
use super::operation::{Answered, Operation, Resource, Takes};
use super::webhooks;
use crate::access::routes::Needs;
use crate::api::params::{LIMIT_DEFAULT, LIMIT_MAX};

const INTRODUCTION: &str = include_str!("introduction.md");
const JSON: &str = "application/json";

/// Writers of schemas: of what is answered, and of what is taken.
struct Schemas {
    answered: SchemaGenerator,
    taken: SchemaGenerator,
}

impl Schemas {
    fn new() -> Self {
        let settings = || {
            SchemaSettings::draft2020_12().with(|s| {
                s.definitions_path = "/components/schemas".into();
                s.meta_schema = None;
            })
        };
        Self {
            answered: settings().for_serialize().into_generator(),
            taken: settings().for_deserialize().into_generator(),
        }
    }

    /// Every schema by its name.
    fn named(mut self) -> Map<String, Value> {
        let mut all = self.answered.take_definitions(true);
        all.extend(self.taken.take_definitions(true));
        all.insert("Problem".to_owned(), problem());
        all
    }
}

/// Writes the document.
pub fn document(resources: &[Resource]) -> Value {
    let mut schemas = Schemas::new();
    let mut paths: Map<String, Value> = Map::new();
    for resource in resources {
        for operation in &resource.operations {
            let path = operation.route.path().to_owned();
            let at = paths.entry(path).or_insert_with(|| json!({}));
            let verb = operation.route.verb().name().to_ascii_lowercase();
            if let Some(methods) = at.as_object_mut() {
                methods.insert(verb, write(resource.name, operation, &mut schemas));
            }
        }
    }
    let tags: Vec<Value> = resources
        .iter()
        .map(|resource| json!({ "name": resource.name, "description": resource.says }))
        .collect();
    let told = webhooks::written(&mut schemas.answered);
    let mut schemas = Value::Object(schemas.named());
    tidy(&mut schemas);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "qualify",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": env!("CARGO_PKG_DESCRIPTION"),
            "description": INTRODUCTION,
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/", "description": "This installation" }],
        "tags": tags,
        "paths": paths,
        "webhooks": told,
        "components": {
            "schemas": schemas,
            "securitySchemes": { "key": {
                "type": "http",
                "scheme": "bearer",
                "bearerFormat": "qk_…",
                "description": "An API key. `qualify key create` makes one, and so does `POST /api/v1/keys`.",
            } },
        },
    })
}

fn write(resource: &str, operation: &Operation, schemas: &mut Schemas) -> Value {
    let scope = match operation.route.needs() {
        Needs::May(permission) => permission.name(),
        Needs::Public | Needs::SignedIn => "",
    };
    let example = examples::of(operation.id);
    let mut written = json!({
        "operationId": operation.id,
        "tags": [resource],
        "summary": operation.summary,
        "security": [{ "key": [scope] }],
        "x-scope": scope,
        "parameters": parameters(operation, example.as_ref()),
        "responses": responses(operation, example.as_ref(), schemas),
    });
    let Some(members) = written.as_object_mut() else {
        return written;
    };
    if !operation.says.is_empty() {
        members.insert("description".to_owned(), operation.says.into());
    }
    if let Some(body) = operation.body {
        let mut schema = (body.schema)(&mut schemas.taken).to_value();
        tidy(&mut schema);
        let mut content = json!({ "schema": schema });
        let sent = example.as_ref().and_then(|example| example.body.clone());
        if let (Some(content), Some(sent)) = (content.as_object_mut(), sent) {
            content.insert("example".to_owned(), sent);
        }
        let body = json!({ "required": !body.is_optional, "content": { JSON: content } });
        members.insert("requestBody".to_owned(), body);
    }
    written
}

fn parameters(operation: &Operation, example: Option<&Example>) -> Vec<Value> {
    let mut all = Vec::new();
    for name in in_braces(operation.route.path()) {
        let mut parameter = json!({
            "name": name,
            "in": "path",
            "required": true,
            "schema": { "type": "string", "minLength": 1 },
        });
        let value = example.and_then(|example| example.at.get(name).cloned());
        if let (Some(members), Some(value)) = (parameter.as_object_mut(), value) {
            members.insert("example".to_owned(), value);
        }
        all.push(parameter);
    }
    if let Some(cursor) = operation.cursor {
        let limit = json!({
            "type": "integer", "minimum": 1, "maximum": LIMIT_MAX, "default": LIMIT_DEFAULT,
        });
        all.push(query("limit", "Rows of the page at most.", &limit));
        let text = json!({ "type": "string", "minLength": 1 });
        all.push(query("starting_after", cursor, &text));
    }
    for filter in &operation.filters {
        let schema = match filter.takes {
            Takes::Text => json!({ "type": "string" }),
            Takes::Instant => json!({ "type": "string", "format": "date-time" }),
            Takes::OneOf(schema) => schema(&mut Schemas::new().taken).to_value(),
        };
        all.push(query(filter.name, filter.says, &schema));
    }
    if takes_key(operation) {
        let says = "The same request under the same key is answered as the first time, for 24 hours, and not done again.";
        let text =
            json!({ "type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$" });
        all.push(header("Idempotency-Key", says, &text));
    }
    if operation.is_conditional {
        let says = "The `ETag` of the revision that was edited.";
        let tag = json!({ "type": "string", "pattern": "^\"[1-9][0-9]{0,17}\"$" });
        all.push(header("If-Match", says, &tag));
        let says = "`*` for a campaign that is new.";
        all.push(header("If-None-Match", says, &json!({ "const": "*" })));
    }
    all
}

/// The names of a path's parameters.
fn in_braces(path: &str) -> impl Iterator<Item = &str> {
    path.split('{')
        .skip(1)
        .filter_map(|rest| rest.split('}').next())
}

fn query(name: &str, says: &str, schema: &Value) -> Value {
    json!({ "name": name, "in": "query", "description": says, "schema": schema })
}

fn header(name: &str, says: &str, schema: &Value) -> Value {
    json!({ "name": name, "in": "header", "description": says, "schema": schema })
}

fn responses(
    operation: &Operation,
    example: Option<&Example>,
    schemas: &mut Schemas,
) -> Map<String, Value> {
    let mut all = Map::new();
    for answer in &operation.answers {
        let written = answered(operation, answer, example, schemas);
        all.insert(answer.status.to_string(), written);
    }
    for (status, codes) in codes::of(operation) {
        all.insert(status.to_string(), refused(status, &codes));
    }
    all
}

fn answered(
    operation: &Operation,
    answer: &Answered,
    example: Option<&Example>,
    schemas: &mut Schemas,
) -> Value {
    let mut schema = (answer.schema)(&mut schemas.answered).to_value();
    tidy(&mut schema);
    let mut content = json!({ "schema": schema });
    let shown = example.filter(|example| example.status == answer.status);
    if let (Some(content), Some(shown)) = (content.as_object_mut(), shown) {
        content.insert("example".to_owned(), shown.answer.clone());
    }
    let mut headers =
        json!({ "x-request-id": text_header("This request's id, in log and audit log.") });
    if let Some(headers) = headers.as_object_mut() {
        if takes_key(operation) {
            let says = "`true` if this is the answer to an earlier request under the same key.";
            headers.insert("Idempotent-Replayed".to_owned(), text_header(says));
        }
        if operation.route.path() == "/api/v1/campaigns/{id}" {
            let says = "The revision's number, for `If-Match`.";
            headers.insert("ETag".to_owned(), text_header(says));
        }
    }
    json!({ "description": answer.says, "headers": headers, "content": { JSON: content } })
}

fn text_header(says: &str) -> Value {
    json!({ "description": says, "schema": { "type": "string" } })
}

fn refused(status: u16, codes: &[&str]) -> Value {
    let lines: Vec<String> = codes
        .iter()
        .map(|code| format!("- `{code}`: {}", meaning(code)))
        .collect();
    let mut content = json!({ "schema": {
        "allOf": [{ "$ref": "#/components/schemas/Problem" }],
        "properties": { "status": { "const": status }, "code": { "enum": codes } },
    } });
    let shown = codes
        .iter()
        .find_map(|code| examples::problem(status, code));
    if let (Some(content), Some(shown)) = (content.as_object_mut(), shown) {
        content.insert("example".to_owned(), shown);
    }
    let mut written = json!({
        "description": lines.join("\n"),
        "content": { crate::http::problem::MEDIA_TYPE: content },
    });
    let header = match status {
        401 => Some(("WWW-Authenticate", "How to sign in.")),
        503 => Some(("Retry-After", "Seconds after which to repeat the request.")),
        _ => None,
    };
    if let (Some(members), Some((name, says))) = (written.as_object_mut(), header) {
        members.insert("headers".to_owned(), json!({ name: text_header(says) }));
    }
    written
}

/// The shape of every refusal (RFC 9457).
fn problem() -> Value {
    json!({
        "type": "object",
        "description": "Why a request was refused (RFC 9457).",
        "required": ["type", "title", "status", "detail", "code"],
        "properties": {
            "type": { "type": "string", "description": "`urn:qualify:problem:<code>`." },
            "title": { "type": "string", "description": "What kind of problem, the same every time." },
            "status": { "type": "integer", "description": "HTTP's number for it." },
            "detail": { "type": "string", "description": "What was seen, what is accepted, what to do." },
            "code": { "type": "string", "description": "The stable code." },
            "pointer": { "type": "string", "description": "JSON pointer (RFC 6901) to the field." },
            "parameter": { "type": "string", "description": "The parameter of the address." },
            "scope": { "type": "string", "description": "The scope that the key lacks." },
            "problems": {
                "type": "array",
                "description": "Every problem of a campaign's rules, with its place.",
                "items": {
                    "type": "object",
                    "required": ["line", "column", "key", "code", "message"],
                    "properties": {
                        "line": { "type": "integer" },
                        "column": { "type": "integer" },
                        "key": { "type": "string" },
                        "code": { "type": "string" },
                        "message": { "type": "string" },
                    },
                },
            },
        },
    })
}

/// Takes off what the writer of schemas adds and no reader needs: titles that repeat names,
/// defaults that are `null`, formats that name Rust's numbers, and brackets of links in
/// comments.
pub(super) fn tidy(schema: &mut Value) {
    match schema {
        Value::Array(all) => all.iter_mut().for_each(tidy),
        Value::Object(members) => {
            members.retain(|name, value| match name.as_str() {
                "default" => !value.is_null(),
                "format" => value.as_str().is_none_or(|format| format == "date-time"),
                _ => true,
            });
            if let Some(Value::String(words)) = members.get_mut("description") {
                *words = words
                    .replace("[`", "`")
                    .replace("`]", "`")
                    .replace('\n', " ");
            }
            members.values_mut().for_each(tidy);
        }
        _ => {}
    }
}
