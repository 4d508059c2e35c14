//! The little of Markdown that the document's words use, as HTML: paragraphs, lists, `code` and
//! **strong**.

use std::fmt::Write as _;

use askama::filters::{Html, escape};

/// Text as paragraphs and lists.
pub(super) fn blocks(text: &str) -> String {
    let mut html = String::new();
    for block in text.trim().split("\n\n") {
        if block.starts_with("- ") {
            let items = block
                .lines()
                .map(|item| line(item.trim_start_matches("- ")));
            let items: Vec<String> = items.collect();
            let _ = write!(html, "<ul><li>{}</li></ul>", items.join("</li><li>"));
        } else {
            let _ = write!(html, "<p>{}</p>", line(block));
        }
    }
    html
}

/// One line of text.
pub(super) fn line(text: &str) -> String {
    let escaped = escape(text, Html).map(|text| text.to_string());
    let mut html = String::new();
    for (position, piece) in escaped.unwrap_or_default().split('`').enumerate() {
        if position % 2 == 1 {
            let _ = write!(html, "<code>{piece}</code>");
            continue;
        }
        html.push_str(piece);
    }
    let mut strong = String::new();
    for (position, piece) in html.split("**").enumerate() {
        match position {
            0 => {}
            odd if odd % 2 == 1 => strong.push_str("<strong>"),
            _ => strong.push_str("</strong>"),
        }
        strong.push_str(piece);
    }
    strong
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_become_html_and_nothing_else_does() {
        assert_eq!(
            line("a < `b` **c**"),
            "a &#60; <code>b</code> <strong>c</strong>"
        );
        assert_eq!(line("**`A`** b"), "<strong><code>A</code></strong> b");
        assert_eq!(
            blocks("a\n\n- b\n- c"),
            "<p>a</p><ul><li>b</li><li>c</li></ul>"
        );
    }
}
