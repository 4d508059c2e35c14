//! The document and the server agree: parameters are those that handlers take, and every field
//! that is answered is described.

use qualify::api::document::document;
use serde_json::Value;

use crate::bench::Bench;

/// What the document names is what handlers take: each parameter is known to its handler, and
/// one that is not named is refused.
#[tokio::test(flavor = "multi_thread")]
async fn handlers_take_the_parameters_that_are_named() {
    let bench = Bench::furnished().await;
    for (path, methods) in document()["paths"].as_object().unwrap() {
        let Some(described) = methods.get("get") else {
            continue;
        };
        let path = path.strip_prefix("/api/v1").unwrap();
        let path = path.replace("{id}", "spring");
        let unknown = bench.get(&format!("{path}?nobody=1")).await;
        assert_eq!(unknown.status, 400, "{path}: {unknown:?}");
        for parameter in described["parameters"].as_array().unwrap() {
            if parameter["in"] != "query" {
                continue;
            }
            let name = parameter["name"].as_str().unwrap();
            let value = match parameter["schema"]["enum"][0].as_str() {
                Some(first) => first,
                None if parameter["schema"]["type"] == "integer" => "5",
                None if parameter["schema"]["format"] == "date-time" => "2026-03-01T00:00:00Z",
                None => "clearing",
            };
            let known = bench.get(&format!("{path}?{name}={value}")).await;
            let is_refused = known.body.contains("no such parameter");
            assert!(!is_refused, "{path}?{name}: {known:?}");
        }
    }
    bench.end().await;
}

/// What a schema says of a value's fields, through references and choices.
fn described<'d>(schema: &'d Value, name: &str, found: &mut Vec<&'d Value>) {
    if let Some(place) = schema["$ref"].as_str() {
        let behind = document().pointer(place.trim_start_matches('#'));
        described(behind.unwrap(), name, found);
    }
    for choices in ["allOf", "anyOf", "oneOf"] {
        for choice in schema[choices].as_array().into_iter().flatten() {
            described(choice, name, found);
        }
    }
    found.extend(schema.get("properties").and_then(|all| all.get(name)));
}

/// The schemas of a list's rows, through references and choices.
fn rows<'d>(schema: &'d Value, found: &mut Vec<&'d Value>) {
    if let Some(place) = schema["$ref"].as_str() {
        rows(
            document().pointer(place.trim_start_matches('#')).unwrap(),
            found,
        );
    }
    for choice in schema["anyOf"].as_array().into_iter().flatten() {
        rows(choice, found);
    }
    found.extend(schema.get("items"));
}

/// Fails where a value has a field that no schema names.
fn hold(place: &str, value: &Value, schemas: &[&Value]) {
    match value {
        Value::Array(values) => {
            let mut of = Vec::new();
            for schema in schemas {
                rows(schema, &mut of);
            }
            for value in values {
                hold(&format!("{place}[]"), value, &of);
            }
        }
        // What an audit row holds depends on the action.
        Value::Object(_) if place.ends_with(".detail") => {}
        Value::Object(fields) => {
            for (name, field) in fields {
                let mut of = Vec::new();
                for schema in schemas {
                    described(schema, name, &mut of);
                }
                assert!(
                    !of.is_empty(),
                    "{place} is answered with `{name}`, which its schema lacks"
                );
                hold(&format!("{place}.{name}"), field, &of);
            }
        }
        _ => {}
    }
}

/// Schemas of answers are open, so that fields can be added; but those there are, are named.
#[test]
fn every_field_that_is_answered_is_described() {
    let mut seen = 0;
    for methods in document()["paths"].as_object().unwrap().values() {
        for described in methods.as_object().unwrap().values() {
            let name = described["operationId"].as_str().unwrap();
            let mut shown = 0;
            for (status, answer) in described["responses"].as_object().unwrap() {
                for content in answer["content"].as_object().unwrap().values() {
                    if let Some(example) = content.get("example") {
                        hold(&format!("{name} {status}"), example, &[&content["schema"]]);
                        shown += usize::from(status.starts_with('2'));
                    }
                }
            }
            assert_eq!(shown, 1, "{name} shows no answer");
            seen += 1;
        }
    }
    assert!(seen > 50);
}
