//! Passwords: which are good enough, hashing and checking with Argon2id. Few are worked on at
//! once, because each takes 19 MiB and a while on purpose.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use unicode_normalization::UnicodeNormalization;

use super::AccessError;
use crate::domain::email::CanonicalEmail;
use crate::random::secret_bytes;

/// Shortest password, in characters (NIST SP 800-63B asks for 8, and 15 if it stands alone).
pub const PASSWORD_CHARS_MIN: usize = 12;
/// Longest password, in bytes: beyond this, hashing it is only work.
const PASSWORD_BYTES_MAX: usize = 1024;
/// Distinct characters at least: `aaaaaaaaaaaa` is long, and no secret.
const DISTINCT_MIN: usize = 5;
/// Passwords worked on at once.
const AT_ONCE: usize = 2;
/// Requests that wait for their turn; more are told to come back.
const WAITING_MAX: usize = 32;
/// Seconds after which they may.
const BUSY_SECONDS: u32 = 2;
/// Bytes of a salt (RFC 9106 §3.1).
const SALT_BYTES: usize = 16;

/// The commonest passwords of twelve characters and more, without digits and marks at the end,
/// and what stands on this program's own pages.
const COMMON: [&str; 18] = [
    "password",
    "passwordpassword",
    "passw0rd",
    "p@ssword",
    "p@ssw0rd",
    "qwertyuiop",
    "qwertyuiopasdf",
    "qwerty",
    "qwertyqwerty",
    "abcdefghijkl",
    "iloveyou",
    "iloveyouiloveyou",
    "letmeinletmein",
    "administrator",
    "welcomewelcome",
    "changemechangeme",
    "correcthorsebatterystaple",
    "qualify",
];

/// Refuses a password that would be guessed.
pub fn check(password: &str, email: &CanonicalEmail) -> Result<(), AccessError> {
    let refuse = |code, message: String| Err(AccessError::invalid(code, "/password", message));
    let length = password.chars().count();
    if length < PASSWORD_CHARS_MIN {
        let message = format!("a password has at least {PASSWORD_CHARS_MIN} characters");
        return refuse("password_short", message);
    }
    if password.len() > PASSWORD_BYTES_MAX {
        let message = format!("a password has at most {PASSWORD_BYTES_MAX} bytes");
        return refuse("password_long", message);
    }
    let folded = password.trim().to_lowercase();
    let local = email.as_str().split('@').next().unwrap_or_default();
    let bare = folded.trim_end_matches(|c: char| !c.is_alphabetic());
    let distinct: BTreeSet<char> = folded.chars().collect();
    let is_email = folded == email.as_str() || bare == local || bare == email.as_str();
    if is_email {
        return refuse(
            "password_is_email",
            "the email address is no password".to_owned(),
        );
    }
    let is_counted = "0123456789012345678901234567890".contains(folded.as_str())
        || "98765432109876543210".contains(folded.as_str());
    if distinct.len() < DISTINCT_MIN || is_counted || COMMON.contains(&bare) {
        let message = "this password is among the first to be guessed; take a few words instead";
        return refuse("password_common", message.to_owned());
    }
    Ok(())
}

/// Hashes and checks passwords, a few at once.
#[derive(Debug)]
pub struct Hasher {
    turns: Arc<Semaphore>,
    waiting: AtomicUsize,
    /// What a password is checked against if there is no hash of it, so that it takes as long.
    nobodys: OnceLock<String>,
}

impl Default for Hasher {
    fn default() -> Self {
        Self {
            turns: Arc::new(Semaphore::new(AT_ONCE)),
            waiting: AtomicUsize::new(0),
            nobodys: OnceLock::new(),
        }
    }
}

impl Hasher {
    /// The hash of a password, in PHC's notation.
    pub async fn hash(&self, password: &str) -> Result<String, AccessError> {
        let turn = self.turn().await?;
        let password = normal(password);
        work(turn, move || hash(&password)).await?
    }

    /// Whether a password is the one that was hashed. Without a hash it is wrong, after the
    /// same work.
    pub async fn verify(
        &self,
        stored: Option<String>,
        password: &str,
    ) -> Result<bool, AccessError> {
        let turn = self.turn().await?;
        let is_there = stored.is_some();
        let stored = match stored {
            Some(stored) => stored,
            None => self.nobodys().await?,
        };
        let mut password = normal(password);
        if password.len() > PASSWORD_BYTES_MAX {
            password.clear();
        }
        let right = work(turn, move || verify(&stored, &password)).await?;
        Ok(right && is_there)
    }

    /// Made on first use, outside of what is measured: whoever starts the server asks for it.
    pub async fn warm_up(&self) -> Result<(), AccessError> {
        self.nobodys().await.map(|_| ())
    }

    async fn nobodys(&self) -> Result<String, AccessError> {
        if let Some(hash) = self.nobodys.get() {
            return Ok(hash.clone());
        }
        let made = tokio::task::spawn_blocking(|| hash("nobody's password"));
        let made = made.await.map_err(|_| AccessError::Hash)??;
        Ok(self.nobodys.get_or_init(|| made).clone())
    }

    async fn turn(&self) -> Result<OwnedSemaphorePermit, AccessError> {
        if let Ok(turn) = Arc::clone(&self.turns).try_acquire_owned() {
            return Ok(turn);
        }
        let place = Place::take(&self.waiting)?;
        let turn = Arc::clone(&self.turns).acquire_owned().await;
        drop(place);
        turn.map_err(|_| AccessError::Hash)
    }
}

/// A place among those who wait, given back also by a request that was cancelled.
struct Place<'w>(&'w AtomicUsize);

impl<'w> Place<'w> {
    fn take(waiting: &'w AtomicUsize) -> Result<Self, AccessError> {
        if waiting.fetch_add(1, Ordering::SeqCst) >= WAITING_MAX {
            waiting.fetch_sub(1, Ordering::SeqCst);
            return Err(AccessError::Limited {
                seconds: BUSY_SECONDS,
            });
        }
        Ok(Self(waiting))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The same password is typed in several forms (NIST SP 800-63B §5.1.1.2).
fn normal(password: &str) -> String {
    password.nfkc().collect()
}

async fn work<T: Send + 'static>(
    turn: OwnedSemaphorePermit,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, AccessError> {
    let done = tokio::task::spawn_blocking(move || {
        let done = work();
        drop(turn);
        done
    });
    done.await.map_err(|_| AccessError::Hash)
}

fn hash(password: &str) -> Result<String, AccessError> {
    let chance = secret_bytes()?;
    let (salt, _) = chance.split_at(SALT_BYTES);
    // The crate's default is OWASP's: Argon2id, 19 MiB, two passes.
    let hash = Argon2::default().hash_password_with_salt(password.as_bytes(), salt);
    hash.map(|hash| hash.to_string())
        .map_err(|_| AccessError::Hash)
}

fn verify(stored: &str, password: &str) -> bool {
    PasswordHash::new(stored).is_ok_and(|stored| {
        Argon2::default()
            .verify_password(password.as_bytes(), &stored)
            .is_ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_be_guessed_is_refused() {
        let email = CanonicalEmail::parse("ana.lima.marketing@example.com").unwrap();
        for (password, code) in [
            ("", "password_short"),
            ("elevenchars", "password_short"),
            (&"é".repeat(600), "password_long"),
            ("Ana.Lima.Marketing@example.com", "password_is_email"),
            ("ana.lima.marketing2026!", "password_is_email"),
            ("aaaaaaaaaaaa", "password_common"),
            ("123456789012", "password_common"),
            ("Password2026!", "password_common"),
            ("qwertyuiop12345", "password_common"),
        ] {
            match check(password, &email) {
                Err(AccessError::Invalid { code: seen, .. }) => {
                    assert_eq!(seen, code, "{password}");
                }
                other => panic!("{password}: {other:?}"),
            }
        }
        for good in [
            "twelve is it",
            "ein zwei drei vier",
            "日本語のパスワードです。はい",
        ] {
            assert!(check(good, &email).is_ok(), "{good}");
        }
    }

    #[tokio::test]
    async fn a_hash_knows_its_password_in_any_spelling_of_it() {
        let hasher = Hasher::default();
        let stored = hasher.hash("caf\u{e9} und kuchen").await.unwrap();
        assert!(
            stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{stored}"
        );
        let right = |word: &'static str| hasher.verify(Some(stored.clone()), word);
        assert!(right("cafe\u{301} und kuchen").await.unwrap());
        assert!(!right("cafe und kuchen").await.unwrap());
        assert!(!hasher.verify(None, "nobody's password").await.unwrap());
        assert!(!hasher.verify(Some("$x".to_owned()), "y").await.unwrap());
        assert_ne!(stored, hasher.hash("caf\u{e9} und kuchen").await.unwrap());
    }

    #[tokio::test]
    async fn a_crowd_is_told_to_come_back() {
        let hasher = Hasher::default();
        let _busy = Arc::clone(&hasher.turns)
            .acquire_many_owned(2)
            .await
            .unwrap();
        let mut crowd: Vec<_> = (0..WAITING_MAX).map(|_| Box::pin(hasher.turn())).collect();
        for one in &mut crowd {
            assert!(futures_util::poll!(one.as_mut()).is_pending());
        }
        assert!(matches!(
            hasher.turn().await,
            Err(AccessError::Limited { .. })
        ));
        drop(crowd);
        assert_eq!(hasher.waiting.load(Ordering::SeqCst), 0);
    }
}
