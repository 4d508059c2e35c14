//! One JSON value on one line: white space between tokens is left out, every token stays as it
//! is. Not a formatter: numbers, escapes and the order of keys are not touched.

use serde::de::IgnoredAny;

/// The same value without white space between its tokens; `None` if it is not JSON.
pub fn compact(body: &[u8]) -> Option<Vec<u8>> {
    serde_json::from_slice::<IgnoredAny>(body).ok()?;
    let (mut in_string, mut escaped) = (false, false);
    let mut line = Vec::with_capacity(body.len());
    for byte in body.iter().copied() {
        if in_string {
            in_string = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
        } else if matches!(byte, b' ' | b'\t' | b'\r' | b'\n') {
            continue;
        } else {
            in_string = byte == b'"';
        }
        line.push(byte);
    }
    Some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_space_between_tokens_goes() {
        let pretty = b"{\n  \"a b\": [1.50, \"x \\\" {\\n y\\\\\", true],\r\n\t\"c\": 1e400\n}\n";
        let line = compact(pretty).unwrap();
        let text = std::str::from_utf8(&line).unwrap();
        assert_eq!(text, r#"{"a b":[1.50,"x \" {\n y\\",true],"c":1e400}"#);
        assert_eq!(compact(&line).unwrap(), line);
        for bad in [&b"{"[..], b"", b"{\"a\":1}{}", b"\xff"] {
            assert_eq!(compact(bad), None);
        }
    }
}
