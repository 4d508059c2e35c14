//! "Did you mean": the nearest accepted word, when one is near enough to be worth saying.
//! Nothing is ever corrected silently.

/// Words longer than this get no suggestion; no key or value of ours is that long.
const WORD_CHARS_MAX: usize = 40;

/// Letters that make a beginning telling enough.
const BEGINNING_CHARS_MIN: usize = 4;

/// The accepted word nearest to what was written, if at most a third of it is wrong.
pub(super) fn nearest<'w>(written: &str, accepted: &[&'w str]) -> Option<&'w str> {
    let written = written.to_lowercase().replace(['-', ' '], "_");
    let length = written.chars().count();
    if length > WORD_CHARS_MAX {
        return None;
    }
    let beginning = accepted
        .iter()
        .find(|word| length >= BEGINNING_CHARS_MIN && word.starts_with(&written));
    if let Some(word) = beginning {
        return Some(word);
    }
    accepted
        .iter()
        .map(|word| (strsim::damerau_levenshtein(&written, word), *word))
        .filter(|(distance, word)| *distance * 3 <= length.max(word.chars().count()).max(3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// `a, b or c`.
pub(super) fn any_of(words: &[&str]) -> String {
    joined(words, "or")
}

/// `a, b and c`.
pub(super) fn all_of(words: &[&str]) -> String {
    joined(words, "and")
}

fn joined(words: &[&str], conjunction: &str) -> String {
    match words.split_last() {
        None => String::new(),
        Some((last, [])) => (*last).to_owned(),
        Some((last, rest)) => format!("{} {conjunction} {last}", rest.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_suggested_and_far_ones_are_not() {
        let keys = ["within_days", "hold_days", "spend"];
        assert_eq!(nearest("within_day", &keys), Some("within_days"));
        assert_eq!(nearest("Within-Days", &keys), Some("within_days"));
        assert_eq!(nearest("spned", &keys), Some("spend"));
        assert_eq!(nearest("with", &keys), Some("within_days"), "a beginning");
        assert_eq!(nearest("colour", &keys), None);
        assert_eq!(nearest(&"w".repeat(10_000), &keys), None);
        assert_eq!(any_of(&["a", "b", "c"]), "a, b or c");
    }
}
