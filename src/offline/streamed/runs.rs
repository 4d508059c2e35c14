//! Rows sorted in runs of bounded size, put aside in nameless temporary files (which vanish
//! with the process, however it ends), and merged. It does not look into a row beyond its key.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::rows::{key, row_at};

/// Bytes of a file held while runs are merged.
const MERGE_BUFFER_BYTES: usize = 256 * 1024;
/// Longest row that is believed, so that a damaged file is an error and no allocation.
const ROW_BYTES_MAX: usize = 1 << 30;

/// A nameless temporary file in a folder, or in the system's.
pub fn temporary(folder: Option<&Path>) -> io::Result<File> {
    folder.map_or_else(tempfile::tempfile, tempfile::tempfile_in)
}

/// Collects rows and keeps them sorted.
#[derive(Debug)]
pub struct Sorter {
    folder: Option<PathBuf>,
    run_bytes: usize,
    rows: Vec<u8>,
    files: Vec<File>,
}

impl Sorter {
    /// Puts aside whatever exceeds `run_bytes`, in files of this folder.
    pub fn new(folder: Option<PathBuf>, run_bytes: usize) -> Self {
        Self {
            folder,
            run_bytes,
            rows: Vec::new(),
            files: Vec::new(),
        }
    }

    /// Takes in what `write` appends: whole rows.
    pub fn push(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
        write(&mut self.rows);
        if self.rows.len() < self.run_bytes {
            return Ok(());
        }
        let mut file = temporary(self.folder.as_deref())?;
        let mut out = io::BufWriter::with_capacity(MERGE_BUFFER_BYTES, &mut file);
        for start in sorted(&self.rows) {
            let end = row_at(&self.rows, start).map_or(start, |(_, end)| end);
            out.write_all(self.rows.get(start..end).unwrap_or_default())?;
        }
        out.flush()?;
        drop(out);
        self.files.push(file);
        self.rows.clear();
        Ok(())
    }
}

/// Where rows begin, in the order of their keys.
fn sorted(rows: &[u8]) -> Vec<usize> {
    let mut starts = Vec::new();
    let mut at = 0;
    while let Some((_, next)) = row_at(rows, at) {
        starts.push(at);
        at = next;
    }
    let key_at = |at: usize| row_at(rows, at).map(|(row, _)| key(row));
    starts.sort_unstable_by(|a, b| key_at(*a).cmp(&key_at(*b)));
    starts
}

/// The runs of several sorters.
#[derive(Debug, Default)]
pub struct Runs {
    memory: Vec<(Vec<u8>, Vec<usize>)>,
    files: Vec<File>,
}

impl Runs {
    /// Takes over what a sorter has collected.
    pub fn add(&mut self, sorter: Sorter) {
        let order = sorted(&sorter.rows);
        self.memory.push((sorter.rows, order));
        self.files.extend(sorter.files);
    }

    /// All rows in the order of their keys. One merge at a time: they share the files.
    pub fn merge(&mut self) -> io::Result<Merge<'_>> {
        let mut inputs = Vec::new();
        for (rows, order) in &self.memory {
            inputs.push(Input::Memory {
                rows,
                order: order.iter(),
            });
        }
        for file in &mut self.files {
            file.seek(SeekFrom::Start(0))?;
            let file = BufReader::with_capacity(MERGE_BUFFER_BYTES, &*file);
            inputs.push(Input::File { file });
        }
        let mut merge = Merge {
            inputs,
            heads: BinaryHeap::new(),
            spare: None,
        };
        for input in 0..merge.inputs.len() {
            merge.refill(input, Vec::new())?;
        }
        Ok(merge)
    }
}

enum Input<'r> {
    Memory {
        rows: &'r [u8],
        order: std::slice::Iter<'r, usize>,
    },
    File {
        file: BufReader<&'r File>,
    },
}

impl Input<'_> {
    /// Replaces `row` by the next one; whether there was one.
    fn next(&mut self, row: &mut Vec<u8>) -> io::Result<bool> {
        row.clear();
        match self {
            Self::Memory { rows, order } => {
                let next = order.next().and_then(|start| row_at(rows, *start));
                row.extend_from_slice(next.map_or(&[], |(row, _)| row));
                Ok(next.is_some())
            }
            Self::File { file } => {
                let mut length = [0; 4];
                match file.read_exact(&mut length) {
                    Ok(()) => {}
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
                    Err(error) => return Err(error),
                }
                let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
                if length > ROW_BYTES_MAX {
                    return Err(io::Error::other("a temporary file is damaged"));
                }
                row.resize(length, 0);
                file.read_exact(row)?;
                Ok(true)
            }
        }
    }
}

/// Rows in the order of their keys.
pub struct Merge<'r> {
    inputs: Vec<Input<'r>>,
    heads: BinaryHeap<Head>,
    spare: Option<Head>,
}

impl Merge<'_> {
    /// The next row, behind its length.
    pub fn next_row(&mut self) -> io::Result<Option<&[u8]>> {
        if let Some(Head { input, row }) = self.spare.take() {
            self.refill(input, row)?;
        }
        self.spare = self.heads.pop();
        Ok(self.current())
    }

    /// The row that was asked for last.
    pub fn current(&self) -> Option<&[u8]> {
        self.spare.as_ref().map(|head| head.row.as_slice())
    }

    fn refill(&mut self, input: usize, mut row: Vec<u8>) -> io::Result<()> {
        if let Some(from) = self.inputs.get_mut(input)
            && from.next(&mut row)?
        {
            self.heads.push(Head { input, row });
        }
        Ok(())
    }
}

/// The first row of an input; the heap's greatest is the one with the smallest key.
struct Head {
    input: usize,
    row: Vec<u8>,
}

impl Ord for Head {
    fn cmp(&self, other: &Self) -> Ordering {
        let mine = (key(&self.row), self.input);
        (key(&other.row), other.input).cmp(&mine)
    }
}

impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Head {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Head {}
