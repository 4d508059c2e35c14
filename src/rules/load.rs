//! Reads campaign files from disk: the one file of this room that does. What is in them
//! is `campaign`'s business.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::campaign::{self, Placed};
use super::problem::{Problem, codes, place};
use super::{FILE_BYTES_MAX, RuleSet};
use crate::domain::ids::CampaignId;

/// Folders inside folders that are still looked into.
const DEPTH_MAX: u32 = 16;
/// Campaign files that are read at most.
const FILES_MAX: usize = 10_000;

/// Reads files and folders. A folder gives its `*.toml` files and those of its sub-folders,
/// without hidden ones; `*.cases.toml` files are skipped wherever they are named.
///
/// Errors: every problem of every file, two campaigns with one id, unreadable paths.
pub fn load(paths: &[PathBuf]) -> Result<RuleSet, Vec<Problem>> {
    let mut found = Found::default();
    for path in paths {
        if path.is_dir() {
            found.folder(path, 0);
        } else {
            found.file(path);
        }
    }
    let mut problems = found.problems;
    let mut read: BTreeMap<CampaignId, (String, Placed)> = BTreeMap::new();
    for path in found.files {
        let file = path.display().to_string();
        match read_text(&path, &file).and_then(|text| campaign::read(&file, &text)) {
            Err(found) => problems.extend(found),
            Ok(placed) => {
                if let Some((first, _)) = read.get(&placed.campaign.id) {
                    problems.push(duplicate(&file, first, &placed));
                } else {
                    read.insert(placed.campaign.id.clone(), (file, placed));
                }
            }
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let mut set = RuleSet::default();
    for (id, (file, placed)) in read {
        set.sources.insert(id, file);
        set.campaigns.push(placed.campaign);
    }
    Ok(set)
}

fn duplicate(file: &str, first: &str, placed: &Placed) -> Problem {
    Problem {
        file: file.to_owned(),
        line: placed.line,
        column: placed.column,
        key: "id".to_owned(),
        code: codes::DUPLICATE_CAMPAIGN,
        message: format!(
            "found \"{}\", which is the id of the campaign in {first} already; every campaign \
             needs its own",
            placed.campaign.id
        ),
    }
}

fn whole_file(file: &str, code: &'static str, message: String) -> Problem {
    Problem {
        file: file.to_owned(),
        line: 1,
        column: 1,
        key: String::new(),
        code,
        message,
    }
}

/// The text of a file; reading stops one byte past the limit, whatever the file's size.
fn read_text(path: &Path, file: &str) -> Result<String, Vec<Problem>> {
    let limit = u64::try_from(FILE_BYTES_MAX).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    fs::File::open(path)
        .and_then(|open| open.take(limit.saturating_add(1)).read_to_end(&mut bytes))
        .map_err(|error| {
            let message = format!("this path cannot be read: {error}");
            vec![whole_file(file, codes::UNREADABLE, message)]
        })?;
    if bytes.len() > FILE_BYTES_MAX {
        let message = format!("found more than {FILE_BYTES_MAX} bytes; accepted are at most that");
        return Err(vec![whole_file(file, codes::TOO_LARGE, message)]);
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let text = String::from_utf8_lossy(error.as_bytes());
        let (line, column) = place(&text, valid);
        let message = "found bytes that are not UTF-8; save the file as UTF-8".to_owned();
        vec![Problem {
            line,
            column,
            ..whole_file(file, codes::NOT_UTF8, message)
        }]
    })
}

/// The files to read, each once, in the order of their names.
#[derive(Default)]
struct Found {
    files: Vec<PathBuf>,
    seen: BTreeSet<PathBuf>,
    problems: Vec<Problem>,
}

impl Found {
    fn file(&mut self, path: &Path) {
        let is_cases = path
            .file_name()
            .is_some_and(|name| name.to_string_lossy().ends_with(".cases.toml"));
        let real = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        if !is_cases && self.files.len() < FILES_MAX && self.seen.insert(real) {
            self.files.push(path.to_owned());
        }
    }

    fn folder(&mut self, path: &Path, depth: u32) {
        let entries = fs::read_dir(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let mut entries = match entries {
            Ok(entries) => entries,
            Err(error) => {
                let message = format!("this folder cannot be read: {error}");
                let file = path.display().to_string();
                self.problems
                    .push(whole_file(&file, codes::UNREADABLE, message));
                return;
            }
        };
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let (name, path) = (entry.file_name(), entry.path());
            if name.to_string_lossy().starts_with('.') {
                continue;
            }
            if path.is_dir() {
                if depth < DEPTH_MAX {
                    self.folder(&path, depth + 1);
                }
            } else if path.extension().is_some_and(|ending| ending == "toml") {
                self.file(&path);
            }
        }
    }
}
