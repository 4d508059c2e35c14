//! A schema of the document as rows: each field with its place, kind and words.

use serde_json::Value;

use super::words;
use crate::api::document::document;

/// Fields inside fields, at most so deep; the example shows what is deeper.
const DEPTH_MAX: usize = 4;
/// Names of a list that are all shown.
const NAMES_MAX: usize = 12;

/// One field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Field {
    /// `items[].amount_minor`.
    pub name: String,
    /// `text`, `number or null`, `list of objects`.
    pub kind: String,
    /// Whether it has to be there.
    pub required: bool,
    /// What it says, as HTML.
    pub says: String,
}

/// Every field of a schema, those inside others behind them.
pub(super) fn of(schema: &Value) -> Vec<Field> {
    let mut fields = Vec::new();
    walk(schema, "", 0, &mut fields);
    fields
}

fn walk(schema: &Value, prefix: &str, depth: usize, into: &mut Vec<Field>) {
    let schema = meant(schema);
    let required = schema.get("required").and_then(Value::as_array);
    let is_required = |name: &str| {
        required.is_some_and(|names| names.iter().any(|one| one.as_str() == Some(name)))
    };
    let properties = schema.get("properties").and_then(Value::as_object);
    for (name, field) in properties.into_iter().flatten() {
        let place = format!("{prefix}{name}");
        if !into.iter().any(|known| known.name == place) {
            into.push(Field {
                kind: kind(field),
                required: is_required(name),
                says: words::line(says(field)),
                name: place.clone(),
            });
        }
        if depth < DEPTH_MAX {
            let inner = meant(field);
            let rows = inner.get("items");
            match rows {
                Some(rows) => walk(rows, &format!("{place}[]."), depth.saturating_add(1), into),
                None => walk(inner, &format!("{place}."), depth.saturating_add(1), into),
            }
        }
    }
    // Shapes to choose from have fields of their own.
    let shapes = schema.get("oneOf").and_then(Value::as_array);
    for shape in shapes.into_iter().flatten() {
        walk(shape, prefix, depth, into);
    }
}

/// The schema that is meant: behind a reference, or beside `null`.
fn meant(schema: &Value) -> &Value {
    if let Some(place) = schema.get("$ref").and_then(Value::as_str) {
        let found = document().pointer(place.trim_start_matches('#'));
        return found.unwrap_or(schema);
    }
    let choices = schema.get("anyOf").and_then(Value::as_array);
    let choice = choices.and_then(|all| all.iter().find(|one| !is_null(one)));
    choice.map_or(schema, meant)
}

fn is_null(schema: &Value) -> bool {
    schema.get("type").and_then(Value::as_str) == Some("null")
}

fn says(schema: &Value) -> &str {
    let own = schema
        .get("description")
        .or_else(|| meant(schema).get("description"));
    own.and_then(Value::as_str).unwrap_or_default()
}

/// What a field takes, in a few words.
pub(super) fn kind(schema: &Value) -> String {
    let choices = schema.get("anyOf").and_then(Value::as_array);
    let types = schema.get("type").and_then(Value::as_array);
    let may_be_null = choices.is_some_and(|all| all.iter().any(is_null))
        || types.is_some_and(|all| all.iter().any(|one| one == "null"));
    let plain = plain_kind(meant(schema));
    if may_be_null {
        format!("{plain} or null")
    } else {
        plain
    }
}

fn plain_kind(schema: &Value) -> String {
    let names = names(schema);
    if !names.is_empty() {
        let shown: Vec<&str> = names.iter().copied().take(NAMES_MAX).collect();
        let more = if names.len() > NAMES_MAX { ", …" } else { "" };
        return format!("{}{more}", shown.join(" | "));
    }
    if let Some(items) = schema.get("items") {
        return format!("list of {}", many(&plain_kind(meant(items))));
    }
    let of = schema.get("type");
    let of = of.and_then(|of| {
        of.as_str()
            .or_else(|| of.as_array()?.iter().find_map(Value::as_str))
    });
    let is_time = schema.get("format").and_then(Value::as_str) == Some("date-time");
    match of {
        Some("string") if is_time => "time",
        Some("string") => "text",
        Some("integer") => "number",
        Some("boolean") => "true or false",
        Some("object") => "object",
        _ if schema.get("oneOf").is_some() => "object",
        _ => "any value",
    }
    .to_owned()
}

fn many(kind: &str) -> String {
    match kind {
        "text" => "texts",
        "object" => "objects",
        "number" => "numbers",
        other => other,
    }
    .to_owned()
}

/// The names that a text is one of.
fn names(schema: &Value) -> Vec<&str> {
    if let Some(names) = schema.get("enum").and_then(Value::as_array) {
        return names.iter().filter_map(Value::as_str).collect();
    }
    if let Some(name) = schema.get("const").and_then(Value::as_str) {
        return vec![name];
    }
    let shapes = schema.get("oneOf").and_then(Value::as_array);
    let shapes = shapes.into_iter().flatten();
    let named = shapes.filter(|shape| shape.get("properties").is_none());
    named.flat_map(names).collect()
}
