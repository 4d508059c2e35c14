//! Guards in front of the JSON parser. Not a parser: it only counts brackets.

/// Deepest nesting accepted. Stripe expands four levels at most, which nests about 20 deep.
pub const DEPTH_MAX: usize = 64;

/// Whether a text nests its brackets no deeper than [`DEPTH_MAX`].
///
/// The parser skips unknown fields without recursion, so its own limit does not see them;
/// whatever reads the stored body later might.
pub fn depth_is_acceptable(text: &str) -> bool {
    // Nearly every event has fewer brackets in all; counting them takes a tenth of the time.
    if opening_brackets(text.as_bytes()) <= DEPTH_MAX {
        return true;
    }
    let mut depth = 0_usize;
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'{' | b'[' => {
                depth += 1;
                if depth > DEPTH_MAX {
                    return false;
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => skip_string(&mut bytes),
            _ => {}
        }
    }
    true
}

/// How many brackets open. In pieces whose count fits into a byte the compiler makes it a loop
/// over many bytes at once.
fn opening_brackets(bytes: &[u8]) -> usize {
    // The two differ in one bit, and no other byte becomes a brace by it.
    let opens = |byte: &u8| u8::from(byte | (b'[' ^ b'{') == b'{');
    let pieces = bytes.chunks(usize::from(u8::MAX));
    pieces.fold(0_usize, |sum, piece| {
        let count = piece
            .iter()
            .fold(0_u8, |count, byte| count.wrapping_add(opens(byte)));
        sum.saturating_add(usize::from(count))
    })
}

fn skip_string(bytes: &mut std::str::Bytes<'_>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => return,
            b'\\' => {
                bytes.next();
            }
            _ => {}
        }
    }
}

/// A text cut to a length that is fit for a message.
pub fn shortened(text: &str) -> String {
    const CHARS_MAX: usize = 60;
    let mut short: String = text
        .chars()
        .filter(|c| !c.is_control())
        .take(CHARS_MAX)
        .collect();
    if text.chars().nth(CHARS_MAX).is_some() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_real_brackets_count() {
        let nested = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert!(depth_is_acceptable(&nested(DEPTH_MAX)));
        assert!(!depth_is_acceptable(&nested(DEPTH_MAX + 1)));
        assert!(!depth_is_acceptable(&nested(10_000)));
        assert!(depth_is_acceptable(&"[]".repeat(1_000)));
        let quoted = format!(r#"{{"a\"b":"{}"}}"#, "[".repeat(1_000));
        assert!(depth_is_acceptable(&quoted));
        assert!(depth_is_acceptable("\"unfinished \\"));
    }

    #[test]
    fn every_opening_bracket_is_counted_and_nothing_else() {
        let all: Vec<u8> = (0..=u8::MAX).collect();
        assert_eq!(opening_brackets(&all), 2);
        assert_eq!(opening_brackets(&b"{[".repeat(500)), 1_000);
        assert_eq!(opening_brackets(b""), 0);
    }

    #[test]
    fn long_texts_are_cut() {
        assert_eq!(shortened("char\0ge"), "charge");
        assert_eq!(shortened(&"é".repeat(61)).chars().count(), 61);
    }
}
