//! `qualify check [PATH…]`: validates campaign files and prints every problem with its place.
//! It starts nothing and changes nothing.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::rules::{self, Problem};

/// Where campaigns are unless told otherwise.
pub const PATH_DEFAULT: &str = "rules/";
/// Exit code when nothing is wrong.
const EXIT_CLEAN: u8 = 0;
/// Exit code when a check found problems.
const EXIT_PROBLEMS: u8 = 4;

/// Checks the campaign files at `paths` (`rules/` if there are none) and writes the problems
/// to `out`: one a line and a summary, or with `json` one array and nothing else.
///
/// Returns the exit code, 0 or 4. Errors only if `out` cannot be written.
pub fn run(paths: &[PathBuf], json: bool, out: &mut dyn Write) -> anyhow::Result<u8> {
    let default = [Path::new(PATH_DEFAULT).to_owned()];
    let checked = rules::load(if paths.is_empty() { &default } else { paths });
    let problems: &[Problem] = checked.as_ref().err().map_or(&[], Vec::as_slice);
    if json {
        serde_json::to_writer_pretty(&mut *out, problems)?;
        writeln!(out)?;
    } else {
        for problem in problems {
            writeln!(out, "{problem}")?;
        }
        let files: BTreeSet<&str> = problems.iter().map(|p| p.file.as_str()).collect();
        match &checked {
            Ok(set) => writeln!(
                out,
                "{}: no problems",
                count(set.campaigns.len(), "campaign")
            )?,
            Err(_) => writeln!(
                out,
                "{} in {}",
                count(problems.len(), "problem"),
                count(files.len(), "file")
            )?,
        }
    }
    Ok(if checked.is_ok() {
        EXIT_CLEAN
    } else {
        EXIT_PROBLEMS
    })
}

fn count(number: usize, noun: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{ending}")
}
