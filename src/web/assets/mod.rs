//! The style sheet, the script and the icon, inside the binary. Their names carry a hash of
//! what is in them, so that a browser keeps them for a year and never shows an old one.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use crate::http::Problem;

/// One file of the pages.
#[derive(Debug)]
struct Asset {
    /// `qualify-0123456789ab.css`
    name: String,
    /// Its address.
    address: String,
    media_type: &'static str,
    bytes: &'static [u8],
}

impl Asset {
    fn new(stem: &str, ending: &str, media_type: &'static str, bytes: &'static [u8]) -> Self {
        let digest = hex::encode(Sha256::digest(bytes));
        let short: String = digest.chars().take(12).collect();
        let name = format!("{stem}-{short}.{ending}");
        Self {
            address: format!("/assets/{name}"),
            name,
            media_type,
            bytes,
        }
    }
}

static CSS: LazyLock<Asset> = LazyLock::new(|| {
    let bytes = include_bytes!("qualify.css");
    Asset::new("qualify", "css", "text/css; charset=utf-8", bytes)
});
static HTMX: LazyLock<Asset> = LazyLock::new(|| {
    let bytes = include_bytes!("htmx.min.js");
    Asset::new("htmx", "js", "text/javascript; charset=utf-8", bytes)
});
static ICON: LazyLock<Asset> = LazyLock::new(|| {
    let bytes = include_bytes!("favicon.svg");
    Asset::new("icon", "svg", "image/svg+xml", bytes)
});

/// The style sheet's address.
pub fn css() -> &'static str {
    &CSS.address
}

/// The script's address.
pub fn script() -> &'static str {
    &HTMX.address
}

/// The icon's address.
pub fn icon() -> &'static str {
    &ICON.address
}

/// `GET /assets/{name}`
pub async fn serve(Path(name): Path<String>, headers: HeaderMap) -> Response {
    let all = [&*CSS, &*HTMX, &*ICON];
    let Some(asset) = all.into_iter().find(|asset| asset.name == name) else {
        return Problem::not_found("There is no such file.").into_response();
    };
    let tag = format!("\"{name}\"");
    let known = headers.get(IF_NONE_MATCH).and_then(|v| v.to_str().ok());
    let mut response = if known.is_some_and(|known| known.contains(&tag)) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        asset.bytes.into_response()
    };
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(asset.media_type));
    let year = HeaderValue::from_static("public, max-age=31536000, immutable");
    headers.insert(CACHE_CONTROL, year);
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(ETAG, tag);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_is_kept_for_a_year_and_known_by_its_hash() {
        let name = css().strip_prefix("/assets/").unwrap().to_owned();
        let first = serve(Path(name.clone()), HeaderMap::new()).await;
        assert_eq!(first.status(), 200);
        assert_eq!(first.headers()[CONTENT_TYPE], "text/css; charset=utf-8");
        assert!(
            first.headers()[CACHE_CONTROL]
                .to_str()
                .unwrap()
                .contains("immutable")
        );
        let mut again = HeaderMap::new();
        again.insert(IF_NONE_MATCH, first.headers()[ETAG].clone());
        assert_eq!(serve(Path(name), again).await.status(), 304);
        let old = Path("qualify-000000000000.css".to_owned());
        assert_eq!(serve(old, HeaderMap::new()).await.status(), 404);
    }

    #[test]
    fn the_sheet_is_small() {
        assert!(CSS.bytes.len() < 22_000, "{} bytes", CSS.bytes.len());
    }
}
