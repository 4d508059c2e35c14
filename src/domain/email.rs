//! Email addresses: the canonical form that identifies, and the folded form that only hints.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

/// Longest address accepted, in bytes (RFC 5321 with the erratum of RFC 3696).
pub const EMAIL_BYTES_MAX: usize = 254;
/// Longest local part that mail is sent to, in bytes (RFC 5321 §4.5.3.1.1).
const LOCAL_BYTES_MAX: usize = 64;
/// Longest part of a domain between dots, in bytes (RFC 1035 §2.3.4).
const LABEL_BYTES_MAX: usize = 63;

/// An address trimmed, NFC, domain as lower-case IDNA ASCII, local part ASCII lower-case.
///
/// `+tags` and dots stay: they are hints of one person, not proof.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
#[schemars(inline)]
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

    /// Whether mail may be sent to it: one plain mailbox in ASCII, nothing that a mail server
    /// could take for a name, a comment, a route or a second address.
    pub fn is_mailbox(&self) -> bool {
        let Some((local, domain)) = self.0.rsplit_once('@') else {
            return false;
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c);
        let label_fits = |label: &str| {
            (1..=LABEL_BYTES_MAX).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'-')
        };
        local.len() <= LOCAL_BYTES_MAX
            && local.chars().all(plain)
            && !local.split('.').any(str::is_empty)
            && domain.contains('.')
            && domain.split('.').all(label_fits)
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
        for text in ["a.na+b.c@gmail.com", "a+b+c@x.de", "é+@googlemail.com"] {
            let folded = CanonicalEmail::parse(text).unwrap().folded();
            let again = CanonicalEmail::parse(&folded).unwrap().folded();
            assert_eq!(again, folded, "{text}: folded once and for all");
        }
        assert_eq!(email("ana@example.com").masked(), "a***@e***.com");
    }

    #[test]
    fn mail_is_sent_to_one_plain_mailbox() {
        let is_mailbox = |text| CanonicalEmail::parse(text).is_some_and(|e| e.is_mailbox());
        for good in [
            "ana@example.com",
            " Ana.Lima+x@Example.COM ",
            "ana@bücher.example",
            "o'neill@example.co.uk",
        ] {
            assert!(is_mailbox(good), "{good}");
        }
        let long = format!("{}@example.com", "a".repeat(65));
        let longer = format!("ana@{}.com", "a".repeat(64));
        for bad in [
            "",
            "ana",
            "ana@localhost",
            "ana@example.com\r\nBcc: eve@example.com",
            "ana@example.com\nBcc: eve@example.com",
            "ana@example.com, eve@example.com",
            "ana@example.com;eve@example.com",
            "ana@example.com eve@example.com",
            "Ana <ana@example.com>",
            "<ana@example.com>",
            "\"ana\"@example.com",
            "\"a@b\"@example.com",
            "ana(comment)@example.com",
            "ana@[127.0.0.1]",
            "ana..lima@example.com",
            ".ana@example.com",
            "ana@-example.com",
            "ana@example..com",
            "аna@example.com", // Cyrillic
            "ana\u{202e}@example.com",
            "ana\0@example.com",
            "ana@exam\u{ad}ple\u{200b}.c\u{2028}om",
            &long,
            &longer,
        ] {
            assert!(!is_mailbox(bad), "{bad:?}");
        }
    }
}
