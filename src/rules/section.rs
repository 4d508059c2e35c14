//! Tables of a campaign file that remember where they were written; unknown keys are reported
//! when a table is opened. Single values are `item`'s.

use toml::Spanned;
use toml::de::DeTable;

use super::item::{Item, shown};
use super::keys;
use super::problem::{Report, codes};

/// A table of the file; an absent one reads as empty.
pub(super) struct Section<'a, 'i> {
    /// Dotted name, empty for the file itself.
    pub path: String,
    /// Where it begins.
    pub at: usize,
    table: Option<&'a DeTable<'i>>,
}

/// The file itself as a section.
pub(super) fn root<'a, 'i>(
    report: &mut Report<'_>,
    document: &'a Spanned<DeTable<'i>>,
) -> Section<'a, 'i> {
    Section::open(report, String::new(), 0, document.get_ref(), keys::of(""))
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        shown(key)
    } else {
        format!("{path}.{}", shown(key))
    }
}

impl<'a, 'i> Section<'a, 'i> {
    /// The value of a key, if the key is there.
    pub fn get(&self, key: &str) -> Option<Item<'a, 'i>> {
        let value = self.table?.get(key)?;
        Some(Item::new(join(&self.path, key), value))
    }

    /// The table of a key, empty if absent; its unknown keys are reported.
    pub fn section(&self, report: &mut Report<'_>, key: &str) -> Section<'a, 'i> {
        let path = join(&self.path, key);
        let at = self.at;
        match self.get(key) {
            None => Section {
                path,
                at,
                table: None,
            },
            Some(item) => {
                let known = keys::of(&path);
                item.table(report, known).unwrap_or(Section {
                    path,
                    at,
                    table: None,
                })
            }
        }
    }

    /// Whether the table was written.
    pub fn is_written(&self) -> bool {
        self.table.is_some()
    }

    /// A table that was written; keys other than `known` are reported.
    pub fn open(
        report: &mut Report<'_>,
        path: String,
        at: usize,
        table: &'a DeTable<'i>,
        known: &[&str],
    ) -> Self {
        let section = Section {
            path,
            at,
            table: Some(table),
        };
        section.refuse_unknown(report, known);
        section
    }

    fn refuse_unknown(&self, report: &mut Report<'_>, known: &[&str]) {
        for (key, _) in self.table.into_iter().flatten() {
            let name = key.get_ref().as_ref();
            if known.contains(&name) {
                continue;
            }
            let path = join(&self.path, name);
            let message = keys::unknown(name, &self.path, known);
            report.add(key.span().start, &path, codes::UNKNOWN_KEY, message);
        }
    }
}
