//! Secrets at rest: encrypted and authenticated with XChaCha20-Poly1305 under a key that follows
//! from `APP_SECRET_KEY`. What cannot be read under this key is an error, never another secret.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::config::Secret;
use crate::random::{NoChance, secret_bytes};

/// What the cipher's key is derived for, so that another use of `APP_SECRET_KEY` has another key.
const PURPOSE: &[u8] = b"qualify: secrets at rest, version 1";
/// The first byte of everything sealed: how it is sealed.
const VERSION: u8 = 1;
/// Bytes of the nonce: enough that they may be drawn by chance.
const NONCE_BYTES: usize = 24;

/// Why a sealed secret cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the secret was stored under another APP_SECRET_KEY")]
pub struct CannotOpen;

/// Seals and opens.
pub struct Sealer {
    cipher: XChaCha20Poly1305,
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealer")
    }
}

impl Sealer {
    /// Under this `APP_SECRET_KEY`; none if it is blank, which settings refuse.
    pub fn new(app_secret_key: &Secret) -> Option<Self> {
        // As HKDF-Extract (RFC 5869) with the purpose as salt: a text of any length becomes 256 bits.
        let mut mac = Hmac::<Sha256>::new_from_slice(PURPOSE).ok()?;
        mac.update(app_secret_key.expose().as_bytes());
        let key = mac.finalize().into_bytes();
        let cipher = XChaCha20Poly1305::new_from_slice(&key).ok()?;
        Some(Self { cipher })
    }

    /// Encrypts a secret that belongs to `owner`; moved to another owner it cannot be opened.
    pub fn seal(&self, owner: &str, secret: &[u8]) -> Result<Vec<u8>, NoChance> {
        let mut nonce = [0_u8; NONCE_BYTES];
        for (place, byte) in nonce.iter_mut().zip(secret_bytes()?) {
            *place = byte;
        }
        let payload = Payload {
            msg: secret,
            aad: owner.as_bytes(),
        };
        // It fails for messages of more than 256 GiB alone.
        let sealed = self.cipher.encrypt(&XNonce::from(nonce), payload);
        let sealed = sealed.map_err(|_| NoChance)?;
        Ok([&[VERSION][..], &nonce, &sealed].concat())
    }

    /// Decrypts it again.
    pub fn open(&self, owner: &str, sealed: &[u8]) -> Result<Vec<u8>, CannotOpen> {
        let (version, rest) = sealed.split_first().ok_or(CannotOpen)?;
        let (nonce, msg) = rest.split_first_chunk::<NONCE_BYTES>().ok_or(CannotOpen)?;
        if *version != VERSION {
            return Err(CannotOpen);
        }
        let aad = owner.as_bytes();
        let opened = self
            .cipher
            .decrypt(&XNonce::from(*nonce), Payload { msg, aad });
        opened.map_err(|_| CannotOpen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealer(key: &str) -> Sealer {
        Sealer::new(&Secret::new(key).unwrap()).unwrap()
    }

    #[test]
    fn only_the_same_key_and_owner_open_it() {
        let (ours, theirs) = (sealer("a key of ours, long enough"), sealer("another one"));
        let sealed = ours.seal("live we_1", b"SENTINEL").unwrap();
        assert_eq!(ours.open("live we_1", &sealed).unwrap(), b"SENTINEL");
        assert!(!sealed.windows(8).any(|part| part == b"SENTINEL"));
        assert_ne!(ours.seal("live we_1", b"SENTINEL").unwrap(), sealed);
        assert_eq!(theirs.open("live we_1", &sealed), Err(CannotOpen));
        assert_eq!(ours.open("live we_2", &sealed), Err(CannotOpen));
        for at in [0, 1, 30, sealed.len() - 1] {
            let mut bent = sealed.clone();
            bent[at] ^= 1;
            assert_eq!(ours.open("live we_1", &bent), Err(CannotOpen), "{at}");
        }
        assert_eq!(ours.open("live we_1", &sealed[..20]), Err(CannotOpen));
        assert_eq!(ours.open("live we_1", &[]), Err(CannotOpen));
    }
}
