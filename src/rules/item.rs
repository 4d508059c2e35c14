//! Single values of a campaign file, read as the type that is expected there; a mismatch is
//! reported at its place. Tables are `section`'s.

use toml::Spanned;
use toml::de::DeValue;

use super::problem::{Report, codes};
use super::section::Section;
use super::suggest;
use crate::domain::time::Timestamp;

/// Characters of a found value that a message repeats.
const FOUND_CHARS_MAX: usize = 40;

/// A value with its dotted key and place.
pub(super) struct Item<'a, 'i> {
    /// Dotted key.
    pub path: String,
    /// Where the value begins.
    pub at: usize,
    value: &'a DeValue<'i>,
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

impl<'a, 'i> Item<'a, 'i> {
    /// A value under its dotted key.
    pub fn new(path: String, value: &'a Spanned<DeValue<'i>>) -> Self {
        Self {
            path,
            at: value.span().start,
            value: value.get_ref(),
        }
    }

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
        let entries = entries
            .iter()
            .enumerate()
            .map(|(index, entry)| Item::new(format!("{}[{index}]", self.path), entry));
        Some(entries.collect())
    }

    /// A table with these keys; others are reported.
    pub fn table(&self, report: &mut Report<'_>, known: &[&str]) -> Option<Section<'a, 'i>> {
        let DeValue::Table(table) = self.value else {
            self.mismatch(report, &format!("a table with {}", suggest::all_of(known)));
            return None;
        };
        Some(Section::open(
            report,
            self.path.clone(),
            self.at,
            table,
            known,
        ))
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
