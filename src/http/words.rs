//! Words as people read them: errors are written as half a sentence, so that they can stand
//! behind others in a log, and become whole ones where they are answered.

/// The same words with a capital at the beginning.
pub fn capital(words: &str) -> String {
    let mut letters = words.chars();
    let first = letters.next().map(|c| c.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

/// The same words with a capital at the beginning and an end.
pub fn sentence(words: &str) -> String {
    let end = if words.ends_with(['.', '?']) { "" } else { "." };
    capital(words) + end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_begins_and_ends_once() {
        assert_eq!(sentence("it is off"), "It is off.");
        assert_eq!(sentence("Really?"), "Really?");
        assert_eq!(sentence("it is off."), "It is off.");
        assert_eq!(capital("über"), "über", "only letters of ASCII are changed");
        assert_eq!(capital(""), "");
    }
}
