//! The `Stripe-Signature` header: verifying it, and making one for tests and demos.
//! It looks at raw bytes only and reads no clock. Source: Stripe, "Verify webhook
//! signatures manually" and the official SDKs.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::domain::time::Timestamp;

/// How old a signature may be, in seconds: the default of Stripe's SDKs.
pub const TOLERANCE_SECONDS: i64 = 300;

/// A signature that holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// Which of the secrets matched, the first one if several did.
    pub secret_index: usize,
    /// When Stripe signed.
    pub signed_at: Timestamp,
    /// `signed_at - now` in seconds. Positive: our clock is behind Stripe's.
    pub skew_seconds: i64,
}

/// Why a delivery is not accepted as Stripe's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// No header, or a blank one.
    #[error(
        "there is no Stripe-Signature header; check that the request comes from Stripe and that no proxy removes the header"
    )]
    Missing,
    /// Not the form `t=<unix seconds>,v1=<hex>`.
    #[error(
        "the Stripe-Signature header is malformed: {0}; expected `t=<unix seconds>,v1=<hex>`, check that no proxy rewrites it"
    )]
    Malformed(&'static str),
    /// No `v1` fits any secret.
    #[error(
        "no v1 signature fits any webhook secret; check that the whsec_ secret is this endpoint's own (live and test differ, and so does `stripe listen`) and that no proxy changes the body"
    )]
    Mismatch,
    /// It fits, but was made too long ago.
    #[error(
        "the signature was made at {signed_at}, more than {TOLERANCE_SECONDS} seconds before {now}; check this machine's clock, and whether something holds requests back or replays them"
    )]
    Expired {
        /// When Stripe signed.
        signed_at: Timestamp,
        /// Our clock.
        now: Timestamp,
    },
}

impl SignatureError {
    /// The stable code of answers, logs and metrics.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Missing => "signature_missing",
            Self::Malformed(_) => "signature_malformed",
            Self::Mismatch => "signature_mismatch",
            Self::Expired { .. } => "signature_expired",
        }
    }
}

/// A signing secret, ready to be used: what depends on the secret alone is worked out.
#[derive(Clone)]
pub struct SigningKey {
    /// Always there: HMAC takes keys of any length.
    mac: Option<Hmac<Sha256>>,
    /// A blank secret signs, but never matches.
    is_blank: bool,
}

impl SigningKey {
    /// The key is the whole `whsec_…` text.
    pub fn new(secret: &str) -> Self {
        Self {
            mac: Hmac::new_from_slice(secret.as_bytes()).ok(),
            is_blank: secret.trim().is_empty(),
        }
    }

    /// Lower-case hex of HMAC-SHA256 over `"{time}.{body}"`.
    fn v1(&self, time: &str, body: &[u8]) -> Option<[u8; 64]> {
        let mut mac = self.mac.clone()?;
        mac.update(time.as_bytes());
        mac.update(b".");
        mac.update(body);
        let mut text = [0; 64];
        hex::encode_to_slice(mac.finalize().into_bytes(), &mut text).ok()?;
        Some(text)
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Whether Stripe signed these bytes with one of the secrets, not long ago.
///
/// Every `v1` is compared with every secret in constant time; other schemes (`v0`) are
/// ignored; a blank secret never matches. Times in the future are accepted, as Stripe's
/// SDKs do; the caller warns about the skew. A malformed header is reported before a
/// mismatch, a mismatch before an expired signature.
pub fn verify(
    header: Option<&[u8]>,
    body: &[u8],
    keys: &[SigningKey],
    now: Timestamp,
) -> Result<Verified, SignatureError> {
    let header = header.ok_or(SignatureError::Missing)?;
    if header.trim_ascii().is_empty() {
        return Err(SignatureError::Missing);
    }
    let header = Header::parse(header)?;
    let mut matched = None;
    for (index, key) in keys.iter().enumerate() {
        if key.is_blank {
            continue;
        }
        let Some(expected) = key.v1(header.time_text, body) else {
            continue;
        };
        let fits = header
            .signatures()
            .fold(subtle::Choice::from(0), |fits, given| {
                fits | given.as_bytes().ct_eq(&expected)
            });
        if bool::from(fits) && matched.is_none() {
            matched = Some(index);
        }
    }
    let secret_index = matched.ok_or(SignatureError::Mismatch)?;
    let signed_at = header.signed_at;
    let skew_seconds = signed_at.unix().saturating_sub(now.unix());
    if skew_seconds < -TOLERANCE_SECONDS {
        return Err(SignatureError::Expired { signed_at, now });
    }
    Ok(Verified {
        secret_index,
        signed_at,
        skew_seconds,
    })
}

/// The whole header value with which Stripe would sign this body at that time.
pub fn sign(secret: &str, body: &[u8], at: Timestamp) -> String {
    let time = at.unix().to_string();
    let signature = SigningKey::new(secret).v1(&time, body);
    let signature = signature.as_ref().map(|hex| String::from_utf8_lossy(hex));
    format!("t={time},v1={}", signature.unwrap_or_default())
}

/// A header that has one `t` and at least one `v1`.
struct Header<'a> {
    text: &'a str,
    time_text: &'a str,
    signed_at: Timestamp,
}

impl<'a> Header<'a> {
    fn parse(header: &'a [u8]) -> Result<Self, SignatureError> {
        use SignatureError::Malformed;
        let text = std::str::from_utf8(header).map_err(|_| Malformed("it is not text"))?;
        let mut time_text = None;
        let mut has_v1 = false;
        for item in text.split(',') {
            let (scheme, value) = item
                .trim()
                .split_once('=')
                .ok_or(Malformed("a part has no `=`"))?;
            match scheme {
                "t" if time_text.is_some() => return Err(Malformed("it has two `t`")),
                "t" => time_text = Some(value),
                "v1" => has_v1 = true,
                _ => {}
            }
        }
        let time_text = time_text.ok_or(Malformed("it has no `t`"))?;
        let signed_at = Some(time_text)
            .filter(|t| t.bytes().all(|b| b.is_ascii_digit()))
            .and_then(|t| t.parse().ok())
            .and_then(Timestamp::from_unix)
            .ok_or(Malformed("`t` is not a time in unix seconds"))?;
        if !has_v1 {
            return Err(Malformed("it has no `v1`"));
        }
        Ok(Self {
            text,
            time_text,
            signed_at,
        })
    }

    fn signatures(&self) -> impl Iterator<Item = &'a str> {
        self.text
            .split(',')
            .filter_map(|item| item.trim().strip_prefix("v1="))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_one";
    const BODY: &[u8] = b"{\"id\":\"evt_1\"}\n";

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix(seconds).unwrap()
    }

    fn keys(secrets: &[&str]) -> Vec<SigningKey> {
        secrets
            .iter()
            .map(|secret| SigningKey::new(secret))
            .collect()
    }

    fn hex_of(header: &str) -> &str {
        header.split_once("v1=").unwrap().1
    }

    #[test]
    fn a_known_signature() {
        // Computed with `printf '1700000000.{}' | openssl dgst -sha256 -hmac whsec_test`.
        assert_eq!(
            sign("whsec_test", b"{}", at(1_700_000_000)),
            "t=1700000000,v1=35495024f4ef3f94e5a93e22221544c4b75e9a42300cd965ab81cb85cd994e91"
        );
    }

    #[test]
    fn headers_and_what_becomes_of_them() {
        let now = at(1_700_000_000);
        let good = sign(SECRET, BODY, now);
        let hex = hex_of(&good);
        let old = sign(SECRET, BODY, at(1_700_000_000 - 301));
        let two_v1 = format!("t=1700000000,v1={},v1={hex}", "0".repeat(64));
        let v0_only = format!("t=1700000000,v0={hex}");
        let with_v0 = format!("t=1700000000,v0=zz,v1={hex}");
        let spaced = format!("t=1700000000, v1={hex}");
        let upper = format!("t=1700000000,v1={}", hex.to_ascii_uppercase());
        let short = format!("t=1700000000,v1={}", &hex[..63]);
        let two_t = format!("t=1,t=1700000000,v1={hex}");
        let not_a_time = format!("t=12x,v1={hex}");
        let signed_time = format!("t=+1700000000,v1={hex}");
        let huge_time = format!("t=99999999999999999999,v1={hex}");
        let no_t = format!("v1={hex}");
        let trailing = format!("{good},");
        let other_time = format!("t=1700000001,v1={hex}");
        let stale_and_wrong = format!("t=5,v1={hex}");
        let cases: [(&str, &str); 20] = [
            (&good, "ok"),
            (&two_v1, "ok"),
            (&with_v0, "ok"),
            (&spaced, "ok"),
            ("", "signature_missing"),
            ("  ", "signature_missing"),
            ("nonsense", "signature_malformed"),
            (&v0_only, "signature_malformed"),
            (&two_t, "signature_malformed"),
            (&not_a_time, "signature_malformed"),
            (&signed_time, "signature_malformed"),
            (&huge_time, "signature_malformed"),
            (&no_t, "signature_malformed"),
            ("t=1700000000", "signature_malformed"),
            ("t=,v1=00", "signature_malformed"),
            (&trailing, "signature_malformed"),
            (&upper, "signature_mismatch"),
            (&short, "signature_mismatch"),
            (&other_time, "signature_mismatch"),
            (&stale_and_wrong, "signature_mismatch"),
        ];
        for (header, expected) in cases {
            let code = verify(Some(header.as_bytes()), BODY, &keys(&[SECRET]), now)
                .map_or_else(|e| e.code(), |_| "ok");
            assert_eq!(code, expected, "{header}");
        }
        let none = verify(None, BODY, &keys(&[SECRET]), now);
        assert_eq!(none, Err(SignatureError::Missing));
        let binary = verify(Some(b"t=1,v1=\xff"), BODY, &keys(&[SECRET]), now);
        assert!(matches!(binary, Err(SignatureError::Malformed(_))));
        let expired = verify(Some(old.as_bytes()), BODY, &keys(&[SECRET]), now);
        assert_eq!(expired.unwrap_err().code(), "signature_expired");
    }

    #[test]
    fn the_edges_of_time() {
        let header = sign(SECRET, BODY, at(1_000_000));
        let skew = |now| {
            verify(Some(header.as_bytes()), BODY, &keys(&[SECRET]), at(now)).map(|v| v.skew_seconds)
        };
        assert_eq!(skew(1_000_300), Ok(-300));
        assert_eq!(
            skew(1_000_301).map_err(|e| e.code()),
            Err("signature_expired")
        );
        assert_eq!(skew(10), Ok(999_990), "the future is accepted and reported");
    }

    #[test]
    fn the_secret_that_matched_is_remembered_and_blank_ones_never_match() {
        let now = at(1_700_000_000);
        let header = sign("whsec_two", BODY, now);
        let found = |secrets: &[&str], header: &str| {
            verify(Some(header.as_bytes()), BODY, &keys(secrets), now).map(|v| v.secret_index)
        };
        assert_eq!(found(&["whsec_one", "whsec_two"], &header), Ok(1));
        assert_eq!(
            found(&["whsec_one"], &header),
            Err(SignatureError::Mismatch)
        );
        assert_eq!(found(&[], &header), Err(SignatureError::Mismatch));
        let blank = sign("", BODY, now);
        assert_eq!(found(&["", " "], &blank), Err(SignatureError::Mismatch));
        let spaces = sign(" ", BODY, now);
        assert_eq!(found(&[" "], &spaces), Err(SignatureError::Mismatch));
    }

    #[test]
    fn one_changed_byte_breaks_it() {
        let now = at(1_700_000_000);
        let header = sign(SECRET, BODY, now);
        let changed = verify(
            Some(header.as_bytes()),
            &BODY[..BODY.len() - 1],
            &keys(&[SECRET]),
            now,
        );
        assert_eq!(changed, Err(SignatureError::Mismatch));
    }
}
