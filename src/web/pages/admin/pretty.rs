//! JSON as it was received, laid out to be read: only blanks between its parts are changed, so
//! that numbers, order and spelling stay what they were.

/// Bytes that are shown at most.
const SHOWN_BYTES_MAX: usize = 256 * 1024;
/// Deeper than this nothing is indented further.
const DEPTH_MAX: usize = 24;

/// A body as text, and whether all of it is shown.
pub(crate) fn body(bytes: &[u8]) -> (String, bool) {
    let shown = bytes.get(..SHOWN_BYTES_MAX).unwrap_or(bytes);
    let text = String::from_utf8_lossy(shown);
    let whole = shown.len() == bytes.len();
    if serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_err() {
        return (text.into_owned(), whole);
    }
    (laid_out(&text), whole)
}

/// Each member and element on a line of its own.
fn laid_out(json: &str) -> String {
    let mut out = String::with_capacity(json.len().saturating_mul(2));
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    let mut parts = json.chars().peekable();
    while let Some(part) = parts.next() {
        if in_text {
            out.push(part);
            in_text = escaped || part != '"';
            escaped = !escaped && part == '\\';
            continue;
        }
        match part {
            '"' => {
                in_text = true;
                out.push(part);
            }
            '{' | '[' => {
                out.push(part);
                while parts.next_if(char::is_ascii_whitespace).is_some() {}
                if let Some(end) = parts.next_if(|c| matches!(c, '}' | ']')) {
                    out.push(end);
                } else {
                    depth = depth.saturating_add(1);
                    line(&mut out, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                line(&mut out, depth);
                out.push(part);
            }
            ',' => {
                out.push(part);
                line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            blank if blank.is_ascii_whitespace() => {}
            other => out.push(other),
        }
    }
    out
}

fn line(out: &mut String, depth: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n("  ", depth.min(DEPTH_MAX)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_blanks_are_changed() {
        let json = r#"{"b":1.50,"a":[ ],"c":{"x":"a,b:{\"}","y":[1,{"z":null}]},"e":{ }}"#;
        insta::assert_snapshot!(body(json.as_bytes()).0, @r#"
        {
          "b": 1.50,
          "a": [],
          "c": {
            "x": "a,b:{\"}",
            "y": [
              1,
              {
                "z": null
              }
            ]
          },
          "e": {}
        }
        "#);
    }

    #[test]
    fn what_is_no_json_is_shown_as_it_is() {
        assert_eq!(body(b"{\"a\":"), ("{\"a\":".to_owned(), true));
        assert_eq!(body(b"\xff").0, "\u{fffd}");
        let deep = [vec![b'['; 90], vec![b']'; 90]].concat();
        assert!(body(&deep).0.len() < 20_000);
        let long = vec![b' '; SHOWN_BYTES_MAX + 1];
        assert!(!body(&long).1);
    }
}
