//! A TOML text as sections and items that remember where they were written, so that every
//! mismatch is reported at its place. What the keys mean is not known here.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::{Report, codes};
use super::suggest;
use crate::domain::time::Timestamp;

/// Characters of a found value that a message repeats.
const FOUND_CHARS_MAX: usize = 40;

/// The keys of every table of a campaign file, by the table's dotted name.
pub(super) const TABLES: &[(&str, &[&str])] = &[
    (
        "",
        &[
            "schema",
            "id",
            "name",
            "account",
            "mode",
            "starts",
            "ends",
            "match",
            "qualify",
            "attribution",
            "reward",
            "limits",
        ],
    ),
    ("match", &["keys", "metadata", "duplicates", "customers"]),
    (
        "qualify",
        &[
            "spend",
            "within_days",
            "from",
            "payments",
            "each_payment",
            "amount",
            "out_of_band",
            "hold_days",
            "products",
        ],
    ),
    ("qualify.products", &["include", "exclude"]),
    ("attribution", &["coupons", "prefer", "touch"]),
    ("reward", &["promoter", "invited"]),
    ("reward.promoter", &["fixed", "percent", "cap"]),
    ("reward.invited", &["fixed", "percent", "cap"]),
    ("limits", &["per_promoter_settled", "budget"]),
];

/// A table of the file; an absent one reads as empty.
pub(super) struct Section<'a, 'i> {
    /// Dotted name, empty for the file itself.
    pub path: String,
    /// Where it begins.
    pub at: usize,
    table: Option<&'a DeTable<'i>>,
}

/// A value with its dotted key and place.
pub(super) struct Item<'a, 'i> {
    /// Dotted key.
    pub path: String,
    /// Where the value begins.
    pub at: usize,
    value: &'a DeValue<'i>,
}

/// The file itself as a section.
pub(super) fn root<'a, 'i>(
    report: &mut Report<'_>,
    document: &'a Spanned<DeTable<'i>>,
) -> Section<'a, 'i> {
    let section = Section {
        path: String::new(),
        at: 0,
        table: Some(document.get_ref()),
    };
    section.refuse_unknown(report, keys_of(""));
    section
}

fn keys_of(path: &str) -> &'static [&'static str] {
    TABLES
        .iter()
        .find(|(name, _)| *name == path)
        .map_or(&[], |(_, keys)| keys)
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        shown(key)
    } else {
        format!("{path}.{}", shown(key))
    }
}

/// A found text, shortened and with control characters made visible.
pub(super) fn shown(text: &str) -> String {
    let mut out: String = text
        .chars()
        .take(FOUND_CHARS_MAX)
        .flat_map(|c| {
            let visible = !c.is_control();
            visible
                .then_some(c)
                .into_iter()
                .chain(c.escape_default().filter(move |_| !visible))
        })
        .collect();
    if text.chars().nth(FOUND_CHARS_MAX).is_some() {
        out.push('…');
    }
    out
}

impl<'a, 'i> Section<'a, 'i> {
    /// The value of a key, if the key is there.
    pub fn get(&self, key: &str) -> Option<Item<'a, 'i>> {
        let value = self.table?.get(key)?;
        Some(Item {
            path: join(&self.path, key),
            at: value.span().start,
            value: value.get_ref(),
        })
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
                let known = keys_of(&path);
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

    fn refuse_unknown(&self, report: &mut Report<'_>, known: &[&str]) {
        for (key, _) in self.table.into_iter().flatten() {
            let name = key.get_ref().as_ref();
            if known.contains(&name) {
                continue;
            }
            let place = if self.path.is_empty() {
                "at the top of the file".to_owned()
            } else {
                format!("in {}", self.path)
            };
            let hint = hint_for_key(name, &self.path, known);
            report.add(
                key.span().start,
                &join(&self.path, name),
                codes::UNKNOWN_KEY,
                format!(
                    "found the unknown key `{}`{hint}; accepted {place} are {}",
                    shown(name),
                    suggest::all_of(known)
                ),
            );
        }
    }
}

/// Where a misplaced key belongs, or what a misspelt one may mean.
fn hint_for_key(name: &str, path: &str, known: &[&str]) -> String {
    if let Some(word) = suggest::nearest(name, known) {
        return format!(", did you mean `{word}`?");
    }
    let elsewhere = TABLES
        .iter()
        .find(|(table, keys)| *table != path && keys.contains(&name));
    match elsewhere {
        Some(("", _)) => {
            ", which belongs at the top of the file, above the first [table]".to_owned()
        }
        Some((table, _)) => format!(", which belongs in [{table}]"),
        None => String::new(),
    }
}

impl<'a, 'i> Item<'a, 'i> {
    /// The value in words, for messages.
    pub fn found(&self) -> String {
        match self.value {
            DeValue::String(text) => format!("\"{}\"", shown(text)),
            DeValue::Integer(number) => shown(&number.to_string()),
            DeValue::Float(number) => shown(&number.to_string()),
            DeValue::Boolean(flag) => flag.to_string(),
            DeValue::Datetime(time) => time.to_string(),
            DeValue::Array(_) => "a list".to_owned(),
            DeValue::Table(_) => "a table".to_owned(),
        }
    }

    /// Reports this value with a code.
    pub fn refuse(&self, report: &mut Report<'_>, code: &'static str, message: impl Into<String>) {
        report.add(self.at, &self.path, code, message);
    }

    fn mismatch(&self, report: &mut Report<'_>, accepted: &str) {
        let message = format!("found {}; accepted is {accepted}", self.found());
        self.refuse(report, codes::TYPE_MISMATCH, message);
    }

    /// Text; `accepted` says in words what kind.
    pub fn text(&self, report: &mut Report<'_>, accepted: &str) -> Option<&'a str> {
        if let DeValue::String(text) = self.value {
            return Some(text.as_ref());
        }
        self.mismatch(report, accepted);
        None
    }

    /// A decimal number, which has to be quoted so that it stays exact.
    pub fn decimal(&self, report: &mut Report<'_>, example: &str) -> Option<&'a str> {
        match self.value {
            DeValue::String(text) => Some(text.as_ref()),
            DeValue::Integer(_) | DeValue::Float(_) => {
                let found = self.found();
                let message = format!("found {found} without quotes; write it as \"{found}\"");
                self.refuse(report, codes::TYPE_MISMATCH, message);
                None
            }
            _ => {
                self.mismatch(
                    report,
                    &format!("a quoted decimal number like \"{example}\""),
                );
                None
            }
        }
    }

    /// Text to be shown or compared: not empty, no control characters, no spaces around it.
    pub fn label(&self, report: &mut Report<'_>, chars_max: usize) -> Option<&'a str> {
        let text = self.text(report, "a quoted text")?;
        let (code, why) = if text.trim().is_empty() {
            (codes::EMPTY, "an empty text".to_owned())
        } else if text.chars().any(char::is_control) {
            (codes::TEXT_INVALID, "a control character".to_owned())
        } else if text.trim() != text {
            (codes::TEXT_INVALID, "spaces around the text".to_owned())
        } else if text.chars().count() > chars_max {
            let count = text.chars().count();
            (codes::TEXT_INVALID, format!("{count} characters"))
        } else {
            return Some(text);
        };
        let message = format!("found {why}; accepted are 1 to {chars_max} printable characters");
        self.refuse(report, code, message);
        None
    }

    /// A whole number between two limits, both included.
    pub fn whole(&self, report: &mut Report<'_>, least: u32, most: u32) -> Option<u32> {
        let accepted = format!("{least} to {most}");
        let DeValue::Integer(number) = self.value else {
            let hint = match self.value {
                DeValue::String(_) => ", without quotes",
                DeValue::Float(_) => ", without decimals",
                _ => "",
            };
            self.mismatch(report, &format!("a whole number, {accepted}{hint}"));
            return None;
        };
        let value = i64::from_str_radix(number.as_str(), number.radix())
            .ok()
            .and_then(|value| u32::try_from(value).ok())
            .filter(|value| (least..=most).contains(value));
        if value.is_none() {
            let message = format!("found {}; accepted are {accepted}", self.found());
            self.refuse(report, codes::OUT_OF_RANGE, message);
        }
        value
    }

    /// `true` or `false`; `hint` is added for other types.
    pub fn flag(&self, report: &mut Report<'_>, hint: &str) -> Option<bool> {
        if let DeValue::Boolean(flag) = self.value {
            return Some(*flag);
        }
        self.mismatch(report, &format!("true or false{hint}"));
        None
    }

    /// One of a few words.
    pub fn choice<T: Copy>(&self, report: &mut Report<'_>, words: &[(&str, T)]) -> Option<T> {
        let names: Vec<&str> = words.iter().map(|(name, _)| *name).collect();
        let quoted: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
        let quoted: Vec<&str> = quoted.iter().map(String::as_str).collect();
        let accepted = suggest::any_of(&quoted);
        let text = self.text(report, &accepted)?;
        if let Some((_, value)) = words.iter().find(|(name, _)| *name == text) {
            return Some(*value);
        }
        let hint = suggest::nearest(text, &names)
            .map_or_else(String::new, |word| format!(", did you mean \"{word}\"?"));
        let message = format!("found {}{hint}; accepted are {accepted}", self.found());
        self.refuse(report, codes::VALUE_UNKNOWN, message);
        None
    }

    /// The entries of a list that must not be empty.
    pub fn list(&self, report: &mut Report<'_>, accepted: &str) -> Option<Vec<Item<'a, 'i>>> {
        let DeValue::Array(entries) = self.value else {
            self.mismatch(report, accepted);
            return None;
        };
        if entries.is_empty() {
            let message = format!(
                "found an empty list; accepted is {accepted}, or leave `{}` out",
                self.path.rsplit('.').next().unwrap_or(&self.path)
            );
            self.refuse(report, codes::EMPTY, message);
            return None;
        }
        let entries = entries.iter().enumerate().map(|(index, entry)| Item {
            path: format!("{}[{index}]", self.path),
            at: entry.span().start,
            value: entry.get_ref(),
        });
        Some(entries.collect())
    }

    /// A table with these keys; others are reported.
    pub fn table(&self, report: &mut Report<'_>, known: &[&str]) -> Option<Section<'a, 'i>> {
        let DeValue::Table(table) = self.value else {
            self.mismatch(report, &format!("a table with {}", suggest::all_of(known)));
            return None;
        };
        let section = Section {
            path: self.path.clone(),
            at: self.at,
            table: Some(table),
        };
        section.refuse_unknown(report, known);
        Some(section)
    }

    /// An instant with its offset; fractions of a second are cut, Stripe has none.
    pub fn instant(&self, report: &mut Report<'_>) -> Option<Timestamp> {
        let DeValue::Datetime(written) = self.value else {
            let unquoted = match self.value {
                DeValue::String(_) => ", without quotes",
                _ => "",
            };
            self.mismatch(
                report,
                &format!("a time like 2026-03-01T00:00:00Z{unquoted}"),
            );
            return None;
        };
        let (Some(_), Some(mut time), Some(_)) = (written.date, written.time, written.offset)
        else {
            let example = match (written.date, written.time) {
                (Some(date), None) => format!("{date}T00:00:00Z"),
                (Some(_), Some(_)) => format!("{written}Z"),
                _ => "2026-03-01T00:00:00Z".to_owned(),
            };
            let accepted = format!("a time with its zone; for UTC add Z: {example}");
            self.mismatch(report, &accepted);
            return None;
        };
        time.second = Some(time.second.unwrap_or(0));
        let mut complete = *written;
        complete.time = Some(time);
        let instant = Timestamp::parse(&complete.to_string());
        if instant.is_none() {
            let message = format!("found {written}; accepted are the years 0001 to 9999");
            self.refuse(report, codes::OUT_OF_RANGE, message);
        }
        instant
    }
}
