//! What is wrong with a campaign file, and where. How it is shown is the caller's business;
//! this is only the value and its one-line form.

use serde::Serialize;

/// Problems reported for one file at most; a file with more is not a campaign file.
pub const PROBLEMS_MAX: usize = 1000;

/// One thing that is wrong with a campaign file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The file as it was named, or what the caller calls the text.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// Dotted key, `qualify.spend[0].at_least`; empty when no key is concerned.
    pub key: String,
    /// Stable snake-case code, [`codes`].
    pub code: &'static str,
    /// What was found, and what is accepted.
    pub message: String,
}

/// The stable codes of problems, append-only.
pub mod codes {
    /// A key that does not exist at this place.
    pub const UNKNOWN_KEY: &str = "unknown_key";
    /// A key that has to be there.
    pub const MISSING_KEY: &str = "missing_key";
    /// A value of the wrong TOML type.
    pub const TYPE_MISMATCH: &str = "type_mismatch";
    /// A word that is not one of the accepted ones.
    pub const VALUE_UNKNOWN: &str = "value_unknown";
    /// Text that is not an amount of money in its currency.
    pub const AMOUNT_INVALID: &str = "amount_invalid";
    /// Text that is not a percentage.
    pub const PERCENT_INVALID: &str = "percent_invalid";
    /// A currency that ISO 4217 does not list.
    pub const CURRENCY_UNKNOWN: &str = "currency_unknown";
    /// A number, amount or instant outside its limits.
    pub const OUT_OF_RANGE: &str = "out_of_range";
    /// Two values that contradict each other.
    pub const CONFLICT: &str = "conflict";
    /// The same value twice in a list.
    pub const DUPLICATE_VALUE: &str = "duplicate_value";
    /// A list or text without content.
    pub const EMPTY: &str = "empty";
    /// Match keys in another order than their strength.
    pub const ORDER_INVALID: &str = "order_invalid";
    /// Not a campaign id.
    pub const ID_INVALID: &str = "id_invalid";
    /// Not a Stripe account id.
    pub const ACCOUNT_INVALID: &str = "account_invalid";
    /// Text with control characters, surrounding spaces, or too long.
    pub const TEXT_INVALID: &str = "text_invalid";
    /// A schema number that this version does not know.
    pub const SCHEMA_UNSUPPORTED: &str = "schema_unsupported";
    /// Not TOML.
    pub const TOML_SYNTAX: &str = "toml_syntax";
    /// Beyond [`crate::rules::FILE_BYTES_MAX`].
    pub const TOO_LARGE: &str = "too_large";
    /// Not UTF-8.
    pub const NOT_UTF8: &str = "not_utf8";
    /// A path that cannot be read.
    pub const UNREADABLE: &str = "unreadable";
    /// Two campaigns with one id.
    pub const DUPLICATE_CAMPAIGN: &str = "duplicate_campaign";
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)?;
        if !self.key.is_empty() {
            write!(f, " {}", self.key)?;
        }
        write!(f, ": {}", self.message)
    }
}

impl std::error::Error for Problem {}

/// Line and column, both from 1, of a byte offset; columns count characters.
pub(super) fn place(text: &str, offset: usize) -> (u32, u32) {
    let mut end = offset.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let before = text.get(..end).unwrap_or_default();
    let line = before.bytes().filter(|b| *b == b'\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let column = before
        .get(start..)
        .unwrap_or_default()
        .chars()
        .filter(|c| *c != '\u{feff}')
        .count()
        + 1;
    let short = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    (short(line), short(column))
}

/// Collects the problems of one text.
pub(super) struct Report<'t> {
    file: &'t str,
    text: &'t str,
    problems: Vec<Problem>,
}

impl<'t> Report<'t> {
    /// Nothing wrong yet.
    pub fn new(file: &'t str, text: &'t str) -> Self {
        Self {
            file,
            text,
            problems: Vec::new(),
        }
    }

    /// Adds a problem at a byte offset.
    pub fn add(&mut self, at: usize, key: &str, code: &'static str, message: impl Into<String>) {
        if self.problems.len() >= PROBLEMS_MAX {
            return;
        }
        let (line, column) = place(self.text, at);
        self.problems.push(Problem {
            file: self.file.to_owned(),
            line,
            column,
            key: key.to_owned(),
            code,
            message: message.into(),
        });
    }

    /// Everything found, in the order of the text.
    pub fn finish(mut self) -> Vec<Problem> {
        self.problems.sort_by(|a, b| {
            (a.line, a.column, &a.key, a.code).cmp(&(b.line, b.column, &b.key, b.code))
        });
        self.problems
    }

    /// How many problems there are so far.
    pub fn len(&self) -> usize {
        self.problems.len()
    }

    /// Whether nothing is wrong so far.
    pub fn is_clean(&self) -> bool {
        self.problems.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters() {
        let text = "a = 1\r\n\u{e9}\u{e9} = 2\n";
        assert_eq!(place(text, 0), (1, 1));
        assert_eq!(place(text, 4), (1, 5));
        assert_eq!(place(text, text.find('2').unwrap()), (2, 6));
        assert_eq!(place(text, 8), (2, 1), "inside a character is at it");
        assert_eq!(place(text, 999), (3, 1));
    }

    #[test]
    fn a_problem_is_one_line() {
        let mut report = Report::new("rules/x.toml", "a\nb");
        report.add(2, "qualify.within_days", codes::OUT_OF_RANGE, "found 0");
        report.add(0, "", codes::TOML_SYNTAX, "no");
        let lines: Vec<String> = report.finish().iter().map(ToString::to_string).collect();
        assert_eq!(
            lines,
            [
                "rules/x.toml:1:1: no",
                "rules/x.toml:2:1 qualify.within_days: found 0"
            ]
        );
    }
}
