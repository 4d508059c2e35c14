//! Examples: requests that were made of a real server over a small world, and its answers. A
//! test makes them again and compares; nobody writes them by hand.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::Value;

const TEXT: &str = include_str!("examples.json");

/// One request with its answer.
#[derive(Debug, Clone, Deserialize)]
pub struct Example {
    /// What stood in the path, by the parameter's name.
    #[serde(default)]
    pub at: BTreeMap<String, Value>,
    /// What was sent.
    #[serde(default)]
    pub body: Option<Value>,
    /// HTTP's number of the answer.
    pub status: u16,
    /// The answer.
    pub answer: Value,
}

#[derive(Debug, Default, Deserialize)]
struct All {
    #[serde(default)]
    operations: BTreeMap<String, Example>,
    #[serde(default)]
    problems: BTreeMap<String, Value>,
}

// A file that cannot be read leaves the document without examples, which a test refuses.
static ALL: LazyLock<All> = LazyLock::new(|| serde_json::from_str(TEXT).unwrap_or_default());

/// The example of an operation.
pub fn of(operation: &str) -> Option<Example> {
    ALL.operations.get(operation).cloned()
}

/// A refusal of this status and code.
pub fn problem(status: u16, code: &str) -> Option<Value> {
    let problem = ALL.problems.get(code)?;
    (problem.get("status").and_then(Value::as_u64) == Some(u64::from(status)))
        .then(|| problem.clone())
}
