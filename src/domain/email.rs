//! Email addresses: the canonical form that identifies, and the folded form that only hints.

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

/// Longest address accepted, in bytes (RFC 5321 with the erratum of RFC 3696).
pub const EMAIL_BYTES_MAX: usize = 254;

/// An address trimmed, NFC, domain as lower-case IDNA ASCII, local part ASCII lower-case.
///
/// `+tags` and dots stay: they are hints of one person, not proof.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CanonicalEmail(String);

impl CanonicalEmail {
    /// Reads an address; `None` if it has no usable local part and domain.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.len() > EMAIL_BYTES_MAX || text.chars().any(|c| c.is_control() || c.is_whitespace())
        {
            return None;
        }
        let (local, domain) = text.rsplit_once('@')?;
        if local.is_empty() || domain.is_empty() || local.contains('@') {
            return None;
        }
        let local: String = local.nfc().map(|c| c.to_ascii_lowercase()).collect();
        let domain = domain.nfc().collect::<String>();
        let domain = idna::domain_to_ascii(domain.trim_end_matches('.')).ok()?;
        (!domain.is_empty()).then(|| Self(format!("{local}@{domain}")))
    }

    /// An address whose text came from [`Self::as_str`], without reading it again.
    pub fn restored(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The address as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The address without `+tag`, and without dots where the provider ignores them.
    ///
    /// Equal folded forms raise suspicion (self-referral, near misses), never a match.
    pub fn folded(&self) -> String {
        let (local, domain) = self.0.rsplit_once('@').unwrap_or((&self.0, ""));
        let local = local.split('+').next().unwrap_or(local);
        match domain {
            "gmail.com" | "googlemail.com" => format!("{}@gmail.com", local.replace('.', "")),
            _ => format!("{local}@{domain}"),
        }
    }

    /// The address with all but the first letters hidden: `a***@e***.com`.
    pub fn masked(&self) -> String {
        let (local, domain) = self.0.rsplit_once('@').unwrap_or((&self.0, ""));
        let (name, ending) = domain.rsplit_once('.').unwrap_or((domain, ""));
        let first = |s: &str| s.chars().next().map(String::from).unwrap_or_default();
        let dot = if ending.is_empty() { "" } else { "." };
        format!("{}***@{}***{dot}{ending}", first(local), first(name))
    }
}

impl std::fmt::Display for CanonicalEmail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canon(text: &str) -> Option<String> {
        CanonicalEmail::parse(text).map(|e| e.to_string())
    }

    #[test]
    fn canonical_form() {
        assert_eq!(
            canon("  Ana.Lima+x@Example.COM "),
            Some("ana.lima+x@example.com".into())
        );
        assert_eq!(
            canon("ana@BÜCHER.example"),
            Some("ana@xn--bcher-kva.example".into())
        );
        assert_eq!(canon("e\u{301}@x.de"), canon("\u{e9}@x.de"), "NFC");
        let long = format!("{}@example.com", "a".repeat(250));
        for bad in [
            "",
            "ana",
            "@x.de",
            "ana@",
            "a@b@c",
            "a\r\nb@x.de",
            "a b@x.de",
            long.as_str(),
        ] {
            assert_eq!(canon(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn folding_hints_and_masking_hides() {
        let email = |t| CanonicalEmail::parse(t).unwrap();
        assert_eq!(
            email("a.na+promo@gmail.com").folded(),
            email("ana@googlemail.com").folded()
        );
        assert_ne!(
            email("a.na@example.com").folded(),
            email("ana@example.com").folded()
        );
        assert_eq!(email("ana@example.com").masked(), "a***@e***.com");
    }
}
