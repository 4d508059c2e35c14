//! Opens what a command line names: a file, `-` for stdin, gzip or not.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

/// The first bytes of a gzip stream (RFC 1952, 2.3.1).
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
/// Bytes read from the disk at a time.
const BUFFER_BYTES: usize = 256 * 1024;

/// Something opened, with the name that messages use.
pub struct Source {
    /// `events.jsonl`, or `stdin`.
    pub name: String,
    /// What is in it, decompressed.
    pub input: Box<dyn BufRead + Send>,
}

/// Opens a path. Gzip is recognised by its ending or by its first bytes, so that it may also
/// come through stdin or under another name.
pub fn open(path: &Path) -> io::Result<Source> {
    if path == Path::new("-") {
        return Ok(Source {
            name: "stdin".to_owned(),
            input: decompressed(Box::new(io::stdin()), false)?,
        });
    }
    let named_gz = path
        .extension()
        .is_some_and(|ending| ending.eq_ignore_ascii_case("gz"));
    Ok(Source {
        name: path.display().to_string(),
        input: decompressed(Box::new(File::open(path)?), named_gz)?,
    })
}

fn decompressed(raw: Box<dyn Read + Send>, named_gz: bool) -> io::Result<Box<dyn BufRead + Send>> {
    let mut raw = BufReader::with_capacity(BUFFER_BYTES, raw);
    let start = raw.fill_buf()?;
    let empty = start.is_empty();
    if !empty && (named_gz || start.starts_with(&GZIP_MAGIC)) {
        // Several members one after the other are one file (`cat a.gz b.gz`).
        let plain = MultiGzDecoder::new(raw);
        return Ok(Box::new(BufReader::with_capacity(BUFFER_BYTES, plain)));
    }
    Ok(Box::new(raw))
}
