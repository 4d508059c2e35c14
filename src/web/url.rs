//! Addresses: ids are any text, so they are encoded wherever they become part of one.

use std::fmt::Write as _;

/// Text as one segment of a path, or as a value of a query (RFC 3986 §2.3: everything but the
/// unreserved characters is encoded).
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// `/referrals/ref_1`: a folder and an id.
pub fn at(folder: &str, id: impl AsRef<str>) -> String {
    format!("{folder}/{}", encode(id.as_ref()))
}

/// A path with a query of those values that are not empty.
pub fn with(path: &str, query: &[(&str, &str)]) -> String {
    let mut out = path.to_owned();
    let given = query.iter().filter(|(_, value)| !value.is_empty());
    for (index, (name, value)) in given.enumerate() {
        out.push(if index == 0 { '?' } else { '&' });
        let _ = write!(out, "{}={}", encode(name), encode(value));
    }
    out
}

/// The address of a promoter.
pub fn promoter(id: impl AsRef<str>) -> String {
    at("/promoters", id)
}

/// The address of a referral.
pub fn referral(id: impl AsRef<str>) -> String {
    at("/referrals", id)
}

/// The address of a batch.
pub fn batch(id: impl AsRef<str>) -> String {
    at("/admin/batches", id)
}

/// The address of a user.
pub fn user(id: impl AsRef<str>) -> String {
    at("/admin/users", id)
}

/// The address of a campaign.
pub fn campaign(id: impl AsRef<str>) -> String {
    at("/campaigns", id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_any_text() {
        assert_eq!(
            referral("coupon:spring:guest:a/b@x.de"),
            "/referrals/coupon%3Aspring%3Aguest%3Aa%2Fb%40x.de"
        );
        assert_eq!(
            with(
                "/referrals",
                &[("q", "a b&c"), ("state", ""), ("after", "ü")]
            ),
            "/referrals?q=a%20b%26c&after=%C3%BC"
        );
    }
}
