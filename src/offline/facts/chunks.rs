//! Many growing parts in one nameless temporary file, written in chunks. It vanishes with the
//! process, however that ends. What the bytes mean is not known here.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use crate::offline::streamed::temporary;

/// Bytes of a part that are held before they are written.
const CHUNK_BYTES: usize = 64 * 1024;

/// The parts.
#[derive(Debug)]
pub struct Chunks {
    file: Mutex<File>,
    end: u64,
    parts: Vec<Part>,
}

#[derive(Debug, Default)]
struct Part {
    held: Vec<u8>,
    /// (position, bytes) of what was written.
    written: Vec<(u64, usize)>,
}

impl Chunks {
    /// So many empty parts, in a file of this folder or the system's.
    pub fn new(parts: usize, folder: Option<&Path>) -> io::Result<Self> {
        Ok(Self {
            file: Mutex::new(temporary(folder)?),
            end: 0,
            parts: (0..parts).map(|_| Part::default()).collect(),
        })
    }

    /// How many parts there are.
    pub fn count(&self) -> usize {
        self.parts.len()
    }

    /// Appends what `write` appends to a part.
    pub fn push(&mut self, part: usize, write: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
        let Some(part) = self.parts.get_mut(part) else {
            return Ok(());
        };
        write(&mut part.held);
        if part.held.len() >= CHUNK_BYTES {
            let file = self.file.get_mut().unwrap_or_else(PoisonError::into_inner);
            file.seek(SeekFrom::Start(self.end))?;
            file.write_all(&part.held)?;
            part.written.push((self.end, part.held.len()));
            self.end += part.held.len() as u64;
            part.held.clear();
        }
        Ok(())
    }

    /// Everything of a part, in the order in which it came.
    pub fn read(&self, part: usize) -> io::Result<Vec<u8>> {
        let Some(part) = self.parts.get(part) else {
            return Ok(Vec::new());
        };
        let written: usize = part.written.iter().map(|(_, bytes)| bytes).sum();
        let mut all = Vec::with_capacity(written + part.held.len());
        for (position, bytes) in &part.written {
            let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
            file.seek(SeekFrom::Start(*position))?;
            let read = Read::by_ref(&mut *file)
                .take(*bytes as u64)
                .read_to_end(&mut all)?;
            if read != *bytes {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        all.extend_from_slice(&part.held);
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_come_back_whole_and_in_order() {
        let mut chunks = Chunks::new(3, None).unwrap();
        let mut expected = vec![Vec::new(); 3];
        for number in 0..100_000_u32 {
            let part = usize::try_from(number % 7 % 3).unwrap();
            let bytes = number.to_be_bytes();
            expected[part].extend_from_slice(&bytes);
            chunks
                .push(part, |out| out.extend_from_slice(&bytes))
                .unwrap();
        }
        for (part, expected) in expected.iter().enumerate() {
            assert_eq!(chunks.read(part).unwrap(), *expected);
        }
    }
}
