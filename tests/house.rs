//! The order of the house: imports run one way, the pure rooms stay pure, and the repository's
//! top level is what the README says.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot read the sources has failed"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Rooms from the values to the composition root. A room may import what stands before it.
const ORDER: [&str; 33] = [
    "domain",
    "stripe",
    "rules",
    "payments",
    "matching",
    "evaluate",
    "clock",
    "random",
    "config",
    "telemetry",
    "store",
    "workers",
    "http",
    "access",
    "intake",
    "ingest",
    "queue",
    "ledger",
    "settle",
    "registry",
    "verify",
    "offline",
    "doctor",
    "sync",
    "notify",
    "shared",
    "track",
    "backtests",
    "api",
    "web",
    "app",
    "demo",
    "cli",
];

/// Rooms without I/O, clock or database, and what they may never name.
const PURE: [&str; 6] = [
    "domain", "stripe", "rules", "payments", "matching", "evaluate",
];
const IMPURE: [&str; 7] = [
    "tokio::",
    "sqlx::",
    "axum::",
    "reqwest::",
    "crate::clock",
    "crate::store",
    "SystemTime",
];

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

/// The room of a file and its text without comments.
fn rooms() -> BTreeMap<String, Vec<(PathBuf, String)>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let mut rooms: BTreeMap<String, Vec<(PathBuf, String)>> = BTreeMap::new();
    for file in files {
        let inside = file.strip_prefix(&root).unwrap();
        let of = inside
            .iter()
            .next()
            .unwrap()
            .to_str()
            .unwrap()
            .trim_end_matches(".rs");
        let text = std::fs::read_to_string(&file).unwrap();
        let code = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        let code = code.collect::<Vec<_>>().join("\n");
        rooms.entry(of.to_owned()).or_default().push((file, code));
    }
    rooms
}

fn named(code: &str) -> BTreeSet<&str> {
    let rooms = code
        .match_indices("crate::")
        .map(|(at, text)| &code[at + text.len()..]);
    rooms
        .map(|rest| {
            let end = rest.find(|c: char| !c.is_ascii_lowercase() && c != '_');
            &rest[..end.unwrap_or(rest.len())]
        })
        .filter(|room| !room.is_empty())
        .collect()
}

#[test]
fn imports_run_one_way() {
    let rank = |room: &str| ORDER.iter().position(|known| *known == room);
    let mut seen = 0;
    for (room, files) in rooms() {
        if room == "lib" || room == "main" {
            continue;
        }
        let mine = rank(&room).unwrap_or_else(|| panic!("src/{room} has no place in the order"));
        for (file, code) in files {
            for other in named(&code) {
                let Some(theirs) = rank(other) else {
                    panic!("{} names crate::{other}, which is no room", file.display())
                };
                seen += 1;
                let file = file.display();
                assert!(theirs <= mine, "{file}: `{room}` may not import `{other}`");
            }
        }
    }
    assert!(
        seen > 200,
        "only {seen} imports were looked at: the search is broken"
    );
}

#[test]
fn pure_rooms_name_nothing_impure() {
    let rooms = rooms();
    for room in PURE {
        for (file, code) in &rooms[room] {
            // What reads campaign files from a folder and what asks Stripe's API are the thin
            // exceptions.
            if file.ends_with("rules/load.rs") || file.ends_with("stripe/client/mod.rs") {
                continue;
            }
            for word in IMPURE {
                assert!(!code.contains(word), "{} names {word}", file.display());
            }
        }
    }
}

/// A handler that is not given to a row of the table would need nothing of anybody.
#[test]
fn routes_come_from_the_table_alone() {
    let mut seen = 0;
    for (file, code) in rooms().into_values().flatten() {
        let served = code.split("#[cfg(test)]").next().unwrap();
        seen += served.matches(".on(routes::").count();
        let is_table = file.ends_with("access/routes.rs");
        for word in [
            ".route(",
            ".route_service(",
            ".nest(",
            ".nest_service(",
            ".fallback_service(",
        ] {
            assert!(
                is_table || !served.contains(word),
                "{} adds {word}",
                file.display()
            );
        }
    }
    assert!(
        seen > 30,
        "only {seen} routes were seen: the search is broken"
    );
}

/// Functions that are one transaction and are run again by whoever calls them.
const RUN_AGAIN_BY_CALLERS: [&str; 20] = [
    "apply",
    "come_in",
    "ended",
    "fetch_committed",
    "fold_alone",
    "fold_beside_the_writer",
    "insert_mixed",
    "judge_alone",
    "judge_beside_the_writer",
    "link_once",
    "load_in",
    "look_up",
    "mark_due",
    "note_refusal",
    "queue_link",
    "register_all",
    "renew",
    "set_role_once",
    "set_state",
    "use_once",
];

/// A deadlock or a serialization failure is nobody's fault and passes: what it befell is run
/// again. `retry` stands just before the transaction, or around the function that begins it.
#[test]
fn every_transaction_that_writes_is_run_again() {
    let mut begun = 0;
    for (room, files) in rooms() {
        for (file, code) in files {
            let code = code.split("#[cfg(test)]").next().unwrap();
            for (at, _) in code.match_indices("db.begin()") {
                begun += 1;
                let before = code[..at].lines().rev().skip(1).take(3);
                let inside = before.into_iter().any(|line| line.contains("|| async"));
                let function = code[..at].rsplit("fn ").next().unwrap();
                let name = &function[..function.find(['(', '<']).unwrap()];
                // A batch begins its transactions under the lease of its duty, one by one.
                // A copy holds a whole database, and is begun again by whoever asked for it.
                let copy = file.ends_with("store/copy.rs");
                let around = RUN_AGAIN_BY_CALLERS.contains(&name) || room == "settle" || copy;
                let file = file.display();
                assert!(
                    inside || around,
                    "{file}: `{name}` begins what `retry` does not run"
                );
            }
        }
    }
    assert!(
        begun > 20,
        "only {begun} were looked at: the search is broken"
    );
}

#[test]
fn every_room_is_on_the_map() {
    let map = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs"));
    let map: String = map
        .unwrap()
        .lines()
        .filter(|line| line.starts_with("//!"))
        .collect();
    for room in rooms()
        .keys()
        .filter(|room| *room != "lib" && *room != "main")
    {
        let there =
            map.contains(&format!("[`{room}`]")) || map.contains(&format!("[`mod@{room}`]"));
        assert!(there, "src/lib.rs does not say what `{room}` is for");
    }
}

#[test]
fn the_top_level_holds_what_it_should() {
    const ALLOWED: [&str; 13] = [
        "Cargo.toml",
        "Cargo.lock",
        "LICENSE",
        "README.md",
        "benches",
        "fixtures",
        "migrations",
        "rules",
        "src",
        "tests",
        "target",
        "data",
        "qualify.toml",
    ];
    for entry in std::fs::read_dir(env!("CARGO_MANIFEST_DIR")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let fine = name.starts_with('.') || ALLOWED.contains(&name.as_str());
        assert!(fine, "`{name}` does not belong to the top level");
    }
}
