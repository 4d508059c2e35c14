//! Lines of bounded length from anything that can be read. A line that is too long is passed
//! over without being held; what a line means is the caller's business.

use std::io::{self, BufRead};

/// Longest line that is read, in bytes. Stripe's events are a few kB, rarely more than 100.
pub const LINE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The next line.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    /// A line, in the buffer, without its ending.
    Text,
    /// A line of more than [`LINE_BYTES_MAX`] bytes, passed over.
    TooLong,
    /// There is no more.
    End,
}

/// Reads the next line into `buffer`, replacing what was there.
pub fn next_line(
    input: &mut dyn BufRead,
    buffer: &mut Vec<u8>,
    bytes_max: usize,
) -> io::Result<Line> {
    buffer.clear();
    let (mut any, mut too_long) = (false, false);
    loop {
        let available = match input.fill_buf() {
            Ok(available) => available,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if available.is_empty() {
            break;
        }
        any = true;
        let end = memchr::memchr(b'\n', available);
        let part = available.get(..end.unwrap_or(available.len()));
        let part = part.unwrap_or_default();
        too_long |= buffer.len().saturating_add(part.len()) > bytes_max;
        if too_long {
            buffer.clear();
        } else {
            buffer.extend_from_slice(part);
        }
        let used = part.len() + usize::from(end.is_some());
        input.consume(used);
        if end.is_some() {
            break;
        }
    }
    if buffer.last() == Some(&b'\r') {
        buffer.pop();
    }
    Ok(match (any, too_long) {
        (false, _) => Line::End,
        (true, true) => Line::TooLong,
        (true, false) => Line::Text,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_passed_over_and_the_rest_is_read() {
        let text = b"ab\r\nabcdef\n\nxyz";
        // A tiny buffer, so that lines come in parts.
        let mut input = io::BufReader::with_capacity(2, text.as_slice());
        let mut buffer = Vec::new();
        let mut seen = Vec::new();
        loop {
            let line = next_line(&mut input, &mut buffer, 5).unwrap();
            if line == Line::End {
                break;
            }
            seen.push((line, String::from_utf8(buffer.clone()).unwrap()));
        }
        let expected = [
            (Line::Text, "ab"),
            (Line::TooLong, ""),
            (Line::Text, ""),
            (Line::Text, "xyz"),
        ];
        assert_eq!(seen, expected.map(|(l, t)| (l, t.to_owned())));
    }
}
