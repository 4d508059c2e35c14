//! Every fixture of Stripe's shapes, and the facts it gives. Not a test of single rules:
//! those sit beside the code. A changed snapshot is a changed meaning.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops where something is not as expected"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use qualify::stripe::{EVENTS_NEEDED, Event, Reading, read_envelope, read_event};

/// Every fixture as (`<api version>/<name>`, body), in order of name.
fn fixtures() -> Vec<(String, Vec<u8>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/stripe");
    let inside = |dir: &Path| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(dir).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    };
    let mut found = Vec::new();
    for era in inside(&root) {
        for file in inside(&era) {
            let name = file.strip_prefix(&root).unwrap().with_extension("");
            let name = name.to_str().unwrap().replace('\\', "/");
            found.push((name, std::fs::read(&file).unwrap()));
        }
    }
    found.sort();
    assert!(found.len() > 90, "only {} fixtures found", found.len());
    found
}

fn read(name: &str, body: &[u8]) -> Event {
    read_event(body).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn every_fixture_gives_its_facts() {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.set_snapshot_path("snapshots/stripe_shapes");
    settings.bind(|| {
        for (name, body) in fixtures() {
            let snapshot = name.replace('/', "__");
            match read(&name, &body).reading {
                Reading::Facts(facts) => insta::assert_json_snapshot!(snapshot, facts),
                Reading::Ignored { reason } => {
                    insta::assert_json_snapshot!(snapshot, format!("ignored: {}", reason.code()));
                }
                Reading::Quarantined { reason } => panic!("{name}: {reason}"),
            }
        }
    });
}

#[test]
fn every_subscribed_type_gives_facts_in_some_fixture() {
    let mut covered = BTreeSet::new();
    for (name, body) in fixtures() {
        let event = read(&name, &body);
        if let Reading::Facts(facts) = event.reading {
            assert!(!facts.is_empty(), "{name}");
            let ordered = facts.is_sorted_by(|a, b| a.object < b.object);
            assert!(ordered, "{name}: one fact per object, in order");
            covered.insert(event.envelope.event_type);
        }
    }
    let missing: Vec<_> = EVENTS_NEEDED
        .iter()
        .filter(|wanted| !covered.contains(**wanted))
        .collect();
    assert!(missing.is_empty(), "without a fixture: {missing:?}");
}

#[test]
fn the_cheap_envelope_is_the_full_one() {
    for (name, body) in fixtures() {
        assert_eq!(
            read_envelope(&body).as_ref(),
            Ok(&read(&name, &body).envelope),
            "{name}"
        );
    }
}

/// The places of all values inside a value, as JSON pointers.
fn places(value: &serde_json::Value, at: &str, found: &mut Vec<String>) {
    let children: Vec<(String, &serde_json::Value)> = match value {
        serde_json::Value::Object(map) => map.iter().map(|(k, v)| (k.clone(), v)).collect(),
        serde_json::Value::Array(list) => list
            .iter()
            .enumerate()
            .map(|(i, v)| (i.to_string(), v))
            .collect(),
        _ => return,
    };
    for (key, child) in children {
        let place = format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"));
        places(child, &place, found);
        found.push(place);
    }
}

#[test]
fn whatever_stands_in_a_field_is_read_or_refused() {
    let strange = [
        serde_json::json!(null),
        serde_json::json!("\u{0}"),
        serde_json::json!(-1),
        serde_json::json!(1e300),
        serde_json::json!([{}]),
        serde_json::json!({"id": "x", "deleted": true}),
    ];
    let (mut facts, mut quarantined) = (0, 0);
    for (_, body) in fixtures() {
        let event: serde_json::Value = serde_json::from_slice(&body).unwrap();
        let mut found = Vec::new();
        places(&event, "", &mut found);
        for (index, place) in found.iter().enumerate() {
            let mut changed = event.clone();
            let value = strange[index % strange.len()].clone();
            *changed.pointer_mut(place).unwrap() = value;
            match read_event(changed.to_string().as_bytes()).map(|e| e.reading) {
                Ok(Reading::Facts(_)) => facts += 1,
                Ok(Reading::Quarantined { .. }) => quarantined += 1,
                _ => {}
            }
        }
    }
    assert!(facts > 1_000 && quarantined > 500, "{facts}, {quarantined}");
}
