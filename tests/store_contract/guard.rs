//! The contract is complete: whatever the database room offers is named in one of its stories.

use std::collections::BTreeSet;
use std::path::Path;

/// Functions that no story names, with the reason.
const ELSEWHERE: [(&str, &str); 1] = [(
    "enter",
    "every batch of the stages calls it; `tests/side_by_side.rs` has several at once on each engine",
)];

fn texts(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        if path.is_dir() {
            found.extend(texts(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(std::fs::read_to_string(path).unwrap());
        }
    }
    found
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_')
}

#[test]
fn every_function_of_the_store_is_in_the_contract() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let offered: BTreeSet<String> = texts(&root.join("src/store"))
        .iter()
        .flat_map(|text| text.split("pub async fn ").skip(1))
        .filter_map(|rest| words(rest).next())
        .map(str::to_owned)
        .collect();
    assert!(offered.len() > 120, "only {} are seen", offered.len());
    let stories = texts(&root.join("tests/store_contract"));
    let named: BTreeSet<&str> = stories.iter().flat_map(|text| words(text)).collect();
    let excused: BTreeSet<&str> = ELSEWHERE.iter().map(|(name, _)| *name).collect();
    let missing: Vec<&String> = offered
        .iter()
        .filter(|name| !named.contains(name.as_str()) && !excused.contains(name.as_str()))
        .collect();
    assert!(missing.is_empty(), "no story calls {missing:?}");
    for name in excused {
        assert!(
            offered.contains(name),
            "{name} is excused and does not exist"
        );
    }
}
