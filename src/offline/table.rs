//! CSV with a header: columns by name, in any order. It knows rows and cells, not what they
//! mean. A table is held in memory: people's lists are small beside their events.

use std::io::{Cursor, Read as _};

use super::source::Source;

/// Why a table cannot be read at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// A column that nobody asked for: most likely a typing error.
    #[error("{file}:1: column {column} is `{found}`, which is not known; expected {expected}")]
    UnknownColumn {
        /// The file.
        file: String,
        /// Its position, from 1.
        column: usize,
        /// Its name.
        found: String,
        /// All accepted names.
        expected: String,
    },
    /// A column twice.
    #[error("{file}:1: column {column} is `{found}`, which is there already")]
    RepeatedColumn {
        /// The file.
        file: String,
        /// Its position, from 1.
        column: usize,
        /// Its name.
        found: String,
    },
    /// A column is not there.
    #[error("{file}:1: column `{column}` is missing; expected {expected}")]
    MissingColumn {
        /// The file.
        file: String,
        /// Its name.
        column: &'static str,
        /// All expected names.
        expected: String,
    },
    /// Not CSV, or not UTF-8.
    #[error("{file}: {reason}")]
    Unreadable {
        /// The file.
        file: String,
        /// What the reader says.
        reason: String,
    },
}

/// A table with `N` known columns.
pub struct Table<const N: usize> {
    reader: csv::Reader<Cursor<Vec<u8>>>,
    lines: LineCount,
    file: String,
    positions: [usize; N],
    row: csv::StringRecord,
}

/// One row: its line, and its cells in the order the columns were asked for, trimmed.
pub struct Row<'t, const N: usize> {
    /// The line it begins on.
    pub line: u64,
    /// Its cells; empty where the row is blank.
    pub cells: [&'t str; N],
}

impl<const N: usize> Table<N> {
    /// Reads the header.
    pub fn open(source: Source, columns: [&'static str; N]) -> Result<Self, TableError> {
        let (file, mut input, mut bytes) = (source.name, source.input, Vec::new());
        if let Err(error) = input.read_to_end(&mut bytes) {
            let reason = error.to_string();
            return Err(TableError::Unreadable { file, reason });
        }
        let mut reader = csv::ReaderBuilder::new()
            .flexible(true)
            .trim(csv::Trim::All)
            .from_reader(Cursor::new(bytes));
        let header = reader.headers().map_err(|e| unreadable(&file, &e))?.clone();
        let expected = || columns.join(",");
        let mut found = [None; N];
        for (index, name) in header.iter().enumerate() {
            let name = name.trim_start_matches('\u{feff}').trim();
            let slot = columns.iter().position(|column| *column == name);
            let Some(slot) = slot.and_then(|slot| found.get_mut(slot)) else {
                return Err(TableError::UnknownColumn {
                    file,
                    column: index + 1,
                    found: name.to_owned(),
                    expected: expected(),
                });
            };
            if slot.replace(index).is_some() {
                return Err(TableError::RepeatedColumn {
                    file,
                    column: index + 1,
                    found: name.to_owned(),
                });
            }
        }
        let mut positions = [0; N];
        for ((position, found), column) in positions.iter_mut().zip(found).zip(columns) {
            *position = found.ok_or_else(|| TableError::MissingColumn {
                file: file.clone(),
                column,
                expected: expected(),
            })?;
        }
        Ok(Self {
            reader,
            lines: LineCount { byte: 0, line: 1 },
            file,
            positions,
            row: csv::StringRecord::new(),
        })
    }

    /// The file's name.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The next row. `Ok(Err(…))` is a row that cannot be read: its line and why.
    #[expect(clippy::type_complexity, reason = "a row, a bad row, or the end")]
    pub fn next_row(&mut self) -> Result<Option<Result<Row<'_, N>, (u64, String)>>, TableError> {
        match self.reader.read_record(&mut self.row) {
            Ok(false) => return Ok(None),
            Ok(true) => {}
            Err(error) => {
                let line = self
                    .lines
                    .of(self.reader.get_ref().get_ref(), error.position());
                return match error.kind() {
                    csv::ErrorKind::Utf8 { .. } => {
                        Ok(Some(Err((line, "the row is not UTF-8".to_owned()))))
                    }
                    _ => Err(unreadable(&self.file, &error)),
                };
            }
        }
        let line = self
            .lines
            .of(self.reader.get_ref().get_ref(), self.row.position());
        let cells = self
            .positions
            .map(|position| self.row.get(position).unwrap_or_default());
        let widest = self.positions.iter().max().map_or(0, |last| last + 1);
        if self.row.len() != widest {
            let seen = self.row.len();
            let problem = format!("the row has {seen} cells; the header has {widest}");
            return Ok(Some(Err((line, problem))));
        }
        Ok(Some(Ok(Row { line, cells })))
    }
}

/// Counts lines as people do: the reader's own count is behind where lines end in CR LF or
/// where blank lines stand between rows.
struct LineCount {
    byte: usize,
    line: u64,
}

impl LineCount {
    /// The line on which the row at a position really begins. Positions only grow.
    fn of(&mut self, bytes: &[u8], position: Option<&csv::Position>) -> u64 {
        let at = position.and_then(|p| usize::try_from(p.byte()).ok());
        let at = at.unwrap_or(self.byte).max(self.byte);
        let blank = bytes.get(at..).unwrap_or_default();
        let blank = blank.iter().take_while(|b| matches!(b, b'\r' | b'\n'));
        let begin = at.saturating_add(blank.count());
        let passed = bytes.get(self.byte..begin).unwrap_or_default();
        for _ in passed.iter().filter(|byte| **byte == b'\n') {
            self.line += 1;
        }
        self.byte = begin;
        self.line
    }
}

fn unreadable(file: &str, error: &csv::Error) -> TableError {
    TableError::Unreadable {
        file: file.to_owned(),
        reason: error.to_string(),
    }
}

/// The text of a cell, if it is not blank.
pub fn filled(cell: &str) -> Option<String> {
    (!cell.is_empty()).then(|| cell.to_owned())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub fn source(text: &str) -> Source {
        Source {
            name: "t.csv".to_owned(),
            input: Box::new(std::io::Cursor::new(text.to_owned().into_bytes())),
        }
    }

    #[test]
    fn columns_come_in_any_order_behind_a_byte_order_mark() {
        let text = "\u{feff}b,a\r\n 1 ,\"x\ny\"\r\n\r\nonly\n";
        let mut table = Table::open(source(text), ["a", "b"]).unwrap();
        let row = table.next_row().unwrap().unwrap().ok().unwrap();
        assert_eq!((row.line, row.cells), (2, ["x\ny", "1"]));
        let (line, problem) = table.next_row().unwrap().unwrap().err().unwrap();
        assert!(problem.contains("1 cells"), "{problem}");
        assert_eq!(line, 5);
        assert!(table.next_row().unwrap().is_none());
    }

    #[test]
    fn headers_say_what_is_wrong_and_where() {
        let refused = |text: &str| {
            let error = Table::open(source(text), ["a", "b"]).err().unwrap();
            error.to_string()
        };
        assert_eq!(
            refused("a,b,emial"),
            "t.csv:1: column 3 is `emial`, which is not known; expected a,b"
        );
        assert_eq!(refused("b"), "t.csv:1: column `a` is missing; expected a,b");
        assert_eq!(
            refused("a,b,a"),
            "t.csv:1: column 3 is `a`, which is there already"
        );
    }
}
