//! CSV for spreadsheets. A cell that a spreadsheet would run as a formula is made plain text;
//! every export of the pages goes through here.

use axum::body::{Body, Bytes};
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use tokio::sync::mpsc;

use crate::store::StoreError;

/// A cell's text as it may stand in a spreadsheet: what begins like a formula gets an
/// apostrophe in front, which spreadsheets read as "this is text".
///
/// Source: OWASP, "CSV Injection": `=`, `+`, `-`, `@`, tab and carriage return.
pub fn cell(text: &str) -> String {
    let formula = |c: char| matches!(c, '=' | '+' | '-' | '@' | '\t' | '\r' | '\n');
    // Spreadsheets drop leading blanks before they look.
    let seen = text.trim_start_matches([' ', '\u{feff}', '\u{a0}']);
    let begins = seen.starts_with(formula) || text.starts_with(formula);
    let number = seen.strip_prefix('-').is_some_and(is_number);
    if begins && !number {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

/// Digits with a point at most: a negative amount stays a number.
fn is_number(text: &str) -> bool {
    let digit = |b: u8| b.is_ascii_digit() || b == b'.';
    !text.is_empty() && text.bytes().all(digit)
}

/// One line, quoted where it has to be (RFC 4180).
pub fn line<I, T>(cells: I) -> String
where
    I: IntoIterator<Item = T>,
    T: AsRef<str>,
{
    let mut out = String::new();
    for (index, text) in cells.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        let text = cell(text.as_ref());
        if text.contains(['"', ',', '\n', '\r']) {
            out.push('"');
            out.push_str(&text.replace('"', "\"\""));
            out.push('"');
        } else {
            out.push_str(&text);
        }
    }
    out.push_str("\r\n");
    out
}

/// Pieces of a download that wait for a slow reader, at most.
const PIECES_MAX: usize = 2;

/// A download that is fetched page by page: `fetch` takes where the last page ended, and gives
/// lines and where the next one begins. A failure ends it, and the browser says so. The pages
/// are fetched in a task of their own, so that a reader who goes away cuts no transaction.
pub fn paged<C, F, W>(name: &str, columns: &[&str], fetch: F) -> Response
where
    C: Send + 'static,
    F: Fn(Option<C>) -> W + Send + 'static,
    W: Future<Output = Result<(String, Option<C>), StoreError>> + Send + 'static,
{
    let (sender, receiver) = mpsc::channel::<Result<Bytes, StoreError>>(PIECES_MAX);
    let head = line(columns);
    tokio::spawn(async move {
        if sender.send(Ok(Bytes::from(head))).await.is_err() {
            return;
        }
        let mut after = None;
        loop {
            let (piece, next) = match fetch(after.take()).await {
                Ok((text, next)) => (Ok(Bytes::from(text)), next),
                Err(error) => {
                    tracing::error!(%error, "a download failed");
                    (Err(error), None)
                }
            };
            if sender.send(piece).await.is_err() || next.is_none() {
                return;
            }
            after = next;
        }
    });
    let pieces = stream::unfold(receiver, |mut receiver| async move {
        let piece = receiver.recv().await?;
        Some((piece, receiver))
    });
    let mut response = Body::from_stream(pieces).into_response();
    let headers = response.headers_mut();
    let media = HeaderValue::from_static("text/csv; charset=utf-8");
    headers.insert(CONTENT_TYPE, media);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let place = format!("attachment; filename=\"{name}.csv\"");
    if let Ok(place) = HeaderValue::from_str(&place) {
        headers.insert(CONTENT_DISPOSITION, place);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_run_is_made_text() {
        for (text, shown) in [
            ("=HYPERLINK(\"x\")", "'=HYPERLINK(\"x\")"),
            ("+1", "'+1"),
            ("-1+1", "'-1+1"),
            ("-", "'-"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\tx", "'\tx"),
            ("\r=1", "'\r=1"),
            (" =1", "' =1"),
            ("-12.40", "-12.40"),
            ("ana@example.com", "ana@example.com"),
            ("", ""),
            ("12.40", "12.40"),
        ] {
            assert_eq!(cell(text), shown, "{text:?}");
        }
    }

    #[test]
    fn a_line_is_quoted_where_needed() {
        assert_eq!(line(["a", "b,c", "d\"e"]), "a,\"b,c\",\"d\"\"e\"\r\n");
        assert_eq!(line(["=1,2"]), "\"'=1,2\"\r\n");
    }
}
