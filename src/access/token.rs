//! Tokens of sessions and links: 256 bits of chance, of which only the SHA-256 is kept.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::random::{NoChance, secret_bytes};

/// Characters of a token: 256 bits as base64url without padding (RFC 4648 §5).
const CHARACTERS: usize = 43;

/// A new token and the hash that is kept of it.
pub(super) fn draw() -> Result<(String, [u8; 32]), NoChance> {
    let token = URL_SAFE_NO_PAD.encode(secret_bytes()?);
    let hash = hash(&token);
    Ok((token, hash))
}

/// The hash under which a token is looked up; `None` for text that cannot be one.
pub(super) fn looked_up_by(text: &str) -> Option<[u8; 32]> {
    let is_token = text.len() == CHARACTERS
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    is_token.then(|| hash(text))
}

fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_looks_like_a_token_is_looked_up() {
        let (token, hash) = draw().unwrap();
        assert_eq!(looked_up_by(&token), Some(hash));
        for other in ["", &token[1..], &format!("{token}A"), &"=".repeat(43)] {
            assert_eq!(looked_up_by(other), None, "{other}");
        }
    }
}
